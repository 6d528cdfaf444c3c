"""With the same weights and input the shipped networks give what independent PyTorch gives, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peers import torchvision_model
from test_specs import RESIZABLE, SMALLEST, TORCHVISION
from torch import nn

import archdsl

SIDES = {"googlenet": 64, "inception_v3": 75, "vgg16": 32, "alexnet": 63, "nin_cifar": 32, "unet": 32}


def peer(name: str, **arguments: Any) -> nn.Module:
    """torchvision's model with weights that are neither all small nor all equal."""
    if name in ("googlenet", "inception_v3", "vgg16"):
        arguments["init_weights"] = False
    with torch.device("meta"):
        model: nn.Module = torchvision_model(name, **arguments)
    return drawn(model.to_empty(device="cpu"))


def drawn(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                tensor.zero_()
            elif tensor.ndim > 1:
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
            elif key.endswith(("running_var", "weight")):
                tensor.uniform_(0.5, 1.5)
            else:
                tensor.normal_(std=0.1)
    return model


def ours(name: str, other: nn.Module, **params: Any) -> nn.Module:
    """The shipped network with copies of another's weights; the keys must be the same."""
    model = archdsl.load(name, **params).build(device="meta")
    copies = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    model.load_state_dict(copies, assign=True)
    return model


def image(side: int, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", TORCHVISION)
def test_evaluation_is_that_of_torchvision(name: str) -> None:
    theirs = peer(name).eval()
    mine = ours(name, theirs).eval()
    x = image(SIDES.get(name, 64))
    with torch.no_grad():
        expected, got = theirs(x), mine(x)
    assert isinstance(got, torch.Tensor)
    assert expected.abs().max() > 0.1
    assert torch.equal(got, expected)


def without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model.train()


@pytest.mark.parametrize("name", ["alexnet", "densenet121", "resnet18", "resnet50"])
def test_training_is_that_of_torchvision(name: str) -> None:
    theirs = without_dropout(peer(name))
    mine = without_dropout(ours(name, theirs))
    x = image(SIDES.get(name, 64))
    expected, got = theirs(x), mine(x)
    assert torch.equal(got, expected)
    expected.square().sum().backward()
    got.square().sum().backward()
    assert_same_gradients(mine, theirs)
    for (key, mean), (_, known) in zip(sorted(mine.named_buffers()), sorted(theirs.named_buffers()), strict=True):
        assert torch.equal(mean, known), key


def assert_same_gradients(mine: nn.Module, theirs: nn.Module) -> None:
    """Equal but for the order in which gradients of a tensor that is read several times are summed."""
    gradients = {key: weight.grad for key, weight in theirs.named_parameters()}
    for key, weight in mine.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradients[key], rtol=1e-3, atol=1e-3, msg=key)


def test_googlenets_side_heads_are_those_of_torchvision() -> None:
    theirs = without_dropout(peer("googlenet"))
    mine = without_dropout(ours("googlenet", theirs))
    x = image(96)
    expected, got = theirs(x), mine(x)
    assert got._fields == expected._fields == ("logits", "aux_logits2", "aux_logits1")
    for name in got._fields:
        assert torch.equal(getattr(got, name), getattr(expected, name)), name
    for one in (expected, got):
        (one.logits.square().sum() + 0.3 * (one.aux_logits1.sum() + one.aux_logits2.sum())).backward()
    assert_same_gradients(mine, theirs)


def test_googlenet_without_side_heads_is_that_of_torchvision() -> None:
    theirs = peer("googlenet", aux_logits=False).train()
    mine = without_dropout(ours("googlenet", without_dropout(theirs), aux=False))
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


@pytest.mark.parametrize("name", RESIZABLE)
def test_torch_too_refuses_what_is_smaller_than_the_smallest_input(name: str) -> None:
    side = SMALLEST[name]
    model = peer(name) if name in TORCHVISION else archdsl.load(name).build()
    model.train(name == "inception_v3")  # what it can't do at smaller sizes is its side head
    with torch.no_grad():
        model(image(side))
        if side > 1:
            with pytest.raises(RuntimeError):
                model(image(side - 1))


# Whose draws are told apart by their spread; GoogLeNet's and VGG's own take seconds.
@pytest.mark.parametrize("name", ["alexnet", "densenet121", "resnet18", "resnet50", "squeezenet1_1"])
def test_fresh_weights_are_spread_as_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    theirs = torchvision_model(name).state_dict()
    mine = archdsl.load(name).build(seed=0).state_dict()
    assert mine.keys() == theirs.keys()
    for key, known in theirs.items():
        if known.ndim < 2:  # biases and statistics: a constant, or too few for a spread
            assert bool(known.float().std(correction=0) == 0) == bool(mine[key].float().std(correction=0) == 0), key
            if known.float().std(correction=0) == 0:
                assert torch.equal(mine[key], known), key
        elif known.numel() > 2000:
            assert mine[key].std().item() == pytest.approx(known.std().item(), rel=0.08), key
            assert mine[key].abs().max().item() == pytest.approx(known.abs().max().item(), rel=0.4), key
