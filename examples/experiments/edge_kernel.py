"""A convolution learns the kernel that finds vertical edges: ten steps down the squared error (d2l, section 7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional
from trials import HERE, asked, keep

import archdsl
from archdsl.train.plots import COLOURS

RATE, STEPS = 0.03, 10
LECTURE = (6.779, 1.147, 0.196, 0.035, 0.006)  # what the lecture prints, at every second step
# It doesn't print where it began. Every start that gives all of these digits, and the kernel [0.9900, -0.9830] that it
# ends with, lies within 0.0003 of this one.
START = (-0.1385, 0.2033)


class Learned(NamedTuple):
    """start, end: the kernel, two numbers each. losses: before each step."""

    start: list[float]
    end: list[float]
    losses: list[float]


def learn(seed: int, start: Sequence[float] | None = None) -> Learned:
    """Ten steps from `start`, or from the weights that torch draws with a seed."""
    image = torch.ones(1, 1, 6, 8)
    image[..., 2:6] = 0
    edges = functional.conv2d(image, torch.tensor([[[[1.0, -1.0]]]]))
    module = archdsl.load(HERE / "edge_kernel.arch").build(seed=seed)
    (kernel,) = module.parameters()
    if start is not None:
        kernel.data = torch.tensor(start).view(kernel.shape)
    began, losses = _numbers(kernel), []
    optimizer = torch.optim.SGD([kernel], lr=RATE)
    for _ in range(STEPS):
        loss = ((module(image) - edges) ** 2).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Learned(began, _numbers(kernel), losses)


def drawn(found: Sequence[Learned]) -> Figure:
    """The loss over the steps, from each start; the lecture's as points."""
    figure = Figure(figsize=(5, 2.8), layout="constrained")
    axes = figure.add_subplot()
    for number, one in enumerate(found):
        ours = number == 0
        name = "from the lecture's start" if ours else "from random starts" if number == 1 else None
        colour = COLOURS[0] if ours else "#999999"
        axes.semilogy(range(1, STEPS + 1), one.losses, color=colour, label=name, zorder=2.2 if ours else 2.1)
    axes.plot(range(2, STEPS + 1, 2), LECTURE, "o", color=COLOURS[1], label="printed in the lecture", zorder=3)
    axes.set_xlabel("step")
    axes.set_ylabel("squared error, summed")
    axes.set_axisbelow(True)
    axes.grid(color="#E0E0E0", linewidth=0.6)
    axes.legend(frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> list[Learned]:
    """Learns it from the lecture's start and from random ones, and tells how the losses fall."""
    extent = asked(__doc__ or "", name="edge_kernel", epochs=STEPS, seeds=5, argv=argv)
    found = [learn(0, START), *(learn(seed) for seed in range(extent.seeds))]
    print("start              losses at steps 2, 4, 6, 8, 10                kernel")
    for one in found:
        print(_row(one.start), " ".join(f"{loss:9.4f}" for loss in one.losses[1::2]), " ", _row(one.end))
    print(f"\ntorch {torch.__version__}")
    keep(drawn(found), extent.folder)
    return found


def _numbers(kernel: Tensor) -> list[float]:
    return [float(number) for number in kernel.detach().flatten()]


def _row(kernel: Sequence[float]) -> str:
    return " ".join(f"{number:8.4f}" for number in kernel)


if __name__ == "__main__":
    main()
