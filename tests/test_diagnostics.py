"""Diagnostics and how they are rendered."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl import explain
from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.failure import WrongUsage
from archdsl.render import Format, cells, in_order, render, unsilenced
from archdsl.source import Source, Span


class Mismatch(Diagnostic):
    """Branches differ."""

    code = "shape-mismatch"
    message = "the branches of `{merge}` differ in height and width"
    expected = "{size}, as in {branches}"
    got = "{got}"
    help = "{advice}"


class Idle(Diagnostic):
    """Weights that nothing reads."""

    code = "unused-weights"
    severity = "warning"
    message = "`{name}` is never used"


STYLES: tuple[Format, ...] = ("full", "concise", "github")
LINE = "        - branch4: maxpool 3x3, pad 1 -> conv_bn 1x1, pool"
ADVICE = "the stride of `maxpool` is its kernel unless given; did you mean `maxpool 3x3, stride 1, pad 1`?"


def source(*lines: str, name: str = "specs/mine.yaml") -> Source:
    return Source(name, "\n".join(lines))


def at(text: Source, line: int, column: int, end_column: int, end_line: int | None = None) -> Span:
    return Span(text, line, column, end_line or line, end_column)


def mismatch(span: Span, **values: Any) -> Mismatch:
    return Mismatch(span, **{"merge": "concat", "size": None, "branches": None, "got": None, "advice": None} | values)


def excerpt(span: Span, width: int = 80) -> list[str]:
    """The lines under the heading."""
    return render([mismatch(span)], width=width).splitlines()[1:]


def test_the_design_page_s_example() -> None:
    text = source(*[""] * 13, LINE)
    wrong = mismatch(
        at(text, 14, 20, 38),
        size="28 x 28",
        branches="branch1, branch2, branch3",
        got="10 x 10 (in inception3a, from 192 x 28 x 28)",
        advice=ADVICE,
    )
    assert render([wrong], width=120) == (
        "specs/mine.yaml:14:20: error[shape-mismatch]: the branches of `concat` differ in height and width\n"
        "   14 |         - branch4: maxpool 3x3, pad 1 -> conv_bn 1x1, pool\n"
        "      |                    ^^^^^^^^^^^^^^^^^^\n"
        "  expected: 28 x 28, as in branch1, branch2, branch3\n"
        "  got:      10 x 10 (in inception3a, from 192 x 28 x 28)\n"
        "  help:     the stride of `maxpool` is its kernel unless given; did you mean `maxpool 3x3, stride 1, pad 1`?\n"
    )


def test_a_line_whose_value_is_missing_is_left_out() -> None:
    assert mismatch(at(source(LINE), 1, 9, 10), size="28 x 28").text(Mismatch.expected) == ""
    assert "expected" not in render([mismatch(at(source(LINE), 1, 9, 10), size="28 x 28")])


def test_details_wrap_in_a_narrow_terminal_and_the_path_is_told() -> None:
    wrong = Mismatch(
        at(source(LINE), 1, 20, 38),
        path=("inception3a", "branch4"),
        merge="add",
        size="",
        branches="",
        got="",
        advice=ADVICE,
    )
    lines = render([wrong], width=60).splitlines()
    assert lines[3] == "  in:       inception3a > branch4"
    assert lines[4] == "  help:     the stride of `maxpool` is its kernel unless"
    assert all(line.startswith(" " * 12) for line in lines[5:])
    assert " ".join(line[12:] for line in lines[4:]) == ADVICE
    assert all(len(line) <= 60 for line in lines[1:])


def test_tabs_and_wide_letters_keep_the_carets_under_what_is_meant() -> None:
    text = source("\tconv\t漢字 64 e\u0301x")
    assert excerpt(at(text, 1, 7, 9)) == ["    1 |     conv    漢字 64 e\u0301x", "      |             ^^^^"]
    assert excerpt(at(text, 1, 15, 16))[1] == "      |" + " " * 22 + "^"


def test_a_span_over_several_lines_underlines_each() -> None:
    text = source("residual", "  conv 3x3,", "", "    64   # out", "  relu", "linear 10")
    assert excerpt(at(text, 2, 3, 7, end_line=4)) == [
        "    2 |   conv 3x3,",
        "      |   ^^^^^^^^^",
        "    3 |",
        "    4 |     64   # out",
        "      |     ^^",
    ]
    assert excerpt(at(text, 1, 1, 10, end_line=6)) == [
        "    1 | residual",
        "      | ^^^^^^^^",
        "    2 |   conv 3x3,",
        "      |   ^^^^^^^^^",
        "  ...",
        "    6 | linear 10",
        "      | ^^^^^^^^^",
    ]
    # Up to the start of a line is not on that line.
    assert excerpt(at(text, 5, 3, 1, end_line=6)) == ["    5 |   relu", "      |   ^^^^"]


def test_an_empty_span_and_one_beyond_the_end_still_point() -> None:
    text = source("conv 3x3")
    assert excerpt(at(text, 1, 9, 9)) == ["    1 | conv 3x3", "      |         ^"]
    assert excerpt(at(text, 2, 1, 1)) == ["    2 |", "      | ^"]
    assert excerpt(at(source(), 1, 1, 1)) == []


def test_a_long_line_is_clipped_around_the_caret() -> None:
    text = source("x" * 300 + " conv 3x3 " + "y" * 200)
    line, carets = excerpt(at(text, 1, 302, 306), width=60)
    assert len(line) <= 60
    assert line.startswith("    1 | …")
    assert line.endswith("…")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "conv"


@given(
    st.text(st.sampled_from("ab \t漢字é\u0301\u200b…🙂"), min_size=1, max_size=120),
    st.integers(1, 125),
    st.integers(0, 40),
    st.integers(40, 100),
)
def test_no_excerpt_is_wider_than_the_terminal(line: str, column: int, length: int, width: int) -> None:
    shown = excerpt(at(source(line), 1, column, column + length), width)
    assert all(cells(piece) <= width for piece in shown)
    assert "^" in shown[-1]


@given(st.text(max_size=60), st.text(max_size=20))
def test_nothing_in_a_spec_reaches_the_terminal_unseen(line: str, name: str) -> None:
    wrong = mismatch(Span(Source(name, line), 1, 1, 1, 3), got=line)
    for style in STYLES:
        printed = render([wrong], style).replace("\n", "")
        assert not {char for char in printed if unicodedata.category(char) in ("Cc", "Cf", "Cs")}


def test_concise_is_a_line_each() -> None:
    text = source(LINE)
    assert render([mismatch(at(text, 1, 20, 38)), Idle(at(text, 1, 9, 10), name="fc")], "concise") == (
        "specs/mine.yaml:1:20: error[shape-mismatch]: the branches of `concat` differ in height and width\n"
        "specs/mine.yaml:1:9: warning[unused-weights]: `fc` is never used\n"
    )


def test_json_is_a_list_of_objects() -> None:
    wrong = mismatch(at(source(LINE), 1, 20, 38), got='10 "x" 10')
    assert json.loads(render([wrong], "json")) == [
        {
            "code": "shape-mismatch",
            "severity": "error",
            "message": "the branches of `concat` differ in height and width",
            "file": "specs/mine.yaml",
            "line": 1,
            "column": 20,
            "end_line": 1,
            "end_column": 38,
            "expected": None,
            "got": '10 "x" 10',
            "help": None,
            "path": [],
            "notes": [],
        }
    ]
    assert json.loads(render([], "json")) == []
    assert render([]) == ""


def test_notes_are_shown_with_their_lines() -> None:
    text = source("block cell (width)", LINE)
    defined, twice = Note(at(text, 1, 1, 11), "`cell` is defined here"), Note(at(text, 1, 1, 11), "again")
    wrong = mismatch(at(text, 2, 20, 38)).with_notes(defined, twice, Note(at(text, 2, 20, 38), "itself"))
    assert wrong.notes == (defined,)
    assert render([wrong]).splitlines()[3:] == [
        "  see:      specs/mine.yaml:1:1: `cell` is defined here",
        "    1 | block cell (width)",
        "      | ^^^^^^^^^^",
    ]
    (told,) = json.loads(render([wrong], "json"))
    assert told["notes"] == [
        {
            "message": "`cell` is defined here",
            "file": "specs/mine.yaml",
            "line": 1,
            "column": 1,
            "end_line": 1,
            "end_column": 11,
        }
    ]
    assert "%0Asee: specs/mine.yaml:1:1: `cell` is defined here\n" in render([wrong], "github")


def test_a_diagnostic_moves_with_all_that_it_tells() -> None:
    text = source("block cell (width)", LINE)
    wrong = mismatch(at(text, 2, 20, 38), got="10 x 10")
    moved = wrong.moved(at(text, 1, 1, 6), Note(wrong.span, "it goes wrong here"))
    assert (moved.span.line, moved.text(Mismatch.got), moved.notes[0].span) == (1, "10 x 10", wrong.span)
    assert moved != wrong


def test_github_annotations_are_escaped() -> None:
    text = source(LINE, "", name="specs/a,b:c.yaml")
    assert render([mismatch(at(text, 1, 20, 38), got="100%, 3")], "github") == (
        "::error file=specs/a%2Cb%3Ac.yaml,line=1,endLine=1,col=20,endColumn=38,title=shape-mismatch"
        "::the branches of `concat` differ in height and width%0Agot: 100%25, 3\n"
    )
    assert ",line=1,endLine=2,title=" in render([mismatch(at(text, 1, 20, 1, end_line=2))], "github")


def test_colour_is_only_added() -> None:
    wrong = mismatch(at(source(LINE), 1, 20, 38), got="10 x 10")
    coloured = render([wrong], colour=True)
    assert "\x1b[1;31merror[shape-mismatch]\x1b[0m" in coloured
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[1;31m", "\x1b[34m"):
        coloured = coloured.replace(code, "")
    assert coloured == render([wrong])


def test_a_comment_silences_a_warning_of_its_line_but_no_error() -> None:
    text = source(
        "fc: linear 10  # archdsl: ignore unused-weights",
        "fc: linear 10  # archdsl: ignore shape-mismatch, unused-weights",
        "fc: linear 10  # archdsl: ignore shape-mismatch",
    )
    warnings = [Idle(at(text, line, 1, 3), name="fc") for line in (1, 2, 3)]
    error = mismatch(at(text, 2, 1, 3))
    assert unsilenced([*warnings, error]) == (warnings[2], error)


def test_diagnostics_come_by_file_and_position() -> None:
    one, two = source("a", "b", name="one.arch"), source("a", "b", name="two.arch")
    late, early, other = (Idle(at(text, line, 1, 2), name="x") for text, line in ((one, 2), (one, 1), (two, 1)))
    assert in_order([late, other, early]) == [early, late, other]


def test_a_spec_error_tells_its_diagnostics() -> None:
    error = SpecError(Idle(at(source(LINE), 1, 9, 10), name="fc"))
    assert str(error) == "specs/mine.yaml:1:9: warning[unused-weights]: `fc` is never used"


def test_every_code_has_its_page() -> None:
    for code, kinds in explain.kinds().items():
        assert re.fullmatch("[a-z]+(-[a-z]+)*", code)
        assert explain.page(code).startswith(f"{kinds[0].severity}[{code}]\n\n")
        for kind in kinds:
            assert kind.__doc__, f"{kind.__name__} has no docstring"
            assert kind.message


def test_an_unknown_code_suggests_a_known_one() -> None:
    known = next(iter(explain.kinds()))
    with pytest.raises(WrongUsage, match=f"did you mean `{known}`"):
        explain.page(f"{known}s")
