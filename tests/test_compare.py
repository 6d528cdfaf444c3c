"""Several networks side by side: numbers with sources of their own, the table, and the picture."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import combinations
from math import log10
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from after_training import trained_in
from test_layering import loaded
from zoo import REFERENCE

import archdsl
from archdsl import library
from archdsl.analysis.depth import LAYERS, depth
from archdsl.cli import run
from archdsl.dims import Dim
from archdsl.emit.compare import Compared, compared, csv_text, table, to_json
from archdsl.emit.picture import measure, svg
from archdsl.emit.picture.labelled import Bubble, placed
from archdsl.emit.picture.metrics import width
from archdsl.emit.picture.scatter import BOTTOM, HIGH, LEFT, RIGHT, TOP, WIDE, axis, scatter
from archdsl.emit.picture.themes import theme
from archdsl.failure import WrongUsage

SVG = "{http://www.w3.org/2000/svg}"
DOZEN = (
    "alexnet",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "mobilenet_v2",
    "resnet18",
    "resnet50",
    "resnet101",
    "swin_t",
    "vgg16",
    "vit_b_16",
)


def row(name: str, accuracy: float | None = None) -> Compared:
    return compared(archdsl.load(name).net, name, accuracy)


def whole(size: Dim) -> int:
    assert isinstance(size, int)
    return size


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("lenet", 5),
        ("alexnet", 8),
        *((f"vgg{n}{norm}", n) for n in (11, 13, 16, 19) for norm in ("", "_bn")),
        *((f"resnet{n}", n) for n in (18, 20, 34, 50, 56, 101, 152)),
        ("plain20", 20),
        ("plain56", 56),
        *((f"densenet{n}", n) for n in (121, 161, 169, 201)),
        ("googlenet", 22),  # Szegedy et al. 2015, section 5
        ("googlenet_2014", 22),
        ("inception_v3", 48),  # "48 layers deep" in MATLAB's documentation
        ("unet", 23),  # Ronneberger et al. 2015, section 2
    ],
)
def test_depth_is_what_the_papers_call_the_networks_by(name: str, layers: int) -> None:
    assert row(name).depth == layers


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "maxvit_t", "mobilenet_v3_small", "swin_t", "unet"])
def test_depth_is_the_longest_path_through_every_step(name: str) -> None:
    """Counted in the graph of all steps and tensors, with every repetition unfolded."""
    net = archdsl.load(name).net
    diagram = archdsl.load(name).diagram(depth=99)
    longest = [0] * len(diagram.nodes)
    before: dict[int, list[int]] = {}
    for edge in diagram.edges:
        before.setdefault(edge.target, []).append(edge.source)
    for node in diagram.nodes:
        entering = max((longest[source] for source in before.get(node.id, ())), default=0)
        longest[node.id] = entering + (node.form == "op" and node.kind in LAYERS)
    outputs = [node for node in diagram.nodes if node.form == "output" and not node.aside]
    assert depth(net) == max(longest[node.id] for node in outputs)


@pytest.mark.parametrize(("name", "field"), [("alexnet", 195), ("vgg16", 212), ("inception_v3", 1311)])
def test_receptive_fields_are_those_of_the_literature(name: str, field: int) -> None:
    """Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", table 1."""
    assert row(name).receptive_field == (field, field)


@pytest.mark.parametrize("name", ["efficientnet_b0", "vit_b_16", "one_hidden_layer"])
def test_what_sees_all_is_told(name: str) -> None:
    """By squeeze and excitation, by attention, by a linear layer."""
    assert row(name).receptive_field == "all"


@pytest.mark.parametrize("name", DOZEN)
def test_numbers_are_those_of_torchvision(name: str) -> None:
    found, known = row(name), REFERENCE[name]
    assert found.params == known["params"]
    assert found.macs == known["macs"]
    assert whole(found.weights) >= 4 * found.params


def test_the_table_fits_80_columns() -> None:
    found = [row(name) for name in (*DOZEN, "lenet", "deeplabv3_mobilenet_v3_large", "seide_1x2k")]
    scored = [one._replace(test_accuracy=0.9812) for one in found[:-1]]
    for rows in (found, [*scored, found[-1]], found[:1], scored[:3]):
        told = table(rows, 80)
        assert max(map(len, told.splitlines())) <= 80
        lines = told.splitlines()[2 : 2 + len(rows)]
        assert [line.split()[0][:10] for line in lines] == [one.name[:10] for one in rows]
    assert "Accuracy" not in table(found, 80)
    assert "98.12%" in table(scored, 80)


