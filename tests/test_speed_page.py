"""What is measured, and the page of speed: its figures and plots are those of benchmarks/results.json."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import archdsl

ROOT = Path(archdsl.__file__).parents[1]
DOCS = ROOT / "docs"
FOLDERS = (ROOT / "benchmarks", ROOT / "scripts")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of benchmarks/ or scripts/ by its name."""
    for folder in FOLDERS:
        monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for path in FOLDERS:
        for module in path.glob("*.py"):
            sys.modules.pop(module.stem, None)


# The page


def test_the_page_has_the_figures_that_were_measured(own: Any) -> None:
    text = (DOCS / "speed.md").read_text(encoding="utf-8")
    assert own("make_speed_page").page(text, own("results").load()) == text, "run scripts/make_speed_page.py"


def test_every_part_that_was_measured_is_on_the_page(own: Any) -> None:
    text = (DOCS / "speed.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\w+", " ".join(re.findall(r"<!-- rows: ([\w ]+) -->", text))))
    with_rows = {name for name, part in own("results").load().items() if "rows" in part}
    assert with_rows <= shown
    for row in own("results").rows(own("results").load()):
        assert f"| {row['name']} | {row['against']} |" in text


def test_the_table_beside_the_figures_is_of_the_same_run(own: Any) -> None:
    results = own("results")
    assert results.TABLE.read_text() == "\n".join(results.markdown(results.load())) + "\n"


def test_the_plots_are_drawn_from_the_same_figures(own: Any) -> None:
    plots, parts = own("speed_plots"), own("results").load()
    text = (DOCS / "speed.md").read_text(encoding="utf-8")
    for name, (needs, _) in plots.PLOTS.items():
        if all(need in parts for need in needs):
            drawn = (DOCS / "pictures" / "speed" / f"{name}.svg").read_text(encoding="utf-8")
            assert f"figures {plots.drawn_from(parts, needs)}<" in drawn, "run scripts/make_speed_page.py"
        assert f"(pictures/speed/{name}.svg)" in text


def test_plots_are_drawn_in_one_way(own: Any) -> None:
    plots, parts = own("speed_plots"), own("results").load()
    once, again = plots.plots(parts), plots.plots(parts)
    assert once == again
    assert once
    for content in once.values():
        ElementTree.fromstring(content)  # well-formed


def test_a_block_that_nobody_knows_is_no_part_of_the_page(own: Any) -> None:
    with pytest.raises(KeyError):
        own("make_speed_page").page("<!-- nothing -->\n<!-- end -->", {})


# What is measured


@pytest.mark.parametrize("network", ["equal:3", "distinct:5"])
def test_peers_get_the_same_network(network: str, own: Any) -> None:
    text, name = own("networks").spec(network)
    theirs = own("networks").module(network)
    assert archdsl.loads(text, name=name).cost().params == sum(one.numel() for one in theirs.parameters())


def test_growing_networks_grow_as_they_say(own: Any) -> None:
    convolution = 8 * 8 * 9 + 8
    params = {
        "variants:3": sum((a + 1) * w + (9 * w + 1) * w for a, w in ((3, 8), (8, 9), (9, 10))),
        "branches:4": sum(9 * width for width in (8, 9, 10, 11)),
        "nested:5": convolution,
        "doubling:40": 2**40 * convolution,
        "blocks:2": convolution + (8 * 9 + 1) * 9,
        "equal:1000000": (27 + 1) * 256 + 10**6 * (257 * 64 + (9 * 64 + 1) * 64 + 65 * 256),
    }
    for network, expected in params.items():
        text, name = own("networks").spec(network)
        assert archdsl.loads(text, name=name).cost().params == expected, network


def test_densenet_in_one_file_is_the_shipped_one(own: Any) -> None:
    text, name = own("networks").spec("densenet201")
    assert archdsl.loads(text, name=name).cost() == archdsl.load("densenet201").cost()


def test_a_tool_tells_what_it_took(own: Any) -> None:
    told = own("measure").job("archdsl", "equal:10")
    assert 0 < told["seconds"] < 60
    assert 5 < told["ready"] <= told["peak"] < 500


def test_exponents_are_the_slope_in_logarithms(own: Any) -> None:
    curves = own("curves")
    points = [{"size": n, "seconds": 3e-4 * n**1.5, "memory": 7.0} for n in (10, 100, 1000, 10_000, 100_000)]
    assert curves.exponents(points) == {"seconds": 1.5, "memory": 0.0}
    constant_at_first = [{"size": n, "seconds": max(1.0, n / 1000)} for n in (10, 100, 1000, 10_000, 100_000)]
    assert curves.exponent(constant_at_first, "seconds") == 1.0
    assert curves.exponent(points[:2], "seconds") is None


