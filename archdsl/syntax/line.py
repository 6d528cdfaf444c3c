"""The one line parser, for text and YAML alike: an LALR driver over the tables of grammar.lark, and its tree.

Every function here takes a `Text` and raises SpecError with one diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.source import Span
from archdsl.syntax import errors, words
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
    parts_of,
)
from archdsl.syntax.lexer import WORDS, Token, tokens_of
from archdsl.syntax.limits import NESTED_EXPRESSIONS
from archdsl.syntax.spec import Call, Let, Param
from archdsl.syntax.tables import RULES, SHIFTS, STARTS
from archdsl.syntax.text_range import Text
from archdsl.syntax.unexpected import unexpected


class Counted(NamedTuple):
    """What follows `repeat` and `dense`: `12 as j when C`."""

    number: Expression
    variable: str = "i"
    when: Expression | None = None


class Looped(NamedTuple):
    """What follows `for`: `n, c in plan when C`."""

    names: tuple[str, ...]
    over: Expression | None = None
    when: Expression | None = None


class Path(NamedTuple):
    """What follows `from`: `backbone.layer3 when C`."""

    labels: tuple[Label, ...]
    when: Expression | None = None


class Called(NamedTuple):
    """The key of a structured call in YAML: `3 x bottleneck`."""

    callee: str
    times: Expression | None = None


def parse(start: str, text: Text) -> Any:
    """The tree of a text by one of the grammar's start symbols."""
    tokens = tokens_of(start, text)
    tree = _reduce(start, text, tokens)
    if len(tokens) > NESTED_EXPRESSIONS:
        check_depth(tree, text.all())
    return tree


def chain(text: Text) -> tuple[Call, ...]:
    """`conv_bn 1x1, 96 -> conv_bn 3x3, 128 when C`: the links of a step."""
    if text.text.isidentifier() and text.text.isascii() and text.text not in WORDS:
        return (Call(callee=text.text, span=text.all()),)  # `relu`: every third line, and nothing to parse
    return tuple(parse("chain", text))


def expression(text: Text) -> Expression:
    """One value."""
    return parse("expression", text)  # type: ignore[no-any-return]


def guard(text: Text) -> Expression | None:
    """`when C`; None for an empty text."""
    return parse("guard", text) if text.text.strip() else None


def counted(text: Text) -> Counted:
    """`12 as j when C`, what follows `repeat` and `dense`."""
    return parse("counted", text)  # type: ignore[no-any-return]


def looped(text: Text) -> Looped:
    """`n, c in plan when C`, what follows `for`."""
    return parse("looped", text)  # type: ignore[no-any-return]


def path(text: Text) -> Path:
    """`backbone.layer3 when C`, what follows `from`."""
    return parse("path", text)  # type: ignore[no-any-return]


def label(text: Text) -> Label:
    """`layer{s+1}`."""
    if text.text.isidentifier() and text.text.isascii():
        return Label((text.text,), text.span(0, len(text.text)))
    return parse("label", text)  # type: ignore[no-any-return]


def let(text: Text) -> Let:
    """`wide = 2 * width`, what follows `let`."""
    return parse("let", text)  # type: ignore[no-any-return]


def arguments(text: Text) -> tuple[Arg, ...]:
    """`pad same, bias no`."""
    return tuple(parse("args", text))


def params(text: Text) -> tuple[Param, ...]:
    """`width, stride = 1, act as op = none`, without the brackets around it; may be empty."""
    return tuple(parse("params", text)) if text.text.strip() else ()


def row(text: Text) -> tuple[Expression, ...]:
    """The cells of a table's row."""
    return tuple(parse("row", text))


def called(text: Text) -> Called:
    """`3 x bottleneck`, the key of a structured call."""
    return parse("callee", text)  # type: ignore[no-any-return]


def _reduce(start: str, text: Text, tokens: list[Token]) -> Any:
    """The LALR automaton; a rule without action hands its one symbol on."""
    first, complete = STARTS[start]
    states = [first]
    values: list[Any] = []
    starts: list[int] = []
    ends: list[int] = []
    shifts, rules, actions = SHIFTS, RULES, _ACTIONS
    length = len(text.text)
    for token in (*tokens, ("$END", "", length, length)):
        kind = token[0]
        while True:
            move = shifts[states[-1]].get(kind)
            if move is None:
                raise SpecError(unexpected(text, tokens, token, _acceptable(states)))
            if move >= 0:
                break
            origin, size, action = rules[~move]
            if not action:
                place = (states[-2], states[-1], kind)
                states[-1] = _PROMOTED.get(place) or _promote(*place)
                if kind == "$END" and states[-1] == complete:
                    return values[-1]
                continue
            if size == 1:
                del states[-1]
                values[-1] = actions[action](text, starts[-1], ends[-1], values[-1:])
            else:
                begin, stop = starts[-size], ends[-1]
                value = actions[action](text, begin, stop, values[-size:])
                del states[-size:], values[-size:], starts[-size:], ends[-size:]
                values.append(value)
                starts.append(begin)
                ends.append(stop)
            states.append(shifts[states[-1]][origin])
            if kind == "$END" and states[-1] == complete:
                return values[-1]
        states.append(move)
        values.append(token[1])
        starts.append(token[2])
        ends.append(token[3])
    raise AssertionError("the end token neither ends nor fails")


