"""The YAML spelling: exact spans, YAML's traps, and what is refused."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Source, Span
from archdsl.syntax.expression import Literal
from archdsl.syntax.printer.yaml import scalar
from archdsl.syntax.read import read
from archdsl.syntax.spec import Group, Merge, Spec, Step


def spec(text: str) -> Spec:
    return read(Source("spec.yaml", text))


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        spec(text)
    return caught.value.diagnostics


def steps(text: str) -> str:
    """A network with these layers, each line indented."""
    return "network: n\nlayers:\n" + "".join(f"  {each}\n" for each in text.split("\n"))


def spelled(span: Span) -> str:
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]


def test_scalars_are_texts_and_not_what_yaml_takes_them_for() -> None:
    params = spec("network: n\nparams: {a: no, b: 1e-6, c: 010, d: 1.0, e: none, f: on}\nlayers: [relu]").params
    values = [param.default.value for param in params[:-1] if isinstance(param.default, Literal)]
    assert values == [False, 1e-6, 10, 1.0, None]


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("- c: conv 3x3, 64", True),
        ('- c: "conv 3x3, 64"', True),
        ("- {c: 'conv 3x3, 64'}", True),
        ("- c: conv 3x3,\n        64", True),
        (r'- c: "conv 3x3,\x2064"', False),
        ("- c: >-\n    conv 3x3,\n    64", False),
    ],
)
def test_spans_are_those_of_the_file(written: str, exact: bool) -> None:
    made = spec(steps(written))
    assert made.layers is not None
    (step,) = made.layers
    assert isinstance(step, Step)
    kernel, out = step.links[0].args
    if exact:
        assert (spelled(kernel.span), spelled(out.span)) == ("3x3", "64")
        assert step.label is not None
        assert spelled(step.label.span) == "c"
    else:
        assert kernel.span == out.span
        assert kernel.span.line == 3


def test_wide_characters_count_as_one_column() -> None:
    found = mistakes('network: n\nlayers: ["é", "conv 3x3, 漢"]')
    assert [(problem.code, problem.span.line, problem.span.column) for problem in found] == [
        ("unreadable", 2, 11),
        ("unreadable", 2, 26),
    ]


MISTAKES = {
    "colon": (steps("- c: conv 3x3: 64"), "yaml-syntax", 3, "quotes"),
    "tab": ("network: n\n\tlayers: [relu]", "tab", 2, "blanks"),
    "percent": (steps("- %a"), "yaml-syntax", 3, "quotes"),
    "columns": (steps("- relu\n - relu"), "yaml-syntax", 4, "column"),
    "comma in a list": (steps("- concat: [conv 1x1, 64]"), "yaml-comma", 3, "quotes"),
    "comma in a mapping": (steps("- {a: conv 1x1, 64}"), "yaml-comma", 3, "quotes"),
    "comma in brackets": ("network: n\nparams: {a: max(1, 2)}\nlayers: [relu]", "yaml-comma", 2, "quotes"),
    "anchor": (steps("- &a relu"), "yaml-anchor", 3, "block"),
    "alias": (steps("- *a"), "yaml-anchor", 3, "block"),
    "merge key": ("network: n\nlayers: [relu]\n<<: {}", "yaml-anchor", 3, "block"),
    "tag": (steps("- !!str relu"), "yaml-tag", 3, "quote"),
    "documents": ("network: n\nlayers: [relu]\n---\nnetwork: m", "yaml-syntax", 3, ""),
    "duplicate": ("network: n\nlayers: [relu]\nnetwork: m", "duplicate-key", 3, ""),
    "duplicate block": ("blocks:\n  a (b): [relu]\n  a (c): [relu]", "duplicate-name", 3, ""),
    "section": ("network: n\nlayer: [relu]", "unknown-section", 2, "layers"),
    "no mapping": ("relu", "wrong-node", 1, ""),
    "layers": ("network: n\nlayers: relu", "wrong-node", 2, "- "),
    "no layers": ("network: n", "missing-layers", 1, "layers"),
    "no network": ("layers: [relu]", "missing-network", 1, "network"),
    "layers of an extension": ("network: n\nextends: m\nlayers: [relu]", "misplaced", 3, ""),
    "empty": ("# nothing", "empty-file", 1, ""),
    "two keys": (steps("- a: relu\n  b: relu"), "second-key", 4, "- "),
    "quoted label": (steps('- "a: relu"'), "quoted-label", 3, "quotes"),
    "labelled construct": (steps("- a: {repeat: 3}"), "misplaced", 3, "list"),
    "no do": (steps("- repeat: 3"), "missing-do", 3, "do"),
    "guard behind": (steps("- repeat: 3 when a\n  do: [relu]"), "guard-in-value", 3, "key"),
    "guard of a call": (steps("- a when b: relu"), "misplaced", 3, "behind"),
    "construct as a line": (steps("- residual"), "misplaced", 3, "key"),
    "step in a step": (steps("- [relu]"), "wrong-node", 3, "group"),
    "empty body": (steps("- a:\n- relu"), "empty-body", 3, ""),
    "row": (steps("- for: a b\n  in: [[1, 2], [3]]\n  do: [relu]"), "table-row-length", 4, ""),
    "deep": (steps("- " * 200 + "relu"), "too-deep", 3, "block"),
}


@pytest.mark.parametrize(("text", "code", "line", "way_out"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_the_way_out(text: str, code: str, line: int, way_out: str) -> None:
    (problem,) = mistakes(text)
    assert (problem.code, problem.span.line) == (code, line)
    assert way_out in problem.text(problem.help)


def test_both_lines_of_a_duplicate_are_named() -> None:
    (problem,) = mistakes("network: n\nlayers: [relu]\nnetwork: m")
    assert problem.span.line == 3
    assert "line 1" in problem.text(problem.message)


def test_all_independent_mistakes_come_at_once() -> None:
    found = mistakes("network: repeat\ninput: big\nblocks:\n  a:\n    - conv 3x3 8\nlayers:\n  - relu\n  - conv (1\n")
    assert [(problem.code, problem.span.line) for problem in found] == [
        ("reserved-name", 1),
        ("input-expected", 2),
        ("missing-comma", 5),
        ("unclosed-bracket", 8),
    ]


def test_comments_are_found_outside_scalars_only() -> None:
    made = spec(
        "# head\nnetwork: n\nlayers:  # the net\n  # above\n  - c: conv 3x3  # note\n\n"
        '  - "take \\"# none\\""\n  - d: |\n      conv 3x3, "#"\n# end\n'
    )
    assert made.trivia.comments == ("head",)
    assert made.net_trivia.note == "the net"
    first, second, third = made.layers or ()
    assert first.trivia == (("above",), "note", False)
    assert second.trivia == ((), "", True)
    assert third.trivia == ((), "", False)
    assert made.closing == ("end",)


def test_a_branch_of_a_merge() -> None:
    made = spec(steps("- add:\n    - relu\n    - []\n    - - relu\n      - relu\n    - a: [relu]"))
    (merge,) = made.layers or ()
    assert isinstance(merge, Merge)
    assert [len(branch) for branch in merge.branches] == [1, 0, 2, 1]
    assert isinstance(merge.branches[3][0], Group)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn")), min_size=1, max_size=12)
)
def test_quotes_stand_where_yaml_needs_them(text: str) -> None:
    for written in (f"[{scalar(text, flow=True)}]", f"- {scalar(text)}"):
        assert yaml.load(written, Loader=yaml.BaseLoader) == [text]


@pytest.mark.parametrize(
    "text", ["conv 3x3, 64", "a: b", "a #b", "-1", "- a", "@a", "a[:i]", "[1, 2]", "{i}", '"a"', "a:", "no"]
)
def test_plain_where_it_can_be(text: str) -> None:
    plain = yaml_reads_plain(text)
    assert (scalar(text) == text) == plain
    assert yaml.load(f"- {scalar(text)}", Loader=yaml.BaseLoader) == [text]


def yaml_reads_plain(text: str) -> bool:
    try:
        return bool(yaml.load(f"- {text}", Loader=yaml.BaseLoader) == [text])
    except yaml.YAMLError:
        return False
