"""Warnings about specs that compile: when they are given and when not. What each says stands in errors/."""

from __future__ import annotations

import time
from textwrap import dedent, indent

import pytest

import archdsl
from archdsl import library
from archdsl.render import unsilenced
from archdsl.source import Source
from archdsl.syntax.printer import print_yaml
from archdsl.syntax.read import read


def told(
    body: str, *, head: str = "", input: str = "8x16x16", params: str = "", tail: str = ""
) -> list[tuple[str, str]]:
    """Code and underlined text of each warning about a network of one body, which both spellings must give alike."""
    steps = indent(dedent(body.strip("\n")), "  ")
    text = f"{dedent(head)}\nnet a{f' ({params})' if params else ''}\n  input {input}\n{steps}\n{tail}"
    yaml = print_yaml(read(Source("a.arch", text)))
    found = [_told(text, "a.arch"), _told(yaml, "a.yaml")]
    assert sorted(found[0]) == sorted(found[1])
    return found[0]


def _told(text: str, name: str) -> list[tuple[str, str]]:
    return [
        (one.code, one.span.source.line(one.span.line)[one.span.column - 1 : one.span.end_column - 1])
        for one in archdsl.loads(text, name=name).check()
    ]


def codes(body: str, **more: str) -> list[str]:
    return sorted(code for code, _ in told(body, **more))


@pytest.mark.parametrize("name", library.names())
def test_a_shipped_network_has_no_warning_that_its_file_doesn_t_explain(name: str) -> None:
    assert unsilenced(archdsl.load(name).check()) == ()


SPEC = """
net dead
  input 3x8x8
  conv1: conv 3x3, 4
  unused spare: conv 1x1, 4
  head:
    flatten
    linear 2
"""


def test_the_totals_count_what_is_never_used() -> None:
    network = archdsl.loads(SPEC, name="dead.arch")
    assert [one.code for one in network.check()] == ["unused-module"]
    assert network.cost().params == (3 * 9 * 4 + 4) + (4 * 4 + 4) + (4 * 36 * 2 + 2)
    assert network.cost().macs == 36 * 3 * 9 * 4 + 4 * 36 * 2


def test_a_line_is_told_once_however_often_its_block_is_used() -> None:
    head = """
    block unit (width)
      conv 3x3, width, pad same
      batchnorm
      relu
    """
    assert told("unit 8\nunit 16\nrepeat 9\n  unit 16", head=head) == [("lost-bias", "conv 3x3, width, pad same")]


# Bodies that look a little like a mistake and aren't one.
RIGHT = {
    "no bias": "conv 3x3, 8, bias no\nbatchnorm\nrelu",
    "bias read by others too": """
        c: conv 3x3, 8, pad same
        add
          - b: batchnorm
          - skip
        relu
        """,
    "a layer norm keeps the differences of biases": "conv 3x3, 8\nlayernorm\nrelu",
    "factorised": "flatten\nlinear 16\nlinear 512\nrelu",
    "separable by channels": "dwconv 3x3, pad same\nconv 1x1, 32\nrelu",
    "separable by axes": "conv 1x3, 8\nconv 3x1, 8\nrelu",
    "grouped": "conv 3x3, 8, groups 2\nconv 1x1, 8\nrelu",
    "maximum between": "conv 3x3, 8\nmaxpool 2x2\nconv 3x3, 8\nrelu",
    "upsampled": "conv_transpose 2x2, 8, stride 2\nconv 3x3, 8\nrelu",
    "read twice": """
        c: conv 3x3, 8, pad same
        concat
          - skip
          - d: conv 3x3, 8, pad same
        """,
    "strided shortcut": "conv 3x3, 8, bias no\nrelu\nconv 1x1, 16, stride 2\nmaxpool 1x1, stride 2",
    "dilated window": "conv 3x3, 8, dilation 2, stride 4",
    "squeeze and excitation": """
        multiply
          - skip
          - gate:
              avgpool to 1x1
              conv 1x1, 2
              relu
              conv 1x1, 8
              sigmoid
        """,
    "features": "conv 3x3, 8\nrelu\navgpool to 1x1\nflatten",
    "features of a linear layer": "flatten\nlinear 512\nrelu",
    "a map": "conv 3x3, 8\nrelu",
    "probabilities": "flatten\nlinear 10\nsoftmax",
    "residual with the activation behind": """
        residual
          conv 3x3, 8, pad same
          relu
          conv 3x3, 8, pad same
        relu
        """,
    "residual with an activation that only some build": """
        residual
          conv 3x3, 8, pad same
          relu when 1 > 2
        """,
    "dropout of nothing": "dropout 0.0\nbatchnorm\nrelu",
    "dropout with other statistics": "dropout 0.5\nlayernorm\nrelu",
    "reached again": """
        stem: conv 3x3, 8, pad same
        relu
        from stem
        sigmoid
        concat
          - skip
          - from stem
        """,
    "a container by the name of people's own": "dense:\n  flatten\n  linear 5",
    "an index that needn't be read": "repeat 3\n  relu",
    "a variable in a name": "for k in 1..2\n  c{k}: conv 3x3, 8, pad same\n  relu",
}


@pytest.mark.parametrize("body", [body for name, body in RIGHT.items() if name != "reached again"])
def test_what_is_meant_has_no_warning(body: str) -> None:
    assert told(body) == []


def test_a_dead_layer_is_one_whose_result_nobody_reads() -> None:
    assert told(RIGHT["reached again"]) == [("dead-layer", "relu")]
    assert codes("a: conv 3x3, 8, pad same\nrelu\noutput early\n  sigmoid\ntanh") == []