def _acceptable(states: list[int]) -> set[str]:
    """The tokens that could come next: those that some reductions lead to a shift, not all that LALR looks ahead to."""
    return {kind for kind in SHIFTS[states[-1]] if kind.isupper() or kind == "$END" if _accepts(list(states), kind)}


def _accepts(states: list[int], kind: str) -> bool:
    while (move := SHIFTS[states[-1]].get(kind)) is not None and move < 0:
        origin, size, _ = RULES[~move]
        del states[-size:]
        states.append(SHIFTS[states[-1]][origin])
    return move is not None


# Where an operand ends up that climbs the precedence levels by rules of one symbol without action.
_PROMOTED: dict[tuple[int, int, str], int] = {}


def _promote(below: int, state: int, kind: str) -> int:
    """The state after all such rules in a row; a number goes from `atom` to `expr` in one step."""
    start = state
    while (move := SHIFTS[state].get(kind, 0)) < 0 and not RULES[~move][2]:
        state = SHIFTS[below][RULES[~move][0]]
    _PROMOTED[below, start, kind] = state
    return state


def check_depth(tree: Any, where: Span) -> None:
    """Refuse trees so deep that walking them would overflow Python's stack."""
    level = [tree]
    for _ in range(NESTED_EXPRESSIONS):
        following: list[Any] = []
        for node in level:
            if isinstance(node, (tuple, list)):
                following += node
            elif isinstance(node, Call):
                following += (node.args, node.count, node.when)
            elif isinstance(node, (Param, Let)):
                following.append(node.default if isinstance(node, Param) else node.value)
            elif node is not None and not isinstance(node, (str, int, float)):
                following += parts_of(node)
        if not following:
            return
        level = following
    raise SpecError(errors.TooDeep(where, what="an expression is", limit=NESTED_EXPRESSIONS))


# How a rule's symbols become its value: (text, start, end, symbols) -> value, by the rule's alias.
Action = Callable[[Text, int, int, list[Any]], Any]


def _call(text: Text, start: int, end: int, v: list[Any]) -> Call:
    return Call(callee=v[0], args=tuple(v[1]) if len(v) > 1 else (), span=text.span(start, end))


def _times(text: Text, start: int, end: int, v: list[Any]) -> Call:
    return Call(count=v[0], callee=v[2], args=tuple(v[3]) if len(v) > 3 else (), span=text.span(start, end))


def _guarded(text: Text, start: int, end: int, v: list[Any]) -> Call:
    call: Call = v[0]
    return Call(callee=call.callee, args=call.args, count=call.count, when=v[2], span=text.span(start, end))


def _positional(text: Text, start: int, end: int, v: list[Any]) -> Arg:
    parts: list[Expression] = v[0]
    if len(parts) > 2 or (len(parts) == 2 and not isinstance(parts[0], Word)):
        if len(parts) == 3 and isinstance(parts[1], Word) and parts[1].name == "x":
            raise SpecError(errors.MisspeltNumber(text.span(start, end), word=text.text[start:end]))
        raise SpecError(errors.missing_comma(text, parts))
    return Arg(None, tuple(parts), text.span(start, end))


def _number(text: Text, start: int, end: int, v: list[Any]) -> Literal:
    written = v[0]
    value = int(written) if written.isdigit() else float(written)
    if value == float("inf"):
        count = f"the value {written}"
        raise SpecError(errors.TooLong(text.span(start, end), what="number", count=count, limit="about 1.8e308"))
    return Literal(value, written, text.span(start, end))


def _step_path(text: Text, start: int, end: int, v: list[Any]) -> Expression:
    """`@a.b`, or `@a.b.channels`, whose last level asks for a size."""
    labels: list[Label] = v[1]
    last = labels[-1]
    if len(labels) > 1 and len(last.parts) == 1 and last.parts[0] in words.AXES:
        step = StepPath(tuple(labels[:-1]), text.span(start, end - len(last.parts[0]) - 1))
        return Attribute(step, last.parts[0], text.span(start, end))
    return StepPath(tuple(labels), text.span(start, end))


