"""What the experiments share: several networks trained on the digits from several seeds, their table and picture."""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from PIL import Image

from archdsl.train.data import Getting
from archdsl.train.folder import RunFolder
from archdsl.train.history import Row, history
from archdsl.train.machine import Machine
from archdsl.train.plan import plan
from archdsl.train.plots import comparison, picture
from archdsl.train.run import train, versions

HERE = Path(__file__).parent
RUNS = Path("runs") / "experiments"
FEW = Image.Quantize.FASTOCTREE  # unlike Pillow's own choice it keeps a colour that few pixels have


class Trial(NamedTuple):
    """A network to train: its name in table and picture, a spec, parameters and what overrides its recipe."""

    name: str
    spec: str
    params: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}


class Found(NamedTuple):
    """What came of a trial: trainable parameters, and the figures of each seed, epoch by epoch."""

    params: int
    runs: Sequence[Sequence[Row]]

    def last(self, column: str) -> list[float]:
        """A column of `metrics.csv` after the last epoch, for each seed."""
        return [rows[-1][column] for rows in self.runs]

    @property
    def mean(self) -> list[Row]:
        """The figures, epoch by epoch, averaged over the seeds."""
        return [{key: fmean(row[key] for row in rows) for key in rows[0]} for rows in zip(*self.runs, strict=True)]


class Extent(NamedTuple):
    """How much is run, and the folder that it is kept in."""

    epochs: int
    seeds: int
    folder: Path


def asked(about: str, *, name: str, epochs: int, seeds: int, argv: Sequence[str] | None) -> Extent:
    """What the command line asks for: `--quick` is an epoch from a single seed."""
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("--quick", action="store_true", help="an epoch from a single seed")
    parser.add_argument("--folder", type=Path, default=RUNS, help="where the runs and the picture are kept")
    given = parser.parse_args(argv)
    chosen = (1, 1) if given.quick else (epochs, seeds)
    return Extent(*chosen, given.folder / f"{name}-{'quick' if given.quick else 'whole'}")


def compare(trials: Iterable[Trial], extent: Extent) -> dict[str, Found]:
    """Trains every network from every seed; a run that is there already isn't repeated, one broken off goes on."""
    found = {trial.name: _tried(trial, extent) for trial in trials}
    print(table(found))
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(f"\nseeds 0 to {extent.seeds - 1}, {extent.epochs} epochs; {told}")
    keep(comparison({name: one.mean for name, one in found.items()}), extent.folder)
    return found


def keep(figure: Figure, folder: Path) -> None:
    """Writes a picture into the folder, in few colours: a third of the bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(picture(figure))).convert("RGB").quantize(128, method=FEW).save(
        folder / "curves.png", optimize=True
    )
    print(f"picture: {folder / 'curves.png'}")


def _tried(trial: Trial, extent: Extent) -> Found:
    runs = []
    for seed in range(extent.seeds):
        settings = {**trial.settings, "data": "digits", "epochs": extent.epochs, "seed": seed}
        planned = plan(trial.spec, Path("data"), params=trial.params, settings=settings)
        folder = RunFolder(extent.folder / f"{re.sub('[^a-z0-9]+', '_', trial.name.lower())}-{seed}")
        with redirect_stdout(io.StringIO()):  # a line an epoch is too much of it
            result = train(planned, folder, Machine("cpu"), Getting(Path("data")))
        print(f"{trial.name}, seed {seed}: {result.test.accuracy:.1%}", flush=True)
        runs.append(history(folder))
    return Found(planned.network.cost().params, runs)


def table(found: Mapping[str, Found]) -> str:
    """A row for each network: what it had learned after the last epoch, the mean over the seeds and the extremes."""
    head = ("network", "parameters", "training loss", "test loss", "training accuracy", "test accuracy")
    rows = [f"| {' | '.join(head)} |", "| --- | --: | --: | --: | --- | --- |"]
    for name, one in found.items():
        losses = (f"{fmean(one.last(column)):.3f}" for column in ("train_loss", "test_loss"))
        rights = (_spread(one.last(column)) for column in ("train_accuracy", "test_accuracy"))
        rows.append(f"| {' | '.join((name, f'{one.params:,}', *losses, *rights))} |")
    return "\n".join(rows)


def _spread(shares: Sequence[float]) -> str:
    return f"{fmean(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})"
