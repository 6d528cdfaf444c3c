"""Every part of a plan in its place, and the ways of the edges between them."""

from __future__ import annotations

from archdsl.emit.graph import Diagram
from archdsl.emit.picture import measure
from archdsl.emit.picture.metrics import width
from archdsl.emit.picture.piece import Area, Framed, Piece, Tag, Way, together
from archdsl.emit.picture.plan import Frame, Parallel, Part, Series, nodes_of
from archdsl.emit.picture.route import DETOUR, Routes

# In points: between boxes along the line, where branches part and meet, between branches, beside the line.
GAP, FORK, JOIN, APART = 18.0, 21.0, 6.0, 18.0
LABEL = 13.0  # the height of a shape's letters
FRAME, HEAD = 10.0, 22.0  # inside a frame, and below its title


class Placer:
    """Puts the parts of one diagram in their places. down: tensors flow downwards."""

    def __init__(self, diagram: Diagram, *, down: bool, numbers: bool) -> None:
        self.diagram = diagram
        self.down = down
        self.sizes = measure.sizes(diagram, numbers)
        self.gap = GAP if down else GAP + 6

    def series(self, series: Series, *, branch: bool = False) -> Piece:
        """The parts one behind the other, arcs and side heads beside them; branch: it tells the shape at its end."""
        pieces: list[Piece] = []
        tags: list[Tag] = []
        along = DETOUR if any(link.source < 0 < link.target for link in series.links) else 0.0
        along += self._lead(series)
        for k, part in enumerate(series.parts):
            piece = self._part(part, series, k, pieces)
            pieces.append(piece.moved(along, 0.0))
            along += piece.length + self._detour(series, k)
            last = k == len(series.parts) - 1
            tag = self._label(series, k, along) if branch or not last else None
            tags += [tag] if tag else []
            along += (0.0 if last else self.gap) + self._room(tag, last)
        return Routes(self, series, pieces, along, tags).piece()

    def _part(self, part: Part, series: Series, k: int, before: list[Piece]) -> Piece:
        if isinstance(part, Frame):
            return self._frame(part)
        if isinstance(part, Parallel):
            return self._parallel(part)
        edges = [link.edge for link in series.links if k in (link.source, link.target)]
        edges += [side.edge for side in series.sides if side.after == k]
        spread = self._spread(part, series, k, before)
        return self.node(part, edges, spread)

    def node(self, node: int, edges: list[int], spread: tuple[float, float] = (0.0, 0.0)) -> Piece:
        """A box with the ends of its edges."""
        size = self.sizes[node]
        long, wide = (size.height, size.width) if self.down else (size.width, size.height)
        spot = Area(0.0, long, min(-wide / 2, spread[0]), max(wide / 2, spread[1]))
        taken, tags, count = [spot], [], self.diagram.nodes[node].times
        if count > 1:
            text = measure.times(count)
            letters = width(text, measure.TITLE, bold=True)
            pile = 2 * measure.PILE + 3
            beside = Area(long / 2 - 8, long / 2 + 8, spot.high + pile, spot.high + pile + letters)
            above = Area(0.0, letters, spot.high + 2, spot.high + 17)
            tags = [Tag(text, beside if self.down else above, bold=True)]
            taken += [tags[0].area, Area(0.0, long + 2 * measure.PILE, spot.low, spot.high + 2 * measure.PILE)]
        ins: dict[int, Way] = {}
        outs: dict[int, Way] = {}
        for edge in edges:
            ends = self.diagram.edges[edge]
            if ends.target == node:
                ins[edge] = ((0.0, 0.0),)
            else:
                outs[edge] = ((long, 0.0),)
        return Piece(long, {node: spot}, (), tuple(tags), (), tuple(taken), ins, outs)

    def _spread(self, node: int, series: Series, k: int, before: list[Piece]) -> tuple[float, float]:
        """A concatenation reaches over all branches that it joins."""
        wide = self.diagram.nodes[node].form == "join" and not measure.circle(self.diagram.nodes[node])
        if not wide or k == 0 or not isinstance(series.parts[k - 1], Parallel):
            return 0.0, 0.0
        ends = [before[-1].outs[link.edge][-1][1] for link in series.links if (link.source, link.target) == (k - 1, k)]
        return min(ends) - 16, max(ends) + 16

    def _frame(self, frame: Frame) -> Piece:
        inner = self.series(frame.inside)
        title = measure.frame_title(frame.cluster)
        head = HEAD if title else FRAME
        front, back = (head, FRAME) if self.down else (FRAME, FRAME)
        low, high = inner.low - FRAME, inner.high + (FRAME if self.down else head)
        length = inner.length + front + back
        start = low + FRAME
        if self.down and start + title > -6:  # the line comes in where the title would be: it goes beside that
            start = 8.0
        if self.down:
            high = max(high, start + title + FRAME)
        else:
            length = max(length, title + 2 * FRAME)
        area = Area(0.0, length, low, high)
        inside = inner.moved(front, 0.0)
        ins = {edge: ((0.0, 0.0), *way) for edge, way in inside.ins.items()}
        outs = {edge: (*way, (length, way[-1][1])) for edge, way in inside.outs.items()}
        taken = [area]
        if frame.cluster.times > 1:
            taken.append(Area(0.0, length + 2 * measure.PILE, low, high + 2 * measure.PILE))
        frames = (Framed(frame.cluster, frame.level, area, start), *inside.frames)
        return inside._replace(length=length, frames=frames, taken=tuple(taken), ins=ins, outs=outs)

    def _parallel(self, parallel: Parallel) -> Piece:
        pieces = [self.series(branch, branch=True) for branch in parallel.branches]
        counts = [sum(len(nodes_of(part)) for part in branch.parts) for branch in parallel.branches]
        if len(pieces) == 2 and counts[0] != counts[1]:  # the longer one goes straight on, the other beside it
            main = counts.index(max(counts))
            other = 1 - main
            axes = {main: 0.0, other: pieces[main].high + APART - pieces[other].low}
        else:
            axes = self._side_by_side(pieces)
        length = max(piece.length for piece in pieces) + FORK + JOIN
        ins: dict[int, Way] = {}
        outs: dict[int, Way] = {}
        placed = []
        for k, piece in enumerate(pieces):
            # Short branches stand where they are joined, as in the figures of papers.
            one = piece.moved(length - JOIN - piece.length, axes[k])
            placed.append(one)
            fork = ((0.0, 0.0), (FORK / 3, 0.0), (FORK / 3, axes[k]))
            ins |= {edge: (*fork, *way) for edge, way in one.ins.items()}
            outs |= {edge: (*way, (length, way[-1][1])) for edge, way in one.outs.items()}
        return together(placed)._replace(length=length, ins=ins, outs=outs)

    def _side_by_side(self, pieces: list[Piece]) -> dict[int, float]:
        order = list(range(len(pieces)))
        axes: dict[int, float] = {}
        edge = 0.0
        for k in order if self.down else reversed(order):
            axes[k] = edge - pieces[k].low
            edge = axes[k] + pieces[k].high + APART
        middle = (min(axes.values()) + max(axes.values())) / 2
        return {k: axis - middle for k, axis in axes.items()}

    def _label(self, series: Series, k: int, along: float) -> Tag | None:
        """The shape of what leaves a part straight ahead."""
        edges = [link.edge for link in series.links if (link.source, link.target) == (k, k + 1)]
        text = next((self.diagram.edges[edge].label for edge in edges if self.diagram.edges[edge].label), "")
        if not text or isinstance(series.parts[k], Parallel):
            return None
        long = width(text, measure.SMALL)
        if self.down:
            return Tag(text, Area(along + 4, along + 4 + LABEL, 6.0, 6.0 + long))
        return Tag(text, Area(along + 7, along + 7 + long, 2.0, 2.0 + LABEL))

    def _room(self, tag: Tag | None, last: bool) -> float:
        if tag is None:
            return 0.0
        if self.down:
            return LABEL + 3 if last else LABEL - 5
        return tag.area.end - tag.area.start + (10 if last else -2)

    def _lead(self, series: Series) -> float:
        """Room in front of the first part for what comes into it from beside."""
        first = series.parts[0] if series.parts else None
        long = [
            self._long(feeder.node) - self._long(feeder.target) for feeder in series.feeders if feeder.target == first
        ]
        return max(0.0, *long) / 2 if long else 0.0

    def _long(self, node: int) -> float:
        return self.sizes[node].height if self.down else self.sizes[node].width

    def _detour(self, series: Series, k: int) -> float:
        """Room behind a part, where arcs leave the line."""
        return DETOUR if any(link.source == k and link.target != k + 1 for link in series.links) else 0.0