_ESCAPES = {"n": "\n", "t": "\t"}


def _string(text: Text, start: int, end: int, v: list[Any]) -> Literal:
    inner = v[0][1:-1]
    if "\\" in inner:
        pieces = inner.split("\\\\")
        inner = "\\".join("".join(_unescape(piece)) for piece in pieces)
    return Literal(inner, span=text.span(start, end))


def _unescape(piece: str) -> list[str]:
    first, *rest = piece.split("\\")
    return [first, *(_ESCAPES.get(part[:1], part[:1]) + part[1:] for part in rest)]


def _list_of(text: Text, start: int, end: int, v: list[Any]) -> ListOf:
    return ListOf(tuple(v[1]) if len(v) > 2 else (), text.span(start, end))


def _slice(text: Text, start: int, end: int, value: Any, first: Any, last: Any) -> Slice:
    return Slice(value, first, last, text.span(start, end))


_ACTIONS: dict[str, Action] = {
    "one": lambda t, s, e, v: [v[0]],
    "more": lambda t, s, e, v: [*v[0], v[2]],
    "append": lambda t, s, e, v: [*v[0], v[1]],
    "second": lambda t, s, e, v: v[1],
    "counted": lambda t, s, e, v: Counted(v[0]),
    "counted_when": lambda t, s, e, v: Counted(v[0], when=v[2]),
    "counted_as": lambda t, s, e, v: Counted(v[0], v[2]),
    "counted_as_when": lambda t, s, e, v: Counted(v[0], v[2], v[4]),
    "looped": lambda t, s, e, v: Looped(tuple(v[0])),
    "looped_when": lambda t, s, e, v: Looped(tuple(v[0]), when=v[2]),
    "looped_in": lambda t, s, e, v: Looped(tuple(v[0]), v[2]),
    "looped_in_when": lambda t, s, e, v: Looped(tuple(v[0]), v[2], v[4]),
    "param": lambda t, s, e, v: Param(name=v[0], span=t.span(s, e)),
    "param_as": lambda t, s, e, v: Param(name=v[0], type=v[2], span=t.span(s, e)),
    "param_is": lambda t, s, e, v: Param(name=v[0], default=v[2], span=t.span(s, e)),
    "param_as_is": lambda t, s, e, v: Param(name=v[0], type=v[2], default=v[4], span=t.span(s, e)),
    "let": lambda t, s, e, v: Let(name=v[0], value=v[2], span=t.span(s, e)),
    "callee": lambda t, s, e, v: Called(v[0]),
    "callee_times": lambda t, s, e, v: Called(v[2], v[0]),
    "path": lambda t, s, e, v: Path(tuple(v[0])),
    "path_when": lambda t, s, e, v: Path(tuple(v[0]), v[2]),
    "guarded": _guarded,
    "call": _call,
    "times": _times,
    "positional": _positional,
    "named": lambda t, s, e, v: Arg(v[0], (v[2],), t.span(s, e)),
    "if_else": lambda t, s, e, v: IfElse(v[0], v[2], v[4], t.span(s, e)),
    "binary": lambda t, s, e, v: Binary(v[1], v[0], v[2], t.span(s, e)),
    "unary": lambda t, s, e, v: Unary(v[0], v[1], t.span(s, e)),
    "range_of": lambda t, s, e, v: Range(v[0], v[2], t.span(s, e)),
    "index": lambda t, s, e, v: Index(v[0], v[2], t.span(s, e)),
    "slice_all": lambda t, s, e, v: _slice(t, s, e, v[0], None, None),
    "slice_from": lambda t, s, e, v: _slice(t, s, e, v[0], v[2], None),
    "slice_to": lambda t, s, e, v: _slice(t, s, e, v[0], None, v[3]),
    "slice_both": lambda t, s, e, v: _slice(t, s, e, v[0], v[2], v[4]),
    "attribute": lambda t, s, e, v: Attribute(v[0], v[2], t.span(s, e)),
    "number": _number,
    "size": lambda t, s, e, v: SizeLiteral(tuple(map(int, v[0].split("x"))), t.span(s, e)),
    "string": _string,
    "word": lambda t, s, e, v: Word(v[0], t.span(s, e)),
    "yes": lambda t, s, e, v: Literal(True, span=t.span(s, e)),
    "no": lambda t, s, e, v: Literal(False, span=t.span(s, e)),
    "none": lambda t, s, e, v: Literal(None, span=t.span(s, e)),
    "step_path": _step_path,
    "apply": lambda t, s, e, v: Apply(v[0], tuple(v[2]) if len(v) > 3 else (), t.span(s, e)),
    "list_of": _list_of,
    "label": lambda t, s, e, v: Label(tuple(v[0]), t.span(s, e)),
}
