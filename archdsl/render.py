"""Diagnostics as people, editors, programs and GitHub read them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Literal, NamedTuple

from archdsl.diagnostics import Diagnostic, Severity
from archdsl.source import Span

Format = Literal["full", "concise", "json", "github"]

_IGNORE = re.compile(r"#\s*archdsl:\s*ignore\s+([\w-]+(?:\s*,\s*[\w-]+)*)")
_TAB = 4  # columns
_NARROWEST = 40  # columns; below that the text wraps in the terminal
_RESET, _BOLD, _RED, _YELLOW, _BLUE = "\x1b[0m", "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[34m"


def render(diagnostics: Iterable[Diagnostic], style: Format = "full", *, width: int = 100, colour: bool = False) -> str:
    """All diagnostics as one text that ends in a newline (empty if there are none and the style isn't json).

    full: the source line with carets and all that is known, `width` columns wide; concise: a line each; json: a list
    of objects; github: the commands that annotate a pull request.
    """
    if style == "json":
        return json.dumps([_as_object(diagnostic) for diagnostic in diagnostics], indent=2) + "\n"
    if style == "concise":
        return "".join(f"{_heading(diagnostic)}\n" for diagnostic in diagnostics)
    if style == "github":
        return "".join(f"{_github(diagnostic)}\n" for diagnostic in diagnostics)
    return "\n".join(_full(diagnostic, max(width, _NARROWEST), _Paint(colour)) for diagnostic in diagnostics)


def unsilenced(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Without the warnings whose line says `# archdsl: ignore CODE`; errors are never silenced."""
    return tuple(
        diagnostic
        for diagnostic in diagnostics
        if diagnostic.severity == "error" or diagnostic.code not in ignored(_line(diagnostic.span))
    )


def ignored(line: str) -> frozenset[str]:
    """The codes that a line's comment silences."""
    return frozenset(code.strip() for found in _IGNORE.findall(line) for code in found.split(","))


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file, in the order of first mention, then by position."""
    files: dict[str, list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        files.setdefault(diagnostic.span.source.name, []).append(diagnostic)
    return [one for file in files.values() for one in sorted(file, key=lambda one: one.span[1:])]


class _Paint(NamedTuple):
    """Escape sequences, or nothing."""

    on: bool

    def __call__(self, text: str, how: str) -> str:
        return f"{how}{text}{_RESET}" if self.on and text else text


_PLAIN = _Paint(on=False)


def _line(span: Span) -> str:
    return span.source.line(span.line)


def _heading(diagnostic: Diagnostic, paint: _Paint = _PLAIN) -> str:
    """`file:line:column: error[code]: message`, on one line."""
    span = diagnostic.span
    place = f"{span.source.name}:{span.line}:{span.column}: " if span.source.text else ""
    kind = paint(f"{diagnostic.severity}[{diagnostic.code}]", _of(diagnostic.severity))
    return f"{paint(visible(place), _BOLD)}{kind}: {paint(_message(diagnostic), _BOLD)}"


def _of(severity: Severity) -> str:
    return _RED if severity == "error" else _YELLOW


def _message(diagnostic: Diagnostic) -> str:
    return visible(diagnostic.text(diagnostic.message))


def _details(diagnostic: Diagnostic) -> dict[str, str]:
    """The lines under the excerpt that have something to say, by their heading."""
    lines = {
        "expected": diagnostic.text(diagnostic.expected),
        "got": diagnostic.text(diagnostic.got),
        "in": " > ".join(diagnostic.path),
        "help": diagnostic.text(diagnostic.help),
    }
    return {heading: visible(text) for heading, text in lines.items() if text.strip()}


def _full(diagnostic: Diagnostic, width: int, paint: _Paint) -> str:
    lines = [_heading(diagnostic, paint), *_excerpt(diagnostic.span, width, paint, _of(diagnostic.severity))]
    for heading, text in _details(diagnostic).items():
        label = f"{heading}:".ljust(10)
        first, *rest = wrap(text, width - 12, break_long_words=False, break_on_hyphens=False)
        lines.append(f"  {paint(label, _BOLD)}{first}")
        lines.extend(" " * 12 + line for line in rest)
    for note in diagnostic.notes:
        label = paint("see:".ljust(10), _BOLD)
        lines.append(f"  {label}{paint(_place(note.span), _BOLD)}: {visible(note.text)}")
        lines.extend(_excerpt(note.span, width, paint, _BLUE))
    return "\n".join(lines) + "\n"


def _place(span: Span) -> str:
    return visible(f"{span.source.name}:{span.line}:{span.column}")


def _excerpt(span: Span, width: int, paint: _Paint, carets_in: str) -> Iterator[str]:
    """The lines that a span covers, each with carets under what is meant; a long span's middle is left out."""
    if not span.source.text:
        return
    numbers = list(range(span.line, max(span.line, _last_line(span)) + 1))
    gutter = max(5, len(str(numbers[-1])) + 1)
    left_out = numbers[2:-1] if len(numbers) > 4 else []
    for number in numbers:
        if number in left_out:
            if number == left_out[0]:
                yield paint("...".rjust(gutter), _BLUE)
            continue
        text, carets = _clip(*_underlined(span, number), width - gutter - 3)
        yield f"{paint(f'{number:>{gutter}} |', _BLUE)} {text}".rstrip()
        if carets:
            yield f"{paint(' ' * gutter + ' |', _BLUE)} {paint(carets, carets_in)}"


def _last_line(span: Span) -> int:
    """The last line with something of the span on it: one that ends before a line's first column isn't on that line."""
    return span.end_line - 1 if span.end_column <= 1 else span.end_line


def _underlined(span: Span, number: int) -> tuple[str, int, int]:
    """A line as it is displayed, with the columns (from 0) where the carets under it start and end."""
    line = span.source.line(number)
    blank = len(line) - len(line.lstrip())
    start = span.column - 1 if number == span.line else blank
    end = span.end_column - 1 if number == span.end_line else len(line.rstrip())
    first, last = cells(displayed(line[:start])), cells(displayed(line[:end]))
    if number == span.line:
        last = max(last, first + 1)  # also an empty span, and one at the end of the file, points somewhere
    return displayed(line), first, last


def _clip(text: str, start: int, end: int, width: int) -> tuple[str, str]:
    """At most `width` columns of the text, those around start..end, and the carets under them."""
    if end <= start:
        start, end = 0, 0
    if cells(text) <= width and end <= width:
        return text, " " * start + "^" * (end - start)
    # Room for what is meant, and before it a third of what is left; `…` stands for what is cut off.
    length = min(end - start, width - 2)
    begin = max(0, min(start - (width - length) // 3, max(end, cells(text)) - width))
    shown, column = [], 0
    for char in text:
        if begin <= column and column + cells(char) <= begin + width:
            shown.append(char)
        elif begin < column + cells(char) and column < begin + width:
            shown.append(" " * (min(column + cells(char), begin + width) - max(begin, column)))
        column += cells(char)
    piece = "".join(shown)
    if begin > 0:
        piece = _swap_first(piece)
    if cells(text) > begin + width:
        piece = _swap_first(piece[::-1])[::-1]
    first = max(start - begin, 1 if begin > 0 else 0)
    return piece, " " * first + "^" * max(1, min(end - begin, width) - first)


def _swap_first(piece: str) -> str:
    """An ellipsis for the first character, as wide as that was."""
    return "…" + " " * (cells(piece[0]) - 1) + piece[1:] if piece else "…"


def displayed(line: str) -> str:
    """A source line as a terminal shows it: tabs as blanks, what can't be seen made visible."""
    pieces, column = [], 0
    for char in line:
        piece = " " * (_TAB - column % _TAB) if char == "\t" else visible(char)
        pieces.append(piece)
        column += cells(piece)
    return "".join(pieces)


def visible(text: str) -> str:
    """The text with controls, direction marks and lone surrogates as `�`: a spec can't steer the terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char for char in text)


def cells(text: str) -> int:
    """How many columns a terminal gives the text."""
    if text.isascii():
        return len(text)
    return sum(map(_cell, text))


def _cell(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _as_object(diagnostic: Diagnostic) -> dict[str, object]:
    """What programs get: every line that the full rendering has, without the excerpt."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.text(diagnostic.message),
        **_position(diagnostic.span),
        "expected": diagnostic.text(diagnostic.expected) or None,
        "got": diagnostic.text(diagnostic.got) or None,
        "help": diagnostic.text(diagnostic.help) or None,
        "path": list(diagnostic.path),
        "notes": [{"message": note.text, **_position(note.span)} for note in diagnostic.notes],
    }


def _position(span: Span) -> dict[str, object]:
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _github(diagnostic: Diagnostic) -> str:
    """A workflow command, as GitHub's documentation spells them."""
    span = diagnostic.span
    properties = {"file": span.source.name, "line": span.line, "endLine": span.end_line}
    if span.line == span.end_line:  # GitHub wants columns only within one line
        properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = diagnostic.code
    listed = ",".join(f"{key}={_escaped(visible(str(value)), also=':,')}" for key, value in properties.items())
    notes = (f"see: {_place(note.span)}: {visible(note.text)}" for note in diagnostic.notes)
    lines = (*(f"{key}: {line}" for key, line in _details(diagnostic).items()), *notes)
    text = "\n".join([_message(diagnostic), *lines])
    return f"::{diagnostic.severity} {listed}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + also else char for char in text)
