"""The figures of a run, epoch by epoch, read from its folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from archdsl.failure import WrongUsage
from archdsl.train.folder import METRICS, RunFolder

Row = dict[str, float]
COLUMNS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


def history(folder: RunFolder) -> list[Row]:
    """A row for each epoch that is over, none before the first. Raises WrongUsage where the file isn't of a run."""
    path = folder / METRICS
    try:
        with path.open(newline="") as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise WrongUsage(f"can't read `{path}`: {error}") from error
    if any(column not in row for row in rows for column in COLUMNS):
        raise WrongUsage(f"`{path}` isn't of a run: it lacks one of {', '.join(COLUMNS)}")
    return rows


def titles(folders: Sequence[Path]) -> dict[str, Path]:
    """A name for each run: its folder's, with as much of the path before it as tells it from the others.

    Raises WrongUsage where a run is named twice.
    """
    parts = {path.resolve(): path.resolve().parts for path in folders}
    if len(parts) < len(folders):
        raise WrongUsage("a run is named twice")
    for count in range(1, max(map(len, parts.values())) + 1):
        named = {"/".join(one[-count:]): path for path, one in parts.items()}
        if len(named) == len(parts):
            return named
    raise AssertionError(parts)
