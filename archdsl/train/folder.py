"""The folder of a run: everything that it was made from, and everything that came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from archdsl.analysis.fit import Head
from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain, lock, make_folder, sweep, write_atomically
from archdsl.recipe import Recipe
from archdsl.train import ranks

FORMAT = 2
SPEC = "spec"
ABOUT = "run.json"
CHECKPOINT = "checkpoint.ckpt"
WEIGHTS = "weights.safetensors"
METRICS = "metrics.csv"
_LOCK = ".lock"


class Tuning(NamedTuple):
    """What training begins with, if not with weights that are drawn, and what it leaves as it is.

    weights: a file or URL. head: `new` where the last layers are for other classes. freeze: patterns of what stays.
    """

    weights: str | None = None
    head: Head = "keep"
    freeze: tuple[str, ...] = ()

    def lasting(self) -> Tuning:
        """The same with the file's whole path, which means the same wherever a command is typed."""
        if self.weights is None or "://" in self.weights:
            return self
        return self._replace(weights=str(Path(self.weights).resolve()))


class About(NamedTuple):
    """What a run is, as `run.json` keeps it.

    spec: the file in the run's folder. source: digest of the network's source, which tells whether it is the same.
    getting: how the data was had, where its name doesn't tell. root: where data sets lay. Paths are whole ones.
    """

    spec: str
    network: str
    source: str
    input: str | None
    params: Mapping[str, str]
    recipe: Mapping[str, Any]
    tuning: Mapping[str, Any]
    data: str
    root: str
    getting: Mapping[str, Any]
    classes: tuple[str, ...]
    main: str
    versions: Mapping[str, str]
    command: tuple[str, ...]
    threads: int

    def told_tuning(self) -> Tuning:
        """What the run began with."""
        return Tuning(**{**self.tuning, "freeze": tuple(self.tuning["freeze"])})

    def told_recipe(self) -> Recipe:
        """The recipe, checked again. Raises WrongUsage where this version doesn't know it."""
        try:
            return Recipe.model_validate_json(json.dumps(self.recipe))
        except ValidationError as error:
            raise WrongUsage(f"the recipe in the run's `{ABOUT}` was written by another version of archdsl") from error


class RunFolder:
    """A run's folder. new: for a run that begins, so that it must have none. Raises WrongUsage where it isn't one."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self._new = new

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def begun(self) -> bool:
        """Whether there is a run in it."""
        return (self / ABOUT).exists()

    @property
    def checkpoint(self) -> Path | None:
        """What to go on from, if anything was saved."""
        return self / CHECKPOINT if (self / CHECKPOINT).exists() else None

    def check(self) -> None:
        """Raises WrongUsage where a new run would come into the folder of another one."""
        if self._new and not ranks.rank() and self.begun:
            help = "`--resume` goes on with it; `--folder DIR` takes another"
            raise WrongUsage(f"`{self.path}` has a run in it", help=help)

    def begin(self, about: About, files: Mapping[str, str]) -> None:
        """Writes down what the run is; `run.json` comes last, so that a folder that has one is whole.

        files: relative path -> text of the spec and the files that it builds on. Raises Failure, WrongUsage.
        """
        for name, text in files.items():
            make_folder((self.path / SPEC / name).parent)
            write_atomically(self.path / SPEC / name, text)
        write_atomically(self / ABOUT, json.dumps({"format": FORMAT, **about._asdict()}, indent=1) + "\n")

    def about(self) -> About:
        """What the run is. Raises WrongUsage where the folder has none, or one that this version can't read."""
        try:
            found = json.loads((self / ABOUT).read_text())
        except FileNotFoundError:
            raise WrongUsage(f"`{self.path}` is no run: it has no `{ABOUT}`") from None
        except (OSError, ValueError) as error:
            raise WrongUsage(f"can't read `{self / ABOUT}`: {error}") from error
        if not isinstance(found, dict) or found.pop("format", None) != FORMAT or set(found) != set(About._fields):
            raise WrongUsage(f"`{self / ABOUT}` was written by another version of archdsl")
        return About(**{**found, "classes": tuple(found["classes"]), "command": tuple(found["command"])})

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from training in the same folder. Raises WrongUsage while another one does."""
        make_folder(self.path)
        try:
            file = (self / _LOCK).open("w")
        except OSError as error:
            raise explain(error, self / _LOCK) from error
        with file:
            try:
                lock(file)
            except BlockingIOError:
                message = f"another process is training in `{self.path}`"
                raise WrongUsage(message, help="wait for it, or give another folder: `--folder DIR`") from None
            self.check()  # another one may have begun here since it was looked at
            sweep(self.path)
            yield


def new_folder(runs: Path, name: str) -> Path:
    """A folder for a run of this name that isn't there yet: `lenet-digits`, `lenet-digits-2`, ..."""
    for number in range(1, 100_000):
        path = runs / (name if number == 1 else f"{name}-{number}")
        if not path.exists():
            return path
    raise Failure(f"`{runs}` is full of runs called `{name}`")


def latest(runs: Path, network: str) -> Path | None:
    """The folder of the run of a network that was begun last."""
    found = [file for file in runs.glob(f"*/{ABOUT}") if RunFolder(file.parent).about().network == network]
    return max(found, key=lambda file: file.stat().st_mtime).parent if found else None