def test_a_curve_ends_where_a_point_would_take_too_long(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = own("curves")
    monkeypatch.setattr(curves, "job", lambda tool, network, limit: {"seconds": 4.0, "peak": 9.0, "ready": 8.0})
    curve = curves.Curve("distinct", "layers", "layers", (10, 100, 1000), "fx")
    found = curves.measured(curve, 1)
    assert [point["size"] for point in found["points"]] == [10]
    assert found["stopped"] == "100 layers would take more than 30 s"


def test_a_peer_that_is_not_there_has_a_row_that_says_so(own: Any) -> None:
    measure = own("measure")
    assert measure.lacks("json", "no_such_module") == "no_such_module isn't installed"
    assert measure.lacks("json") == ""
    line = own("results").line(measure.missing("summary", "a tool", "a tool isn't installed"))
    assert line == "| summary | a tool | | | | a tool isn't installed | |"


def test_rows_tell_medians_of_pairs(own: Any) -> None:
    measure = own("measure")
    row = measure.row("x", [1.0, 2.0, 4.0], [10.0, 40.0, 20.0], against="y", goal=measure.faster(10))
    assert (row["ours"], row["peer"], row["ratios"], row["reached"]) == (2.0, 20.0, [5.0, 10.0, 20.0], True)
    assert not measure.row("x", [1.0], [1.01], against="y", goal=measure.faster(2))["reached"]
    assert measure.row("x", [1.02], [1.0], against="y", goal=measure.share(1.02))["reached"]
    assert not measure.row("x", [0.4], goal=measure.below(0.3, "s"))["reached"]
    assert "reached" not in measure.row("x", [0.4], goal=measure.Goal())
    assert (
        own("results").line(row)
        == "| x | y | 2.00 s | 20.0 s | 10.00 (5.00 to 20.00) | at least 10 times faster | yes |"
    )


def test_what_takes_too_long_is_ended_with_all_that_it_started(own: Any, tmp_path: Path) -> None:
    measure, told = own("measure"), tmp_path / "pid"
    with pytest.raises(measure.Overtime, match=r"more than 1 s"):
        measure.process(["sh", "-c", f"sleep 60 & echo $! > {told}; wait"], 1)
    pid = int(told.read_text())
    for _ in range(50):  # until somebody has noticed that it ended
        if not _runs(pid):
            return
        time.sleep(0.1)
    raise AssertionError("it is still running")


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_failing_command_is_told(own: Any) -> None:
    measure = own("measure")
    with pytest.raises(measure.Gone, match="no such thing"):
        measure.process([sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(measure.Gone):
        measure.job("archdsl", "no such network")


def test_a_part_replaces_its_own_figures_alone(own: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results, measure = own("results"), own("measure")
    monkeypatch.setattr(results, "FILE", tmp_path / "results.json")
    monkeypatch.setattr(results, "TABLE", tmp_path / "results.md")
    order = ("cold", "warm")
    for part, seconds in (("warm", 1.0), ("cold", 2.0), ("warm", 3.0)):
        results.store(part, {"rows": [measure.row(part, [seconds], goal=measure.Goal())]}, order)
    kept = json.loads((tmp_path / "results.json").read_text())
    assert list(kept) == list(order)
    assert [kept[part]["rows"][0]["ours"] for part in order] == [2.0, 3.0]
    table = (tmp_path / "results.md").read_text()
    assert "| cold |  | 2.00 s |" in table
    assert "1.00 s" not in table
    assert f"{os.cpu_count()} cores" in kept["cold"]["machine"]


IMPORTS = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   encodings
import time:       200 |        300 | site
import time:        10 |         10 |     inspect
import time:        20 |         20 |       pydantic_core._pydantic_core
import time:        30 |         50 |     pydantic
import time:        40 |        100 |   typer
import time:         5 |          5 |   annotated_types
import time:        50 |        155 | archdsl.cli
import time:         7 |          7 | json
"""


def test_imports_count_for_who_asked_for_them(own: Any) -> None:
    found = own("start").imports(IMPORTS)
    assert {name: round(seconds * 1e6) for name, seconds in found.items()} == {
        "archdsl": 50,
        "typer": 50,
        "pydantic": 50,
        "other packages": 5,
        "standard library": 7,
    }
