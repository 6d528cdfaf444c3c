"""Reading files: whatever bytes come in, nothing but a tree or diagnostics comes out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Grower
from test_text import RESNET, RESNET_YAML, spec

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Source
from archdsl.syntax.limits import DIAGNOSTICS, FILE_BYTES
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import decode, load, read
from archdsl.syntax.spec import Spec

PIECES = """\
net |block |a|(|c = 1|)|- |concat|residual|shortcut|when |for s in 0..3|for a b|do |repeat 3|x |conv 3x3 64|->|: |{|}
[|]|"|'|#| # c|@a.b|..|default conv |init |let a = |train|input 3x4|layers:|blocks:|network: n|params: |&a |*a|!t |<<:
? |>|output o|from a.b|unused x: y|macro m|use u|format 2|returns a|1e999|0x|3x|not |if |else |-|%|`|~|label |in: |do:
""".replace("\n", "|").split("|")
PIECES += ["|", "\n", "\n  ", "\n    ", "\n      ", "\t", "\r", "\0", "\\", "é", "\u2028", "9" * 30, "dense: 3"]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["arch", "yaml"]))
def test_any_text_is_read_or_refused(pieces: list[str], spelling: str) -> None:
    assert_read_or_refused("".join(pieces), spelling)


@given(st.integers(0, 2**32), st.sampled_from(["arch", "yaml"]))
def test_a_spoilt_spec_is_read_or_refused(seed: int, spelling: str) -> None:
    source = random.Random(seed)
    text = list((print_text if spelling == "arch" else print_yaml)(Grower(seed, 10).spec()))
    for _ in range(source.randrange(1, 6)):
        at = source.randrange(len(text))
        text[at : at + source.randrange(4)] = source.choice(PIECES) * source.randrange(2)
    assert_read_or_refused("".join(text), spelling)


def assert_read_or_refused(text: str, spelling: str) -> None:
    try:
        made: Spec | None = read(Source(f"spec.{spelling}", text))
        problems: tuple[Diagnostic, ...] = ()
    except SpecError as error:
        made, problems = None, error.diagnostics
    assert (made is None) == bool(problems)
    lines = text.count("\n") + 1
    for problem in problems:
        assert 1 <= problem.span.line <= lines + 1
        assert problem.span[1:3] <= problem.span[3:]
        assert problem.text(problem.message)


@given(st.binary(max_size=80), st.sampled_from(["arch", "yaml"]))
def test_any_bytes_are_read_or_refused(data: bytes, spelling: str) -> None:
    try:
        text = decode(f"spec.{spelling}", data).text
    except SpecError:
        with pytest.raises(UnicodeDecodeError):
            data.decode("utf-8")
        return
    assert_read_or_refused(text, spelling)


def test_line_ends_and_byte_order_marks_make_no_difference() -> None:
    windows = "\ufeff" + RESNET.replace("\n", "\r\n")
    assert read(decode("spec.arch", windows.encode())) == spec(RESNET)
    assert read(decode("spec.yaml", ("\ufeff" + RESNET_YAML.replace("\n", "\r\n")).encode())) == spec(RESNET)


def test_bytes_that_are_no_utf8_are_located() -> None:
    with pytest.raises(SpecError) as caught:
        decode("spec.arch", b"net n\r\n  r\xe9lu\n")
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.span.line, problem.span.column) == ("encoding", 2, 4)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.arch"
    with path.open("wb") as file:
        file.truncate(50 * FILE_BYTES)
    with pytest.raises(SpecError) as caught:
        load(path)
    (problem,) = caught.value.diagnostics
    assert problem.code == "file-too-large"
    assert "50,000,000" in problem.text(problem.message)


HOSTILE = ["[", "{", "- ", "(", "a: ", '"', "a\n", "a:\n", "- a\n", "#\n", "net a\n", "x, ", "{a: "]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("spelling", ["arch", "yaml"])
def test_a_hostile_file_is_refused(piece: str, spelling: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(Source(f"spec.{spelling}", piece * (FILE_BYTES // len(piece))))
    assert 1 <= len(caught.value.diagnostics) <= DIAGNOSTICS
