"""Pictures read by worker processes, in the size that is wanted."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from archdsl.failure import Failure
from archdsl.runtime.preprocess import Preprocess, tensor_of
from archdsl.train.augment import DRAWS, crop_boxes
from archdsl.train.data import draws, plan
from archdsl.train.data.pipeline import Pipeline
from archdsl.train.data.split import Pictures
from archdsl.train.devices import put

Where: TypeAlias = tuple[int, int]  # epoch and index


class Broken(NamedTuple):
    """A picture that can't be read, and why."""

    number: int
    message: str
    help: str


class Read(NamedTuple):
    """A batch as workers give it: uint8 images (N, C, H, W), int64 labels; and what couldn't be read."""

    images: Tensor
    labels: Tensor
    broken: tuple[Broken, ...]


class _Reading(Dataset[tuple[Tensor, int] | Broken]):
    """One picture at a time; with `scale`, a random part of it, by the numbers that the epoch and index give."""

    def __init__(self, split: Pictures, to: Preprocess, seed: int, scale: tuple[float, float] | None) -> None:
        self._split = split
        self._to = to
        self._seed = seed
        self._scale = scale

    def __getitem__(self, where: Where) -> tuple[Tensor, int] | Broken:
        epoch, index = where
        try:
            picture, label = self._split.read(index, self._to.channels)
            if self._scale is None:
                return self._to.pixels(picture, self._split.name(index)), label
        except Failure as failure:
            # Told by value: an exception would come out of a worker as another one, with a traceback for a message.
            return Broken(index, failure.message, failure.help)
        chance = draws.uniforms((self._seed, plan.AUGMENT, epoch), torch.tensor([index]), DRAWS)
        boxes = crop_boxes(chance, (picture.height, picture.width), self._scale)
        top, left, height, width = (int(side) for side in boxes)
        box = (left, top, left + width, top + height)
        return tensor_of(picture.resize(self._to.crop[::-1], self._to.resampling(), box)), label


def _together(read: Sequence[tuple[Tensor, int] | Broken]) -> Read:
    whole = [one for one in read if not isinstance(one, Broken)]
    images = torch.stack([image for image, _ in whole]) if whole else torch.empty(0, dtype=torch.uint8)
    broken = tuple(one for one in read if isinstance(one, Broken))
    return Read(images, torch.tensor([label for _, label in whole], dtype=torch.int64), broken)


class _Plan:
    """The lists of pictures that come next."""

    def __init__(self) -> None:
        self.epoch = 0
        self.lists: Sequence[Tensor] = ()

    def __iter__(self) -> Iterator[list[Where]]:
        return ([(self.epoch, index) for index in indices.tolist()] for indices in self.lists)


class Reader:
    """Reads pictures of a split in as many processes as the pipeline says; none is this one."""

    def __init__(self, split: Pictures, pipeline: Pipeline, scale: tuple[float, float] | None = None) -> None:
        self._plan = _Plan()
        self._loader = _loader(_Reading(split, pipeline.preprocess, pipeline.seed, scale), self._plan, pipeline)

    def read(self, epoch: int, lists: Sequence[Tensor]) -> Generator[Read, None, None]:
        """Each list of pictures, in their order."""
        self._plan.epoch, self._plan.lists = epoch, lists
        yield from self._loader

    def stop(self) -> None:
        """Ends the processes at once. Left to the garbage collector, each would be waited for, for seconds."""
        del self._loader


def _loader(reading: _Reading, plan: _Plan, pipeline: Pipeline) -> DataLoader[Any]:
    return DataLoader(
        reading,
        batch_sampler=plan,
        num_workers=pipeline.workers,
        collate_fn=_together,
        pin_memory=pipeline.device.type == "cuda",
        persistent_workers=pipeline.workers > 0,
        worker_init_fn=_begin,
        generator=torch.Generator(),  # it draws a seed of its own; ours come with the pictures
    )


def _begin(worker: int) -> None:
    """A group of its own: what ends the run lets it write a checkpoint first, and read on until then.

    On Linux the process ends with the one that started it, however that ends: it has its locks too.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of sys/prctl.h


class Streamed:
    """Pictures read anew in each epoch. scale: random parts of them, as in Augment."""

    def __init__(self, split: Pictures, pipeline: Pipeline, scale: tuple[float, float] | None) -> None:
        self._reader = Reader(split, pipeline, scale)
        self._device = pipeline.device

    def fetch(self, epoch: int, shares: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each list of indices the uint8 images and their labels. Raises Failure for a picture that is broken."""
        reading = self._reader.read(epoch, shares)
        for images, labels, broken in reading:
            if broken:
                reading.close()
                self._reader.stop()
                raise failure(broken, len(broken))
            yield put(images, self._device), put(labels, self._device)


_TOLD = 10


def failure(broken: Sequence[Broken], total: int) -> Failure:
    """What to say of pictures that can't be read. total: how many were tried."""
    if len(broken) == 1:
        return Failure(broken[0].message, help=f"{_SKIP}, or mend or remove it")
    lines = [f"{len(broken):,} of {total:,} images can't be read", *(f"  {one.message}" for one in broken[:_TOLD])]
    if len(broken) > _TOLD:
        lines.append(f"  and {len(broken) - _TOLD:,} more")
    return Failure("\n".join(lines), help=f"{_SKIP}, or mend or remove them")


_SKIP = "leave out what is broken with `--skip-corrupt`"
