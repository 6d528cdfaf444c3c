"""Ops that nobody writes: what optimisation puts into a network."""

from archdsl.ops.activation import channel_axis
from archdsl.ops.base import Facts, Helper, Op, Torch
from archdsl.ops.settings import NonNegativeInt, PositiveInt
from archdsl.shape import Shape


class ChannelRange(Op):
    """Neighbouring channels, in any layout (torch.narrow).

    start: the first of them, counted from 0. length: how many.
    """

    name = "channel_range"
    kind = "shape"
    start: NonNegativeInt
    length: PositiveInt

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        return Facts(self.only(inputs).with_sizes(channels=self.length), alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        return Torch(expression=f"{{0}}.narrow({channel_axis(shape)}, {self.start}, {self.length})")


class Room(Op):
    """Memory for a map of so many channels, of the sizes of the input, with nothing in it yet (torch.empty)."""

    name = "room"
    kind = "shape"
    channels: PositiveInt

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        return Facts(self.only(inputs).with_sizes(channels=self.channels), alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch(expression=f"{{0}}.new_empty({{0}}.shape[0], {self.channels}, *{{0}}.shape[2:])")


class Append(Op):
    """Maps copied into a room behind the channels that are written already; all channels up to the last of them.

    start: how many are written already. The first input is the room.
    """

    name = "append"
    kind = "merge"
    inputs = (2, None)
    start: NonNegativeInt

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        room, *maps = inputs
        end = self.start + sum(one.channels for one in maps)
        return Facts(room.with_sizes(channels=end), alias=True)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("Append", (self.start,), helper=APPEND)


APPEND = Helper(
    "Append",
    '''\
class Append(nn.Module):
    """Copies maps into a room behind its first channels, and hands on all up to there."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start

    def forward(self, room: torch.Tensor, *maps: torch.Tensor) -> torch.Tensor:
        end = self.start
        for one in maps:
            room[:, end : end + one.shape[1]] = one
            end += one.shape[1]
        return room[:, :end]
''',
    ("import torch", "from torch import nn"),
)
