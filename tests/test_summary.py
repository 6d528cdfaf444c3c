"""The summary: its columns add up to its totals and fit the page, and the JSON holds what other programs rely on."""

from __future__ import annotations

import csv
import io
import json
import re
from textwrap import indent
from typing import Any

import pytest

import archdsl
from archdsl.failure import Failure

SHIPPED = ("alexnet", "densenet121", "googlenet", "lenet", "nin_cifar", "resnet18", "resnet152", "unet", "vgg16")


def numbers(text: str) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The parameters and MACs of each row of a table, and those of the total."""
    lines = text.split("\n")
    heading = next(k for k, line in enumerate(lines) if line.startswith("Layer"))
    ends = [lines[heading].index("Params") + len("Params"), lines[heading].index("MACs") + len("MACs")]
    rows = []
    for line in lines[heading + 1 :]:
        if line.startswith("─"):
            continue
        if not line:
            break
        cells = [_ending_at(line, end) for end in ends]
        rows.append((cells[0], cells[1]))
    return rows[:-1], rows[-1]


def _ending_at(line: str, end: int) -> int:
    """The number whose last digit stands before a column; 0 for none, and for one in brackets."""
    if len(line) < end or line[end - 1] in " )":
        return 0
    found = re.search(r"[\d,]+$", line[:end])
    assert found is not None
    return int(found[0].replace(",", ""))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("width", [80, 120])
def test_columns_add_up_and_fit(name: str, width: int) -> None:
    network = archdsl.load(name)
    total = network.to_json()
    for depth in (None, 1, 2, 3, 9):
        text = network.summary(depth=depth, width=width)
        assert max(map(len, text.split("\n"))) <= width
        rows, last = numbers(text)
        assert last == (total["params"], total["macs"])
        assert last == (sum(params for params, _ in rows), sum(macs for _, macs in rows))
    rows, last = numbers(network.summary(full=True, width=width))
    assert last == (sum(params for params, _ in rows), sum(macs for _, macs in rows))


@pytest.mark.parametrize("name", SHIPPED)
def test_layers_add_up_and_unfold(name: str) -> None:
    network = archdsl.load(name)
    folded, full = network.to_json(), network.to_json(full=True)
    for number in ("params", "buffers", "macs", "training_macs"):
        assert sum(layer[number] * layer["count"] for layer in folded["layers"]) == folded[number]
        assert sum(layer[number] for layer in full["layers"]) == full[number] == folded[number]
    assert {layer["count"] for layer in full["layers"]} == {1}
    assert [path for layer in folded["layers"] for path in unfolded(layer)] != []
    assert sorted(path for layer in folded["layers"] for path in unfolded(layer)) == sorted(
        layer["path"] for layer in full["layers"]
    )


def unfolded(layer: dict[str, Any]) -> list[str]:
    """The paths that `layer1.{1..3}.conv` or `features.{3,7..19}` stand for."""
    found = re.search(r"\{(\d+)(?:,(\d+))?\.\.(\d+)\}", layer["path"])
    if found is None:
        assert layer["count"] == 1
        return [layer["path"]]
    first, second, last = (int(group) if group else 0 for group in found.groups())
    paths = [
        f"{layer['path'][: found.start()]}{k}{layer['path'][found.end() :]}"
        for k in range(first, last + 1, second - first if second else 1)
    ]
    assert len(paths) == layer["count"]
    return paths


def test_the_interface() -> None:
    made = archdsl.load("resnet50").to_json()
    assert made["name"] == "resnet50"
    assert made["inputs"] == {"input": [3, 224, 224]}
    assert list(made["outputs"].values()) == [[1000]]
    assert (made["params"], made["macs"]) == (25_557_032, 4_089_184_256)
    first = made["layers"][0]
    assert (first["path"], first["op"], first["inputs"], first["output"]) == (
        "conv1",
        "conv",
        [[3, 224, 224]],
        [64, 112, 112],
    )
    assert (first["params"], first["macs"], first["receptive_field"]) == (9408, 118_013_952, [7, 7])
    assert len(made["state_dict"]) == 320
    assert list(made["state_dict"])[:2] == ["conv1.weight", "bn1.weight"]
    assert made["state_dict"]["layer4.2.conv3.weight"] == [2048, 512, 1, 1]
    assert made["state_dict"]["bn1.num_batches_tracked"] == []
    (folded,) = [layer for layer in made["layers"] if layer["path"] == "layer3.{1..5}.conv2"]
    assert (folded["count"], folded["params"]) == (5, 256 * 256 * 9)


def test_json_and_csv_say_the_same() -> None:
    network = archdsl.load("googlenet")
    made = network.to_json()
    assert json.loads(network.summary(format="json")) == made
    rows = list(csv.DictReader(io.StringIO(network.summary(format="csv"))))
    assert [(row["path"], int(row["params"]), int(row["macs"]), int(row["count"])) for row in rows] == [
        (layer["path"], layer["params"], layer["macs"], layer["count"]) for layer in made["layers"]
    ]
    assert rows[0]["inputs"] == "3x224x224"


def test_side_heads_are_marked() -> None:
    network = archdsl.load("googlenet")
    marked = [line for line in network.summary().split("\n") if "(training)" in line]
    assert [line.split()[0] for line in marked] == ["aux1", "aux2"]
    assert all(line.endswith(")") for line in marked)
    modes = {layer["path"].split(".")[0]: layer["mode"] for layer in network.to_json()["layers"]}
    assert {path for path, mode in modes.items() if mode == "training"} == {"aux1", "aux2"}


def test_googlenet_fits_on_a_screen_and_a_half() -> None:
    assert len(archdsl.load("googlenet").summary().split("\n")) <= 36


def test_the_convention_is_named_and_chosen() -> None:
    network = archdsl.load("nin_cifar")
    assert "159,426,198" in network.summary(macs="torchinfo")
    assert "torchinfo" in network.summary(macs="torchinfo")
    assert "torchinfo" not in network.summary()
    assert network.to_json(macs="torchinfo")["macs"] == 159_426_198


def test_symbolic_sizes_are_shown_as_people_write_them() -> None:
    network = archdsl.load("resnet50", input="3xHxW")
    text = network.summary()
    assert "64x⌈H/2⌉x⌈W/2⌉" in text
    assert max(map(len, text.split("\n"))) <= 80
    made = network.to_json()
    assert made["inputs"] == {"input": [3, "H", "W"]}
    assert made["layers"][0]["output"] == [64, "⌈H/2⌉", "⌈W/2⌉"]
    assert made["layers"][0]["macs"] == "9408*⌈H/2⌉*⌈W/2⌉"
    # 9408 MACs at a quarter of the positions.
    assert "≈2,352*H*W" in text


def test_what_the_network_asks_of_its_input() -> None:
    text = archdsl.load("unet").summary()
    assert "at least 3x16x16" in text
    assert "H must be a multiple of 16" in text


DEEP = """
net deep
  input 8x16x16
  stem: conv 3x3, 8, pad 1
  body:
    repeat {times}
      conv 3x3, 8, pad 1
      relu
