"""Standard output for results, standard error for everything else."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from archdsl.failure import Failure
from archdsl.files import explain

_WIDTH = 100  # columns, where the terminal doesn't tell


class Closed(Exception):
    """The reader of our output has gone, as `head` does: nothing is wrong, and nothing is left to do."""


def prepare() -> None:
    """Lets nothing fail for a letter that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def out(text: str) -> None:
    """A result; raises Closed when nobody reads it, Failure where it can't be written (a full disk)."""
    _write(sys.stdout, text)


def err(text: str) -> None:
    """Everything that isn't a result. Where nobody can read it nothing is raised: the exit code still tells."""
    with suppress(Closed, Failure):
        _write(sys.stderr, text)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # the shell's `>&-`
        raise Closed
    try:
        stream.write(text if text.endswith("\n") else f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        _discard(stream)
        raise Closed from None
    except OSError as error:
        _discard(stream)
        failure = explain(error, "standard output")
        raise Failure(failure.message) from error


def _discard(stream: TextIO) -> None:
    """Sends what is still in the buffer nowhere: Python flushes once more at its exit, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def colour() -> bool:
    """Whether standard error wants colours: a terminal, and nobody says no (https://no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stderr is not None and sys.stderr.isatty()


def width(stream: TextIO | None) -> int:
    """Columns of the terminal behind a stream; $COLUMNS where it is set, 100 where nothing tells."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    if stream is None or not stream.isatty():
        return _WIDTH
    return os.get_terminal_size(stream.fileno()).columns or _WIDTH
