"""Networks as bubbles: work across, parameters or accuracy up, area by memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10, sqrt
from typing import NamedTuple

from archdsl.dims import Dim
from archdsl.emit.compare import Compared, in_bytes
from archdsl.emit.picture import measure
from archdsl.emit.picture.labelled import Bubble, Label, placed
from archdsl.emit.picture.metrics import width, written
from archdsl.emit.picture.scene import Group, Path, Rect, Scene, Shape
from archdsl.emit.picture.themes import Theme
from archdsl.failure import WrongUsage

# The page, and where on it the axes cross and end, in points: the proportions of a screen.
WIDE, HIGH = 760.0, 460.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 742.0, 74.0, 412.0
TICK = 11.0  # size of the numbers
# From this ratio of the largest to the smallest on, an axis is logarithmic.
LOGARITHMIC = 8.0
# The radius of the largest bubble with few of them, and with many.
LARGE, SMALL, MANY = 26.0, 13.0, 40
_Say = Callable[[float], str]


class Axis(NamedTuple):
    """Values along one side: from low to high, at these places in points; ticks: where there are numbers."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where a value stands."""
        low, high, value = (log10(one) if self.logarithmic else one for one in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def scatter(found: Sequence[Compared], theme: Theme) -> Scene:
    """The picture: accuracy up where all networks have one, parameters otherwise.

    Raises WrongUsage where a number depends on a size that is left open.
    """
    accuracies = [one.test_accuracy for one in found if one.test_accuracy is not None]
    scored = len(accuracies) == len(found)
    works = [_known(one, one.macs) for one in found]
    heights = [100 * one for one in accuracies] if scored else [float(one.params) for one in found]
    memories = [max(_known(one, one.memory), 1) for one in found]
    largest = max(SMALL, LARGE - (LARGE - SMALL) * len(found) / MANY)
    radii = [max(3.0, largest * sqrt(memory / max(memories))) for memory in memories]
    across = axis(works, LEFT, RIGHT, max(radii), zero=True)
    up = axis(heights, BOTTOM, TOP, max(radii), zero=not scored)
    bubbles = [
        Bubble(across.at(work), up.at(height), radius, one.name)
        for work, height, radius, one in zip(works, heights, radii, found, strict=True)
    ]
    shapes = [*_axes(across, up, theme, "%" if scored else ""), *_legend(max(memories), largest, theme)]
    shapes += [_bubble(bubble, one, theme) for bubble, one in _large_first(bubbles, found)]
    for label in placed(bubbles, (LEFT + 3, TOP - 12, RIGHT + 12, BOTTOM - 3)):
        shapes += _label(label, theme)
    title = f"Comparison of {', '.join(one.name for one in found)}"
    return Scene(title, WIDE, HIGH, theme.ground, tuple(shapes))


def _known(one: Compared, value: Dim) -> int:
    if isinstance(value, int):
        return value
    message = f"`{one.name}` leaves its input's size open, so it has no place in a picture"
    raise WrongUsage(message, help="give one: `--input 3x224x224`")


def axis(values: Sequence[float], start: float, end: float, room: float, *, zero: bool) -> Axis:
    """The axis for some values. room: in points, kept free beside the outermost; zero: a linear one begins at 0."""
    low, high = min(values), max(values)
    share = (room + 10) / (abs(end - start) - 2 * (room + 10))
    if low > 0 and high / low >= LOGARITHMIC:
        spread = log10(high / low) * share
        low, high = low / 10**spread, high * 10**spread
        return Axis(low, high, start, end, True, _powers(low, high))
    high = high if high > low or zero else low + 1
    low = 0.0 if zero else low - max((high - low) * share, 0.5)
    high += (high - low) * share or 1.0
    step = max(_nice((high - low) / 6), 1.0 if zero else 0.0)  # there is no half of a parameter
    ticks = tuple(step * k for k in range(floor(low / step), floor(high / step) + 1) if low <= step * k <= high)
    return Axis(low, high, start, end, False, ticks)


def _nice(step: float) -> float:
    """The next larger of 1, 2, 5, 10, 20, ..."""
    power = 10.0 ** floor(log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * 0.999)


def _powers(low: float, high: float) -> tuple[float, ...]:
    """1, 2, 5, 10, ... between two numbers; powers of ten alone where that would be too many."""
    decades = range(floor(log10(low)), floor(log10(high)) + 1)
    times = (1, 2, 5) if log10(high / low) < 3 else (1,)
    return tuple(value for power in decades for one in times if low <= (value := one * 10.0**power) <= high)


def _axes(across: Axis, up: Axis, theme: Theme, unit: str) -> list[Shape]:
    shapes: list[Shape] = []
    faint = theme.frame if theme.ground else "#CCCCCC"
    for value in across.ticks:
        x = across.at(value)
        shapes.append(_line((x, TOP - 8), (x, BOTTOM), faint, 0.5))
        text = measure.short(round(value))
        shapes.append(written(x, BOTTOM + 16, text, TICK, theme.quiet, anchor="middle"))
    for value in up.ticks:
        y = up.at(value)
        shapes.append(_line((LEFT, y), (RIGHT + 8, y), faint, 0.5))
        text = f"{value:g} %" if unit else measure.short(round(value))
        shapes.append(written(LEFT - 7, y + 4, text, TICK, theme.quiet, anchor="end"))
    shapes += [
        _line((LEFT, BOTTOM), (RIGHT + 8, BOTTOM), theme.line, 1.0),
        _line((LEFT, TOP - 8), (LEFT, BOTTOM), theme.line, 1.0),
    ]
    scale = {True: " (logarithmic)", False: ""}
    vertical = "Test accuracy" if unit else "Parameters"
    shapes.append(written(12, 26, f"{vertical}{scale[up.logarithmic]}", measure.TITLE, theme.ink, bold=True))
    horizontal = f"Multiply-accumulates for an image{scale[across.logarithmic]}"
    end = RIGHT + 8
    shapes.append(written(end, BOTTOM + 38, horizontal, measure.TITLE, theme.ink, bold=True, anchor="end"))
    return [Group("axes", "", tuple(shapes))]


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, thick: float) -> Path:
    return Path((("M", (start,)), ("L", (end,))), "", colour, thick)


