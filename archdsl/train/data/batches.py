"""An epoch's batches, from any step on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from archdsl.train.augment import DRAWS, augment
from archdsl.train.data import draws, plan
from archdsl.train.data.pipeline import Pipeline


class Source(Protocol):
    """Where the images of a split come from."""

    def fetch(self, epoch: int, shares: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each list of indices the uint8 images, in the size that is wanted, and their labels, on the device."""


class Batches:
    """Batches of one process: images (float32, normalised, NCHW) and labels (int64), on the device.

    All that is random is a function of the pipeline's seed, the epoch and a sample's index.
    """

    def __init__(
        self, source: Source, count: int, pipeline: Pipeline, *, train: bool, skipped: tuple[str, ...] = ()
    ) -> None:
        self.skipped = skipped  # what is wrong with the images that were left out
        self._source = source
        self._count = count
        self._pipeline = pipeline
        self._train = train
        # Made once: a GPU would wait for each copy.
        self._mean, self._std = (
            torch.tensor(numbers, device=pipeline.device)[:, None, None] if numbers else None
            for numbers in (pipeline.mean, pipeline.std)
        )
        self._edges = plan.starts(count, pipeline)
        self._epoch = 0
        self._next = 0  # the step that the next iteration starts with
        self._done = 0

    def __len__(self) -> int:
        """The steps of a whole epoch."""
        return len(self._edges) - 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self._done, self._next = self._next, 0
        epoch, shares = self._epoch, self._shares(self._done)
        for share, (images, labels) in zip(shares, self._source.fetch(epoch, shares), strict=True):
            self._done += 1
            yield self._normalised(self._augmented(images, epoch, share)), labels

    def pictures(self, indices: list[int]) -> Tensor:
        """Some of the images by their places in the data set, before they are normalised: uint8, on the CPU."""
        ((images, _),) = self._source.fetch(0, [torch.tensor(indices)])
        return images.cpu()

    def weight(self, step: int) -> float:
        """What this process's mean counts in the mean over all of them; 1 where all have as many samples."""
        batch = torch.arange(*self._edges[step : step + 2])
        return len(plan.share(batch, self._pipeline)) * self._pipeline.world / len(batch)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is; another than before starts with its first step."""
        if epoch != self._epoch:
            self._epoch, self._next, self._done = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """The epoch, and the step of it to go on from."""
        return {"epoch": self._epoch, "step": self._done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on from there with the next iteration."""
        self._epoch = state["epoch"]
        self._next = self._done = state["step"]

    def _shares(self, start: int) -> list[Tensor]:
        """This process's indices of each batch from a step on."""
        seed = self._pipeline.seed
        order = plan.shuffled(self._count, seed, self._epoch) if self._train else torch.arange(self._count)
        return [plan.share(order[left:right], self._pipeline) for left, right in pairwise(self._edges[start:])]

    def _augmented(self, images: Tensor, epoch: int, share: Tensor) -> Tensor:
        if not self._train:
            return images
        chance = draws.uniforms((self._pipeline.seed, plan.AUGMENT, epoch), share, DRAWS)
        return augment(images, self._pipeline.augment, chance, self._pipeline.mean)

    def _normalised(self, images: Tensor) -> Tensor:
        values = images.to(torch.float32) / 255
        if self._mean is not None:
            values -= self._mean
        if self._std is not None:
            values /= self._std
        return values
