"""Reading a spec in either spelling."""

from __future__ import annotations

from pathlib import Path

from archdsl.diagnostics import SpecError
from archdsl.source import Source, Span
from archdsl.syntax import errors
from archdsl.syntax.limits import DIAGNOSTICS, FILE_BYTES, FILE_LINES
from archdsl.syntax.problems import Enough, Problems
from archdsl.syntax.spec import Spec
from archdsl.syntax.text import read_text
from archdsl.syntax.text_range import FORBIDDEN, Text

_YAML = (".yaml", ".yml")


def read_file(path: Path) -> Spec:
    """The tree of a file; raises SpecError, or OSError where the file can't be read."""
    return read(load(path))


def load(path: Path) -> Source:
    """A file's text; raises SpecError for a file too large or not UTF-8, before any work is spent on it."""
    with path.open("rb") as file:
        data = file.read(FILE_BYTES + 1)
    return decode(str(path), data, max(path.stat().st_size, len(data)))


def decode(name: str, data: bytes, size: int | None = None) -> Source:
    """The text of a file's bytes; `size` is the file's size where not all of it has been read."""
    empty = Source(name, "")
    if max(size or 0, len(data)) > FILE_BYTES:
        where = Span(empty, 1, 1, 1, 1)
        raise SpecError(errors.FileTooLarge(where, size=max(size or 0, len(data)), limit=FILE_BYTES))
    try:
        return Source(name, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        readable = Source(name, data.decode("utf-8", errors="replace").replace("\r\n", "\n"))
        before = data[: error.start].decode("utf-8").replace("\r\n", "\n")
        place = Text(readable, readable.text, 1, 1).span(len(before), len(before) + 1)
        problem = f"byte {error.start:,} of the file (0x{data[error.start]:02x}) is no UTF-8"
        raise SpecError(errors.Encoding(place, problem=problem)) from None


def read(source: Source) -> Spec:
    """The tree of a spec, YAML or text by the suffix of its name; raises SpecError with all that is wrong."""
    source = _clean(source)
    problems = Problems()
    try:
        spec = _read_yaml(source, problems) if source.name.endswith(_YAML) else read_text(source, problems)
        if spec is not None:
            return spec
    except SpecError as error:
        problems.found += error.diagnostics
    except Enough:
        pass
    raise SpecError(*sorted(problems.found, key=lambda problem: problem.span[1:])[:DIAGNOSTICS])


def _read_yaml(source: Source, problems: Problems) -> Spec | None:
    from archdsl.syntax.yaml import read_yaml  # PyYAML costs 10 ms that a text spec doesn't need

    return read_yaml(source, problems)


def _clean(source: Source) -> Source:
    """The source with line ends of one kind and without a byte order mark; raises SpecError for what is no text."""
    name, text = source
    if len(text) > FILE_BYTES:
        raise SpecError(errors.FileTooLarge(Span(Source(name, ""), 1, 1, 1, 1), size=len(text), limit=FILE_BYTES))
    if text.startswith("\ufeff") or "\r" in text:
        source = Source(name, text.removeprefix("\ufeff").replace("\r\n", "\n"))
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        where = Span(source, FILE_LINES + 1, 1, FILE_LINES + 1, 1)
        raise SpecError(errors.TooLong(where, what="file", count=f"{lines:,} lines", limit=f"{FILE_LINES:,}"))
    found = FORBIDDEN.search(source.text)
    if found:
        place = Text(source, source.text, 1, 1).span(found.start(), found.end())
        raise SpecError(errors.Encoding(place, problem=f"the character U+{ord(found[0]):04X} isn't text"))
    return source
