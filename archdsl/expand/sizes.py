"""Sizes of the input as numbers, where they are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.dims import Dim, Sym, at
from archdsl.shape import Shape


def at_sizes(value: Any, sizes: Mapping[str, int]) -> Any:
    """A shape, size or list of sizes with numbers for what is given."""
    if isinstance(value, Shape):
        return Shape(value.axes, tuple(at_sizes(size, sizes) for size in value.sizes))
    if type(value) is tuple:
        return tuple(at_sizes(item, sizes) for item in value)
    number = known(value, sizes) if isinstance(value, Sym) else None
    return value if number is None else number


def spelled(shape: Shape, sizes: Mapping[str, int]) -> str:
    """A shape as messages show it: numbers where they are given."""
    return str(at_sizes(shape, sizes))


def known(size: Dim, sizes: Mapping[str, int]) -> int | None:
    """A size as a number, None where it is open."""
    if not isinstance(size, Sym):
        return size
    return at(size, sizes) if size.names <= sizes.keys() else None
