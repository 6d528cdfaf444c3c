"""The line parser: Python's precedence, exact spans, and what it says of a line that doesn't read."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.diagnostics import SpecError
from archdsl.source import Source, Span
from archdsl.syntax import line
from archdsl.syntax.expression import (
    Apply,
    Arg,
    Attribute,
    Binary,
    Expression,
    IfElse,
    Index,
    Label,
    ListOf,
    Literal,
    Range,
    SizeLiteral,
    Slice,
    StepPath,
    Unary,
    Word,
)
from archdsl.syntax.limits import LINE_TOKENS, NESTED_EXPRESSIONS
from archdsl.syntax.spec import Call, Let, Param
from archdsl.syntax.text_range import Text

ROOT = Path(__file__).parent.parent


def text(written: str) -> Text:
    return Text(Source("<text>", written), written, 1, 1)


def number(value: float) -> Literal:
    return Literal(value)


def positional(*parts: Expression) -> Arg:
    return Arg(None, parts)


# Expressions: Python's own parser is the truth for precedence.

_BINARY: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.And: "and",
    ast.Or: "or",
    ast.USub: "-",
    ast.Not: "not",
}


def from_python(tree: Any) -> Expression:
    """Python's syntax tree of an expression as ours."""
    match tree:
        case ast.Constant():
            return Literal(ast.literal_eval(tree))
        case ast.Name():
            return Word(tree.id)
        case ast.List():
            return ListOf(tuple(map(from_python, tree.elts)))
        case ast.BinOp():
            return Binary(_BINARY[type(tree.op)], from_python(tree.left), from_python(tree.right))
        case ast.BoolOp():
            operator = _BINARY[type(tree.op)]
            return reduce(lambda left, right: Binary(operator, left, right), map(from_python, tree.values))
        case ast.Compare():
            (operation,), (right,) = tree.ops, tree.comparators
            return Binary(_BINARY[type(operation)], from_python(tree.left), from_python(right))
        case ast.UnaryOp():
            return Unary(_BINARY[type(tree.op)], from_python(tree.operand))
        case ast.IfExp():
            return IfElse(from_python(tree.body), from_python(tree.test), from_python(tree.orelse))
        case ast.Attribute():
            return Attribute(from_python(tree.value), tree.attr)
        case ast.Subscript(slice=ast.Slice(lower=first, upper=last)):
            bounds = [None if bound is None else from_python(bound) for bound in (first, last)]
            return Slice(from_python(tree.value), bounds[0], bounds[1])
        case ast.Subscript():
            return Index(from_python(tree.value), from_python(tree.slice))
        case ast.Call(func=ast.Name(id=name)):
            return Apply(name, tuple(positional(from_python(arg)) for arg in tree.args))
    raise AssertionError(ast.dump(tree))


def written_at_random(source: random.Random, depth: int = 2) -> str:
    """An expression as a person could type it: no tree behind it, brackets here and there."""

    def operand() -> str:
        kind = source.choice([0, 1, 2, source.randrange(9)]) if depth else source.randrange(3)
        inner = written_at_random(source, depth - 1) if kind > 2 else ""
        atoms = [str(source.randrange(99)), "width", "0.5", f"({inner})", f"[{inner}, 2]", f"max({inner}, b)"]
        atoms += [f"depths[{inner}]", f"depths[:{inner}]", "input.channels"]
        return "-" * source.choice([0, 0, 0, 1, 2]) + atoms[kind]

    def arithmetic() -> str:
        made = operand()
        for _ in range(source.randrange(3)):
            made += source.choice([" + ", "-", " * ", "/", " // ", " % ", "**"]) + operand()
        return made

    def comparison() -> str:
        made = source.choice(["", "", "not "]) + arithmetic()
        return made + (source.choice([" == ", "!=", " < ", "<=", " > ", ">="]) + arithmetic() if depth > 1 else "")

    made = comparison()
    for _ in range(source.randrange(3)):
        made += source.choice([" and ", " or "]) + comparison()
    return f"{made} if {comparison()} else {comparison()}" if source.random() < 0.2 else made


