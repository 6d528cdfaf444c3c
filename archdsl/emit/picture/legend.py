"""What the colours of a picture mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archdsl.emit.graph import Diagram
from archdsl.emit.picture import measure
from archdsl.emit.picture.metrics import width, written
from archdsl.emit.picture.scene import Group, Rect, Shape
from archdsl.emit.picture.themes import KINDS, MARKS, NAMES, Theme

SWATCH, ROW, SPACE = 12.0, 19.0, 16.0


def rows(diagrams: Iterable[Diagram], room: float) -> list[list[str]]:
    """The kinds of op drawn, or the marks, in rows that aren't wider than the room."""
    drawn = {node.mark or node.kind for diagram in diagrams for node in diagram.nodes}
    return list(_rows([kind for kind in (*MARKS, *KINDS) if kind in drawn], room))


def _rows(kinds: list[str], room: float) -> Iterator[list[str]]:
    row: list[str] = []
    for kind in kinds:
        if row and long([*row, kind]) > room:
            yield row
            row = []
        row.append(kind)
    if row:
        yield row


def long(row: list[str]) -> float:
    """The width of a row."""
    return sum(map(_width, row)) - SPACE


def _width(kind: str) -> float:
    return SWATCH + 5 + width(NAMES.get(kind, kind), measure.DETAIL) + SPACE


def legend(row: list[str], theme: Theme, x: float, y: float) -> Group:
    """One row, from a place on."""
    shapes: list[Shape] = []
    for kind in row:
        line, fill = theme.pair(kind)
        name = NAMES.get(kind, kind)
        shapes.append(Rect(x, y, SWATCH, SWATCH, 3.0, fill, line))
        if kind in MARKS:
            sign, middle = MARKS[kind][0], x + SWATCH / 2
            shapes.append(written(middle, y + SWATCH - 2, sign, measure.DETAIL, line, bold=True, anchor="middle"))
        shapes.append(written(x + SWATCH + 5, y + SWATCH - 2, name, measure.DETAIL, theme.ink))
        x += _width(kind)
    return Group("legend", "", tuple(shapes))
