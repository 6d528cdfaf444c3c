"""A failing spec made smaller: whatever can go while the same check still fails goes."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from interpreter import Files
from pydantic import BaseModel

_BESIDE = frozenset(("span", "trivia", "net_trivia", "closing"))
_HERE = Path(__file__).parent


def place_of(error: BaseException) -> str:
    """What failed and where: the kind of the error, and the innermost line of the tests that it passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == _HERE]
    codes = sorted(set(re.findall(r"error\[.*", str(error))))
    return f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno} {codes}"


def shrunk(files: Files, check: Callable[[Files], object], seconds: float = 60) -> Files:
    """A smaller spec that fails in the same place, found in about so many seconds."""
    wanted, until = _failure(files, check), time.monotonic() + seconds
    while time.monotonic() < until:
        for smaller in _smaller_files(files):
            if _failure(smaller, check) == wanted:
                files = smaller
                break
            if time.monotonic() > until:
                return files
        else:
            break
    return files


def _failure(files: Files, check: Callable[[Files], object]) -> str:
    try:
        check(files)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return place_of(error)
    return ""


def _smaller_files(files: Files) -> Iterator[Files]:
    for name, spec in files.others.items():
        yield from (files._replace(others={**files.others, name: one}) for one in _smaller(spec))
    yield from (files._replace(asked=one) for one in _smaller(files.asked))


def _smaller(value: Any) -> Iterator[Any]:
    """What is left without one of its parts, or with one of them made smaller."""
    if isinstance(value, tuple):
        for place, item in enumerate(value):
            rest = value[:place], value[place + 1 :]
            yield rest[0] + rest[1]
            yield from (rest[0] + inner + rest[1] for inner in _insides(item))
            yield from ((*rest[0], one, *rest[1]) for one in _smaller(item))
    elif isinstance(value, BaseModel):
        for name, part in value.__dict__.items():
            if name in _BESIDE or part is None:
                continue
            if name in ("when", "shortcut", "count"):
                yield value.model_copy(update={name: None})
            yield from (value.model_copy(update={name: one}) for one in _smaller(part))


def _insides(item: Any) -> Iterator[tuple[Any, ...]]:
    """The steps inside a statement, to stand in its place."""
    if isinstance(item, BaseModel):
        if getattr(item, "body", ()):
            yield item.body  # type: ignore[attr-defined]
        yield from getattr(item, "branches", ())
