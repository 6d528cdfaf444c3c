"""What goes wrong in a step: numbers that are none, and memory that isn't there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.failure import Failure
from archdsl.train.plan import Plan
from archdsl.train.recompute import Recomputed

# Numbers that an optimiser keeps for each weight, beside the weight and its gradient.
_KEPT = {"sgd": 1, "adam": 2, "adamw": 2, "nadam": 2, "rmsprop": 2, "adagrad": 1}

_CGROUP = Path("/sys/fs/cgroup/memory.max")
# A step that wants less than this share of the memory finds room: the rest is for what no estimate knows.
_SURE = 0.8


class NotFinite(Failure):
    """The loss is no number any more."""


def not_finite(module: nn.Module, images: Tensor, where: str) -> NotFinite:
    """What to tell of a loss that is no number. where: the epoch and step. Runs the network once more on the images."""
    began = _broken_weight(module) or _broken_layer(module, images)
    place = f"it began in {began}" if began else "every layer's output is finite: it began in the loss"
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


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch's says that there is no room."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def alone(error: RuntimeError, processes: int) -> Failure | None:
    """What to tell where the processes of a run lost each other; None for another error."""
    told = str(error).splitlines()[0] if str(error) else ""
    known = isinstance(error, torch.distributed.DistError) or any(name in told for name in ("Gloo", "NCCL", "gloo"))
    if processes == 1 or not known:
        return None
    help = "`--resume` goes on from the checkpoint; torchrun with `--max-restarts` does so by itself"
    return Failure(f"lost the other processes of the run: {told}", help=help)


def no_room(plan: Plan, kind: str, processes: int, again: Recomputed) -> Failure:
    """What to tell where a step found no room: what it wants, and which batch would fit, by the static estimate.

    again: what is computed again, and so isn't kept.
    """
    batch, wanted, room = _step(plan, kind, processes, again)
    message = f"no room on `{kind}` for {batch:,} images at once: a step wants about {wanted / 1e9:,.1f} GB"
    smaller = _in_parts(plan, batch, room, again)
    if not smaller:
        return Failure(message, help="not even one image fits; smaller images would: `--recipe size=...`")
    return Failure(f"{message}, of {room / 1e9:,.1f} GB", help=smaller)


def tight(plan: Plan, kind: str, processes: int, again: Recomputed) -> str:
    """What to tell before a step that is likely to find no room: a system ends what takes too much without a word."""
    batch, wanted, room = _step(plan, kind, processes, again)
    if wanted < _SURE * room:
        return ""
    told = f"a step of {batch:,} images wants about {wanted / 1e9:,.1f} GB, of {room / 1e9:,.1f} GB on `{kind}`"
    return f"{told}; {_in_parts(plan, batch, room, again) or 'smaller images want less: `--recipe size=...`'}"


def _step(plan: Plan, kind: str, processes: int, again: Recomputed) -> tuple[int, int, int]:
    """The images that a process takes at once, the bytes that their step wants, and those that there are."""
    batch = plan.recipe.batch // plan.recipe.accumulate // processes
    return batch, _wanted(plan, batch, again), _room(kind)


def _in_parts(plan: Plan, batch: int, room: int, again: Recomputed) -> str:
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


def _room(kind: str) -> int:
    """Bytes of memory of a device; on a CPU no more than a container may have."""
    if kind == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP.read_text().strip() if _CGROUP.exists() else "max"
    return there if limit == "max" else min(there, int(limit))
