"""Training: `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from archdsl.cli.options import Head, Input, Set, Spec, Weights, extra, settings
from archdsl.failure import WrongUsage

Data = Annotated[str | None, typer.Option(metavar="NAME|FOLDER", help="What to train on; the recipe's without it.")]
DATA = Path("data")
Root = Annotated[Path, typer.Option(metavar="DIR", help="Where data sets lie.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")]
Download = Annotated[bool, typer.Option("--download", help="Get the data set if it isn't there.")]
Plugin = Annotated[
    str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Your own data: a function that gives two Datasets.")
]
TestShare = Annotated[
    float | None, typer.Option(metavar="X", help="Of a folder's images, where it doesn't part them itself.")
]
SkipCorrupt = Annotated[bool, typer.Option("--skip-corrupt", help="Leave out images that can't be read.")]
Workers = Annotated[int, typer.Option(min=0, metavar="N", help="Processes that read image files.")]


def train(
    spec: Spec,
    *,
    data: Data = None,
    root: Root = DATA,
    download: Download = False,
    plugin: Plugin = None,
    test_share: TestShare = None,
    skip_corrupt: SkipCorrupt = False,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="How often every image is seen.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", help="Images in a step, over all devices.")] = None,
    lr: Annotated[float | None, typer.Option(metavar="X", help="The learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="All that is random follows from it.")] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Any setting of the recipe: augment.flip=yes; repeatable."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder; a new one in runs/ without.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run, or with the last one.")] = False,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="Devices of each node.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, metavar="N", help="Machines, under torchrun or SLURM.")] = 1,
    strategy: Annotated[Literal["auto", "ddp", "fsdp"], typer.Option(help="How several devices share.")] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], typer.Option(help="auto: bfloat16 where a GPU has it.")
    ] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="Let torch.compile speed the network up.")] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute blocks again in the backward pass: slower, with less memory.")
    ] = False,
    workers: Workers = 0,
    weights: Weights = None,
    head: Head = "keep",
    freeze: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="What stays as it is: 'layer[12].*', features; repeatable."),
    ] = None,
    input: Input = None,
    set: Set = None,
) -> None:
    """Trains a network by the recipe of its spec, and keeps everything in a folder of its own."""
    named: dict[str, Any] = {"data": data, "epochs": epochs, "batch": batch, "lr": lr, "seed": seed}
    chosen = {name: value for name, value in named.items() if value is not None}
    start = _trainer()
    start.start(
        spec,
        getting=start.Getting(root, download, plugin, test_share, skip_corrupt),
        settings=_nested(recipe or (), chosen),
        params=settings(set or ()),
        input=input,
        run=folder,
        resume=resume,
        machine=start.Machine(device, devices, nodes, strategy, precision, compile, workers, recompute),
        tuning=start.Tuning(weights, head, tuple(freeze or ())),
    )


def _trainer() -> Any:
    """What trains; the extra brings what it needs."""
    with extra("train"):
        from archdsl.train import start
    return start


def _nested(given: list[str] | tuple[str, ...], chosen: dict[str, Any]) -> dict[str, Any]:
    """`augment.flip=yes` and its like as settings inside settings, beside those that have options of their own."""
    found: dict[str, Any] = dict(chosen)
    for setting in given:
        path, equals, value = (part.strip() for part in setting.partition("="))
        keys = path.split(".")
        if not (equals and value and all(key.isidentifier() for key in keys)):
            raise WrongUsage(f"`--recipe {setting}` isn't NAME=VALUE", help="such as `--recipe augment.flip=yes`")
        inner = found
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise WrongUsage(f"`--recipe {setting}`: `{key}` is given twice", help="once as a whole, once in parts")
        inner[keys[-1]] = value
    return found
