"""Random specs: every construct and every kind of expression that a reader can produce.

A spec is grown from a seed and a size by plain code, which is a hundred times faster than drawing every leaf through
hypothesis; hypothesis shrinks the size.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

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
    PLAIN,
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

_NAMES = "conv relu width stride out c1 n s kernel _a B2 skip to act order format_ groups e1 x1 yesno whenever".split()
_OPERATORS = "+ - * / // % ** == != < <= > >= and or".split()
_TEXTS = [
    "",
    "a",
    "two words",
    'a "quoted\\ text',
    "colon: here",
    "tag # here",
    "- dash",
    "é ü 漢字",
    "'",
    "{a}",
    "[1, 2]",
    "@",
]
_COMMENTS = [*_TEXTS[1:], "conv: 3x3, 4", "# twice", "  indented", "archdsl: ignore unused"]
_PIECES = ["a", "layer", "0", "12", "a-b", "_", "conv1", "for", "dense", "label", "init"]
_NUMBERS = [0, 1, 2, 3, 64, 1000, 10**12, 0.5, 1e-06, 0.1, 2.0, 1e20, 3.14159]


class Grower:
    """Makes random pieces of a tree; `left` bounds how many more inner nodes there will be."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.left = size

    def some(self, make: Callable[[], Any], least: int, most: int) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.random.randint(least, most)))

    def distinct(self, make: Callable[[], Any], key: str) -> tuple[Any, ...]:
        return tuple({getattr(each, key): each for each in self.some(make, 0, 3)}.values())

    def maybe(self, make: Callable[[], Any]) -> Any:
        return make() if self.random.random() < 0.3 else None

    def name(self) -> str:
        return self.random.choice(_NAMES)

    def expression(self) -> Expression:
        self.left -= 1
        atoms: list[Callable[[], Expression]] = [self._literal, self._size, self._word]
        makers: list[Callable[[], Expression]] = atoms if self.left < 0 else [*atoms, *self._composed()]
        return self.random.choice(makers)()

    def _literal(self) -> Literal:
        return Literal(self.random.choice([*_NUMBERS, *_TEXTS, True, False, None, "line\nbreak\ttab"]))

    def _size(self) -> SizeLiteral:
        return SizeLiteral(self.some(lambda: self.random.randint(0, 300), 2, 4))

    def _word(self) -> Word:
        return Word(self.name())

    def _composed(self) -> list[Callable[[], Expression]]:
        grow, choice = self.expression, self.random.choice
        return [
            lambda: ListOf(self.some(grow, 0, 3)),
            lambda: Range(grow(), grow()),
            lambda: Unary(choice(["-", "not"]), grow()),
            lambda: Binary(choice(_OPERATORS), grow(), grow()),
            lambda: Binary(choice(_OPERATORS), grow(), grow()),
            lambda: IfElse(grow(), grow(), grow()),
            lambda: Apply(self.name(), self.some(self.arg, 0, 2)),
            lambda: Index(grow(), grow()),
            lambda: Slice(grow(), self.maybe(grow), self.maybe(grow)),
            lambda: Attribute(Word(self.name()), self.name()),
            lambda: StepPath(self.path()),
            lambda: Attribute(StepPath(self.path()), choice(words.AXES)),
        ]

    def arg(self) -> Arg:
        value = self.expression()
        kinds = [Arg(None, (value,)), Arg(self.name(), (value,))]
        # Behind a name and a blank a bracket or a minus would mean something else.
        if line.expression(value)[0] not in "[(-":
            kinds += [Arg(None, (Word(self.name()), value))] * 2
        return self.random.choice(kinds)

    def label(self) -> Label:
        text = self.random.choice(_PIECES)
        if self.random.random() < 0.7 or self.left < 0:
            return Label((text,))
        parts = [
            (text, self.expression()),
            (self.expression(),),
            (self.expression(), "-0"),
            (text, self.expression(), "b"),
        ]
        return Label(self.random.choice(parts))

    def path(self) -> tuple[Label, ...]:
        return self.some(self.label, 1, 3)

    def call(self) -> Call:
        count, when = self.maybe(self.expression), self.maybe(self.expression)
        return Call(callee=self.name(), args=self.some(self.arg, 0, 3), count=count, when=when)

    def trivia(self) -> Trivia:
        if self.random.random() < 0.6:
            return PLAIN
        note = self.random.choice(["", self.comment()])
        return Trivia(self.some(self.comment, 0, 2), note, self.random.random() < 0.5)

    def comment(self) -> str:
        return self.random.choice(_COMMENTS)

    def body(self, least: int = 1) -> Body:
        return self.some(self.statement, least, 3)

    def statement(self) -> Statement:
        self.left -= 2
        kinds: list[Callable[[], Statement]] = [
            self._step,
            self._step,
            self._step,
            self._let,
            self._from,
            self._unused,
            self._output,
        ]
        inner: list[Callable[[], Statement]] = [
            self._group,
            self._loop,
            self._table,
            self._over,
            self._merge,
            self._residual,
            self._output,
        ]
        return self.random.choice(kinds if self.left < 0 else [*kinds, *inner, *inner])()

    def _step(self) -> Step:
        label = self.label() if self.random.random() < 0.6 else None
        links = self.some(self.call, 1, 2)
        return Step(label=label, links=links, trivia=self.trivia())

    def let(self) -> Let:
        return Let(name=self.name(), value=self.expression(), trivia=self.trivia())

    def _let(self) -> Let:
        return self.let()

    def _from(self) -> From:
        return From(path=self.path(), when=self.maybe(self.expression), trivia=self.trivia())

    def _unused(self) -> Unused:
        return Unused(label=self.label(), call=self.call(), trivia=self.trivia())

    def _output(self) -> Output:
        body = self.body(0) if self.left > 0 else ()
        return Output(name=self.name(), when=self.maybe(self.expression), body=body, trivia=self.trivia())

    def _group(self) -> Group:
        label, when = self.maybe(self.label), self.maybe(self.expression)
        return Group(label=label, when=when, body=self.body(), trivia=self.trivia())

    def _loop(self) -> Repeat | Dense:
        made: type[Repeat | Dense] = Repeat if self.random.random() < 0.5 else Dense
        index, when = self.random.choice(["i", "i", "j"]), self.maybe(self.expression)
        return made(count=self.expression(), index=index, when=when, body=self.body(), trivia=self.trivia())

    def _table(self) -> For:
        names = self.some(self.name, 1, 3)
        rows = self.some(lambda: tuple(self.expression() for _ in names), 1, 3)
        return For(names=names, rows=rows, when=self.maybe(self.expression), body=self.body(), trivia=self.trivia())

    def _over(self) -> For:
        names, when = self.some(self.name, 1, 2), self.maybe(self.expression)
        return For(names=names, over=self.expression(), when=when, body=self.body(), trivia=self.trivia())

    def _merge(self) -> Merge:
        along = self.maybe(lambda: self.random.choice(words.AXES))
        branches = self.some(lambda: self.body(0), 1, 3)
        kind, when = self.random.choice(words.MERGES), self.maybe(self.expression)
        return Merge.model_validate(
            {"kind": kind, "along": along, "when": when, "branches": branches, "trivia": self.trivia()}
        )

    def _residual(self) -> Residual:
        shortcut = self.random.choice([None, self._shortcut()])
        return Residual(when=self.maybe(self.expression), body=self.body(), shortcut=shortcut, trivia=self.trivia())

    def _shortcut(self) -> Shortcut:
        if self.random.random() < 0.3:
            return Shortcut(when=self.expression(), trivia=self.trivia())
        when = self.maybe(self.expression)
        return Shortcut(label=self.maybe(self.label), when=when, body=self.body(), trivia=self.trivia())

    def settings(self) -> tuple[Settings, ...]:
        def make() -> Settings:
            return Settings(op=self.name(), args=self.some(self.arg, 1, 3), trivia=self.trivia())

        return self.distinct(make, "op")

    def params(self) -> tuple[Param, ...]:
        def make() -> Param:
            kind = self.maybe(lambda: self.random.choice(words.TYPES))
            return Param(name=self.name(), type=kind, default=self.maybe(self.expression), trivia=self.trivia())

        return self.distinct(make, "name")

    def block(self) -> BlockDef:
        return BlockDef(
            name=self.name(),
            params=self.params(),
            defaults=self.settings(),
            inits=self.settings(),
            body=self.body(),
            trivia=self.trivia(),
        )

    def entry(self) -> Entry:
        if self.random.random() < 0.3:
            return Entry(key=self.name(), entries=self.distinct(self.entry, "key"), trivia=self.trivia())
        return Entry(key=self.name(), value=self.expression(), trivia=self.trivia())

    def section(self) -> Section:
        return Section(entries=self.distinct(self.entry, "key"), trivia=self.trivia())

    def input(self) -> SizeLiteral:
        return SizeLiteral(self.some(lambda: self.random.choice([1, 3, 224, "H", "W"]), 1, 4))

    def spec(self) -> Spec:
        fields: dict[str, Any] = {
            "format": self.random.choice([None, 1]),
            "about": self.maybe(lambda: self.random.choice(_TEXTS)),
            "use": self.some(self.name, 0, 2),
            "lets": self.distinct(self.let, "name"),
            "defaults": self.settings(),
            "inits": self.settings(),
            "macros": self.distinct(self.block, "name"),
            "blocks": self.distinct(self.block, "name"),
            "closing": self.some(self.comment, 0, 2),
            "trivia": self.trivia()._replace(note=""),
        }
        kind = self.random.choice(["network", "network", "extends", "library"])
        if kind == "library":
            fields["lets"] = (self.let(),)
            return Spec(**fields)
        fields |= {"network": self.name(), "params": self.params(), "returns": self.some(self.name, 0, 2)}
        fields |= {"input": self.maybe(self.input), "net_trivia": self.trivia()}
        fields |= {"preprocess": self.maybe(self.section), "train": self.maybe(self.section)}
        return Spec(**fields, **({"extends": self.name()} if kind == "extends" else {"layers": self.body()}))


_seeds, _sizes = st.integers(0, 2**32), st.integers(0, 60)
expressions = st.builds(lambda seed, size: Grower(seed, size).expression(), _seeds, _sizes)
specs = st.builds(lambda seed, size: Grower(seed, size).spec(), _seeds, _sizes)
