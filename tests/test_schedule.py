"""The learning rate at each step equals that of torch's own schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as schedulers

from archdsl.recipe import Recipe
from archdsl.train.schedule import optimizer_of, schedule_of

STEPS = 7  # of an epoch


def rates(optimizer: Optimizer, schedule: Any, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def ours(**settings: Any) -> list[float]:
    recipe = Recipe(epochs=6, optimizer="sgd", lr=0.5, **settings)
    optimizer = optimizer_of(recipe, [torch.nn.Parameter(torch.zeros(1))], fused=False)
    return rates(optimizer, schedule_of(recipe, optimizer, STEPS), recipe.epochs * STEPS)


TORCHS: dict[str, tuple[dict[str, Any], Callable[[Optimizer], Any]]] = {
    "constant": ({"schedule": "constant"}, lambda one: schedulers.ConstantLR(one, factor=1)),
    "cosine": ({"schedule": "cosine"}, lambda one: schedulers.CosineAnnealingLR(one, 6 * STEPS)),
    "linear": ({"schedule": "linear"}, lambda one: schedulers.PolynomialLR(one, 6 * STEPS, power=1)),
    "step": (
        {"schedule": "step", "milestones": (2, 4), "gamma": 0.1},
        lambda one: schedulers.MultiStepLR(one, [2 * STEPS, 4 * STEPS], 0.1),
    ),
    "onecycle": (
        {"schedule": "onecycle"},
        lambda one: schedulers.OneCycleLR(one, 0.5, total_steps=6 * STEPS, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("name", TORCHS)
def test_schedules_are_torchs(name: str) -> None:
    settings, make = TORCHS[name]
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    assert ours(**settings) == pytest.approx(rates(optimizer, make(optimizer), 6 * STEPS), rel=1e-9, abs=1e-12)


def test_the_warm_up_rises_in_a_line_and_the_schedule_takes_the_rest() -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    rest = rates(optimizer, schedulers.CosineAnnealingLR(optimizer, 5 * STEPS), 5 * STEPS)
    found = ours(schedule="cosine", warmup=1.0)
    assert found[:STEPS] == pytest.approx([0.5 * step / 8 for step in range(1, 8)])
    assert found[STEPS:] == pytest.approx(rest)
