"""Memory that isn't there: told before the first step where that can be seen, and in words where a step finds none."""

from __future__ import annotations

import platform
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from archdsl.cli import run as archdsl_
from archdsl.train import trouble

WIDE = "net wide (classes = 10)\n  input 1x32x32\n  conv: conv 3x3, 8, pad same\n  mean\n  fc: linear classes\n"
# Of an image: what goes into the convolution and into the linear layer; a mean keeps nothing of the map that it is of.
# Of the weights, their gradients and Adam's two moments: four times 170 numbers.
STEP = 4 * (32 * 32 + 8)
WEIGHTS = 4 * 4 * (8 * 9 + 8 + 8 * 10 + 10)
TRAIN = ["train", "wide.arch", "--device", "cpu", "--epochs", "1", "--batch", "256", "--data", "fake:1x32x32"]


@pytest.fixture(autouse=True)
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wide.arch").write_text(WIDE)
    monkeypatch.chdir(tmp_path)


def noted(limit: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What is told beforehand in a container of so many bytes."""
    Path("memory.max").write_text(f"{limit}\n")
    monkeypatch.setattr(trouble, "_CGROUP", Path("memory.max"))
    assert archdsl_([*TRAIN, "--recipe", "optimizer=adam", *more]) == 0
    return "".join(line for line in capsys.readouterr().err.splitlines(keepends=True) if "wants" in line)


def test_a_step_that_takes_too_much_is_told_beforehand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = 256 * STEP + WEIGHTS
    assert noted(int(wanted / 0.8) + 16, monkeypatch, capsys) == ""
    told = noted(int(wanted / 0.8) - 16, monkeypatch, capsys)
    assert told.startswith("note: a step of 256 images wants about 0.0 GB")
    parts = re.search(r"`--recipe (accumulate=\d+)`", told)
    assert parts is not None
    assert noted(int(wanted / 0.8) - 16, monkeypatch, capsys, "--recipe", parts[1]) == ""


def test_where_not_even_one_image_fits_smaller_ones_are_advised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "smaller images want less" in noted(WEIGHTS, monkeypatch, capsys)


def test_a_step_that_finds_no_room_tells_what_would_fit() -> None:
    """PyTorch's own error, of a process that may have 3 GB and asks for 4.3 at once."""
    code = (
        "import resource, torch\n"  # which takes more than that, but not of what counts here
        "resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))\n"
        "from archdsl.__main__ import main\n"
        "main()"
    )
    more = ["--set", "classes=10", "--data", "fake:1x512x512", "--input", "1x512x512", "--batch", "512"]
    ran = subprocess.run([sys.executable, "-c", code, *TRAIN, *more], capture_output=True, text=True, check=False)
    assert ran.returncode == 3, ran.stderr
    assert "error: no room on `cpu` for 512 images at once: a step wants about" in ran.stderr
    assert "Traceback" not in ran.stderr


KEPT = """
import resource, sys
import torch
from archdsl.train.heap import keep_freed
if sys.argv[1] == "kept":
    keep_freed()
for _ in range(20):  # it takes some until the pieces fit
    torch.ones(16, 1024, 1024)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(16, 1024, 1024)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide for themselves")
def test_memory_that_a_step_frees_is_there_for_the_next() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", KEPT, how], check=True, capture_output=True, text=True).stdout)
        for how in ("given back", "kept")
    }
    assert faults["given back"] > 4 * 64 * 2**20 / resource.getpagesize() / 2  # four tensors of 64 MiB, page by page
    assert faults["kept"] < 100
