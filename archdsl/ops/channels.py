"""Ops that part and reorder channels."""

from archdsl.ops.activation import channel_axis
from archdsl.ops.base import Check, Divides, Facts, Helper, Op, OpError, Torch
from archdsl.ops.merge import BATCH
from archdsl.ops.settings import PositiveInt
from archdsl.ops.spatial import MAPS
from archdsl.shape import Shape


class Chunk(Op):
    """One of equal parts along the channels, in any layout (torch.chunk).

    index: which part, counted from 1. of: how many parts.
    """

    name = "chunk"
    kind = "shape"
    index: PositiveInt
    of: PositiveInt = 2

    def validate(self) -> None:
        if self.index > self.of:
            raise OpError(
                f"there is no part {self.index} of {self.of}",
                setting="index",
                expected=f"1 to {self.of}",
                got=str(self.index),
                help="parts are counted from 1; `of` says how many there are",
            )

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        checks = _parts(self, shape, self.of, "of")
        return Facts(shape.with_sizes(channels=shape.channels // self.of), alias=True, checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        number, place = int(self.of), int(self.index) - 1
        return Torch(expression=f"torch.chunk({{0}}, {number}, {channel_axis(shape)})[{place}]")


class ChannelShuffle(Op):
    """The channels, in groups, read across the groups: 1 2 3 | 4 5 6 becomes 1 4 2 5 3 6 (torch.nn.ChannelShuffle).

    Zhang et al. 2018, ShuffleNet, figure 1.
    """

    name = "channel_shuffle"
    kind = "shape"
    groups: PositiveInt

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        checks = _parts(self, shape, self.groups, "groups")
        # Channels that are last are reordered by views, which copy only where the order changes.
        alias = shape.axes not in MAPS and self.groups in (1, shape.channels)
        return Facts(shape, alias=alias, checks=checks)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        if shape.axes in MAPS:
            return Torch("nn.ChannelShuffle", (self.groups,))
        return Torch("ShuffleLast", (self.groups,), helper=SHUFFLE_LAST)


SHUFFLE_LAST = Helper(
    "ShuffleLast",
    '''\
class ShuffleLast(nn.Module):
    """Reads the channels, which are last, across their groups."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.groups, -1)).transpose(-1, -2).flatten(-2)
''',
    ("import torch", "from torch import nn"),
)


def _parts(op: Op, shape: Shape, number: int, setting: str) -> tuple[Check, ...]:
    """What must hold for the channels to part equally; raises OpError where they don't."""
    if BATCH in shape.axes:
        raise OpError(f"`{op.name}` can't work on a `parameter`", code="wrong-layout", got=str(shape))
    channels = shape.channels
    if not isinstance(channels, int):
        return (Divides(number, channels, "number of channels"),)
    if channels % number:
        raise OpError(
            f"{number} equal parts can't be made of {channels} channels",
            setting=setting,
            code="groups",
            expected=f"a number that divides {channels}",
            got=str(number),
            help=f"a `conv 1x1` before it can give {channels + -channels % number} channels",
        )
    return ()
