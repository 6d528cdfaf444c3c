"""The collection of what is wrong with one file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from archdsl.diagnostics import Diagnostic
from archdsl.syntax.limits import DIAGNOSTICS


class Enough(Exception):
    """As many mistakes as anybody wants to read at once: reading stops."""


class Problems:
    """Diagnostics in the order in which they were found; raises Enough when there are too many to go on."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def append(self, problem: Diagnostic) -> None:
        self.__iadd__((problem,))

    def __iadd__(self, problems: Iterable[Diagnostic]) -> Self:
        self.found += problems
        if len(self.found) >= DIAGNOSTICS:
            raise Enough
        return self

    def __bool__(self) -> bool:
        return bool(self.found)
