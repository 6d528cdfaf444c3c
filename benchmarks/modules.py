"""Modules against torchvision's: constructing, forward, a training step, and their peak memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from measure import ROOT, TORCHVISION, Row, alternating, row, timed

NETWORKS = ("resnet18", "googlenet", "densenet121", "mobilenet_v2", "vit_b_16", "swin_t")
BATCH = 4
EQUAL = "at most 1.02 of its time"

# One training step in a process of its own, for its peak memory.
STEP = """
import sys, torch
sys.path.insert(0, "benchmarks")
from modules import made, step
torch.manual_seed(0)
step(made(sys.argv[1], sys.argv[2]))()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def made(name: str, side: str) -> Any:
    """A network by archdsl (`ours`) or torchvision, initialised, in training mode."""
    import archdsl

    return archdsl.load(name).build() if side == "ours" else _theirs(name)


def _theirs(name: str, device: str = "cpu") -> Any:
    import torch

    if "torchvision" not in sys.modules:
        exec(TORCHVISION, globals())  # noqa: S102 (our own constant)
    import torchvision

    options = {"init_weights": True} if name == "googlenet" else {}
    with torch.device(device):
        return getattr(torchvision.models, name)(weights=None, **options)


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
    import archdsl

    _theirs("resnet18")
    rows = []
    for name in NETWORKS:
        network = archdsl.load(name)
        _ = network.source  # written once: what is measured is what every further model costs
        drawn = alternating(runs, lambda n=network: timed(n.build, 1), lambda n=name: timed(lambda: _theirs(n), 1))
        wanted = "at most 0.8 of its time" if name in ("googlenet", "swin_t") else "at most its time"
        rows.append(row(f"{name}: constructing, initialised", *drawn, "s", wanted))
        meta = alternating(
            runs,
            lambda n=network: timed(lambda: n.build(device="meta"), 1),
            lambda n=name: timed(lambda: _theirs(n, "meta"), 1),
        )
        rows.append(row(f"{name}: constructing, meta device", *meta, "s", "at most its time"))
        ours, theirs = network.build(), _theirs(name)
        theirs.load_state_dict(ours.state_dict())
        for what, kind in (("forward", forward), ("training step", step)):
            both = kind(ours), kind(theirs)
            times = alternating(runs, lambda b=both: timed(b[0], 2), lambda b=both: timed(b[1], 2))
            rows.append(row(f"{name}: {what}, {BATCH} images", *times, "s", EQUAL))
        peaks = [[peak(name, side) for _ in range(2)] for side in ("ours", "theirs")]
        rows.append(row(f"{name}: peak memory of a step", *peaks, "MB", "at most 1.02 of its memory"))
    return rows


def peak(name: str, side: str) -> float:
    """Peak memory in MB of a process that takes one training step; its own, not what its parent had."""
    done = subprocess.run(
        [sys.executable, "-c", STEP, name, side], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout) / 1024
