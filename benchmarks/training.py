"""Training: images a second of `archdsl train` against a Lightning script written by hand."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from measure import ROOT, Row, lacks, missing, row, share

IMAGES, SIDE, BATCH, EPOCHS = 1_000, 64, 50, 3
RECIPE = ["optimizer=sgd", "lr=0.01", "schedule=constant"]


def training(runs: int) -> list[Row]:
    """ResNet-18 on images of 64x64 that lie in memory, on the CPU; the first epoch, which warms up, doesn't count."""
    name, against = f"training ResNet-18, one image of 3x{SIDE}x{SIDE}", "a Lightning script"
    if why := lacks("pytorch_lightning", "torchvision"):
        return [missing(name, against, why)]
    pairs = [(_ours(), _peer()) for _ in range(runs)]
    return [row(name, [a for a, _ in pairs], [b for _, b in pairs], against=against, goal=share(1.02))]


def _ours() -> float:
    """Seconds an image, without the test that ends each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "archdsl", "train", "resnet18", "--data", f"fake:3x{SIDE}x{SIDE}"]
        command += ["--epochs", str(EPOCHS), "--batch", str(BATCH), "--device", "cpu", "--folder", f"{folder}/run"]
        for setting in RECIPE:
            command += ["--recipe", setting]
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    speeds = [line.split()[-2] for line in told[-EPOCHS:]]
    return 1 / max(float(speed.replace(",", "")) for speed in speeds[1:])


def _peer() -> float:
    command = [sys.executable, "benchmarks/by_hand.py", *map(str, (IMAGES, SIDE, BATCH, EPOCHS))]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return 1 / max(float(speed) for speed in told[-EPOCHS:][1:])
