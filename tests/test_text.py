"""The text spelling: every construct beside its YAML, and its mistakes."""

from __future__ import annotations

import pytest

from archdsl.diagnostics import SpecError
from archdsl.source import Source
from archdsl.syntax.limits import NESTED_BODIES
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read
from archdsl.syntax.spec import For, Group, Merge, Residual, Spec, Statement, Step


def spec(text: str) -> Spec:
    return read(Source("spec.arch", text))


def body(text: str) -> tuple[Statement, ...]:
    """The steps of a network, given without its head."""
    indented = "".join(f"  {each}\n" for each in text.strip("\n").split("\n"))
    layers = spec(f"net n\n{indented}").layers
    assert layers is not None
    return layers


def yaml_body(text: str) -> tuple[Statement, ...]:
    indented = "".join(f"  {each}\n" for each in text.strip("\n").split("\n"))
    layers = read(Source("spec.yaml", f"network: n\nlayers:\n{indented}")).layers
    assert layers is not None
    return layers


RESNET = """\
# ResNet-50 (He et al. 2016, table 1), with the names of torchvision
default conv    pad same, bias no
init conv       weight kaiming_normal(fan_out)
init batchnorm  weight 1, bias 0

block bottleneck (width, stride = 1)
  residual
    conv1: conv 1x1, width
    bn1:   batchnorm
    relu
    conv2: conv 3x3, width, stride
    bn2:   batchnorm
    relu
    conv3: conv 1x1, 4*width
    bn3:   batchnorm
  shortcut downsample:
    conv 1x1, 4*width, stride
    batchnorm
  relu

net resnet50 (classes = 1000, layers = [3, 4, 6, 3])
  input 3x224x224
  conv1: conv 7x7, 64, stride 2
  bn1:   batchnorm
  relu
  maxpool 3x3, stride 2, pad 1
  for s in 0..3
    layer{s+1}: layers[s] x bottleneck 64 * 2**s, stride 2 if first and s > 0 else 1
  avgpool to 1x1
  flatten
  fc:    linear classes
"""
RESNET_YAML = """\
# ResNet-50 (He et al. 2016, table 1), with the names of torchvision
network: resnet50
params: {classes: 1000, layers: [3, 4, 6, 3]}
input: 3x224x224
defaults:
  conv: pad same, bias no
init:
  conv: weight kaiming_normal(fan_out)
  batchnorm: weight 1, bias 0
blocks:
  bottleneck (width, stride = 1):
    - residual:
        - conv1: conv 1x1, width
        - bn1: batchnorm
        - relu
        - conv2: conv 3x3, width, stride
        - bn2: batchnorm
        - relu
        - conv3: conv 1x1, 4*width
        - bn3: batchnorm
      shortcut downsample:
        - conv 1x1, 4*width, stride
        - batchnorm
    - relu
layers:
  - conv1: conv 7x7, 64, stride 2
  - bn1: batchnorm
  - relu
  - maxpool 3x3, stride 2, pad 1
  - for: s in 0..3
    do:
      - layer{s+1}: layers[s] x bottleneck 64 * 2**s, stride 2 if first and s > 0 else 1
  - avgpool to 1x1
  - flatten
  - fc: linear classes
"""


def test_the_network_of_the_language_page_is_one_in_both_spellings() -> None:
    text, yaml = spec(RESNET), read(Source("spec.yaml", RESNET_YAML))
    assert text == yaml
    assert print_text(text) == print_text(yaml) == RESNET
    assert print_yaml(yaml) == RESNET_YAML


