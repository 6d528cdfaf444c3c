"""Ops that change a map's size without a window: padding, interpolation, and moving channels to space and back."""

from typing import Any, Literal

from archdsl.dims import Dim
from archdsl.ops.base import GLOBAL, POINTWISE, AtLeast, Check, Divides, Facts, Helper, Op, OpError, Torch, Window
from archdsl.ops.settings import NonNegative, NonNegativeInt, PositiveInt, SizeOrShape
from archdsl.ops.spatial import MAPS, TO_MAP, at_least_one, map_size, per_axis, spelled
from archdsl.shape import SPATIAL, Shape


class PadOp(Op):
    """Extends axes at both ends (torch.nn.functional.pad).

    before, after: how much; one number for both. along: the axis; all spatial axes unless given.
    mode: what to put there; all but zeros are for the spatial axes of maps with the channels first.
    """

    name = "pad"
    kind = "shape"
    optional = ("after",)
    before: NonNegativeInt
    after: NonNegativeInt | None = None
    along: Literal["channels", "height", "width", "depth", "length", "tokens"] | None = None
    mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        chosen = self._chosen(shape)
        before, after = self._ends()
        checks: list[Check] = []
        for axis in chosen:
            checks += self._room(axis, shape.sizes[shape.axes.index(axis)])
        sizes = tuple(size + before + after if axis in chosen else size for axis, size in zip(*shape, strict=True))
        return Facts(
            Shape(shape.axes, sizes),
            window=self._window(shape, chosen),
            saves=("input",) if self.mode in ("reflect", "replicate") else (),
            checks=tuple(checks),
        )

    def _ends(self) -> tuple[int, int]:
        return self.before, self.before if self.after is None else self.after

    def _chosen(self, shape: Shape) -> tuple[str, ...]:
        """The axes that are extended."""
        chosen = tuple(axis for axis in shape.axes if axis in SPATIAL) if self.along is None else (self.along,)
        got = f"{shape} ({' x '.join(shape.axes)})"
        if not chosen or not set(chosen) <= set(shape.axes):
            raise OpError(
                "`pad` has no such axis here" if chosen else "`pad` needs spatial axes, or an axis with `along`",
                setting="along",
                expected=f"one of {', '.join(shape.axes)}",
                got=got,
            )
        if self.mode != "zeros" and not (shape.axes in MAPS and set(chosen) <= set(SPATIAL)):
            raise OpError(
                f"`mode {self.mode}` is for the spatial axes of a map with the channels first",
                setting="mode",
                got=f"{got} along {', '.join(chosen)}",
            )
        return chosen

    def _room(self, axis: str, size: Dim) -> list[Check]:
        """What the size must be at least: mirrored and wrapped numbers must exist."""
        if self.mode in ("zeros", "replicate"):
            return []
        needed = max(self._ends()) + (1 if self.mode == "reflect" else 0)
        if not isinstance(size, int):
            return [AtLeast(size, needed, f"input {axis}")]
        if size < needed:
            raise OpError(
                f"`pad mode {self.mode}` needs a {axis} of at least {needed}",
                setting="before",
                expected=f"at most {size - (needed - max(self._ends()))}",
                got=str(max(self._ends())),
            )
        return []

    def _window(self, shape: Shape, chosen: tuple[str, ...]) -> Window | str:
        if not set(chosen) & set(SPATIAL):
            return POINTWISE
        ones = (1,) * len(shape.spatial)
        spatial = [axis for axis in shape.axes if axis in SPATIAL]
        return Window(ones, ones, tuple(self.before if axis in chosen else 0 for axis in spatial), ones)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        chosen = self._chosen(shape)
        before, after = self._ends()
        # PyTorch counts from the last axis, two numbers each.
        first = min(shape.axes.index(axis) for axis in chosen)
        amounts: tuple[int, ...] = ()
        for axis in reversed(shape.axes[first:]):
            amounts += (before, after) if axis in chosen else (0, 0)
        if shape.axes not in MAPS or self.along == "channels":
            return Torch("Pad", (amounts,), helper=PAD)
        rank = len(shape.spatial)
        amounts += (0, 0) * (rank - len(amounts) // 2)
        kinds = {"zeros": "Zero", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
        same = self.after is None and len(chosen) == rank
        return Torch(f"nn.{kinds[self.mode]}Pad{rank}d", (before if same else amounts,))


PAD = Helper(
    "Pad",
    '''\
class Pad(nn.Module):
    """Puts zeros around: before and after the last axis, the one in front of it, and so on."""

    def __init__(self, amounts: tuple[int, ...]) -> None:
        super().__init__()
        self.amounts = amounts

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x, self.amounts)
''',
    ("import torch", "from torch import nn"),
)

Mode = Literal["nearest", "bilinear", "bicubic", "area"]


class Upsample(Op):
    """Interpolation to a size, to the size of another tensor, or by a factor (torch.nn.Upsample, interpolate).

    to: a size such as 28x28, or a shape such as `input` or `@path`, of which the spatial part counts.
    scale: the factor, a fraction with a power of two below it.
    mode: `bilinear` is linear on signals and trilinear on volumes; `bicubic` is for images.
    align_corners: the corners' centres, and not their edges, coincide.
    """

    name = "upsample"
    aliases = (("upsample", "interpolate resize unpool"),)
    kind = "shape"
    inputs = (1, 2)
    axes = MAPS
    axes_help = TO_MAP
    to: SizeOrShape | None = None
    scale: NonNegative | None = None
    mode: Mode = "bilinear"
    align_corners: bool = False

    def validate(self) -> None:
        if (self.to is None) == (self.scale is None):
            raise OpError("`upsample` needs either `to` or `scale`", setting="to" if self.to else None)
        if self.scale is not None and (self.scale == 0 or self.scale.as_integer_ratio()[1] > 4096):
            raise OpError(
                "`scale` of `upsample` must be a whole number or a fraction such as 1.5",
                setting="scale",
                expected="a positive fraction with a power of two below it",
                got=float.__repr__(float(self.scale)),
                help="give the size with `to`",
            )
        if self.align_corners and self.mode not in ("bilinear", "bicubic"):
            raise OpError(f"`align_corners` has no meaning for `mode {self.mode}`", setting="align_corners")

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs[:1])
        sizes = self._sizes(shape)
        if any(isinstance(size, int) and size < 1 for size in sizes):
            raise OpError(
                f"`upsample` makes nothing of a {map_size(shape)} map",
                setting="scale",
                code="window-too-large",
                got=" x ".join(map(str, sizes)),
            )
        return Facts(
            shape.with_sizes(spatial=sizes),
            window=self._window(shape, sizes),
            # PyTorch takes an adaptive average pool for it, and a mean for a single position.
            saves=("input",) if self.mode == "area" and any(size != 1 for size in sizes) else (),
            checks=at_least_one(shape, sizes) if self.scale is not None else (),
        )

    def _sizes(self, shape: Shape) -> tuple[Dim, ...]:
        if self.scale is not None:
            times, parts = self.scale.as_integer_ratio()
            return tuple(size * times // parts for size in shape.spatial)
        if not isinstance(self.to, Shape):
            return per_axis(self, "to", self.to, shape)
        if len(self.to.spatial) != len(shape.spatial):
            raise OpError(
                "`upsample to` needs a map with as many spatial axes",
                setting="to",
                expected=f"{len(shape.spatial)} spatial axes, as {shape} has",
                got=f"{self.to} ({' x '.join(self.to.axes)})",
            )
        return self.to.spatial

    def _mode(self, rank: int) -> str:
        if self.mode == "bicubic" and rank != 2:
            raise OpError("`mode bicubic` is for images only", setting="mode", got=f"{rank} spatial axes")
        return {1: "linear", 3: "trilinear"}.get(rank, self.mode) if self.mode == "bilinear" else self.mode

    def _window(self, shape: Shape, sizes: tuple[Dim, ...]) -> Window | str:
        """How far a position sees, where the factor is a whole number and the same everywhere."""
        self._mode(len(sizes))
        factors = []
        for size, out in zip(shape.spatial, sizes, strict=True):
            if self.scale is not None and float(self.scale).is_integer():
                factors.append(int(self.scale))
            elif isinstance(size, int) and isinstance(out, int) and out % size == 0:
                factors.append(out // size)
            else:
                return GLOBAL
        if self.align_corners:
            return GLOBAL
        reach = {"nearest": 0, "area": 0, "bilinear": 1, "bicubic": 2}[self.mode]
        return _interpolation(tuple(factors), reach)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape, *_) = inputs
        mode = self._mode(len(shape.spatial))
        corners = True if self.align_corners else None
        defaults = {"mode": "nearest", "align_corners": None}
        if not isinstance(self.to, Shape):
            size: dict[str, Any] = (
                {"size": spelled(self.to)} if self.scale is None else {"scale_factor": spelled(self.scale)}
            )
            return Torch("nn.Upsample", (), {**size, "mode": mode, "align_corners": corners}, defaults)
        places = [k for k, axis in enumerate(self.to.axes, 1) if axis in SPATIAL]
        stop = "" if places[-1] == len(self.to.axes) else places[-1] + 1
        extra = ", align_corners=True" if self.align_corners else ""
        size_of = f"{{1}}.shape[{places[0]}:{stop}]"
        return Torch(expression=f'nn.functional.interpolate({{0}}, size={size_of}, mode="{mode}"{extra})')


def _interpolation(factors: tuple[int, ...], reach: int) -> Window:
    """The window of an interpolation by whole factors that mixes 2*reach neighbours an axis (0: takes the nearest).

    Output o lies at (o + 1/2)/s - 1/2 of the input and sees the positions less than `reach` away.
    """
    if reach == 0:
        lows = tuple(s - 1 for s in factors)
        highs = (0,) * len(factors)
    else:
        lows = tuple((s * (2 * reach + 1) - 2) // 2 for s in factors)
        highs = tuple((s * (2 * reach - 1)) // 2 for s in factors)
    ones = (1,) * len(factors)
    return Window(tuple(low + high + 1 for low, high in zip(lows, highs, strict=True)), ones, lows, ones, factors)


class PixelShuffle(Op):
    """Channels into space: C*s*s,H,W becomes C,s*H,s*W (torch.nn.PixelShuffle; Shi et al. 2016)."""

    name = "pixel_shuffle"
    kind = "shape"
    axes = (MAPS[0],)
    axes_help = TO_MAP
    scale: PositiveInt

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if shape.channels % (self.scale * self.scale):
            raise OpError(
                f"`pixel_shuffle {self.scale}` needs a multiple of {self.scale * self.scale} channels",
                setting="scale",
                expected=f"a multiple of {self.scale * self.scale} channels",
                got=f"{shape.channels} channels",
            )
        sizes = tuple(size * self.scale for size in shape.spatial)
        out = shape.with_sizes(channels=shape.channels // (self.scale * self.scale), spatial=sizes)
        return Facts(out, window=_interpolation((self.scale,) * 2, 0))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.PixelShuffle", (self.scale,))


class PixelUnshuffle(Op):
    """Space into channels: C,s*H,s*W becomes C*s*s,H,W (torch.nn.PixelUnshuffle)."""

    name = "pixel_unshuffle"
    kind = "shape"
    axes = (MAPS[0],)
    axes_help = TO_MAP
    scale: PositiveInt

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        checks = []
        for axis, size in zip(shape.axes[1:], shape.spatial, strict=True):
            if not isinstance(size, int):
                checks.append(Divides(self.scale, size, f"input {axis}"))
            elif size % self.scale:
                raise OpError(
                    f"`pixel_unshuffle {self.scale}` needs sizes that are multiples of {self.scale}",
                    setting="scale",
                    expected=f"a multiple of {self.scale}",
                    got=map_size(shape),
                )
        step = (self.scale,) * 2
        out = shape.with_sizes(
            channels=shape.channels * self.scale * self.scale,
            spatial=tuple(size // self.scale for size in shape.spatial),
        )
        return Facts(out, window=Window(step, step, (0, 0), (1, 1)), checks=tuple(checks))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.PixelUnshuffle", (self.scale,))
