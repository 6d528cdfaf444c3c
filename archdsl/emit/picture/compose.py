"""The whole picture: the network, the insides of its blocks beside it, and the legend, on a page of some proportion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archdsl.emit.graph import Diagram
from archdsl.emit.picture import legend, measure
from archdsl.emit.picture.columns import Columns, Flow
from archdsl.emit.picture.metrics import width, written
from archdsl.emit.picture.paint import Drawn, Painter
from archdsl.emit.picture.place import Placer
from archdsl.emit.picture.scene import Group, Rect, Scene, Shape, Text
from archdsl.emit.picture.themes import Theme

MARGIN, BETWEEN = 12.0, 40.0
HEADING, HEADING_SIZE = 26.0, 15.0
# Proportions of a screen, and of a column of a journal; a legend makes no picture wider than the latter.
SLIDE, COLUMN = (1600.0, 900.0), (420.0, 1000.0)


Spot = tuple[float, float]  # across and down the page: a place, or a size


class Placed(NamedTuple):
    """A figure and where its corner is."""

    figure: Figure
    x: float
    y: float


class Figure(NamedTuple):
    """A drawn diagram with its title."""

    title: str
    about: str
    drawn: Drawn

    @property
    def wide(self) -> float:
        title, about = width(self.title, HEADING_SIZE, bold=True), width(self.about, measure.DETAIL)
        return max(self.drawn.right - self.drawn.left, title, about)

    @property
    def high(self) -> float:
        return self.drawn.bottom - self.drawn.top + self.head

    @property
    def head(self) -> float:
        return (HEADING + (16.0 if self.about else 0.0)) if self.title else 0.0


def compose(diagram: Diagram, theme: Theme, *, down: bool, numbers: bool, slide: bool) -> Scene:
    """The picture of a diagram and its figures, in the proportions of a screen or of a journal's column."""
    page = SLIDE if slide else COLUMN
    insides = [_figure(one, theme, numbers=numbers) for one in diagram.figures]
    columns = Columns(diagram, Placer(diagram, down=down, numbers=numbers))
    best: tuple[float, Flow, list[Spot]] | None = None
    for flow in columns.flows_near(page[0] / page[1]):
        burden = 0.97 ** (len(flow.pieces) + 2 * flow.cut + 2 * len(flow.around))
        sizes = [flow.size(down=down), *((one.wide, one.high) for one in insides)]
        for spots in _arrangements(sizes, slide):
            wide, high = _extent(sizes, spots)
            score = min(page[0] / (wide + 60), page[1] / (high + 60)) * burden
            if best is None or score > best[0] * 1.001:
                best = score, flow, spots
    assert best is not None
    _, flow, spots = best
    title = diagram.name if insides or diagram.about else ""
    main = Figure(title, diagram.about, Painter(diagram, flow, theme, down=down, numbers=numbers).drawn())
    shift = (main.wide - flow.size(down=down)[0], main.high - flow.size(down=down)[1])
    return _scene(diagram, theme, _placed([main, *insides], spots, shift))


def _placed(figures: list[Figure], spots: list[Spot], shift: tuple[float, float]) -> list[Placed]:
    """The figures in their places; shift: by how much the first is larger than was thought."""
    right, below = spots[1:] and spots[1][0] > 0, spots[1:] and spots[1][1] > 0
    dx, dy = shift[0] if right else 0.0, shift[1] if below else 0.0
    return [Placed(figures[0], 0.0, 0.0)] + [
        Placed(figure, x + dx, y + dy) for figure, (x, y) in zip(figures[1:], spots[1:], strict=True)
    ]


def _extent(sizes: list[Spot], spots: list[Spot]) -> tuple[float, float]:
    ends = [(x + wide, y + high) for (x, y), (wide, high) in zip(spots, sizes, strict=True)]
    return max(x for x, _ in ends), max(y for _, y in ends)


def _figure(diagram: Diagram, theme: Theme, *, numbers: bool) -> Figure:
    flow = next(Columns(diagram, Placer(diagram, down=True, numbers=numbers)).flows(1))
    drawn = Painter(diagram, flow, theme, down=True, numbers=numbers).drawn()
    return Figure(diagram.name, diagram.about, drawn)


def _arrangements(sizes: list[Spot], slide: bool) -> Iterator[list[Spot]]:
    """The ways to put figures beside the first one, or below it."""
    (wide, high), insides = sizes[0], sizes[1:]
    if not insides:
        yield [(0.0, 0.0)]
    for count in range(1, len(insides) + 1):
        if slide:
            yield [(0.0, 0.0), *_grid(insides, count, wide + BETWEEN, 0.0)]
        yield [(0.0, 0.0), *_grid(insides, count, 0.0, high + BETWEEN)]


def _grid(sizes: list[Spot], count: int, x: float, y: float) -> list[Spot]:
    """Figures in columns, each put where there is most room."""
    tops = [y] * count
    column = []
    for _, high in sizes:
        k = tops.index(min(tops))
        column.append((k, tops[k]))
        tops[k] += high + BETWEEN
    widths = [
        max((size[0] for size, (k, _) in zip(sizes, column, strict=True) if k == n), default=0.0) for n in range(count)
    ]
    lefts = [x + sum(widths[:n]) + BETWEEN * n for n in range(count)]
    return [(lefts[k], top) for k, top in column]


def _scene(diagram: Diagram, theme: Theme, placed: list[Placed]) -> Scene:
    wide = max(one.x + one.figure.wide for one in placed)
    high = max(one.y + one.figure.high for one in placed)
    rows = legend.rows((diagram, *diagram.figures), max(wide, COLUMN[0]))
    wide = max([wide, *map(legend.long, rows)])
    shapes: list[Shape] = []
    for figure, x, y in placed:
        shapes += _titles(figure, theme, x + MARGIN, y + MARGIN)
        drawn = figure.drawn
        inner = max(0.0, (figure.wide - (drawn.right - drawn.left)) / 2) if len(placed) == 1 or figure.title else 0.0
        alone = (wide - figure.wide) / 2 if len(placed) == 1 else 0.0
        dx, dy = x + MARGIN + inner + alone - drawn.left, y + MARGIN + figure.head - drawn.top
        shapes += [_moved(shape, dx, dy) for shape in drawn.shapes]
    for k, row in enumerate(rows):
        start = MARGIN + (wide - legend.long(row)) / 2
        shapes.append(legend.legend(row, theme, start, high + MARGIN + 14 + legend.ROW * k))
    return Scene(
        diagram.name,
        wide + 2 * MARGIN,
        high + 14 + legend.ROW * len(rows) + 2 * MARGIN - 6,
        theme.ground,
        tuple(shapes),
    )


def _titles(figure: Figure, theme: Theme, x: float, y: float) -> list[Shape]:
    if not figure.title:
        return []
    title = written(x, y + 14, figure.title, HEADING_SIZE, theme.ink, bold=True)
    return [title, written(x, y + 30, figure.about, measure.DETAIL, theme.quiet)] if figure.about else [title]


def _moved(shape: Shape, dx: float, dy: float) -> Shape:
    if isinstance(shape, Group):
        return shape._replace(shapes=tuple(_moved(part, dx, dy) for part in shape.shapes))
    if isinstance(shape, (Rect, Text)):
        return shape._replace(x=shape.x + dx, y=shape.y + dy)
    moves = tuple((letter, tuple((x + dx, y + dy) for x, y in points)) for letter, points in shape.moves)
    return shape._replace(moves=moves)
