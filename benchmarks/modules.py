"""Modules against torchvision's: constructing, forward, a training step, and their peak memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from measure import ROOT, Goal, Row, alternating, lacks, missing, repeated, row, share, timed
from networks import torchvision

NETWORKS = ("resnet18", "googlenet", "densenet121", "mobilenet_v2", "vit_b_16", "swin_t")
TWICE = ("googlenet", "swin_t")  # whose weights torchvision draws twice
BATCH = 4
PEER = "torchvision"

# One training step in a process of its own, for its peak memory.
STEP = """
import sys, torch
sys.path.insert(0, "benchmarks")
from modules import made, step
from tools import peak
torch.manual_seed(0)
step(made(sys.argv[1], sys.argv[2]))()
print(peak())
"""


def made(name: str, side: str) -> Any:
    """A network by archdsl (`ours`) or torchvision, initialised, in training mode."""
    import archdsl

    return archdsl.load(name).build() if side == "ours" else _theirs(name)


def _theirs(name: str, device: str = "cpu") -> Any:
    import torch

    with torch.device(device):
        return torchvision(name)


def forward(model: Any) -> Callable[[], Any]:
    """A run in evaluation mode."""
    import torch

    x = torch.randn(BATCH, 3, 224, 224)
    model.eval()

    def run() -> None:
        with torch.inference_mode():
            model(x)

    return run


def step(model: Any) -> Callable[[], Any]:
    """A training step: forward, backward and SGD."""
    import torch

    x = torch.randn(BATCH, 3, 224, 224)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    model.train()

    def run() -> None:
        output = model(x)
        outputs = [output] if isinstance(output, torch.Tensor) else list(output)
        torch.stack([one.sum() for one in outputs]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def modules(runs: int) -> list[Row]:
    """Each network against torchvision's."""
    if why := lacks("torchvision"):
        return [missing("modules", PEER, why)]
    _theirs("resnet18")
    return [found for name in NETWORKS for found in (*_made(name, runs), *_run(name, runs))]


def _made(name: str, runs: int) -> list[Row]:
    """Constructing: from the spec, and again from the source that is already there."""
    import archdsl

    network = archdsl.load(name)
    written = repeated(runs, lambda: timed(lambda: archdsl.load(name).source, 2))
    rows = [row(f"{name}: its source, from the spec", written, goal=Goal())]
    ways: tuple[tuple[str, Callable[[], Any], str, float | None], ...] = (
        ("from the spec, meta device", lambda: archdsl.load(name).build(device="meta"), "meta", None),
        ("constructing, meta device", lambda: network.build(device="meta"), "meta", 1),
        ("constructing, initialised", network.build, "cpu", 0.8 if name in TWICE else 1),
    )
    _ = network.source  # written once: what is measured is what every further model costs
    for what, ours, device, part in ways:
        times = alternating(runs, lambda f=ours: timed(f, 1), lambda d=device: timed(lambda: _theirs(name, d), 1))
        goal = Goal() if part is None else share(part)
        rows.append(row(f"{name}: {what}", *times, against=PEER, goal=goal))
    return rows


def _run(name: str, runs: int) -> list[Row]:
    """Equal weights, run and trained."""
    ours, theirs = made(name, "ours"), made(name, "theirs")
    theirs.load_state_dict(ours.state_dict())
    rows = []
    for what, kind in (("forward", forward), ("training step", step)):
        both = kind(ours), kind(theirs)
        times = alternating(runs, lambda b=both: timed(b[0], 2), lambda b=both: timed(b[1], 2))
        rows.append(row(f"{name}: {what}, {BATCH} images", *times, against=PEER, goal=share(1.02)))
    peaks = [[peak_of_step(name, side) for _ in range(2)] for side in ("ours", "theirs")]
    memory = f"{name}: peak memory of a step"
    return [*rows, row(memory, *peaks, unit="MB", against=PEER, goal=share(1.02, "memory"))]


def peak_of_step(name: str, side: str) -> float:
    """Peak memory in MB of a process that takes one training step; its own, not what its parent had."""
    done = subprocess.run(
        [sys.executable, "-c", STEP, name, side], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)
