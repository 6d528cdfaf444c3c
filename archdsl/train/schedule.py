"""The learning rate at each step, and the optimiser it is for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from archdsl.recipe import Recipe

# torch.optim.lr_scheduler.OneCycleLR's own: where it begins, how long it rises, where it ends.
_ONECYCLE_START, _ONECYCLE_RISE, _ONECYCLE_END = 25.0, 0.3, 1e4


def optimizer_of(recipe: Recipe, parameters: Iterable[torch.nn.Parameter], *, fused: bool) -> torch.optim.Optimizer:
    """The recipe's optimiser. fused: its steps as single kernels, where torch has them."""
    kind: Any = {
        "sgd": torch.optim.SGD,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "nadam": torch.optim.NAdam,
        "rmsprop": torch.optim.RMSprop,
        "adagrad": torch.optim.Adagrad,
    }[recipe.optimizer]
    settings: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimizer in ("sgd", "rmsprop"):
        settings["momentum"] = recipe.momentum
    if recipe.optimizer == "sgd":
        settings["nesterov"] = recipe.nesterov
    if recipe.optimizer in ("adam", "adamw", "nadam"):
        settings["betas"] = recipe.betas
    if recipe.eps is not None and recipe.optimizer != "sgd":
        settings["eps"] = recipe.eps
    # Lightning refuses to clip gradients for fused ones, also where nothing is scaled (Lightning#21435).
    if fused and recipe.optimizer in ("sgd", "adam", "adamw") and recipe.clip is None:
        settings["fused"] = True
    made: torch.optim.Optimizer = kind(list(parameters), **settings)
    return made


def schedule_of(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """The recipe's schedule. steps: of an epoch."""
    return LambdaLR(optimizer, factor(recipe, steps))


def factor(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """What the recipe's learning rate is multiplied by, at each step counted from 0. steps: of an epoch.

    Warm-up goes up in a line, ending at 1 in the first step after it; the schedule takes the steps that remain.
    """
    total = recipe.epochs * steps
    warmup = round(recipe.warmup * steps)
    shape = _SHAPES[recipe.schedule]

    def at(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return shape(recipe, min(step, total - 1) - warmup, total - warmup, warmup, steps)

    return at


def _constant(recipe: Recipe, step: int, total: int, before: int, steps: int) -> float:
    return 1.0


def _linear(recipe: Recipe, step: int, total: int, before: int, steps: int) -> float:
    return 1 - step / total


def _cosine(recipe: Recipe, step: int, total: int, before: int, steps: int) -> float:
    return (1 + math.cos(math.pi * step / total)) / 2


def _step(recipe: Recipe, step: int, total: int, before: int, steps: int) -> float:
    epoch = (step + before) // steps
    passed = sum(epoch >= milestone for milestone in recipe.milestones)
    return float(recipe.gamma**passed)


def _onecycle(recipe: Recipe, step: int, total: int, before: int, steps: int) -> float:
    """Smith & Topin 2019, with the numbers of torch.optim.lr_scheduler.OneCycleLR."""
    low, end = 1 / _ONECYCLE_START, 1 / _ONECYCLE_START / _ONECYCLE_END
    top = max(_ONECYCLE_RISE * total - 1, 1.0)
    if step <= top:
        return _between(low, 1.0, step / top)
    return _between(1.0, end, (step - top) / max(total - 1 - top, 1.0))


def _between(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


_SHAPES: dict[str, Callable[[Recipe, int, int, int, int], float]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "step": _step,
    "onecycle": _onecycle,
}