CONSTRUCTS = {
    "call": ("conv1: conv 7x7, 64, stride 2", "- conv1: {conv: [7x7, 64], stride: 2}"),
    "structured settings": (
        "pool: avgpool to 1x1, pad = [1, 2], ceil yes",
        "- pool: {avgpool: [to 1x1], pad: [1, 2], ceil: yes}",
    ),
    "structured count": ("layer: 3 x block 64 when a", "- layer when a: {3 x block: 64}"),
    "chain": ("b: conv_bn 1x1, 96 -> conv_bn 3x3, 128", "- b: conv_bn 1x1, 96 -> conv_bn 3x3, 128"),
    "guard": ("dropout drop when drop > 0", "- dropout drop when drop > 0"),
    "group": ("features:\n  relu", "- features: [relu]"),
    "guarded group": ("features: when a\n  relu", "- features when a: [relu]"),
    "unnamed group": ("group\n  relu\ngroup when a\n  relu", "- group: [relu]\n- group when a: [relu]"),
    "repeat": ("repeat 12\n  relu", "- repeat: 12\n  do: [relu]"),
    "named repeat": ("repeat 3 as j when a\n  relu", "- repeat when a: 3 as j\n  do: [relu]"),
    "one-line repeat": ("layer1: 3 x bottleneck 64", "- layer1: 3 x bottleneck 64"),
    "for": ("for n, c in plan when a\n  relu", "- for when a: n, c in plan\n  do: [relu]"),
    "for over a list": ("for k in [4, 3]\n  relu", "- for: k\n  in: [4, 3]\n  do: [relu]"),
    "table": (
        "for  op  n\n     a  16\n     b   4\ndo op n",
        "- for: op n\n  in: [[a, 16], [b, 4]]\n  do: [op n]",
    ),
    "table with a body": (
        "for n\n  1\n  -1\ndo\n  relu\n  conv n",
        "- for: n\n  in:\n    - [1]\n    - [-1]\n  do:\n    - relu\n    - conv n",
    ),
    "labelled table": ("x: for n\n  1\ndo relu", "- x:\n    - for: n\n      in: [[1]]\n      do: [relu]"),
    "merge": ("concat\n  - a: conv 1x1, 64\n  - skip", '- concat: [{a: "conv 1x1, 64"}, skip]'),
    "merge along": (
        "concat along tokens when a\n  - skip\n  - skip",
        "- concat along tokens when a: [skip, skip]",
    ),
    "branch of several steps": (
        "add\n  - fc1: linear 4\n    relu\n  -\n  - b:\n      relu",
        "- add:\n    - - fc1: linear 4\n      - relu\n    - []\n    - b: [relu]",
    ),
    "labelled merge": ("x: multiply when a\n  - skip\n  - relu", "- x:\n    - multiply when a: [skip, relu]"),
    "residual": ("residual when a\n  relu", "- residual when a: [relu]"),
    "shortcut": ("residual\n  relu\nshortcut\n  conv 1x1, 4", '- residual: [relu]\n  shortcut: ["conv 1x1, 4"]'),
    "shortcut with a condition": (
        "residual\n  relu\nshortcut down: when a\n  relu",
        "- residual: [relu]\n  shortcut down when a: [relu]",
    ),
    "shortcut without a body": ("residual\n  relu\nshortcut when a", "- residual: [relu]\n  shortcut: when a"),
    "labelled residual": (
        "x: residual\n  relu\nshortcut when a",
        "- x:\n    - residual: [relu]\n      shortcut: when a",
    ),
    "dense": ("dense 6\n  relu", "- dense: 6\n  do: [relu]"),
    "output": ("output aux1 when training\n  relu", "- output aux1 when training: [relu]"),
    "output without a body": ("output logits", "- output logits"),
    "from": ("from backbone.layer{k}", "- from: backbone.layer{k}"),
    "guarded from": ("from a when b", "- from when b: a"),
    "let": ("let a = 2*b\nlet c = [1, [2, 3]]", '- let: {a: 2*b, c: [1, [2, 3]]}'),
    "unused": ("unused linear: linear classes", "- unused linear: linear classes"),
    "a construct's word as a label": (
        "dense: linear 768\nfor:\n  relu",
        "- label dense: linear 768\n- label for: [relu]",
    ),
    "label with an expression": ("{i}-0: relu", '- "{i}-0": relu'),
    "continued line": ("conv 3x3,  # a kernel\n     64, [\n  1,\n  2\n]", '- "conv 3x3, 64, [1, 2]"'),
}  # fmt: skip


