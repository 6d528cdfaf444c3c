"""What a diagram says of a step, in the language's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.dims import Dim, at, prod
from archdsl.ir import CallStep, LoopStep, Name, Net, OpStep, Scope
from archdsl.ops.base import Op
from archdsl.ops.settings import show
from archdsl.shape import Shape
from archdsl.trace import Sides

# For each loop around a name that is drawn once, the first and the last value of its counter.
Places = Mapping[str, tuple[int, int]]

# Settings that keep sizes as they are more often than not: they are told in tooltips only.
KEEPING = frozenset(("pad",))


def spelled(name: Name, places: Places) -> str:
    """A step's name; `conv{1..3}` where it stands for several."""
    first = {counter: low for counter, (low, _) in places.items()}
    last = {counter: high for counter, (_, high) in places.items()}
    return "".join(part if isinstance(part, str) else _range(at(part, first), at(part, last)) for part in name)


def _range(first: Dim, last: Dim) -> str:
    return str(first) if first == last else f"{{{first}..{last}}}"


def span(first: str, last: str) -> str:
    """Two names that differ in a number as one: `1`, `5` are `{1..5}`."""
    if first == last:
        return first
    start = len(first) - len(first.rstrip("0123456789"))
    end = len(last) - len(last.rstrip("0123456789"))
    if start and end and first[:-start] == last[:-end]:
        return f"{first[:-start]}{{{first[-start:]}..{last[-end:]}}}"
    return f"{first} .. {last}"


def times(count: int, what: str) -> str:
    """`3 × bottleneck 64`."""
    return f"{count} × {what}" if count > 1 else what


def telling(name: str) -> bool:
    """Whether a name says more than that it has a place: not a number, and not made up for a nameless step."""
    return name[:1] not in "~{" and not name.isdecimal()


def shape(net: Net, shape: Shape) -> str:
    """`64 × 112 × 112`, symbolic where the network's input is; the batch axis of a parameter is left out."""
    sizes = zip(shape.axes, shape.sizes, strict=True)
    return " × ".join(_size(net.at(size)) for axis, size in sizes if axis != "batch")


def _size(size: Dim) -> str:
    text = str(size)
    return f"({text})" if " " in text else text


def call(op: Op) -> str:
    """`conv 7×7, 64, stride 2`: the values, and the settings that change what the op does to a shape."""
    values = op.values()
    words = [_value(getattr(op, key)) for key in values if getattr(op, key) is not None]
    for key, field in op.settings().items():
        value = getattr(op, key)
        if key not in values and value != field.default and _shapes(key, value):
            words.append(f"{key} {_value(value)}")
    return f"{op.name} {', '.join(words)}" if words else op.name


def _shapes(key: str, value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return key not in KEEPING and (whole or isinstance(value, Sides))


def _value(value: Any) -> str:
    return "×".join(map(str, value)) if isinstance(value, Sides) else show(value)


def settings(op: Op) -> str:
    """The op with every setting that isn't its default."""
    fields = op.settings().items()
    words = [f"{key} {_value(getattr(op, key))}" for key, field in fields if getattr(op, key) != field.default]
    return f"{op.name}: {', '.join(words)}" if words else op.name


def block(step: CallStep) -> str:
    """`inception 64, 96, 128, 16, 32, 32`: a block's name with its values and the settings given."""
    scope = step.scope
    if scope.kind != "block":
        return ""
    given = dict(step.arguments)
    words = [
        _value(given[key])
        for key, default in scope.params
        if default is None and key in given and not isinstance(given[key], float)
    ]
    words += [
        f"{key} {_value(given[key])}"
        for key, default in scope.params
        if default is not None and key in given and isinstance(given[key], int) and show(given[key]) != default
    ]
    short = ", ".join(words)
    return f"{scope.name} {short}".rstrip() if len(short) <= 40 else scope.name


def parameters(net: Net, scope: Scope, known: dict[Scope, int]) -> int:
    """Trainable scalars of everything inside; `known` remembers what was counted."""
    if scope not in known:
        known[scope] = sum(
            weights(net, step)
            if isinstance(step, OpStep)
            else parameters(net, step.scope, known) * (step.times if isinstance(step, LoopStep) else 1)
            for step in scope.steps
        )
    return known[scope]


def weights(net: Net, step: OpStep) -> int:
    """Trainable scalars of one step."""
    total = net.at(sum(prod(sizes) for sizes in step.facts.weights.values()))
    assert isinstance(total, int)
    return total
