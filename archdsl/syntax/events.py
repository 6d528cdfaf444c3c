"""A YAML file as a tree of our own, with a span for every node, from PyYAML's event stream.

Every scalar stays text: what it means is for the line parser to say. Composing nodes with PyYAML would lose comments
and the columns inside quoted scalars, and crashes the process on deeply nested files; events stop at a depth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Source, Span
from archdsl.syntax import errors
from archdsl.syntax.comments import Comment, Comments, comment_text
from archdsl.syntax.limits import NESTED_BODIES
from archdsl.syntax.text_range import Text

# A body of a text spec takes up to three levels of YAML: the list, its item's mapping, a branch's own list.
_DEPTH = 3 * NESTED_BODIES + 4


class Scalar(NamedTuple):
    text: Text
    span: Span
    in_flow: bool = False  # in a list or mapping with brackets, where commas separate

    @property
    def value(self) -> str:
        return self.text.text


class Sequence(NamedTuple):
    items: list[Node]
    span: Span


class Mapping(NamedTuple):
    pairs: list[tuple[Scalar, Node]]
    span: Span


Node = Scalar | Sequence | Mapping


class Tree(NamedTuple):
    root: Node | None
    comments: Comments


def tree(source: Source, problems: list[Diagnostic]) -> Tree:
    """The file's one document; raises SpecError where reading can't go on, adds to `problems` where it can."""
    builder = _Builder(source, problems)
    try:
        for event in yaml.parse(source.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        raise SpecError(_yaml_problem(source, error)) from None
    lines = source.text.split("\n")
    return Tree(builder.root, Comments(lines, _comments(lines, builder.scalars)))


class _Builder:
    """Puts events together; the open collections stand on a stack."""

    def __init__(self, source: Source, problems: list[Diagnostic]) -> None:
        self.root: Node | None = None
        self.scalars: list[tuple[int, int]] = []  # offsets of all scalars, in order
        self._source = source
        self._problems = problems
        self._open: list[tuple[Sequence | Mapping, list[Node], bool]] = []

    def add(self, event: Any) -> None:
        """The next event."""
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(errors.YamlAnchor(self._span(event), sign="*", name=event.anchor))
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise SpecError(errors.YamlSyntax(self._span(event), problem="a second document starts here", help_text=""))
        if isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            node, children, _ = self._open.pop()
            if isinstance(node, Mapping):
                self._pair(node, children)

    def _node(self, event: Any) -> None:
        if event.anchor is not None:
            raise SpecError(errors.YamlAnchor(self._span(event), sign="&", name=event.anchor))
        if event.tag is not None:
            raise SpecError(errors.YamlTag(self._span(event), tag=event.tag))
        in_flow = bool(self._open) and self._open[-1][2]
        if isinstance(event, yaml.ScalarEvent):
            self._put(self._scalar(event, in_flow))
            return
        if len(self._open) >= _DEPTH:
            raise SpecError(errors.TooDeep(self._span(event), what="lists and mappings are", limit=_DEPTH))
        span = self._span(event)
        node: Sequence | Mapping = Sequence([], span) if isinstance(event, yaml.SequenceStartEvent) else Mapping([], span)
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
        if event.style is None or not event.style:
            return Scalar(Text(self._source, raw, line, column), span, in_flow)
        if raw[1:-1] == event.value:
            return Scalar(Text(self._source, event.value, line, column + 1), span)
        return Scalar(Text(self._source, event.value.strip(), line, column, span), span)

    def _pair(self, node: Mapping, children: list[Node]) -> None:
        """Keys and values alternate; a key is a scalar and stands once."""
        seen: dict[str, int] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problems.append(errors.YamlSyntax(key.span, problem="a key is a list or a mapping", help_text=_BRACES))
                continue
            name = " ".join(key.value.split())
            if name == "<<":
                self._problems.append(errors.YamlAnchor(key.span, sign="<<", name=""))
            elif name in seen:
                self._problems.append(errors.DuplicateKey(key.span, key=name, line=seen[name]))
            else:
                seen[name] = key.span.line
                node.pairs.append((key, value))

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self._source, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


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


_BRACES = 'quote what starts with a bracket or a brace: "{i}": ...'
_HELP = {
    "mapping values are not allowed": 'put quotes around a line that holds `: `, as in `- conv1: "..."`',
    "'\\t'": "indent with blanks, not with tabs",
    "cannot start any token": 'put quotes around a line that starts with `@`, `%` or a backtick: "..."',
    "alias": 'put quotes around a line that starts with `*`: "..."',
    "anchor": 'put quotes around a line that starts with `&`: "..."',
    "expected ',' or ']'": 'a comma separates items here; put quotes around a step that holds brackets or commas: "..."',
    "expected ',' or '}'": 'a comma separates items here; put quotes around a step that holds brackets or commas: "..."',
    "expected key": "all keys of a mapping, and all `-` of a list, start in the same column",
    "'-' indicator": "all keys of a mapping, and all `-` of a list, start in the same column",
    "expected ':'": "every key of this mapping needs a colon and a blank",
    "block sequence": "a list of steps starts on the line below its key",
}


def _yaml_problem(source: Source, error: Any) -> Diagnostic:
    """PyYAML's complaint, with the way out of the traps that a spec runs into."""
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "this is no YAML"
    where = Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else _start(source)
    told = f"{problem} {error.context or ''}"
    help_text = next((text for sign, text in _HELP.items() if sign in told), "")
    return errors.YamlSyntax(where, problem=problem, help_text=help_text)


def _start(source: Source) -> Span:
    return Span(source, 1, 1, 1, 2)
