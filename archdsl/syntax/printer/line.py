"""Expressions, calls and headers as one line, with no brackets that aren't needed."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.syntax.expression import (
    Apply,
    Arg,
    Attribute,
    Binary,
    Expression,
    IfElse,
    Index,
    Label,
    ListOf,
    Literal,
    Range,
    SizeLiteral,
    Slice,
    StepPath,
    Unary,
    Word,
)
from archdsl.syntax.spec import BlockDef, Call, Dense, For, Merge, Param, Repeat

# How strongly things bind, weakest first; an operand that binds weaker than its place asks for gets brackets.
_CHOICE, _OR, _AND, _NOT, _COMPARE, _RANGE, _SUM, _PRODUCT, _SIGN, _POWER, _POSTFIX = range(11)
_BINARY = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT}
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def expression(value: Expression, place: int = _CHOICE, *, tight: bool = False) -> str:
    """The text of an expression; `place` is the binding strength that its surroundings ask for."""
    text, strength = _spell(value, tight)
    return f"({text})" if strength < place else text


def _spell(value: Expression, tight: bool) -> tuple[str, int]:
    match value:
        case Literal():
            return _literal(value), _POSTFIX
        case SizeLiteral(sides):
            return "x".join(map(str, sides)), _POSTFIX
        case Word(name):
            return name, _POSTFIX
        case ListOf(items):
            return f"[{', '.join(map(expression, items))}]", _POSTFIX
        case Apply(name, args):
            return f"{name}({arguments(args)})", _POSTFIX
        case StepPath(labels):
            return "@" + path(labels), _POSTFIX
        case Attribute(inner, name):
            return f"{expression(inner, _POSTFIX)}.{name}", _POSTFIX
        case Index(inner, index):
            return f"{expression(inner, _POSTFIX)}[{expression(index)}]", _POSTFIX
        case Slice(inner, first, last):
            bounds = ":".join("" if bound is None else expression(bound) for bound in (first, last))
            return f"{expression(inner, _POSTFIX)}[{bounds}]", _POSTFIX
        case IfElse(then, condition, otherwise):
            return f"{expression(then, _OR)} if {expression(condition, _OR)} else {expression(otherwise)}", _CHOICE
        case Range(first, last):
            return f"{expression(first, _SUM, tight=True)}..{expression(last, _SUM, tight=True)}", _RANGE
        case Unary(operator, operand):
            if operator == "not":
                return f"not {expression(operand, _NOT)}", _NOT
            return operator + expression(operand, _SIGN, tight=tight), _SIGN
        case Binary():
            return _binary(value, tight)


def _binary(value: Binary, tight: bool) -> tuple[str, int]:
    operator = value.operator
    if operator == "**":
        return f"{expression(value.left, _POSTFIX)}**{expression(value.right, _SIGN, tight=True)}", _POWER
    strength = _BINARY.get(operator, _COMPARE)
    # Comparisons don't chain; the others lean to the left.
    left = expression(value.left, strength + (strength == _COMPARE), tight=tight)
    right = expression(value.right, strength + 1, tight=tight)
    close = _is_close(value) or (tight and strength >= _SUM)
    # A label may hold a minus sign, so `@stem - 1` keeps its blanks.
    close = close and not (operator == "-" and "@" in left)
    return f"{left}{operator}{right}" if close else f"{left} {operator} {right}", strength


def _is_close(value: Expression) -> bool:
    """Products of plain numbers and names are written `4*width`."""
    if not isinstance(value, Binary) or value.operator != "*" or not isinstance(value.right, (Literal, Word)):
        return False
    return isinstance(value.left, (Literal, Word)) or _is_close(value.left)


def _literal(value: Literal) -> str:
    inner = value.value
    if isinstance(inner, str):
        return f'"{"".join(_ESCAPED.get(character, character) for character in inner)}"'
    if isinstance(inner, bool):
        return "yes" if inner else "no"
    if inner is None:
        return "none"
    return value.written or repr(inner)


def arguments(args: Iterable[Arg]) -> str:
    """`pad same, bias no`."""
    return ", ".join(map(argument, args))


def argument(arg: Arg) -> str:
    """`3x3`, `stride 2` or `pad = [1, 2]`."""
    parts = [expression(part) for part in arg.parts]
    if arg.name is not None:
        return f"{arg.name} = {parts[0]}"
    if len(parts) == 2 and parts[1][0] in "[(-":
        return f"{parts[0]} = {parts[1]}"
    return " ".join(parts)


def call(value: Call) -> str:
    """`3 x bottleneck 64, stride 2 when C`."""
    times = "" if value.count is None else f"{expression(value.count, _SUM)} x "
    args = f" {arguments(value.args)}" if value.args else ""
    return f"{times}{value.callee}{args}{guard(value.when)}"


def chain(links: Iterable[Call]) -> str:
    """`conv_bn 1x1, 96 -> conv_bn 3x3, 128`."""
    return " -> ".join(map(call, links))


def guard(when: Expression | None) -> str:
    """` when C`, empty without a guard."""
    return "" if when is None else f" when {expression(when)}"


def label(value: Label) -> str:
    """`layer{s+1}`."""
    return "".join(part if isinstance(part, str) else f"{{{expression(part, tight=True)}}}" for part in value.parts)


def path(labels: Iterable[Label]) -> str:
    """`backbone.layer3`."""
    return ".".join(map(label, labels))


def params(values: Iterable[Param]) -> str:
    """`width, stride = 1, act as op = none`."""
    return ", ".join(param_name(value) + _default(value) for value in values)


def param_name(value: Param) -> str:
    """`act as op`."""
    return value.name if value.type is None else f"{value.name} as {value.type}"


def _default(value: Param) -> str:
    return "" if value.default is None else f" = {expression(value.default)}"


def signature(name: str, values: tuple[Param, ...]) -> str:
    """`bottleneck (width, stride = 1)`."""
    return f"{name} ({params(values)})" if values else name


def definition(block: BlockDef) -> str:
    """The head of a block or macro."""
    return signature(block.name, block.params)


def merge(value: Merge) -> str:
    """`concat along tokens when C`."""
    along = "" if value.along is None else f" along {value.along}"
    return f"{value.kind}{along}{guard(value.when)}"


def times(value: Repeat | Dense) -> str:
    """`12 as j`."""
    name = "" if value.index == "i" else f" as {value.index}"
    return expression(value.count) + name


def over(value: For) -> str:
    """`n, c in plan` or the names of a table's columns."""
    if value.over is None:
        return " ".join(value.names)
    return f"{', '.join(value.names)} in {expression(value.over)}"


