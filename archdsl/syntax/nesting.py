"""How deep bodies stand in one another: as deep in the tree as the printed text will be indented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archdsl.diagnostics import SpecError
from archdsl.source import Span
from archdsl.syntax import errors
from archdsl.syntax.limits import NESTED_BODIES


class Nesting:
    """Counts the bodies around what is being read."""

    def __init__(self) -> None:
        self._depth = 0

    @contextmanager
    def inside(self, where: Span) -> Iterator[None]:
        """While a body is read. Raises SpecError where it is one too deep, at `where`."""
        if self._depth == NESTED_BODIES:
            raise SpecError(errors.TooDeep(where, what="bodies are", limit=NESTED_BODIES))
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
