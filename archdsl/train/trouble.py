"""What goes wrong in a step: numbers that are none, and memory that isn't there."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.failure import Failure
from archdsl.train.machine import Machine
from archdsl.train.plan import Plan
from archdsl.train.recompute import Recomputed

# Numbers that an optimiser keeps for each weight, beside the weight and its gradient.
_KEPT = {"sgd": 1, "adam": 2, "adamw": 2, "nadam": 2, "rmsprop": 2, "adagrad": 1}

_CGROUP = Path("/sys/fs/cgroup/memory.max")
# A step that wants less than this share of the memory finds room: the rest is for what no estimate knows.
_SURE = 0.8
# One that wants less than this share leaves room for memory that lies idle until the next step.
_EASY = 0.5


class NotFinite(Failure):
    """The loss is no number any more."""


def not_finite(module: nn.Module, where: str, images: Tensor | None = None) -> NotFinite:
    """What to tell of a loss that is no number. where: the epoch and step. images: of that step, where they are known;
    the network runs once more on them.
    """
    began = _broken_weight(module) or ("" if images is None else _broken_layer(module, images))
    place = f"it began in {began}" if began else "the weights are finite"
    help = "a lower `--lr`, `--recipe warmup=1` or `--recipe clip=1`; the last checkpoint is from before"
    return NotFinite(f"the loss is not a number in {where}; {place}", help=help)


def _broken_weight(module: nn.Module) -> str:
    for name, parameter in module.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the weights: `{name}` isn't finite"
    for name, buffer in module.named_buffers():
        if not torch.isfinite(buffer).all():
            return f"the statistics: `{name}` isn't finite"
    return ""


class _Found(Exception):
    pass


def _broken_layer(module: nn.Module, images: Tensor) -> str:
    """The first layer whose output isn't finite."""

    def watched(name: str, kind: str) -> Callable[..., None]:
        def look(part: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not torch.isfinite(output).all():
                raise _Found(f"the output of `{name or kind}`")

        return look

    if not torch.isfinite(images).all():
        return "the images"
    hooks = [part.register_forward_hook(watched(name, type(part).__name__)) for name, part in module.named_modules()]
    try:
        with torch.no_grad():
            module(images)
    except _Found as found:
        return str(found)
    finally:
        for hook in hooks:
            hook.remove()
    return ""


@contextmanager
def explained(plan: Plan, machine: Machine, again: Recomputed) -> Iterator[None]:
    """What torch and Lightning raise, in words. Raises Failure.

    again: what is computed again, and so isn't kept.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        message = "a batch norm behind which images are single values can't train on one image at a time"
        raise Failure(message, help="a larger `--batch`, or a smaller `--recipe accumulate`") from error
    except (RuntimeError, MemoryError) as error:
        told = str(error).splitlines()[0] if str(error) else ""
        if _out_of_memory(error):
            raise _no_room(plan, machine, again) from error
        if machine.processes > 1 and (isinstance(error, torch.distributed.DistError) or _LOST.search(told)):
            help = "`--resume` goes on from the checkpoint; torchrun with `--max-restarts` does so by itself"
            raise Failure(f"lost the other processes of the run: {told}", help=help) from error
        if "DataLoader worker" in told:
            message = f"a process that reads images ended: {told}"
            raise Failure(
                message, help="fewer `--workers`, or more shared memory: containers often have 64 MB"
            ) from error
        if "CUDA error" in told:
            raise Failure(f"the GPU failed: {told}", help="`--resume` goes on from the checkpoint") from error
        raise


_LOST = re.compile("[Gg]loo|NCCL")


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch's says that there is no room; on mps it is a plain one."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and re.search("allocate memory|out of memory", str(error)) is not None
    )


def _no_room(plan: Plan, machine: Machine, again: Recomputed) -> Failure:
    """What to tell where a step found no room: what it wants, and which batch would fit, by the static estimate."""
    batch, wanted, room = _step(plan, machine, again)
    message = f"no room on `{machine.kind}` for {batch:,} images at once: a step wants about {wanted / 1e9:,.1f} GB"
    smaller = _in_parts(plan, batch, room, again)
    if not smaller:
        return Failure(message, help="not even one image fits; smaller images would: `--recipe size=...`")
    return Failure(f"{message}, of {room / 1e9:,.1f} GB", help=smaller)


def tight(plan: Plan, machine: Machine, again: Recomputed) -> str:
    """What to tell before a step that is likely to find no room: a system ends what takes too much without a word."""
    batch, wanted, room = _step(plan, machine, again)
    if wanted < _SURE * room:
        return ""
    told = f"a step of {batch:,} images wants about {wanted / 1e9:,.1f} GB, of {room / 1e9:,.1f} GB on `{machine.kind}`"
    return f"{told}; {_in_parts(plan, batch, room, again) or 'smaller images want less: `--recipe size=...`'}"


def roomy(plan: Plan, machine: Machine, again: Recomputed) -> bool:
    """Whether a step leaves so much memory that some may lie idle."""
    _, wanted, room = _step(plan, machine, again)
    return wanted < _EASY * room


def _step(plan: Plan, machine: Machine, again: Recomputed) -> tuple[int, int, float]:
    """The images that a process takes at once, the bytes that their step wants, and those that there are."""
    batch = plan.recipe.batch // plan.recipe.accumulate // machine.processes
    return batch, _wanted(plan, batch, again), _room(machine)


def _in_parts(plan: Plan, batch: int, room: float, again: Recomputed) -> str:
    """The way to take a batch in parts that fit; empty where not even one image does."""
    fits = next((size for size in _halves(batch) if _wanted(plan, size, again) < _SURE * room), 0)
    if not fits:
        return ""
    parts = -(-batch // fits)
    while plan.recipe.batch % (parts * plan.recipe.accumulate):
        parts += 1
    return f"`--recipe accumulate={parts * plan.recipe.accumulate}` takes the batch in parts, with the same result"


def _wanted(plan: Plan, batch: int, again: Recomputed) -> int:
    """Bytes of a training step: weights, gradients, what the optimiser keeps, activations."""
    memory = plan.network.memory(batch=batch)
    assert isinstance(memory.weights, int)
    assert isinstance(memory.activations, int)
    return memory.weights * (2 + _KEPT[plan.recipe.optimizer]) + int(again.share * memory.activations)


def _halves(batch: int) -> list[int]:
    found = []
    while batch > 1:
        batch //= 2
        found.append(batch)
    return found


def _room(machine: Machine) -> float:
    """Bytes of memory for a process: of its GPU, or its share of the CPU's, no more than a container may have."""
    if machine.kind == "cuda":
        return torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    if machine.kind == "mps":
        return torch.mps.recommended_max_memory()
    if sys.platform == "win32":  # which has swap files that grow, and no such call
        return math.inf
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP.read_text().strip() if _CGROUP.exists() else "max"
    return (there if limit == "max" else min(there, int(limit))) / machine.devices
