"""Shapes: sizes with named axes, without the batch."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from archdsl.dims import Dim, prod

SPATIAL = ("depth", "height", "width", "length")
LAYOUTS = {
    1: ("channels",),
    2: ("channels", "length"),
    3: ("channels", "height", "width"),
    4: ("channels", "depth", "height", "width"),
}


@cache
def _spatial_slice(axes: tuple[str, ...]) -> slice:
    """Where the spatial axes stand, which are always side by side."""
    places = [place for place, axis in enumerate(axes) if axis in SPATIAL]
    return slice(places[0], places[-1] + 1) if places else slice(0, 0)


class Shape(NamedTuple):
    """A tensor's sizes without the batch axis, in memory order, each with the name of its axis."""

    axes: tuple[str, ...]
    sizes: tuple[Dim, ...]

    @property
    def channels(self) -> Dim:
        if self.axes[0] == "channels":
            return self.sizes[0]
        return self.sizes[self.axes.index("channels")]

    @property
    def spatial(self) -> tuple[Dim, ...]:
        """The sizes of the spatial axes, in their order; empty after `flatten` and for tokens."""
        return self.sizes[_spatial_slice(self.axes)]

    @property
    def elements(self) -> Dim:
        """Scalars per image."""
        return prod(self.sizes)

    @property
    def channels_first(self) -> bool:
        return self.axes[0] == "channels"

    def size(self, axis: str) -> Dim | None:
        """The size of an axis, None where this shape has no such axis."""
        return self.sizes[self.axes.index(axis)] if axis in self.axes else None

    def with_sizes(self, *, channels: Dim | None = None, spatial: tuple[Dim, ...] | None = None) -> Shape:
        """The same axes with other channels, other spatial sizes (in axis order), or both."""
        if self.axes[0] == "channels" and len(self.axes) > 1:  # nearly all shapes
            first = self.sizes[0] if channels is None else channels
            return Shape(self.axes, (first, *(self.sizes[1:] if spatial is None else spatial)))
        rest = iter(spatial) if spatial is not None else None
        sizes = []
        for axis, size in zip(self.axes, self.sizes, strict=True):
            if axis == "channels" and channels is not None:
                size = channels
            elif axis in SPATIAL and rest is not None:
                size = next(rest)
            sizes.append(size)
        return Shape(self.axes, tuple(sizes))

    def __str__(self) -> str:
        return " x ".join(map(str, self.sizes))


def image(*sizes: Dim) -> Shape:
    """Channels first, by the number of sizes: C; C,L; C,H,W; C,D,H,W."""
    return Shape(LAYOUTS[len(sizes)], sizes)