def _legend(most: int, largest: float, theme: Theme) -> list[Shape]:
    """What the areas of bubbles mean, above the plot on the right."""
    values = [10.0 ** floor(log10(most)) * times for times in (0.1, 0.2, 0.5, 1, 2, 5)]
    shown = [value for value in values if value <= most][-4::2] or [float(most)]
    x = RIGHT + 8
    shapes: list[Shape] = []
    line, fill = theme.pair("same")
    for value in reversed(shown):
        text = in_bytes(round(value))
        x -= width(text, TICK)
        shapes.append(written(x, 30, text, TICK, theme.quiet))
        radius = largest * sqrt(value / most)
        x -= 2 * radius + 5
        shapes.append(_circle(x + radius, 26, radius, fill, line))
        x -= 14
    text = "Memory: weights, and activations of an image"
    shapes.append(written(x + 2, 30, text, measure.DETAIL, theme.ink, anchor="end"))
    return [Group("legend", "", tuple(shapes))]


def _circle(x: float, y: float, radius: float, fill: str, line: str) -> Rect:
    return Rect(x - radius, y - radius, 2 * radius, 2 * radius, radius, fill, line, 1.2)


def _large_first(bubbles: Sequence[Bubble], found: Sequence[Compared]) -> list[tuple[Bubble, Compared]]:
    return sorted(zip(bubbles, found, strict=True), key=lambda pair: -pair[0].radius)


def _bubble(bubble: Bubble, one: Compared, theme: Theme) -> Shape:
    line, fill = theme.pair("conv")
    told = f"{one.name}: {one.params:,} parameters, {one.macs:,} MACs, {in_bytes(one.memory)}"
    told += f", {one.test_accuracy:.2%}" if one.test_accuracy is not None else ""
    return Group("bubble", told, (_circle(bubble.x, bubble.y, bubble.radius, fill, line),))


def _label(label: Label, theme: Theme) -> list[Shape]:
    text = written(label.x, label.y, label.text, measure.DETAIL, theme.ink)
    return [_line(label.line[0], label.line[1], theme.skip, 0.8), text] if label.line else [text]
