"""What can be looked up: `schema`, `list`, `ops`, `explain`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from archdsl import console


def schema() -> None:
    """Prints a JSON schema of the YAML spelling, for editors."""
    from archdsl.schema import schema as made

    console.out(json.dumps(made(), indent=2))


def list_networks() -> None:
    """Lists the shipped networks with input, parameters and MACs."""
    from archdsl import listing

    for line in listing.networks():
        console.out(line)


def ops(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="All about this one.")] = None) -> None:
    """Lists the operations with their values and settings."""
    from archdsl import listing

    console.out(listing.op(name) if name else listing.ops())


def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="As in error[shape-mismatch].")]) -> None:
    """Tells what an error or warning means, with an example and the fix."""
    from archdsl.explain import page

    console.out(page(code))
