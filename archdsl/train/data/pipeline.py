"""How images get from a data set to a network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from archdsl.failure import WrongUsage
from archdsl.recipe import Augment
from archdsl.runtime.preprocess import Preprocess

_NOTHING = Augment()
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What a network takes, and who takes it.

    channels: 1 or 3. size: height and width in pixels. mean and std: of each channel, where values lie from 0 to 1;
    empty for none. batch: images in a step, of all processes together. workers: processes that read images, where they
    don't all lie in memory. rank, world: which process of how many. resize: the short side before the middle is cut
    out, in pixels; None is the short side of `size`. interpolation: bilinear, bicubic or nearest.

    Raises WrongUsage where the processes can't have equal shares of a batch.
    """

    channels: int
    size: tuple[int, int]
    augment: Augment = _NOTHING
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    batch: int = 128
    seed: int = 0
    device: torch.device = _CPU
    workers: int = 0
    rank: int = 0
    world: int = 1
    resize: int | None = None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        assert 0 <= self.rank < self.world
        if self.batch < 1 or self.batch % self.world:
            message = f"a batch of {self.batch} has no equal shares for {self.world} processes"
            raise WrongUsage(message, help="give a batch size that is a multiple of their number")

    @property
    def preprocess(self) -> Preprocess:
        """The same for one image, as `predict` has it."""
        resize = min(self.size) if self.resize is None else self.resize
        return Preprocess(self.channels, resize, self.size, self.interpolation, self.mean, self.std)

    def without_scale(self) -> Pipeline:
        """The same for images that are random parts of pictures already."""
        return replace(self, augment=self.augment.model_copy(update={"scale": None}))
