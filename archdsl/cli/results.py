"""What came of training: `eval`, `curves`, `features`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from archdsl import console
from archdsl.cli.options import Input, Set, Trained, Weights, extra, settings
from archdsl.cli.training import DATA, Device, Download, Plugin, Root, SkipCorrupt, TestShare, Workers
from archdsl.failure import WrongUsage
from archdsl.files import write_atomically

if TYPE_CHECKING:
    from archdsl.train.evaluate import Scored

Picture = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .png, .pdf or .svg.")]


def evaluate(
    spec: Trained,
    *,
    weights: Weights = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER", help="What to try it on; the run's or the recipe's without it.")
    ] = None,
    root: Root = DATA,
    download: Download = False,
    plugin: Plugin = None,
    test_share: TestShare = None,
    skip_corrupt: SkipCorrupt = False,
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", help="Images at once.")] = None,
    device: Device = "auto",
    workers: Workers = 0,
    full: Annotated[bool, typer.Option("--full", help="Tell the accuracy of each class too.")] = False,
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
    input: Input = None,
    set: Set = None,
) -> None:
    """Tells how good a trained network is on test images: loss, accuracy, top-5."""
    with extra("eval"):
        from archdsl.train.data import Getting
        from archdsl.train.evaluate import evaluate as evaluated
    scored = evaluated(
        spec,
        weights=weights,
        data=data,
        getting=Getting(root, download, plugin, test_share, skip_corrupt),
        batch=batch,
        device=device,
        workers=workers,
        input=input,
        params=settings(set or ()),
    )
    told = _told(scored, full=full)
    console.out(json.dumps(told, ensure_ascii=False, indent=1) if format == "json" else _table(told))


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="The folders of runs, also of those going on.")],
    *,
    output: Picture,
) -> None:
    """Draws loss and test accuracy of several runs over their epochs."""
    with extra("curves"):
        from archdsl.train import plots
    from archdsl.train.folder import RunFolder
    from archdsl.train.history import history, titles

    kind = plots.kind_of(output)
    found = {}
    for title, path in titles(runs).items():
        folder = RunFolder(path)
        folder.about()  # that it is a run
        found[title] = history(folder)
        if not found[title]:
            console.err(f"note: `{path}` has no epoch behind it yet")
    begun = {title: rows for title, rows in found.items() if rows}
    if not begun:
        raise WrongUsage("there is nothing to draw yet", help="`curves` shows a run from the end of its first epoch on")
    write_atomically(output, plots.picture(plots.comparison(begun), kind))


def features(
    spec: Trained,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A JPEG, PNG or other image file.")],
    *,
    output: Picture,
    weights: Weights = None,
    layers: Annotated[
        str | None,
        typer.Option(metavar="STEP,...", help="Steps to show, by their names: conv1,layer2; all without it."),
    ] = None,
    input: Input = None,
    set: Set = None,
) -> None:
    """Draws what each layer makes of an image, and the first filters."""
    with extra("features"):
        from archdsl.train import features as looking
        from archdsl.train import maps, plots
    from archdsl.train.trained import ready

    kind = plots.kind_of(output)
    network, file, prepared, _ = ready(spec, weights=weights, input=input, params=settings(set or ()))
    if file is None:
        console.err("note: without `--weights FILE` the weights are drawn at random")
    names = None if layers is None else [name.strip() for name in layers.split(",")]
    seen = looking.features(network, image, images=prepared, weights=file, layers=names)
    write_atomically(output, plots.picture(maps.drawn(seen), kind))


def _told(scored: Scored, *, full: bool) -> dict[str, Any]:
    """What `--format json` prints."""
    from archdsl.train.evaluate import scores

    outcome, names = scored.outcome, scored.classes
    told: dict[str, Any] = {"name": scored.name, "data": scored.data, "images": len(outcome.labels)}
    told |= scores(outcome, names)
    if full:
        counts = outcome.confusion(len(names))
        pairs = zip(names, counts.diagonal().tolist(), counts.sum(1).tolist(), strict=True)
        told["classes"] = [
            {"class": name, "images": total, "accuracy": right / total if total else None}
            for name, right, total in pairs
        ]
    return told


def _table(told: dict[str, Any]) -> str:
    from archdsl.render import visible

    lines = [visible(f"{told['name']} on {told['data']}: {told['images']:,} test images")]
    lines.append(f"  loss   {told['loss']:.4f}")
    lines += [f"  {name[:3]}-{name[3:]}  {told[name]:7.2%}" for name in ("top1", "top5") if name in told]
    for one in told.get("classes", ()):
        share = "      -" if one["accuracy"] is None else f"{one['accuracy']:7.2%}"
        lines.append(f"  {share} of {one['images']:>6,}  {visible(one['class'])}")
    return "\n".join(lines)
