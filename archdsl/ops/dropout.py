"""Dropout."""

from archdsl.dims import Dim
from archdsl.ops.base import Extra, Facts, Helper, Op, Torch, count
from archdsl.ops.settings import Probability
from archdsl.ops.spatial import MAPS, TO_MAP
from archdsl.shape import Shape


def dropped(shape: Shape, p: float, noise: Dim) -> Facts:
    """What dropping with probability p keeps: the noise that it multiplies with; nothing at p = 0."""
    if p == 0:
        return Facts(shape, alias=True)
    kept = (Extra(1 if p == 1 else noise, 4, batch=p != 1),)
    return Facts(shape, saves=kept, saves_in_place=kept)


class Dropout(Op):
    """Zeroes each number with probability p in training and scales the rest up (torch.nn.Dropout)."""

    name = "dropout"
    kind = "dropout"
    traits = ("per channel",)
    training_only = True
    optional = ("p",)
    p: Probability = 0.5

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        return dropped(shape, self.p, count(*shape.sizes))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.Dropout", (self.p,))


class SpatialDropout(Op):
    """Zeroes whole channels with probability p in training (torch.nn.Dropout1d, 2d, 3d)."""

    name = "spatial_dropout"
    kind = "dropout"
    traits = ("per channel",)
    training_only = True
    optional = ("p",)
    axes = MAPS
    axes_help = TO_MAP
    p: Probability = 0.5

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        return dropped(shape, self.p, shape.channels)

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        (shape,) = inputs
        return Torch(f"nn.Dropout{len(shape.spatial)}d", (self.p,))


class AlphaDropout(Op):
    """Dropout that keeps mean and variance, for `selu` (torch.nn.AlphaDropout; Klambauer et al. 2017)."""

    name = "alpha_dropout"
    kind = "dropout"
    traits = ("per channel",)
    training_only = True
    optional = ("p",)
    p: Probability = 0.5

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        return dropped(shape, self.p, count(*shape.sizes))._replace(saves_in_place=())  # PyTorch has no such variant

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.AlphaDropout", (self.p,))


class StochasticDepth(Op):
    """Drops the whole branch of an image with probability p in training and scales the others up by 1 / (1 - p).

    torchvision.ops.StochasticDepth(p, "row"); Huang et al. 2016. At p = 0, and in evaluation, it is the identity.
    """

    name = "stochastic_depth"
    kind = "dropout"
    traits = ("per channel",)
    training_only = True
    p: Probability

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        shape = self.only(inputs)
        return Facts(shape, alias=True) if self.p == 0 else Facts(shape, saves=(Extra(1, 4),))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("StochasticDepth", (self.p,), helper=STOCHASTIC_DEPTH)


# The draws are those of torchvision, so that a seed gives the same numbers.
STOCHASTIC_DEPTH = Helper(
    "StochasticDepth",
    '''\
class StochasticDepth(nn.Module):
    """In training zeroes whole images with probability p and divides the others by 1 - p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        kept = 1 - self.p
        mask = x.new_empty(x.shape[0], *(1 for _ in x.shape[1:])).bernoulli_(kept)
        return x * (mask / kept if kept > 0 else mask)
''',
    ("import torch", "from torch import nn"),
)
