"""The batches of a run, epoch after epoch, from wherever it left off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from archdsl.train.data import Batches

_MIXER = 0x9E3779B97F4A7C15  # odd and without a pattern: 2**64 over the golden ratio
_BELOW = 2**63


def seed_of(*numbers: int) -> int:
    """One seed from several numbers: other numbers, another seed (splitmix64's mixing)."""
    seed = 0
    for number in numbers:
        seed = (seed + number + 1) * _MIXER % 2**64
        seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EB % 2**64
        seed ^= seed >> 31
    return seed % _BELOW


class Stream:
    """Training batches that know where they are; Lightning saves and loads that with its checkpoints.

    edges: where in an epoch each batch begins, over all devices, and the end. parts: in which a step's images come.
    """

    def __init__(self, batches: Batches, edges: Sequence[int], parts: int) -> None:
        self._batches = batches
        self._edges = edges
        self._parts = parts
        self._epoch = 0
        self._done = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Stream:
        return self  # a copy of the network is no reason to copy the images

    @property
    def steps(self) -> int:
        """Of an epoch: how often the weights change."""
        return -(-len(self) // self._parts)

    @property
    def images(self) -> int:
        """Of an epoch, over all devices."""
        return self._edges[-1]

    @property
    def fewest(self) -> int:
        """Images in the smallest batch, over all devices."""
        return min(right - left for left, right in pairwise(self._edges))

    def images_of(self, number: int) -> int:
        """How many images the step has, over all devices, that the batch of this number belongs to."""
        first = number // self._parts * self._parts
        return self._edges[min(first + self._parts, len(self))] - self._edges[first]

    def go_to(self, epoch: int) -> None:
        """The next batch is the first one of an epoch."""
        self._epoch, self._done = epoch, 0

    def __len__(self) -> int:
        return len(self._edges) - 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self._batches.load_state_dict({"epoch": self._epoch, "step": self._done})
        for batch in self._batches:
            self._done += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._epoch, self._done = state["epoch"], state["done"]
