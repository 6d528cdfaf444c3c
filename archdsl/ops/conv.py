"""Convolutions over (channels, *spatial); the rank follows the input."""

from typing import Any

from archdsl.ops.base import Facts, Op, OpError, Torch, Window
from archdsl.ops.settings import Offset, Pad, PositiveInt, Size, show
from archdsl.ops.spatial import MAPS, TO_MAP, at_least_one, map_size, padding, per_axis, slide, spelled
from archdsl.shape import Shape

DEFAULTS = {"stride": 1, "padding": 0, "groups": 1, "bias": True, "dilation": 1}


class Conv(Op):
    """Convolution (torch.nn.Conv1d, Conv2d, Conv3d).

    kernel, stride, pad, dilation: one number, or one per spatial axis; `pad same` keeps the size at stride 1.
    out: output channels. groups: splits input and output channels into that many independent convolutions.
    """

    name = "conv"
    aliases = (("conv", "convolution convolutional"),)
    kind = "conv"
    traits = ("linear map",)
    axes = MAPS
    axes_help = TO_MAP
    kernel: Size
    out: PositiveInt
    stride: Size = 1
    pad: Pad = 0
    dilation: Size = 1
    groups: PositiveInt = 1
    bias: bool = True

    def validate(self) -> None:
        padding(self, self.pad, self.kernel, self.dilation)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        check_groups(self, self.groups, shape.channels, self.out)
        pad = padding(self, self.pad, self.kernel, self.dilation)
        seen, sizes, checks = slide(self, shape, self.kernel, self.stride, pad, self.dilation)
        weight = (self.out, shape.channels // self.groups, *seen.kernel)
        return Facts(
            shape.with_sizes(channels=self.out, spatial=sizes),
            weights=weight_and_bias(weight, self.out, self.bias),
            work=(*sizes, *weight),
            window=seen,
            saves=("input",),
            checks=checks,
        )

    def hint(self) -> str:
        if self.pad != 0 or self.stride != 1 or self.kernel in (1, (1, 1), (1, 1, 1)):
            return ""
        written = f"conv {show(self.kernel)}, {self.out}"
        return f"a convolution without padding makes the map smaller; did you mean `{written}, pad same`?"

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {
            "stride": spelled(self.stride),
            "padding": spelled(padding(self, self.pad, self.kernel, self.dilation)),
            "dilation": spelled(self.dilation),
            "groups": self.groups,
            "bias": self.bias,
        }
        args = (shape.channels, self.out, spelled(self.kernel))
        return Torch(f"nn.Conv{len(shape.spatial)}d", args, settings, DEFAULTS)


class DepthwiseConv(Op):
    """Depthwise convolution: each channel by its own kernel (torch.nn.ConvNd with as many groups as channels)."""

    name = "dwconv"
    aliases = (("dwconv", "depthwise depthwiseconv depthwise_conv"),)
    kind = "conv"
    traits = ("linear map",)
    family = "conv"
    init_family = "conv"
    axes = MAPS
    axes_help = TO_MAP
    kernel: Size
    stride: Size = 1
    pad: Pad = 0
    dilation: Size = 1
    bias: bool = True

    def validate(self) -> None:
        padding(self, self.pad, self.kernel, self.dilation)

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        pad = padding(self, self.pad, self.kernel, self.dilation)
        seen, sizes, checks = slide(self, shape, self.kernel, self.stride, pad, self.dilation)
        weight = (shape.channels, 1, *seen.kernel)
        return Facts(
            shape.with_sizes(spatial=sizes),
            weights=weight_and_bias(weight, shape.channels, self.bias),
            work=(*sizes, *weight),
            window=seen,
            saves=("input",),
            checks=checks,
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {
            "stride": spelled(self.stride),
            "padding": spelled(padding(self, self.pad, self.kernel, self.dilation)),
            "dilation": spelled(self.dilation),
            "groups": shape.channels,
            "bias": self.bias,
        }
        args = (shape.channels, shape.channels, spelled(self.kernel))
        return Torch(f"nn.Conv{len(shape.spatial)}d", args, settings, DEFAULTS)


class ConvTranspose(Op):
    """Transposed convolution (torch.nn.ConvTranspose1d, 2d, 3d).

    A size n becomes (n-1)*stride - 2*pad + dilation*(kernel-1) + output_pad + 1.
    """

    name = "conv_transpose"
    aliases = (("conv_transpose", "deconv upconv up_conv convtranspose transposed_conv conv_t"),)
    kind = "conv"
    traits = ("linear map",)
    out_axis = 1
    init_family = "conv"
    axes = MAPS
    axes_help = TO_MAP
    kernel: Size
    out: PositiveInt
    stride: Size = 1
    pad: Offset = 0
    output_pad: Offset = 0
    dilation: Size = 1
    groups: PositiveInt = 1
    bias: bool = True

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        check_groups(self, self.groups, shape.channels, self.out)
        kernel = per_axis(self, "kernel", self.kernel, shape)
        stride = per_axis(self, "stride", self.stride, shape)
        pad = per_axis(self, "pad", self.pad, shape)
        dilation = per_axis(self, "dilation", self.dilation, shape)
        extra = per_axis(self, "output_pad", self.output_pad, shape)
        if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise OpError(
                "`output_pad` must be smaller than the stride or the dilation",
                setting="output_pad",
                expected=f"less than {spelled(self.stride)}",
                got=str(spelled(self.output_pad)),
            )
        sizes = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, k, s, p, d, e in zip(shape.spatial, kernel, stride, pad, dilation, extra, strict=True)
        )
        if any(isinstance(size, int) and size < 1 for size in sizes):
            raise OpError(
                f"`{self.name}` cuts its {map_size(shape)} input down to {' x '.join(map(str, sizes))}",
                setting="pad",
                code="window-too-large",
                help="a smaller `pad`, or a larger kernel",
            )
        weight = (shape.channels, self.out // self.groups, *kernel)
        # Spread by the stride, the input is seen through the kernel turned round.
        ahead = tuple(d * (k - 1) - p for k, p, d in zip(kernel, pad, dilation, strict=True))
        return Facts(
            shape.with_sizes(channels=self.out, spatial=sizes),
            weights=weight_and_bias(weight, self.out, self.bias),
            work=(*shape.spatial, *weight),
            window=Window(kernel, (1,) * len(kernel), ahead, dilation, stride),
            saves=("input",),
            checks=at_least_one(shape, sizes),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        settings = {
            "stride": spelled(self.stride),
            "padding": spelled(self.pad),
            "output_padding": spelled(self.output_pad),
            "groups": self.groups,
            "bias": self.bias,
            "dilation": spelled(self.dilation),
        }
        args = (shape.channels, self.out, spelled(self.kernel))
        return Torch(f"nn.ConvTranspose{len(shape.spatial)}d", args, settings, {**DEFAULTS, "output_padding": 0})


def weight_and_bias(weight: tuple[Any, ...], out: Any, bias: bool) -> dict[str, tuple[Any, ...]]:
    """The weights of a convolution or linear layer."""
    return {"weight": weight, "bias": (out,)} if bias else {"weight": weight}


def check_groups(op: Op, groups: int, channels: Any, out: int) -> None:
    """Raises OpError unless the groups divide the input and the output channels."""
    if channels % groups == 0 and out % groups == 0:
        return
    raise OpError(
        f"{groups} groups don't divide the {channels} input and {out} output channels of `{op.name}`",
        setting="groups",
        code="groups",
        expected=f"a number that divides both {channels} and {out}",
        got=str(groups),
    )
