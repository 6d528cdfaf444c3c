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

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Source, Span
from archdsl.syntax import errors, yaml_errors
from archdsl.syntax.comments import Comment, Comments, comment_text
from archdsl.syntax.limits import NESTED_BODIES
from archdsl.syntax.problems import Problems
from archdsl.syntax.text_range import Text

# A body of a text spec takes up to three levels of YAML: the list, its item's mapping, a branch's own list.
_DEPTH = 3 * NESTED_BODIES + 4


_STRAY_DASH = re.compile(r"\n *-(?= )")


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
        raise SpecError(_yaml_problem(source, error)) from None
    lines = source.text.split("\n")
    return Tree(builder.root, Comments(lines, _comments(lines, builder.scalars)))


class _Builder:
    """Puts events together; the open collections stand on a stack."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self.root: Node | None = None
        self.scalars: list[tuple[int, int]] = []  # offsets of all scalars, in order
        self._source = source
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
                problem = "this line stands in another column than those that it belongs to"
                self._problems.append(yaml_errors.YamlSyntax(where, problem=problem, help_text=_COLUMNS))
            return Scalar(Text(self._source, raw, line, column), span, in_flow)
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
_QUOTES = 'put quotes around a line that starts with {char}: "..."'
_COLUMNS = "all keys of a mapping, and all `-` of a list, start in the same column"
_COMMAS = 'a comma separates items here; put quotes around a step that holds brackets or commas: "..."'
# A piece of PyYAML's complaint -> what it means for a spec ("" where PyYAML says it well), and the way out.
_MEANING = {
    "mapping values are not allowed": (
        "a second `: ` on this line",
        'put quotes around a line that holds `: `, as in `- conv1: "..."`; a label may stand once',
    ),
    "cannot start any token": ("no line of YAML starts with {char}", _QUOTES),
    "alias": ("{char} starts an alias in YAML", _QUOTES),
    "anchor": ("{char} starts an anchor in YAML", _QUOTES),
    "expected ',' or ']'": ("this list isn't closed, or its items lack a comma", _COMMAS),
    "expected ',' or '}'": ("this mapping isn't closed, or its items lack a comma", _COMMAS),
    "expected key": ("this line stands in another column than those that it belongs to", _COLUMNS),
    "'-' indicator": ("this line stands in another column than those that it belongs to", _COLUMNS),
    "expected ':'": ("", "every key of this mapping needs a colon and a blank"),
    "comment or line break": (
        "`|` and `>` start a text of several lines",
        'put quotes around a line that starts with them: "..."',
    ),
    "block sequence": ("", "a list of steps starts on the line below its key"),
}


def _yaml_problem(source: Source, error: Any) -> Diagnostic:
    """PyYAML's complaint, with the way out of the traps that a spec runs into."""
    mark = error.problem_mark or error.context_mark
    if "expected ','" in str(error.problem):
        mark = error.context_mark or mark  # where it was opened: the problem's own place may be the end of the file
    problem = error.problem or error.context or "this is no YAML"
    where = Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else _start(source)
    char = source.text[mark.index : mark.index + 1] if mark else ""
    char = "a backtick" if char == "`" else f"`{char}`"
    if char == "`\t`":
        return errors.Tab(where)
    told = f"{problem} {error.context or ''}"
    meaning, help_text = next((texts for sign, texts in _MEANING.items() if sign in told), ("", ""))
    problem = meaning.replace("{char}", char) or problem
    return yaml_errors.YamlSyntax(where, problem=problem, help_text=help_text.replace("{char}", char))


def _start(source: Source) -> Span:
    return Span(source, 1, 1, 1, 2)
