"""A diagram that is laid out, as shapes."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.emit.graph import Diagram, Node
from archdsl.emit.picture import measure
from archdsl.emit.picture.columns import GUTTER, TURN, Flow
from archdsl.emit.picture.metrics import written
from archdsl.emit.picture.piece import Area, Framed, Tag, straightened
from archdsl.emit.picture.scene import Group, Path, Point, Rect, Shape, polygon, rounded
from archdsl.emit.picture.themes import MARKS, Theme

LANE = 9.0
HEAD = 7.0  # the length of an arrow's head


class Drawn(NamedTuple):
    """Shapes with the corners of the paper that they need."""

    shapes: tuple[Shape, ...]
    left: float
    top: float
    right: float
    bottom: float


class Painter:
    """Draws one diagram. down: tensors flow downwards."""

    def __init__(self, diagram: Diagram, flow: Flow, theme: Theme, *, down: bool, numbers: bool) -> None:
        self.diagram = diagram
        self.flow = flow
        self.theme = theme
        self.down = down
        self.numbers = numbers
        self.corners: list[Point] = []
        self.axes = self._axes()

    def _axes(self) -> list[float]:
        """Where on the page the line of each column is."""
        axes = []
        edge = 0.0
        for k, piece in enumerate(self.flow.pieces):
            before, after = (piece.low, piece.high) if self.down else (-piece.high, -piece.low)
            lanes = len([n for n in self.flow.around if self._column(self.diagram.edges[n].source) == k])
            axes.append(edge - before)
            edge += after - before + self.flow.gutter + LANE * lanes * (self.flow.base is None)
        return axes

    def _column(self, node: int) -> int:
        return next(k for k, piece in enumerate(self.flow.pieces) if node in piece.spots)

    def drawn(self) -> Drawn:
        """All of it: frames behind, then lines, boxes and texts."""
        frames: list[Shape] = []
        lines: list[Shape] = []
        boxes: list[Shape] = []
        tags: list[Shape] = []
        for k, piece in enumerate(self.flow.pieces):
            frames += [self._frame(framed, k) for framed in piece.frames]
            boxes += [self._node(self.diagram.nodes[node], area, k) for node, area in sorted(piece.spots.items())]
            tags += [self._tag(tag, k) for tag in piece.tags]
        ways = [
            (line.edge, [self._at(point, k) for point in line.points])
            for k, piece in enumerate(self.flow.pieces)
            for line in piece.lines
        ]
        ways += self._turns() + self._around()
        for edge, points in sorted(ways, key=lambda way: (not self.diagram.edges[way[0]].skip, way)):
            lines.append(self._line(edge, points))
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return Drawn((*frames, *lines, *boxes, *tags), min(xs), min(ys), max(xs), max(ys))

    def _at(self, point: Point, column: int) -> Point:
        """A point on the page."""
        along, across = point
        if self.flow.base is not None and column == 1:
            along = self.flow.base - along
        place = (self.axes[column] + across, along) if self.down else (along, self.axes[column] - across)
        self.corners.append(place)
        return place

    def _box(self, area: Area, column: int) -> tuple[float, float, float, float]:
        """Left, top, width and height on the page."""
        (one, other) = self._at((area.start, area.low), column), self._at((area.end, area.high), column)
        left, top = min(one[0], other[0]), min(one[1], other[1])
        return left, top, abs(one[0] - other[0]), abs(one[1] - other[1])

    def _frame(self, framed: Framed, column: int) -> Shape:
        x, y, wide, high = self._box(framed.area, column)
        theme, cluster = self.theme, framed.cluster
        fill = theme.frames[framed.level % 2].replace("none", "")
        dash = (4.0, 3.0) if cluster.aside else ()
        shapes: list[Shape] = [*self._pile(Rect(x, y, wide, high, 7.0, fill, theme.frame, dash=dash), cluster.times)]
        if cluster.title:
            left = self._at((framed.area.start, framed.title), column)[0] if self.down else x + 9
            shapes.append(written(left, y + 15, cluster.title, measure.DETAIL, theme.quiet, bold=True))
        if cluster.times > 1:
            often = measure.times(cluster.times)
            right = x + wide - 9
            shapes.append(written(right, y + 15.5, often, measure.TITLE, theme.ink, bold=True, anchor="end"))
        return Group("frame", cluster.tooltip, tuple(shapes))

    def _pile(self, sheet: Rect, count: int) -> list[Rect]:
        """A box that stands for several, as a pile."""
        if count < 2:
            return [sheet]
        self.corners.append((sheet.x + sheet.width + 2 * measure.PILE, sheet.y + sheet.height + 2 * measure.PILE))
        offsets = (2 * measure.PILE, measure.PILE, 0.0)
        return [sheet._replace(x=sheet.x + offset, y=sheet.y + offset) for offset in offsets]

    def _node(self, node: Node, area: Area, column: int) -> Shape:
        x, y, wide, high = self._box(area, column)
        line, fill = self.theme.pair(node.mark or node.kind)
        dash = (4.0, 3.0) if (node.aside or node.mark == "removed") and line else ()
        thick = 1.5 if node.form == "block" else 1.2 if line else 1.0
        radius = wide / 2 if measure.circle(node) else 5.0
        sheet = Rect(x, y, wide, high, radius, fill, line, thick, dash)
        shapes: list[Shape] = [*self._pile(sheet, node.times)] if line else []
        middle, ink = x + wide / 2, self.theme.ink
        if measure.circle(node):
            shapes.append(written(middle, y + high / 2 + 5.5, node.title, 16.0, ink, anchor="middle"))
            return Group("node", node.tooltip, tuple(shapes))
        lines = measure.lines_of(node, self.numbers)
        base = y + (high - measure.TITLE_LINE - measure.DETAIL_LINE * len(lines)) / 2 + 12.5
        shapes.append(written(middle, base, node.title, measure.TITLE, ink, bold=True, anchor="middle"))
        for k, detail in enumerate(lines, 1):
            below = base + measure.DETAIL_LINE * k + 0.5
            shapes.append(written(middle, below, detail, measure.DETAIL, self.theme.quiet, anchor="middle"))
        if node.mark not in ("", "same"):
            shapes += self._badge(x, y + high / 2, MARKS[node.mark][0], line)
        return Group("node", node.tooltip, tuple(shapes))

    def _badge(self, x: float, y: float, sign: str, colour: str) -> list[Shape]:
        """The sign of a mark on the edge of a box."""
        radius, ground = measure.BADGE, self.theme.ground or "#FFFFFF"
        self.corners.append((x - radius, y))
        disc = Rect(x - radius, y - radius, 2 * radius, 2 * radius, radius, colour, ground)
        return [disc, written(x, y + 4.5, sign, measure.TITLE, ground, bold=True, anchor="middle")]

    def _tag(self, tag: Tag, column: int) -> Shape:
        x, y, _, high = self._box(tag.area, column)
        letters = measure.TITLE if tag.bold else measure.SMALL
        colour = self.theme.ink if tag.bold else self.theme.quiet
        return written(x, y + high / 2 + letters * 0.35, tag.text, letters, colour, bold=tag.bold)

    def _turns(self) -> list[tuple[int, list[Point]]]:
        """The lines from the end of a column to the start of the next."""
        ways = []
        for k, turn in enumerate(self.flow.turns):
            for edge in turn:
                out = [self._at(point, k) for point in self.flow.pieces[k].outs[edge]]
                into = [self._at(point, k + 1) for point in self.flow.pieces[k + 1].ins[edge]]
                ways.append((edge, self._turn(out, into, k)))
        return ways

    def _gutter(self, k: int) -> float:
        """The middle between two columns, across the page."""
        piece = self.flow.pieces[k]
        return self.axes[k] + (piece.high if self.down else -piece.low) + GUTTER / 2

    def _turn(self, out: list[Point], into: list[Point], k: int) -> list[Point]:
        end, start, gutter = out[-1], into[0], self._gutter(k)
        after, before = TURN, -TURN
        if self.flow.base is not None:
            far = max(self.flow.base, self.flow.pieces[0].length) + TURN
            between = [(end[0], far), (start[0], far)] if self.down else [(far, end[1]), (far, start[1])]
        elif self.down:
            between = [
                (end[0], end[1] + after),
                (gutter, end[1] + after),
                (gutter, start[1] + before),
                (start[0], start[1] + before),
            ]
        else:
            between = [
                (end[0] + after, end[1]),
                (end[0] + after, gutter),
                (start[0] + before, gutter),
                (start[0] + before, start[1]),
            ]
        self.corners += between
        return [*out, *between, *into]

    def _around(self) -> list[tuple[int, list[Point]]]:
        """The lines between columns that aren't next to each other, or from the middle of one: over the top."""
        if self.flow.base is not None:
            return [(edge, self._across(edge)) for edge in self.flow.around]
        ways = []
        used: dict[int, int] = {}
        lanes: dict[int, int] = {}
        for number, edge in enumerate(self.flow.around):
            ends = self.diagram.edges[edge]
            columns = self._column(ends.source), self._column(ends.target)
            points = []
            for node, k in zip((ends.source, ends.target), columns, strict=True):
                spot = self.flow.pieces[k].spots[node]
                if ends.source not in lanes or k != columns[0]:
                    used[k] = used.get(k, -1) + 1
                lane = lanes.setdefault(ends.source, used[k]) if k == columns[0] else used[k]
                reach = self.flow.pieces[k].high + 6 + LANE * lane
                points.append(((spot.middle, spot.high), (spot.middle, reach)))
            top = -14.0 - LANE * number
            first = [self._at(point, columns[0]) for point in (*points[0], (top, points[0][1][1]))]
            then = [self._at(point, columns[1]) for point in ((top, points[1][1][1]), *reversed(points[1]))]
            ways.append((edge, [*first, *then]))
        return ways

    def _across(self, edge: int) -> list[Point]:
        """The line from one side of a U to the other."""
        ends = self.diagram.edges[edge]
        source, target = self.flow.pieces[0].spots[ends.source], self.flow.pieces[1].spots[ends.target]
        near, far = (source.high, target.low) if self.down else (source.low, target.high)
        return [self._at((source.middle, near), 0), self._at((target.middle, far), 1)]

    def _line(self, edge: int, points: list[Point]) -> Shape:
        """An edge with its arrow's head."""
        ends = self.diagram.edges[edge]
        colour = self.theme.skip if ends.skip else self.theme.line
        points = list(straightened(points))
        (x, y), (fromx, fromy) = points[-1], points[-2]
        long = abs(x - fromx) + abs(y - fromy)
        step = ((x - fromx) / long, (y - fromy) / long)
        back = (x - step[0] * HEAD, y - step[1] * HEAD)
        wing = HEAD * 0.38
        head = polygon(
            (x, y),
            (back[0] - step[1] * wing, back[1] + step[0] * wing),
            (back[0] + step[1] * wing, back[1] - step[0] * wing),
        )
        points[-1] = (x - step[0] * (HEAD - 1), y - step[1] * (HEAD - 1))
        dash = (4.0, 3.0) if ends.aside else ()
        way = Path(rounded(points, 7.0), "", colour, 1.4 if ends.skip else 1.1, dash)
        return Group("edge", "", (way, Path(head, colour)))
