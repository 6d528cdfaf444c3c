"""A fault in any file operation: full disks, broken ones, read-only folders, killed processes; odd clocks.

`scripts/faults` tries every operation of every command; here a few of each are tried.
"""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from fault_scenarios import QUICK
from test_train import SIDES, rows, run, weights

from archdsl.failure import Failure, WrongUsage
from archdsl.train.folder import RunFolder
from archdsl.train.saving import Atomic


def tried(most: int, *names: str) -> subprocess.CompletedProcess[str]:
    """What `scripts/faults` tells of some scenarios; so many faults of each kind."""
    command = [sys.executable, str(Path(__file__).with_name("fault_scenarios.py")), str(most), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_these_tests_look_for_would_be_seen() -> None:
    found = tried(0, "careless")
    assert found.returncode == 1, found.stderr
    for told in (
        "full at 2: `net.py` is neither what it was nor what it was to be",
        "full at 2: it ended well, but `net.py` isn't what it was to be",
        "full at 2: exit code 0:\nTraceback",
        "killed at 2: `net.py` is neither what it was nor what it was to be",
        "broken at 5: `.net.py.01234567` is left",
    ):
        assert told in found.stdout


def test_commands_that_write_files() -> None:
    found = tried(3, *(one.name for one in QUICK))
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("0 wrong") == len(QUICK)


def test_training() -> None:
    found = tried(2, "train")
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_checkpoint_on_a_broken_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.save hides a write that failed behind an error of its own."""

    class Broken(io.FileIO):
        writes = 0

        def write(self, data: Any) -> int:
            self.writes += 1
            if self.writes == 3:
                raise OSError(errno.EIO, "Input/output error")
            return super().write(data) or 0

    monkeypatch.setattr(Path, "open", lambda path, mode: Broken(path, mode.replace("b", "")))
    with pytest.raises(Failure, match=r"can't use .*checkpoint\.ckpt`: Input/output error"):
        Atomic().save_checkpoint({"weights": torch.zeros(100)}, tmp_path / "checkpoint.ckpt")
    assert not list(tmp_path.iterdir())


def test_a_clock_that_goes_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "sides.arch"
    spec.write_text(SIDES)
    straight = run(spec, "straight")
    backwards = count(2_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(backwards)))
    run(spec, "back", epochs=1)
    back = run(spec, "back")
    expected, found = weights(straight), weights(back)
    assert all(found[key].equal(expected[key]) for key in expected)
    assert rows(back) == rows(straight)


def test_another_run_that_begins_in_the_folder_first(tmp_path: Path) -> None:
    mine = RunFolder(tmp_path / "run", new=True)
    mine.check()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(WrongUsage, match="has a run in it"), mine.held():
        pass