@given(st.integers(0, 2**32))
def test_expressions_bind_as_in_python(seed: int) -> None:
    written = written_at_random(random.Random(seed))
    assert line.expression(text(written)) == from_python(ast.parse(written, mode="eval").body)


@pytest.mark.parametrize(
    ("written", "tree"),
    [
        ("3x224x224", SizeLiteral((3, 224, 224))),
        ("1e-6", Literal(1e-6)),
        ("007", Literal(7)),
        ("yes", Literal(True)),
        ("no", Literal(False)),
        ("none", Literal(None)),
        (r'"a \"b\" \\ \n"', Literal('a "b" \\ \n')),
        ("0..n-1", Range(number(0), Binary("-", Word("n"), number(1)))),
        ("1..4", Range(number(1), number(4))),
        ("[1, 2,]", ListOf((number(1), number(2)))),
        ("[]", ListOf(())),
        ("a[:]", Slice(Word("a"), None, None)),
        ("a[1:]", Slice(Word("a"), number(1), None)),
        ("@stem", StepPath((Label(("stem",)),))),
        ("@a.b.channels", Attribute(StepPath((Label(("a",)), Label(("b",)))), "channels")),
        ("@channels", StepPath((Label(("channels",)),))),
        ("@down{k+1}.0", StepPath((Label(("down", Binary("+", Word("k"), number(1)))), Label(("0",))))),
        ("@a-1", StepPath((Label(("a-1",)),))),
        ("@a - 1", Binary("-", StepPath((Label(("a",)),)), number(1))),
        ("layernorm(eps = 1e-6)", Apply("layernorm", (Arg("eps", (Literal(1e-6),)),))),
        ("kaiming_normal(fan_out)", Apply("kaiming_normal", (positional(Word("fan_out")),))),
        ("f(stride 2)", Apply("f", (positional(Word("stride"), number(2)),))),
    ],
)
def test_expression(written: str, tree: Expression) -> None:
    assert line.expression(text(written)) == tree


def test_a_number_keeps_its_spelling() -> None:
    (call,) = line.chain(text("batchnorm eps 1e-5, momentum 0.10"))
    assert [part.written for arg in call.args for part in arg.parts if isinstance(part, Literal)] == ["1e-5", "0.10"]


# Calls.


@pytest.mark.parametrize(
    ("written", "calls"),
    [
        ("relu", [Call(callee="relu")]),
        ("when", None),
        (
            "conv 7x7, 64, stride 2",
            [
                Call(
                    callee="conv",
                    args=(
                        positional(SizeLiteral((7, 7))),
                        positional(number(64)),
                        positional(Word("stride"), number(2)),
                    ),
                )
            ],
        ),
        ("avgpool to 1x1", [Call(callee="avgpool", args=(positional(Word("to"), SizeLiteral((1, 1))),))]),
        ("parameter [1, d]", [Call(callee="parameter", args=(positional(ListOf((number(1), Word("d")))),))]),
        ("shift (a), b", [Call(callee="shift", args=(positional(Word("a")), positional(Word("b"))))]),
        ("shift -1", [Call(callee="shift", args=(positional(Unary("-", number(1))),))]),
        ("pool pad = [1, 2]", [Call(callee="pool", args=(Arg("pad", (ListOf((number(1), number(2))),)),))]),
        ("3 x block", [Call(callee="block", count=number(3))]),
        ("n x x", [Call(callee="x", count=Word("n"))]),
        ("conv x", [Call(callee="conv", args=(positional(Word("x")),))]),
        ("conv x, y", [Call(callee="conv", args=(positional(Word("x")), positional(Word("y"))))]),
        (
            "layers[s] x block 64 * 2**s",
            [
                Call(
                    callee="block",
                    count=Index(Word("layers"), Word("s")),
                    args=(positional(Binary("*", number(64), Binary("**", number(2), Word("s")))),),
                )
            ],
        ),
        (
            "a -> 2 x b 1 -> c",
            [Call(callee="a"), Call(callee="b", count=number(2), args=(positional(number(1)),)), Call(callee="c")],
        ),
        ("a 1 when c -> b", [Call(callee="a", args=(positional(number(1)),), when=Word("c")), Call(callee="b")]),
    ],
)
def test_chain(written: str, calls: list[Call] | None) -> None:
    if calls is None:
        with pytest.raises(SpecError):
            line.chain(text(written))
        return
    assert line.chain(text(written)) == tuple(calls)


