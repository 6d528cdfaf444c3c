"""Numbers that remember how they were computed, so that emitted source says `4 * width` and not `256`.

A traced number is an int or float in every respect; arithmetic on it builds the Python expression alongside. The
expansion binds a block's parameters to traced numbers when source is wanted, and to plain ones otherwise.
"""

from __future__ import annotations

import keyword
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Python's binding strengths, to bracket no more than needed.
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = 1, 2, 3, 4, 5


class Sides(tuple[int, ...]):
    """A size as written with `x`: `3x3` is Sides((3, 3))."""

    def __str__(self) -> str:
        return "x".join(map(str, self))


class Traced:
    """What traced ints and floats share: the Python source of the value and the names in it."""

    source: str
    strength: int
    names: frozenset[str]


class TracedInt(int, Traced):
    """An int with its source."""


class TracedFloat(float, Traced):
    """A float with its source."""


class TracedSides(Sides, Traced):
    """A size such as `1x7` passed through a parameter."""


def traced(value: int | float, source: str, names: Iterable[str] = (), strength: int = _ATOM) -> Any:
    """The value as a number that prints as `source`; `names` are the variables in it."""
    made: Any = TracedInt(value) if isinstance(value, int) else TracedFloat(value)
    made.source, made.strength, made.names = source, strength, frozenset(names)
    return made


def variable(value: Any, name: str) -> Any:
    """The value as the variable `name`; what can't be traced (words, ops, lists, booleans) stays as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return traced(value, name, (name,))
    if isinstance(value, Sides):
        # A square size is one number in Python, so that one class serves it and a plain number.
        square = len(set(value)) == 1
        parts = (traced(side, name if square else f"{name}[{k}]", (name,)) for k, side in enumerate(value))
        sides = TracedSides(parts)
        sides.source, sides.strength, sides.names = name, _ATOM, frozenset((name,))
        return sides
    return value


def source_of(value: Any) -> str:
    """The Python source of a number, traced or plain."""
    return value.source if isinstance(value, Traced) else repr(value)


def names_in(value: Any) -> frozenset[str]:
    """The variables that a value's source mentions."""
    if isinstance(value, Traced):
        return value.names
    if isinstance(value, tuple):
        return frozenset().union(*map(names_in, value))
    return frozenset()


def integral(value: float) -> int:
    """A float with an integral value as an int, its source with it."""
    whole = int(float(value))
    return traced(whole, f"int({value.source})", value.names) if isinstance(value, Traced) else whole


def call(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)`, traced as a call of `name` where an argument is traced."""
    value = function(*(_plain(arg) for arg in args))
    if not any(names_in(arg) for arg in args):
        return value
    names = frozenset().union(*map(names_in, args))
    return traced(value, f"{name}({', '.join(map(_spell, args))})", names)


def _plain(value: Any) -> Any:
    if isinstance(value, TracedInt):
        return int(value)
    if isinstance(value, TracedFloat):
        return float(value)
    return tuple(map(_plain, value)) if type(value) is tuple else value


def _spell(value: Any) -> str:
    return f"[{', '.join(map(_spell, value))}]" if type(value) is tuple else source_of(value)


def _operand(value: Any, strength: int) -> str:
    if isinstance(value, Traced) and value.strength < strength:
        return f"({value.source})"
    return f"({value!r})" if not isinstance(value, Traced) and value < 0 else source_of(value)


_OPERATIONS: dict[str, tuple[Callable[[Any, Any], Any], int]] = {
    "+": (operator.add, _SUM),
    "-": (operator.sub, _SUM),
    "*": (operator.mul, _PRODUCT),
    "//": (operator.floordiv, _PRODUCT),
    "/": (operator.truediv, _PRODUCT),
    "%": (operator.mod, _PRODUCT),
    "**": (operator.pow, _POWER),
}


def binary(symbol: str, left: Any, right: Any) -> Any:
    """`left symbol right` for two numbers, traced where one of them is."""
    function, strength = _OPERATIONS[symbol]
    value = function(_plain(left), _plain(right))
    if not isinstance(left, Traced) and not isinstance(right, Traced):
        return value
    neutral = _neutral(symbol, left, right)
    if neutral is not None and type(_plain(neutral)) is type(value):
        return neutral
    # The right operand of - / // % binds one tighter; ** is the other way round.
    left_strength, right_strength = (strength + 1, strength) if symbol == "**" else (strength, strength + 1)
    if symbol in "+*":
        right_strength = strength
    source = f"{_operand(left, left_strength)} {symbol} {_operand(right, right_strength)}"
    return traced(value, source, names_in(left) | names_in(right), strength)


def _neutral(symbol: str, left: Any, right: Any) -> Any:
    """The operand that the result simply is (`x * 1`, `x + 0`), by the other being a plain neutral number."""
    if symbol in ("+", "-") and not isinstance(right, Traced) and right == 0:
        return left
    if symbol == "+" and not isinstance(left, Traced) and left == 0:
        return right
    if symbol in ("*", "//") and not isinstance(right, Traced) and right == 1:
        return left
    if symbol == "*" and not isinstance(left, Traced) and left == 1:
        return right
    return None


def _operator(symbol: str) -> tuple[Any, Any]:
    def forward(self: Any, other: Any) -> Any:
        return binary(symbol, self, other) if isinstance(other, (int, float)) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return binary(symbol, other, self) if isinstance(other, (int, float)) else NotImplemented

    return forward, reflected


for _symbol, _name in (
    ("+", "add"),
    ("-", "sub"),
    ("*", "mul"),
    ("//", "floordiv"),
    ("/", "truediv"),
    ("%", "mod"),
    ("**", "pow"),
):
    for _class in (TracedInt, TracedFloat):
        _forward, _reflected = _operator(_symbol)
        setattr(_class, f"__{_name}__", _forward)
        setattr(_class, f"__r{_name}__", _reflected)


def _negate(self: Any) -> Any:
    return traced(-_plain(self), f"-{_operand(self, _SIGN)}", self.names, _SIGN)


TracedInt.__neg__ = _negate  # type: ignore[method-assign]
TracedFloat.__neg__ = _negate  # type: ignore[method-assign]


def product(values: Iterable[Any]) -> Any:
    """The product with plain factors gathered in front, so that `49 * in_channels` and not `in_channels * 7 * 7`."""
    values = tuple(values)
    plain = math.prod(value for value in values if not isinstance(value, Traced))
    result: Any = plain
    for value in values:
        if isinstance(value, Traced):
            result = result * value
    return result


def substitute(value: Any, replacements: Mapping[str, Any]) -> Any:
    """The value with variables replaced by other values, as a block's result is told in its caller's terms."""
    if not isinstance(value, Traced) or isinstance(value, Sides):
        return value
    present = {name: replacements[name] for name in value.names}
    if not any(isinstance(replacement, Traced) for replacement in present.values()):
        return _plain(value)
    if value.source in present:
        return present[value.source]
    source = _NAME.sub(lambda match: _operand(present[match[0]], _ATOM) if match[0] in present else match[0], value.source)
    return traced(_plain(value), source, names_in(tuple(present.values())), value.strength)


_TAKEN = frozenset((*keyword.kwlist, "self", "nn", "torch", "math", "F", "divisible", "super", "range", "int", "round"))


def python_name(name: str) -> str:
    """A name of the language as an argument of emitted source, which must shadow nothing that the source uses."""
    return f"{name}_" if name in _TAKEN else name
