"""`stochastic_depth` is torchvision's, draw by draw, and stays so where PyTorch traces it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from peers import torchvision_model
from torch import nn

import archdsl


def ours(p: float, input: str) -> nn.Module:
    return archdsl.loads(f"net a\n  input {input}\n  stochastic_depth {p}").build()


@cache
def theirs() -> Any:
    """torchvision's class, from a model that has one."""
    (kind,) = {
        type(module) for module in torchvision_model("efficientnet_b0").modules() if "Depth" in type(module).__name__
    }
    return kind


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("input", ["5", "5x4", "5x4x3", "5x4x3x2"])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_a_seed_gives_the_numbers_of_torchvision(p: float, input: str, dtype: torch.dtype) -> None:
    x = torch.randn(64, *map(int, input.split("x")), dtype=dtype)
    mine, known = ours(p, input).train(), theirs()(p, "row").train()
    torch.manual_seed(0)
    got = mine(x)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    assert torch.equal(got, known(x))
    assert torch.equal(after, torch.get_rng_state())
    assert mine.eval()(x) is x


def test_whole_images_are_kept_or_dropped() -> None:
    x = torch.ones(1000, 2, 3)
    torch.manual_seed(0)
    rows = {tuple(row.unique().tolist()) for row in ours(0.2, "2x3").train()(x)}
    assert rows == {(0.0,), (1.25,)}


@pytest.mark.parametrize("training", [True, False])
def test_it_is_traced_as_one_graph(training: bool) -> None:
    model = ours(0.5, "3x4x4").train(training)
    x = torch.randn(8, 3, 4, 4)
    torch.manual_seed(0)
    expected = model(x)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},)).module()
    for traced in (torch.compile(model, backend="eager", fullgraph=True), exported):
        torch.manual_seed(0)
        assert torch.equal(traced(x), expected)
