"""Python code as pieces that know how to break, laid out as `ruff format` does it: no formatter is needed."""

from __future__ import annotations

from typing import NamedTuple

WIDTH = 120


class Bracketed(NamedTuple):
    """`head(item, item)`; `head[item]` for lists, which put one item a line as soon as they don't fit.

    So do tuples: their head is empty, or an operator with a blank behind it.
    """

    head: str
    items: tuple[Piece, ...]
    brackets: str = "()"


class Keyword(NamedTuple):
    """`name=value` with a value that may break."""

    name: str
    value: Piece


class Repeated(NamedTuple):
    """`*[item for _ in range(times)]`."""

    item: Piece
    times: int

    @property
    def clause(self) -> str:
        return f"for _ in range({self.times})"


Piece = str | Bracketed | Keyword | Repeated


def flat(piece: Piece) -> str:
    """The piece on one line."""
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Keyword):
        return f"{piece.name}={flat(piece.value)}"
    if isinstance(piece, Repeated):
        return f"*[{flat(piece.item)} {piece.clause}]"
    return f"{piece.head}{piece.brackets[0]}{', '.join(map(flat, piece.items))}{piece.brackets[1]}"


def lines(piece: Piece, margin: int, before: str = "", after: str = "") -> list[str]:
    """The piece between two texts, broken where it is too long for a line that others indent by `margin`."""
    return _lines(piece, WIDTH - margin, 0, before, after)


def _lines(piece: Piece, width: int, indent: int, before: str = "", after: str = "") -> list[str]:
    margin = " " * indent
    whole = f"{margin}{before}{flat(piece)}{after}"
    if len(whole) <= width or isinstance(piece, str):
        return [whole]
    if isinstance(piece, Keyword):
        return _lines(piece.value, width, indent, f"{before}{piece.name}=", after)
    if isinstance(piece, Repeated):
        repeated = _lines(piece.item, width, indent + 4)
        return [f"{margin}{before}*[", *repeated, f"{margin}    {piece.clause}", f"{margin}]{after}"]
    if not piece.items:
        return [whole]
    opening, closing = piece.brackets[0], piece.brackets[1]
    result = [f"{margin}{before}{piece.head}{opening}"]
    joined = f"{margin}    {', '.join(map(flat, piece.items))}"
    call = opening == "(" and piece.head and not piece.head.endswith(" ")
    if call and len(joined) <= width:
        result.append(joined)
    elif call and len(piece.items) == 1:
        result += _lines(piece.items[0], width, indent + 4)
    else:
        for item in piece.items:
            result += _lines(item, width, indent + 4, after=",")
    return [*result, f"{margin}{closing}{after}"]
