"""Random changes to training images: batched, on the device that they lie on, each image by its own random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from archdsl.recipe import Augment
from archdsl.train import policies, tones, warps
from archdsl.train.devices import put


class Draw(IntEnum):
    """Which of an image's random numbers is for what."""

    CROP = 0  # down, right
    FLIP = 2
    SHIFT = 3  # down, right
    SCALE = 5  # area, ratio, down, right
    ROTATE = 9
    COLOR = 10  # brightness, contrast, saturation
    ERASE = 13  # whether, and area, ratio, down, right
    POLICY = 18


DRAWS = Draw.POLICY + policies.DRAWS  # random numbers that an image needs

# Of random resized crops (Szegedy et al. 2015) and of random erasing (Zhong et al. 2017): width over height, area.
_CROP_RATIOS = (3 / 4, 4 / 3)
_ERASE_RATIOS = (0.3, 3.3)
_ERASE_AREAS = (0.02, 0.33)


class Boxes(NamedTuple):
    """Rectangles in whole pixels, one for each image: int64."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def augment(images: Tensor, how: Augment, chance: Tensor, erased: Sequence[float] = ()) -> Tensor:
    """uint8 images (N, C, H, W), each changed by its own row of `chance`: (N, DRAWS) from 0 to below 1, on the CPU.

    In this order: scale, rotate, shift, crop, flip, policy, color, erase. erased: what an erased pixel becomes, a value
    from 0 to 1 for each channel; black where it is empty. The result is uint8 of the same size.
    """
    there = put(chance, images.device)
    if how.scale is not None:
        images = warps.resized_crops(images, *crop_boxes(there, images.shape[-2:], how.scale))
    if how.rotate:
        degrees = (there[:, Draw.ROTATE] * 2 - 1) * how.rotate
        images = warps.warped(images, warps.rotation(degrees), "bilinear")
    if how.shift or how.crop or how.flip:
        images = _moved(images, how, there)
    if how.policy is not None:
        images = policies.distorted(images, how.policy, chance[:, Draw.POLICY :])
    if how.color:
        images = _recoloured(images, 1 + (there[:, Draw.COLOR : Draw.COLOR + 3] * 2 - 1) * how.color)
    if how.erase:
        images = _erased(images, how.erase, there[:, Draw.ERASE :], erased)
    return images


def crop_boxes(chance: Tensor, size: Sequence[int], shares: tuple[float, float]) -> Boxes:
    """What random resized crops cut out of images of a height and width. shares: of the area, from and to."""
    return _boxes(chance[:, Draw.SCALE :], size, shares, _CROP_RATIOS)


def _boxes(chance: Tensor, size: Sequence[int], shares: tuple[float, float], ratios: tuple[float, float]) -> Boxes:
    """Rectangles of an area evenly between the shares, a ratio evenly in its logarithm, anywhere in the image.

    One that is too long for the image is cut to it.
    """
    height, width = size
    area = (shares[0] + chance[:, 0] * (shares[1] - shares[0])) * (height * width)
    low, high = (torch.tensor(ratio).log().item() for ratio in ratios)
    ratio = (low + chance[:, 1] * (high - low)).exp()
    heights = (area / ratio).sqrt().round().long().clamp(1, height)
    widths = (area * ratio).sqrt().round().long().clamp(1, width)
    top = (chance[:, 2] * (height - heights + 1)).long()
    left = (chance[:, 3] * (width - widths + 1)).long()
    return Boxes(top, left, heights, widths)


def _moved(images: Tensor, how: Augment, chance: Tensor) -> Tensor:
    """Whole pixels up, down, left or right, and mirrored: values stay what they are."""
    height, width = images.shape[-2:]
    device = images.device
    rows = torch.arange(height, device=device).expand(len(images), -1)
    columns = torch.arange(width, device=device).expand(len(images), -1)
    if how.flip:
        columns = torch.where(chance[:, Draw.FLIP, None] < 0.5, width - 1 - columns, columns)
    by = _steps(chance[:, Draw.CROP : Draw.CROP + 2], how.crop)
    rows, columns = rows + by[:, :1], columns + by[:, 1:]
    inside = _within(rows, height)[:, :, None] & _within(columns, width)[:, None, :]
    by = _steps(chance[:, Draw.SHIFT : Draw.SHIFT + 2], how.shift)
    rows = (rows + by[:, :1]).clamp(0, height - 1)
    columns = (columns + by[:, 1:]).clamp(0, width - 1)
    which = torch.arange(len(images), device=device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return moved * inside[:, None] if how.crop else moved


def _steps(chance: Tensor, most: int) -> Tensor:
    """Whole numbers from -most to most."""
    return (chance * (2 * most + 1)).long() - most


def _within(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)


def _recoloured(images: Tensor, factors: Tensor) -> Tensor:
    """Brightness, contrast and saturation times a factor each: (N, 3)."""
    images = tones.brightness(images, factors[:, 0])
    images = tones.contrast(images, factors[:, 1])
    return tones.saturation(images, factors[:, 2])


def _erased(images: Tensor, share: float, chance: Tensor, colour: Sequence[float]) -> Tensor:
    """A rectangle of some images painted over. share: of the images."""
    height, width = images.shape[-2:]
    boxes = _boxes(chance[:, 1:], (height, width), _ERASE_AREAS, _ERASE_RATIOS)
    rows = torch.arange(height, device=images.device) - boxes.top[:, None]
    columns = torch.arange(width, device=images.device) - boxes.left[:, None]
    down = (rows >= 0) & (rows < boxes.height[:, None]) & (chance[:, :1] < share)
    across = (columns >= 0) & (columns < boxes.width[:, None])
    paint = (torch.tensor(colour or [0.0], device=images.device) * 255).round().to(torch.uint8)
    return torch.where((down[:, :, None] & across[:, None, :])[:, None], paint[:, None, None], images)


__all__ = ["DRAWS", "Augment", "Boxes", "Draw", "augment", "crop_boxes"]
