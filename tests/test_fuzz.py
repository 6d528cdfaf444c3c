"""What fuzzing found, checked again: the inputs that together take all branches, and those that once failed.

`scripts/fuzz` looks for more.
"""

from __future__ import annotations

import ast
import json
import random
from collections import Counter
from pathlib import Path

import fuzz_checks
import fuzz_failures
import fuzz_run
import pytest
from fuzz_checks import check, spelled
from fuzz_mutate import Mutator

from archdsl.source import Source, Span
from archdsl.syntax.printer import print_yaml
from archdsl.syntax.spec import Spec

FOUND, FAILED = fuzz_run.unpacked(fuzz_run.FOUND), fuzz_run.unpacked(fuzz_run.FAILED)
PARTS = 20


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_found_is_a_network_or_told(part: int) -> None:
    for data in FOUND[part::PARTS]:
        failure = fuzz_failures.failure_of(data)
        assert not failure, f"{failure}\n{fuzz_run.packed(data)}"


@pytest.mark.parametrize("data", FAILED, ids=range(len(FAILED)))
def test_what_once_failed_no_longer_does(data: bytes) -> None:
    check(data, all_facts=True)


def test_the_corpus_is_worth_its_place() -> None:
    assert len(FOUND) > 300
    assert fuzz_run.FOUND.stat().st_size + fuzz_run.FAILED.stat().st_size < 300_000
    spellings = Counter(data[:1] for data in FOUND)
    assert min(spellings[b"a"], spellings[b"y"]) > 0.2 * len(FOUND)


def test_changes_of_what_was_found_are_networks_or_told() -> None:
    """A glance at what `scripts/fuzz` does all day: other inputs than those that are kept."""
    mutate, draw = Mutator(FOUND), random.Random(2026)
    outcomes = Counter(check(mutate(draw.choice(FOUND), draw)[: fuzz_run.LENGTH]) for _ in range(300))
    assert 0 < outcomes["ok"] < 200
    assert len(outcomes) > 15


def test_changes_are_the_same_for_the_same_draws() -> None:
    first, second = (Mutator(FOUND[:50])(FOUND[0], random.Random(1)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("text", ["", "a\nb", "\udcff\udc80", 'net n\n  "é"\n', "a\\u0000"])
def test_an_input_is_kept_as_it_is(text: str, tmp_path: Path) -> None:
    for suffix in (".arch", ".yaml"):
        data = spelled(text, suffix, base=text)
        (tmp_path / "corpus.jsonl").write_text(fuzz_run.packed(data) * 2)
        assert fuzz_run.unpacked(tmp_path / "corpus.jsonl") == [data, data]
        names = [path.name for path in fuzz_checks.files_of(data)]
        assert names == [f"spec{suffix}", f"base{suffix}"]


def test_the_seeds_compile_or_are_told() -> None:
    seeds = [data for data in fuzz_run.seeds() if len(data) < 600]
    outcomes = Counter(check(data) for data in random.Random(1).sample(seeds, 80))
    assert outcomes["ok"] > 10
    assert len(outcomes) > 20


# Tests of the checks


def test_a_second_file_is_found() -> None:
    base = "block cell\n  conv 3x3, 4\nnet b (classes = 2)\n  input 3x8x8\n  cell\n"
    assert check(spelled("net q = base (classes = 3)\n", ".arch", base)) == "ok"
    assert check(spelled("use base\nnet q\n  input 3x8x8\n  cell\n", ".arch", base)) == "ok"
    assert check(spelled("net q = base\n", ".arch")) == "unknown-spec"
    assert check(spelled("net q = base\n", ".arch", "net b\n  input 3x8x8\n  cnv 1\n")) == "unknown-op"


NET = spelled("# note\nnet n (w = 4)\n  input 3x8x8\n  a: conv 3x3, w\n  relu\n  maxpool 2x2\n", ".arch")


def test_a_printer_that_forgets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_checks, "print_yaml", lambda spec: print_yaml(spec).replace("  - relu\n", ""))
    with pytest.raises(AssertionError, match="another tree"):
        check(NET)


def test_an_exception_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(fuzz_checks, "_prints_alike", fail)
    assert fuzz_failures.failure_of(NET).startswith("RecursionError at test_fuzz.py")
    with pytest.raises(RecursionError) as caught:
        check(NET)
    assert fuzz_failures.keep(NET, caught.value, tmp_path)
    assert not fuzz_failures.keep(NET[:20], caught.value, tmp_path)
    assert [path.read_bytes() for path in tmp_path.glob("*.input")] == [NET[:20]]


def test_what_fails_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(spec: Spec) -> None:
        assert spec.network != "n", "wrong"

    monkeypatch.setattr(fuzz_checks, "_prints_alike", fail)
    small = fuzz_failures.shrunk(NET, seconds=20)
    assert len(small) < 12
    assert fuzz_failures.failure_of(small) == fuzz_failures.failure_of(NET)


def test_a_long_time_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_checks, "SECONDS", 0.0)
    with pytest.raises(AssertionError, match="it took"):
        check(NET)


@pytest.mark.parametrize("place", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 5, 1, 5), (3, 1, 3, 1), (1, 1, 1, 6), (2, 2, 2, 1)])
def test_a_place_outside_of_the_text_is_seen(place: tuple[int, int, int, int]) -> None:
    with pytest.raises(AssertionError):
        fuzz_checks._inside(Span(Source("x.arch", "abc\nd"), *place))
    fuzz_checks._inside(Span(Source("x.arch", "abc\nd"), 1, 4, 1, 5))


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import os\n", {"os"}),
        ("from torch.os import x\nimport subprocess\n", {"subprocess"}),
        ("print(1)\n", {"print", "Expr"}),
        ("class A:\n    x = eval('1')\n", {"eval"}),
        ("class A:\n    def f(self):\n        return self.__class__\n", {"__class__"}),
        ("def f(len):\n    return len(len)\n", {"len"}),
        ("import torch\ndef f(x):\n    torch = x\n    return torch\n", {"torch"}),
        ("def f(len):\n    return len\n", set()),
        ("x = 1\n", {"Assign"}),
        ("import torch\nclass A(torch.nn.Module):\n    def f(self, x):\n        return max(x, 1)\n", set()),
    ],
)
def test_what_a_spec_would_smuggle_into_the_source_is_seen(code: str, seen: set[str]) -> None:
    assert fuzz_checks.foreign_names(ast.parse(f'"""About."""\n{code}')) == seen


def test_the_corpus_is_one_input_a_line() -> None:
    for path in (fuzz_run.FOUND, fuzz_run.FAILED):
        for line in path.read_text().splitlines():
            (suffix,) = json.loads(line)
            assert suffix in ("arch", "yaml")