def cells(value: For) -> list[list[str]]:
    """The cells of a table, each as it can stand between blanks."""
    return [[_cell(cell) for cell in row] for row in value.rows or ()]


def _cell(value: Expression) -> str:
    text, strength = _spell(value, tight=True)
    return f"({text})" if " " in text and strength < _POSTFIX else text


def table(value: Expression | None) -> list[tuple[Expression, ...]]:
    """The rows of a list of lists of one length; empty for anything else."""
    if not isinstance(value, ListOf):
        return []
    rows = [item.items for item in value.items if isinstance(item, ListOf) and item.items]
    return rows if len(rows) == len(value.items) and len(set(map(len, rows))) == 1 else []


def bracketed(rows: list[list[str]]) -> list[str]:
    """Rows of a table as lists whose columns line up."""
    cells = columns([[*(f"{text}," for text in row[:-1]), *row[-1:]] for row in rows])
    return [f"[{' '.join(row).rstrip()}]" for row in cells]


def columns(rows: list[list[str]]) -> list[list[str]]:
    """The cells padded so that columns line up, numbers on the right."""
    made = []
    for column in zip(*rows, strict=True):
        width = max(map(len, column))
        numeric = any(cell[0].isdigit() for cell in column)
        made.append([cell.rjust(width) if numeric else cell.ljust(width) for cell in column])
    return [list(row) for row in zip(*made, strict=True)]
