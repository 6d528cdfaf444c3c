"""A small network that has been trained on the digits, for tests of what comes then."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import archdsl
from archdsl.train.data import Getting, Pixels, open_data
from archdsl.train.folder import RunFolder, Tuning
from archdsl.train.machine import Machine
from archdsl.train.plan import FRESH, plan
from archdsl.train.run import train

MEAN, STD = 0.3, 0.35
SPEC = f"""\
net small (classes = 10)
  input 1x8x8
  layer1:
    conv: conv 3x3, 8, pad same
    bn:   batchnorm
  relu
  layer2:
    conv: conv 3x3, 16
    bn:   batchnorm
  relu
  flatten
  fc: linear classes
  preprocess
    mean {MEAN}
    std {STD}
  train
    data digits
    batch 128
    epochs 2
    optimizer adamw
    lr 0.003
"""


def spec_in(folder: Path) -> Path:
    path = folder / "small.arch"
    path.write_text(SPEC)
    return path


def trained_in(
    folder: Path, name: str = "run", *, tuning: Tuning = FRESH, getting: Getting | None = None, **settings: Any
) -> RunFolder:
    """A run of the small network, to its end."""
    run = RunFolder(folder / name)
    planned = plan(spec_in(folder), folder, settings=settings, tuning=tuning)
    with redirect_stdout(io.StringIO()):
        train(planned, run, Machine("cpu"), getting or Getting(folder))
    return run


def module_of(run: RunFolder) -> nn.Module:
    """The trained module, by safetensors and torch alone."""
    from safetensors.torch import load_file

    module = archdsl.loads(SPEC).build()
    module.load_state_dict(load_file(run / "weights.safetensors"))
    return module.eval()


def the_tests() -> tuple[Tensor, Tensor]:
    """The test images as the network takes them, and their classes."""
    half = open_data("digits", "nowhere").test
    assert isinstance(half, Pixels)
    return (half.pixels / 255 - MEAN) / STD, half.labels


def scores_of(run: RunFolder) -> tuple[Tensor, Tensor]:
    """Of all test images at once, and their classes."""
    images, labels = the_tests()
    with torch.inference_mode():
        scores: Tensor = module_of(run)(images)
    return scores, labels
