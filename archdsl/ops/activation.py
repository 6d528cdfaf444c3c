"""Activations. Their settings have PyTorch's names and defaults."""

from typing import Any, ClassVar, Literal

from archdsl.ops.base import Divides, Extra, Facts, Op, OpError, Torch, Trait, count
from archdsl.ops.settings import Number
from archdsl.shape import Shape


class Activation(Op):
    """An elementwise function without weights.

    module: its name in torch.nn. saved: what autograd keeps; "copy" is one more tensor of the input's size.
    inplace: what it keeps where it runs in place; empty where PyTorch has no such variant. Keeping a copy of the
        input costs what the saved output would have cost.
    """

    kind = "activation"
    traits: ClassVar[tuple[Trait, ...]] = ("elementwise",)
    module: ClassVar[str]
    saved: ClassVar[tuple[str, ...]] = ("input",)
    inplace: ClassVar[tuple[str, ...]] = ()

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        in_place = _kept(self.inplace, shape) if self.in_place() else ()
        return Facts(shape, saves=_kept(self.saved, shape), saves_in_place=in_place)

    def in_place(self) -> bool:
        """Whether PyTorch's variant that runs in place, if there is one, does with these settings."""
        return True

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        fields = type(self).settings()
        settings = {key: getattr(self, key) for key in fields}
        defaults = {key: field.default for key, field in fields.items()}
        return Torch(f"nn.{self.module}", (), settings, defaults)


def _kept(names: tuple[str, ...], shape: Shape) -> tuple[str | Extra, ...]:
    return (*(name for name in names if name != "copy"), Extra(count(*shape.sizes), 4)) if "copy" in names else names


class Relu(Activation):
    """max(x, 0)."""

    name = "relu"
    traits = ("elementwise", "rectifies")
    module = "ReLU"
    saved = ("output",)
    inplace = ("output",)


class Relu6(Activation):
    """min(max(x, 0), 6)."""

    name = "relu6"
    traits = ("elementwise", "rectifies")
    module = "ReLU6"
    inplace = ("copy",)


class LeakyRelu(Activation):
    """x where it is positive, else negative_slope * x."""

    name = "leaky_relu"
    module = "LeakyReLU"
    inplace = ("output",)
    optional = ("negative_slope",)
    negative_slope: Number = 0.01

    def in_place(self) -> bool:
        return self.negative_slope > 0


class RandomizedRelu(Activation):
    """x where it is positive, else x times a slope drawn from low to high in training; in evaluation their mean."""

    name = "rrelu"
    module = "RReLU"
    saved = ("input", "copy")
    inplace = ("output", "copy")
    low: Number = 1 / 8
    high: Number = 1 / 3

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        settings = {"lower": self.low, "upper": self.high}
        return Torch("nn.RReLU", (), settings, {"lower": 1 / 8, "upper": 1 / 3})

    def in_place(self) -> bool:
        return self.low > 0


class Elu(Activation):
    """x where it is positive, else alpha * (exp(x) - 1)."""

    name = "elu"
    module = "ELU"
    inplace = ("output",)
    optional = ("alpha",)
    alpha: Number = 1.0

    def in_place(self) -> bool:
        return self.alpha > 0


class Selu(Activation):
    """The self-normalising ELU (Klambauer et al. 2017)."""

    name = "selu"
    module = "SELU"
    inplace = ("output",)


class Celu(Activation):
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)."""

    name = "celu"
    module = "CELU"
    inplace = ("output",)
    optional = ("alpha",)
    alpha: Number = 1.0

    def in_place(self) -> bool:
        return self.alpha > 0


class Gelu(Activation):
    """x times the normal distribution's cumulative probability at x; `approximate tanh` for its approximation."""

    name = "gelu"
    approximate: Literal["tanh"] | None = None

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.GELU", (), {"approximate": self.approximate or "none"}, {"approximate": "none"})


class Silu(Activation):
    """x * sigmoid(x), also called swish."""

    name = "silu"
    module = "SiLU"
    inplace = ("copy",)


class Mish(Activation):
    """x * tanh(softplus(x))."""

    name = "mish"
    module = "Mish"
    inplace = ("copy",)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    name = "sigmoid"
    module = "Sigmoid"
    saved = ("output",)


