"""Training: an epoch of `archdsl train` against one of a Lightning script written by hand."""

from __future__ import annotations

import sys
import tempfile

from measure import Goal, Row, in_turn, lacks, missing, row, share

SIDE, BATCH, IMAGES, EPOCHS = 64, 50, 4_000, 2
COUNTED = EPOCHS - 1
RECIPE = ("optimizer=sgd", "lr=0.01", "momentum=0.9", "schedule=constant")


def training(runs: int) -> list[Row]:
    """ResNet-18 on images of 64x64 that lie in memory, on the CPU: whole epochs, with the test and the checkpoint.

    runs: pairs of programs, each of some epochs; memory lies better in some processes than in others. The equally
    tuned script has the goal.
    """
    name = f"training ResNet-18 at 3x{SIDE}x{SIDE}, an epoch of {IMAGES:,} images"
    peers = {"tuned": ("a Lightning script, equally tuned", share(1.02)), "plain": ("a Lightning script", Goal())}
    if why := lacks("pytorch_lightning", "torchvision"):
        return [missing(name, against, why) for against, _ in peers.values()]
    rows = []
    for how, (against, goal) in peers.items():
        pairs = [pair for _ in range(runs) for pair in zip(*_epochs(how), strict=True)]
        rows.append(row(name, [a for a, _ in pairs], [b for _, b in pairs], against=against, goal=goal))
    return rows


def _epochs(how: str) -> tuple[list[float], list[float]]:
    """Seconds of each epoch, ours and the peer's; the first ones, which warm up, don't count."""
    with tempfile.TemporaryDirectory() as folder:
        ours = [sys.executable, "-m", "archdsl", "train", "resnet18", "--data", f"fake:3x{SIDE}x{SIDE}:10:{IMAGES}"]
        ours += ["--epochs", str(EPOCHS), "--batch", str(BATCH), "--device", "cpu", "--folder", f"{folder}/run"]
        for setting in RECIPE:
            ours += ["--recipe", setting]
        peer = [sys.executable, "benchmarks/by_hand.py", how, folder, *map(str, (SIDE, BATCH, IMAGES, EPOCHS))]
        mine, theirs = in_turn(ours, peer)
    return mine[-COUNTED:], theirs[-COUNTED:]
