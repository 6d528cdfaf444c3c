"""With the same weights and input the shipped networks give what independent PyTorch gives, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from zoo import assert_same_gradients, drawn, image, ours, peer, without_chance

import archdsl


def test_googlenet_without_side_heads_is_that_of_torchvision() -> None:
    theirs = peer("googlenet", aux_logits=False).train()
    mine = without_chance(ours("googlenet", without_chance(theirs), aux=False))
    assert torch.equal(mine(image(64)), theirs(image(64)))


def lenet() -> nn.Module:
    """d2l, section 7.6."""
    model = nn.Module()
    model.net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, 2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2, 2), nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    return model


def mlpconv(channels: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(),
        nn.Conv2d(out, out, 1), nn.ReLU(), nn.Conv2d(out, out, 1), nn.ReLU(),
    )  # fmt: skip


def nin_cifar() -> nn.Module:
    """The listing of the source document."""
    model = nn.Module()
    model.model = nn.Sequential(
        mlpconv(3, 96), nn.MaxPool2d(3, 2), mlpconv(96, 256), nn.MaxPool2d(3, 2), mlpconv(256, 384), nn.MaxPool2d(3, 2),
        nn.Dropout(), mlpconv(384, 10), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    return model


@pytest.mark.parametrize(("name", "made", "x"), [("lenet", lenet, image(28, 1)), ("nin_cifar", nin_cifar, image(32))])
def test_the_plain_chains_are_the_listings(name: str, made: Any, x: torch.Tensor) -> None:
    theirs = drawn(made()).eval()
    (chain,) = theirs.children()
    with torch.no_grad():
        assert torch.equal(ours(name, theirs).eval()(x), chain(x))


class UNet(nn.Module):
    """Ronneberger et al. 2015, figure 1, with padding and batch norm."""

    def __init__(self) -> None:
        super().__init__()
        for k in range(1, 5):
            self.add_module(f"down{k}", double(3 if k == 1 else 32 * 2 ** (k - 1), 32 * 2**k))
        self.bottom = double(512, 1024)
        for k in range(1, 5):
            self.add_module(f"up{k}", nn.ConvTranspose2d(64 * 2**k, 32 * 2**k, 2, 2))
            self.add_module(f"merge{k}", double(64 * 2**k, 32 * 2**k))
        self.head = nn.Conv2d(64, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for k in range(1, 5):
            kept.append(self.get_submodule(f"down{k}")(x))
            x = nn.functional.max_pool2d(kept[-1], 2)
        x = self.bottom(x)
        for k in range(4, 0, -1):
            x = self.get_submodule(f"up{k}")(x)
            x = self.get_submodule(f"merge{k}")(torch.cat([kept[k - 1], x], 1))
        return self.head(x)  # type: ignore[no-any-return]


def double(channels: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
    )  # fmt: skip


def test_unet_is_the_papers_figure() -> None:
    theirs = drawn(UNet()).train()
    mine = ours("unet", theirs).train()
    expected, got = theirs(image(32)), mine(image(32))
    assert got.shape == (2, 2, 32, 32)
    assert torch.equal(got, expected)
    expected.square().sum().backward()
    got.square().sum().backward()
    assert_same_gradients(mine, theirs)


@pytest.mark.parametrize(("name", "side"), [("nin_cifar", 15), ("unet", 16)])
def test_torch_too_refuses_what_is_smaller_than_the_smallest_input(name: str, side: int) -> None:
    model = archdsl.load(name).build()
    with torch.no_grad():
        model(image(side))
        with pytest.raises(RuntimeError):
            model(image(side - 1))
