"""From a data set's images to the channels and the size that a network takes."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from archdsl.runtime.preprocess import Preprocess

_LUMA = (19595, 38470, 7471)  # ITU-R 601-2, in 65536ths, as Pillow turns colours into grey


def fit(pixels: Tensor, to: Preprocess) -> Tensor:
    """Images of one size as `to` has them: what `Preprocess.pixels` does to a picture, for uint8 (N, C, H, W).

    A resized value may differ by 1 from Pillow's, whose weights have fewer digits.
    """
    return _cropped(_resized(_recoloured(pixels, to.channels), to), to.crop)


def _recoloured(pixels: Tensor, channels: int) -> Tensor:
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1)
    red, green, blue = (pixels[:, index : index + 1].int() * weight for index, weight in enumerate(_LUMA))
    return ((red + green + blue + 0x8000) >> 16).to(torch.uint8)


def _resized(pixels: Tensor, to: Preprocess) -> Tensor:
    height, width = pixels.shape[-2:]
    short, long = sorted((height, width))
    long = int(to.resize * long / short)
    size = (to.resize, long) if height <= width else (long, to.resize)
    if size == (height, width):
        return pixels
    if to.interpolation == "nearest":
        rows, columns = (_nearest(had, wanted, pixels) for had, wanted in zip((height, width), size, strict=True))
        return pixels[..., rows[:, None], columns]
    # As Pillow does, along the rows first, with whole numbers in between.
    for step in ((height, size[1]), size):
        values = functional.interpolate(pixels.float(), step, mode=to.interpolation, antialias=True)
        pixels = values.round_().clamp_(0, 255).to(torch.uint8)
    return pixels


def _nearest(had: int, wanted: int, like: Tensor) -> Tensor:
    """Which pixels along an axis lie under the middles of the new ones; Pillow goes from one to the next by adding."""
    step = had / wanted
    return torch.tensor([int(at) for at in accumulate([step] * (wanted - 1), initial=step / 2)], device=like.device)


def _cropped(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """torchvision.transforms.functional.center_crop; black around images that are too small."""
    more = [max(0, wanted - had) for wanted, had in zip(size, pixels.shape[-2:], strict=True)]
    if any(more):
        (top, left), (bottom, right) = ([one // 2 for one in more], [(one + 1) // 2 for one in more])
        pixels = functional.pad(pixels, (left, right, top, bottom))
        if pixels.shape[-2:] == size:
            return pixels
    height, width = pixels.shape[-2:]
    top, left = round((height - size[0]) / 2.0), round((width - size[1]) / 2.0)
    return pixels[..., top : top + size[0], left : left + size[1]]
