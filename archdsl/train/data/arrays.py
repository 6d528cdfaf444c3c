"""Published files that hold many images each: MNIST's, CIFAR's, SVHN's and STL10's."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain
from archdsl.train.data import cifar
from archdsl.train.data.names import CLASS_NAMES, Known
from archdsl.train.data.split import Pixels

Halves = tuple[Pixels, Pixels]
_IDX_BYTES = 8  # the code of unsigned bytes in an idx file


def broken(path: Path, why: str) -> Failure:
    """A file of a published data set isn't what was published."""
    return Failure(f"`{path}` is broken: {why}", help="delete it and fetch it again with `--download`")


def class_names(name: str, known: Known, root: Path) -> tuple[str, ...]:
    """What the classes are called; their numbers where nothing says. Raises Failure."""
    if known.kind != "cifar":
        return CLASS_NAMES.get(name) or tuple(str(number) for number in range(known.classes))
    path = root / known.files[-1]
    try:
        found = cifar.names(read_bytes(path), "fine_label_names" if known.classes == 100 else "label_names")
    except UnpicklingError as error:
        raise broken(path, str(error)) from error
    if len(found) != known.classes:
        raise broken(path, f"it names {len(found)} classes, not {known.classes}")
    return found


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises Failure."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise explain(error, path) from error


def where(path: Path) -> Path:
    """The file itself, or the compressed one where that is all there is."""
    packed = path.with_name(path.name + ".gz")
    return packed if packed.exists() and not path.exists() else path


def _idx(known: Known, root: Path) -> Halves:
    """MNIST's format: big-endian sizes, then bytes (LeCun, Cortes and Burges)."""
    paths = [where(root / file) for file in known.files]
    first, second = (_idx_half(known, *paths[start : start + 2]) for start in (0, 2))
    return first, second


def _idx_half(known: Known, images: Path, labels: Path) -> Pixels:
    pixels = _idx_values(images, 3).unsqueeze(1)
    numbers = _idx_values(labels, 1).long()
    if known.class_ == "EMNIST":
        pixels = pixels.mT.contiguous()  # its files have rows for columns
    return _checked(pixels, numbers - known.first, known, images)


def _idx_values(path: Path, axes: int) -> Tensor:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise broken(path, str(error)) from error
    except OSError as error:
        raise explain(error, path) from error
    start = 4 + 4 * axes
    if content[:4] != bytes((0, 0, _IDX_BYTES, axes)) or len(content) < start:
        raise broken(path, f"it isn't an idx file of bytes along {axes} axes")
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) - start != math.prod(sizes):
        raise broken(path, f"it has {len(content) - start:,} values, and says {math.prod(sizes):,}")
    return _bytes(content)[start:].view(sizes)


def _cifar(known: Known, root: Path) -> Halves:
    *train, test, _ = (root / file for file in known.files)
    return _cifar_half(known, train), _cifar_half(known, [test])


def _cifar_half(known: Known, paths: list[Path]) -> Pixels:
    key = "fine_labels" if known.classes == 100 else "labels"
    parts = []
    for path in paths:
        try:
            content, numbers = cifar.batch(read_bytes(path), key)
        except UnpicklingError as error:
            raise broken(path, str(error)) from error
        pixels = _bytes(content)
        if pixels.numel() != len(numbers) * 3072:
            raise broken(path, f"it has {len(numbers)} labels for {pixels.numel() / 3072:g} images")
        parts.append(_checked(pixels.view(-1, 3, 32, 32), torch.tensor(numbers), known, path))
    return Pixels(torch.cat([part.pixels for part in parts]), torch.cat([part.labels for part in parts]))


def _svhn(known: Known, root: Path) -> Halves:
    """MATLAB files (Netzer et al. 2011), whose class 10 is the digit 0."""
    train, test = (_svhn_half(known, root / file) for file in known.files)
    return train, test


def _svhn_half(known: Known, path: Path) -> Pixels:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise WrongUsage("`svhn` is read by scipy", help="pip install 'archdsl[train]'") from error
    try:
        content = loadmat(path, variable_names=("X", "y"))
        pixels, numbers = torch.from_numpy(content["X"]), torch.from_numpy(content["y"])
    except (MatReadError, KeyError, IndexError, TypeError, ValueError, zlib.error) as error:
        raise broken(path, str(error) or type(error).__name__) from error
    except OSError as error:
        raise explain(error, path) from error
    if pixels.dtype != torch.uint8 or pixels.dim() != 4:
        raise broken(path, "its X isn't many images of bytes")
    labels = numbers.flatten().long()
    return _checked(pixels.permute(3, 2, 0, 1).contiguous(), labels % 10, known, path)


def _stl10(known: Known, root: Path) -> Halves:
    """Bytes, column by column (Coates, Lee and Ng 2011); classes count from 1."""
    paths = [root / file for file in known.files]
    train, test = (_stl10_half(known, *paths[start : start + 2]) for start in (0, 2))
    return train, test


def _stl10_half(known: Known, images: Path, labels: Path) -> Pixels:
    pixels, numbers = _bytes(read_bytes(images)), _bytes(read_bytes(labels))
    if pixels.numel() != len(numbers) * 3 * 96 * 96:
        raise broken(images, f"it has {pixels.numel():,} bytes for {len(numbers):,} images of 3x96x96")
    return _checked(pixels.view(-1, 3, 96, 96).mT.contiguous(), numbers.long() - known.first, known, images)


def _bytes(content: bytes) -> Tensor:
    """uint8, one for each byte; torch takes no empty buffer."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)


def _checked(pixels: Tensor, labels: Tensor, known: Known, path: Path) -> Pixels:
    """The same, if it is what the data set is known to be."""
    expected = (len(labels), known.channels, *(known.size or ()))
    if tuple(pixels.shape) != expected or not len(labels):
        shape = "x".join(map(str, pixels.shape))
        raise broken(path, f"it has {shape} values for {len(labels)} labels")
    if not 0 <= int(labels.min()) <= int(labels.max()) < known.classes:
        raise broken(
            path, f"it has labels from {int(labels.min())} to {int(labels.max())}, not {known.classes} classes"
        )
    return Pixels(pixels, labels)


READERS: Mapping[str, Callable[[Known, Path], Halves]] = {"idx": _idx, "cifar": _cifar, "svhn": _svhn, "stl10": _stl10}
