"""A network that goes down and comes up again, with tensors that lead across, drawn as a U."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from archdsl.emit.picture.piece import Area, Piece
from archdsl.emit.picture.plan import Link, Series


class Bend(NamedTuple):
    """Where a series turns: behind the part at this place; across: the links to the other side, the outermost first."""

    after: int
    across: tuple[Link, ...]


def bend(series: Series) -> Bend | None:
    """Where a series turns if several of its links lie inside each other, over all parts between."""
    arcs = [link for link in series.links if link.target != link.source + 1]
    most = max((_over(arcs, k) for k in range(len(series.parts))), key=len, default=[])
    across = sorted(most, key=lambda link: link.source)
    targets = [link.target for link in across]
    if len(across) < 2 or targets != sorted(targets, reverse=True) or len(across) < len(arcs):
        return None
    ends = [series.parts[k] for link in across for k in (link.source, link.target) if 0 <= k < len(series.parts)]
    if len(ends) < 2 * len(across) or len({*ends}) < len(ends) or not all(isinstance(end, int) for end in ends):
        return None
    return Bend((across[-1].source + across[-1].target) // 2, tuple(across))


def _over(arcs: list[Link], k: int) -> list[Link]:
    """The links that pass from one place to the next."""
    return [link for link in arcs if link.source <= k < link.target]


def aligned(down: Piece, up: Piece, pairs: list[tuple[int, int]]) -> tuple[Piece, Piece, float]:
    """The two sides drawn out until each pair of nodes is level, and where the way up begins, along the way down.

    pairs: the nodes on the way down and up, the outermost first.
    """
    for (outer, last), (inner, first) in pairwise(pairs):
        left = down.spots[inner].middle - down.spots[outer].middle
        right = up.spots[last].middle - up.spots[first].middle
        if left < right:
            down = _drawn_out(down, down.spots[inner].start - 9, right - left)
        else:
            up = _drawn_out(up, up.spots[last].start - 9, left - right)
    source, target = pairs[0]
    return down, up, down.spots[source].middle + up.spots[target].middle


def _drawn_out(piece: Piece, at: float, by: float) -> Piece:
    """The piece with room put in at a place along."""

    def area(one: Area) -> Area:
        return one._replace(start=one.start + by * (one.start >= at), end=one.end + by * (one.end > at))

    def way(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        return tuple((along + by * (along >= at), across) for along, across in points)

    return Piece(
        piece.length + by,
        {node: area(one) for node, one in piece.spots.items()},
        tuple(frame._replace(area=area(frame.area)) for frame in piece.frames),
        tuple(tag._replace(area=area(tag.area)) for tag in piece.tags),
        tuple(line._replace(points=way(line.points)) for line in piece.lines),
        tuple(map(area, piece.taken)),
        {edge: way(points) for edge, points in piece.ins.items()},
        {edge: way(points) for edge, points in piece.outs.items()},
    )
