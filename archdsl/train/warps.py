"""Images resampled, each by its own map."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Sampling = Literal["bilinear", "nearest"]


def resized_crops(images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """A rectangle of each uint8 image (N, C, H, W), bilinear in the size of the image.

    As torchvision.transforms.v2.functional.resized_crop, which reads no pixel outside of the rectangle either.
    """
    rows = _sources(top, height, images.shape[-2])
    columns = _sources(left, width, images.shape[-1])
    grid = torch.stack(
        [columns[:, None, :].expand(-1, images.shape[-2], -1), rows[:, :, None].expand(-1, -1, images.shape[-1])],
        dim=-1,
    )
    return _sampled(images, grid, "bilinear")


def _sources(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Where the pixels of one axis come from, in the coordinates of grid_sample: (N, size)."""
    start, length = start[:, None].float(), length[:, None].float()
    pixels = torch.arange(size, device=start.device) + 0.5
    inside = torch.minimum((pixels * (length / size)).clamp(min=0.5), length - 0.5)
    return (start + inside) * (2 / size) - 1


def warped(images: Tensor, maps: Tensor, sampling: Sampling) -> Tensor:
    """uint8 images (N, C, H, W) under an affine map each, black where nothing comes from.

    maps: (N, 2, 3), from a pixel's place (x, y, 1) to the place that it takes its value from, counted from the middle
    of the image. As torchvision.transforms.v2.functional.affine with the inverse matrix.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    places = torch.stack(
        [x.expand(height, -1), y[:, None].expand(-1, width), torch.ones_like(x).expand(height, -1)], -1
    )
    half = torch.tensor([width / 2, height / 2], device=images.device)
    grid = places.view(1, -1, 3) @ (maps.to(images.device).mT / half)
    return _sampled(images, grid.view(len(images), height, width, 2), sampling)


def rotation(degrees: Tensor) -> Tensor:
    """Maps that turn images counter-clockwise: (N, 2, 3)."""
    angle = degrees.deg2rad()
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return torch.stack([torch.stack([cos, -sin, none], -1), torch.stack([sin, cos, none], -1)], 1)


def _sampled(images: Tensor, grid: Tensor, sampling: Sampling) -> Tensor:
    values = functional.grid_sample(images.float(), grid, mode=sampling, padding_mode="zeros", align_corners=False)
    return values.round_().to(torch.uint8)
