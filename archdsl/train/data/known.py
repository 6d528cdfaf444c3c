"""Data sets known by name: found where torchvision keeps them, read, downloaded by torchvision."""

from __future__ import annotations

import socket
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

from torch.utils.data import ConcatDataset

from archdsl.failure import Failure
from archdsl.files import explain, folder_beside, make_folder, one_at_a_time
from archdsl.train import vision
from archdsl.train.data import arrays, folder
from archdsl.train.data.items import THEIRS, Items, told
from archdsl.train.data.names import KNOWN, Arguments, Known
from archdsl.train.data.split import Data, Pictures
from archdsl.train.data.stratify import SHARE


def missing(name: str, root: Path) -> list[Path]:
    """What of a known data set isn't there."""
    paths = (arrays.where(root / file) for file in KNOWN[name].files)
    return [path for path in paths if not path.exists()]


def open_known(name: str, root: Path, *, download: bool) -> Data:
    """A data set by its name, downloaded if need be. Raises Failure where it isn't there or is broken."""
    known = KNOWN[name]
    absent = missing(name, root)
    if absent and not (download and known.bytes):
        raise Failure(f"`{name}` isn't in `{root}`: there is no `{absent[0]}`", help=way_out(name, root))
    if absent:
        fetch(name, root)
    if known.kind == "folder":
        return _of_folder(name, known, root)
    if known.kind == "torchvision":
        return _of_torchvision(name, known, root)
    train, test = arrays.READERS[known.kind](known, root)
    return Data(name, arrays.class_names(name, known, root), known.channels, known.size, train, test)


def way_out(name: str, root: Path) -> str:
    """How a data set that isn't there is had."""
    known = KNOWN[name]
    if known.bytes:
        return f"`--download` fetches it ({size(known.bytes)})"
    train, test = (root / file for file in known.files)
    where = f"`{train}/CLASS/*.JPEG` and `{test}/CLASS/*.JPEG`"
    return f"it is fetched by hand, from image-net.org, and goes into {where}; or give its folder: `--data FOLDER`"


def size(count: int) -> str:
    """A number of bytes for people: `about 170 MB`."""
    if count < 1_000_000_000:
        return f"about {max(1, round(count / 1e6))} MB"
    return f"about {count / 1e9:.1f} GB"


def fetch(name: str, root: Path) -> None:
    """Downloads a data set: into a folder of its own, whose content is moved to its place when all of it is there.

    torchvision compares the MD5 sums. Raises Failure; what was there before stays.
    """
    known = KNOWN[name]
    datasets = vision.torchvision(f"downloading `{name}`")
    try:
        make_folder(root)
        with one_at_a_time(root):
            if not missing(name, root):
                return  # another process of the same run, as a rule, was faster
            with folder_beside(root, name) as beside:
                with redirect_stdout(sys.stderr), _patience():
                    _download(datasets, known, str(beside))
                _move(name, beside, root)
    except (URLError, HTTPException, RuntimeError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise _failed(name, root, str(error)) from error
    except OSError as error:
        if isinstance(error, (ConnectionError, TimeoutError)):
            raise _failed(name, root, str(error)) from error
        raise explain(error, error.filename or root) from error


def _download(datasets: Any, known: Known, root: str) -> None:
    made = getattr(datasets, known.class_)
    if known.kind == "cifar":  # its class would unpickle what it downloads
        datasets.utils.download_and_extract_archive(made.url, root, filename=made.filename, md5=made.tgz_md5)
        return
    for half in (*known.train, *known.test):
        made(root, download=True, **half)


@contextmanager
def _patience() -> Iterator[None]:
    """Lets torchvision give a server up that sends nothing; by itself it would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


_PATIENCE = 60.0  # seconds without a byte


def _move(name: str, beside: Path, root: Path) -> None:
    """Puts into its place what is needed, which leaves the archives behind."""
    for top in dict.fromkeys(Path(file).parts[0] for file in KNOWN[name].files):
        if (root / top).exists():
            help = "remove it, or give another folder for the data sets"
            raise Failure(f"`{root / top}` is there, but not whole: it is in the way of `{name}`", help=help)
        (beside / top).replace(root / top)


def _failed(name: str, root: Path, why: str) -> Failure:
    reason = why.strip().splitlines()[-1] if why.strip() else "no answer"
    files = f"`{root / KNOWN[name].files[0]}`"
    help = f"without a network, download it elsewhere and copy the folder that torchvision makes, with {files} in it"
    return Failure(f"can't download `{name}`: {reason}", help=help)


def _of_folder(name: str, known: Known, root: Path) -> Data:
    paths = [root / file for file in known.files]
    if len(paths) == 1:
        return folder.open_folder(name, paths[0], SHARE)
    return folder.open_halves(name, folder.Halves(*paths))


def _of_torchvision(name: str, known: Known, root: Path) -> Data:
    datasets = vision.torchvision(f"`{name}`")
    train, test = (_half(datasets, name, known, root, half) for half in (known.train, known.test))
    names = getattr(train[1], "classes", None) or range(known.classes)
    return Data(name, tuple(str(one) for one in names), known.channels, known.size, train[0], test[0])


def _half(datasets: Any, name: str, known: Known, root: Path, parts: tuple[Arguments, ...]) -> tuple[Pictures, Any]:
    """A half as torchvision reads it, and the first of the data sets that it is made of."""
    try:
        made = [getattr(datasets, known.class_)(str(root), **part) for part in parts]
    except THEIRS as error:
        raise Failure(f"`{name}` in `{root}` isn't whole: {told(error)}", help=way_out(name, root)) from error
    return Items(ConcatDataset(made), f"`{name}`", known.classes), made[0]
