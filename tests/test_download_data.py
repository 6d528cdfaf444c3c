"""Data sets from a server that fails: torchvision's own downloads, told in a line, and nothing left behind."""

from __future__ import annotations

import gc
import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from test_data_files import write_idx
from test_download import Answer, sent, server, slow
from whole import whole_torchvision

from archdsl.failure import Failure
from archdsl.train.data import known, open_data

__all__ = ["server"]


@pytest.fixture
def mnist(
    tmp_path: Path, server: tuple[str, dict[str, Answer]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Answer]]:
    """A server with small files in the format of MNIST, where torchvision looks for its own."""
    address, answers = server
    write_idx(tmp_path / "there", "mnist")
    files = {path.name: path.read_bytes() for path in sorted((tmp_path / "there/MNIST/raw").iterdir())}
    answers |= {f"/{name}": sent(content) for name, content in files.items()}
    with whole_torchvision():
        import torchvision

        kind: Any = torchvision.datasets.MNIST
        sums = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
        monkeypatch.setattr(kind, "resources", sums)
        monkeypatch.setattr(kind, "mirrors", [f"{address}/"])
        monkeypatch.setattr(known, "_PATIENCE", 0.3)
        yield answers


def test_a_data_set_comes_whole(mnist: dict[str, Answer], tmp_path: Path) -> None:
    assert len(open_data("mnist", tmp_path / "data", download=True).train) == 30


def test_processes_of_a_run_download_once(mnist: dict[str, Answer], tmp_path: Path) -> None:
    asked: list[str] = []

    def counted(whole: Answer) -> Answer:
        def answer(to: BaseHTTPRequestHandler) -> None:
            asked.append(to.path)
            time.sleep(0.05)
            whole(to)

        return answer

    for name, whole in list(mnist.items()):
        mnist[name] = counted(whole)
    open_data("mnist", tmp_path / "alone", download=True)
    once = sorted(asked)
    asked.clear()
    with ThreadPoolExecutor() as several:
        runs = [several.submit(open_data, "mnist", tmp_path / "data", download=True) for _ in range(3)]
    assert [len(run.result().train) for run in runs] == [30] * 3
    assert sorted(asked) == once


# torchvision doesn't close what a server says instead of a file.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "answer",
    [sent(b"\x00" * 50, length=500), slow, sent(b"", code=404), sent(b"", code=503), sent(b"another file")],
    ids=["short", "slow", "404", "503", "other"],
)
def test_what_fails_is_told_and_leaves_nothing(answer: Answer, mnist: dict[str, Answer], tmp_path: Path) -> None:
    name = sorted(mnist)[2]
    whole, mnist[name] = mnist[name], answer
    with pytest.raises(Failure, match="can't download `mnist`: "):
        open_data("mnist", tmp_path / "data", download=True)
    gc.collect()  # what torchvision left open, before it is seen in another test
    assert not list((tmp_path / "data").iterdir())
    mnist[name] = whole
    assert len(open_data("mnist", tmp_path / "data", download=True).train) == 30


def test_what_a_killed_download_left_goes_in_time(mnist: dict[str, Answer], tmp_path: Path) -> None:
    root = tmp_path / "data"
    old, new = root / ".mnist.01234567", root / ".mnist.89abcdef"
    for folder in (old, new):
        (folder / "MNIST").mkdir(parents=True)
    os.utime(old, (time.time() - 5000,) * 2)
    open_data("mnist", root, download=True)
    assert sorted(path.name for path in root.iterdir()) == [new.name, "MNIST"]
