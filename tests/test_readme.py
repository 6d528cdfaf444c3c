"""What the README shows is what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl import library
from archdsl.render import render

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_error_shown_is_the_error_told() -> None:
    good = library.find("googlenet").read_text()
    bad = good.replace("maxpool 3x3, stride 1, pad 1", "maxpool 3x3, pad 1")
    assert bad != good
    with pytest.raises(archdsl.SpecError) as caught:
        archdsl.loads(bad, name="mine.yaml")
    assert render(caught.value.diagnostics, "full", width=120, colour=False).strip() in README


def test_the_number_of_lines_shown_is_that_of_the_source() -> None:
    assert f"prints {len(archdsl.load('googlenet').source.splitlines())} lines of plain PyTorch" in README


def test_the_python_shown_runs() -> None:
    code = README.split("```python")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 (our own text)
    assert type(names["model"]).__name__ == "GoogLeNet"


def test_every_command_shown_exists() -> None:
    from archdsl.cli.commands import COMMANDS

    commands = set(COMMANDS)
    shown = {line.split("archdsl ")[1].split("`")[0].split()[0] for line in README.splitlines() if "`archdsl " in line}
    assert shown <= commands


def test_every_link_leads_somewhere() -> None:
    import re

    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    missing = [link for link in links if not (Path(__file__).parents[1] / link).exists()]
    assert missing in ([], ["benchmarks/results.md"])
