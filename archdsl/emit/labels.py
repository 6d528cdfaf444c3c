"""What a diagram says of a step, in the language's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from archdsl.dims import Dim, Sym, at
from archdsl.ir import CallStep, Name, Net
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


class Names(NamedTuple):
    """What stands for numbers that differ between several scopes drawn as one: the block's parameters.

    values: parameter -> its value in each of them. sizes: those of the network's input, where they are given.
    """

    values: Mapping[str, tuple[Any, ...]]
    sizes: Mapping[str, int] = {}

    def say(self, values: tuple[Any, ...]) -> str:
        """What all of them are, or what it is called: `64`, `width`, `4 · width`; three dots where it is neither."""
        if len(set(values)) == 1:
            return _value(_known(values[0], self.sizes))
        plain = tuple(map(_plain, values))
        # Several steps of each scope may be drawn as one, too.
        known = {name: tuple(map(_plain, one)) * (len(values) // len(one)) for name, one in self.values.items()}
        same = next((name for name, one in known.items() if one == plain), None)
        if same:
            return same
        multiples = [(factor, name) for name, one in known.items() if (factor := _factor(plain, one))]
        parts = [(factor, name) for name, one in known.items() if (factor := _factor(one, plain))]
        if multiples:
            factor, name = min(multiples)
            return f"{factor} · {name}"
        return f"{min(parts)[1]} / {min(parts)[0]}" if parts else "…"


def _known(value: Any, sizes: Mapping[str, int]) -> Any:
    """A value with the input's sizes put in."""
    if type(value) is tuple:
        return tuple(_known(one, sizes) for one in value)
    return at(value, sizes) if sizes and isinstance(value, Sym) else value


def _plain(value: Any) -> Any:
    """A square size as the one number that it may be written as."""
    return value[0] if isinstance(value, Sides) and len(set(value)) == 1 else value


def _factor(values: tuple[Any, ...], others: tuple[Any, ...]) -> int:
    """The whole number by which all others are multiplied; 0 where there is none."""
    if not all(type(value) is int and value > 0 for value in (*values, *others)):
        return 0
    factor: int = values[0] // others[0]
    return factor if all(value == factor * other for value, other in zip(values, others, strict=True)) else 0


NOBODY = Names({})


def call(ops: Sequence[Op], names: Names = NOBODY) -> str:
    """`conv 7×7, 64, stride 2`: the values, and the settings that change what the op does to a shape.

    ops: one, or as many of the same name as are drawn as one.
    """
    op, values = ops[0], ops[0].values()
    words = [names.say(_all(ops, key)) for key in values if getattr(op, key) is not None]
    for key, field in op.settings().items():
        given = _all(ops, key)
        if key not in values and any(value != field.default and _shapes(key, value) for value in given):
            said = names.say(given)
            words.append(f"{key} {said}" if said != key else key)
    return f"{op.name} {', '.join(words)}" if words else op.name


def _all(ops: Sequence[Op], key: str) -> tuple[Any, ...]:
    return tuple(getattr(op, key) for op in ops)


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


def block(steps: Sequence[CallStep], names: Names = NOBODY) -> str:
    """`inception 64, 96, 128, 16, 32, 32`: a block's name with its values and the settings given."""
    scope = steps[0].scope
    if scope.kind != "block":
        return ""
    given = [dict(step.arguments) for step in steps]
    words = []
    for key, default in scope.params:
        if not all(key in one for one in given):
            continue
        values = tuple(one[key] for one in given)
        if default is None:
            words += [] if isinstance(values[0], float) else [names.say(values)]
        elif any(isinstance(value, int) and show(value) != default for value in values):
            said = names.say(values)
            words.append(f"{key} {said}" if said != key else key)
    short = ", ".join(words)
    return f"{scope.name} {short}".rstrip() if len(short) <= 40 else scope.name
