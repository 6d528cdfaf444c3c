"""A block again, on another input: where no expression reads a shape, only the facts of its steps are told anew.

DenseNet calls one block on a hundred different numbers of channels; its structure is decided once.
"""

from __future__ import annotations

from archdsl.expand.checks import broken_at
from archdsl.expand.environment import Session
from archdsl.expand.sizes import known
from archdsl.ir import CallStep, LoopStep, OpStep, Scope, SideStep, Step
from archdsl.ops.base import OpError
from archdsl.shape import Shape


class Unlike(Exception):
    """The steps can't be taken over as they are: expand, which also tells what is wrong."""


def replay(scope: Scope, inputs: tuple[Shape, ...], session: Session) -> Scope:
    """The scope on other inputs; raises Unlike where that needs a full expansion."""
    before = scope.shapes
    shapes: list[Shape] = list(before)
    for value, shape in zip(scope.inputs, inputs, strict=True):
        shapes[value] = shape
    steps: list[Step] = []
    for step in scope.steps:
        if isinstance(step, OpStep):
            same = all([shapes[value] is before[value] for value in step.inputs])  # noqa: C419 (hot)
            steps.append(step if same else _op(step, shapes, session))
            continue
        entered = tuple([shapes[value] for value in step.inputs])
        inner = replay(step.scope, entered, session) if entered != _entered(step.scope) else step.scope
        for value, result in zip(step.outputs, inner.results, strict=True):
            shapes[value] = inner.shapes[result]
        if isinstance(step, LoopStep) and inner.shapes[inner.results[0]] != entered[0]:
            raise Unlike
        assert isinstance(step, (CallStep, LoopStep, SideStep))
        steps.append(step._replace(scope=inner))
    session.distinct += len(steps)
    return Scope(
        kind=scope.kind,
        name=scope.name,
        inputs=scope.inputs,
        shapes=tuple(shapes),
        steps=tuple(steps),
        results=scope.results,
        span=scope.span,
        sides=scope.sides,
        jump=scope.jump,
        labelled=scope.labelled,
        params=scope.params,
        taps=scope.taps,
    )


def _entered(scope: Scope) -> tuple[Shape, ...]:
    return tuple([scope.shapes[value] for value in scope.inputs])


def _op(step: OpStep, shapes: list[Shape], session: Session) -> OpStep:
    name, op, inputs, outputs, before, inits, span, unused = step
    entered = tuple([shapes[value] for value in inputs])
    key = (op, entered)
    facts = session.memo.get(key)
    if facts is None:
        try:
            facts = op.infer(entered)
        except OpError:
            raise Unlike from None
        session.memo[key] = facts
    if facts.checks is not before.checks:  # else they held already
        for check in facts.checks:
            if broken_at(check, session.sizes):
                raise Unlike
    for sizes in (*facts.weights.values(), *(buffer.shape for buffer in facts.buffers.values())):
        for size in sizes:
            if type(size) is not int and known(size, session.sizes) is None:
                raise Unlike
    if facts.shape != shapes[outputs[0]]:  # an equal one stays the same object: what follows isn't told anew
        shapes[outputs[0]] = facts.shape
    return OpStep(name, op, inputs, outputs, facts, inits, span, unused)
