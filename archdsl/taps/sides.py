"""Heads that run in one mode only, made to run always: what is asked for is there in training and in evaluation."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.ir import OpStep, Scope, SideStep
from archdsl.taps.draft import Draft


def without_sides(scope: Scope) -> Scope:
    """The scope with the steps of such heads among the others, and its side outputs as results like others."""
    return _without_sides(scope, {})


def _without_sides(scope: Scope, known: dict[Scope, Scope]) -> Scope:
    if scope not in known:
        inner = {step.scope: _without_sides(step.scope, known) for step in scope.steps if not isinstance(step, OpStep)}
        same = all(old is new for old, new in inner.items())
        sides = bool(scope.sides) or any(isinstance(step, SideStep) for step in scope.steps)
        known[scope] = scope if same and not sides else _rewritten(scope, inner)
    return known[scope]


def _rewritten(scope: Scope, inner: Mapping[Scope, Scope]) -> Scope:
    draft = Draft(scope, range(len(scope.inputs)))
    values = dict(zip(scope.inputs, draft.inputs, strict=True))
    for step in scope.steps:
        if isinstance(step, OpStep):
            draft.copy(step, scope, values)
        elif isinstance(step, SideStep):
            head = inner[step.scope]
            inside = {value: values[outer] for value, outer in zip(head.inputs, step.inputs, strict=True)}
            for part in head.steps:
                draft.copy(part, head, inside)
            values[step.outputs[0]] = inside[head.results[0]]
        else:
            draft.copy(step._replace(scope=inner[step.scope]), scope, values)
    return draft.finish([values[value] for value in scope.results], [*scope.taps, *(side.name for side in scope.sides)])
