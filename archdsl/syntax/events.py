"""A YAML file as a tree of our own, with a span for every node, from PyYAML's event stream.

Every scalar stays text: what it means is for the line parser to say. Composing nodes with PyYAML would lose comments
and the columns inside quoted scalars, and crashes the process on deeply nested files; events stop at a depth.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from archdsl.diagnostics import SpecError
from archdsl.source import Source, Span
from archdsl.syntax import errors, yaml_errors
from archdsl.syntax.comments import Comment, Comments, comment_text
from archdsl.syntax.limits import NESTED_BODIES
from archdsl.syntax.problems import Problems
from archdsl.syntax.text_range import FORBIDDEN, Text
from archdsl.syntax.yaml_problems import COLUMNS, loop_above, yaml_problem

# A body of a text spec takes up to three levels of YAML: the list, its item's mapping, a branch's own list.
_DEPTH = 3 * NESTED_BODIES + 4


_STRAY_DASH = re.compile(r"\n *-(?= )")
_BRACES = 'quote what starts with a bracket or a brace: "{i}": ...'


class Scalar(NamedTuple):
    """A plain or quoted text."""

    text: Text
    span: Span
    in_flow: bool = False  # in a list or mapping with brackets, where commas separate

    @property
    def value(self) -> str:
        return self.text.text


class Sequence(NamedTuple):
    """A list."""

    items: list[Node]
    span: Span


class Mapping(NamedTuple):
    """Keys with their values, in the order of the file."""

    pairs: list[tuple[Scalar, Node]]
    span: Span


Node = Scalar | Sequence | Mapping


class Tree(NamedTuple):
    """A file's document and its comments."""

    root: Node | None
    comments: Comments


def tree(source: Source, problems: Problems) -> Tree:
    """The file's one document; raises SpecError where reading can't go on, adds to `problems` where it can."""
    builder = _Builder(source, problems)
    try:
        for event in yaml.parse(source.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        found = yaml_problem(source, error)
        # What follows an unclosed bracket only looks as if it stood in a wrong column.
        problems.found = [one for one in problems.found if one.span.line <= found.span.line]
        raise SpecError(found) from None
    lines = source.text.split("\n")
    return Tree(builder.root, Comments(lines, _comments(lines, builder.scalars)))


class _Builder:
    """Puts events together; the open collections stand on a stack."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self.root: Node | None = None
        self.scalars: list[tuple[int, int]] = []  # offsets of all scalars, in order
        self._source = source
        self._last = source.text.count("\n")
        self._problems = problems
        self._open: list[tuple[Sequence | Mapping, list[Node], bool]] = []

    def add(self, event: Any) -> None:
        """The next event."""
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(yaml_errors.YamlAnchor(self._span(event), sign="*", name=event.anchor))
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise SpecError(
                yaml_errors.YamlSyntax(self._span(event), problem="a second document starts here", help_text="")
            )
        if isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            node, children, _ = self._open.pop()
            if isinstance(node, Mapping):
                self._pair(node, children)

    def _node(self, event: Any) -> None:
        if event.anchor is not None:
            raise SpecError(yaml_errors.YamlAnchor(self._span(event), sign="&", name=event.anchor))
        if event.tag is not None:
            raise SpecError(
                yaml_errors.YamlTag(
                    self._span(event), tag=self._source.text[event.start_mark.index :].split(None, 1)[0]
                )
            )
        in_flow = bool(self._open) and self._open[-1][2]
        if isinstance(event, yaml.ScalarEvent):
            self._put(self._scalar(event, in_flow))
            return
        if len(self._open) >= _DEPTH:
            raise SpecError(errors.TooDeep(self._span(event), what="lists and mappings are", limit=_DEPTH))
        span = self._span(event)
        node: Sequence | Mapping = (
            Sequence([], span) if isinstance(event, yaml.SequenceStartEvent) else Mapping([], span)
        )
        self._put(node)
        self._open.append((node, node.items if isinstance(node, Sequence) else [], bool(event.flow_style)))

    def _put(self, node: Node) -> None:
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.root = node

    def _scalar(self, event: Any, in_flow: bool) -> Scalar:
        start, end = event.start_mark.index, event.end_mark.index
        self.scalars.append((start, end))
        span, raw = self._span(event), self._source.text[start:end]
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if not event.style:
            # YAML takes a list's item in a wrong column as the second line of the text above it.
            for dash in _STRAY_DASH.finditer(raw):
                where = Text(self._source, raw, line, column).span(dash.end() - 1, dash.end())
                if loop_above(where) is None:  # else the reader of steps says that a `do` is missing
                    problem = "this line stands in another column than those that it belongs to"
                    self._problems.append(yaml_errors.YamlSyntax(where, problem=problem, help_text=COLUMNS))
            raw = _STRAY_DASH.split(raw, maxsplit=1)[0]
            return Scalar(Text(self._source, raw, line, column), span, in_flow)
        if (found := FORBIDDEN.search(event.value)) is not None:  # as an escape: `"\x1b"`
            raise SpecError(errors.Encoding(span, problem=f"the character U+{ord(found[0]):04X} isn't text"))
        if raw[1:-1] == event.value:
            return Scalar(Text(self._source, event.value, line, column + 1), span)
        return Scalar(Text(self._source, event.value.strip(), line, column, span), span)

    def _pair(self, node: Mapping, children: list[Node]) -> None:
        """Keys and values alternate; a key is a scalar and stands once."""
        seen: dict[str, int] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problems.append(
                    yaml_errors.YamlSyntax(key.span, problem="a key is a list or a mapping", help_text=_BRACES)
                )
                continue
            name = " ".join(key.value.split())
            if name == "<<":
                self._problems.append(yaml_errors.YamlAnchor(key.span, sign="<<", name=""))
            elif name in seen:
                self._problems.append(yaml_errors.DuplicateKey(key.span, key=name, line=seen[name]))
            else:
                seen[name] = key.span.line
                node.pairs.append((key, value))

    def _span(self, event: Any) -> Span:
        return Span(self._source, *self._place(event.start_mark), *self._place(event.end_mark))

    def _place(self, mark: Any) -> tuple[int, int]:
        """Line and column. What is missing at the end of a file stands, for PyYAML, on a line below the last one."""
        if mark.line > self._last:
            return self._last + 1, len(self._source.text) - self._source.text.rfind("\n")
        return mark.line + 1, mark.column + 1


def _comments(lines: list[str], scalars: list[tuple[int, int]]) -> Iterator[Comment]:
    """The comments of a YAML file: what follows a `#` after a blank, outside every scalar."""
    starts = [start for start, _ in scalars]
    offset = 0
    for number, line in enumerate(lines, 1):
        at = line.find("#")
        while at >= 0:
            before = bisect_right(starts, offset + at) - 1
            inside = before >= 0 and offset + at < scalars[before][1]
            if not inside and (at == 0 or line[at - 1] in " \t"):
                yield Comment(number, comment_text(line[at:]), bool(line[:at].strip()))
                break
            at = line.find("#", at + 1)
        offset += len(line) + 1
