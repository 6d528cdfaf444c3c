"""Images mixed in pairs: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def mix(
    images: Tensor, labels: Tensor, classes: int, *, mixup: float, cutmix: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images mixed in pairs, and how much of each class is in them: float32 (images, classes).

    mixup, cutmix: the alpha of each one's Beta distribution, 0 for none; with both, one of them is drawn for the batch.
    generator: on the CPU. One amount holds for the whole batch, and pairs are neighbours in its shuffled order:
    processes that share a batch, with the same generator and an even number of images each, mix as a single one does.
    """
    assert mixup or cutmix
    targets = one_hot(labels, classes).float()
    chance = torch.rand(3, generator=generator)
    paste = bool(cutmix) and (not mixup or chance[0].item() < 0.5)
    share = _beta(cutmix if paste else mixup, generator)
    others = _neighbours(len(images)).to(images.device)
    if not paste:
        return _blended(images, images[others], share), _blended(targets, targets[others], share)
    top, bottom = _span(images.shape[-2], share, chance[1].item())
    left, right = _span(images.shape[-1], share, chance[2].item())
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[others, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (images.shape[-2] * images.shape[-1])
    return mixed, _blended(targets, targets[others], kept)


def _neighbours(count: int) -> Tensor:
    """Whom each is mixed with: 1, 0, 3, 2, ...; an odd one out with itself."""
    return (torch.arange(count) ^ 1).clamp(max=count - 1)


def _blended(values: Tensor, others: Tensor, share: float) -> Tensor:
    return values * share + others * (1 - share)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """A number from 0 to 1 by the Beta distribution with both parameters alpha."""
    import numpy

    seed = int(torch.randint(2**62, (), generator=generator))
    return float(numpy.random.default_rng(seed).beta(alpha, alpha))


def _span(size: int, share: float, middle: float) -> tuple[int, int]:
    """From where to where the other image is pasted in: sqrt(1 - share) of a side around a point, as far as it fits."""
    half = int(0.5 * (1 - share) ** 0.5 * size)
    at = int(middle * size)
    return max(0, at - half), min(size, at + half)
