"""Which of several processes this one is: Lightning, torchrun and SLURM tell it in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from archdsl.failure import WrongUsage

_FOLDER = "ARCHDSL_RUN"  # how processes that Lightning starts learn of the first one's folder


def launcher() -> Literal["torchrun", "SLURM", ""]:
    """Who started this process beside others; empty where nobody did, and Lightning starts the others itself.

    torchrun may run inside of a SLURM job. A shell that SLURM runs on a node, and a job of one task, start nothing
    beside this process.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    shell = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")  # the names that Lightning knows
    return "SLURM" if _number("SLURM_NTASKS", 1) > 1 and not shell else ""


def rank() -> int:
    """Of this process among all of them, over all nodes; 0 for the one that writes."""
    names = {"torchrun": "RANK", "SLURM": "SLURM_PROCID", "": "LOCAL_RANK"}
    return _number(names[launcher()], 0)


def local_rank() -> int:
    """Of this process on its machine: the number of its device."""
    return _number("SLURM_LOCALID" if launcher() == "SLURM" else "LOCAL_RANK", 0)


def check(devices: int, nodes: int) -> None:
    """Raises WrongUsage where other processes are there than are asked for: they would wait for each other."""
    by = launcher()
    asked = f"`--devices {devices} --nodes {nodes}`"
    if not by:
        if nodes > 1:
            raise WrongUsage(f"`--nodes {nodes}` needs somebody who starts the processes", help=_LAUNCHERS)
        return
    if by == "SLURM" and "SLURM_STEP_ID" not in os.environ:
        message = f"SLURM gave this job {_number('SLURM_NTASKS', 1)} tasks, and only one was started"
        raise WrongUsage(message, help=f"write `srun` before `archdsl`, with {asked} as it has tasks and nodes")
    told = {"torchrun": ("WORLD_SIZE", "LOCAL_WORLD_SIZE"), "SLURM": ("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE")}[by]
    started, each = _number(told[0], 1), _number(told[1], 0)
    if by == "SLURM" and not each:
        help = f"`srun --ntasks-per-node {devices}`, instead of `--ntasks`"
        raise WrongUsage("SLURM doesn't tell how many tasks each node has", help=help)
    if started != devices * nodes or each not in (0, devices):
        message = f"{by} started {started} processes{f', {each} on each node' if each else ''}, and not {asked}"
        raise WrongUsage(message, help="`--devices` is for the processes of each node, `--nodes` for the nodes")


_LAUNCHERS = "torchrun or srun: see `More than one device` in docs/train.md"


def _number(name: str, otherwise: int) -> int:
    return int(os.environ.get(name, otherwise))


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
    if launcher():
        raise WrongUsage("several processes need to be told the run's folder", help="`--folder DIR`, on a shared disk")
    path = new()
    os.environ[_FOLDER] = str(path)
    return path