def test_an_input_that_all_have_is_told_once() -> None:
    told = table([row("resnet18"), row("resnet50")], 80)
    assert told.count("3x224x224") == 1
    assert told.splitlines()[2].split() == "resnet18 11.7 M 1.81 G 46.8 MB 22.2 MB 18 435".split()


def test_json_and_csv_tell_the_same() -> None:
    found = [row("resnet18", 0.5), compared(archdsl.load("unet", input="3xHxW").net, "unet")]
    first, second = to_json(found)
    assert first["params"] == REFERENCE["resnet18"]["params"]
    assert first["input"] == [3, 224, 224]
    assert first["test_accuracy"] == 0.5
    assert second["input"] == [3, "H", "W"]
    assert json.loads(json.dumps([first, second])) == [first, second]
    told = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [one["macs"] for one in told] == [str(one["macs"]) for one in (first, second)]
    assert told[0]["receptive_field"] == "435x435"


class Drawn(NamedTuple):
    """A circle of the picture."""

    x: float
    y: float
    radius: float


def circles(found: list[Compared]) -> dict[str, Drawn]:
    """The bubbles of a picture by their networks' names."""
    drawn = {}
    for group in ElementTree.fromstring(svg.svg(scatter(found, theme("light")))).iter(f"{SVG}g"):
        if group.get("class") != "bubble":
            continue
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None
        assert rect is not None
        x, y, wide = (float(rect.attrib[key]) for key in ("x", "y", "width"))
        drawn[str(title.text).partition(":")[0]] = Drawn(x + wide / 2, y + wide / 2, wide / 2)
    return drawn


def test_bubbles_stand_where_the_numbers_say() -> None:
    """Along a logarithmic axis distances are as the logarithms' differences; areas are as the memory."""
    found = [row(name) for name in DOZEN]
    drawn = circles(found)
    assert len(drawn) == len(found)
    low, *_, high = sorted(found, key=lambda one: whole(one.macs))
    for one in found:
        share = log10(whole(one.macs) / whole(low.macs)) / log10(whole(high.macs) / whole(low.macs))
        along = (drawn[one.name].x - drawn[low.name].x) / (drawn[high.name].x - drawn[low.name].x)
        assert along == pytest.approx(share, abs=1e-3)
        area = (drawn[one.name].radius / drawn[high.name].radius) ** 2
        assert area == pytest.approx(whole(one.memory) / whole(high.memory), rel=0.02)
    heights = sorted(found, key=lambda one: one.params)
    assert [one.name for one in heights] == sorted(drawn, key=lambda name: -drawn[name].y)


def test_accuracy_goes_up_where_all_networks_have_one() -> None:
    names = ("resnet20", "plain20", "resnet56")
    found = [row(name, accuracy) for name, accuracy in zip(names, (0.91, 0.9, 0.93), strict=True)]
    drawn = circles(found)
    assert drawn["resnet56"].y < drawn["resnet20"].y < drawn["plain20"].y
    steps = drawn["plain20"].y - drawn["resnet20"].y, drawn["resnet20"].y - drawn["resnet56"].y
    assert steps[1] == pytest.approx(2 * steps[0], rel=0.01)
    letters = svg.svg(scatter(found, theme("light")))
    assert ">Test accuracy<" in letters
    assert ">Parameters<" in svg.svg(scatter([*found[:2], row("lenet")], theme("light")))


