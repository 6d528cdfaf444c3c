"""Linear layers."""

from archdsl.ops.base import Facts, Op, OpError, Torch
from archdsl.ops.conv import weight_and_bias
from archdsl.ops.settings import PositiveInt
from archdsl.shape import Shape


class Linear(Op):
    """Linear layer on the channels, where they are the last axis: C; tokens,C; H,W,C (torch.nn.Linear)."""

    name = "linear"
    aliases = (("linear", "fc dense fully_connected affine mlp matmul"),)
    kind = "linear"
    traits = ("linear map",)
    out: PositiveInt
    bias: bool = True

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        if shape.axes[-1] != "channels":
            raise OpError(
                f"`linear` on a {shape} map",
                code="linear-on-map",
                expected="features without spatial axes, or with the channels last",
                got=f"{shape} ({' x '.join(shape.axes)})",
                help="put `flatten`, or `avgpool to 1x1` and `flatten`, before it; `conv 1x1` acts on each position",
            )
        return Facts(
            shape.with_sizes(channels=self.out),
            weights=weight_and_bias((self.out, shape.channels), self.out, self.bias),
            work=(*shape.sizes, self.out),
            saves=("input",),
        )

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        return Torch("nn.Linear", (shape.channels, self.out), {"bias": self.bias}, {"bias": True})
