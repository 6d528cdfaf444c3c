"""The values of the language beyond numbers, words and lists."""

from __future__ import annotations

from typing import Any, NamedTuple

from archdsl.dims import Sym
from archdsl.ops.settings import show as show_setting
from archdsl.shape import Shape
from archdsl.source import Span
from archdsl.syntax.expression import Expression
from archdsl.trace import Sides


class Partial(NamedTuple):
    """A name with settings as a value: `layernorm(eps = 1e-6)`, `kaiming_normal(fan_out)`."""

    name: str
    args: tuple[tuple[str | None, Any], ...]


class StepValue(NamedTuple):
    """An earlier step passed as a parameter of type `step`: its value number in the scope that it belongs to."""

    scope: int
    value: int
    shape: Shape


class Given(NamedTuple):
    """An argument's value with the place where it was written, and the expression where there is one."""

    value: Any
    span: Span
    expression: Expression | None = None


TYPES = ("int", "number", "bool", "size", "word", "list", "op", "block", "step")


def type_of(value: Any) -> str:
    """The language's name for a value's type, as messages show it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "number"
    if isinstance(value, Sides):
        return "size"
    if isinstance(value, str):
        return "word"
    if isinstance(value, Partial):
        return "op"
    if isinstance(value, StepValue):
        return "step"
    if isinstance(value, Shape):
        return "shape"
    if isinstance(value, Sym):
        return "symbolic size"
    return "list"


def fits(value: Any, kind: str) -> bool:
    """Whether a value can be given to a parameter of a type."""
    if kind in ("op", "block"):
        return value is None or isinstance(value, (str, Partial))
    if kind == "int":
        return isinstance(value, Sym) or (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        )
    if kind == "number":
        return not isinstance(value, bool) and isinstance(value, (int, float))
    if kind == "size":
        return isinstance(value, Sides) or (isinstance(value, int) and not isinstance(value, bool)) or value == "same"
    return type_of(value) == kind


def show(value: Any) -> str:
    """A value as the language spells it."""
    if isinstance(value, Partial):
        args = ", ".join(show(arg) if key is None else f"{key} = {show(arg)}" for key, arg in value.args)
        return f"{value.name}({args})"
    if isinstance(value, StepValue):
        return "a step"
    if isinstance(value, tuple) and not isinstance(value, (Sides, Shape)):
        return f"[{', '.join(map(show, value))}]"
    return str(value) if isinstance(value, (Shape, Sym)) else show_setting(value)