"""


def test_a_loop_is_one_row_a_step() -> None:
    network = archdsl.loads(DEEP.format(times=1_000_000))
    layers = {layer["path"]: layer["count"] for layer in network.to_json()["layers"]}
    assert layers == {
        "stem": 1,
        "body.{0,2..1999998}": 1_000_000,
        "body.{1,3..1999999}": 1_000_000,
    }
    assert "1,000,000 x conv 3x3, 8, pad 1" in network.summary(width=120)
    with pytest.raises(Failure, match="2,000,001 layers"):
        network.summary(full=True)
    with pytest.raises(Failure):
        network.to_json(full=True)


def test_equal_calls_are_one_row_and_others_are_not() -> None:
    text = """
block pair (width)
  a: conv 1x1, width
  b: conv 1x1, width
net calls
  input 8x4x4
  one1: pair 8
  one2: pair 8
  one3: pair 8
  other: pair 8
  two1: pair 8
  two2: pair 9
"""
    rows = [layer["path"] for layer in archdsl.loads(text).to_json()["layers"]]
    assert rows == [f"{name}.{inner}" for name in ("one{1..3}", "other", "two1", "two2") for inner in "ab"]


def test_a_wide_table_tells_receptive_fields() -> None:
    network = archdsl.load("resnet50")
    (stem,) = [line for line in network.summary(width=120).split("\n") if line.startswith("conv1 ")]
    assert stem.split()[-3:] == ["7x7", "9,408", "118,013,952"]
    assert "Sees" not in network.summary(width=80)


def test_unused_layers_are_told_apart() -> None:
    text = "net small\n  input 4\n  a: linear 3\n  unused b: linear 5\n"
    network = archdsl.loads(text)
    assert "(unused) linear 5" in network.summary()
    assert [(layer["unused"], layer["macs"], layer["params"]) for layer in network.to_json()["layers"]] == [
        (False, 12, 15),
        (True, 0, 20),
    ]


def test_a_step_given_to_a_block_is_no_setting() -> None:
    """It has nothing that a spec would say, and its identity differs from run to run."""
    layers = archdsl.load("lraspp_mobilenet_v3_large").summary(depth=1, width=200).splitlines()
    assert any(line.split()[:3] == ["classifier", "lraspp_head", "21"] and "[" not in line for line in layers)
    layers = archdsl.load("deeplabv3_resnet50").summary(depth=1, width=200).splitlines()
    assert any("upsample to HxW" in line for line in layers)


# Steps of two kinds of block, and the rows that a reader expects: equal neighbours and iterations are one.
ROWS = {
    "a0: b\na1: b\nc0: d\nc1: d\nrepeat 5\n  a{i+2}: b\n  c{i+2}: d": ["a{0..1}", "c{0..1}", "a{2..6}", "c{2..6}"],
    "a0: b\nrepeat 5\n  a{i+1}: b": ["a{0..5}"],
    "a0: b\nc0: d\nrepeat 5\n  a{i+1}: b\n  c{i+1}: d": ["a{0..5}", "c{0..5}"],
    "a0: b\na1: b\nrepeat 5\n  a{i+2}: b": ["a{0..6}"],
    "a7: b\nrepeat 3\n  a{i}: b": ["a7", "a{0..2}"],
    "a1: b\na3: b\na4: b": ["a1", "a{3..4}"],
    "a0: d\nrepeat 3\n  a{i+1}: b": ["a0", "a{1..3}"],
    "f:\n  b\n  b\n  repeat 3\n    b\n  b": ["f.{0..5}"],
    "f:\n  b\n  d\n  b": ["f.0", "f.1", "f.2"],
}


@pytest.mark.parametrize(("body", "rows"), ROWS.items())
def test_equal_steps_are_one_row(body: str, rows: list[str]) -> None:
    head = "block b\n  c: conv 1x1, 4\nblock d\n  c: conv 3x3, 4, pad 1\n"
    network = archdsl.loads(f"{head}net a\n  input 4x8x8\n" + indent(body, "  "))
    layers = network.to_json()["layers"]
    assert [layer["path"] for layer in layers] == [f"{row}.c" for row in rows]
    full = [layer["path"] for layer in network.to_json(full=True)["layers"]]
    assert sorted(path for layer in layers for path in unfolded(layer)) == sorted(full)
