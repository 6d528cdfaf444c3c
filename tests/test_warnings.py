"""Warnings about specs that compile."""

from __future__ import annotations

import archdsl

SPEC = """
net dead
  input 3x8x8
  conv1: conv 3x3, 4
  unused spare: conv 1x1, 4
  head:
    flatten
    linear 2
"""


def test_an_unused_module_is_told_where_it_stands() -> None:
    (warning,) = archdsl.loads(SPEC, name="dead.arch").check()
    assert (warning.code, warning.severity, warning.span.line) == ("unused-module", "warning", 5)
    assert "`spare`" in warning.text(warning.message)


def test_a_network_without_dead_weights_has_no_warning() -> None:
    assert archdsl.load("resnet18").check() == ()


def test_the_totals_count_what_is_never_used() -> None:
    network = archdsl.loads(SPEC, name="dead.arch")
    assert network.cost().params == (3 * 9 * 4 + 4) + (4 * 4 + 4) + (4 * 36 * 2 + 2)
    assert network.cost().macs == 36 * 3 * 9 * 4 + 4 * 36 * 2
