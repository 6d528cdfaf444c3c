"""The functions of the language. All end, have no effects, and refuse what they can't take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from archdsl import trace
from archdsl.dims import Sym
from archdsl.expand.values import show, type_of
from archdsl.trace import Sides


def got_of(value: Any) -> str:
    """A value with its type, as messages show it."""
    return f"{show(value)} ({type_of(value)})"


class Refused(Exception):
    """A function can't take these values."""

    def __init__(self, what: str, expected: str = "", got: str = "") -> None:
        super().__init__(what)
        self.what, self.expected, self.got = what, expected, got


def _numbers(name: str, *args: Any) -> tuple[Any, ...]:
    items = args[0] if len(args) == 1 and type(args[0]) is tuple else args
    for item in items:
        if isinstance(item, Sym):
            raise Refused(f"`{name}` of a size of the input", got=str(item))
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise Refused(f"`{name}` takes numbers", expected="numbers", got=got_of(item))
    return tuple(items)


def _extreme(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any) -> Any:
        items = _numbers(name, *args)
        if not items:
            raise Refused(f"`{name}` of nothing", expected="at least one number")
        return trace.call(name, lambda *values: function(values), *items)

    return apply


def _sum(*args: Any) -> Any:
    total: Any = 0
    for item in _numbers("sum", *args):
        total = trace.binary("+", total, item)
    return total


def _len(items: Any) -> int:
    if type(items) is not tuple and not isinstance(items, Sides):
        raise Refused("`len` takes a list", expected="a list", got=got_of(items))
    return len(items)


def _one(name: str, spelling: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        if isinstance(value, Sym) and name in ("int", "round", "ceil", "floor"):
            return value
        (value,) = _numbers(name, value)
        if name == "sqrt" and value < 0:
            raise Refused("the square root of a negative number", got=show(value))
        return trace.call(spelling, function, value)

    return apply


def divisible(value: float, divisor: int = 8) -> int:
    """The nearest multiple of the divisor, one up where that is below 0.9 of the value (MobileNet's rule)."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def _divisible(value: Any, divisor: Any = 8) -> Any:
    value, divisor = _numbers("divisible", value, divisor)
    if not isinstance(divisor, int) or divisor < 1:
        raise Refused("`divisible` needs a divisor", expected="a whole number of at least 1", got=show(divisor))
    return trace.call("divisible", divisible, value, divisor)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": _extreme("min", min),
    "max": _extreme("max", max),
    "sum": _sum,
    "len": _len,
    "int": _one("int", "int", int),
    "round": _one("round", "round", round),
    "ceil": _one("ceil", "math.ceil", math.ceil),
    "floor": _one("floor", "math.floor", math.floor),
    "sqrt": _one("sqrt", "math.sqrt", math.sqrt),
    "abs": _one("abs", "abs", abs),
    "divisible": _divisible,
}
