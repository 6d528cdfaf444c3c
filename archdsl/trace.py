"""Numbers that remember how they were computed, so that emitted source says `4 * width` and not `256`.

A traced number is an int or float in every respect; arithmetic on it builds the Python expression alongside. The
expansion binds a block's parameters to traced numbers when source is wanted, and to plain ones otherwise.
"""

from __future__ import annotations

import keyword
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Python's binding strengths, to bracket no more than needed.
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
    # Of a whole number that is a sum: source of each term without its factor -> (term, factor); "" is the constant.
    linear: Mapping[str, tuple[Any, int]] | None = None
    # What an operation or a function made of its operands: makes it anew of others. None for variables.
    remake: Callable[[Callable[[Any], Any]], Any] | None = None


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
    return call("int", int, value)  # type: ignore[no-any-return]


def call(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)`, traced as a call of `name` where an argument is traced."""
    value = function(*(_plain(arg) for arg in args))
    if not any(names_in(arg) for arg in args):
        return value
    names = frozenset().union(*map(names_in, args))
    result = traced(value, f"{name}({', '.join(map(_spell, args))})", names)
    result.remake = lambda other: call(name, function, *(_each(other, arg) for arg in args))
    return result


def _each(other: Callable[[Any], Any], value: Any) -> Any:
    return tuple(_each(other, item) for item in value) if type(value) is tuple else other(value)


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


_NUMBERS = (int, float)


def binary(symbol: str, left: Any, right: Any) -> Any:
    """`left symbol right` for two numbers, traced where one of them is."""
    function, strength = _OPERATIONS[symbol]
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return function(left, right)
    value = function(_plain(left), _plain(right))
    if not isinstance(left, Traced) and not isinstance(right, Traced):
        return value
    neutral = _neutral(symbol, left, right)
    if neutral is not None and type(_plain(neutral)) is type(value):
        return neutral
    terms = _collected(symbol, left, right) if isinstance(value, int) else None
    if terms is not None and _is_simpler(terms, symbol, left, right):
        return _sum(terms)
    # The right operand of - / // % binds one tighter; ** is the other way round.
    left_strength, right_strength = (strength + 1, strength) if symbol == "**" else (strength, strength + 1)
    if symbol in "+*":
        right_strength = strength
    source = f"{_operand(left, left_strength)} {symbol} {_operand(right, right_strength)}"
    result = traced(value, source, names_in(left) | names_in(right), strength)
    result.linear = terms
    result.remake = lambda other: binary(symbol, other(left), other(right))
    return result


def _terms(value: Any) -> Mapping[str, tuple[Any, int]]:
    if not isinstance(value, Traced):
        return {"": (1, value)} if value else {}
    return value.linear if value.linear is not None else {value.source: (value, 1)}


def _collected(symbol: str, left: Any, right: Any) -> dict[str, tuple[Any, int]] | None:
    """The result as a sum with like terms put together; None where it is no such sum."""
    if symbol in "+-":
        sign = 1 if symbol == "+" else -1
        total = dict(_terms(left))
        for key, (term, factor) in _terms(right).items():
            total[key] = (term, total.get(key, (term, 0))[1] + sign * factor)
        return {key: pair for key, pair in total.items() if pair[1]}
    factor, other = (left, right) if not isinstance(left, Traced) else (right, left)
    if symbol == "*" and not isinstance(factor, Traced):
        return {key: (term, times * factor) for key, (term, times) in _terms(other).items() if times * factor}
    if symbol == "//" and not isinstance(right, Traced) and right > 0:
        terms = _terms(left)
        if all(times % right == 0 for _, times in terms.values()):
            return {key: (term, times // right) for key, (term, times) in terms.items()}
    return None


def _is_simpler(terms: Mapping[str, Any], symbol: str, left: Any, right: Any) -> bool:
    """Whether terms came together: `width + 2 * width` is `3 * width`, but `4 * (a + b)` stays as it was written."""
    if symbol in "+-":
        return len(terms) < len(_terms(left)) + len(_terms(right))
    factors = [factor for _, factor in _terms(left if isinstance(left, Traced) else right).values()]
    return symbol == "//" or (len(terms) == 1 and factors != [1])


def _sum(terms: Mapping[str, tuple[Any, int]]) -> Any:
    """The sum as a number that prints as one: `in_channels + 6 * growth`."""
    result: Any = None
    for term, factor in sorted(terms.values(), key=lambda pair: not isinstance(pair[0], Traced)):
        size = abs(factor)
        one = term if size == 1 else size * term if not isinstance(term, Traced) else _times(size, term)
        if result is None:
            result = one if factor > 0 else -one
            continue
        symbol, strength = ("+", _SUM) if factor > 0 else ("-", _PRODUCT)
        source = f"{_operand(result, _SUM)} {symbol} {_operand(one, strength)}"
        value = _plain(result) + _plain(one) * (1 if factor > 0 else -1)
        result = traced(value, source, names_in(result) | names_in(one), _SUM)
    if isinstance(result, Traced) and all(result is not term for term, _ in terms.values()):
        result.linear = dict(terms)
        result.remake = lambda other: _sum_of(factor * other(term) for term, factor in terms.values())
    return 0 if result is None else result


def _times(factor: int, term: Any) -> Any:
    return traced(factor * _plain(term), f"{factor} * {_operand(term, _PRODUCT + 1)}", term.names, _PRODUCT)


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
    result = traced(-_plain(self), f"-{_operand(self, _SIGN)}", self.names, _SIGN)
    result.remake = lambda other: -other(self)
    return result


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
    if value.remake is not None:
        return value.remake(lambda operand: substitute(operand, replacements))
    (name,) = value.names
    replacement = replacements[name]
    if not isinstance(replacement, Sides):
        return replacement
    # A side of a size: `kernel[1]`, or `kernel` where all are equal.
    return replacement[int(value.source[len(name) + 1 : -1] or 0)]


def _sum_of(numbers: Iterable[Any]) -> Any:
    total: Any = 0
    for number in numbers:
        total = number + total if isinstance(number, Traced) and not isinstance(total, Traced) else total + number
    return total


_USED = "F OrderedDict abs divisible float getattr in_channels int math max min nn range round self super torch".split()
_TAKEN = frozenset((*keyword.kwlist, *_USED))


def python_name(name: str) -> str:
    """A name of the language as an argument of emitted source, which must shadow nothing that the source uses."""
    return f"{name}_" if name in _TAKEN else name