NAMED = {
    "in a value": "let n = 8\nconv 3x3, n",
    "in a later let": "let n = 8\nlet m = n\nconv 3x3, m",
    "in a label": "let n = 8\nc{n}: conv 3x3, 8",
    "in a guard": "let n = 8\nrelu when n > 7",
    "in a body": "let n = 8\ngroup\n  group\n    conv 3x3, n",
    "in a branch": "let n = 8\nconcat\n  - skip\n  - conv 3x3, n, pad same",
    "in a table": "let n = 8\nfor c in [n, 16]\n  conv 3x3, c\n  relu",
    "passed through": "let stride = 2\nconv 3x3, 8, stride",
    "in a shortcut": "let n = 8\nresidual\n  sigmoid\nshortcut when n == 8",
}


@pytest.mark.parametrize("body", NAMED.values(), ids=NAMED)
def test_a_name_that_is_read_has_no_warning(body: str) -> None:
    assert told(body) == []


def test_the_name_of_a_setting_reads_no_variable() -> None:
    assert told("let stride = 2\nconv 3x3, 8, stride 1") == [("unused-let", "stride")]


def test_a_step_given_to_a_block_is_read_by_from() -> None:
    head = """
    block join (other as step)
      concat
        - skip
        - from other
    block sized (other as step)
      upsample to @other
    """
    body = "low: conv 3x3, 8, pad same\nrelu\nhigh: maxpool 2x2\nsized low\njoin low"
    assert told(body, head=head) == []


def test_an_op_given_as_a_value_reaches_its_block() -> None:
    head = """
    block plain (width)
      conv 3x3, width
      relu
    block stage (unit as block, width)
      unit width
    """
    assert told("stage plain, 8", head=head) == []


def test_a_networks_parameter_may_be_read_by_its_training_alone() -> None:
    tail = "  train\n    epochs n\n"
    assert told("conv 3x3, 8", params="n = 3", tail=tail) == []


@pytest.mark.parametrize(
    ("end", "params", "tail"),
    [
        ("conv 1x1, classes\nrelu\navgpool to 1x1\nflatten", "classes = 10", ""),
        ("conv 1x1, 10\nrelu\navgpool to 1x1\nflatten", "", "  train\n    data digits\n"),
        ("conv 1x1, 10\nrelu\navgpool to 1x1\nflatten\nsoftmax", "", ""),
        ("flatten\nlinear classes\nrelu\ndropout 0.5", "classes = 10", ""),
    ],
)
def test_scores_that_pass_a_relu(end: str, params: str, tail: str) -> None:
    assert told(f"conv 3x3, 8\nrelu\n{end}", params=params, tail=tail) == [("rectified-scores", "relu")]


def test_softmax_twice() -> None:
    tail = "  train\n    data digits\n"
    assert codes("flatten\nlinear 10\nsoftmax", tail=tail) == ["softmax-before-loss"]
    assert codes("flatten\nlinear 10\nsoftmax") == []


def test_a_small_map_is_told_at_the_given_size_only() -> None:
    body = "repeat 4\n  maxpool 2x2\nconv 3x3, 8, pad same"
    assert codes(body, input="8x16x16") == ["lonely-window"]
    assert codes(body, input="8x32x32") == []
    assert codes(body, input="8xHxW") == []


def test_a_container_called_as_a_construct_is_told_in_text_only() -> None:
    text = "net a\n  input 8x16x16\n  residual:\n    relu\n"
    assert _told(text, "a.arch") == [("construct-as-name", "residual")]
    assert _told(print_yaml(read(Source("a.arch", text))), "a.yaml") == []


def test_a_comment_on_the_line_silences_one_kind() -> None:
    text = "net a\n  input 8x16x16\n  conv 3x3, 8  # archdsl: ignore lost-bias\n  dropout 0.5\n  batchnorm\n"
    other = text.replace("  dropout 0.5\n", "")
    assert [one.code for one in unsilenced(archdsl.loads(text).check())] == ["dropout-before-norm"]
    assert unsilenced(archdsl.loads(other).check()) == ()
    assert [one.code for one in archdsl.loads(other).check()] == ["lost-bias"]


def test_many_repetitions_cost_as_much_as_a_few() -> None:
    def seconds(count: int) -> float:
        network = archdsl.loads(f"net a\n  input 8x16x16\n  repeat {count}\n    conv 3x3, 8, pad same\n    relu\n")
        start = time.perf_counter()
        assert network.check() == ()
        return time.perf_counter() - start

    assert seconds(1_000_000) < 10 * seconds(10) + 0.01


@pytest.mark.parametrize("word", ["residual", "shortcut", "repeat", "group", "add", "multiply", "concat"])
def test_a_construct_s_word_as_a_name_is_told(word: str) -> None:
    """In text, where only the colon makes the difference; in YAML such a name must be quoted."""
    text = f"net a\n  input 8x16x16\n  {word}:\n    conv 3x3, 8, pad 1\n    relu\n  last: conv 1x1, 8\n"
    assert _told(text, "a.arch") == [("construct-as-name", word)]


@pytest.mark.parametrize(
    ("between", "told_of"), [("identity", ["no-nonlinearity"]), ("batchnorm", ["no-nonlinearity"]), ("relu", [])]
)
def test_what_acts_on_each_channel_alone_leaves_two_linear_maps_one(between: str, told_of: list[str]) -> None:
    assert codes(f"f:\n  conv 3x3, 32, pad 1, bias no\n  {between}\n  conv 1x1, 32\n  relu") == told_of
