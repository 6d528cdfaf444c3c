"""Data sets by name, folder or plugin, and their batches."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from archdsl.failure import Failure
from archdsl.train.data import embedded
from archdsl.train.data.batches import Batches, Source
from archdsl.train.data.facts import DIGITS, folder_of
from archdsl.train.data.folder import open_folder
from archdsl.train.data.known import open_known
from archdsl.train.data.names import KNOWN
from archdsl.train.data.pipeline import Pipeline
from archdsl.train.data.plugin import open_plugin
from archdsl.train.data.reading import Broken, Reader, Streamed, failure
from archdsl.train.data.resident import Resident, is_small
from archdsl.train.data.split import Chosen, Data, Pictures, Pixels, Split

_AT_ONCE = 64  # pictures that are read before the next ones, where all are


ROOT = Path("data")  # where data sets lie, if nothing is said


class Getting(NamedTuple):
    """How data is had: what `open_data` and `batches` take beside a name."""

    root: Path = ROOT
    download: bool = False
    plugin: str | None = None
    test_share: float | None = None
    skip_corrupt: bool = False

    def lasting(self) -> Getting:
        """The same with whole paths, which mean the same wherever a command is typed; the default root stays."""
        root = self.root if self.root == ROOT else self.root.resolve()
        file, colon, function = (self.plugin or "").rpartition(":")
        if file.endswith(".py"):
            return self._replace(root=root, plugin=f"{Path(file).resolve()}{colon}{function}")
        return self._replace(root=root)

    def open(self, name: str) -> Data:
        """See `open_data`."""
        return open_data(name, self.root, download=self.download, plugin=self.plugin, test_share=self.test_share)


def open_data(
    name: str,
    root: str | Path,
    *,
    download: bool = False,
    plugin: str | None = None,
    test_share: float | None = None,
) -> Data:
    """A data set by its name or folder, or what a plugin gives, under that name.

    root: the folder that data sets lie in. plugin: `module_or_file.py:function`. test_share: of each class's images,
    for a folder that has one set of them. Raises WrongUsage and Failure, with the way out.
    """
    if plugin is not None:
        return open_plugin(name, Path(root), plugin)
    if name == DIGITS:
        return embedded.digits()
    if embedded.is_fake(name):
        return embedded.fake(name)
    if name in KNOWN:
        return open_known(name, Path(root), download=download)
    return open_folder(name, folder_of(name, Path(root)), test_share)


def batches(split: Split, pipeline: Pipeline, *, train: bool, skip_corrupt: bool = False) -> Batches:
    """The batches of a half. train: shuffled and augmented anew in each epoch.

    skip_corrupt: images that can't be read are left out, and stand in the result's `skipped`. Raises Failure with their
    names otherwise: here where the images come to lie in memory, at the batch where they are read as they are needed.
    """
    skipped: tuple[str, ...] = ()
    scale = pipeline.augment.scale if train else None
    if isinstance(split, Pictures) and scale is None and is_small(split, pipeline):
        split, skipped = _held(split, pipeline, skip_corrupt=skip_corrupt)
    elif isinstance(split, Pictures) and skip_corrupt:
        split, skipped = _whole(split, pipeline)
    source: Source
    if isinstance(split, Pixels):
        source = Resident(split, pipeline)
    else:
        assert isinstance(split, Pictures)
        source, pipeline = Streamed(split, pipeline, scale), pipeline.without_scale()
    return Batches(source, len(split), pipeline, train=train, skipped=skipped)


def _held(split: Pictures, pipeline: Pipeline, *, skip_corrupt: bool) -> tuple[Pixels, tuple[str, ...]]:
    """All pictures in memory, in the size that is wanted, and what is wrong with the rest."""
    read = list(Reader(split, pipeline).read(0, torch.split(torch.arange(len(split)), _AT_ONCE)))
    broken = [one for part in read for one in part.broken]
    if broken and not skip_corrupt:
        raise failure(broken, len(split))
    whole = [part for part in read if len(part.labels)]
    _some(len(whole), broken)
    pixels = torch.cat([part.images for part in whole])
    return Pixels(pixels, torch.cat([part.labels for part in whole])), _names(broken)


def _whole(split: Pictures, pipeline: Pipeline) -> tuple[Pictures, tuple[str, ...]]:
    """The pictures that can be read, each tried once, and what is wrong with the rest."""
    parts = Reader(split, pipeline).read(0, torch.split(torch.arange(len(split)), _AT_ONCE))
    broken = [one for part in parts for one in part.broken]
    if not broken:
        return split, ()
    left_out = {one.number for one in broken}
    chosen = tuple(index for index in range(len(split)) if index not in left_out)
    _some(len(chosen), broken)
    return Chosen(split, chosen), _names(broken)


def _some(count: int, broken: list[Broken]) -> None:
    if not count:
        raise Failure(f"none of {len(broken):,} images can be read: {broken[0].message}")


def _names(broken: list[Broken]) -> tuple[str, ...]:
    return tuple(one.message for one in broken)
