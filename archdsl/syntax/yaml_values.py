"""The values of a YAML spec: expressions, arguments, and nodes of the kind that their place asks for."""

from __future__ import annotations

from archdsl.diagnostics import SpecError
from archdsl.syntax import errors, headers, line, yaml_errors
from archdsl.syntax.events import Mapping, Node, Scalar, Sequence
from archdsl.syntax.expression import Arg, Expression, ListOf, Word
from archdsl.syntax.lexer import WORDS

_KEYS = "a mapping is lines of `key: value`, indented under their head"
_DASHES = "each item starts with `- `"


def expression(node: Node) -> Expression:
    """A value: one expression, or a list of values."""
    made = _value(node)
    if isinstance(node, Sequence):
        line.check_depth(made, node.span)
    return made


def _value(node: Node) -> Expression:
    if isinstance(node, Sequence):
        return ListOf(tuple(map(_value, node.items)), node.span)
    if isinstance(node, Mapping):
        raise SpecError(yaml_errors.WrongNode(node.span, what="a value", wanted="one expression", found="a mapping"))
    try:
        return line.expression(node.text)
    except SpecError:
        refuse_torn(node)
        raise


def argument(node: Node) -> tuple[Arg, ...]:
    """One value of a structured call."""
    if not isinstance(node, Scalar):
        return (Arg(None, (expression(node),), node.span),)
    try:
        return line.arguments(node.text)
    except SpecError:
        refuse_torn(node)
        raise


def named(key: Scalar, value: Node) -> Arg:
    """A setting with its value, as the line `stride 2` has it; where it can't, as `pad = [1, 2]`."""
    name, rest = headers.name(key.text, "a setting's name")
    headers.nothing(rest)
    if name in WORDS:
        raise SpecError(errors.ReservedName(key.span, name=name, what="a setting"))
    made = expression(value)
    span = key.span.to(value.span)
    written = value.value if isinstance(value, Scalar) else "["
    if written[:1] in ("-", "(", "["):
        return Arg(name, (made,), span)
    return Arg(None, (Word(name, key.span), made), span)


def refuse_torn(item: Scalar) -> None:
    """An item that a comma has torn out of its brackets: `[max(1, c), 64]`."""
    opened = sum(map(item.value.count, "([{")) != sum(map(item.value.count, ")]}"))
    if item.in_flow and opened:
        raise SpecError(yaml_errors.YamlComma(item.span, item=item.value)) from None


def scalar(node: Node, what: str, help_text: str = "") -> Scalar:
    """A node that must be one line; raises SpecError."""
    if not isinstance(node, Scalar) or not node.value:
        raise SpecError(
            yaml_errors.WrongNode(node.span, what=what, wanted="one line", found=kind_of(node), help_text=help_text)
        )
    return node


def sequence(node: Node, what: str, wanted: str) -> Sequence:
    """A node that must be a list; raises SpecError."""
    if not isinstance(node, Sequence):
        raise SpecError(
            yaml_errors.WrongNode(node.span, what=what, wanted=wanted, found=kind_of(node), help_text=_DASHES)
        )
    return node


def mapping(node: Node, what: str) -> Mapping:
    """A node that must be a mapping; raises SpecError."""
    if not isinstance(node, Mapping):
        raise SpecError(
            yaml_errors.WrongNode(node.span, what=what, wanted="a mapping", found=kind_of(node), help_text=_KEYS)
        )
    return node


def on_one_line(pairs: list[tuple[Scalar, Node]]) -> bool:
    """Whether several entries of a mapping start on its first line, as in `{classes: 10, width: 64}`."""
    return len(pairs) > 1 and pairs[0][0].span.line == pairs[1][0].span.line


def kind_of(node: Node) -> str:
    """What a node is, for a message."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    first, _, more = node.value.partition("\n")
    return f"`{first}{' ...' if more else ''}`" if node.value else "nothing"
