"""Names, that is state_dict keys: the numbering rules, and loops that are folded."""

from __future__ import annotations

from textwrap import indent

import pytest
from network_facts import compiled, layers, net, output, refused, state_dict

import archdsl

# The numbering rules of section 5, one after the other.
NAMES = {
    "rule 1: a label names the call's level": ("b: conv 1x1, 2", ["b conv"]),
    "rule 1: on a chain a container": ("b: conv 1x1, 2 -> relu", ["b.0 conv", "b.1 relu"]),
    "rule 1: on a body": ("b:\n  x: conv 1x1, 2\n  relu", ["b.x conv", "b.~relu relu"]),
    "rule 1: a group is a level": (
        "f:\n  group\n    conv 1x1, 2\n  group\n    conv 1x1, 3\n    relu",
        ["f.0.0 conv", "f.1.0 conv", "f.1.1 relu"],
    ),
    "rule 1: loops and merges are none": (
        "f:\n  repeat 2\n    conv 1x1, 4\n  add\n    - conv 1x1, 4\n    - skip\n  relu",
        ["f.0 conv", "f.1 conv", "f.2 conv", "f.~add add", "f.3 relu"],
    ),
    "rule 2: numbers count weightless steps, after guards": (
        "f:\n  relu\n  dropout 0.5 when no\n  let w = 5\n  conv 1x1, w\n  skip\n  identity\n  conv 1x1, 2",
        ["f.0 relu", "f.1 conv", "f.2 identity", "f.3 conv"],
    ),
    "rule 3: beside a label no number": (
        "a: conv 1x1, 2\nrelu\nrelu\nb: relu",
        ["a conv", "~relu relu", "~relu2 relu", "b relu"],
    ),
    "rule 4: a repeated call": ("b: 3 x conv 1x1, 2", ["b.0 conv", "b.1 conv", "b.2 conv"]),
    "rule 5: expressions, numbers and hyphens": (
        "for s in [3, 4]\n  {s}: conv 1x1, 2\n  b{s}-{row}: conv 1x1, 2\n  {s}{s+1}x: relu",
        ["3 conv", "b3-0 conv", "34x relu", "4 conv", "b4-1 conv", "45x relu"],
    ),
    "rule 6: a parameter's label is its key": (
        "add\n  - skip\n  - pos: parameter [4, 1, 1]",
        ["pos parameter", "~add add"],
    ),
    "a guard never changes the scheme": ("f:\n  a: relu when no\n  relu\n  relu", ["f.~relu relu", "f.~relu2 relu"]),
}


@pytest.mark.parametrize(("body", "expected"), NAMES.values(), ids=NAMES)
def test_names(body: str, expected: list[str]) -> None:
    assert layers(net(body)) == expected


def test_a_parameters_key_has_no_suffix() -> None:
    assert state_dict(net("add\n  - skip\n  - pos: parameter [4, 1, 1]")) == {"pos": (4, 1, 1)}


def test_macros_are_put_in_before_the_names_are_told() -> None:
    head = """
        macro named (c)
          fc: conv 1x1, c
        macro plain (c)
          conv 1x1, c
          relu
        block both
          named 3
          relu
    """
    assert layers(net("t: both\nf:\n  plain 4\n  2 x plain 5\nu: plain 6\nnamed 7", head=head)) == [
        *("t.fc conv", "t.~relu relu"),
        *("f.0 conv", "f.1 relu", "f.2 conv", "f.3 relu", "f.4 conv", "f.5 relu"),
        *("u.0 conv", "u.1 relu", "fc conv"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("a: conv 1x1, 2\nconv 1x1, 2", "needs-name"),
        ("f:\n  a: relu when no\n  conv 1x1, 2", "needs-name"),
        ("a: relu\ngroup\n  conv 1x1, 2", "needs-name"),
        ("a: conv 1x1, 2\na: conv 1x1, 2", "duplicate-name"),
        ("for s in [3, 3]\n  c{s}: conv 1x1, 2", "duplicate-name"),
        ("repeat 9\n  c{i//2}: conv 1x1, 4", "duplicate-name"),
        ("repeat 2\n  x: relu", "duplicate-name"),
    ],
)
def test_names_that_cant_be(body: str, code: str) -> None:
    assert refused(body) == [code]


# A loop whose iterations are equal is folded; with `+ 0*i` they differ for the compiler, and are expanded one by one.
FOLDED = [
    "f:\n  repeat 7\n    conv 1x1, 4@\n    relu\n  conv 1x1, 2",
    "repeat 7\n  c{2*i+3}x: conv 1x1, 4@\n  relu\nd: conv 1x1, 4\nrelu",
    "f:\n  repeat 7\n    residual\n      conv 1x1, 4@\n    shortcut\n      conv 1x1, 4\n    relu",
    "f:\n  repeat 7\n    add\n      - skip\n      - conv 1x1, 4@",
    "f:\n  repeat 7\n    group\n      conv 1x1, 4@\n    identity",
    "f:\n  repeat 7\n    repeat 3\n      conv 1x1, 4\n    conv 1x1, 4@\n    repeat 5\n      relu",
    "f:\n  repeat 7 as j\n    repeat 5\n      c{j}_{i}: conv 1x1, 4@",
    "f:\n  repeat 7 as j\n    g{j}:\n      repeat 7\n        conv 1x1, 4@",
    "repeat 7\n  g{i}:\n    c{i}: conv 1x1, 4@",
    "repeat 7\n  r{i}:\n    residual\n      c: conv 1x1, 4@\n    shortcut d: when yes\n      s{i}: conv 1x1, 4",
    "f:\n  repeat 7\n    conv 1x1, 8 if first else 4@\n    maxpool 2x2 when first\n    relu when not last",
    "f:\n  repeat 7\n    conv 1x1, 12 - here.channels@",
    "f:\n  repeat 7\n    conv 1x1, here.channels + 1@",
    "s: conv 1x1, 4\nf:\n  repeat 7\n    conv 1x1, 4@\n    add\n      - skip\n      - from s",
    "repeat 7\n  c{i}: conv 1x1, 4@\n  unused d{i}: conv 1x1, 2",
    "f:\n  a: relu\n  repeat 7\n    relu\n    r{i}: conv 1x1, 4@\n  relu",
    "f: 7 x conv 1x1, 4@, stride 2 if first else 1",
    "f:\n  repeat 7\n    conv 1x1, 4@\n    relu\nfrom f.6\nz: conv 1x1, 1",
    "f:\n  repeat 4\n    conv 1x1, 4@\n    concat along height\n      - skip\n      - skip",
]


@pytest.mark.parametrize("body", FOLDED)
def test_a_folded_loop_is_the_loop_written_out(body: str) -> None:
    folded, unfolded = net(body.replace("@", "")), net(body.replace("@", " + 0*i"))
    assert layers(folded) == layers(unfolded)
    assert state_dict(folded) == state_dict(unfolded)
    assert output(folded) == output(unfolded)


@pytest.mark.parametrize("body", FOLDED)
def test_the_module_has_the_names_of_the_network(body: str) -> None:
    text = f"net a\n  input 4x8x8\n{indent(body.replace('@', ''), '  ')}"
    module = archdsl.loads(text).build(device="meta")
    assert {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()} == state_dict(compiled(text))
