"""Pictures that tests save."""

from __future__ import annotations

import numpy as np
from PIL import Image


def photo(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Smooth shapes with noise, so that every pixel counts."""
    generator = np.random.default_rng(width * 1000 + height)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (3 + k)) * np.cos(columns / (5 + k)) for k in range(3)]
    pixels = np.stack(waves, 2) * 90 + 128 + generator.normal(0, 20, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)
