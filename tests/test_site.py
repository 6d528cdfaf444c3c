"""The documentation site: what its pages show is what comes out, and nothing of it leads nowhere."""

from __future__ import annotations

import doctest
import importlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import archdsl
from archdsl import library
from archdsl.cli import run
from archdsl.docs.fence import drawn, fences
from archdsl.syntax.printer import print_text
from archdsl.syntax.read import read_file

ROOT = Path(archdsl.__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ("tutorial", "tour")
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of scripts/ by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield importlib.import_module
    for name in ("site_gallery", "site_links", "site_reference", "make_document_pages"):
        sys.modules.pop(name, None)


# What the pages show


class Piece(NamedTuple):
    """A fenced piece of a page: its language, what follows that word, its text, and how many lines stand before it."""

    language: str
    about: str
    text: str
    line: int


def pieces(page: str) -> list[Piece]:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = _FENCE.finditer(text)
    return [Piece(one[1], one[2].strip(), one[3], text.count("\n", 0, one.start(3))) for one in found]


class Command(NamedTuple):
    """A line of a console with what stands below it."""

    line: str
    shown: str

    @property
    def trains(self) -> bool:
        return self.line.startswith("archdsl train")


def commands(text: str) -> list[Command]:
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    return [Command(*pair) for pair in zip(parts[1::2], parts[2::2], strict=True)]


def told(line: str) -> str:
    """What a command prints, on both streams."""
    program, *arguments = shlex.split(line)
    assert program == "archdsl"
    everything = io.StringIO()
    with redirect_stdout(everything), redirect_stderr(everything):
        run(arguments)
    return everything.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def check_page(page: str, *, training: bool) -> None:
    """Runs a page from top to bottom in an empty folder; of its commands those that train, or the others."""
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(verbose=False)
    failed: list[str] = []
    for piece in pieces(page):
        if piece.language == "arch" and piece.about.endswith(".arch"):
            Path(piece.about).write_text(piece.text)
        if piece.language == "console":
            for command in commands(piece.text):
                if command.trains == training:
                    same = doctest.OutputChecker().check_output(command.shown, told(command.line), doctest.ELLIPSIS)
                    assert same, f"{page}.md:{piece.line}: $ {command.line}"
        if piece.language == "pycon" and not training:
            test = doctest.DocTestParser().get_doctest(piece.text, names, page, str(DOCS / f"{page}.md"), piece.line)
            runner.run(test, out=failed.append, clear_globs=False)
            names.update(test.globs)
    assert not failed, "".join(failed)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_run_from_top_to_bottom(page: str, folder: Path) -> None:
    check_page(page, training=False)


@pytest.mark.slow
def test_what_the_tutorial_trains(folder: Path) -> None:
    assert any(command.trains for piece in pieces("tutorial") for command in commands(piece.text))
    check_page("tutorial", training=True)
    assert (folder / "run" / "report.html").is_file()


def test_a_wrong_line_would_be_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of the test."""
    wrong = Piece("console", "", "$ archdsl build lenet --format csv\nno such thing\n", 7)
    monkeypatch.setitem(globals(), "pieces", lambda page: [wrong])
    with pytest.raises(AssertionError, match=r"tutorial\.md:7"):
        check_page("tutorial", training=False)


@pytest.mark.parametrize("piece", [one for one in pieces("tour") if one.language == "arch"], ids=lambda one: one.about)
def test_the_tour_shows_shipped_specs(piece: Piece) -> None:
    assert piece.text in print_text(read_file(library.find(piece.about)))


def test_nothing_on_the_pages_is_left_out() -> None:
    for page in PAGES:
        assert {one.language for one in pieces(page)} <= {"arch", "archdsl", "console", "pycon"}
    files = {one.text for one in pieces("tutorial") if one.language == "arch"}
    assert {one.text for one in pieces("tutorial") if one.language == "archdsl"} <= files


def test_every_fence_of_the_pages_can_be_drawn(tmp_path: Path) -> None:
    found = [fence for page in sorted(DOCS.glob("*.md")) for fence, _, _ in fences(page, page.read_text())]
    assert len(found) >= 5
    for fence in found:
        assert "<svg" in drawn(fence, tmp_path).html or "show=" in fence.words


# The site


def test_every_page_has_its_place() -> None:
    conf = runpy.run_path(str(DOCS / "conf.py"))
    listed = {page for pages in conf["NAVIGATION"].values() for page in pages}
    made = {page for page in listed if page.startswith(("gallery/", "reference/"))}
    written = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.glob("*.md")} - {"index"}
    assert listed - made == written | {"documents/index"}
    numbered = {path.stem for path in (DOCS / "documents").glob("*.md")} - {"index"}
    assert set(conf["DOCUMENTS"]) == numbered


def test_links_of_pages_in_folders_lead_to_files() -> None:
    for page in (DOCS / "documents").glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", _FENCE.sub("", page.read_text(encoding="utf-8"))):
            assert "://" in target or (page.parent / target).exists(), (page, target)


def test_the_reference_has_everything(scripts: Any) -> None:
    made = scripts("site_reference").files()
    from archdsl.cli.commands import COMMANDS
    from archdsl.expand.functions import FUNCTIONS
    from archdsl.ops import OPS

    assert all(f"### `{kind.name}`" in made["ops.md"] for kind in OPS)
    assert all(f"| `{name}(" in made["words.md"] for name in FUNCTIONS)
    assert all(f"`archdsl {name}`" in made["commands.md"] for name in COMMANDS)
    assert all(f"archdsl.{name}`" in made["python.md"] for name in archdsl.__all__)
    assert "| `divisible(30, 8)` | 32 |" in made["words.md"]  # 30 / 8 = 3.75


def test_a_page_of_the_gallery(scripts: Any) -> None:
    page = scripts("site_gallery").page("vgg16")
    assert "138,357,544" in page  # torchvision's
    assert "138,423,208 is printed, 138,357,544 is right" in page
    assert "net vgg16 (" in page
    assert "network: vgg16" in page
    assert "> VGG-16 (Simonyan & Zisserman 2015, table 1, column D)" in page
    assert "nn.Conv2d(3, 64, 3, padding=1)" in page
    assert 'href="explore/vgg16.html"' in page


def test_dead_links_are_found(scripts: Any, tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<p id="here">')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here"><a href="b.html#gone"><a href="c.html"><a href="https://example.org">'
        '<script src="https://example.org/x.js"></script><a href="#top"><p id="top">'
    )
    assert scripts("site_links").dead(tmp_path) == [
        "a.html: a b.html#gone: no such place",
        "a.html: a c.html: no such file",
        "a.html: script https://example.org/x.js: is loaded from elsewhere",
    ]
