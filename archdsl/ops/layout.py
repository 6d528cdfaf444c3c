"""Ops that move numbers about without computing any."""

from typing import Any, Literal

from archdsl.dims import prod
from archdsl.ops.base import GLOBAL, POINTWISE, AtLeast, Check, Facts, Helper, Op, OpError, Same, Torch
from archdsl.ops.merge import BATCH
from archdsl.ops.settings import Dimension, Int, Number, Scheme
from archdsl.ops.spatial import MAPS, TO_MAP
from archdsl.shape import LAYOUTS, Shape, image
from archdsl.trace import product

IMPORTS = ("import torch", "from torch import nn")


class Identity(Op):
    """Its input, as it is (torch.nn.Identity)."""

    name = "identity"
    kind = "other"
    traits = ("per channel",)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        return Facts(self.only(inputs), alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.Identity")


class Flatten(Op):
    """All numbers of an image as channels (torch.nn.Flatten)."""

    name = "flatten"
    aliases = (("flatten", "view ravel"),)
    kind = "shape"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if BATCH in shape.axes:
            raise OpError("`flatten` can't work on a `parameter`", code="wrong-layout", got=str(shape))
        window = GLOBAL if len(shape.axes) > 1 else POINTWISE
        return Facts(Shape(LAYOUTS[1], (product(shape.sizes),)), window=window, alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.Flatten")


class Reshape(Op):
    """The same numbers in another shape: C; C,L; C,H,W; or C,D,H,W.

    shape: a list of sizes, or `256x6x6`.
    """

    name = "reshape"
    kind = "shape"
    shape: tuple[Dimension, ...]

    def validate(self) -> None:
        if len(self.shape) not in LAYOUTS:
            raise OpError(
                "`reshape` needs one to four sizes",
                setting="shape",
                expected="C; C,L; C,H,W; or C,D,H,W",
                got=f"{len(self.shape)} sizes",
            )

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        old = self.only(inputs)
        new = image(*self.shape)
        if not isinstance(old.elements, int) or not isinstance(new.elements, int):
            checks: tuple[Check, ...] = (Same(old.elements, new.elements, "number of elements"),)
            return Facts(new, window=GLOBAL, alias=True, checks=checks)
        if old.elements != new.elements:
            raise OpError(
                f"`reshape` to {new} from {old}",
                setting="shape",
                expected=f"{old.elements} numbers, as in {old}",
                got=f"{new.elements} numbers, {new}",
            )
        return Facts(new, window=GLOBAL, alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("Reshape", (self.shape,), helper=RESHAPE)


RESHAPE = Helper(
    "Reshape",
    '''\
class Reshape(nn.Module):
    """Gives each image another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], *self.shape)
''',
    IMPORTS,
)

PERMUTE = Helper(
    "Permute",
    '''\
class Permute(nn.Module):
    """Puts the axes into another order."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(self.order)
''',
    IMPORTS,
)

_ORDERS = {
    1: {"NCL": LAYOUTS[2], "NLC": ("length", "channels")},
    2: {"NCHW": LAYOUTS[3], "NHWC": ("height", "width", "channels")},
    3: {"NCDHW": LAYOUTS[4], "NDHWC": ("depth", "height", "width", "channels")},
}


class Layout(Op):
    """The axes of a map in another order: `NHWC` puts the channels last, `NCHW` first (N stands for the batch)."""

    name = "layout"
    kind = "shape"
    order: Literal["NCL", "NLC", "NCHW", "NHWC", "NCDHW", "NDHWC"]

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        axes = self._axes(shape)
        return Facts(Shape(axes, tuple(shape.sizes[shape.axes.index(axis)] for axis in axes)), alias=True)

    def _axes(self, shape: Shape) -> tuple[str, ...]:
        orders = _ORDERS.get(len(shape.spatial), {})
        axes = orders.get(self.order)
        if axes is None or BATCH in shape.axes:
            raise OpError(
                f"`layout {self.order}` doesn't fit {' x '.join(shape.axes)}",
                setting="order",
                code="wrong-layout",
                expected=" or ".join(orders) or "a map, with spatial axes",
                got=f"{self.order} on {shape} ({' x '.join(shape.axes)})",
                help="" if orders else "`reshape` gives it such axes",
            )
        return axes

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        order = (0, *(shape.axes.index(axis) + 1 for axis in self._axes(shape)))
        return Torch("Permute", (order,), helper=PERMUTE)


class Tokens(Op):
    """The positions of a map as a sequence of tokens: C,H,W becomes H*W tokens of C."""

    name = "tokens"
    kind = "shape"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if not shape.spatial or BATCH in shape.axes:
            raise OpError(
                "`tokens` needs a map",
                code="wrong-layout",
                expected="channels and spatial axes",
                got=f"{shape} ({' x '.join(shape.axes)})",
            )
        return Facts(Shape(("tokens", "channels"), (prod(shape.spatial), shape.channels)), alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        if shape.channels_first:
            return Torch("Tokens", helper=TOKENS)
        return Torch("nn.Flatten", (1, -2))


TOKENS = Helper(
    "Tokens",
    '''\
class Tokens(nn.Module):
    """The positions of a map as a sequence: (N, C, H, W) becomes (N, H*W, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).transpose(1, 2)
''',
    IMPORTS,
)


class Transpose(Op):
    """Tokens and channels in each other's place: `linear` then works across the tokens (Tolstikhin et al. 2021)."""

    name = "transpose"
    kind = "shape"
    axes = (("tokens", "channels"),)
    axes_help = "`tokens` before it makes tokens of a map's positions"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        return Facts(Shape(shape.axes, shape.sizes[::-1]), window=GLOBAL, alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("Permute", ((0, 2, 1),), helper=PERMUTE)


class Take(Op):
    """One token of a sequence, counted from 0, or from -1 backwards: `take token 0`."""

    name = "take"
    kind = "shape"
    token: Int

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if shape.axes != ("tokens", "channels"):
            raise OpError(
                "`take` needs a sequence of tokens",
                code="wrong-layout",
                expected="tokens x channels",
                got=f"{shape} ({' x '.join(shape.axes)})",
                help="put `tokens` before it",
            )
        count, needed = shape.sizes[0], self.token + 1 if self.token >= 0 else -self.token
        if isinstance(count, int) and count < needed:
            raise OpError(
                f"there is no token {self.token} among {count}",
                setting="token",
                expected=f"{-count} to {count - 1}",
                got=str(self.token),
            )
        # An axis always has one.
        checks = () if isinstance(count, int) or needed == 1 else (AtLeast(count, needed, "number of tokens"),)
        return Facts(Shape(LAYOUTS[1], (shape.channels,)), window=GLOBAL, alias=True, checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("Take", (self.token,), helper=TAKE)


TAKE = Helper(
    "Take",
    '''\
class Take(nn.Module):
    """One token of a sequence."""

    def __init__(self, token: int) -> None:
        super().__init__()
        self.token = token

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, self.token]
''',
    IMPORTS,
)


class ChannelAffine(Op):
    """Each channel times a constant plus a constant, as pre-trained networks change how images are normalised.

    scale, shift: lists with a number for each channel.
    """

    name = "channel_affine"
    kind = "other"
    traits = ("per channel",)
    axes = MAPS
    axes_help = TO_MAP
    scale: tuple[Number, ...]
    shift: tuple[Number, ...]

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        for setting in ("scale", "shift"):
            given = len(getattr(self, setting))
            if given != shape.channels:
                raise OpError(
                    f"`{setting}` of `channel_affine` has {given} numbers for {shape.channels} channels",
                    setting=setting,
                    expected=f"{shape.channels} numbers",
                    got=f"{given} numbers",
                )
        return Facts(shape)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("ChannelAffine", (self.scale, self.shift), helper=CHANNEL_AFFINE)


CHANNEL_AFFINE = Helper(
    "ChannelAffine",
    '''\
class ChannelAffine(nn.Module):
    """Each channel times a constant plus a constant."""

    def __init__(self, scale: tuple[float, ...], shift: tuple[float, ...]) -> None:
        super().__init__()
        self.scale = scale
        self.shift = shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pairs = enumerate(zip(self.scale, self.shift, strict=True))
        return torch.cat([x[:, c : c + 1] * scale + shift for c, (scale, shift) in pairs], 1)
''',
    IMPORTS,
)


class Parameter(Op):
    """A learnt tensor under its own label; it ignores its input but for the names of the axes.

    shape: without the batch axis, or with a leading 1 for it: `[1, here.tokens, dim]`.
    init: how it is drawn.
    """

    name = "parameter"
    kind = "other"
    shape: tuple[Dimension, ...]
    init: Scheme = None

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        axes = tuple(axis for axis in inputs[0].axes if axis != BATCH)
        sizes = self.shape[1:] if self._leading(len(axes)) else self.shape
        if not sizes or len(sizes) > len(axes):
            raise OpError(
                f"`parameter` has {len(self.shape)} sizes, what it joins has {' x '.join(axes)}",
                setting="shape",
                expected=f"at most {len(axes)} sizes, after a leading 1 for the batch if you like",
                got=" x ".join(map(str, self.shape)),
            )
        named: tuple[str, ...] = axes[len(axes) - len(sizes) :]
        return Facts(Shape((BATCH, *named), (1, *sizes)), weights={"": self.shape})

    def _leading(self, rank: int) -> bool:
        """Whether the first size is the 1 that stands for the batch."""
        first: Any = self.shape[0] if self.shape else None
        return len(self.shape) == rank + 1 and isinstance(first, int) and first == 1

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch(expression="{weight}", parameter=True)
