"""What a picture is made of: shapes and texts in points, y downwards; SVG and PDF are written from the same."""

from __future__ import annotations

from typing import NamedTuple

Point = tuple[float, float]
# A step of an outline: M and L to a point, C by two control points to a third, Z back to the start.
Move = tuple[str, tuple[Point, ...]]


class Path(NamedTuple):
    """An outline. fill and stroke are colours, empty for none; dash: lengths of dashes and gaps."""

    moves: tuple[Move, ...]
    fill: str = ""
    stroke: str = ""
    width: float = 1.0
    dash: tuple[float, ...] = ()


class Rect(NamedTuple):
    """A rectangle with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 0.0
    fill: str = ""
    stroke: str = ""
    line: float = 1.0
    dash: tuple[float, ...] = ()


class Text(NamedTuple):
    """A line of text on its baseline. anchor: start, middle or end; long: its width."""

    x: float
    y: float
    text: str
    size: float
    long: float
    colour: str
    bold: bool = False
    anchor: str = "start"


class Group(NamedTuple):
    """Shapes that belong together, with what they tell when pointed at."""

    name: str
    title: str
    shapes: tuple[Shape, ...]


Shape = Path | Rect | Text | Group


class Scene(NamedTuple):
    """A picture; ground is the colour behind it, empty for none."""

    title: str
    width: float
    height: float
    ground: str
    shapes: tuple[Shape, ...]


def number(value: float) -> str:
    """A coordinate with as many digits as one can see."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def polygon(*points: Point) -> tuple[Move, ...]:
    """A closed outline with straight sides."""
    return (("M", points[:1]), *(("L", (point,)) for point in points[1:]), ("Z", ()))


def rounded(points: list[Point], radius: float) -> tuple[Move, ...]:
    """A line through points that turns in arcs."""
    moves: list[Move] = [("M", (points[0],))]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near = _towards(corner, before, radius)
        far = _towards(corner, after, radius)
        moves += [("L", (near,)), ("C", (_middle(near, corner), _middle(far, corner), far))]
    return (*moves, ("L", (points[-1],)))


def _towards(start: Point, end: Point, way: float) -> Point:
    """A point that far on the way, at most half of it."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    part = min(way / length, 0.5) if length else 0.0
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _middle(point: Point, corner: Point) -> Point:
    # 0.552: the control point of a quarter of a circle.
    return point[0] + (corner[0] - point[0]) * 0.552, point[1] + (corner[1] - point[1]) * 0.552
