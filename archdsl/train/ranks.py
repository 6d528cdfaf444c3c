"""Which of several processes this one is: Lightning, torchrun and SLURM tell it in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from archdsl.failure import WrongUsage

_FOLDER = "ARCHDSL_RUN"  # how processes that Lightning starts learn of the first one's folder


def rank() -> int:
    """Of this process among all of them, over all nodes; 0 for the one that writes."""
    for name in ("RANK", "SLURM_PROCID"):
        if name in os.environ:
            return int(os.environ[name])
    return local_rank()


def local_rank() -> int:
    """Of this process on its machine: the number of its device."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))


def launched() -> bool:
    """Whether torchrun or SLURM started this process beside others."""
    several = int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", 1))) > 1
    return several and ("RANK" in os.environ or "SLURM_PROCID" in os.environ)


@contextmanager
def alone() -> Iterator[None]:
    """While it lasts, processes are told the folder of one run; the next run in this process gets another."""
    known = _FOLDER in os.environ
    try:
        yield
    finally:
        if not known:
            os.environ.pop(_FOLDER, None)


def shared_folder(new: Callable[[], Path]) -> Path:
    """The folder of a new run, the same for all processes. Raises WrongUsage where they can't know it of each other."""
    if _FOLDER in os.environ:
        return Path(os.environ[_FOLDER])
    if launched():
        raise WrongUsage("several processes need to be told the run's folder", help="`--folder DIR`, on a shared disk")
    path = new()
    os.environ[_FOLDER] = str(path)
    return path
