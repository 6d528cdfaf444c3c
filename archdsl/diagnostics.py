"""What a user is told: each kind of mistake is one class, with its code and its text as templates.

The class's docstring is its page in the documentation and the answer of `archdsl explain CODE`.
"""

from __future__ import annotations

from string import Formatter
from typing import Any, ClassVar, Literal

from archdsl.source import Span

Severity = Literal["error", "warning"]
_FORMATTER = Formatter()


class Diagnostic:
    """One mistake at one place: `UnknownOp(span, name="cnv", near="conv")`.

    The class attributes are templates over the keyword values. A line (`expected`, `got`, `help`) in which a value
    is None or empty is left out when the diagnostic is shown.
    """

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    message: ClassVar[str]
    expected: ClassVar[str] = ""
    got: ClassVar[str] = ""
    help: ClassVar[str] = ""

    __slots__ = ("path", "span", "values")

    def __init__(self, span: Span, *, path: tuple[str, ...] = (), **values: Any) -> None:
        self.span = span
        self.path = path  # the expansion path, outermost first: "inception3a", "branch4"
        self.values = values

    def text(self, template: str) -> str:
        """The template with this diagnostic's values; empty if one of those that it names is None or empty."""
        names = [name for _, name, _, _ in _FORMATTER.parse(template) if name]
        if any(self.values.get(name) in (None, "", ()) for name in names):
            return ""
        return template.format(**self.values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagnostic):
            return NotImplemented
        return (type(self), self.span, self.path, self.values) == (type(other), other.span, other.path, other.values)

    def __hash__(self) -> int:
        return hash((type(self), self.span, self.path))

    def __repr__(self) -> str:
        return f"{self.span!r}: {self.severity}[{self.code}]: {self.text(self.message)}"


class SpecError(Exception):
    """The spec is wrong; carries all diagnostics found (at least one of them an error)."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(map(repr, diagnostics)))
        self.diagnostics = diagnostics
