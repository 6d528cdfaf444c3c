"""Weights that others trained: `weights`, `predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from archdsl import console
from archdsl.cli.options import Head, Input, Set, Spec, Trained, Weights, settings
from archdsl.failure import Failure, WrongUsage

if TYPE_CHECKING:
    from archdsl.runtime.predict import Seen


def weights(
    spec: Spec,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .pth, .pt or .safetensors file, or a URL.")],
    *,
    head: Head = "keep",
    input: Input = None,
    set: Set = None,
) -> None:
    """Tells whether a file of weights fits a network, and where not."""
    import archdsl

    network = archdsl.load(spec, input=input, **settings(set or ()))
    from archdsl.emit.fit import told
    from archdsl.runtime.weights import match

    checkpoint, fit = match(network, file, head=head)
    tensors = f"{len(fit.taken):,} tensors" if len(fit.taken) != 1 else "1 tensor"
    console.out(f"{checkpoint.name} fits {network.name}: {tensors}\n{told(fit)}".rstrip())


def predict(
    spec: Trained,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="JPEG, PNG and other image files.")],
    *,
    weights: Weights = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many classes to tell.")] = 5,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="The classes' names, one a line.")] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="Such as cpu, cuda, mps.")] = "cpu",
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
    input: Input = None,
    set: Set = None,
) -> None:
    """Tells what images show: the most probable classes of each."""
    if weights is None and not Path(spec).is_dir():
        message = "without trained weights a network's answers are chance"
        raise WrongUsage(message, help="`--weights FILE`, or the folder of a run in place of the spec")
    from archdsl.runtime.predict import predict as predicted
    from archdsl.train.trained import ready

    network, file, prepared, classes = ready(spec, weights=weights, input=input, params=settings(set or ()))
    assert file is not None
    names = labels or classes
    good = []
    failed = False
    for seen in predicted(network, images, weights=file, device=device, top=top, labels=names, prepared=prepared):
        if seen.failure is not None:
            failed = True
            console.err(f"error: {seen.failure}")
        elif format == "table":
            console.out(_table(seen))
        else:
            good.append(_object(seen))
    if format == "json":
        console.out(json.dumps(good, ensure_ascii=False, indent=1))
    if failed:
        raise typer.Exit(Failure.exit_code)


def _table(seen: Seen) -> str:
    from archdsl.render import visible

    lines = [f"  {guess.probability:>7.2%}  {visible(guess.label)}" for guess in seen.guesses]
    return "\n".join([visible(str(seen.image)), *lines])


def _object(seen: Seen) -> dict[str, object]:
    classes = [{"index": one.number, "label": one.label, "probability": one.probability} for one in seen.guesses]
    return {"image": str(seen.image), "classes": classes}
