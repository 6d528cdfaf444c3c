"""Each spec in errors/ and what is told of it, character by character.

A case is NAME.arch or NAME.yaml beside NAME.err, the full rendering at 100 columns. `pytest --overwrite-golden` writes
them anew. A file whose name starts with `_` is a part of other cases.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl import explain
from archdsl.cli import diagnostics_of
from archdsl.library import SUFFIXES
from archdsl.render import in_order, render, unsilenced

# A file too large to keep; tests/test_hostile.py makes one.
TOLD_ELSEWHERE = {"file-too-large"}

FOLDER = Path(__file__).parent / "errors"
CASES = sorted(path for path in FOLDER.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("_"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_told_as_agreed(case: Path, monkeypatch: pytest.MonkeyPatch, overwrite_golden: bool) -> None:
    monkeypatch.chdir(FOLDER)
    told = render(in_order(unsilenced(diagnostics_of(case.name))), width=100)
    golden = case.with_suffix(".err")
    if overwrite_golden:
        golden.write_text(told)
    assert told, "nothing is wrong with this spec"
    assert told == golden.read_text()


def test_cases_and_golden_files_belong_together() -> None:
    stems = [case.stem for case in CASES]
    assert sorted(stems) == sorted(path.stem for path in FOLDER.glob("*.err"))


def test_every_code_is_provoked_by_a_case() -> None:
    golden = "".join(path.read_text() for path in FOLDER.glob("*.err"))
    assert {code for code in explain.kinds() if f"[{code}]" not in golden} == TOLD_ELSEWHERE


def test_a_code_is_one_class() -> None:
    assert not [code for code, kinds in explain.kinds().items() if len(kinds) > 1]