def test_the_other_lines() -> None:
    assert line.counted(text("12 as j when a")) == line.Counted(number(12), "j", Word("a"))
    assert line.looped(text("n, c in plan")) == line.Looped(("n", "c"), Word("plan"))
    assert line.looped(text("t c n s when a")) == line.Looped(("t", "c", "n", "s"), when=Word("a"))
    assert line.path(text("backbone.layer3 when a")) == line.Path((Label(("backbone",)), Label(("layer3",))), Word("a"))
    assert line.let(text("wide = 2")) == Let(name="wide", value=number(2))
    assert line.params(text("width, act as op = none")) == (
        Param(name="width"),
        Param(name="act", type="op", default=Literal(None)),
    )
    assert line.params(text(" ")) == ()
    assert line.label(text("block{s+1}-0")) == Label(("block", Binary("+", Word("s"), number(1)), "-0"))
    assert line.called(text("3 x bottleneck")) == line.Called("bottleneck", number(3))
    assert line.guard(text("when a")) == Word("a")
    assert line.guard(text("")) is None


def test_cells_of_a_row_stand_between_blanks() -> None:
    assert line.row(text("mbconv 1 -1 [1, 2] (a + b) 2*c")) == (
        Word("mbconv"),
        number(1),
        Unary("-", number(1)),
        ListOf((number(1), number(2))),
        Binary("+", Word("a"), Word("b")),
        Binary("*", number(2), Word("c")),
    )
    assert line.row(text("a - 1 2")) == (Binary("-", Word("a"), number(1)), number(2))


# Spans.


def spelled(span: Span) -> str:
    """What stands at a span."""
    lines = span.source.text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def test_every_part_has_its_span() -> None:
    written = "layers[s] x bottleneck 64 * 2**s, stride 2 if first else 1 -> relu when not last"
    first, second = line.chain(text(written))
    assert spelled(first.span) == "layers[s] x bottleneck 64 * 2**s, stride 2 if first else 1"
    assert spelled(second.span) == "relu when not last"
    assert first.count is not None
    assert second.when is not None
    assert spelled(first.count.span) == "layers[s]"
    assert spelled(second.when.span) == "not last"
    assert [spelled(arg.span) for arg in first.args] == ["64 * 2**s", "stride 2 if first else 1"]
    stride, choice = first.args[1].parts
    assert (spelled(stride.span), spelled(choice.span)) == ("stride", "2 if first else 1")


def test_spans_over_several_lines() -> None:
    source = Source("<text>", "net a\n  conv 3x3,   # kernel\n       64,\n       stride 2")
    (call,) = line.chain(Text(source, source.text[8:], 2, 3))
    assert [spelled(arg.span) for arg in call.args] == ["3x3", "64", "stride 2"]
    assert [(arg.span.line, arg.span.column) for arg in call.args] == [(2, 8), (3, 8), (4, 8)]
    assert (call.span.line, call.span.end_line, call.span.end_column) == (2, 4, 16)


# Mistakes.


