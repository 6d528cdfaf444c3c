"""What stops a command through no mistake in a spec."""

from __future__ import annotations

from typing import ClassVar


class Failure(Exception):
    """The run failed: no room on the disk, no device, numbers that went wrong.

    help: the way out, where there is one.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\n  help: {self.help}" if self.help else self.message


class WrongUsage(Failure):
    """What was asked for can't be: a name, path, option or extra that doesn't exist."""

    exit_code = 2
