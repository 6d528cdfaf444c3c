"""Folders of images, a folder for each class, as torchvision.datasets.ImageFolder has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain
from archdsl.runtime import images
from archdsl.train.data.split import Data, Files
from archdsl.train.data.stratify import stratified

TRAIN = ("train", "training")
TEST = ("val", "valid", "validation", "test", "testing")
# What is taken for an image; anything else in a class's folder is left alone.
SUFFIXES = frozenset(".jpg .jpeg .jpe .png .ppm .pgm .pbm .pnm .bmp .dib .tif .tiff .webp .gif .avif .jp2 .mpo".split())
_GLANCES = 16
_LAYOUT = "a folder of images has train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg with `--test-share 0.2`"


class Halves(NamedTuple):
    """The folders of the two halves; no second one where the images come in one piece."""

    train: Path
    test: Path | None


class Seen(NamedTuple):
    """What some of a half's images are: their channels, and height and width where all are the same."""

    channels: int
    size: tuple[int, int] | None


def halves(folder: Path) -> Halves:
    """Where a folder has its images: `val` comes before `test`, whose labels are often unknown. Raises Failure."""
    inside = set(_folders(folder))
    train = next((name for name in TRAIN if name in inside), None)
    test = next((name for name in TEST if name in inside), None)
    if train is None:
        return Halves(folder, None)
    return Halves(folder / train, None if test is None else folder / test)


def classes_of(folder: Path) -> tuple[str, ...]:
    """The folders inside, which are the classes, in the order of their names. Raises Failure where there are none."""
    names = _folders(folder)
    if len(names) < 2:
        message = f"`{folder}` has {'one class only' if names else 'no folders for the classes'}"
        raise WrongUsage(message, help=_LAYOUT)
    return names


def open_folder(name: str, folder: Path, share: float | None) -> Data:
    """The images of a folder. share: of each class's images for the test, where there is one set of them.

    Raises WrongUsage where the layout is another one or a class has no images, Failure where it can't be read.
    """
    where = halves(folder)
    if where.test is None:
        return _open_parted(name, where.train, share)
    if share is not None:
        raise WrongUsage(f"`{folder}` has images for the test already, in `{where.test.name}`")
    return open_halves(name, Halves(where.train, where.test))


def open_halves(name: str, where: Halves) -> Data:
    """The images of two folders, whose classes are those of the first. Raises WrongUsage and Failure."""
    assert where.test is not None
    classes = classes_of(where.train)
    train = _files(where.train, classes)
    test = _files(where.test, classes, every=False)
    seen = glance(train)
    return Data(name, classes, seen.channels, seen.size, train, test)


def _open_parted(name: str, folder: Path, share: float | None) -> Data:
    classes = classes_of(folder)
    if share is None:
        help = "say how much of each class is for the test: `--test-share 0.2`; or put it into train/ and val/"
        raise WrongUsage(f"`{folder}` has one set of images, for training and test alike", help=help)
    if not 0 < share < 1:
        raise WrongUsage(f"a share of {share:g} of the images can't be for the test", help="it is between 0 and 1")
    files = _files(folder, classes)
    train, test = stratified(torch.tensor(files.labels), share)
    if not len(test):
        raise WrongUsage(f"a share of {share} of `{folder}` leaves no image for the test")
    seen = glance(files)
    return Data(name, classes, seen.channels, seen.size, files.chosen(train.tolist()), files.chosen(test.tolist()))


def glance(files: Files) -> Seen:
    """What some of the images are, evenly among all. Broken ones are passed over. Raises WrongUsage without Pillow."""
    images.check([])
    step = max(1, len(files) // _GLANCES)
    seen = [one for path in files.paths[::step][:_GLANCES] if (one := _glance(path)) is not None]
    sizes = {size for size, _ in seen}
    return Seen(max((channels for _, channels in seen), default=3), sizes.pop() if len(sizes) == 1 else None)


def first_images(folder: Path, classes: tuple[str, ...]) -> Files:
    """The first image of some of the classes, evenly among all."""
    some = classes[:: max(1, len(classes) // _GLANCES)]
    found = [next(_images(folder / name), None) for name in some]
    paths = tuple(path for path in found if path is not None)
    return Files(paths, (0,) * len(paths))


def _glance(path: str) -> tuple[tuple[int, int], int] | None:
    try:
        return images.glance(Path(path))
    except Failure:
        return None


def _files(folder: Path, classes: tuple[str, ...], *, every: bool = True) -> Files:
    """All images below a folder, class by class. every: each class must have some. Raises Failure."""
    if unknown := [name for name in _folders(folder) if name not in classes]:
        help = "every class of the test has a folder of that name among the training images"
        raise WrongUsage(f"`{folder}` has a class `{unknown[0]}` that training doesn't see", help=help)
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = list(_images(folder / name)) if (folder / name).is_dir() else []
        if every and not found:
            raise WrongUsage(f"`{folder / name}` has no images", help=_LAYOUT)
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise WrongUsage(f"`{folder}` has no images", help=_LAYOUT)
    return Files(tuple(paths), tuple(labels))


def _images(folder: Path) -> Iterator[str]:
    """The images of a folder and of those inside, in the order of their names; hidden ones are left out."""
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _images(Path(entry.path))
        elif Path(entry.name).suffix.lower() in SUFFIXES:
            yield entry.path


def _folders(folder: Path) -> tuple[str, ...]:
    return tuple(entry.name for entry in _entries(folder) if entry.is_dir())


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        raise explain(error, folder) from error
