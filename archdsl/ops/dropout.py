"""Dropout."""

from archdsl.dims import Dim
from archdsl.ops.base import Extra, Facts, Op, Torch, count
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
        return Torch("nn.Dropout", (self.p,), inplace=True)


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
        return Torch(f"nn.Dropout{len(shape.spatial)}d", (self.p,), inplace=True)


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
        return dropped(shape, self.p, count(*shape.sizes))

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        return Torch("nn.AlphaDropout", (self.p,))
