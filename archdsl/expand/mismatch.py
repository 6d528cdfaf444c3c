"""Tensors that meet and don't fit: told at the branch at fault, with the step that is likely to blame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.expand.environment import Env
from archdsl.expand.sizes import spelled
from archdsl.ir import OpStep, Step
from archdsl.shape import SPATIAL, Shape
from archdsl.source import Span


class Part(NamedTuple):
    """One of the tensors that meet.

    name: what messages call it; span: where its steps stand; steps: what it added to the scope; help: the way out.
    """

    name: str
    span: Span
    steps: tuple[Step, ...] = ()
    help: str = ""


def at_part(error: SpecError, parts: tuple[Part, ...], what: str, entering: Shape, env: Env) -> SpecError:
    """A merge's complaint, moved to the part at fault.

    what: the subject of the message, "the branches of `concat`"; entering: the shape that all parts start from.
    """
    return SpecError(*(_told(diagnostic, parts, what, entering, env) for diagnostic in error.diagnostics))


def _told(diagnostic: Diagnostic, parts: tuple[Part, ...], what: str, entering: Shape, env: Env) -> Diagnostic:
    position = diagnostic.values.get("branch")
    if not isinstance(position, int):
        return diagnostic
    part = parts[position]
    values = dict(diagnostic.values)
    _, verb, rest = values["what"].partition(" differ in ")
    if verb:
        values["what"] = f"{what}{verb}{rest}"
        values["got"] += f" in {part.name}, from {spelled(entering, env.session.sizes)}"
        alike = [parts[k].name for k in values["like"]]
        values["help"] = part.help
        values["expected"] += f", as in {', '.join(alike)}" if alike else ""
    span = part.span
    # Of two, either may be the wrong one: the one at fault first.
    suspects = (part, parts[1 - position]) if len(parts) == 2 else (part,)
    for suspect, step in _ops(suspects) if any(axis in rest for axis in SPATIAL) else ():
        if hint := step.op.hint():
            values["help"] = hint
            span = step.span if _within(step.span, suspect.span) else span
            break
    return type(diagnostic)(span, path=diagnostic.path, notes=diagnostic.notes, **values)


def _ops(parts: Iterable[Part]) -> Iterator[tuple[Part, OpStep]]:
    return ((part, step) for part in parts for step in _inside(part.steps))


def _inside(steps: Iterable[Step]) -> Iterator[OpStep]:
    for step in steps:
        if isinstance(step, OpStep):
            yield step
        else:
            yield from _inside(step.scope.steps)


def _within(inner: Span, outer: Span) -> bool:
    """Whether a step stands in the lines of a part, not in a block that it calls."""
    return inner.source == outer.source and outer.line <= inner.line <= outer.end_line
