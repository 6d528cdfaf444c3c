"""Normalisation layers."""

from collections.abc import Mapping

from archdsl.dims import Dim, prod
from archdsl.ops.base import AtLeast, Buffer, Divides, Extra, Facts, Helper, Op, OpError, Torch, count
from archdsl.ops.settings import NonNegative, Number, PositiveInt
from archdsl.ops.spatial import MAPS, TO_MAP
from archdsl.shape import LAYOUTS, Shape


def affine_weights(channels: Dim, affine: bool, bias: bool = True) -> dict[str, tuple[Dim, ...]]:
    """The scale, and the shift, of each channel."""
    if not affine:
        return {}
    return {"weight": (channels,), "bias": (channels,)} if bias else {"weight": (channels,)}


def running_statistics(channels: Dim) -> Mapping[str, Buffer]:
    """What batch and instance norm keep for evaluation."""
    return {
        "running_mean": Buffer((channels,)),
        "running_var": Buffer((channels,)),
        "num_batches_tracked": Buffer((), "int64"),
    }


class BatchNorm(Op):
    """Batch normalisation (torch.nn.BatchNorm1d, 2d, 3d; Ioffe and Szegedy 2015).

    momentum: weight of the new batch in the running statistics; `none` averages all batches alike.
    affine: learn a scale and a shift for each channel. track: keep running statistics for evaluation.
    """

    name = "batchnorm"
    aliases = (("batchnorm", "bn batch_norm batchnormalization norm"),)
    kind = "norm"
    traits = ("per channel", "centres")
    axes = (LAYOUTS[1], *MAPS)
    axes_help = TO_MAP
    eps: NonNegative = 1e-5
    momentum: Number | None = 0.1
    affine: bool = True
    track: bool = True

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        channels = shape.channels
        return Facts(
            shape,
            weights=affine_weights(channels, self.affine),
            buffers=running_statistics(channels) if self.track else {},
            saves=("input", Extra(count(2, channels), 4, batch=False)),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": self.affine,
            "track_running_stats": self.track,
        }
        defaults = {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
        return Torch(f"nn.BatchNorm{max(len(shape.spatial), 1)}d", (shape.channels,), settings, defaults)


class LayerNorm(Op):
    """Layer normalisation over the channels at each position, in any layout (torch.nn.LayerNorm; Ba et al. 2016)."""

    name = "layernorm"
    aliases = (("layernorm", "ln layer_norm"),)
    kind = "norm"
    eps: NonNegative = 1e-5
    affine: bool = True
    bias: bool = True

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        positions = prod(size for axis, size in zip(shape.axes, shape.sizes, strict=True) if axis != "channels")
        return Facts(
            shape,
            weights=affine_weights(shape.channels, self.affine, self.bias),
            saves=("input", Extra(2 * positions, 4)),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {"eps": self.eps, "elementwise_affine": self.affine, "bias": self.bias}
        defaults = {"eps": 1e-5, "elementwise_affine": True, "bias": True}
        if shape.axes[-1] == "channels":
            return Torch("nn.LayerNorm", (shape.channels,), settings, defaults)
        helper = layer_norm_helper(len(shape.spatial))
        return Torch(helper.name, (shape.channels,), settings, defaults, helper=helper)


def layer_norm_helper(rank: int) -> Helper:
    """Layer normalisation over the channels of maps with so many spatial axes, as torchvision's LayerNorm2d."""
    last = (0, *range(2, rank + 2), 1)
    first = (0, rank + 1, *range(1, rank + 1))
    source = f'''\
class LayerNorm{rank}d(nn.LayerNorm):
    """Layer normalisation over the channels at each position of a map, channels first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute{last}
        x = nn.functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute{first}
'''
    return Helper(f"LayerNorm{rank}d", source, ("import torch", "from torch import nn"))


class RmsNorm(Op):
    """Root-mean-square normalisation over the channels, which are the last axis (torch.nn.RMSNorm).

    eps: `none` is the machine epsilon of the dtype.
    """

    name = "rmsnorm"
    kind = "norm"
    eps: NonNegative | None = None
    affine: bool = True

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if shape.axes[-1] != "channels":
            raise OpError(
                "`rmsnorm` needs the channels last",
                code="wrong-layout",
                got=f"{shape} ({' x '.join(shape.axes)})",
                help="put `layout NHWC` or `tokens` before it",
            )
        positions, elements = prod(shape.sizes[:-1]), count(*shape.sizes)
        return Facts(
            shape,
            weights=affine_weights(shape.channels, self.affine, bias=False),
            saves=("input", Extra(positions + self.affine * elements, 4)),
            saves_first=(Extra(elements, 4),),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {"eps": self.eps, "elementwise_affine": self.affine}
        return Torch("nn.RMSNorm", (shape.channels,), settings, {"eps": None, "elementwise_affine": True})


class GroupNorm(Op):
    """Group normalisation (torch.nn.GroupNorm; Wu and He 2018).

    groups: of neighbouring channels, each normalised over its channels and all positions.
    """

    name = "groupnorm"
    aliases = (("groupnorm", "gn group_norm"),)
    kind = "norm"
    axes = (LAYOUTS[1], *MAPS)
    axes_help = TO_MAP
    groups: PositiveInt
    eps: NonNegative = 1e-5
    affine: bool = True

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        symbolic = not isinstance(shape.channels, int)
        if not symbolic and shape.channels % self.groups:
            raise OpError(
                f"{self.groups} groups don't divide the {shape.channels} channels of `{self.name}`",
                setting="groups",
                code="groups",
                expected=f"a number that divides {shape.channels}",
                got=str(self.groups),
            )
        return Facts(
            shape,
            weights=affine_weights(shape.channels, self.affine),
            saves=("input", Extra(count(2, self.groups), 4)),
            checks=(Divides(self.groups, shape.channels, "number of channels"),) if symbolic else (),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {"eps": self.eps, "affine": self.affine}
        return Torch("nn.GroupNorm", (self.groups, shape.channels), settings, {"eps": 1e-5, "affine": True})


class InstanceNorm(Op):
    """Instance normalisation: each channel of each image by itself (torch.nn.InstanceNorm1d, 2d, 3d).

    affine: learn a scale and a shift for each channel. track: keep running statistics for evaluation.
    """

    name = "instancenorm"
    kind = "norm"
    traits = ("centres",)
    axes = MAPS
    axes_help = TO_MAP
    eps: NonNegative = 1e-5
    momentum: Number = 0.1
    affine: bool = False
    track: bool = False

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        positions = prod(shape.spatial)
        if isinstance(positions, int) and positions < 2:
            raise OpError(
                "`instancenorm` needs more than one position to take a mean over",
                expected="a map larger than 1 x 1",
                got=str(shape),
            )
        checks = () if isinstance(positions, int) else (AtLeast(positions, 2, "number of positions"),)
        # PyTorch runs it as a batch norm over batch*channels, with its weight and running statistics repeated.
        copies = 2 + self.affine + 2 * self.track
        return Facts(
            shape,
            weights=affine_weights(shape.channels, self.affine),
            buffers=running_statistics(shape.channels) if self.track else {},
            saves=("input", Extra(count(copies, shape.channels), 4)),
            checks=checks,
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": self.affine,
            "track_running_stats": self.track,
        }
        defaults = {"eps": 1e-5, "momentum": 0.1, "affine": False, "track_running_stats": False}
        return Torch(f"nn.InstanceNorm{len(shape.spatial)}d", (shape.channels,), settings, defaults)


class LocalResponseNorm(Op):
    """Local response normalisation over neighbouring channels (torch.nn.LocalResponseNorm; Krizhevsky et al. 2012).

    size: channels in the sum. The output is x / (k + alpha/size * sum of squares) ** beta.
    """

    name = "lrn"
    aliases = (("lrn", "localresponsenorm local_response_norm"),)
    kind = "norm"
    axes = MAPS
    axes_help = TO_MAP
    size: PositiveInt
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        # Computed from plain operations: the padded squares, the sums with their power, and the quotient's divisor.
        padded = count(shape.channels + self.size - 1, *shape.spatial)
        return Facts(shape, saves=("input", Extra(padded + 2 * count(*shape.sizes), 4)))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        settings = {"alpha": self.alpha, "beta": self.beta, "k": self.k}
        defaults = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
        if len(inputs[0].spatial) == 3:
            return Torch("LocalResponseNorm3d", (self.size,), settings, defaults, helper=RESPONSE_NORM_3D)
        return Torch("nn.LocalResponseNorm", (self.size,), settings, defaults)


RESPONSE_NORM_3D = Helper(
    "LocalResponseNorm3d",
    '''\
class LocalResponseNorm3d(nn.LocalResponseNorm):
    """Local response normalisation of a volume, in whatever order its numbers lie in memory."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.contiguous())
''',
    ("import torch", "from torch import nn"),
)