@pytest.mark.parametrize(
    ("written", "code", "at"),
    [
        ("conv 3x3 8", "missing-comma", "8"),
        ("conv 3x3, stride 2 8", "missing-comma", "8"),
        ("conv [1 2]", "missing-comma", "2"),
        ("conv 3x3, pad [1, 2]", "spaced-bracket", "["),
        ("conv 3x3, stride (1)", "spaced-bracket", "("),
        ("conv 3x3, (a", "unclosed-bracket", "("),
        ("conv [1, (2]", "unmatched-bracket", "]"),
        ("conv 3)", "unmatched-bracket", ")"),
        ('take "a', "unclosed-string", '"a'),
        ("conv 3x, 2", "misspelt-number", "3x"),
        ("conv 1., 2", "misspelt-number", "1."),
        ("conv bias True", "misspelt-constant", "True"),
        ("conv a; b", "unreadable", ";"),
        ("conv 3, 'a'", "unreadable", "'"),
        ("conv 1 < 2 < 3", "syntax", "<"),
        ("conv stride = = 2", "syntax", "="),
        ("conv 3,", "syntax", ","),
        ("-> relu", "syntax", "->"),
        ("7", "syntax", "7"),
        ("conv a if b", "syntax", "b"),
        ("conv " + "9" * 19, "too-long", "9" * 19),
        ("conv 1e999", "too-long", "1e999"),
        ("conv naïve", "unreadable", "ï"),
    ],
)
def test_mistakes_are_told_where_they_are(written: str, code: str, at: str) -> None:
    with pytest.raises(SpecError) as caught:
        line.chain(text(written))
    (problem,) = caught.value.diagnostics
    assert problem.code == code
    assert spelled(problem.span) == at


def test_a_missing_comma_is_named() -> None:
    with pytest.raises(SpecError, match=r"expected a comma before '8' in 'conv 3x3 8'"):
        line.chain(text("conv 3x3 8"))


def test_what_could_have_stood_there_is_exact() -> None:
    with pytest.raises(SpecError) as caught:
        line.expression(text("a[1 + ]"))
    (problem,) = caught.value.diagnostics
    assert problem.text(problem.expected) == "a value"


@pytest.mark.parametrize(
    "written",
    [
        "-" * 1500 + "1",
        "not " * 900 + "a",
        "1" + "+1" * 900,
        "a" + "[0]" * 600,
        "1 if a else " * 300 + "1",
        "[" * 900 + "]" * 900,
    ],
)
def test_deep_expressions_are_refused(written: str) -> None:
    with pytest.raises(SpecError) as caught:
        line.expression(text(written))
    assert caught.value.diagnostics[0].code == "too-deep"


def test_expressions_at_the_limit_can_be_walked() -> None:
    deepest = "-" * (NESTED_EXPRESSIONS - 2) + "1"
    tree = line.expression(text(deepest))
    assert tree == line.expression(text(deepest))
    assert len({tree, line.expression(text(deepest))}) == 1
    assert len(repr(tree)) > NESTED_EXPRESSIONS


def test_long_lines_are_refused_and_wide_ones_read() -> None:
    assert len(line.expression(text(f"[{'1, ' * 900}]")).items) == 900  # type: ignore[union-attr]
    with pytest.raises(SpecError) as caught:
        line.expression(text(f"[{'1, ' * LINE_TOKENS}]"))
    assert caught.value.diagnostics[0].code == "too-long"


def test_the_tables_are_those_of_the_grammar() -> None:
    script = "import sys; sys.path.insert(0, 'scripts'); import make_tables; sys.stdout.write(make_tables.tables())"
    made = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "archdsl" / "syntax" / "tables.py").read_text(encoding="utf-8")


def test_the_grammar_names_no_op() -> None:
    from archdsl.ops import BY_NAME

    grammar = (ROOT / "archdsl" / "syntax" / "grammar.lark").read_text(encoding="utf-8")
    rules = "\n".join(rule for rule in grammar.splitlines() if not rule.startswith("//"))
    assert not {name for name in BY_NAME if name in rules.replace("|", " ").split()}
