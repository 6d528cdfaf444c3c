"""What the documents' networks and steps give is what independent PyTorch gives, and what the documents print."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from zoo import drawn, image, ours

import archdsl


class Basic(nn.Module):
    """He et al. 2016, section 4.2: a shortcut without parameters (option A), or none."""

    def __init__(self, channels: int, width: int, stride: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride = stride
        self.more = width - channels
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.shortcut:
            kept = x[:, :, :: self.stride, :: self.stride]
            y = y + functional.pad(kept, (0, 0, 0, 0, self.more // 2, self.more // 2))
        return functional.relu(y)


class CifarNet(nn.Module):
    def __init__(self, n: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for stage, width in enumerate((16, 32, 64), 1):
            blocks = nn.Sequential()
            for k in range(n):
                blocks.append(Basic(channels, width, 2 if k == 0 and stage > 1 else 1, shortcut=shortcut))
                channels = width
            self.add_module(f"layer{stage}", blocks)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "n", "shortcut"), [("resnet20", 3, True), ("resnet56", 9, True), ("plain20", 3, False)]
)
def test_the_networks_for_cifar_are_those_of_the_paper(name: str, n: int, shortcut: bool) -> None:
    theirs = drawn(CifarNet(n, shortcut=shortcut)).eval()
    mine = ours(name, theirs).eval()
    with torch.no_grad():
        expected, got = theirs(image(32)), mine(image(32))
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)  # the mean is summed in another order


def run(input: str, step: str, x: Any, weight: Any = None) -> list[Any]:
    """What a single step gives for a tensor without its batch, with given weights."""
    model = archdsl.loads(f"net a\n  input {input}\n  step: {step}\n").build()
    with torch.no_grad():
        if weight is not None:
            (own,) = model.parameters()
            own.copy_(weight)
        return model(x[None])[0].tolist()  # type: ignore[no-any-return]


def counted(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)


def test_cross_correlations_are_those_of_d2l() -> None:
    x = counted(1, 3, 3)
    assert run("1x3x3", "conv 2x2, 1, bias no", x, counted(1, 1, 2, 2)) == [[[19, 25], [37, 43]]]
    several = torch.stack([x[0], x[0] + 1])
    kernel = torch.stack([counted(2, 2), counted(2, 2) + 1])
    kernels = torch.stack([kernel, kernel + 1, kernel + 2])
    assert run("2x3x3", "conv 2x2, 3, bias no", several, kernels) == [
        [[56, 72], [104, 120]],
        [[76, 100], [148, 172]],
        [[96, 128], [192, 224]],
    ]


def test_the_edge_detector_is_that_of_d2l() -> None:
    x = torch.ones(1, 6, 8)
    x[:, :, 2:6] = 0
    edges = run("1x6x8", "conv 1x2, 1, bias no", x, torch.tensor([[[[1.0, -1.0]]]]))
    assert edges == [[[0, 1, 0, 0, 0, -1, 0]] * 6]


def test_pools_are_those_of_d2l() -> None:
    assert run("1x3x3", "maxpool 2x2, stride 1", counted(1, 3, 3)) == [[[4, 5], [7, 8]]]
    assert run("1x3x3", "avgpool 2x2, stride 1", counted(1, 3, 3)) == [[[2, 3], [5, 6]]]
    x = counted(1, 4, 4)
    got = run("2x4x4", "maxpool 3x3, stride 2, pad 1", torch.cat([x, x + 1]))
    assert got == [[[5, 7], [13, 15]], [[6, 8], [14, 16]]]
