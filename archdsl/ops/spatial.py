"""Windows over spatial axes: what convolution and pooling share."""

from functools import lru_cache
from typing import Any, NamedTuple

from archdsl.dims import Dim, window
from archdsl.ops.base import AtLeast, Check, Op, OpError, Window
from archdsl.shape import LAYOUTS, Shape
from archdsl.trace import Sides

# Channels first, with one to three spatial axes: what Conv1d, 2d and 3d take.
MAPS = (LAYOUTS[3], LAYOUTS[2], LAYOUTS[4])
TO_MAP = "put `layout NCHW` before it if the channels are last; there is no way back from `flatten` but `reshape`"


class Slide(NamedTuple):
    """A window over a map: how it sees, the sizes it gives and what must hold of symbolic ones."""

    window: Window
    sizes: tuple[Dim, ...]
    checks: tuple[Check, ...]


def per_axis(op: Op, setting: str, value: Any, shape: Shape) -> tuple[int, ...]:
    """One plain number for each spatial axis of the input; raises OpError where `3x3` meets a signal."""
    rank = len(shape.spatial)
    if not isinstance(value, tuple):
        return (int(value),) * rank
    if len(value) != rank:
        axes = "1 spatial axis" if rank == 1 else f"{rank} spatial axes"
        raise OpError(
            f"`{setting}` of `{op.name}` has {len(value)} numbers, its input has {axes}",
            setting=setting,
            code="wrong-rank",
            expected="one number for all axes, or " + "x".join(["3"] * rank) if rank > 1 else "one number",
            got=f"{Sides(value)} on {shape} ({' x '.join(shape.axes)})",
        )
    return tuple(map(int, value))


def spelled(value: Any) -> Any:
    """A size as PyTorch users write it: one number where it is square, else the tuple."""
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def padding(op: Op, pad: Any, kernel: Any, dilation: Any) -> Any:
    """The padding as a number or Sides, `same` worked out: dilation*(kernel-1)/2; raises OpError for even kernels."""
    if pad != "same":
        return pad
    if not isinstance(kernel, tuple) and not isinstance(dilation, tuple):
        return _same(op, kernel, dilation)
    rank = max(len(value) for value in (kernel, dilation) if isinstance(value, tuple))
    kernels = kernel if isinstance(kernel, tuple) else (kernel,) * rank
    dilations = dilation if isinstance(dilation, tuple) else (dilation,) * rank
    # Where the lengths differ, per_axis has refused one of them or will.
    return Sides(_same(op, k, d) for k, d in zip(kernels, dilations, strict=False))


def _same(op: Op, kernel: int, dilation: int) -> int:
    if kernel % 2 == 0:
        raise OpError(
            f"`pad same` needs an odd kernel, `{op.name}` has {kernel}",
            setting="pad",
            expected="an odd kernel",
            got=str(kernel),
            help="write the padding as a number, or put a `pad` before it and after it as it should be",
        )
    return dilation * ((kernel - 1) // 2)


def slide(op: Op, shape: Shape, kernel: Any, stride: Any, pad: Any, dilation: Any = 1, *, ceil: bool = False) -> Slide:
    """The window on the spatial axes of a map; raises OpError where it doesn't fit a known size."""
    seen = _window(kernel, stride, pad, dilation, len(shape.spatial))
    if seen is None:
        settings = {"kernel": kernel, "stride": stride, "pad": pad, "dilation": dilation}
        for setting, value in settings.items():
            per_axis(op, setting, value, shape)
        raise AssertionError("one of the settings has the wrong number of axes")
    slid = _slide(shape.axes, shape.spatial, seen, ceil)
    if slid is None:
        raise too_small(op, shape, seen)
    return slid


@lru_cache(maxsize=1 << 12)
def _window(kernel: Any, stride: Any, pad: Any, dilation: Any, rank: int) -> Window | None:
    """The settings one an axis; None where one of them has another number of axes.

    Plain numbers: what is remembered for one caller must not carry its source to the next.
    """
    rows = [
        tuple(int(side) for side in value) if isinstance(value, tuple) else (int(value),) * rank
        for value in (kernel, stride, pad, dilation)
    ]
    return Window(*rows) if all(len(row) == rank for row in rows) else None


@lru_cache(maxsize=1 << 12)
def _slide(axes: tuple[str, ...], spatial: tuple[Dim, ...], seen: Window, ceil: bool) -> Slide | None:
    """What the window gives; None where a known size would be less than 1."""
    sizes = tuple(window(size, k, s, p, p, d, ceil) for size, k, s, p, d in zip(spatial, *seen[:4], strict=True))
    if any(isinstance(size, int) and size < 1 for size in sizes):
        return None
    return Slide(seen, sizes, at_least_one(Shape(axes, ()), sizes))


def at_least_one(shape: Shape, sizes: tuple[Dim, ...]) -> tuple[Check, ...]:
    """That the symbolic ones among an op's output sizes are at least 1."""
    axes = [axis for axis in shape.axes if axis in ("depth", "height", "width", "length")]
    return tuple(
        AtLeast(size, 1, f"output {axis}") for axis, size in zip(axes, sizes, strict=True) if not isinstance(size, int)
    )


def too_small(op: Op, shape: Shape, seen: Window) -> OpError:
    """A window that is larger than its padded input."""
    extent = tuple(d * (k - 1) + 1 for k, d in zip(seen.kernel, seen.dilation, strict=True))
    dilated = f", dilated to {Sides(extent)}" if extent != seen.kernel else ""
    padded = f" with pad {spelled(Sides(seen.pad))}" if any(seen.pad) else ""
    what = "map" if len(extent) > 1 else "signal"
    return OpError(
        f"`{op.name}` has a {Sides(seen.kernel)} window{dilated} on a {map_size(shape)} {what}",
        setting="kernel",
        code="window-too-large",
        expected=f"an input of at least {Sides(e - 2 * p for e, p in zip(extent, seen.pad, strict=True))}",
        got=f"{map_size(shape)}{padded}",
        help="a larger network input, a smaller kernel or stride before it, or `pad same`",
    )


def map_size(shape: Shape) -> str:
    """The spatial sizes as a message shows them: 7 x 7."""
    return " x ".join(map(str, shape.spatial))
