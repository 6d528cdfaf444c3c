"""The documentation's snippets compile, in both spellings to the same tree, and give the keys that it shows."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import pytest
from network_facts import macs, params, weights

import archdsl
from archdsl import library
from archdsl.diagnostics import SpecError
from archdsl.source import Source
from archdsl.syntax import words
from archdsl.syntax.read import read
from archdsl.syntax.spec import Spec

DOCS = Path(archdsl.__file__).parents[1] / "docs"
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """A fenced piece: its language, what follows that word, its text, and the line it starts on."""

    language: str
    about: str
    text: str
    line: int

    @property
    def spec(self) -> str:
        """The snippet as a whole file."""
        if "body" not in self.about:
            return self.text
        if self.language == "arch":
            return f"{prelude()}\nnet body\n  input 8x16x16\n{indent(self.text, '  ')}"
        return f"network: body\ninput: 8x16x16\nuse: [prelude]\nlayers:\n{indent(self.text, '  ')}"

    @property
    def name(self) -> str:
        """The file that it stands in."""
        found = re.search(r"\w+\.(?:arch|yaml)", self.about)
        return found[0] if found else f"line{self.line}.{self.language}"

    def follows(self, other: Snippet) -> bool:
        """Only an empty line stands between the two."""
        return self.line == other.line + other.text.count("\n") + 3

    @property
    def tree(self) -> Spec:
        return read(Source(self.name, self.spec))


@cache
def snippets(page: str = "language") -> tuple[Snippet, ...]:
    text = (DOCS / f"{page}.md").read_text()
    return tuple(
        Snippet(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start()) + 2)
        for found in _FENCE.finditer(text)
    )


def prelude() -> str:
    return next(one.text for one in snippets() if one.about == "prelude")


SPECS = [one for one in snippets() if one.language in ("arch", "yaml")]
CHAINED = list(zip(snippets(), snippets()[1:], strict=False))
PAIRS = [
    (first, second)
    for first, second in CHAINED
    if second.follows(first) and {first.language, second.language} == {"arch", "yaml"} and "." not in first.about
]
# Keys stand below both spellings of their network.
KEYS = [
    (before, shown)
    for other, first, shown in zip(snippets(), snippets()[1:], snippets()[2:], strict=False)
    if shown.language == "keys"
    for before in ((other, first) if first.follows(other) else (first,))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the page names, and what bodies use."""
    (tmp_path / "prelude.arch").write_text(prelude())
    for one in SPECS:
        (tmp_path / one.name).write_text(one.spec)
    return tmp_path


@pytest.mark.parametrize("snippet", SPECS, ids=lambda one: f"line {one.line}")
def test_a_snippet_compiles_or_fails_as_it_says(snippet: Snippet, folder: Path) -> None:
    if snippet.tree.network is None:  # a library
        assert snippet.tree.blocks
        return
    wanted = re.search(r"error:(\S+)", snippet.about)
    if wanted is None:
        assert archdsl.load(folder / snippet.name).net.scope.steps
        return
    with pytest.raises(SpecError) as refused:
        archdsl.load(folder / snippet.name)
    assert [one.code for one in refused.value.diagnostics] == [wanted[1]]


def test_the_page_has_both_spellings_of_everything() -> None:
    assert len(PAIRS) >= 18


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda one: f"line {one.line}")
def test_the_two_spellings_of_a_snippet_are_one_tree(first: Snippet, second: Snippet) -> None:
    if "body" in first.about:
        assert first.tree.layers == second.tree.layers
    else:
        assert first.tree == second.tree


@pytest.mark.parametrize(("snippet", "shown"), KEYS, ids=lambda one: f"line {one.line}")
def test_keys_are_as_shown(snippet: Snippet, shown: Snippet, folder: Path) -> None:
    found = weights(archdsl.load(folder / snippet.name).net)
    for line in shown.text.splitlines():
        key, shape = line.split(": ")
        assert "x".join(map(str, found[key])) == shape


def test_every_page_links_to_pages_that_exist() -> None:
    for page in DOCS.glob("*.md"):
        text = page.read_text()
        headings = {
            re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in re.findall("^#+ (.*)$", text, re.M)
        }
        for target in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text)):
            if target.startswith("#"):
                assert target[1:] in headings, (page, target)
            elif "://" not in target:
                assert (DOCS / target.split("#")[0]).exists(), (page, target)


def test_the_page_of_networks_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS.parent / "scripts" / "make_networks_page.py"))["page"]()
    assert (DOCS / "networks.md").read_text() == page, "run scripts/make_networks_page.py"
    rows = re.findall(r"^\| `(\w+)`.*\| ([\d,]+) \| ([\d,]+) \| [\d.,]+ MB \|", page, re.MULTILINE)
    assert [name for name, _, _ in rows] == sorted(path.stem for path in library.folder().glob("*.yaml"))
    for name, counted, multiplied in rows:
        net = archdsl.load(name).net
        assert (counted, multiplied) == (f"{params(net):,}", f"{macs(net):,}"), name


def test_every_construct_is_explained() -> None:
    text = (DOCS / "language.md").read_text()
    assert [word for word in sorted(words.CONSTRUCTS | set(words.FILE_WORDS)) if f"`{word}" not in text] == []
