"""The ways of edges along a series: straight on, in arcs beside the line, to what hangs at the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.emit.picture import measure
from archdsl.emit.picture.piece import Area, Line, Piece, Tag, Way, beyond, straightened, together
from archdsl.emit.picture.plan import Feeder, Link, Series
from archdsl.emit.picture.scene import Point

if TYPE_CHECKING:
    from archdsl.emit.picture.place import Placer

APART, LANE = 18.0, 11.0  # between the line and what hangs beside it, and between arcs, in points
DETOUR = 9.0  # behind what an arc starts from
PAST = 5.0  # from a box to a line that passes it


class Routes:
    """A series whose parts are in their places, while its lines are drawn."""

    def __init__(self, placer: Placer, series: Series, pieces: list[Piece], length: float, tags: list[Tag]) -> None:
        self.placer = placer
        self.edges = placer.diagram.edges
        self.series = series
        self.pieces = pieces
        self.whole = together(pieces)
        self.length = length
        self.tags = tags
        self.lines: list[Line] = []
        self.taken = [*self.whole.taken, *(tag.area for tag in tags)]
        self.ins: dict[int, Way] = {}
        self.outs: dict[int, Way] = {}
        self.spots = dict(self.whole.spots)

    def piece(self) -> Piece:
        """The series with all its lines."""
        last = len(self.pieces)
        arcs: dict[int, list[Link]] = {}
        for link in self.series.links:
            if link.target == link.source + 1:
                self._straight(link, last)
            else:
                arcs.setdefault(self.edges[link.edge].source, []).append(link)
        for links in sorted(arcs.values(), key=lambda links: max(link.target - link.source for link in links)):
            self._arcs(links, last)
        whole = self.whole
        for feeder in self.series.feeders:
            whole = self._feeder(whole, feeder)
        for side in self.series.sides:
            whole = self._side(whole, side.series, side.edge, side.after)
        for edge in self.series.far:
            self._far(edge)
        return whole._replace(
            length=self.length,
            tags=(*whole.tags, *self.tags),
            lines=(*whole.lines, *self.lines),
            taken=tuple(self.taken),
            ins=self.ins,
            outs={edge: (*way, (self.length, way[-1][1])) for edge, way in self.outs.items()},
        )

    def _draw(self, edge: int, *ways: Way) -> None:
        self.lines.append(Line(edge, straightened(point for way in ways for point in way)))

    def _straight(self, link: Link, last: int) -> None:
        """An edge to the next part, from above or to below."""
        if link.source < 0:
            way = self.pieces[0].ins.get(link.edge)
            self.ins[link.edge] = ((0.0, 0.0), *way) if way else self._lane_in(link.edge, (0.0, 0.0))
            return
        out = self.pieces[link.source].outs.get(link.edge)
        if link.target == last:
            self.outs[link.edge] = out if out else self._lane_out(link.edge)
            return
        into = self.pieces[link.target].ins.get(link.edge)
        if out is None or into is None:
            self._far(link.edge)
            return
        self._draw(link.edge, out, self._meeting(out[-1], into, link))

    def _meeting(self, end: Point, into: Way, link: Link) -> Way:
        """How a line, which may come down beside the middle, gets into the next part."""
        if abs(end[1]) < 0.01:
            return into
        start = into[0]
        part = self.series.parts[link.target]
        if not isinstance(part, int):
            return ((start[0] - 9, end[1]), (start[0] - 9, 0.0), *into)
        spot = self.spots[part]
        if measure.circle(self.placer.diagram.nodes[part]):
            same = [other for other in self.series.links if (other.source, other.target) == (link.source, link.target)]
            ends = [self.pieces[link.source].outs[other.edge][-1][1] for other in same]
            beside = max if end[1] > 0 else min
            if beside(ends) == end[1]:
                return ((spot.middle, end[1]), (spot.middle, spot.high if end[1] > 0 else spot.low))
        elif spot.low + 4 < end[1] < spot.high - 4:
            return ((start[0], end[1]),)
        return ((start[0] - 9, end[1]), (start[0] - 9, 0.0), *into)

    def _arcs(self, links: list[Link], last: int) -> None:
        """All edges of one tensor that pass by parts, on one lane beside the line."""
        begun = {link.edge: self._begin(link) for link in links}
        ended = {link.edge: self._end(link, last) for link in links}
        start = min(way[-1][0] for way in begun.values())
        end = max(way[0][0] for way in ended.values())
        lane = beyond(self.taken, min(start, end), max(start, end), 0.0) + LANE
        self.taken.append(Area(start, end, lane - 1, lane + 1))
        for link in links:
            first, then = begun[link.edge], ended[link.edge]
            ways = (*first, (first[-1][0], lane), (then[0][0], lane), *then)
            if link.source < 0:
                self.ins[link.edge] = straightened(ways)
            elif link.target == last:
                self.outs[link.edge] = straightened((*first, (first[-1][0], lane), (self.length, lane)))
            else:
                self._draw(link.edge, ways)

    def _begin(self, link: Link) -> Way:
        """The way of an edge to where it turns to its lane."""
        if link.source < 0:
            return ((0.0, 0.0), (DETOUR - 3, 0.0))
        out = self.pieces[link.source].outs.get(link.edge)
        if out is None:
            return self._aside(self.edges[link.edge].source, 1)
        return (*out, (out[-1][0] + DETOUR - 3, out[-1][1]))

    def _end(self, link: Link, last: int) -> Way:
        if link.target == last:
            return ((self.length, 0.0),)
        into = self.pieces[link.target].ins.get(link.edge)
        part = self.series.parts[link.target]
        if into is None or isinstance(part, int):
            return self._aside(self.edges[link.edge].target, -1)
        return ((into[0][0] - 8, 0.0), *into)

    def _beside(self, node: int) -> Point:
        spot = self.spots[node]
        said = [tag.area for tag in self.whole.tags if tag.bold and tag.area.start < spot.middle < tag.area.end]
        behind = [area.high + 2 for area in said if spot.high < area.low < spot.high + 2 * LANE]
        return spot.middle, max([spot.high, *behind])

    def _aside(self, node: int, step: int) -> Way:
        """The way from a box to where a line can go to its lane, or back (step -1): from its side, or, where others
        stand there, past these from its end or to its front."""
        spot, side = self.spots[node], self._beside(node)
        level = side[0]
        others = [other for other in self.spots.values() if other.low > spot.high]
        while there := [other for other in others if other.start - PAST < level < other.end + PAST]:
            level = max(other.end for other in there) + PAST if step > 0 else min(other.start for other in there) - PAST
        if spot.start < level < spot.end:
            return ((level, side[1]),)
        end, axis = spot.end if step > 0 else spot.start, (spot.low + spot.high) / 2
        between = Area(min(end, level), max(end, level), axis, axis)
        if any(other.low < axis < other.high and _meet(other, between) for other in self.spots.values()):
            return (side,)
        return ((end, axis), (level, axis))[::step]

    def _lane_in(self, edge: int, start: Point) -> Way:
        target = self._beside(self.edges[edge].target)
        lane = beyond(self.taken, start[0], target[0], 0.0) + LANE
        self.taken.append(Area(start[0], target[0], lane - 1, lane + 1))
        return (start, (start[0], lane), (target[0], lane), target)

    def _lane_out(self, edge: int) -> Way:
        source = self._beside(self.edges[edge].source)
        lane = beyond(self.taken, source[0], self.length, 0.0) + LANE
        self.taken.append(Area(source[0], self.length, lane - 1, lane + 1))
        return (source, (source[0], lane), (self.length, lane))

    def _side(self, whole: Piece, series: Series, edge: int, after: int) -> Piece:
        """What hangs beside the line, beginning where its source stands."""
        piece = self.placer.series(series)
        source = self.edges[edge].source if edge >= 0 else -1
        if source in self.spots and self._open(source, edge, after):
            begin: Way = (self._beside(source),)
        elif after >= 0 and edge >= 0:
            out = self.pieces[after].outs.get(edge, (self._beside(source),))
            begin = (*out, (out[-1][0] + DETOUR - 3, out[-1][1]))
        else:
            begin = ((0.0, 0.0),)
        along = begin[-1][0] + 16
        axis = beyond(self.taken, begin[-1][0] - 4, along + piece.length, 0.0) + APART - piece.low
        placed = piece.moved(along, axis)
        for link in series.links:
            if link.source < 0 and link.edge in placed.ins and source in self.spots:
                self._draw(link.edge, begin, ((begin[-1][0], axis),), placed.ins[link.edge])
            elif link.source < 0:
                self.ins[link.edge] = ((0.0, 0.0), (0.0, axis), *placed.ins.get(link.edge, ()))
        self.outs |= placed.outs
        self.taken += placed.taken
        self.taken.append(Area(begin[-1][0] - 2, begin[-1][0] + 2, begin[-1][1], axis))
        self.spots |= placed.spots
        self.length = max(self.length, along + piece.length)
        return together([whole, placed])

    def _feeder(self, whole: Piece, feeder: Feeder) -> Piece:
        """A box that the line doesn't come into, beside where it goes: a learnable tensor, or what comes from afar."""
        piece = self.placer.node(feeder.node, [])
        spot = self.spots[feeder.target]
        along = spot.middle - piece.length / 2
        near = [area for area in self.taken if area.start < along + piece.length and area.end > along]
        if any(edge.target == feeder.node for edge in self.edges):  # from afar, on the side where such lines are
            placed = piece.moved(along, max(area.high for area in near) + APART - piece.low)
            ends = placed.spots[feeder.node].low, spot.high
        else:
            placed = piece.moved(along, min(area.low for area in near) - APART - piece.high)
            ends = placed.spots[feeder.node].high, spot.low
        self.length = max(self.length, along + piece.length)
        self._draw(feeder.edge, ((spot.middle, ends[0]), (spot.middle, ends[1])))
        self.taken += placed.taken
        self.spots |= placed.spots
        return together([whole, placed])

    def _open(self, source: int, edge: int, after: int) -> bool:
        """Whether an edge starts at the side of its box: that box alone is in front of it, or stands inside a part."""
        part = self.series.parts[after]
        single = isinstance(part, int) and self.placer.diagram.nodes[part].times == 1
        return single or edge not in self.pieces[after].outs

    def _far(self, edge: int) -> None:
        """An edge from box to box, past everything between."""
        out, into = self._aside(self.edges[edge].source, 1), self._aside(self.edges[edge].target, -1)
        first, last = sorted((out[-1][0], into[0][0]))
        lane = beyond(self.taken, first, last, 0.0) + LANE
        self.taken.append(Area(first, last, lane - 1, lane + 1))
        self._draw(edge, out, ((out[-1][0], lane), (into[0][0], lane)), into)


def _meet(one: Area, other: Area) -> bool:
    """Whether two areas overlap along the line."""
    return one.start < other.end and other.start < one.end
