"""Writing results: a file is there in full or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from archdsl.failure import Failure, WrongUsage


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Puts the content at `path`, text as UTF-8; see `writing`."""
    with writing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write into that takes its place at `path` when all of it is written; until then what stood there stays.

    A symbolic link is followed, and the permissions of an existing file are kept. Raises WrongUsage where the path
    can't be written to, Failure where the disk is full or broken.
    """
    # Devices and pipes (/dev/stdout) are written to, never replaced.
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
        else:
            yield from _beside(target)
    except OSError as error:
        raise explain(error, path) from error


def _beside(target: Path) -> Iterator[BinaryIO]:
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    # Beside the target, since a rename is atomic within one file system only.
    beside = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            beside.chmod(mode)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


# What went wrong with a path, in words, where the user's choice of path is at fault.
_USAGE = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "that is a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "symbolic links go round in a circle",
}
_RUN = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be too large for the file system",
}


def explain(error: OSError, path: str | Path) -> Failure:
    """What an error of the operating system means for the path that the user named."""
    if error.errno == errno.ENOENT and not Path(path).parent.exists():
        return WrongUsage(f"can't use `{path}`: the folder `{Path(path).parent}` doesn't exist")
    if error.errno in _USAGE:
        return WrongUsage(f"can't use `{path}`: {_USAGE[error.errno]}")
    reason = _RUN.get(error.errno or 0, error.strerror or str(error))
    return Failure(f"can't use `{path}`: {reason}")
