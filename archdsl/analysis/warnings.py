"""What compiles but may not be meant."""

from __future__ import annotations

from archdsl.analysis.errors import UnusedModule
from archdsl.diagnostics import Diagnostic
from archdsl.ir import CallStep, Net, OpStep, Scope, spell


def warnings(net: Net) -> tuple[Diagnostic, ...]:
    """Warnings about a network, each place once."""
    found: dict[Diagnostic, None] = {}
    _unused(net.scope, (), found, set())
    return tuple(found)


def _unused(scope: Scope, path: tuple[str, ...], found: dict[Diagnostic, None], seen: set[Scope]) -> None:
    if scope in seen:
        return
    seen.add(scope)
    for step in scope.steps:
        if isinstance(step, (OpStep, CallStep)) and step.unused:
            found[UnusedModule(step.span, path=path, name=spell(step.name))] = None
        if isinstance(step, CallStep):
            _unused(step.scope, (*path, spell(step.name)), found, seen)
        elif not isinstance(step, OpStep):
            _unused(step.scope, path, found, seen)
