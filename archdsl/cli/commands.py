"""All commands, in the order in which the help lists them."""

from __future__ import annotations

from typing import Annotated

import typer

from archdsl import console
from archdsl.cli import comparing, networks, reference, results, specs, training, weights
from archdsl.cli.codes import USAGE_WRONG
from archdsl.version import VERSION

app = typer.Typer(
    rich_markup_mode=None,  # importing rich would take longer than compiling the network
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(networks.build)
app.command()(specs.check)
app.command()(networks.diagram)
app.command()(specs.fmt)
app.command()(specs.convert)
app.command()(networks.solve)
app.command()(comparing.compare)
app.command()(comparing.diff)
app.command()(training.train)
app.command("eval")(results.evaluate)
app.command()(results.curves)
app.command()(results.features)
app.command()(weights.weights)
app.command()(weights.predict)
app.command()(reference.schema)
app.command("list")(reference.list_networks)
app.command()(reference.ops)
app.command()(reference.explain)


@app.callback(invoke_without_command=True)
def start(
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
