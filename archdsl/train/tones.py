"""Brightness, contrast and their like, each image by its own amount; uint8 (N, C, H, W) with 1 or 3 channels.

The functions of torchvision.transforms.v2.functional with the same meaning, for a batch; amounts are (N,).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """0 is black, 1 changes nothing."""
    return _bytes(images * _each(factors))


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """0 is the mean grey, 1 changes nothing."""
    mean = _grey(images).mean(dim=(1, 2, 3), keepdim=True)
    return _blend(images, mean, factors)


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """0 is grey, 1 changes nothing."""
    return images if images.shape[1] == 1 else _blend(images, _grey(images), factors)


def sharpness(images: Tensor, factors: Tensor) -> Tensor:
    """0 is smoothed, 1 changes nothing; the outermost pixels stay."""
    channels, height, width = images.shape[1:]
    if height <= 2 or width <= 2:
        return images
    kernel = torch.full((3, 3), 1 / 13, device=images.device)
    kernel[1, 1] = 5 / 13
    values = images.float()
    smooth = functional.conv2d(values, kernel.expand(channels, 1, 3, 3), groups=channels).round_()
    inner = values[..., 1:-1, 1:-1]
    inner += (smooth - inner) * (1 - _each(factors))
    return _bytes(values)


def posterized(images: Tensor, bits: Tensor) -> Tensor:
    """Only the highest bits are kept; bits: from 0 to 8."""
    dropped = 8 - _each(bits.int())
    return ((images.int() >> dropped) << dropped).to(torch.uint8)


def solarized(images: Tensor, thresholds: Tensor) -> Tensor:
    """Inverted from a threshold on, from 0 to 255."""
    return torch.where(images >= _each(thresholds), 255 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Each channel spread over all values; one with a single value stays."""
    values = images.float()
    low, high = values.amin(dim=(2, 3), keepdim=True), values.amax(dim=(2, 3), keepdim=True)
    spread = _bytes((values - low) / ((high - low) * (1 / 255)))
    return torch.where(high == low, images, spread)


def equalized(images: Tensor) -> Tensor:
    """Each channel's values spread so that all are about as frequent, as Pillow does."""
    values = images.flatten(2).long()
    counts = values.new_zeros((*images.shape[:2], 256)).scatter_add_(2, values, torch.ones_like(values))
    until = counts.cumsum(2)
    step = (until[..., -1:] - counts.gather(2, values.amax(2, keepdim=True))) // 255
    below = functional.pad(until[..., :-1], (1, 0))
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(0, 255).to(torch.uint8)
    spread = table.gather(2, values).view_as(images)
    return torch.where(step[..., None] == 0, images, spread)


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    share = _each(factors)
    return _bytes(images * share + others * (1 - share))


def _bytes(values: Tensor) -> Tensor:
    return values.clamp_(0, 255).to(torch.uint8)


def _grey(images: Tensor) -> Tensor:
    """float32 (N, 1, H, W), whole numbers."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = (images[:, channel : channel + 1].float() for channel in range(3))
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


def _each(amounts: Tensor) -> Tensor:
    return amounts[:, None, None, None]
