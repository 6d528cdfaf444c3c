"""Expressions of a line, as written. Positions never count in comparisons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archdsl.source import Source, Span

NOWHERE = Span(Source("<none>", ""), 1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Literal:
    """`64`, `0.5`, `1e-6`, `yes`, `no`, `none` or `"text"`; `written` keeps the spelling of a number."""

    value: int | float | bool | str | None
    written: str = field(default="", compare=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SizeLiteral:
    """`3x3`, or in an input `3xHxW`: numbers and, in an input only, capital letters."""

    sides: tuple[int | str, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A name or a bare word: `width`, `ceil`, `hardswish`; which one is decided with the callee's signature."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Range:
    """`first..last`, both ends included."""

    first: Expression
    last: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `not x`."""

    operator: str
    operand: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`, with an operator of `+ - * / // % ** == != < <= > >= and or`."""

    operator: str
    left: Expression
    right: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IfElse:
    """`value if condition else otherwise`."""

    value: Expression
    condition: Expression
    otherwise: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """`name(arguments)`: a function, an op with settings as a value, or an initialisation scheme."""

    name: str
    args: tuple[Arg, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`value[index]`."""

    value: Expression
    index: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """`value[first:last]`; a side left out is None."""

    value: Expression
    first: Expression | None
    last: Expression | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`value.name`: `input.channels`, `here.height`, `@backbone.4.channels` is `Attribute(StepPath, "channels")`."""

    value: Expression
    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Label:
    """One level of a name, `layer{s+1}`: literal pieces and expressions in turn."""

    parts: tuple[str | Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class StepPath:
    """`@backbone.4`: an earlier named step, by the path that names its weights."""

    labels: tuple[Label, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument: `name = value` has a name and one part; `stride 2` two parts; `64` or `ceil` one."""

    name: str | None
    parts: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expression = (
    Literal
    | SizeLiteral
    | Word
    | ListOf
    | Range
    | Unary
    | Binary
    | IfElse
    | Apply
    | Index
    | Slice
    | Attribute
    | StepPath
)

Part = Expression | Arg | Label

_PARTS: dict[type, tuple[str, ...]] = {
    Literal: (),
    SizeLiteral: (),
    Word: (),
    ListOf: ("items",),
    Range: ("first", "last"),
    Unary: ("operand",),
    Binary: ("left", "right"),
    IfElse: ("value", "condition", "otherwise"),
    Apply: ("args",),
    Index: ("value", "index"),
    Slice: ("value", "first", "last"),
    Attribute: ("value",),
    StepPath: ("labels",),
    Label: ("parts",),
    Arg: ("parts",),
}


def parts_of(node: Part) -> tuple[Part, ...]:
    """What a piece of a line is directly made of; the plain text of labels left out."""
    found: list[Any] = []
    for slot in _PARTS[type(node)]:
        value = getattr(node, slot)
        found += value if isinstance(value, tuple) else (value,)
    return tuple(part for part in found if part is not None and not isinstance(part, str))
