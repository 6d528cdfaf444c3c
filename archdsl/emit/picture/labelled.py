"""Places for the names of bubbles: beside them where there is room, further away with a line where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, hypot, pi, sin
from typing import NamedTuple

from archdsl.emit.picture import measure
from archdsl.emit.picture.metrics import width
from archdsl.emit.picture.scene import Point

Box = tuple[float, float, float, float]  # left, top, right, bottom
GAP = 4.0  # between a bubble and its name
NEAR, RINGS, RING = 6.0, 14, 11.0  # further away than NEAR a line leads there
ANGLES = 24


class Bubble(NamedTuple):
    """A circle with the name that belongs to it."""

    x: float
    y: float
    radius: float
    name: str


class Label(NamedTuple):
    """A name on its baseline, with the line that leads from its bubble, if it needs one."""

    x: float
    y: float
    text: str
    line: tuple[Point, Point] | None


def placed(bubbles: Sequence[Bubble], page: Box) -> list[Label]:
    """A place for each name, the most crowded first: on the page, on no other name, and off bubbles where that goes."""
    crowd = [sum(hypot(one.x - other.x, one.y - other.y) < 60 for other in bubbles) for one in bubbles]
    order = sorted(range(len(bubbles)), key=lambda k: (-crowd[k], k))
    taken: list[Box] = []
    found: dict[int, Label] = {}
    for k in order:
        spots = _spots(bubbles[k])
        far, box = min(spots, key=lambda spot: _cost(spot[1], spot[0], bubbles, taken, page))
        taken.append(box)
        left, _, _, bottom = box
        line = _leader(bubbles[k], box) if far > NEAR else None
        found[k] = Label(left, bottom - 3.5, bubbles[k].name, line)
    return [found[k] for k in range(len(bubbles))]


def _spots(bubble: Bubble) -> Iterator[tuple[float, Box]]:
    """Boxes for a name around its bubble with how far away they are, near ones first, those on the right first."""
    wide, high = width(bubble.name, measure.DETAIL), measure.DETAIL + 2
    for ring in range(RINGS):
        far = GAP + RING * ring
        for k in range(ANGLES):
            turn = (k + 1) // 2 * (-1) ** k * 2 * pi / ANGLES
            x, y = cos(turn), sin(turn)
            reach = bubble.radius + far
            # The box touches the circle around the bubble: beside it, above or below it, or with a corner between.
            middle_x = bubble.x + x * reach + x * wide / 2
            middle_y = bubble.y + y * reach + y * high / 2
            yield far, (middle_x - wide / 2, middle_y - high / 2, middle_x + wide / 2, middle_y + high / 2)


def _cost(box: Box, far: float, bubbles: Sequence[Bubble], taken: Sequence[Box], page: Box) -> float:
    left, top, right, bottom = box
    outside = sum(max(0.0, over) for over in (page[0] - left, right - page[2], page[1] - top, bottom - page[3]))
    names = sum(_overlap(box, other) for other in taken)
    circles = sum(_depth(box, bubble) for bubble in bubbles)
    return 1000 * outside + 100 * names + 8 * circles + far


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes share, a small distance between them counted in."""
    wide = min(one[2], other[2]) - max(one[0], other[0]) + 3
    high = min(one[3], other[3]) - max(one[1], other[1]) + 1
    return wide * high if wide > 0 and high > 0 else 0.0


def _depth(box: Box, bubble: Bubble) -> float:
    """By how much a bubble reaches into a box."""
    x = min(max(bubble.x, box[0]), box[2])
    y = min(max(bubble.y, box[1]), box[3])
    return max(0.0, bubble.radius + 2 - hypot(bubble.x - x, bubble.y - y))


def _leader(bubble: Bubble, box: Box) -> tuple[Point, Point]:
    """From the bubble's edge to the nearest point of the box."""
    x = min(max(bubble.x, box[0]), box[2])
    y = min(max(bubble.y, box[1] + 2), box[3] - 2)
    long = hypot(x - bubble.x, y - bubble.y) or 1.0
    edge = bubble.x + (x - bubble.x) * bubble.radius / long, bubble.y + (y - bubble.y) * bubble.radius / long
    return edge, (x, y)