@pytest.mark.parametrize(("text", "yaml"), CONSTRUCTS.values(), ids=CONSTRUCTS)
def test_a_construct_is_one_in_both_spellings(text: str, yaml: str) -> None:
    assert body(text) == yaml_body(yaml)


THE_REST = """\
format 1
about "x"
use a, b
let n = 3
net x (act as op = none, k)
  input 3xHxW
  returns o, p
  relu
train
  lr 0.1
  steps [30, 60]
  data
    name cifar
preprocess
  resize = 256
"""
THE_REST_YAML = """\
format: 1
about: x
use: [a, b]
let: {n: 3}
network: x
params: {act as op: none, k: }
input: 3xHxW
returns: [o, p]
layers: [relu]
train: {lr: 0.1, steps: [30, 60], data: {name: cifar}}
preprocess: {resize: 256}
"""
FILES = {
    "extends": (
        'net b7 = b0 (width = 2.0)\n  input 3x600x600\n  default batchnorm  eps 1e-3\n  about "B7"',
        "network: b7\nextends: b0\nparams: {width: 2.0}\ninput: 3x600x600\nabout: B7\ndefaults: {batchnorm: eps 1e-3}",
    ),
    "library": ("block a (x)\n  relu\nmacro b\n  relu", "blocks:\n  a (x): [relu]\nmacros:\n  b: [relu]"),
    "own defaults": (
        "block a\n  default conv  bias no\n  init conv  weight 1\n  relu",
        "blocks:\n  a:\n    - defaults: {conv: bias no}\n    - init:\n        conv: {weight: 1}\n    - relu",
    ),
    "the rest": (THE_REST, THE_REST_YAML),
}  # fmt: skip


@pytest.mark.parametrize(("text", "yaml"), FILES.values(), ids=FILES)
def test_a_file_is_one_in_both_spellings(text: str, yaml: str) -> None:
    assert spec(text) == read(Source("spec.yaml", yaml))


def test_comments_and_blank_lines_are_kept() -> None:
    made = spec(
        "# head\n\n# above\ndefault conv  bias no  # note\n\nnet n  # the net\n  relu\n\n  # more\n  relu\n# end\n"
    )
    assert made.trivia.comments == ("head",)
    assert made.defaults[0].trivia == (("above",), "note", True)
    assert made.net_trivia.note == "the net"
    first, second = made.layers or ()
    assert first.trivia == ((), "", False)
    assert second.trivia == (("more",), "", True)
    assert made.closing == ("end",)


def test_labels_and_numbers_stand_in_columns() -> None:
    made = spec("net n\n  a: inception 64, 8\n  long: inception 128, 128\n  relu\n")
    assert print_text(made) == "net n\n  a:    inception  64,   8\n  long: inception 128, 128\n  relu\n"


def test_spans_are_those_of_the_file() -> None:
    (step, merge) = body("conv1: conv 3x3, 64  # note\nconcat\n  - a: conv 1x1, 8\n  - skip")
    assert isinstance(step, Step)
    assert isinstance(merge, Merge)
    assert step.label is not None
    assert step.span[1:] == (2, 3, 2, 22)
    assert step.label.span[1:] == (2, 3, 2, 8)
    assert step.links[0].args[1].span[1:] == (2, 20, 2, 22)
    (branch,) = merge.branches[0]
    assert isinstance(branch, Step)
    assert branch.span[1:] == (4, 7, 4, 21)
    assert merge.span[1:] == (3, 3, 3, 9)


