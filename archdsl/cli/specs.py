"""The files themselves: `check`, `fmt`, `convert`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from archdsl import console
from archdsl.cli.codes import SPEC_WRONG
from archdsl.cli.options import Specs
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.failure import WrongUsage
from archdsl.files import write_atomically

if TYPE_CHECKING:
    from archdsl.syntax.spec import Spec as Tree


def check(
    specs: Specs,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    format: Annotated[
        Literal["full", "concise", "json", "github"], typer.Option(help="How to print; json goes to standard output.")
    ] = "full",
) -> None:
    """Tells every error and warning of all files in one run."""
    from archdsl import library
    from archdsl.render import in_order, render, unsilenced

    for spec in specs:
        library.find(spec)
    # A file that several of them extend or use tells its mistakes once.
    found = in_order(unsilenced(dict.fromkeys(one for spec in specs for one in diagnostics_of(spec))))
    text = render(found, format, width=console.width(sys.stderr), colour=console.colour())
    if format == "json":
        console.out(text)
    elif found:
        console.err(text)
    errors = sum(one.severity == "error" for one in found)
    if format == "full":
        counts = (_count(errors, "error"), _count(len(found) - errors, "warning"))
        console.err(f"{_count(len(specs), 'file')} checked: {', '.join(counts)}")
    if errors or (strict and found):
        raise typer.Exit(SPEC_WRONG)


def fmt(
    specs: Specs,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if something would change.")] = False,
) -> None:
    """Lays files out in the one canonical way; comments stay."""
    from archdsl import library
    from archdsl.syntax.read import read_file

    changed = False
    wrong: list[Diagnostic] = []
    for path in [library.find(spec) for spec in specs]:
        try:
            after = _printed(read_file(path), path.suffix)
        except SpecError as error:  # the other files are laid out all the same
            wrong += error.diagnostics
            continue
        if path.read_bytes() == after.encode():
            continue
        changed = True
        if check:
            console.err(f"{path}: would be laid out anew")
        else:
            write_atomically(path, after)
    if wrong:
        raise SpecError(*wrong)
    if check and changed:
        raise typer.Exit(SPEC_WRONG)


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A file, or the name of a shipped network.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A .yaml or .arch file.")],
) -> None:
    """Rewrites a spec in the other spelling, YAML or text."""
    from archdsl import library
    from archdsl.syntax.read import read_file

    if target.suffix not in library.SUFFIXES:
        raise WrongUsage(f"can't tell the spelling of `{target}`", help="the name must end in .yaml or .arch")
    write_atomically(target, _printed(read_file(library.find(source)), target.suffix))


def diagnostics_of(spec: str) -> tuple[Diagnostic, ...]:
    """All errors and warnings of one spec."""
    import archdsl

    try:
        return archdsl.load(spec).check()
    except SpecError as wrong:
        return wrong.diagnostics


def _printed(spec: Tree, suffix: str) -> str:
    """A spec in the spelling of a file's suffix."""
    from archdsl.syntax.printer import print_text, print_yaml

    return print_text(spec) if suffix == ".arch" else print_yaml(spec)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
