"""Where things stand in a spec: files, positions, and the stretch of text that a diagnostic underlines."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    """The lines of a file, split once for all diagnostics in it."""
    return text.splitlines()


class Source(NamedTuple):
    """A spec's text with the name that diagnostics print (a path, or `<text>`)."""

    name: str
    text: str

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its newline; empty beyond the end."""
        lines = _lines(self.text)
        return lines[number - 1] if 0 < number <= len(lines) else ""


class Span(NamedTuple):
    """A stretch of a source: lines and columns count from 1, the end column is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of the other."""
        return Span(self.source, self.line, self.column, other.end_line, other.end_column)

    def word(self, word: str) -> Span:
        """Where a word stands first in this span; the whole span where its first line doesn't have it."""
        line = self.source.line(self.line)
        found = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])").search(line, self.column - 1)
        if found is None or (self.line == self.end_line and found.end() >= self.end_column):
            return self
        return Span(self.source, self.line, found.start() + 1, self.line, found.end() + 1)

    def __repr__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"
