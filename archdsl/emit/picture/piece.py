"""Placed parts of a picture: `along` is where tensors flow to, `across` is measured from the line that they flow on.

Drawn downwards, along is y and across is x; drawn to the right, along is x, and across is upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from archdsl.emit.graph import Cluster
from archdsl.emit.picture.scene import Point


class Area(NamedTuple):
    """A rectangle along and across."""

    start: float
    end: float
    low: float
    high: float

    def moved(self, along: float, across: float) -> Area:
        return Area(self.start + along, self.end + along, self.low + across, self.high + across)

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2


class Framed(NamedTuple):
    """The frame of a cluster; level: how many are around it; title: where across that starts, drawn downwards."""

    cluster: Cluster
    level: int
    area: Area
    title: float


class Tag(NamedTuple):
    """A small text: the shape on an edge, or how often a box stands there."""

    text: str
    area: Area
    bold: bool = False


class Line(NamedTuple):
    """The way of an edge."""

    edge: int
    points: tuple[Point, ...]


Way = tuple[Point, ...]
Ways = Mapping[int, Way]
NOWHERE: Ways = MappingProxyType({})


class Piece(NamedTuple):
    """Parts in their places, the line that goes through them at 0 across.

    taken: what lines that pass by must keep off; ins and outs: the ways of the edges that come from above and go below.
    """

    length: float
    spots: dict[int, Area]
    frames: tuple[Framed, ...] = ()
    tags: tuple[Tag, ...] = ()
    lines: tuple[Line, ...] = ()
    taken: tuple[Area, ...] = ()
    ins: Ways = NOWHERE
    outs: Ways = NOWHERE

    @property
    def low(self) -> float:
        return min((area.low for area in self.taken), default=0.0)

    @property
    def high(self) -> float:
        return max((area.high for area in self.taken), default=0.0)

    def moved(self, along: float, across: float) -> Piece:
        return Piece(
            self.length,
            {node: area.moved(along, across) for node, area in self.spots.items()},
            tuple(
                frame._replace(area=frame.area.moved(along, across), title=frame.title + across)
                for frame in self.frames
            ),
            tuple(tag._replace(area=tag.area.moved(along, across)) for tag in self.tags),
            tuple(line._replace(points=shifted(line.points, along, across)) for line in self.lines),
            tuple(area.moved(along, across) for area in self.taken),
            {edge: shifted(way, along, across) for edge, way in self.ins.items()},
            {edge: shifted(way, along, across) for edge, way in self.outs.items()},
        )


def shifted(points: Iterable[Point], along: float, across: float) -> tuple[Point, ...]:
    """The way, moved."""
    return tuple((start + along, side + across) for start, side in points)


def straightened(points: Iterable[Point]) -> tuple[Point, ...]:
    """A way without points that it needn't have: doubles, and those between two others on one line."""
    kept: list[Point] = []
    for point in points:
        if kept and _same(kept[-1], point):
            continue
        if len(kept) > 1 and any(
            abs(kept[-2][k] - point[k]) < 0.01 and abs(kept[-1][k] - point[k]) < 0.01 for k in (0, 1)
        ):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _same(one: Point, other: Point) -> bool:
    return abs(one[0] - other[0]) < 0.01 and abs(one[1] - other[1]) < 0.01


def beyond(taken: Iterable[Area], start: float, end: float, floor: float) -> float:
    """How far across everything between two places reaches, at least to a floor."""
    return max((area.high for area in taken if area.start < end and area.end > start), default=floor)


def together(pieces: list[Piece]) -> Piece:
    """Pieces that are in their places as one."""
    return Piece(
        max(piece.length for piece in pieces),
        {node: spot for piece in pieces for node, spot in piece.spots.items()},
        tuple(frame for piece in pieces for frame in piece.frames),
        tuple(tag for piece in pieces for tag in piece.tags),
        tuple(line for piece in pieces for line in piece.lines),
        tuple(area for piece in pieces for area in piece.taken),
    )