@pytest.mark.parametrize("names", [DOZEN, ("resnet18",), tuple(sorted(REFERENCE.keys() & set(library.names())))])
def test_no_name_lies_on_another(names: tuple[str, ...]) -> None:
    found = [row(name) for name in names]
    bubbles = [Bubble(*circle, name=name) for name, circle in circles(found).items()]
    page = (LEFT, TOP - 12, RIGHT + 12, BOTTOM)
    boxes = []
    for label in placed(bubbles, page):
        wide = width(label.text, measure.DETAIL)
        boxes.append((label.x, label.y - 8, label.x + wide, label.y + 2))
        assert label.x > 0
        assert label.x + wide < WIDE
        assert 0 < label.y < HIGH
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize(
    ("values", "logarithmic", "ticks"),
    [
        ((1e6, 2e6, 4e6), False, (0, 1e6, 2e6, 3e6, 4e6)),
        ((1e6, 1e7), True, (1e6, 2e6, 5e6, 1e7)),
        ((1e3, 1e9), True, (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)),
        ((5e6,), False, (0, 1e6, 2e6, 3e6, 4e6, 5e6)),
        ((0, 100), False, (0, 20, 40, 60, 80, 100)),
        ((0,), False, (0, 1)),
    ],
)
def test_axes_are_numbered_as_one_would(values: tuple[float, ...], logarithmic: bool, ticks: tuple[float, ...]) -> None:
    found = axis(values, LEFT, RIGHT, 5, zero=True)
    assert found.logarithmic == logarithmic
    assert found.ticks[: len(ticks)] == pytest.approx(ticks)
    assert len(found.ticks) <= len(ticks) + 2
    assert all(LEFT <= found.at(value) <= RIGHT for value in values)


def test_a_run_brings_its_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line of its metrics, and the network as it was trained."""
    monkeypatch.setenv("COLUMNS", "80")
    folder = trained_in(tmp_path, "mine", epochs=2)
    with (folder / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    picture = tmp_path / "two.svg"
    assert run(["compare", str(folder.path), "lenet", "--format", "json", "-o", str(picture)]) == 0
    mine, lenet = json.loads(capsys.readouterr().out)
    assert (mine["name"], lenet["name"]) == ("mine", "lenet")
    assert mine["test_accuracy"] == float(last["test_accuracy"])
    assert mine["input"] == [1, 8, 8]
    assert lenet["test_accuracy"] is None
    assert ">Parameters" in picture.read_text()
    (tmp_path / "mine" / "metrics.csv").unlink()
    assert run(["compare", str(folder.path)]) == 0
    assert "Accuracy" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["resnet"], "no network is called `resnet`"),
        (["lenet", "-o", "x.jpg"], "can't tell what to draw `.jpg`"),
        (["unet", "--input", "3xHxW", "-o", "x.svg"], "has no place in a picture"),
        (["lenet", "."], "is no run: it has no `run.json`"),
    ],
)
def test_wrong_usage(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compare", *args]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert not told.out
    assert not list(tmp_path.iterdir())


def test_a_network_that_costs_nothing_has_a_place() -> None:
    nothing = archdsl.loads("net nothing\n  input 8\n  identity")
    assert circles([compared(nothing.net, "nothing"), row("lenet")])["nothing"].radius > 0
    assert circles([compared(nothing.net, "nothing")])["nothing"].radius > 0


def test_an_open_size_has_no_place_in_a_picture() -> None:
    with pytest.raises(WrongUsage, match="leaves its input's size open"):
        scatter([compared(archdsl.load("unet", input="3xHxW").net, "unet")], theme("light"))


@pytest.mark.parametrize("command", ["compare", "diff"])
def test_nothing_heavy_is_loaded(command: str, tmp_path: Path) -> None:
    picture = str(tmp_path / "x.svg")
    code = f"from archdsl.cli import run; assert not run(['{command}', 'lenet', 'alexnet', '-o', {picture!r}])"
    assert not loaded(code) & {"torch", "numpy", "matplotlib", "graphviz", "lightning"}


def test_a_run_is_compared_without_torch(tmp_path: Path) -> None:
    folder = trained_in(tmp_path, epochs=1)
    code = f"from archdsl.cli import run; assert not run(['compare', {str(folder.path)!r}])"
    assert not loaded(code) & {"torch", "numpy", "lightning"}


PAGE = Path(archdsl.__file__).parents[1] / "docs" / "compare.md"
SHOWN = re.findall(r"^```\n\$ archdsl (.+)\n((?:(?!```).*\n)+)```$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("command", "told"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_page_shows_what_the_commands_print(
    command: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(command.split()) == 0
    assert capsys.readouterr().out == told


def test_the_page_shows_both_commands() -> None:
    assert {command.split()[0] for command, _ in SHOWN} == {"compare", "diff"}
