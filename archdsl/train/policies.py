"""Published policies of distortions: RandAugment (Cubuk et al. 2020) and TrivialAugment Wide (Mueller and Hutter 2021).

With the distortions, magnitudes and settings of torchvision's classes of those names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from archdsl.train import tones, warps

Policy = Literal["randaugment", "trivialaugment"]
Change = Callable[[Tensor, Tensor], Tensor]

_LEVELS = 31  # how many magnitudes there are, evenly from the weakest to the strongest
_RAND_LEVEL = 9
_COUNTS: dict[Policy, int] = {"randaugment": 2, "trivialaugment": 1}  # distortions of an image, one after another
_OF_EACH = 3  # random numbers of a distortion: which, how strong, which sign
DRAWS = _OF_EACH * max(_COUNTS.values())  # random numbers that an image needs


class Distortion(NamedTuple):
    """A change of uint8 images (N, C, H, W) by a magnitude each (N,).

    weakest, rand, trivial: the magnitude at the lowest level, and at the highest of each policy. signed: either sign is
    as probable. axis: where `rand` is a share of the image's size, along which axis.
    """

    change: Change
    weakest: float = 0
    rand: float = 0
    trivial: float = 0
    signed: bool = False
    axis: int | None = None


def distorted(images: Tensor, policy: Policy, chance: Tensor) -> Tensor:
    """uint8 images (N, C, H, W), each changed as its row of `chance` says: (N, DRAWS) from 0 to below 1, on the CPU."""
    for number in range(_COUNTS[policy]):
        images = _once(images, policy, chance[:, number * _OF_EACH :])
    return images


def _once(images: Tensor, policy: Policy, chance: Tensor) -> Tensor:
    # The images that get the same distortion are changed together.
    which = (chance[:, 0] * len(DISTORTIONS)).long()
    changed = images.clone()
    for number in sorted(set(which.tolist())):
        rows = (which == number).nonzero().flatten()
        distortion = DISTORTIONS[number]
        by = _magnitudes(distortion, policy, chance[rows], images.shape)
        there = rows.to(images.device)
        changed[there] = distortion.change(images[there], by.to(images.device))
    return changed


def _magnitudes(distortion: Distortion, policy: Policy, chance: Tensor, shape: torch.Size) -> Tensor:
    if policy == "randaugment":
        levels = torch.full((len(chance),), float(_RAND_LEVEL))
        strongest = distortion.rand * (1 if distortion.axis is None else shape[distortion.axis])
    else:
        levels = (chance[:, 1] * _LEVELS).floor()
        strongest = distortion.trivial
    by = distortion.weakest + levels / (_LEVELS - 1) * (strongest - distortion.weakest)
    return torch.where(chance[:, 2] < 0.5, -by, by) if distortion.signed else by


def _unchanged(images: Tensor, _: Tensor) -> Tensor:
    return images


def _sheared(axis: int, images: Tensor, by: Tensor) -> Tensor:
    """axis: 0 moves along the rows, 1 along the columns; the top left corner stays."""
    maps = _identities(by)
    maps[:, axis, 1 - axis] = by
    maps[:, axis, 2] = by * (images.shape[axis - 2] / 2)
    return warps.warped(images, maps, "nearest")


def _translated(axis: int, images: Tensor, by: Tensor) -> Tensor:
    """axis: 0 moves to the right, 1 down, by whole pixels."""
    maps = _identities(by)
    maps[:, axis, 2] = -by.trunc()
    return warps.warped(images, maps, "nearest")


def _identities(by: Tensor) -> Tensor:
    return torch.eye(2, 3, device=by.device).repeat(len(by), 1, 1)


def _rotated(images: Tensor, by: Tensor) -> Tensor:
    return warps.warped(images, warps.rotation(by), "nearest")


def _by_factor(change: Change, images: Tensor, by: Tensor) -> Tensor:
    return change(images, 1 + by)


def _posterized(images: Tensor, bits: Tensor) -> Tensor:
    return tones.posterized(images, bits.round())


def _alone(change: Callable[[Tensor], Tensor], images: Tensor, _: Tensor) -> Tensor:
    """A change without a magnitude."""
    return change(images)


# In torchvision's order.
DISTORTIONS: tuple[Distortion, ...] = (
    Distortion(_unchanged),
    Distortion(partial(_sheared, 0), 0, 0.3, 0.99, signed=True),
    Distortion(partial(_sheared, 1), 0, 0.3, 0.99, signed=True),
    Distortion(partial(_translated, 0), 0, 150 / 331, 32, signed=True, axis=-1),
    Distortion(partial(_translated, 1), 0, 150 / 331, 32, signed=True, axis=-2),
    Distortion(_rotated, 0, 30, 135, signed=True),
    Distortion(partial(_by_factor, tones.brightness), 0, 0.9, 0.99, signed=True),
    Distortion(partial(_by_factor, tones.saturation), 0, 0.9, 0.99, signed=True),
    Distortion(partial(_by_factor, tones.contrast), 0, 0.9, 0.99, signed=True),
    Distortion(partial(_by_factor, tones.sharpness), 0, 0.9, 0.99, signed=True),
    Distortion(_posterized, 8, 4, 2),
    Distortion(tones.solarized, 255, 0, 0),
    Distortion(partial(_alone, tones.autocontrast)),
    Distortion(partial(_alone, tones.equalized)),
)
