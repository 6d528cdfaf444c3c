"""What PyYAML complains of, as users of a spec understand it: at the line that is wrong, with the way out."""

from __future__ import annotations

import re
from typing import Any

from archdsl.diagnostics import Diagnostic, Note
from archdsl.source import Source, Span
from archdsl.syntax import errors, yaml_errors

COLUMNS = "all keys of a mapping, and all `-` of a list, start in the same column"
_COLUMN = "this line stands in another column than those that it belongs to"
_QUOTES = 'put quotes around a line that starts with {char}: "..."'
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
    "expected key": (_COLUMN, COLUMNS),
    "'-' indicator": (_COLUMN, COLUMNS),
    "expected ':'": ("this key isn't followed by a colon", "a key ends in a colon, and a blank or its lines follow"),
    "comment or line break": (
        "`|` and `>` start a text of several lines",
        'put quotes around a line that starts with them: "..."',
    ),
    "block sequence": ("", "a list of steps starts on the line below its key"),
}
_OPENED = {"[": "expected ',' or ']'", "{": "expected ',' or '}'"}


def yaml_problem(source: Source, error: Any) -> Diagnostic:
    """The diagnostic for a `yaml.MarkedYAMLError`."""
    told = f"{error.problem or error.context or 'this is no YAML'}"
    mark, context = error.problem_mark or error.context_mark, error.context_mark
    if context is not None and ("expected ','" in told or "expected ':'" in told):
        mark = context  # where it starts; where PyYAML gives up may be the end of the file
    if mark is None:
        return yaml_errors.YamlSyntax(Span(source, 1, 1, 1, 2), problem=told, help_text="")
    line, column = mark.line + 1, mark.column + 1
    if line > (last := source.text.count("\n") + 1):  # PyYAML ends a file that has no newline at its end
        line, column = last, len(source.line(last)) + 1
    before = source.line(line)[: column - 1]
    where = Span(source, line, column, line, column + 1)
    char = source.text[mark.index : mark.index + 1]
    if char == "\t":
        return errors.Tab(where)
    if loop := loop_above(where):
        return _without_do(where, loop)
    if "mapping values" in told and ": " not in before:
        return _continued(where, before)
    if "expected key" in told and (bare := _without_colon(where)) is not None:
        return bare
    if "expected key" in told and char == "-" and (key := _start_of_list(where)) is not None:
        return _without_dash(where, key)
    if "expected ':'" in told and before.rstrip()[-1:] in _OPENED:
        bracket = len(before.rstrip())
        told, where = _OPENED[before.rstrip()[-1]], Span(source, line, bracket, line, bracket + 1)
    elif "expected ':'" in told and not _has_body(source, line, column):
        return _without_dash(where, Span(source, line, column, line, len(source.line(line).rstrip()) + 1), alone=True)
    elif "expected ':'" in told:
        where = where._replace(end_column=len(source.line(line).rstrip()) + 1)
    told = f"{told} {error.context or ''}"
    meaning, help_text = next((texts for sign, texts in _MEANING.items() if sign in told), ("", ""))
    char = "a backtick" if char == "`" else f"`{char}`"
    problem = meaning.replace("{char}", char) or error.problem or error.context
    return yaml_errors.YamlSyntax(where, problem=problem, help_text=help_text.replace("{char}", char))


def _continued(colon: Span, before: str) -> Diagnostic:
    """A line with one colon that YAML takes for the second line of the text above it."""
    source, key = colon.source, before.strip()
    above = _line_above(colon)
    text = source.line(above).split(" #")[0].rstrip()
    here = colon._replace(column=len(before) - len(before.lstrip()) + 1, end_column=colon.end_column)
    if ":" in text:
        problem = f"`{key}:` is indented under a line that has its value already"
        return yaml_errors.YamlSyntax(here, problem=problem, help_text=COLUMNS)
    start = len(text) - len(text.lstrip(" -"))
    span = Span(source, above, start + 1, above, len(text) + 1)
    problem = f"`{text[start:]}` has no colon, so YAML reads the next line as its continuation"
    help_text = "a label or a section ends in a colon and a blank; every step starts with `- `"
    return yaml_errors.YamlSyntax(span, notes=(Note(here, "the next line"),), problem=problem, help_text=help_text)


def _line_above(place: Span) -> int:
    """The nearest line above with something on it but a comment."""
    lines = range(place.line - 1, 0, -1)
    return next((n for n in lines if place.source.line(n).split("#")[0].strip()), place.line)


def _without_colon(place: Span) -> Diagnostic | None:
    """For a mapping whose line above a place has no colon; None if it has one, or starts an item of a list."""
    source, above = place.source, _line_above(place)
    text = source.line(above).split(" #")[0].rstrip()
    start = len(text) - len(text.lstrip())
    if ":" in text or text[start:].startswith(("-", "]", "}")) or start + 1 != place.column:
        return None
    where = Span(source, above, start + 1, above, len(text) + 1)
    problem, help_text = _MEANING["expected ':'"]
    return yaml_errors.YamlSyntax(where, problem=problem, help_text=help_text)


def _start_of_list(dash: Span) -> Span | None:
    """The line that opens what an unexpected `-` belongs to; None where that is an item of a list, as it should be."""
    source, first = dash.source, dash.line
    for number in range(dash.line - 1, 0, -1):
        line = source.line(number)
        bare = line.lstrip()
        if not bare or bare.startswith("#"):
            continue
        if len(line) - len(bare) < dash.column - 1:
            break
        first = number
    line = source.line(first)
    if line.lstrip().startswith("- ") or dash.column == 1:
        return None
    return Span(source, first, len(line) - len(line.lstrip()) + 1, first, len(line.rstrip()) + 1)


def _has_body(source: Source, number: int, column: int) -> bool:
    """Whether the next line with something on it is indented further."""
    for line in source.text.splitlines()[number:]:
        bare = line.lstrip()
        if bare and not bare.startswith("#"):
            return len(line) - len(bare) >= column
    return False


def loop_above(place: Span) -> Span | None:
    """The loop that the list starting at a place belongs to, where its `do` is missing."""
    line = place.source.line(place.line)
    above = next((n for n in range(place.line - 1, 0, -1) if place.source.line(n).strip()), 0)
    head = place.source.line(above)
    found = re.match(r" *- (repeat|for|dense)\b", head)
    if not found or not line.lstrip().startswith("- ") or len(line) - len(line.lstrip()) < found.start(1):
        return None
    return Span(place.source, above, found.start(1) + 1, above, len(head.rstrip()) + 1)


def _without_do(place: Span, loop: Span) -> Diagnostic:
    word = loop.source.line(loop.line)[loop.column - 1 :].split(":")[0].split()[0]
    note = Note(place, "the list of its steps")
    return yaml_errors.MissingDo(loop, notes=(note,), word=word)


def _without_dash(dash: Span, key: Span, *, alone: bool = False) -> Diagnostic:
    """A line that starts no item of a list, where the lines around it do; `alone`: it has no colon either."""
    line = key.source.line(key.line).strip()
    if alone:
        help_text = f"write `- {line}` for a step, `{line}:` for the head of what stands under it"
        return yaml_errors.YamlSyntax(key, problem=f"`{line}` has neither a dash nor a colon", help_text=help_text)
    problem = f"`{line}` starts no item of a list, but what follows it does"
    help_text = f"write `- {line}`, in the column of the other `-`"
    notes = (Note(dash, "an item of the same list"),)
    return yaml_errors.YamlSyntax(key, notes=notes, problem=problem, help_text=help_text)
