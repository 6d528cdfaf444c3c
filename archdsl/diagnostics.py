"""What a user is told: each kind of mistake is one class, with its code and its text as templates.

The class's docstring is its page in the documentation and the answer of `archdsl explain CODE`.
"""

from __future__ import annotations

from string import Formatter
from typing import Any, ClassVar, Literal, NamedTuple, Self

from archdsl.source import Span

Severity = Literal["error", "warning"]
_FORMATTER = Formatter()
_LONGEST = 2_000  # characters of a line


class Note(NamedTuple):
    """Another place that a mistake has to do with, and what is there: where a name is defined, a value given."""

    span: Span
    text: str


class Diagnostic:
    """One mistake at one place: `UnknownOp(span, name="cnv", near="conv")`.

    The class attributes are templates over the keyword values. A line (`expected`, `got`, `help`) in which a value
    is None or empty is left out when the diagnostic is shown. `notes` are other places to look at.
    """

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    message: ClassVar[str]
    expected: ClassVar[str] = ""
    got: ClassVar[str] = ""
    help: ClassVar[str] = ""

    __slots__ = ("notes", "path", "span", "values")

    def __init__(self, span: Span, *, path: tuple[str, ...] = (), notes: tuple[Note, ...] = (), **values: Any) -> None:
        self.span = span
        self.path = path  # the expansion path, outermost first: "inception3a", "branch4"
        self.notes = notes
        self.values = values

    def with_notes(self, *more: Note) -> Self:
        """The same with more places to look at; none is told twice, and none that the diagnostic underlines itself."""
        by_place = {note.span: note for note in (*more[::-1], *self.notes[::-1]) if note.span != self.span}
        notes = tuple(dict.fromkeys(by_place[note.span] for note in (*self.notes, *more) if note.span in by_place))
        return type(self)(self.span, path=self.path, notes=notes, **self.values)

    def moved(self, span: Span, *more: Note) -> Self:
        """The same at another place."""
        return type(self)(span, path=self.path, **self.values).with_notes(*more, *self.notes)

    def text(self, template: str) -> str:
        """The template with this diagnostic's values; empty if one of those that it names is None or empty.

        What a spec makes very long (a list of 100,000 numbers) is cut off.
        """
        names = [name for _, name, _, _ in _FORMATTER.parse(template) if name]
        if any(self.values.get(name) in (None, "", ()) for name in names):
            return ""
        text = template.format(**self.values)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagnostic):
            return NotImplemented
        return (type(self), self.span, self.path, self.notes, self.values) == (
            type(other),
            other.span,
            other.path,
            other.notes,
            other.values,
        )

    def __hash__(self) -> int:
        return hash((type(self), self.span, self.path))

    def __repr__(self) -> str:
        return f"{self.span!r}: {self.severity}[{self.code}]: {self.text(self.message)}"


class SpecError(Exception):
    """The spec is wrong; carries all diagnostics found (at least one of them an error)."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(map(repr, diagnostics)))
        self.diagnostics = diagnostics