class LogSigmoid(Activation):
    """log(1 / (1 + exp(-x)))."""

    name = "logsigmoid"
    module = "LogSigmoid"
    saved = ("input", "copy")


class Tanh(Activation):
    """The hyperbolic tangent."""

    name = "tanh"
    module = "Tanh"
    saved = ("output",)


class Softplus(Activation):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""

    name = "softplus"
    module = "Softplus"
    beta: Number = 1.0
    threshold: Number = 20.0


class Softsign(Activation):
    """x / (1 + |x|)."""

    name = "softsign"
    module = "Softsign"
    saved = ("input", "copy")


class Hardswish(Activation):
    """x * min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)."""

    name = "hardswish"
    module = "Hardswish"
    inplace = ("copy",)


class Hardsigmoid(Activation):
    """min(max(x + 3, 0), 6) / 6."""

    name = "hardsigmoid"
    module = "Hardsigmoid"
    inplace = ("copy",)


class Hardtanh(Activation):
    """x, held between min_val and max_val."""

    name = "hardtanh"
    module = "Hardtanh"
    inplace = ("copy",)
    min_val: Number = -1.0
    max_val: Number = 1.0


class Hardshrink(Activation):
    """x, and 0 where |x| is at most lambd."""

    name = "hardshrink"
    module = "Hardshrink"
    lambd: Number = 0.5


class Softshrink(Activation):
    """x moved towards 0 by lambd, and 0 where |x| is at most lambd."""

    name = "softshrink"
    module = "Softshrink"
    lambd: Number = 0.5


class Tanhshrink(Activation):
    """x - tanh(x)."""

    name = "tanhshrink"
    module = "Tanhshrink"
    saved = ("copy",)


class Threshold(Activation):
    """x where it exceeds the threshold, else the value."""

    name = "threshold"
    inplace = ("copy",)
    threshold: Number
    value: Number

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.Threshold", (self.threshold, self.value))


class Prelu(Activation):
    """x where it is positive, else x times a learnt slope, one for all channels or, `per_channel`, one each."""

    name = "prelu"
    traits = ()  # by its weights
    per_channel: bool = False

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if self.per_channel and not shape.channels_first:
            raise OpError(
                "`prelu per_channel` needs the channels first",
                setting="per_channel",
                code="wrong-layout",
                got=f"{shape} ({' x '.join(shape.axes)})",
                help="put `layout NCHW` before it, or use one slope for all channels",
            )
        return Facts(shape, weights={"weight": (self._slopes(shape),)}, saves=("input",))

    def _slopes(self, shape: Shape) -> Any:
        return shape.channels if self.per_channel else 1

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        return Torch("nn.PReLU", (), {"num_parameters": self._slopes(shape)}, {"num_parameters": 1})


class AlongChannels(Activation):
    """A function over the channels at each position, in any layout."""

    traits: ClassVar[tuple[Trait, ...]] = ()

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        return Torch(f"nn.{self.module}", (), {"dim": channel_axis(shape)})


class Softmax(AlongChannels):
    """exp(x) over the sum of exp(x), over the channels."""

    name = "softmax"
    traits = ("distribution",)
    module = "Softmax"
    saved = ("output",)


class Softmin(AlongChannels):
    """exp(-x) over the sum of exp(-x), over the channels."""

    name = "softmin"
    module = "Softmin"
    saved = ("output",)


class LogSoftmax(AlongChannels):
    """The logarithm of softmax, over the channels."""

    name = "log_softmax"
    traits = ("distribution",)
    module = "LogSoftmax"
    saved = ("output",)


class Glu(AlongChannels):
    """The first half of the channels times the sigmoid of the second half (Dauphin et al. 2017)."""

    name = "glu"
    module = "GLU"

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if isinstance(shape.channels, int) and shape.channels % 2:
            raise OpError(
                f"`glu` halves the channels, and {shape.channels} is odd",
                expected="an even number of channels",
                got=str(shape.channels),
            )
        checks = () if isinstance(shape.channels, int) else (Divides(2, shape.channels, "number of channels"),)
        return Facts(shape.with_sizes(channels=shape.channels // 2), saves=self.saved, checks=checks)


def channel_axis(shape: Shape) -> int:
    """The channels' axis in a tensor: 1, or from behind, right for a `parameter` with and without a batch axis."""
    return 1 if shape.channels_first else shape.axes.index("channels") - len(shape.axes)
