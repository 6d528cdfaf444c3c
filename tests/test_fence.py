"""The fence for other people's pages: what it draws, how it refuses, in Sphinx and in MkDocs."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import indent

import pytest

import archdsl
from archdsl import library
from archdsl.docs.fence import Fence, WrongFence, drawn, fences

ROOT = Path(archdsl.__file__).parents[1]
SPEC = "net small\n  input 3x8x8\n  conv 3x3, 4\n"
WRONG = SPEC.replace("conv", "convv")


def fence(words: str, text: str = "", line: int = 7) -> Fence:
    return Fence(Path("page.md"), line, words, text)


def test_a_fence_draws_what_the_command_draws(tmp_path: Path) -> None:
    made = drawn(fence("resnet18 depth=1 numbers theme=dark set.classes=10"), tmp_path)
    wanted = archdsl.load("resnet18", classes=10).diagram(depth=1).render("svg", theme="dark", numbers=True).decode()
    assert wanted.replace("\n", "") in made.html
    assert "\n" not in made.html
    assert library.find("resnet18") in made.files
    assert "10" in made.text


@pytest.mark.parametrize(
    ("words", "found"),
    [("lenet style=volumes", "<svg"), ("lenet show=summary", "61,706"), ("lenet show=page", "<iframe")],
)
def test_a_fence_shows(words: str, found: str, tmp_path: Path) -> None:
    assert found in drawn(fence(words), tmp_path).html


def test_a_spec_stands_in_the_fence_in_both_spellings(tmp_path: Path) -> None:
    text = drawn(fence("", SPEC), tmp_path)
    yaml = drawn(fence("yaml", "network: small\ninput: 3x8x8\nlayers:\n  - conv 3x3, 4\n"), tmp_path)
    assert text.html == yaml.html
    assert text.files == ()


def test_a_file_is_looked_up_beside_the_page(tmp_path: Path) -> None:
    (tmp_path / "small.arch").write_text(SPEC)
    made = drawn(Fence(tmp_path / "page.md", 1, "small.arch"), tmp_path / "cache")
    assert made.files == (tmp_path / "small.arch",)


def test_a_picture_is_drawn_once(tmp_path: Path) -> None:
    drawn(fence("", SPEC), tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text("kept")
    assert drawn(fence("", SPEC), tmp_path).html == "kept"
    assert drawn(fence("", SPEC.replace("4", "5")), tmp_path).html != "kept"
    assert drawn(fence("depth=1", SPEC), tmp_path).html != "kept"


@pytest.mark.parametrize("words", ["", "yaml"])
def test_a_wrong_spec_is_told_at_its_line_of_the_page(words: str, tmp_path: Path) -> None:
    text = "network: small\ninput: 3x8x8\nlayers:\n  - convv 3x3, 4\n" if words else WRONG
    with pytest.raises(WrongFence) as refused:
        drawn(fence(words, text, line=7), tmp_path)
    place = "page.md:11:5" if words else "page.md:10:3"
    assert str(refused.value).startswith("page.md:7: the spec is wrong\n")
    assert f"{place}: error[unknown-op]" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        ("resnet81", "", "no network is called `resnet81`"),
        ("", "", "there is nothing to draw"),
        ("lenet dept=2", "", "there is no setting `dept`\n  help: did you mean `depth`?"),
        ("lenet classes=2", "", "parameters of the network are written `set.classes=VALUE`"),
        ("lenet depth=two", "", "is no whole number"),
        ("lenet show=sumary", "", "there is no show `sumary`"),
        ("lenet show=page depth=2", "", "`show=page` takes no `depth`"),
        ("lenet resnet18", "", "`resnet18` says nothing here"),
        ("lenet theme=blue", "", "there is no theme `blue`"),
        ("lenet block=inception", "", "inception"),
        ("lenet", SPEC, "both a network, `lenet`, and a spec are given"),
        ("lenet 'x", "", "can't be taken apart"),
        ("missing.arch", "", "there is no file"),
    ],
)
def test_words_that_make_no_sense_are_told(words: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(WrongFence) as refused:
        drawn(fence(words, text), tmp_path)
    assert str(refused.value).startswith("page.md:7: ")
    assert message in str(refused.value)


def test_fences_are_found_as_commonmark_has_them() -> None:
    inner = "````md\n```archdsl lenet\n```\n````\n"
    indented = "- b\n\n  ```archdsl depth=1\n  net small\n  ```\n"
    markdown = f"a\n\n{inner}\n{indented}~~~archdsl vgg16\n~~~\n```python\n"
    found = [(one.line, one.words, one.text) for one, _, _ in fences(Path("p.md"), markdown)]
    assert found == [(10, " depth=1", "net small\n"), (13, " vgg16", "")]


# In the two generators


def test_codes_are_explained_without_the_generators() -> None:
    code = "import sys; sys.modules |= {'sphinx': None, 'mkdocs': None}; from archdsl.explain import kinds; kinds()"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def sphinx(folder: Path, index: str, *, fails: bool) -> str:
    """Builds a site of one page as a person does; the page, or what is told."""
    settings = 'extensions = ["myst_parser", "archdsl.docs.sphinx"]\nmyst_fence_as_directive = ["archdsl"]\n'
    (folder / "conf.py").write_text(settings)
    (folder / "index.md").write_text(index)
    (folder / "other.rst").write_text(":orphan:\n\nOther\n=====\n\n.. archdsl:: lenet show=summary\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(folder), str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert bool(done.returncode) == fails, done.stderr
    if fails:
        return done.stderr
    assert "61,706" in (folder / "out" / "other.html").read_text(encoding="utf-8")
    return (folder / "out" / "index.html").read_text(encoding="utf-8")


def test_sphinx_draws_the_fence_and_fails_on_a_wrong_spec(tmp_path: Path) -> None:
    page = sphinx(tmp_path, f"# A\n\n```archdsl depth=1\n{SPEC}```\n\n```arch\n{SPEC}```\n", fails=False)
    assert "<title>small</title>" in page
    assert 'class="highlight-arch' in page
    told = sphinx(tmp_path, f"# A\n\n```archdsl\n{WRONG}```\n", fails=True)
    assert f"{tmp_path}/index.md:3: the spec is wrong" in told
    assert f"{tmp_path}/index.md:6:3: error[unknown-op]" in told


def mkdocs(folder: Path, index: str) -> str:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    from archdsl.docs.mkdocs import ArchdslPlugin

    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "index.md").write_text(index)
    (folder / "mkdocs.yml").write_text("site_name: site\nplugins: []\n")
    config = load_config(str(folder / "mkdocs.yml"))
    config.plugins["archdsl"] = ArchdslPlugin()
    build(config)
    return (folder / "site" / "index.html").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MkDocs' own
def test_mkdocs_draws_the_fence_and_fails_on_a_wrong_spec(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from mkdocs.exceptions import Abort

    listed = indent(f"```archdsl\n{SPEC}```\n", "    ")
    page = mkdocs(tmp_path, f"# A\n\n- b\n\n{listed}\n```archdsl lenet\n```\n")
    assert "<title>small</title>" in page
    assert "<title>lenet</title>" in page
    assert "archdsl-drawn" not in page
    assert (tmp_path / ".cache" / "archdsl").is_dir()
    with pytest.raises(Abort):
        mkdocs(tmp_path, f"---\ntitle: A\n---\n# A\n\n```archdsl\n{WRONG}```\n")
    assert "index.md:6: the spec is wrong" in caplog.text
    assert "index.md:9:3: error[unknown-op]" in caplog.text


def test_mkdocs_finds_the_plugin() -> None:
    from archdsl.docs.mkdocs import ArchdslPlugin

    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["mkdocs.plugins"]
    module, _, name = points["archdsl"].partition(":")
    assert getattr(importlib.import_module(module), name) is ArchdslPlugin
