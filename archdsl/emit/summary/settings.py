"""What a step does, as its line in a spec would say it."""

from __future__ import annotations

from typing import Any

from archdsl.ir import CallStep, LoopStep, OpStep, Scope
from archdsl.ops.base import REQUIRED, Op
from archdsl.ops.settings import show
from archdsl.shape import Shape
from archdsl.trace import Sides


def written(step: OpStep | CallStep) -> str:
    """`conv 7x7, 64, stride 2`, `bottleneck 64, stride 2`; for a container what is in it."""
    if isinstance(step, OpStep):
        return op_call(step.op)
    if step.scope.kind == "block":
        return _block_call(step)
    return _contents(step.scope)


def op_call(op: Op) -> str:
    """The call of an op: its values, then the settings that aren't PyTorch's."""
    fields, order = type(op).settings(), type(op).values()
    words = []
    for name in order:
        value = getattr(op, name)
        if fields[name].default is REQUIRED or value != fields[name].default:
            words.append(_value(value))
    for name, field in fields.items():
        value = getattr(op, name)
        if name in order or value is None or value == field.default or not _plain(value):
            continue
        words.append(name if value is True else f"{name} {_value(value)}")
    return " ".join([op.name, ", ".join(words)]) if words else op.name


def _block_call(step: CallStep) -> str:
    given = dict(step.arguments)
    words = []
    for name, default in step.scope.params:
        value = given.get(name)
        if value is None or not _plain(value):
            continue
        written = _value(value)
        if default is None:
            words.append(written)
        elif written != default:
            words.append(name if value is True else f"{name} {written}")
    return " ".join([step.scope.name, ", ".join(words)]) if words else step.scope.name


def _contents(scope: Scope) -> str:
    """`3 x bottleneck`; how many steps where what has weights isn't alike."""
    kinds: dict[str, int] = {}
    steps = 0
    alike = True
    pending: list[tuple[Scope, int]] = [(scope, 1)]
    while pending:
        inside, times = pending.pop()
        for step in inside.steps:
            if isinstance(step, OpStep):
                steps += times
                alike = alike and not step.facts.weights
            elif isinstance(step, CallStep):
                kind = step.scope.name if step.scope.kind == "block" else ""
                kinds[kind] = kinds.get(kind, 0) + times
            else:
                pending.append((step.scope, times * (step.times if isinstance(step, LoopStep) else 1)))
    if alike and len(kinds) == 1 and "" not in kinds:
        ((name, count),) = kinds.items()
        return f"{count:,} x {name}" if count > 1 else name
    total = steps + sum(kinds.values())
    return f"{total:,} steps" if total != 1 else "1 step"


def _plain(value: Any) -> bool:
    """Whether a value can be written down; another step, given to a block, can't."""
    return value is None or isinstance(value, (int, float, str)) or type(value) in (tuple, Sides, Shape)


def _value(value: Any) -> str:
    if isinstance(value, Shape):  # of which an op takes the height and width
        return "x".join(map(str, value.spatial))
    if isinstance(value, tuple) and value and all(isinstance(side, int) for side in value):
        return "x".join(map(str, value))
    return show(value)
