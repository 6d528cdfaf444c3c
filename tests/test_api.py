"""The public functions as other programs call them: wrong arguments, copies, threads."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import archdsl
from archdsl import Network, SpecError, WrongUsage

SPEC = "net tiny (width = 8)\n  input 3x8x8\n  conv: conv 3x3, width\n"
SIZES: Any = (3, 8, 8)
EXTENDING = "net wide = small (width = 16)\n"


@pytest.fixture
def network() -> Network:
    return archdsl.loads(SPEC)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda net: net.summary(macs="flops"), "exact, torchinfo"),
        (lambda net: net.summary(format="xml"), "table, json, csv"),
        (lambda net: net.to_json(macs="flops"), "exact, torchinfo"),
        (lambda net: net.cost("flops"), "exact, torchinfo"),
        (lambda net: net.memory(dtype="float7"), "float32"),
        (lambda net: net.memory(batch=0), "at least one"),
        (lambda net: archdsl.loads(SPEC, input=SIZES), "3x96x96"),
        (lambda net: archdsl.loads(SPEC, width=2**63), r"2\*\*63"),
        (lambda net: archdsl.loads(SPEC, width=-(2**63)), r"2\*\*63"),
    ],
)
def test_what_there_is_no_such_thing_of_is_wrong_usage(
    network: Network, asked: Callable[[Network], Any], told: str
) -> None:
    with pytest.raises(WrongUsage, match=told):
        asked(network)


@pytest.mark.parametrize("value", [None, True, object(), 1.5, float("nan"), Fraction(1, 2), [8], "[8]", "yes", '"x"'])
def test_a_value_of_the_wrong_type_is_a_mistake(value: object) -> None:
    with pytest.raises(SpecError):
        archdsl.loads(SPEC, width=value)


@pytest.mark.parametrize("value", [16, 16.0, "16", "2 * 8", np.int64(16), np.float64(16)])
def test_a_number_may_come_from_anywhere(value: object) -> None:
    assert archdsl.loads(SPEC, width=value).cost().params == 16 * 3 * 9 + 16


def test_a_wrong_value_is_told_where_it_stands() -> None:
    with pytest.raises(SpecError) as caught:
        archdsl.loads(SPEC, width="7 + wide")
    (wrong,) = caught.value.diagnostics
    assert wrong.span.source.text == "width=7 + wide"
    assert wrong.span.source.line(1)[wrong.span.column - 1 :] == "wide"


def test_a_narrow_table_is_still_one(network: Network) -> None:
    assert network.summary(width=0) == network.summary(width=20)


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_network_can_be_copied_and_sent(tmp_path: Path, copied: Callable[[Network], Network]) -> None:
    (tmp_path / "small.arch").write_text(SPEC.replace("tiny", "small"))
    (tmp_path / "wide.arch").write_text(EXTENDING)
    network = archdsl.load(tmp_path / "wide.arch", input="3xHxW")
    other = copied(network)
    assert other is not network
    assert (other.summary(), other.source) == (network.summary(), network.source)


def test_threads_dont_disturb_each_other() -> None:
    before = sys.getrecursionlimit(), gc.isenabled()
    expected = archdsl.load("googlenet").summary()
    found: list[str] = []

    def work() -> None:
        found.extend(archdsl.load("googlenet").summary() for _ in range(3))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 12
    assert (sys.getrecursionlimit(), gc.isenabled()) == before


def test_a_compilation_leaves_nothing_for_the_collector() -> None:
    """Objects in circles would stay: what is compiled joins the collector's oldest generation at once."""
    for _ in range(2):
        gc.collect()
        network = archdsl.load("densenet121")
        network.cost(), network.memory(), network.requirements(), network.summary()
        assert network.source
        del network
        left = gc.collect()
    assert left == 0
