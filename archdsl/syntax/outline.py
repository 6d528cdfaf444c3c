"""A text spec as an outline: its lines, each with the lines indented under it."""

from __future__ import annotations

import re
from typing import NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.source import Source
from archdsl.syntax import errors
from archdsl.syntax.comments import Comment, Comments, comment_text, find_comment
from archdsl.syntax.limits import NESTED_BODIES
from archdsl.syntax.problems import Problems
from archdsl.syntax.text_range import Text

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
# The heading of a table, labelled or not; its rows may start in any column, so that numbers line up on the right.
_TABLE = re.compile(r"(?:[^ ]+:[ ]+)?for\b(?!.*\bin\b)")
_DASH = re.compile(r"-(?:[ ]+|$)")


class Item(NamedTuple):
    """A line, with continuation lines joined, and what is indented under it; a dash holds its branch's lines."""

    text: Text
    children: list[Item]
    is_dash: bool = False

    @property
    def line(self) -> int:
        return self.text.line

    @property
    def end_line(self) -> int:
        return self.text.line + self.text.text.count("\n")


def outline(source: Source, problems: Problems) -> tuple[list[Item], Comments]:
    """The lines at the left margin and the comments of a text spec.

    Wrong indentation is a problem, not an end; raises SpecError for tabs.
    """
    lines = source.text.split("\n")
    _refuse_tabs(source, lines)
    cuts = [find_comment(line) for line in lines]
    comments = [
        Comment(number, comment_text(line[cut:]), bool(line[:cut].strip()))
        for number, (line, cut) in enumerate(zip(lines, cuts, strict=True), 1)
        if cut < len(line)
    ]
    code = [line[:cut].rstrip() for line, cut in zip(lines, cuts, strict=True)]
    tree = _Tree(problems)
    at = 0
    while at < len(code):
        if not code[at]:
            at += 1
            continue
        end = _end_of_statement(code, at)
        text = code[at] if end == at + 1 else "\n".join((*lines[at : end - 1], code[end - 1]))
        indent = len(code[at]) - len(code[at].lstrip())
        tree.add(indent, Text(source, text[indent:], at + 1, indent + 1))
        at = end
    return tree.items, Comments(lines, comments)


def _refuse_tabs(source: Source, lines: list[str]) -> None:
    if "\t" not in source.text:
        return
    found = []
    for number, line in enumerate(lines, 1):
        blanks = line[: len(line) - len(line.lstrip())]
        if "\t" in blanks and line.strip():
            found.append(errors.Tab(Text(source, line, number, 1).span(0, len(blanks))))
    if found:
        raise SpecError(*found)


def _end_of_statement(code: list[str], first: int) -> int:
    """The index after the last line of a statement: a trailing comma or an open bracket continues it."""
    depth, at = 0, first
    indent = _indent(code[first])
    while True:
        line = code[at]
        depth += _depth(line)
        if depth <= 0 and not line.endswith(","):
            return at + 1
        following = at + 1
        while following < len(code) and not code[following]:
            following += 1
        if following == len(code):
            return at + 1
        closes = depth > 0 and code[following].lstrip()[0] in ")]}" and _indent(code[following]) == indent
        if _indent(code[following]) <= indent and not closes:
            return at + 1
        at = following


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _depth(line: str) -> int:
    """How many brackets a line opens more than it closes."""
    bare = _STRING.sub("", line) if '"' in line else line
    return sum(map(bare.count, "([{")) - sum(map(bare.count, ")]}"))


class _Tree:
    """Grows from lines with their indentation."""

    def __init__(self, problems: Problems) -> None:
        self.items: list[Item] = []
        self._problems = problems
        self._levels = [(0, self.items, 0)]
        self._table: tuple[int, Item] | None = None

    def add(self, indent: int, text: Text) -> None:
        if self._table is not None and indent > self._table[0]:
            self._table[1].children.append(Item(text, []))
            return
        self._table = None
        dash = _DASH.match(text.text)
        if dash is None:
            item = Item(text, [])
            self._place(indent, item)
            self._table = (indent, item) if _TABLE.match(text.text) else None
            return
        self._place(indent, Item(text._replace(text="-"), [], is_dash=True))
        rest = text.part(dash.end())
        if rest.text:
            self.add(indent + dash.end(), rest)

    def _place(self, indent: int, item: Item) -> None:
        levels = self._levels
        depth = levels[-1][2]
        if indent > levels[-1][0] and levels[-1][1]:
            above = levels[-1][1][-1]
            depth += not above.is_dash or item.is_dash  # a dash and its branch are one level
            levels.append((indent, above.children, depth))
            if depth > NESTED_BODIES:
                raise SpecError(errors.TooDeep(item.text.all(), what="bodies are", limit=NESTED_BODIES))
        else:
            inner = levels[-1]
            while levels[-1][0] > indent:
                inner = levels.pop()
            if levels[-1][0] != indent:
                wanted = f"{levels[-1][0]} or {inner[0]}"
                levels.append(inner)  # most likely a step of that body, a blank or two astray
                self._problems.append(errors.BadIndentation(item.text.all(), indent=indent, wanted=wanted))
        levels[-1][1].append(item)
