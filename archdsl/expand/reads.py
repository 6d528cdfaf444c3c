"""Which names a piece of the tree reads: what decides whether equal expansions can be shared."""

from __future__ import annotations

from typing import Any, NamedTuple

from archdsl.syntax import expression as ex
from archdsl.syntax.spec import Call, Dense, For, From, Group, Let, Merge, Output, Repeat, Residual, Step, Unused


class Reads(NamedTuple):
    """names: variables read in values; labels: variables read in names only; shapes: `input`, `here` or `@` is read;
    steps: `from` or `@` refers to a step by name; counts: a loop inside reads `nth` or `total`.
    """

    names: tuple[str, ...]
    labels: frozenset[str]
    shapes: bool
    steps: bool
    counts: bool

    @property
    def nth(self) -> bool:
        """Whether iterations differ by their number over all."""
        return "nth" in self.names or "nth" in self.labels

    @property
    def counted(self) -> bool:
        """Whether this is the body of a loop that counts its iterations over the loops around it."""
        return self.nth or "total" in self.names or "total" in self.labels


class _Collector:
    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.labels: set[str] = set()
        self.shapes = False
        self.steps = False
        self.counts = False

    def label(self, label: ex.Label | None) -> None:
        if label is not None:
            inner = _Collector()
            for part in label.parts:
                if not isinstance(part, str):
                    inner.value(part)
            self.labels |= inner.names.keys()
            self.shapes |= inner.shapes

    def value(self, node: Any) -> None:
        if isinstance(node, ex.Word):
            self.names[node.name] = None
            self.shapes |= node.name in ("input", "here")
        elif isinstance(node, ex.StepPath):
            self.shapes = self.steps = True
            for label in node.labels:
                inner = _Collector()
                inner.label(label)
                self.names.update(dict.fromkeys(inner.labels))
        elif isinstance(node, tuple):
            for item in node:
                self.value(item)
        elif node is not None:
            for part in ex.parts_of(node):
                self.value(part)

    def call(self, call: Call) -> None:
        self.names[call.callee] = None
        self.value((call.args, call.count, call.when))
        if call.count is not None:
            self.counts |= reads_of_repeated(call).counted

    def add(self, inner: Reads) -> None:
        self.names.update(dict.fromkeys(inner.names))
        self.labels |= inner.labels
        self.shapes |= inner.shapes
        self.steps |= inner.steps
        self.counts |= inner.counts

    def body(self, body: Any) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: Any) -> None:
        if isinstance(node, Step):
            self.label(node.label)
            for link in node.links:
                self.call(link)
            return
        if isinstance(node, Unused):
            self.label(node.label)
            self.call(node.call)
            return
        if isinstance(node, Let):
            self.value(node.value)
            return
        self.value(node.when)
        if isinstance(node, From):
            self.value(ex.StepPath(node.path))
        elif isinstance(node, Merge):
            for branch in node.branches:
                self.body(branch)
        else:
            self.inside(node)

    def inside(self, node: Any) -> None:
        if isinstance(node, Group):
            self.label(node.label)
        elif isinstance(node, (Repeat, Dense)):
            self.value(node.count)
        elif isinstance(node, For):
            self.value((node.rows, node.over))
        elif isinstance(node, Residual) and node.shortcut is not None:
            self.label(node.shortcut.label)
            self.value(node.shortcut.when)
            self.level(node.shortcut.body, named=node.shortcut.label is not None)
        assert isinstance(node, (Group, Repeat, Dense, For, Residual, Output))
        if isinstance(node, (Repeat, Dense, For)):
            repeated = reads_of_body(node.body)
            self.add(repeated)
            self.counts |= repeated.counted
        else:
            self.level(node.body, named=isinstance(node, Group))

    def level(self, body: Any, *, named: bool) -> None:
        """A body; the names in a container of its own are part of what that is, as values are."""
        inside = reads_of_body(body)
        self.add(inside)
        if named:
            self.names.update(dict.fromkeys(inside.labels))


def reads_of_arguments(args: tuple[ex.Arg, ...]) -> Reads:
    """What a call's arguments read."""
    collector = _Collector()
    collector.value(args)
    return _result(collector)


def reads_of_body(body: Any) -> Reads:
    """What a body reads."""
    collector = _Collector()
    collector.body(body)
    return _result(collector)


def reads_of_repeated(call: Call) -> Reads:
    """What a call reads that is repeated: its count and its guard stand outside the loop."""
    collector = _Collector()
    collector.names[call.callee] = None
    collector.value(call.args)
    return _result(collector)


def reads_of_value(value: ex.Expression) -> Reads:
    """What an expression reads."""
    collector = _Collector()
    collector.value(value)
    return _result(collector)


def _result(collector: _Collector) -> Reads:
    return Reads(
        tuple(collector.names), frozenset(collector.labels), collector.shapes, collector.steps, collector.counts
    )
