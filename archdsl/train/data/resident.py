"""Data sets that lie on the device whole."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from archdsl.train.data.geometry import fit
from archdsl.train.data.pipeline import Pipeline
from archdsl.train.data.split import Pixels, Split
from archdsl.train.devices import put

LIMIT = 1_000_000_000  # bytes, at the size that is wanted
_AT_ONCE = 1024


def is_small(split: Split, pipeline: Pipeline) -> bool:
    """Whether all images can lie on the device in the size that is wanted."""
    return len(split) * pipeline.channels * pipeline.size[0] * pipeline.size[1] <= LIMIT


class Resident:
    """Images on the device: in the size that is wanted where that is small enough, else fitted batch by batch."""

    def __init__(self, split: Pixels, pipeline: Pipeline) -> None:
        self._to = pipeline.preprocess
        self._labels = split.labels.to(pipeline.device)
        pixels = split.pixels
        self._fitted = is_small(split, pipeline)
        if self._fitted:
            pixels = torch.cat([fit(part, self._to) for part in torch.split(pixels, _AT_ONCE)])
        self._pixels = pixels.to(pipeline.device)

    def fetch(self, epoch: int, shares: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each list of indices the uint8 images and their labels."""
        for share in shares:
            where = put(share, self._pixels.device)
            images = self._pixels[where]
            yield images if self._fitted else fit(images, self._to), self._labels[where]
