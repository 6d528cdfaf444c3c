"""Printing and reading: each undoes the other, in both spellings and across."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from strategies import expressions, specs

from archdsl.source import Source
from archdsl.syntax import line
from archdsl.syntax.expression import Expression
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.printer.line import expression
from archdsl.syntax.read import read
from archdsl.syntax.spec import Node, Spec
from archdsl.syntax.text_range import Text


def read_as(spelling: str, text: str) -> Spec:
    return read(Source(f"spec.{spelling}", text))


@given(expressions)
def test_an_expression_is_read_as_it_was_printed(tree: Expression) -> None:
    text = expression(tree)
    assert line.expression(Text(Source("<text>", text), text, 1, 1)) == tree


@settings(max_examples=150)
@given(specs)
def test_a_spec_is_read_as_it_was_printed(spec: Spec) -> None:
    text = print_text(spec)
    assert read_as("arch", text) == spec
    assert print_text(read_as("arch", text)) == text


@settings(max_examples=150)
@given(specs)
def test_a_yaml_spec_is_read_as_it_was_printed(spec: Spec) -> None:
    text = print_yaml(spec)
    assert read_as("yaml", text) == spec
    assert print_yaml(read_as("yaml", text)) == text


@settings(max_examples=100)
@given(specs)
def test_converting_there_and_back_changes_nothing(spec: Spec) -> None:
    there = read_as("arch", print_text(read_as("yaml", print_yaml(spec))))
    back = read_as("yaml", print_yaml(there))
    assert there == back == spec
    assert Counter(comments(spec)) == Counter(comments(there)) == Counter(comments(back))


def comments(value: Any) -> list[str]:
    """All comments of a tree, wherever they are kept."""
    if isinstance(value, Node):
        trivia = value.trivia
        own = [*trivia.comments, *([trivia.note] if trivia.note else [])]
        if isinstance(value, Spec):
            own += [*value.closing, *value.net_trivia.comments]
            own += [value.net_trivia.note] if value.net_trivia.note else []
        return own + [text for key, inner in value.__dict__.items() if key != "trivia" for text in comments(inner)]
    if isinstance(value, tuple) and type(value) is tuple:
        return [text for item in value for text in comments(item) if not isinstance(item, str)]
    return []


ROWS = [(3, 16, "relu"), (3, 128, "hardswish"), (5, 64, "relu"), (5, 240, "hardswish"), (3, 960, "hardswish")] * 2


def test_a_table_too_long_for_a_line_is_laid_out_as_one() -> None:
    plan = ", ".join(f"[{kernel}, {out}, {act}]" for kernel, out, act in ROWS)
    spec = read(Source("spec.arch", f"net n (classes = 10, plan = [{plan}])\n  input 3x8x8\n  relu\n"))
    text, yaml = print_text(spec), print_yaml(spec)
    assert "    plan = [\n      [3,  16, relu],\n      [3, 128, hardswish],\n" in text
    assert "  plan:\n    - [3,  16, relu]\n    - [3, 128, hardswish]\n" in yaml
    assert read(Source("spec.arch", text)) == read(Source("spec.yaml", yaml)) == spec
    assert print_text(read(Source("spec.arch", text))) == text


def test_a_comment_beside_several_entries_is_about_all_of_them() -> None:
    text = """network: tiny
params: {classes: 10, width: 8}  # the digits
input: 3x32x32
defaults: {conv: pad same, batchnorm: eps 1e-3}  # as in the paper
layers:
  - let: {a: 3, b: 4}  # two names
  - conv 3x3, a * b
"""
    once = print_yaml(read(Source("x.yaml", text)))
    assert once.splitlines()[1:4] == ["params:", "  # the digits", "  classes: 10"]
    assert "defaults:\n  # as in the paper\n  conv: pad same\n" in once
    assert once.index("# two names") < once.index("let: {a: 3}")
    assert print_yaml(read(Source("x.yaml", once))) == once
