"""Feature maps and filters as one picture: a row for each layer."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from archdsl.train.features import Layer, Seen
from archdsl.train.plots import plain, show

COLUMNS = 8  # maps in a row
_FILTERS = 2 * COLUMNS
# Inches.
_LABEL, _CELL, _GAP, _STRIP, _EDGE = 1.55, 0.7, 0.06, 0.26, 0.1
_WIDTH = _EDGE + _LABEL + COLUMNS * (_CELL + _GAP) + _EDGE
_LETTERS = 26


def drawn(seen: Seen) -> Figure:
    """The image, the first filters, and a row for each layer: its first channels, or a vector from left to right.

    All maps of a row have one scale, from the smallest value in them to the largest.
    """
    rows = [_CELL, *(_height(layer) for layer in seen.layers)]
    shown = 0 if seen.filters is None else min(len(seen.filters[1]), _FILTERS)
    rows += [_CELL] * -(-shown // COLUMNS)
    height = 2 * _EDGE + sum(rows) + _GAP * (len(rows) - 1)
    page = _Page(Figure(figsize=(_WIDTH, height)), height)
    page.label("image", tuple(seen.image.shape), _CELL)
    show(page.cell(0), seen.image)
    page.next(_CELL)
    if seen.filters is not None:
        name, weights = seen.filters
        page.label(f"{name.removesuffix('.weight')}, filters", tuple(weights.shape), _CELL)
        for number, one in enumerate(weights[:shown]):
            if number and not number % COLUMNS:
                page.next(_CELL)
            _filter(page.cell(number % COLUMNS), one, weights)
        page.next(_CELL)
    for layer in seen.layers:
        _layer(page, layer)
    return page.figure


class _Page:
    """A figure that is filled from the top."""

    def __init__(self, figure: Figure, height: float) -> None:
        self.figure = figure
        self._height = height
        self._top = height - _EDGE

    def next(self, height: float) -> None:
        self._top -= height + _GAP

    def label(self, name: str, shape: tuple[int, ...], height: float) -> None:
        text = f"{plain(name, _LETTERS)}\n{' x '.join(map(str, shape))}"
        x, y = _EDGE / _WIDTH, (self._top - height / 2) / self._height
        self.figure.text(x, y, text, fontsize=7.5, va="center", linespacing=1.25)

    def cell(self, column: int) -> Axes:
        return self._axes(_EDGE + _LABEL + column * (_CELL + _GAP), _CELL, _CELL)

    def strip(self) -> Axes:
        return self._axes(_EDGE + _LABEL, COLUMNS * (_CELL + _GAP) - _GAP, _STRIP)

    def _axes(self, left: float, width: float, height: float) -> Axes:
        box = (left / _WIDTH, (self._top - height) / self._height, width / _WIDTH, height / self._height)
        axes = self.figure.add_axes(box)
        axes.set_axis_off()
        return axes


def _title(layer: Layer) -> str:
    """Its name, and what it does where the name doesn't tell."""
    return f"{layer.name} ({layer.kind})" if layer.kind and "~" not in layer.name else layer.name


def _height(layer: Layer) -> float:
    return _STRIP if layer.values.dim() == 1 else _CELL


def _layer(page: _Page, layer: Layer) -> None:
    height = _height(layer)
    page.label(_title(layer), layer.shape, height)
    if layer.values.dim() == 1:
        page.strip().imshow(layer.values[None].numpy(), **_scale(layer.values), aspect="auto")
    else:
        some = layer.values[:COLUMNS]
        for column, one in enumerate(some):
            page.cell(column).imshow(one.numpy(), **_scale(some), aspect="auto" if len(layer.shape) == 2 else "equal")
    page.next(height)


def _scale(values: Tensor) -> dict[str, Any]:
    low, high = float(values.min()), float(values.max())
    return {"cmap": "viridis", "interpolation": "nearest", "vmin": low, "vmax": high if high > low else low + 1}


def _filter(axes: Axes, one: Tensor, every: Tensor) -> None:
    """A filter in colours where it reads colours; else its first channel, blue below zero and red above."""
    most = float(every.abs().max()) or 1.0
    if one.shape[0] == 3:
        axes.imshow((one / most / 2 + 0.5).permute(1, 2, 0).numpy(), interpolation="nearest")
    else:
        axes.imshow(one[0].numpy(), cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
