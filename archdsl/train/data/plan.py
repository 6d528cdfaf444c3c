"""Which samples come in which step, and which of them on which process."""

from __future__ import annotations

from torch import Tensor

from archdsl.train.data import draws
from archdsl.train.data.pipeline import Pipeline

# What one seed is drawn for, so that no two uses see the same numbers.
SHUFFLE, AUGMENT = 1, 2


def starts(count: int, pipeline: Pipeline) -> list[int]:
    """Where each batch of an epoch starts, with the end of the last one behind: no sample is left out or comes twice.

    The last batch has what remains. Is that less than two samples a process, it joins the one before: a batch norm
    can't train on one sample, and a process without any would keep the others waiting.
    """
    edges = list(range(0, count, pipeline.batch))
    if len(edges) > 1 and count - edges[-1] < 2 * pipeline.world:
        edges.pop()
    return [*edges, count]


def share(batch: Tensor, pipeline: Pipeline) -> Tensor:
    """The part of a batch that this process has: neighbours, as many as the others or one more."""
    return batch.tensor_split(pipeline.world)[pipeline.rank]


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch's samples."""
    return draws.order((seed, SHUFFLE, epoch), count)
