"""Single edits of shipped specs: most errors stand where the edit is, and what still compiles runs as it was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants import Mutant, mutants, run, told_of

from archdsl import library
from archdsl.compiler import Network

# Small specs of every kind of construct; the draw doesn't change when others are added.
SOME = ("lenet", "resnet20", "resnet18", "resnet101", "nin_cifar", "squeezenet1_1", "inception_naive", "unet")


def edits(count: int, seed: int) -> list[Mutant]:
    return list(mutants([library.find(name) for name in SOME], count, seed))


@pytest.mark.parametrize("seed", [2026, 2027])
def test_errors_stand_where_the_edit_is(seed: int) -> None:
    told = [told_of(mutant) for mutant in edits(150, seed)]
    refused = [where for where, _ in (one for one in told if isinstance(one, tuple))]
    assert len(refused) > 90
    assert refused.count("far") <= 0.05 * len(refused)
    assert refused.count("near") >= 0.9 * len(refused)


def test_pytorch_runs_what_compiles() -> None:
    told = [(mutant, told_of(mutant)) for mutant in edits(25, 2026)]
    compiled = [(mutant, network) for mutant, network in told if isinstance(network, Network)]
    assert len(compiled) >= 4
    assert [(mutant.edit, done) for mutant, network in compiled if (done := run(mutant, network)).wrong] == []


@pytest.mark.slow
def test_pytorch_runs_more_of_what_compiles() -> None:
    ran = []
    for mutant in edits(150, 2027):
        if isinstance(network := told_of(mutant), Network):
            done = run(mutant, network)
            assert not done.wrong, (mutant.edit, done)
            ran.append(done.device)
    assert ran.count("cpu") >= 20


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("conv 5x5, 6", "cnov 5x5, 6", "near"),
        ("network: lenet", "network: lenet", None),
        ("classes: 10", "classes: 0", "shown"),
    ],
)
def test_where_an_error_points_is_told_right(before: str, after: str, where: str | None, tmp_path: Path) -> None:
    """A test of the tests."""
    text = library.find("lenet").read_text()
    assert before in text
    line = text[: text.index(before)].count("\n") + 1
    path = tmp_path / "lenet.yaml"
    told = told_of(Mutant(path, text.replace(before, after, 1), line, ""))
    assert (told[0] if isinstance(told, tuple) else None) == where
    if isinstance(told, tuple):
        elsewhere = told_of(Mutant(path, text.replace(before, after, 1), line + 200, ""))
        assert isinstance(elsewhere, tuple)
        assert elsewhere[0] == "far"