MISTAKES = {
    "tab": ("net n\n\trelu", "tab", 2, 1),
    "indentation": ("net n\n    relu\n  relu", "bad-indentation", 3, 3),
    "body under a call": ("net n\n  conv 3x3\n    relu", "body-under-call", 3, 5),
    "branch without dash": ("net n\n  add\n    relu\n    - skip", "branch-without-dash", 3, 5),
    "dash outside": ("net n\n  - relu", "dash-outside-merge", 2, 3),
    "table without do": ("net n\n  for a b\n    1 2\n  relu", "table-without-do", 2, 3),
    "row length": ("net n\n  for a b\n    1\n  do relu", "table-row-length", 3, 5),
    "no rows": ("net n\n  for a b\n  do relu", "empty-table", 2, 3),
    "shortcut alone": ("net n\n  relu\n  shortcut\n    relu", "misplaced", 3, 3),
    "do alone": ("net n\n  do relu", "misplaced", 2, 3),
    "block in a body": ("net n\n  block a\n    relu", "misplaced", 2, 3),
    "steps of an extension": ("net n = m\n  relu", "misplaced", 2, 3),
    "one-line shortcut": ("net n\n  residual\n    relu\n  shortcut a: relu", "inline-shortcut", 4, 15),
    "empty body": ("net n\n  repeat 3\n  relu", "empty-body", 2, 3),
    "empty group": ("net n\n  a:\n  relu", "empty-body", 2, 3),
    "no steps": ("net n", "empty-body", 1, 1),
    "empty file": ("# nothing\n", "empty-file", 1, 1),
    "no network": ("train\n  lr 0.1", "missing-network", 1, 1),
    "unknown line": ("conv 3x3, 64", "unknown-line", 1, 1),
    "two nets": ("net a\n  relu\nnet b\n  relu", "duplicate-name", 3, 1),
    "two blocks": ("block a\n  relu\nblock a\n  relu", "duplicate-name", 3, 1),
    "two parameters": ("block a (b, b)\n  relu", "duplicate-name", 1, 13),
    "two defaults": ("default conv  bias no\ndefault conv  bias yes", "duplicate-name", 2, 1),
    "newer": ("format 99\nnet n\n  relu", "newer-format", 1, 8),
    "input": ("net n\n  input 3*4\n  relu", "input-expected", 2, 9),
    "reserved": ("block repeat\n  relu", "reserved-name", 1, 7),
    "reserved parameter": ("block a (first)\n  relu", "reserved-name", 1, 10),
    "type": ("block a (b as real)\n  relu", "unknown-type", 1, 15),
    "unclosed parameters": ("block a (b\n  relu", "unclosed-bracket", 1, 9),
    "deep": ("net n\n" + "".join("  " * at + "a:\n" for at in range(1, 60)), "too-deep", 52, 103),
    "dashes": ("net n\n  add\n    " + "- " * 10_000 + "a", "too-deep", 3, 103),
    "nul": ("net n\n  relu \0", "encoding", 2, 8),
    "separator": ("net n\n  relu # \u2028", "encoding", 2, 10),
}


@pytest.mark.parametrize(("text", "code", "line", "column"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_where_it_is(text: str, code: str, line: int, column: int) -> None:
    with pytest.raises(SpecError) as caught:
        spec(text)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.span.line, problem.span.column) == (code, line, column)


def test_all_independent_mistakes_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        spec(
            "block a\n  conv 3x3 8\n  relu\n  add\n    relu\n"
            "net n\n  conv (1\n  for a b\n    1 2\n    3\n  do conv 1.\n"
        )
    found = [(problem.code, problem.span.line) for problem in caught.value.diagnostics]
    assert found == [
        ("missing-comma", 2),
        ("branch-without-dash", 5),
        ("unclosed-bracket", 7),
        ("table-row-length", 10),
        ("misspelt-number", 11),
    ]


def test_bodies_at_the_limit_can_be_walked() -> None:
    deepest = (
        "net n\n" + "".join("  " * at + "a:\n" for at in range(1, NESTED_BODIES)) + "  " * NESTED_BODIES + "relu\n"
    )
    made = spec(deepest)
    assert made == spec(print_text(made)) == read(Source("spec.yaml", print_yaml(made)))
    assert hash(made) == hash(spec(deepest))


def test_rows_may_line_up_on_the_right() -> None:
    (table,) = body("for   n  c\n      1  2\n    100 -1\ndo relu")
    assert isinstance(table, For)
    assert table.rows is not None
    assert [len(row) for row in table.rows] == [2, 2]


def test_a_label_names_the_container_around_a_construct() -> None:
    (group,) = body("x: residual\n  relu\nshortcut when a")
    assert isinstance(group, Group)
    assert isinstance(group.body[0], Residual)
    assert group.body[0].shortcut is not None
