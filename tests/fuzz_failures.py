"""Inputs that fail: told apart by where they fail, kept, and made smaller."""

from __future__ import annotations

import hashlib
import re
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from fuzz_checks import check

import archdsl

_OURS = (Path(archdsl.__file__).parent, Path(__file__).parent)


def kind_of(error: BaseException) -> str:
    """What failed and where: the kind of the exception, and the innermost line of ours that it passed."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _is_ours(one.filename)]
    last = frames[-1]
    told = re.sub(r"\d+|`[^`]*`", "", str(error).partition("\n")[0])[:40] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} {told}".strip()


def _is_ours(file: str) -> bool:
    return any(folder in Path(file).parents for folder in _OURS)


def keep(data: bytes, error: BaseException, folder: Path) -> bool:
    """Writes the input down if it is the shortest of its kind so far; whether the kind is new."""
    kind = kind_of(error)
    path = folder / f"{hashlib.sha256(kind.encode()).hexdigest()[:12]}.input"
    new = not path.exists()
    if new or len(data) < path.stat().st_size:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.with_suffix(".txt").write_text("".join(traceback.format_exception(error)), "utf-8", "backslashreplace")
    return new


def failure_of(data: bytes) -> str:
    """The kind of an input's failure; empty where it has none."""
    try:
        check(data)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is compared)
        return kind_of(error)
    return ""


def shrunk(data: bytes, seconds: float = 60) -> bytes:
    """A smaller input that fails alike, found in about so many seconds."""
    wanted, until = failure_of(data), time.monotonic() + seconds
    while time.monotonic() < until:
        for smaller in _smaller(data):
            if time.monotonic() > until or failure_of(smaller) == wanted:
                data = smaller
                break
        else:
            break
    return data


def _smaller(data: bytes) -> Iterator[bytes]:
    """The input without some of its lines, then without some of its characters."""
    spelling, lines = data[:1], data[1:].split(b"\n")
    for size in _halves(len(lines)):
        for at in range(0, len(lines), size):
            yield spelling + b"\n".join(lines[:at] + lines[at + size :])
    for size in _halves(min(len(data), 64)):
        for at in range(1, len(data), size):
            yield data[:at] + data[at + size :]


def _halves(size: int) -> Iterator[int]:
    while size:
        yield size
        size //= 2
