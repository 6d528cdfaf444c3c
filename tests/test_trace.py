"""Traced numbers: the source that they print means the number that they are."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archdsl.trace import Sides, Traced, binary, call, integral, names_in, python_name, source_of, substitute, variable

VALUES = {"width": 64, "growth": 12, "ratio": 0.25, "depth": 3}
NAMES = {"math": math, "int": int, "min": min, "max": max}

leaf = st.sampled_from(sorted(VALUES)).map(lambda name: variable(VALUES[name], name)) | st.integers(-4, 9)


def joined(children: Any) -> Any:
    return st.builds(lambda *parts: parts, st.sampled_from(["+", "-", "*", "//", "%", "/", "**"]), children, children)


trees = st.recursive(leaf, lambda inner: joined(inner) | inner.map(lambda one: ("neg", one)), max_leaves=8)


def evaluated(tree: Any) -> Any:
    if not isinstance(tree, tuple):
        return tree
    if tree[0] == "neg":
        return -evaluated(tree[1])
    symbol, left, right = tree[0], evaluated(tree[1]), evaluated(tree[2])
    assume(symbol not in ("/", "//", "%") or right != 0)
    assume(symbol != "**" or (0 <= right <= 3 and isinstance(right, int) and abs(left) < 1e6))
    return binary(symbol, left, right)


@given(trees)
def test_the_source_of_arithmetic_has_its_value(tree: Any) -> None:
    value = evaluated(tree)
    told = eval(source_of(value), dict(VALUES))  # noqa: S307 (made of names and numbers)
    assert told == pytest.approx(value)
    assert type(told) is (int if isinstance(value, int) else float)
    assert names_in(value) <= VALUES.keys()


@given(trees, st.integers(1, 40), st.integers(1, 40))
def test_in_another_place_s_terms_it_has_the_value_there(tree: Any, width: int, growth: int) -> None:
    value = evaluated(tree)
    others = {**VALUES, "width": binary("+", variable(width, "a"), 3), "growth": growth}
    told = substitute(value, others)
    if isinstance(told, Traced):
        assert names_in(told) <= {"a", "ratio", "depth"}
    there = {**VALUES, "width": width + 3, "growth": growth}
    try:
        expected = eval(source_of(value), there)  # noqa: S307
    except ZeroDivisionError:
        assume(False)
        raise
    here = {name: VALUES[name] for name in ("ratio", "depth")} | {"a": width}
    assert eval(source_of(told), here) == pytest.approx(expected)  # noqa: S307


def test_like_terms_come_together() -> None:
    channels, growth = variable(64, "in_channels"), variable(32, "growth")
    total = channels
    for _ in range(6):
        total = total + growth
    assert source_of(total) == "in_channels + 6 * growth"
    assert source_of(substitute(total, {"in_channels": 2 * growth, "growth": growth})) == "8 * growth"
    assert source_of(binary("//", 8 * growth, 2)) == "4 * growth"
    assert source_of(binary("//", channels, 2)) == "in_channels // 2"
    assert source_of(binary("-", growth + 5, growth)) == "5"


def test_what_was_written_stays_as_it_was() -> None:
    width, depth = variable(64, "width"), variable(3, "depth")
    assert source_of(4 * width) == "4 * width"
    assert source_of(width * 4) == "width * 4"
    assert source_of(4 * (width + depth)) == "4 * (width + depth)"
    assert source_of(call("max", max, 1, width // 4)) == "max(1, width // 4)"
    assert source_of(integral(width * 0.5)) == "int(width * 0.5)"


def test_calls_are_told_in_another_place_s_terms() -> None:
    width = variable(64, "width")
    value = call("max", max, 8, integral(width * 0.5))
    assert source_of(substitute(value, {"width": 16 * variable(4, "n")})) == "max(8, int(16 * n * 0.5))"
    assert substitute(value, {"width": 64}) == 32
    assert not isinstance(substitute(value, {"width": 64}), Traced)


def test_sides_of_a_size_are_told_by_place() -> None:
    kernel = variable(Sides((1, 7)), "kernel")
    assert [source_of(side) for side in kernel] == ["kernel[0]", "kernel[1]"]
    assert substitute(kernel[1], {"kernel": Sides((1, 7))}) == 7
    assert [source_of(side) for side in variable(Sides((3, 3)), "kernel")] == ["kernel", "kernel"]


def test_arguments_shadow_nothing_that_the_source_uses() -> None:
    assert [python_name(name) for name in ("width", "class", "nn", "max", "self")] == [
        "width",
        "class_",
        "nn_",
        "max_",
        "self_",
    ]
