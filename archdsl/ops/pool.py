"""Pooling: over windows, to a given size (adaptive), and the mean."""

from typing import Any

from archdsl.dims import Dim
from archdsl.ops.base import GLOBAL, AtLeast, Check, Extra, Facts, Helper, Op, OpError, Torch, Window, count
from archdsl.ops.settings import Pad, Size
from archdsl.ops.spatial import MAPS, TO_MAP, Slide, padding, per_axis, slide, spelled, too_small
from archdsl.shape import LAYOUTS, Shape
from archdsl.trace import Sides


class MaxPool(Op):
    """Maximum over a window, or down to a size with `to` (torch.nn.MaxPoolNd, AdaptiveMaxPoolNd).

    kernel: the window. stride: as the kernel unless given. ceil: windows may begin inside and end outside.
    """

    name = "maxpool"
    aliases = (("maxpool", "pool max_pool maxpooling subsample"),)
    kind = "pool"
    optional = ("kernel",)
    axes = MAPS
    axes_help = TO_MAP
    kernel: Size | None = None
    stride: Size | None = None
    pad: Pad = 0
    ceil: bool = False
    dilation: Size = 1
    to: Size | None = None

    def validate(self) -> None:
        check_choice(self, self.kernel, self.to, stride=self.stride, pad=self.pad, dilation=self.dilation)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        seen, sizes, checks = self._slide(shape)
        out = shape.with_sizes(spatial=sizes)
        return Facts(out, window=seen, saves=("input", Extra(count(*out.sizes), 8)), checks=checks)

    def _slide(self, shape: Shape) -> tuple[Window | str, tuple[Dim, ...], tuple[Check, ...]]:
        if self.to is not None:
            return adaptive(self, shape, self.to)
        return pool(self, shape, self.kernel, self.stride, self.pad, self.dilation, ceil=self.ceil)

    def hint(self) -> str:
        return stride_hint(self, self.kernel, self.stride, self.pad)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        rank = len(shape.spatial)
        if self.to is not None:
            return Torch(f"nn.AdaptiveMaxPool{rank}d", (spelled(self.to),))
        settings = {} if self.stride is None else {"stride": spelled(self.stride)}
        settings |= {
            "padding": spelled(padding(self, self.pad, self.kernel, self.dilation)),
            "dilation": spelled(self.dilation),
            "ceil_mode": self.ceil,
        }
        defaults = {"padding": 0, "dilation": 1, "ceil_mode": False}
        return Torch(f"nn.MaxPool{rank}d", (spelled(self.kernel),), settings, defaults)


class AvgPool(Op):
    """Mean over a window, or down to a size with `to` (torch.nn.AvgPoolNd, AdaptiveAvgPoolNd).

    count_pad: whether the padding counts as zeros in the mean.
    """

    name = "avgpool"
    aliases = (
        ("avgpool to 1x1", "gap globalpool global_pool globalavgpool global_avgpool adaptiveavgpool adaptive_avgpool"),
        ("avgpool", "avg_pool averagepool averagepooling"),
    )
    kind = "pool"
    optional = ("kernel",)
    axes = MAPS
    axes_help = TO_MAP
    kernel: Size | None = None
    stride: Size | None = None
    pad: Pad = 0
    ceil: bool = False
    count_pad: bool = True
    to: Size | None = None

    def validate(self) -> None:
        check_choice(self, self.kernel, self.to, stride=self.stride, pad=self.pad)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if self.to is not None:
            seen, sizes, _ = adaptive(self, shape, self.to)
            # To one position is a mean in PyTorch, whose backward pass needs no input.
            saves = () if all(size == 1 for size in sizes) else ("input",)
            return Facts(shape.with_sizes(spatial=sizes), window=seen, saves=saves)
        view, sizes, checks = pool(self, shape, self.kernel, self.stride, self.pad, ceil=self.ceil)
        if len(sizes) == 3:
            checks += self._room(shape, view)
        return Facts(shape.with_sizes(spatial=sizes), window=view, saves=("input",), checks=checks)

    def _room(self, shape: Shape, seen: Window) -> tuple[Check, ...]:
        """PyTorch's AvgPool3d refuses a volume smaller than the window, whatever the padding and `ceil`."""
        if any(isinstance(size, int) and size < k for size, k in zip(shape.spatial, seen.kernel, strict=True)):
            raise too_small(self, shape, seen._replace(pad=(0, 0, 0)))
        return tuple(
            AtLeast(size, k, f"input {axis}")
            for axis, size, k in zip(shape.axes[1:], shape.spatial, seen.kernel, strict=True)
            if not isinstance(size, int)
        )

    def hint(self) -> str:
        return stride_hint(self, self.kernel, self.stride, self.pad)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        rank = len(shape.spatial)
        if self.to is not None:
            return Torch(f"nn.AdaptiveAvgPool{rank}d", (spelled(self.to),))
        settings = {} if self.stride is None else {"stride": spelled(self.stride)}
        settings |= {
            "padding": spelled(padding(self, self.pad, self.kernel, 1)),
            "ceil_mode": self.ceil,
            "count_include_pad": self.count_pad,
        }
        defaults = {"padding": 0, "ceil_mode": False, "count_include_pad": True}
        return Torch(f"nn.AvgPool{rank}d", (spelled(self.kernel),), settings, defaults)


