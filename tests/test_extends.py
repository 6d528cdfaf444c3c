"""Specs that build on other files: `extends` and `use`."""

from __future__ import annotations

from pathlib import Path

import pytest
from network_facts import params, weights

import archdsl
from archdsl.diagnostics import SpecError
from archdsl.ir import Init, Net, leaves

BASE = """
default conv pad same, bias no
default batchnorm eps 0.25
init conv weight normal(0.5), bias 1
let wide = 8

block b (c)
  conv: conv 3x3, c
  bn: batchnorm

net base (classes = 10, width = 4, plan = [1, 2])
  about "the base"
  input 3x32x32
  x: b width
  for n in plan
    y{row}: b n * wide
  avgpool to 1x1
  flatten
  fc: linear classes
  train
    lr 0.1
    epochs 5
"""
CHILD = """
net child = base (width = 6, plan = [3])
  input 3x64x48
  default batchnorm eps 0.5
  default linear bias no
  init conv weight zeros
  train
    lr 0.2
"""
GRANDCHILD = """
network: grandchild
about: the youngest
extends: child
params: {classes: 5}
"""
LIBRARY = """
default conv bias no
let k = 3

block conv_relu (c)
  conv: conv k, c
  relu

macro plain (c)
  conv k, c
  relu
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"base.arch": BASE, "child.arch": CHILD, "grandchild.yaml": GRANDCHILD, "blocks.arch": LIBRARY}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def eps(net: Net) -> set[float]:
    return {leaf.step.op.eps for leaf in leaves(net.scope) if leaf.step.op.name == "batchnorm"}  # type: ignore[attr-defined]


def test_a_network_extends_another(folder: Path) -> None:
    net = archdsl.load(folder / "child.arch").net
    assert (net.name, net.about, net.sizes) == ("child", "the base", {"H": 64, "W": 48})
    assert dict(net.params) == {"classes": 10, "width": 6, "plan": (3,)}
    assert [key for key in weights(net) if "bn" not in key] == ["x.conv.weight", "y0.conv.weight", "fc.weight"]
    assert weights(net)["y0.conv.weight"] == (24, 6, 3, 3)
    assert net.train == {"lr": 0.2, "epochs": 5}
    assert eps(net) == {0.5}  # its defaults come before those of the file that it extends, for all its blocks
    assert {init for leaf in leaves(net.scope) for _, init in leaf.step.inits} == {Init("zeros")}
    assert eps(archdsl.load(folder / "base.arch").net) == {0.25}


def test_extending_goes_on(folder: Path) -> None:
    net = archdsl.load(folder / "grandchild.yaml").net
    assert (net.name, net.about) == ("grandchild", "the youngest")
    assert dict(net.params) == {"classes": 5, "width": 6, "plan": (3,)}
    given = archdsl.load(folder / "grandchild.yaml", classes="2 * 2", width=2, input="3xHxW").net
    assert dict(given.params) == {"classes": 4, "width": 2, "plan": (3,)}
    assert not given.sizes


def test_a_packaged_spec_is_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("network: mine\nextends: resnet18\nparams: {classes: 7}\n")
    assert params(archdsl.load(tmp_path / "mine.yaml").net) == 11_689_512 - 513 * 993


def test_used_blocks_keep_their_own_files_settings(folder: Path) -> None:
    (folder / "user.arch").write_text(
        "use blocks\ndefault conv pad same\nnet user\n  input 3x32x32\n  a: conv_relu 4\n  f:\n"
        "    plain 5\n    conv 3x3, 2\n    conv_relu 6\n"
    )
    net = archdsl.load(folder / "user.arch").net
    assert list(weights(net)) == ["a.conv.weight", "f.0.weight", "f.2.weight", "f.2.bias", "f.3.conv.weight"]
    pads = [leaf.step.op.pad for leaf in leaves(net.scope) if leaf.step.op.name == "conv"]  # type: ignore[attr-defined]
    assert pads == [0, 0, "same", 0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("net q = blocks (a = 1)", "not-a-network"),
        ("net q = base (widht = 1)", "unknown-parameter"),
        ("net q = basis", "unknown-spec"),
        ("net q = q", "recursion"),
        ("use base\nuse nothing\nnet q\n  input 3\n  relu", "unknown-spec"),
        ("use q\nnet q\n  input 3\n  relu", "recursion"),
        ("block b\n  relu", "not-a-network"),
        ("net q = base (width = 1.5)", "wrong-type"),
        ("net q = twice", "not-a-network"),
    ],
)
def test_files_that_cant_be(folder: Path, text: str, code: str) -> None:
    (folder / "twice.arch").write_text(BASE)
    (folder / "twice.yaml").write_text(GRANDCHILD)
    (folder / "q.arch").write_text(text)
    with pytest.raises(SpecError) as refused:
        archdsl.load(folder / "q.arch")
    assert [one.code for one in refused.value.diagnostics] == [code]


def test_a_value_from_outside_that_goes_wrong_is_blamed_where_it_was_given() -> None:
    text = "net a (width = 4, depth = 2)\n  input 3x8x8\n  repeat depth\n    conv{i}: conv 3x3, width, pad same\n"
    with pytest.raises(SpecError) as refused:
        archdsl.loads(text, depth="3", width="0")
    (told,) = refused.value.diagnostics
    assert (told.span.source.name, told.span.source.line(told.span.line)) == ("--set", "width=0")
    assert [note.span.line for note in told.notes if note.span.source.name != "--set"] == [4]
