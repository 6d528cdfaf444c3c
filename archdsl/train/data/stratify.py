"""Two halves of a data set that comes in one piece, with each class in both by the same share."""

from __future__ import annotations

import torch
from torch import Tensor

from archdsl.train.data import draws

SHARE = 0.2  # for the test, where nothing else is told
# The halves are part of what a data set is, so that results can be compared: no seed of a run moves them.
_SEED = 0


def stratified(labels: Tensor, share: float = SHARE) -> tuple[Tensor, Tensor]:
    """The indices for training and for the test, in rising order.

    Of a class with n images, round(share * n) are for the test, but at least one stays for training.
    """
    shuffled = draws.order((_SEED,), len(labels))
    test = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(int(labels.max()) + 1):
        of_class = shuffled[labels[shuffled] == label]
        test[of_class[: _share_of(len(of_class), share)]] = True
    return (~test).nonzero().flatten(), test.nonzero().flatten()


def _share_of(count: int, share: float) -> int:
    return max(0, min(round(share * count), count - 1))
