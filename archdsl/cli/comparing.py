"""Networks beside each other: `compare`, `diff`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from archdsl import console
from archdsl.cli.options import Input, Theme, settings
from archdsl.files import write_atomically

if TYPE_CHECKING:
    from archdsl.emit.compare import Compared

SetA = Annotated[list[str] | None, typer.Option("--set-a", metavar="NAME=VALUE", help="A parameter of A; repeatable.")]
SetB = Annotated[list[str] | None, typer.Option("--set-b", metavar="NAME=VALUE", help="A parameter of B; repeatable.")]


def compare(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPEC|RUN...", help="Files, names of shipped networks, folders of runs.")
    ],
    *,
    format: Annotated[Literal["table", "json", "csv"], typer.Option(help="How to print the networks.")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Draw them as bubbles: .svg, .png, .pdf.")
    ] = None,
    theme: Theme = "light",
    input: Input = None,
) -> None:
    """Compares networks: parameters, MACs, memory, depth, receptive field, accuracy of runs."""
    from archdsl.emit import compare as comparing
    from archdsl.emit.graph import PICTURES, one_of

    if output is not None:
        one_of("format", output.suffix.removeprefix("."), PICTURES)
    found = _compared(specs, input)
    picture = None
    if output is not None:
        from archdsl.emit.picture import themes
        from archdsl.emit.picture.files import written
        from archdsl.emit.picture.scatter import scatter

        picture = written(scatter(found, themes.theme(theme)), output.suffix.removeprefix("."))
    if format == "json":
        console.out(json.dumps(comparing.to_json(found), ensure_ascii=False, indent=1))
    elif format == "csv":
        console.out(comparing.csv_text(found))
    else:
        console.out(comparing.table(found, console.width(sys.stdout)))
    if output is not None and picture is not None:
        write_atomically(output, picture)


def _compared(specs: Sequence[str], input: str | None) -> list[Compared]:
    """The networks in the order given; a run is called by its folder."""
    import archdsl
    from archdsl.emit.compare import compared

    runs = {k: Path(spec) for k, spec in enumerate(specs) if Path(spec).is_dir()}
    if not runs:
        return [compared(archdsl.load(spec, input=input).net, Path(spec).stem) for spec in specs]
    from archdsl.train.history import history, titles
    from archdsl.train.trained import reload, run_of

    names = {path: name for name, path in titles(list(runs.values())).items()}
    found = []
    for spec in specs:
        folder = run_of(spec)
        if folder is None:
            found.append(compared(archdsl.load(spec, input=input).net, Path(spec).stem))
            continue
        network = reload(folder, folder.about(), input=input)
        epochs = history(folder)
        accuracy = epochs[-1]["test_accuracy"] if epochs else None
        found.append(compared(network.net, names[folder.path.resolve()], accuracy))
    return found


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A file, or the name of a shipped network.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The network to tell the changes to.")],
    *,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print the changes.")] = "text",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Draw both as one: .svg, .png, .pdf, .dot, .mmd."),
    ] = None,
    theme: Theme = "light",
    set_a: SetA = None,
    set_b: SetB = None,
    input: Input = None,
) -> None:
    """Tells what changed from one network to another, layer by layer."""
    import archdsl
    from archdsl.emit import diff as differ

    nets = [archdsl.load(spec, input=input, **settings(given or ())).net for spec, given in ((a, set_a), (b, set_b))]
    found = differ.diff(*nets)
    picture = None
    if output is not None:
        from archdsl.emit.diff.drawing import drawing

        picture = drawing(found).render(output.suffix.removeprefix("."), theme=theme)
    if format == "json":
        console.out(json.dumps(differ.to_json(found), ensure_ascii=False, indent=1))
    else:
        console.out(differ.text(found, console.width(sys.stdout)))
    if output is not None and picture is not None:
        write_atomically(output, picture)
