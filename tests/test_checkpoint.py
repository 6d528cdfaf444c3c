"""Files of weights: what isn't one is told in one message, nothing in it runs, and downloads are checked."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Callable
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
import torch
from torch import Tensor, hub, nn

import archdsl
from archdsl import Failure, WrongUsage
from archdsl.cli import run
from archdsl.runtime import download
from archdsl.runtime.checkpoint import read

State = dict[str, Tensor]
SPEC = "net tiny\n  input 3x8x8\n  conv: conv 3x3, 8\n  bn: batchnorm\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def saved(content: Any, name: str = "weights.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return saved


def drawn() -> State:
    return dict(archdsl.loads(SPEC).build(seed=0).state_dict())


# What is no file of weights


class _Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def broken(name: str, tmp_path: Path, state: State) -> Path:
    path = tmp_path / ("w.safetensors" if name.startswith("safetensors") else "w.pth")
    whole = io.BytesIO()
    torch.save(state, whole, _use_new_zipfile_serialization="old" not in name)
    content: dict[str, bytes] = {
        "empty": b"",
        "web page": b"\n<!DOCTYPE html><html><body>404</body></html>",
        "web page in capitals": b"<HTML>",
        "LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "cut": whole.getvalue()[: len(whole.getvalue()) // 2],
        "cut old": whole.getvalue()[: len(whole.getvalue()) // 2],
        "text": b"hello, this is no file of weights at all\n" * 9,
        "code": pickle.dumps(_Runs()),
        "safetensors of nothing": b"",
        "safetensors of text": b"hello, this is no file of weights at all\n" * 9,
    }
    path.write_bytes(content[name])
    return path


BROKEN = {
    "empty": "is empty",
    "web page": "is a web page",
    "web page in capitals": "is a web page",
    "LFS pointer": "git lfs pull",
    "cut": "broken",
    "cut old": "broken",
    "text": "broken",
    "code": "more than tensors",
    "safetensors of nothing": "is empty",
    "safetensors of text": "broken",
}


@pytest.mark.parametrize("name", BROKEN)
def test_other_files_are_told_and_run_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = broken(name, tmp_path, drawn())
    with pytest.raises(Failure) as caught:
        read(path)
    assert not isinstance(caught.value, WrongUsage)
    assert BROKEN[name] in str(caught.value)
    (tmp_path / "tiny.arch").write_text(SPEC)
    assert run(["weights", "tiny.arch", str(path)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "no tensors"),
        ([torch.zeros(2)], "a `list`"),
        (torch.zeros(2), "a `Tensor`"),
        ({"epoch": 3, "net": {"a": torch.zeros(2)}}, "under `epoch` it has an `int`"),
        ({"state_dict": {"a": torch.zeros(1)}, "model": {"a": torch.ones(1)}}, "`state_dict` and `model`"),
        ({"model": {}}, "no tensors"),
        ({1: torch.zeros(2)}, "under `1`"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "`a` in"),
        (nn.Linear(2, 2), r"torch\.nn\.modules\.linear\.Linear"),
    ],
)
def test_what_isn_t_a_state_dict_is_told(content: Any, told: str, file: Callable[..., Path]) -> None:
    with pytest.raises(Failure, match=told):
        read(file(content))


def test_a_folder_and_a_closed_file_are_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.pth").mkdir()
    with pytest.raises(WrongUsage, match="is a folder"):
        read(tmp_path / "w.pth")
    closed = tmp_path / "closed.pth"
    closed.write_bytes(b"x")

    def refuse(self: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, whom no file refuses
    with pytest.raises(WrongUsage, match="permission denied"):
        read(closed)


# From elsewhere


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def served(content: bytes, asked: list[str]) -> Callable[..., Any]:
    """A server that has one file."""

    class Answer(io.BytesIO):
        headers = HTTPMessage()

    def opened(url: str) -> Answer:
        asked.append(url)
        return Answer(content)

    return opened


def test_a_url_is_downloaded_once_checked_and_kept_where_torch_hub_keeps_it(
    downloads: Path, monkeypatch: pytest.MonkeyPatch, file: Callable[..., Path]
) -> None:
    state = drawn()
    asked: list[str] = []
    content = file(state).read_bytes()
    digits = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setattr(download, "opened", served(content, asked))
    url = f"https://download.example.org/models/tiny-{digits}.pth?download=true"
    for _ in range(2):
        loaded = archdsl.loads(SPEC).build(weights=url).state_dict()
        assert all(loaded[key].equal(value) for key, value in state.items())
    assert asked == [url]
    assert [path.name for path in downloads.iterdir()] == [f"tiny-{digits}.pth"]
    with pytest.raises(Failure, match="isn't what its name promises"):
        read("https://download.example.org/models/tiny-00000000.pth")
    assert [path.name for path in downloads.iterdir()] == [f"tiny-{digits}.pth"]


def test_files_of_one_name_from_two_places_are_two_files(
    downloads: Path, monkeypatch: pytest.MonkeyPatch, file: Callable[..., Path]
) -> None:
    for place in "ab":
        content = file({place: torch.zeros(1)}).read_bytes()
        monkeypatch.setattr(download, "opened", served(content, []))
        assert list(read(f"https://{place}.example.org/model.pth").tensors) == [place]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (HTTPError("u", 404, "Not Found", HTTPMessage(), None), "404 Not Found"),
        (URLError(OSError("Name or service not known")), "Name or service not known"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_a_download_that_fails_says_why(
    error: Exception, told: str, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(download, "opened", fail)
    with pytest.raises(Failure, match=told):
        read("https://download.example.org/models/tiny-00000000.pth")
    assert not list(downloads.iterdir())


def test_a_file_url_is_that_file(downloads: Path, file: Callable[..., Path]) -> None:
    path = file(drawn(), "with space.pth")
    assert read(path.as_uri()).name == str(path)
    assert not downloads.exists()
