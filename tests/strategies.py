"""Random specs: every construct and every kind of expression that a reader can produce."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from archdsl.syntax import words
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
from archdsl.syntax.printer import line
from archdsl.syntax.spec import (
    BlockDef,
    Body,
    Call,
    Dense,
    Entry,
    For,
    From,
    Group,
    Let,
    Merge,
    Output,
    Param,
    Repeat,
    Residual,
    Section,
    Settings,
    Shortcut,
    Spec,
    Statement,
    Step,
    Trivia,
    Unused,
)

_TAKEN = words.CONSTRUCTS | words.GIVEN | words.EXPRESSION_WORDS | words.NET_WORDS | set(words.FILE_WORDS)
_TAKEN |= {"x", "along", "label", "defaults", "true", "True", "false", "False", "None", "null"}
_OPERATORS = "+ - * / // % ** == != < <= > >= and or".split()
# What a file can hold in a text or a comment: no control characters, no separators that end lines.
_CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"), exclude_characters="\ufeff\ufffe\uffff"
)

names = st.one_of(
    st.sampled_from("conv relu width stride out c1 n s kernel _a B2 skip to act".split()),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(lambda name: name not in _TAKEN),
)
texts = st.text(_CHARACTERS, max_size=12)
numbers: SearchStrategy[int | float] = st.one_of(
    st.integers(0, 10**12), st.floats(0, 1e12, allow_subnormal=False, allow_nan=False)
)
literals = st.one_of(
    numbers.map(Literal), st.booleans().map(Literal), st.just(Literal(None)), texts.map(Literal), st.just(Literal('a "\\\n'))
)
sizes = st.lists(st.integers(0, 1000), min_size=2, max_size=4).map(lambda sides: SizeLiteral(tuple(sides)))
atoms: SearchStrategy[Expression] = st.one_of(literals, sizes, names.map(Word))


def _labels(inner: SearchStrategy[Expression]) -> SearchStrategy[Label]:
    first = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,5}", fullmatch=True)
    later = st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True)
    plain = first.map(lambda text: (text,))
    mixed = st.tuples(first, inner, later) | st.tuples(inner, later) | st.tuples(inner) | st.tuples(first, inner, inner)
    return st.one_of(plain, plain, mixed).map(Label)


def _paths(inner: SearchStrategy[Expression]) -> SearchStrategy[tuple[Label, ...]]:
    made = st.lists(_labels(inner), min_size=1, max_size=3).map(tuple)
    return made.filter(lambda labels: labels[0].parts[0] != "when" and labels[-1].parts[0] not in words.AXES)


def _args(inner: SearchStrategy[Expression]) -> SearchStrategy[Arg]:
    beside = inner.filter(lambda value: line.expression(value)[0] not in "[(-")
    return st.one_of(
        inner.map(lambda value: Arg(None, (value,))),
        st.builds(lambda name, value: Arg(name, (value,)), names, inner),
        st.builds(lambda name, value: Arg(None, (Word(name), value)), names, beside),
    )


def _composed(inner: SearchStrategy[Expression]) -> SearchStrategy[Expression]:
    maybe = st.none() | inner
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda items: ListOf(tuple(items))),
        st.builds(Range, inner, inner),
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(Binary, st.sampled_from(_OPERATORS), inner, inner),
        st.builds(IfElse, inner, inner, inner),
        st.builds(lambda name, args: Apply(name, tuple(args)), names, st.lists(_args(inner), max_size=2)),
        st.builds(Index, inner, inner),
        st.builds(Slice, inner, maybe, maybe),
        st.builds(Attribute, inner.filter(lambda value: not isinstance(value, StepPath)), names),
        _paths(inner).map(StepPath),
        st.builds(lambda path, axis: Attribute(StepPath(path), axis), _paths(inner), st.sampled_from(words.AXES)),
    )


expressions: SearchStrategy[Expression] = st.recursive(atoms, _composed, max_leaves=6)
labels = _labels(expressions)
args = _args(expressions)
guards = st.none() | expressions
calls = st.builds(
    lambda callee, args, count, when: Call(callee=callee, args=tuple(args), count=count, when=when),
    names,
    st.lists(args, max_size=3),
    guards,
    guards,
)
trivia = st.builds(
    Trivia,
    st.lists(texts.map(str.rstrip), max_size=2).map(tuple),
    texts.map(str.rstrip),
    st.booleans(),
)
loops = names | st.just("i")


def _tables(bodies: SearchStrategy[Body]) -> SearchStrategy[For]:
    def with_names(columns: list[str]) -> SearchStrategy[For]:
        row = st.tuples(*[expressions] * len(columns))
        return st.builds(
            For,
            names=st.just(tuple(columns)),
            rows=st.lists(row, min_size=1, max_size=3).map(tuple),
            when=guards,
            body=bodies,
            trivia=trivia,
        )

    return st.lists(names, min_size=1, max_size=3).flatmap(with_names)


def _shortcuts(bodies: SearchStrategy[Body]) -> SearchStrategy[Shortcut]:
    full = st.builds(Shortcut, label=st.none() | labels, when=guards, body=bodies, trivia=trivia)
    return full | st.builds(Shortcut, when=expressions, trivia=trivia)


def _statements(inner: SearchStrategy[Statement]) -> SearchStrategy[Statement]:
    bodies = st.lists(inner, min_size=1, max_size=3).map(tuple)
    branches = st.lists(st.lists(inner, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Group, label=st.none() | labels, when=guards, body=bodies, trivia=trivia),
        st.builds(Repeat, count=expressions, index=loops, when=guards, body=bodies, trivia=trivia),
        st.builds(Dense, count=expressions, index=loops, when=guards, body=bodies, trivia=trivia),
        _tables(bodies),
        st.builds(
            For,
            names=st.lists(names, min_size=1, max_size=2).map(tuple),
            over=expressions,
            when=guards,
            body=bodies,
            trivia=trivia,
        ),
        st.builds(
            Merge,
            kind=st.sampled_from(words.MERGES),
            along=st.none() | st.sampled_from(words.AXES),
            when=guards,
            branches=branches,
            trivia=trivia,
        ),
        st.builds(Residual, when=guards, body=bodies, shortcut=st.none() | _shortcuts(bodies), trivia=trivia),
        st.builds(Output, name=names, when=guards, body=bodies, trivia=trivia),
    )


simple: SearchStrategy[Statement] = st.one_of(
    st.builds(Step, label=st.none() | labels, links=st.lists(calls, min_size=1, max_size=2).map(tuple), trivia=trivia),
    st.builds(Let, name=names, value=expressions, trivia=trivia),
    st.builds(From, path=_paths(expressions), when=guards, trivia=trivia),
    st.builds(Unused, label=labels, call=calls, trivia=trivia),
    st.builds(Output, name=names, when=guards, trivia=trivia),
)
statements: SearchStrategy[Statement] = st.recursive(simple, _statements, max_leaves=6)
bodies = st.lists(statements, min_size=1, max_size=3).map(tuple)


def _unique(made: SearchStrategy[Any], key: str) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(made, max_size=3, unique_by=lambda each: getattr(each, key)).map(tuple)


settings = _unique(
    st.builds(Settings, op=names, args=st.lists(args, min_size=1, max_size=3).map(tuple), trivia=trivia), "op"
)
params = _unique(
    st.builds(Param, name=names, type=st.none() | st.sampled_from(words.TYPES), default=guards, trivia=trivia), "name"
)
blocks = st.builds(
    BlockDef, name=names, params=params, defaults=settings, inits=settings, body=bodies, trivia=trivia
)
_entry = st.builds(Entry, key=names, value=st.none() | expressions, trivia=trivia)
entries = st.recursive(
    _entry, lambda inner: st.builds(Entry, key=names, entries=_unique(inner, "key"), trivia=trivia), max_leaves=4
)
sections = st.builds(Section, entries=_unique(entries, "key"), trivia=trivia)
inputs = st.lists(st.integers(1, 1000) | st.sampled_from("HWN"), min_size=1, max_size=4).map(
    lambda sides: SizeLiteral(tuple(sides))
)
_common: dict[str, Any] = {
    "format": st.none() | st.just(1),
    "use": st.lists(names, max_size=2).map(tuple),
    "lets": _unique(st.builds(Let, name=names, value=expressions, trivia=trivia), "name"),
    "defaults": settings,
    "inits": settings,
    "macros": _unique(blocks, "name"),
    "blocks": _unique(blocks, "name"),
    "about": st.none() | texts,
    "closing": st.lists(texts.map(str.rstrip), max_size=2).map(tuple),
    "trivia": trivia.map(lambda each: each._replace(note="")),
}
_of_networks: dict[str, Any] = {
    "network": names,
    "params": params,
    "input": st.none() | inputs,
    "returns": st.lists(names, max_size=2).map(tuple),
    "preprocess": st.none() | sections,
    "train": st.none() | sections,
    "net_trivia": trivia,
}
specs: SearchStrategy[Spec] = st.one_of(
    st.builds(Spec, **_common, **_of_networks, layers=bodies),
    st.builds(Spec, **_common, **_of_networks, extends=names),
    st.builds(Spec, **_common).filter(lambda spec: any((spec.lets, spec.blocks, spec.macros, spec.defaults, spec.use))),
)
