"""All commands, in the order in which the help lists them."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from archdsl import console
from archdsl.cli.codes import USAGE_WRONG
from archdsl.version import VERSION

# Command -> its function, in a module beside this one.
COMMANDS = {
    "build": "networks.build",
    "check": "specs.check",
    "diagram": "networks.diagram",
    "fmt": "specs.fmt",
    "convert": "specs.convert",
    "solve": "networks.solve",
    "compare": "comparing.compare",
    "diff": "comparing.diff",
    "train": "training.train",
    "eval": "results.evaluate",
    "curves": "results.curves",
    "features": "results.features",
    "weights": "weights.weights",
    "predict": "weights.predict",
    "schema": "reference.schema",
    "list": "reference.list_networks",
    "ops": "reference.ops",
    "explain": "reference.explain",
}


def app(*names: str) -> typer.Typer:
    """The command line with the commands of these names, or with all.

    To read all signatures takes as long as to compile a network, so a command that is named is made alone.
    """
    made = typer.Typer(
        rich_markup_mode=None,  # importing rich would take longer still
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback(invoke_without_command=True)(_start)
    for name in names or COMMANDS:
        module, _, function = COMMANDS[name].partition(".")
        made.command(name)(getattr(import_module(f"archdsl.cli.{module}"), function))
    return made


def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Compiles network architectures written as in the paper: shapes, counts, diagrams, PyTorch."""
    if version:
        console.out(f"archdsl {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.err(context.get_help())
        raise typer.Exit(USAGE_WRONG)