class Mean(Op):
    """Mean over the spatial axes or the tokens: C is left."""

    name = "mean"
    kind = "pool"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if len(shape.axes) == 1:
            raise OpError("`mean` has no axis to go over", code="wrong-layout", got=f"{shape} (channels)")
        return Facts(Shape(LAYOUTS[1], (shape.channels,)), window=GLOBAL)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        axes = tuple(k for k, axis in enumerate(shape.axes, 1) if axis != "channels")
        return Torch("Mean", (axes,), helper=MEAN)


MEAN = Helper(
    "Mean",
    '''\
class Mean(nn.Module):
    """The mean over some axes."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(self.axes)
''',
    ("import torch", "from torch import nn"),
)


def check_choice(op: Op, kernel: Any, to: Any, **others: Any) -> None:
    """Raises OpError unless there is a kernel or a target size, and only what goes with it."""
    if kernel is None and to is None:
        raise OpError(
            f"`{op.name}` needs a kernel, or a size with `to`",
            code="missing-value",
            help=f"`{op.name} 2x2`, or `{op.name} to 1x1` for one value a channel",
        )
    if to is None:
        padding(op, others["pad"], kernel, others.get("dilation", 1))
        return
    if kernel is not None:
        raise OpError(f"`{op.name}` takes either a kernel or `to`", setting="to")
    for key, value in others.items():
        if value != getattr(type(op), key):
            raise OpError(f"`{key}` has no meaning in `{op.name} to`", setting=key)


def stride_hint(op: Op, kernel: Any, stride: Any, pad: Any) -> str:
    """Papers print pools that keep the size without their stride; here, as in PyTorch, it is the kernel."""
    if kernel is None or stride is not None or spelled(kernel) == 1:
        return ""
    # The padding that keeps the size at stride 1 is the half of an odd window.
    sides = kernel if isinstance(kernel, tuple) else (kernel,)
    keeps = spelled(Sides(side // 2 for side in sides)) if all(side % 2 for side in sides) else pad
    size = kernel if isinstance(kernel, tuple) else f"{kernel}x{kernel}"
    example = f"{op.name} {size}, stride 1" + (f", pad {keeps}" if keeps != 0 else "")
    return f"the stride of `{op.name}` is its kernel unless given; did you mean `{example}`?"


def pool(op: Op, shape: Shape, kernel: Any, stride: Any, pad: Any, dilation: Any = 1, *, ceil: bool) -> Slide:
    """A pooling window on a map; raises OpError where it doesn't fit or its padding is more than half of it."""
    pad = padding(op, pad, kernel, dilation)
    found = slide(op, shape, kernel, kernel if stride is None else stride, pad, dilation, ceil=ceil)
    if any(2 * p > k for p, k in zip(found.window.pad, found.window.kernel, strict=True)):
        raise OpError(
            f"the padding of `{op.name}` is more than half of its window",
            setting="pad",
            expected=f"at most {spelled(Sides(k // 2 for k in found.window.kernel))}",
            got=str(spelled(Sides(found.window.pad))),
        )
    return found


def adaptive(op: Op, shape: Shape, to: Any) -> tuple[Window | str, tuple[Dim, ...], tuple[()]]:
    """Pooling to a size: a window where the size divides the map's, else it depends on the place."""
    target = per_axis(op, "to", to, shape)
    step = tuple(size // goal for size, goal in zip(shape.spatial, target, strict=True) if isinstance(size, int))
    whole = step and all(size == k * goal for size, k, goal in zip(shape.spatial, step, target, strict=False))
    if len(step) < len(target) or not whole or all(goal == 1 for goal in target):
        return GLOBAL, target, ()
    return Window(step, step, (0,) * len(step), (1,) * len(step)), target, ()
