"""A run of the command line: what goes wrong is told on standard error, and by the exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import typer

from archdsl import console
from archdsl.cli.codes import BUG, INTERRUPTED, SPEC_WRONG, USAGE_WRONG
from archdsl.cli.commands import COMMANDS, app
from archdsl.diagnostics import SpecError
from archdsl.failure import Failure
from archdsl.files import explain


def main() -> NoReturn:
    """Runs the command line and exits with its code."""
    console.prepare()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # elsewhere somebody wants it ignored
        signal.signal(signal.SIGINT, _interrupted)
    try:
        sys.exit(run(sys.argv[1:]))
    except console.Closed:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (it is told)
        if _interrupts:  # and what torch made of it on its way up
            sys.exit(INTERRUPTED)
        _tell_of_bug(error)
        sys.exit(BUG)


def run(args: Sequence[str]) -> int:
    """The exit code of a command line; mistakes in specs and in usage are told on standard error."""
    try:
        code = typer.main.get_command(app(*_named(args)))(list(args), prog_name="archdsl", standalone_mode=False)
    except SpecError as error:
        from archdsl.render import in_order, render, unsilenced

        found = in_order(unsilenced(error.diagnostics))
        console.err(render(found, width=console.width(sys.stderr), colour=console.colour()))
        asked = all(one.span.source.name.startswith("--") for one in found)  # it stands in an option, not in a spec
        return USAGE_WRONG if asked else SPEC_WRONG
    except Failure as failure:
        console.err(f"error: {failure}")
        return failure.exit_code
    except typer.TyperException as wrong:
        told = wrong.format_message().replace("Value error, ", "")  # pydantic's way to put it
        console.err(f"error: {told}\n  help: `archdsl {' '.join((*_named(args), '--help'))}`")
        return USAGE_WRONG
    except OSError as error:
        if error.filename is None:
            raise
        trouble = explain(error, error.filename)
        console.err(f"error: {trouble}")
        return trouble.exit_code
    return code or 0


def _named(args: Sequence[str]) -> tuple[str, ...]:
    """The command of a command line, where it begins with one."""
    return tuple(name for name in args[:1] if name in COMMANDS)


_interrupts: list[int] = []


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C, once more an exception."""
    _interrupts.append(number)
    raise KeyboardInterrupt


def _tell_of_bug(error: Exception) -> None:
    """What nobody caught is always a bug of ours. Not in an excepthook: torch swallows what several processes tell."""
    if os.environ.get("ARCHDSL_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
        return
    console.err(
        f"archdsl: internal error: {type(error).__name__}: {error}\n"
        "This is a bug in archdsl, not in your spec. Please report it with the spec, the command line and what\n"
        "the same command prints with ARCHDSL_TRACEBACK=1 set."
    )
