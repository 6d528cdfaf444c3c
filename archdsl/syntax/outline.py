"""A text spec as an outline: its lines, each with the lines indented under it."""

from __future__ import annotations

import re
from typing import NamedTuple

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Source
from archdsl.syntax import errors
from archdsl.syntax.comments import Comment, Comments, comment_text, find_comment
from archdsl.syntax.limits import NESTED_BODIES
from archdsl.syntax.text_range import Text

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
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


class Outline(NamedTuple):
    items: list[Item]
    comments: Comments
    problems: list[Diagnostic]


def outline(source: Source) -> Outline:
    """The outline of a text spec; wrong indentation is a problem, not an end. Raises SpecError for tabs."""
    lines = source.text.split("\n")
    _refuse_tabs(source, lines)
    cuts = [find_comment(line) for line in lines]
    comments = [
        Comment(number, comment_text(line[cut:]), bool(line[:cut].strip()))
        for number, (line, cut) in enumerate(zip(lines, cuts, strict=True), 1)
        if cut < len(line)
    ]
    code = [line[:cut].rstrip() for line, cut in zip(lines, cuts, strict=True)]
    tree = _Tree()
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
    return Outline(tree.items, Comments(lines, comments), tree.problems)


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

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.problems: list[Diagnostic] = []
        self._levels = [(0, self.items)]

    def add(self, indent: int, text: Text) -> None:
        dash = _DASH.match(text.text)
        if dash is None:
            self._place(indent, Item(text, []))
            return
        self._place(indent, Item(text._replace(text="-"), [], is_dash=True))
        rest = text.part(dash.end())
        if rest.text:
            self.add(indent + dash.end(), rest)

    def _place(self, indent: int, item: Item) -> None:
        levels = self._levels
        if indent > levels[-1][0] and levels[-1][1]:
            levels.append((indent, levels[-1][1][-1].children))
            if len(levels) > 2 * NESTED_BODIES:
                raise SpecError(errors.TooDeep(item.text.all(), what="bodies are", limit=NESTED_BODIES))
        else:
            while levels[-1][0] > indent:
                levels.pop()
            if levels[-1][0] != indent:
                wanted = " or ".join(str(column) for column, _ in levels)
                self.problems.append(errors.BadIndentation(item.text.all(), indent=indent, wanted=wanted))
        levels[-1][1].append(item)
