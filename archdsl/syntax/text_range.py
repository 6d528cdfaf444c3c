"""A stretch of a spec that a line parser reads, and how positions in it map to spans of the file."""

from __future__ import annotations

import re
from typing import NamedTuple

from archdsl.source import Source, Span

# What a text has no use for, line separators among it that editors count differently.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class Text(NamedTuple):
    """Text that starts at a line and column of its source.

    `whole` is set where the text isn't a verbatim copy of the file (a quoted YAML scalar with escapes): then every span
    is that one.
    """

    source: Source
    text: str
    line: int
    column: int
    whole: Span | None = None

    def span(self, start: int, end: int) -> Span:
        """The span of text[start:end]."""
        source, text, line, column, whole = self
        if whole is not None:
            return whole
        if "\n" not in text:
            return Span(source, line, column + start, line, column + end)
        return Span(source, *self._place(start), *self._place(end))

    def _place(self, offset: int) -> tuple[int, int]:
        breaks = self.text.count("\n", 0, offset)
        if not breaks:
            return self.line, self.column + offset
        return self.line + breaks, offset - self.text.rfind("\n", 0, offset)

    def all(self) -> Span:
        """The span of the text without the blanks around it."""
        text = self.text
        start = len(text) - len(text.lstrip())
        return self.span(start, max(len(text.rstrip()), start))

    def part(self, start: int, end: int | None = None) -> Text:
        """text[start:end] without the blanks before it."""
        text = self.text[start:end]
        stripped = text.lstrip()
        start += len(text) - len(stripped)
        if self.whole is not None:
            return self._replace(text=stripped)
        line, column = self._place(start)
        return Text(self.source, stripped, line, column)
