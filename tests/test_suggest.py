from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.suggest import did_you_mean, distance

OPS = ["conv", "dwconv", "conv_transpose", "linear", "batchnorm", "layernorm", "maxpool", "avgpool", "relu", "gelu"]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("cnv", "conv"),
        ("covn", "conv"),
        ("Conv", "conv"),
        ("max_pool", "maxpool"),
        ("maxpool2d", "maxpool"),
        ("batch_norm", "batchnorm"),
        ("BatchNorm2d", "batchnorm"),
        ("linaer", "linear"),
        ("rel", "relu"),
    ],
)
def test_a_slip_is_mended(misspelt: str, meant: str) -> None:
    assert did_you_mean(misspelt, OPS) == meant


@pytest.mark.parametrize("name", ["", "x", "attention", "flatten", "lstm", "c" * 1000])
def test_what_is_far_from_all_suggests_nothing(name: str) -> None:
    assert did_you_mean(name, OPS) is None


def test_the_nearest_wins_and_the_first_of_equals() -> None:
    assert did_you_mean("resnet15", ["resnet18", "resnet152", "resnet50"]) == "resnet18"
    assert did_you_mean("abcd", ["abcx", "abcd", "abcy"]) == "abcd"
    assert did_you_mean("anything", []) is None


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance_is_that_of_the_definition(left: str, right: str) -> None:
    @cache
    def defined(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        ways = [
            defined(i - 1, j) + 1,
            defined(i, j - 1) + 1,
            defined(i - 1, j - 1) + (left[i - 1] != right[j - 1]),
        ]
        if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
            ways.append(defined(i - 2, j - 2) + 1)
        return min(ways)

    assert distance(left, right) == defined(len(left), len(right))
    assert distance(left, right) == distance(right, left)
