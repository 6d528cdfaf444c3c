"""What measurements share: processes, pairs taken in turn, and the rows of the table."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

# torchvision's wheel asks for a CUDA torch; beside a CPU torch two of its operators must be declared first.
TORCHVISION = """
import torch
library = torch.library.Library("torchvision", "FRAGMENT")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


class Row(dict[str, Any]):
    """One measured row: name, ours, peer (seconds or MB), ratio, what was wanted."""


def process(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a fresh process with a fresh home."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": home}
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert child.stderr is not None
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{errors.decode()}")
    return wall, usage.ru_maxrss / 1024


def alternating(runs: int, ours: Callable[[], Any], peer: Callable[[], Any]) -> tuple[list[Any], list[Any]]:
    """Results of two measurements taken in turn, after a warm-up of each."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def timed(function: Callable[[], Any], repeat: int) -> float:
    """Seconds a call, the fastest of some."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def row(name: str, ours: list[float], peer: list[float], unit: str, wanted: str) -> Row:
    """Medians, and the ratio pair by pair."""
    ratios = sorted(b / a for a, b in zip(ours, peer, strict=True))
    return Row(
        name=name,
        ours=round(statistics.median(ours), 5),
        peer=round(statistics.median(peer), 5),
        unit=unit,
        ratio=round(statistics.median(ratios), 2),
        ratios=[round(ratio, 2) for ratio in ratios],
        wanted=wanted,
    )
