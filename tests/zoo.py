"""The networks that torchvision has too: what is known of them, and both sides' modules with the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from peers import torchvision_model
from torch import nn

import archdsl
from archdsl import library
from archdsl.runtime.build import _Unfilled

# torchvision 0.28: trainable parameters (side heads included where the builder has them by default), elements of the
# buffers, MACs (half of torch.utils.flop_counter, evaluation), and the published crop, GMACs and smallest input.
REFERENCE: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "reference" / "torchvision.json").read_text()
)
SEGMENTATION = sorted(name for name in REFERENCE if name.startswith(("fcn_", "deeplabv3_", "lraspp_")))
CLASSIFICATION = sorted((REFERENCE.keys() - set(SEGMENTATION)) & set(library.names()))

# The side of the square image that outputs are compared on, where 64 isn't enough or isn't allowed.
SIDES = {"inception_v3": 75, "maxvit_t": 224, "efficientnet_v2_s": 96, "efficientnet_v2_m": 96, "efficientnet_v2_l": 96}


def side(name: str) -> int:
    return 224 if name.startswith("vit_") else SIDES.get(name, 64)


def unfilled(name: str, **arguments: Any) -> nn.Module:
    """torchvision's model, its parameters not drawn but its computed buffers there."""
    if name in ("googlenet", "inception_v3"):
        arguments["init_weights"] = False
    # What draws until all numbers are near zero would never come to an end.
    with _Unfilled(torch.device("cpu")), patch.object(nn.init, "trunc_normal_", lambda tensor, **_: tensor):
        model: nn.Module = torchvision_model(name, **arguments)
    return model


def peer(name: str, **arguments: Any) -> nn.Module:
    """torchvision's model with weights that are neither all small nor all equal."""
    return drawn(unfilled(name, **arguments))


def drawn(model: nn.Module) -> nn.Module:
    """Fills the parameters and the statistics; other buffers are what the model computed."""
    torch.manual_seed(0)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if key.endswith("num_batches_tracked"):
                tensor.zero_()
            elif key.endswith("running_var") or (key.endswith("weight") and tensor.ndim == 1):
                tensor.uniform_(0.5, 1.5)
            elif key.endswith("running_mean") or (key in parameters and tensor.ndim < 2):
                tensor.normal_(std=0.1)
            elif key in parameters:
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
    return model


def ours(name: str, other: nn.Module, **params: Any) -> nn.Module:
    """The shipped network with copies of another's weights; the keys must be the same."""
    model = archdsl.load(name, **params).build(device="meta")
    copies = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    model.load_state_dict(copies, assign=True)
    return model


def image(side: int, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))


def without_chance(model: nn.Module) -> nn.Module:
    """In training mode, with nothing dropped."""
    for module in model.modules():
        if type(module).__name__ in ("Dropout", "StochasticDepth"):
            module.p = 0.0  # type: ignore[assignment]
    return model.train()


def assert_same_gradients(mine: nn.Module, theirs: nn.Module) -> None:
    """Equal but for the order in which gradients of a tensor that is read several times are summed."""
    gradients = {key: weight.grad for key, weight in theirs.named_parameters()}
    for key, weight in mine.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradients[key], rtol=1e-3, atol=1e-3, msg=key)
