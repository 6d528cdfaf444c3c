"""Writing results: a file is there in full or not at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

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


def make_folder(path: Path) -> None:
    """Makes a folder, and those that it is in, where they aren't there. Raises WrongUsage, Failure."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from error


@contextmanager
def folder_beside(folder: Path, name: str) -> Iterator[Path]:
    """A folder inside another one for what is still being made; at the end it goes, with what is left in it.

    Those of processes that were killed an hour ago or more go too. Raises OSError.
    """
    import shutil
    import time
    from tempfile import TemporaryDirectory

    for old in folder.glob(f".{name}.????????"):
        with _held(old) as held:
            if held and old.stat().st_mtime < time.time() - _HOUR:
                shutil.rmtree(old, ignore_errors=True)
    with TemporaryDirectory(prefix=f".{name}.", dir=folder) as made, _held(Path(made)):
        yield Path(made)


_HOUR = 3600


@contextmanager
def _held(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """A lock on a folder while it lasts; whether it could be had."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        yield False
        return
    try:
        held = False
        with suppress(BlockingIOError):
            held = lock(descriptor, wait=wait)
        yield held
    finally:
        os.close(descriptor)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """While it lasts, other processes that want the same for this folder wait, where the system has locks."""
    with _held(folder, wait=True):
        yield


def sweep(folder: Path, name: str = "") -> None:
    """Removes what writers that were killed left in a folder, of the file of this name only if one is given.

    What is being written just now is locked by its writer, and stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = re.fullmatch(_BESIDE, entry.name, re.DOTALL)
            if found is not None and found[1] == (name[:_STEM] or found[1]) and entry.is_file(follow_symlinks=False):
                path = Path(entry.path)
                with suppress(OSError), path.open("rb") as file:
                    if lock(file):
                        path.unlink()


_STEM = 40  # letters of a name: the file beside it must have room for its own, which may be at most 255 bytes long
_BESIDE = rf"\.(.{{1,{_STEM}}})\.[0-9a-f]{{8}}"


def _beside(target: Path) -> Iterator[BinaryIO]:
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    sweep(target.parent, target.name)
    beside, file = _begun(target)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                beside.chmod(mode)
            if os.name == "nt":  # which moves no open file; elsewhere the lock keeps others from sweeping it away
                file.close()
            beside.replace(target)
    finally:
        with suppress(OSError):  # what went wrong before it is what is told
            beside.unlink(missing_ok=True)


def _begun(target: Path) -> tuple[Path, BinaryIO]:
    """A new file beside the target, since a rename is atomic within one file system only; locked while it is open."""
    while True:
        beside = target.with_name(f".{target.name[:_STEM]}.{os.urandom(4).hex()}")
        file = beside.open("xb")
        lock(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return beside, file
        file.close()  # somebody swept it away before it was locked


def lock(file: BinaryIO | TextIO | int, *, wait: bool = False) -> bool:
    """Takes a lock on a file, which ends with it or with its process; False for systems and disks without locks.

    Raises BlockingIOError where somebody else has it, and it isn't waited for.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except (ImportError, OSError):
        return False
    return True


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
