"""The main line in several columns (or rows), so that a deep network fits on a slide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from archdsl.emit.graph import Cluster, Diagram
from archdsl.emit.picture.bend import aligned, bend
from archdsl.emit.picture.piece import Piece
from archdsl.emit.picture.place import Placer
from archdsl.emit.picture.plan import Frame, Members, Series, flat, nodes_in, nodes_of, plan

GUTTER, TURN = 26.0, 12.0  # between columns, and beyond their ends, where a line leads from one to the next
ACROSS = 64.0  # between the two sides of a U
LARGE = 150  # nodes: of more than that one way to have so many columns is tried


class Break(NamedTuple):
    """A place where the line may turn: the nodes before it, how far along it is, how many tensors pass it and how many
    frames are around it.
    """

    before: frozenset[int]
    along: float
    passing: int
    frames: int


class Flow(NamedTuple):
    """A diagram in columns.

    turns: the edges that lead from one to the next; around: those that lead anywhere else; cut: how many frames are in
    two columns; base: where the second of two begins if it leads back, as a U, and the edges around go straight across.
    """

    pieces: tuple[Piece, ...]
    turns: tuple[tuple[int, ...], ...]
    around: tuple[int, ...]
    cut: int
    base: float | None = None

    @property
    def gutter(self) -> float:
        """How far its columns are apart."""
        return GUTTER if self.base is None else ACROSS

    def size(self, *, down: bool) -> tuple[float, float]:
        """About how wide and high it is on the page."""
        along = max(self.base or 0.0, *(piece.length for piece in self.pieces))
        across = sum(piece.high - piece.low + self.gutter for piece in self.pieces) - self.gutter
        turning = 2 * TURN if self.turns else 0.0
        return (across, along + turning) if down else (along + turning, across)


class Columns:
    """The ways to draw a diagram in a number of columns."""

    def __init__(self, diagram: Diagram, placer: Placer) -> None:
        self.diagram = diagram
        self.placer = placer
        self.main = main_end(diagram)
        self.whole = plan(diagram, diagram.members, range(len(diagram.edges)), self.main)
        self.single = placer.series(self.whole)
        self.breaks = self._breaks(self.whole, frozenset(), 0)

    def likely(self, proportion: float) -> range:
        """The numbers of columns that come near a proportion of width to height."""
        long, wide = self.single.length, self.single.high - self.single.low
        ratio = long / wide * (proportion if self.placer.down else 1 / proportion)
        near = max(1, round(math.sqrt(ratio)))
        return range(near, near + 1) if len(self.diagram.nodes) > LARGE else range(max(1, near - 3), near + 2)

    def flows_near(self, proportion: float) -> Iterator[Flow]:
        """The ways to draw it in about a proportion of width to height; in one column where there is no other."""
        bent = self._bent()
        if bent:
            yield bent
            return
        yield from (flow for count in self.likely(proportion) for flow in self.flows(count))
        yield from self.flows(1)

    def flows(self, count: int) -> Iterator[Flow]:
        """The ways to have so many columns, about equally long: by few tensors that pass or many, in frames or not."""
        if count == 1:
            yield Flow((self.single,), (), (), 0)
            return
        tried: set[frozenset[int]] = set()
        large = len(self.diagram.nodes) > LARGE
        few, deep = _ends([one.passing for one in self.breaks]), sorted({one.frames for one in self.breaks})
        for passing in few:
            for frames in deep[-1:] if large else deep:
                breaks = [one for one in self.breaks if one.passing <= passing and one.frames <= frames]
                chosen = _chosen(breaks, self.single.length, count) if breaks else []
                alike = frozenset(len(one.before) for one in chosen)
                if chosen and alike not in tried:
                    tried.add(alike)
                    yield self._flow(chosen)
                    if large:
                        return

    def _bent(self) -> Flow | None:
        """The diagram as a U, where it goes down and comes up again."""
        turn = bend(self.whole)
        if turn is None:
            return None
        first, then = set(nodes_of(self.whole.parts[turn.after])), set(nodes_of(self.whole.parts[turn.after + 1]))
        at = [one for one in self.breaks if first <= one.before and not then & one.before and not one.frames]
        if not at:
            return None
        flow = self._flow(at[-1:])
        edges = {link.edge for link in turn.across}
        if set(flow.around) != edges or flow.pieces[1].frames:
            return None
        ends = [(self.diagram.edges[link.edge].source, self.diagram.edges[link.edge].target) for link in turn.across]
        down, up, base = aligned(flow.pieces[0], flow.pieces[1], ends)
        return flow._replace(pieces=(down, up), base=base)

    def _flow(self, chosen: list[Break]) -> Flow:
        """The diagram with a turn at each of some breaks."""
        count = len(chosen) + 1
        column = {node.id: sum(node.id not in one.before for one in chosen) for node in self.diagram.nodes}
        edges = self.diagram.edges
        pieces = []
        for k in range(count):
            members = _part_of(self.diagram.members, frozenset(node for node in column if column[node] == k))
            touching = [n for n, edge in enumerate(edges) if k in (column[edge.source], column[edge.target])]
            end = self.main if column[self.main] == k else None
            pieces.append(self.placer.series(plan(self.diagram, members, touching, end), branch=k < count - 1))
        crossing = [n for n, edge in enumerate(edges) if column[edge.source] != column[edge.target]]
        turns = tuple(
            tuple(n for n in crossing if n in pieces[k].outs and n in pieces[k + 1].ins) for k in range(count - 1)
        )
        turning = {n for turn in turns for n in turn}
        around = tuple(n for n in crossing if n not in turning)
        return Flow(tuple(pieces), turns, around, sum(one.frames for one in chosen))

    def _breaks(self, series: Series, before: frozenset[int], frames: int) -> list[Break]:
        """Where the line may turn, in order; inside frames too."""
        found = []
        done = before
        hanging: dict[int, list[int]] = {}
        for side in series.sides:
            hanging.setdefault(side.after, []).extend(nodes_in(side.series))
        for feeder in series.feeders:
            at = next(k for k, part in enumerate(series.parts) if feeder.target in nodes_of(part))
            hanging.setdefault(at, []).append(feeder.node)
        done |= frozenset(hanging.get(-1, ()))
        for k, part in enumerate(series.parts):
            if isinstance(part, Frame):
                found += self._breaks(part.inside, done, frames + 1)
            done |= frozenset(nodes_of(part)) | frozenset(hanging.get(k, ()))
            if k + 1 < len(series.parts) and not _output(self.diagram, series.parts[k + 1]):
                found.append(self._break(done, frames))
        return [one for one in found if one.before and len(one.before) > 1]

    def _break(self, before: frozenset[int], frames: int) -> Break:
        nodes = self.diagram.nodes
        passing = {edge.source for edge in self.diagram.edges if edge.source in before and edge.target not in before}
        passing = {node for node in passing if nodes[node].form != "input"}
        along = max(self.single.spots[node].end for node in before if not nodes[node].aside)
        return Break(before, along, len(passing), frames)


def _ends(found: list[int]) -> list[int]:
    """The least and the most of some numbers."""
    return sorted({min(found), max(found)}) if found else []


def _output(diagram: Diagram, part: object) -> bool:
    return isinstance(part, int) and diagram.nodes[part].form == "output"


def _chosen(breaks: list[Break], total: float, count: int) -> list[Break]:
    """The breaks that make the longest of some columns as short as can be."""
    short, long = 0.0, total
    for _ in range(24):
        middle = (short + long) / 2
        chosen = _fill(breaks, total, middle)
        if len(chosen) < count and _longest(chosen, total) <= middle:
            long = middle
        else:
            short = middle
    return _fill(breaks, total, long)[: count - 1]


def _fill(breaks: list[Break], total: float, most: float) -> list[Break]:
    """The breaks of columns that are as full as may be."""
    chosen: list[Break] = []
    start = 0.0
    for one, then in zip(breaks, [*(later.along for later in breaks[1:]), total], strict=True):
        if then - start > most:
            chosen.append(one)
            start = one.along
    return chosen


def _longest(breaks: list[Break], total: float) -> float:
    ends = [0.0, *(one.along for one in breaks), total]
    return max(end - start for start, end in pairwise(ends))


def main_end(diagram: Diagram) -> int:
    """The output at which the main line ends: that of the longest way."""
    before = [0] * len(diagram.nodes)
    for edge in sorted(diagram.edges):
        before[edge.target] = max(before[edge.target], before[edge.source] + 1)
    ends = [node for node in diagram.nodes if node.form == "output"] or list(diagram.nodes)
    return max(ends, key=lambda node: (not node.aside, before[node.id], -node.id)).id


def _part_of(members: Members, nodes: frozenset[int]) -> Members:
    """Members with these nodes only; a frame that is cut stands in both columns."""
    kept: list[int | Cluster] = []
    for member in members:
        if isinstance(member, int):
            if member in nodes:
                kept.append(member)
        elif nodes.intersection(flat(member.members)):
            kept.append(member._replace(members=_part_of(member.members, nodes)))
    return tuple(kept)
