"""The pages of worked examples are run from top to bottom, and print what they show."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import archdsl

DOCS = Path(archdsl.__file__).parents[1] / "docs"
PAGES = {"examples": 50, "papers": 8}  # and how many lines are typed at least
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pieces(page: str, language: str) -> list[tuple[str, str, int]]:
    """The fenced pieces in a language: what follows that word, the text, and how many lines stand before it."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = _FENCE.finditer(text)
    return [(one[2].strip(), one[3], text.count("\n", 0, one.start(3))) for one in found if one[1] == language]


@pytest.mark.parametrize(("page", "lines"), PAGES.items())
def test_a_page_is_run_from_top_to_bottom(
    page: str, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text, _ in pieces(page, "arch"):
        Path(name).write_text(text)
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    for _, text, line in pieces(page, "pycon"):
        test = doctest.DocTestParser().get_doctest(text, names, f"line {line}", f"{page}.md", line)
        runner.run(test, out=told.append, clear_globs=False)
        names.update(test.globs)
    assert not told, "".join(told)
    assert runner.summarize(verbose=False).attempted > lines


@pytest.mark.parametrize("page", PAGES)
def test_nothing_on_a_page_is_left_out(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert {one[1] for one in _FENCE.finditer(text)} == {"arch", "pycon"}
    assert all(f"`{name}`" in text for name, _, _ in pieces(page, "arch"))


def test_a_wrong_number_would_be_seen() -> None:
    """A test of the test."""
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "page", "page", 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed == 1
