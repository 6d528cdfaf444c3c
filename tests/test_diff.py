"""What changed between two networks: against PyTorch's modules, against the totals, and as agreed on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import torchvision_model
from torch import nn
from zoo import REFERENCE, unfilled

import archdsl
from archdsl.cli import run
from archdsl.emit.diff import Diff, diff, text, to_json
from archdsl.emit.diff.drawing import drawing
from archdsl.emit.diff.rows import Row, rows

GOLDEN = Path(__file__).parent / "golden" / "diff"
EXAMPLES = (
    ("resnet18", "resnet34"),
    ("plain20", "resnet20"),
    ("vgg11", "vgg11_bn"),
    ("resnet50", "wide_resnet50_2"),
    ("googlenet", "googlenet_2014"),
    ("densenet121", "densenet169"),
)
DOZEN = (
    "deeplabv3_resnet50",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "googlenet_2014",
    "inception_v3",
    "lenet",
    "mobilenet_v3_small",
    "resnet20",
    "resnet50",
    "shufflenet_v2_x0_5",
    "swin_t",
    "unet",
    "vgg11_bn",
    "vit_b_32",
)
SVG = "{http://www.w3.org/2000/svg}"


def between(one: str, other: str, **options: Any) -> Diff:
    return diff(archdsl.load(one, **options).net, archdsl.load(other, **options).net)


def of(one: str, other: str) -> Diff:
    return diff(archdsl.loads(one).net, archdsl.loads(other).net)


def changes(found: Diff) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = to_json(found)["changes"]
    return listed


def leaves(told: tuple[Row, ...]) -> Iterator[Row]:
    for row in told:
        yield from leaves(row.rows) if row.rows else (row,)


def spec(*steps: str) -> str:
    return "\n".join(("net a", "  input 8x16x16", *(f"  {step}" for step in steps)))


@pytest.mark.parametrize("one", DOZEN)
def test_all_changes_add_up_to_the_difference(one: str) -> None:
    """Removed and added parts, and what changed between, in all pairs with one network; as data and as lines."""
    before = archdsl.load(one)
    for other in DOZEN:
        after = archdsl.load(other)
        found = diff(before.net, after.net)
        costs = before.cost(), after.cost()
        params, macs = (
            costs[1].params - costs[0].params,
            costs[1].macs + costs[1].training_macs - costs[0].macs - costs[0].training_macs,
        )
        assert sum(change["params"] for change in changes(found)) == params
        assert sum(change["macs"] for change in changes(found)) == macs
        told = list(leaves(rows(found)))
        assert (sum(row.params for row in told), sum(row.macs for row in told)) == (params, macs)
        assert found.same == (one == other)


@pytest.mark.parametrize("name", DOZEN)
def test_a_network_is_the_same_as_itself(name: str) -> None:
    found = between(name, name)
    assert found.same
    assert not changes(found)
    assert text(found, 80) == f"nothing differs between {name} and {name}"
    assert {node.mark for node in drawing(found).nodes} <= {"", "same"}


@pytest.mark.parametrize(("one", "other"), [pair for pair in EXAMPLES if {*pair} <= REFERENCE.keys()])
def test_the_totals_are_those_of_torchvision(one: str, other: str) -> None:
    params = [REFERENCE[name]["params"] for name in (one, other)]
    assert f"difference  {params[1] - params[0]:+,}" in re.sub(r"  +", "  ", text(between(one, other), 80))
    assert sum(change["params"] for change in changes(between(one, other))) == params[1] - params[0]


def parameters(model: nn.Module) -> dict[str, int]:
    return {name: value.numel() for name, value in model.named_parameters()}


def test_what_resnet34_has_more_is_what_pytorch_has_more() -> None:
    ours, theirs = (parameters(unfilled(name)) for name in ("resnet18", "resnet34"))
    found = {row.title: row.params for row in rows(between("resnet18", "resnet34")) if row.mark != "same"}
    for layer in range(1, 5):
        new = {name: count for name, count in theirs.items() if name not in ours and name.startswith(f"layer{layer}.")}
        assert found.pop(f"layer{layer}") == sum(new.values())
    assert not found


def test_what_vgg11_bn_has_more_are_its_norms() -> None:
    model = torchvision_model("vgg11_bn")
    norms = {
        name: sum(value.numel() for value in module.parameters())
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d)
    }
    found = changes(between("vgg11", "vgg11_bn"))
    assert {change["change"] for change in found} == {"added"}
    assert {change["after"]["path"]: change["params"] for change in found} == norms


def test_what_a_wider_resnet_changes_is_what_it_changes_in_pytorch() -> None:
    models = [dict(unfilled(name).named_modules()) for name in ("resnet50", "wide_resnet50_2")]
    counted = 0
    for change in changes(between("resnet50", "wide_resnet50_2")):
        path = re.sub(r"\{(\d+)\.\.\d+\}", r"\1", change["before"]["path"])
        if path.rpartition(".")[2].startswith("~"):
            assert change["params"] == 0
            continue
        for side, modules in zip(("before", "after"), models, strict=True):
            told, module = change[side], modules[path]
            assert told["params"] == sum(value.numel() for value in module.parameters())
            assert isinstance(module, (nn.Conv2d, nn.BatchNorm2d))
            if isinstance(module, nn.Conv2d) and "out" in change["changed"]:
                assert change["changed"]["out"][side == "after"] == module.out_channels
            if isinstance(module, nn.Conv2d) and "in" in change["changed"]:
                assert change["changed"]["in"][side == "after"] == module.in_channels
        counted += change["before"]["count"]
    assert counted == 16 * 5  # two convolutions, their norms and the input of the third in each of 16 blocks


def test_only_the_shortcuts_of_resnet20_are_new() -> None:
    """He et al. 2016, section 4.2: identity and option A have no parameters."""
    found = changes(between("plain20", "resnet20"))
    assert {change["change"] for change in found} == {"added"}
    assert {change["after"]["call"].split()[0] for change in found} == {"add", "maxpool", "pad"}
    assert sum(change["after"]["count"] for change in found if change["after"]["call"] == "add") == 9
    assert not any(change["params"] or change["macs"] for change in found)


@pytest.mark.parametrize(("one", "other"), EXAMPLES, ids="-".join)
def test_looks(one: str, other: str, overwrite_golden: bool) -> None:
    """`pytest --overwrite-golden` writes them anew."""
    told = text(between(one, other), 80) + "\n"
    golden = GOLDEN / f"{one}-{other}.txt"
    if overwrite_golden:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(told)
    assert told == golden.read_text()
    assert max(map(len, told.splitlines())) <= 80


BASE = ("conv1: conv 3x3, 8, pad same", "relu", "conv2: conv 3x3, 8, pad same", "flatten", "fc: linear 10")


@pytest.mark.parametrize(
    ("edited", "line"),
    [
        ((*BASE[:2], "conv2: conv 3x3, 16, pad same", *BASE[3:]), "~ conv2: out 8 -> 16"),
        ((*BASE[:2], "conv2: conv 5x5, 8, pad same, bias no", *BASE[3:]), "~ conv2: kernel 3x3 -> 5x5, bias yes -> no"),
        ((BASE[0], "gelu", *BASE[2:]), "~ relu -> gelu"),
        ((*BASE[:2], "lrn 5", *BASE[2:]), "+ lrn 5"),
        ((BASE[0], *BASE[2:]), "- relu"),
        ((*BASE[:2], "second: conv 3x3, 8, pad same", *BASE[3:]), "~ second: was conv2"),
        ((*BASE[:4], "fc: linear 12"), "~ fc: out 10 -> 12"),
        (
            (*BASE[:2], "conv2: dwconv 3x3, pad same", *BASE[3:]),
            "~ conv2: conv 3x3, 8, pad same -> dwconv 3x3, pad same",
        ),
    ],
)
def test_an_edit_is_told_as_it_is_meant(edited: tuple[str, ...], line: str) -> None:
    told = text(of(spec(*BASE), spec(*edited)), 120)
    marked = [re.sub(r"  +.*", "", found) for found in told.splitlines() if found[:1] in "~+-" and found[1:2] == " "]
    assert line in marked
    # What else is told is a consequence: sizes that another layer gets, and the output.
    others = [found for found in marked if found != line]
    assert all(re.match(r"~ (fc: in|output out:)", found) for found in others)


def test_another_connection_is_told() -> None:
    steps = ("a: conv 3x3, 8, pad same", "b: conv 3x3, 8, pad same")
    one, other = (spec("stem: relu", *steps, "add", "  - skip", f"  - from {name}") for name in ("a", "stem"))
    found = of(one, other)
    assert not found.same
    (change,) = changes(found)
    assert change["changed"] == {"from": ["b, a", "b, stem"]}
    assert "~ add from b, a -> b, stem" in text(found, 80)


def test_another_way_to_draw_weights_is_a_note() -> None:
    one, other = (f"init conv  weight {way}\n{spec(*BASE)}" for way in ("kaiming_normal", "xavier_uniform"))
    found = of(one, other)
    assert found.same
    told = text(found, 80).splitlines()
    assert told[0] == "nothing differs between a and a in what they compute"
    assert told[2] == "Drawn  weight of conv: kaiming_normal -> xavier_uniform (2 times)"


def test_another_number_of_iterations_is_one_line() -> None:
    def loop(times: int) -> str:
        return spec(f"repeat {times}", "  conv 3x3, 8, pad same", "  relu")

    (row,) = rows(of(loop(30), loop(1000)))
    assert row.line == "30 -> 1,000 x (conv, relu)"
    assert row.params == 970 * (8 * 8 * 9 + 8)
    same, *added = rows(of(loop(3), loop(4)))
    assert (same.mark, len(same.changes)) == ("same", 6)
    assert [row.line for row in added] == ["6: conv 3x3, 8, pad same", "7: relu"]


def test_another_size_changes_no_layer() -> None:
    found = diff(archdsl.load("resnet18").net, archdsl.load("resnet18", input="3x96x96").net)
    assert not found.same
    assert {change["change"] for change in changes(found)} == {"changed"}
    assert not any(change["params"] for change in changes(found))
    assert all({*change["changed"]} <= {"at", "in", "input"} for change in changes(found))
    assert len(text(found, 80).splitlines()) < 25


def test_open_sizes_stay_symbols() -> None:
    found = diff(*(archdsl.load("unet", input="3xHxW", classes=n).net for n in (2, 3)))
    (head,) = changes(found)
    assert head["params"] == 65
    assert head["macs"] == "64*H*W"
    assert "≈64*H*W" in text(found, 80)


OPS = ("relu", "lrn 5", "identity", "dropout 0.3", "batchnorm", "sigmoid", "softmax")


@given(st.lists(st.sampled_from(OPS), min_size=1, max_size=8), st.lists(st.sampled_from(OPS), min_size=1, max_size=8))
def test_as_much_as_can_be_is_the_same(one: list[str], other: list[str]) -> None:
    """A longest common subsequence of both lists of steps, by its definition."""
    best = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, j in product(range(len(one)), range(len(other))):
        longer = best[i][j] + 1 if one[i] == other[j] else 0
        best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], longer)
    found = of(spec(*one), spec(*other))
    assert sum(change.mark == "same" for change in found.whole.changes) == best[-1][-1]
    assert [change.before.what for change in found.whole.changes if change.before] == one
    assert [change.after.what for change in found.whole.changes if change.after] == other


@pytest.mark.parametrize(("one", "other"), EXAMPLES, ids="-".join)
def test_the_diagram_tells_what_the_text_tells(one: str, other: str) -> None:
    found = between(one, other)
    diagram = drawing(found)
    boxes = [node for node in diagram.nodes if node.form == "op"]
    assert [node.mark for node in boxes] == [row.mark for row in leaves(rows(found))]
    gone = {node.id for node in diagram.nodes if node.mark == "removed"}
    assert all(edge.aside == bool(gone & {edge.source, edge.target}) for edge in diagram.edges)
    reached = {edge.target for edge in diagram.edges} | {0}
    assert reached == {node.id for node in diagram.nodes}


def test_networks_with_nothing_in_common_stand_beside_each_other() -> None:
    """No line is shared, at which the picture could go on in another column."""
    diagram = drawing(between("convnext_base", "maxvit_t"))
    assert diagram.render("svg").startswith(b"<svg")


def test_long_names_fit_80_columns() -> None:
    told = text(between("deeplabv3_mobilenet_v3_large", "deeplabv3_resnet101"), 80).splitlines()
    assert told[0] == "deeplabv3_mobilenet_v3_large ->"
    assert told[1].split() == ["deeplabv3_resnet101", "Params", "MACs"]
    assert max(map(len, told)) <= 80


def test_marks_are_told_apart_without_colours() -> None:
    diagram = drawing(between("googlenet", "googlenet_2014"))
    marks: list[str] = [node.mark for node in diagram.nodes]
    root = ElementTree.fromstring(diagram.render("svg", theme="print"))
    letters = [found.text for found in root.iter(f"{SVG}text")]
    legend = 1
    for mark, sign in {"added": "+", "removed": "–", "changed": "~"}.items():
        assert letters.count(sign) == marks.count(mark) + legend
        assert mark in letters
    dashed = [found for found in root.iter(f"{SVG}rect") if found.get("stroke-dasharray")]
    assert len(dashed) >= marks.count("removed")
    for format in ("dot", "mmd"):
        drawn = diagram.render(format).decode()
        assert f"{'+'} lrn 5" in drawn
        assert "– conv1.bn" in drawn
    assert diagram.render("svg") == drawing(between("googlenet", "googlenet_2014")).render("svg")


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    picture = tmp_path / "diff.svg"
    assert run(["diff", "resnet18", "resnet34", "-o", str(picture)]) == 0
    assert capsys.readouterr().out == (GOLDEN / "resnet18-resnet34.txt").read_text()
    assert "<title>resnet18 → resnet34</title>" in picture.read_text()
    assert run(["diff", "lenet", "lenet", "--set-b", "classes=7", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [change["changed"] for change in told["changes"]] == [{"out": [10, 7]}]
    assert told["interface"] == {"output out": [[10], [7]]}
    assert run(["diff", "lenet", "lenet", "--set-a", "classes=7", "--set-b", "classes=7"]) == 0
    assert capsys.readouterr().out == "nothing differs between lenet and lenet\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lenet", "lenett"], "did you mean `lenet`?"),
        (["lenet", "alexnet", "-o", "x.jpg"], "can't tell what to draw `.jpg`"),
        (["lenet", "alexnet", "--set-a", "classes"], "isn't NAME=VALUE"),
    ],
)
def test_wrong_usage(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", *args]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert not told.out
