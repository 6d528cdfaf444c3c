"""Where the values of a mistake come from: followed outward, from a block's parameter to the call that gives it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.expand import errors, op_errors
from archdsl.expand.environment import Env
from archdsl.expand.evaluate import undefined
from archdsl.expand.values import Given, show
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.expression import Expression, ListOf, SizeLiteral, Word
from archdsl.syntax.spec import Body, For, Let, Node

# Mistakes that a value makes, wherever it was written.
_OF_VALUES = (
    errors.BadValue,
    errors.FlagNeedsValue,
    errors.NumberTooLarge,
    errors.TooLarge,
    errors.UnknownName,
    errors.WrongType,
    op_errors.InvalidSetting,
)
# Of those, what another value wouldn't mend.
_OF_TENSORS = (op_errors.LinearOnMap, op_errors.WrongLayout)
_WORD = re.compile(r"(?<![\w.@])[A-Za-z_]\w*")
# Of an expression with many names, so many are followed.
_MOST = 2
# A value of more characters is shown by the line that it stands on alone.
_LONGEST = 40


def traced(error: SpecError, body: Body, given: Mapping[str, Given], names: Iterable[str] = ()) -> SpecError:
    """The error with a note for each value that it read in this body and that was given from outside.

    given: the body's parameters or loop variables with the place where each value was written; names: what could be
    written there. A misspelt name that went in as a value is told where it stands.
    """
    known = tuple(names)
    return SpecError(*(_traced(one, body, given, known) for one in error.diagnostics))


def at_its_input(error: SpecError, asked: SizeLiteral) -> SpecError:
    """The error with a note at the network's input where a map is too small or has other axes than wanted."""
    sizes = "x".join(map(str, asked.sides))
    note = Note(asked.span, f"the input is {sizes}")
    of_sizes = (op_errors.WindowTooLarge, op_errors.WrongRank)
    return SpecError(*(one.with_notes(note) if isinstance(one, of_sizes) else one for one in error.diagnostics))


def row_of(node: For, k: int, env: Env) -> tuple[Expression, ...]:
    """The expressions of a loop's k-th row, where they are written out, in the loop or in a parameter's value."""
    if node.rows is not None:
        return node.rows[k]
    over = node.over
    if isinstance(over, Word) and over.name in env.session.written:
        given = env.session.written[over.name]
        over = given.expression if env.lookup(over.name) == given.value else None
    if not isinstance(over, ListOf) or k >= len(over.items):
        return ()
    item = over.items[k]
    return item.items if len(node.names) > 1 and isinstance(item, ListOf) else (item,)


def cells_of(node: For, k: int, inside: Env) -> dict[str, Given]:
    """The variables of a loop's k-th iteration with the place where each is written."""
    row = row_of(node, k, inside)
    if len(row) != len(node.names):
        return {}
    return {name: Given(inside.lookup(name), cell.span, cell) for name, cell in zip(node.names, row, strict=True)}


def at_item(error: SpecError, row: tuple[Expression, ...]) -> SpecError:
    """The error with a note at the row that it is about, where that is written out."""
    if not row:
        return error
    note = Note(row[0].span.to(row[-1].span), "this item")
    return SpecError(*(diagnostic.with_notes(note) for diagnostic in error.diagnostics))


def _traced(diagnostic: Diagnostic, body: Body, given: Mapping[str, Given], known: tuple[str, ...]) -> Diagnostic:
    if not isinstance(diagnostic, _OF_VALUES) or isinstance(diagnostic, _OF_TENSORS):
        return diagnostic
    nodes = list(nodes_of(body))
    places = [span for span in (diagnostic.span, *(note.span for note in diagnostic.notes)) if _holds(nodes, span)]
    words = dict.fromkeys(word for span in places for word in _words(span))
    lets = [node for node in nodes if isinstance(node, Let) and node.name in words]
    words |= dict.fromkeys(word for let in lets for word in _words(let.value.span))
    found = [(word, given[word]) for word in words if word in given][:_MOST]
    if isinstance(diagnostic, errors.UnknownName):
        return _misspelt(diagnostic, found, given, known)
    notes = [Note(let.span, f"`{let.name}` is defined here") for let in lets]
    notes += [Note(item.span, f"`{word}` is {_short(item.value)} here") for word, item in found]
    return diagnostic.with_notes(*notes)


def _misspelt(
    diagnostic: Diagnostic, found: list[tuple[str, Given]], given: Mapping[str, Given], known: tuple[str, ...]
) -> Diagnostic:
    name = diagnostic.values["name"]
    for word, item in found:
        if isinstance(item.expression, Word) and item.expression.name == name:
            told = undefined(name, item.span, known, diagnostic.path)
            return told.with_notes(*diagnostic.notes, Note(diagnostic.span, f"it is used as `{word}` here"))
    near = did_you_mean(name, given)
    return diagnostic if near is None else diagnostic.with_notes(Note(given[near].span, f"`{near}` is defined here"))


def nodes_of(body: Iterable[object]) -> Iterator[Node]:
    """All statements and calls of a body, those inside others included."""
    for item in body:
        if isinstance(item, Node):
            yield item
            yield from nodes_of(vars(item).values())
        elif isinstance(item, tuple):
            yield from nodes_of(item)


def _holds(nodes: list[Node], span: Span) -> bool:
    """Whether a place is in the lines of one of the nodes."""
    return any(
        node.span.source.name == span.source.name and node.span.line <= span.line <= node.span.end_line
        for node in nodes
    )


def _short(value: object) -> str:
    shown = show(value)
    return shown if len(shown) <= _LONGEST else "given"


def _words(span: Span) -> list[str]:
    if span.line != span.end_line:
        return []
    return _WORD.findall(span.source.line(span.line)[span.column - 1 : span.end_column - 1])
