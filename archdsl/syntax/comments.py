"""Comments and blank lines: found once a file, handed out to the nodes in the order in which they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archdsl.syntax.spec import PLAIN, Trivia

# A string, to step over it, or a comment: `#` at the line's start or after a blank.
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(?:^|(?<=[ \t]))#.*')


class Comment(NamedTuple):
    """A comment with the line on which it stands, counted from 1."""

    line: int
    text: str
    is_note: bool  # something else stands before it on its line


def find_comment(line: str) -> int:
    """Where the comment of a line of text starts; the line's length if it has none."""
    if "#" not in line:
        return len(line)
    for found in _COMMENT.finditer(line):
        if found[0].startswith("#"):
            return found.start()
    return len(line)


def comment_text(comment: str) -> str:
    """A comment without its `#` and the blank after it."""
    return comment[1:].removeprefix(" ").rstrip()


class Comments:
    """The comments of a file that no node has claimed yet."""

    def __init__(self, lines: Sequence[str], comments: Iterable[Comment]) -> None:
        self._blank = [not line.strip() for line in lines]
        self._waiting = sorted(comments, reverse=True)
        self._last = 0  # the last line that was claimed: the gap above it belongs to the first node on it
        self._above = {comment.line for comment in self._waiting if not comment.is_note}

    def claim(self, line: int, end_line: int = 0, *, shared: bool = False) -> Trivia:
        """What stands above a node that starts on this line, and beside it; nodes claim in the order of the file.

        shared: other nodes start on the line too, so what stands beside it is about all of them and goes above.
        """
        gap = line > self._last and self._gap(line)
        self._last = max(line, self._last)
        if not self._waiting:
            return Trivia(gap=True) if gap else PLAIN
        above, note = [], ""
        while self._waiting and self._waiting[-1].line <= max(line, end_line):
            comment = self._waiting.pop()
            if comment.is_note and comment.line >= line and not note and not shared:
                note = comment.text
            else:
                above.append(comment.text)
        return Trivia(tuple(above), note, gap)

    def heading(self) -> Trivia:
        """The comments at the head of the file, up to the first blank line."""
        above: list[str] = []
        line = next((at for at, blank in enumerate(self._blank, 1) if not blank), 0)
        while self._waiting and self._waiting[-1].line == line and not self._waiting[-1].is_note:
            above.append(self._waiting.pop().text)
            line += 1
        return Trivia(tuple(above)) if above else PLAIN

    def rest(self) -> tuple[str, ...]:
        """The comments after everything else."""
        left = tuple(comment.text for comment in reversed(self._waiting))
        self._waiting.clear()
        return left

    def _gap(self, line: int) -> bool:
        line -= 1
        while line > 0:
            if self._blank[line - 1]:
                return True
            if line not in self._above:
                return False
            line -= 1
        return False
