"""The page of worked examples is run from top to bottom, and prints what it shows."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import archdsl

PAGE = Path(archdsl.__file__).parents[1] / "docs" / "examples.md"
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str, int]]:
    """The fenced pieces in a language: what follows that word, the text, and how many lines stand before it."""
    text = PAGE.read_text(encoding="utf-8")
    found = _FENCE.finditer(text)
    return [(one[2].strip(), one[3], text.count("\n", 0, one.start(3))) for one in found if one[1] == language]


def test_the_page_is_run_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text, _ in blocks("arch"):
        Path(name).write_text(text)
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    for _, text, line in blocks("pycon"):
        test = doctest.DocTestParser().get_doctest(text, names, f"line {line}", str(PAGE), line)
        runner.run(test, out=told.append, clear_globs=False)
        names.update(test.globs)
    assert not told, "".join(told)
    assert runner.summarize(verbose=False).attempted > 50


def test_nothing_on_the_page_is_left_out() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert {one[1] for one in _FENCE.finditer(text)} == {"arch", "pycon"}
    assert all(f"`{name}`" in text for name, _, _ in blocks("arch"))


def test_a_wrong_number_would_be_seen() -> None:
    """A test of the test."""
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "page", "page", 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed == 1
