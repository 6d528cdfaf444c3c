"""Runs the compiled GoogLeNet on a batch of handwritten digits, blown up to its input size."""

from __future__ import annotations

import time

import torch
from sklearn.datasets import load_digits

import archdsl

BATCH = 32


def digits(count: int) -> torch.Tensor:
    """The first images of scikit-learn's digits as count x 3 x 224 x 224, from 0 to 1."""
    grey = torch.tensor(load_digits().images[:count], dtype=torch.float32)[:, None] / 16
    resized = torch.nn.functional.interpolate(grey, size=(224, 224), mode="bilinear")
    return resized.expand(-1, 3, -1, -1)


def main() -> None:
    """Builds, runs and prints what came out."""
    images = digits(BATCH)
    model = archdsl.load("googlenet").build().eval()
    start = time.perf_counter()
    with torch.inference_mode():
        scores = model(images)
    seconds = time.perf_counter() - start
    print(f"{BATCH} digits, {tuple(images.shape)} -> {tuple(scores.shape)} in {seconds:.2f} s (untrained weights)")


if __name__ == "__main__":
    main()
