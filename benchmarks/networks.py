"""The networks that are measured: their spec, and the same one written by hand for the peers.

A network's name is that of a shipped spec, or a kind of growing network with its size: `distinct:1000`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from measure import ROOT, TORCHVISION

REPEATED = """
block bottleneck (width)
  residual
    conv1: conv 1x1, width
    conv2: conv 3x3, width, pad 1
    conv3: conv 1x1, 4*width
  relu
net repeated
  input 3x64x64
  stem: conv 3x3, 256, pad 1
  body:
    repeat {count}
      bottleneck 64
"""

DISTINCT = """
net distinct
  input 3x32x32
  repeat {count}
    conv 3x3, 8 + i, pad 1
"""

VARIANTS = """
block pair (width)
  conv1: conv 1x1, width
  conv2: conv 3x3, width, pad 1
net variants
  input 3x32x32
  repeat {count}
    b{{i}}: pair 8 + i
"""


def branches(count: int) -> str:
    """Branches side by side, each another convolution."""
    lines = [f"    - conv 1x1, {8 + k}" for k in range(count)]
    return "\n".join(["net wide", "  input 8x32x32", "  concat", *lines]) + "\n"


def nested(count: int) -> str:
    """Containers inside one another, with a residual in the innermost."""
    lines = [f"{'  ' * (k + 1)}level{k}:" for k in range(count)]
    inside = "  " * (count + 1)
    return (
        "\n".join(["net nested", "  input 8x32x32", *lines, f"{inside}residual", f"{inside}  conv 3x3, 8, pad 1"])
        + "\n"
    )


def doubling(count: int) -> str:
    """Blocks each of which calls the one before it twice: 2**count convolutions."""
    text = "block b0\n  conv: conv 3x3, 8, pad 1\n"
    text += "".join(f"block b{k}\n  first: b{k - 1}\n  second: b{k - 1}\n" for k in range(1, count + 1))
    return f"{text}net doubling\n  input 8x32x32\n  body: b{count}\n"


def blocks(count: int) -> str:
    """So many blocks, each defined and used once."""
    text = "".join(f"block b{k}\n  conv: conv 3x3, {8 + k % 64}, pad 1\n" for k in range(count))
    return f"{text}net blocks\n  input 8x32x32\n" + "".join(f"  use{k}: b{k}\n" for k in range(count))


# Kind -> the spec of a network of a size.
GROWING: dict[str, Callable[[int], str]] = {
    "equal": lambda count: REPEATED.format(count=count),
    "distinct": lambda count: DISTINCT.format(count=count),
    "variants": lambda count: VARIANTS.format(count=count),
    "branches": branches,
    "nested": nested,
    "doubling": doubling,
    "blocks": blocks,
}


def spec(network: str) -> tuple[str, str]:
    """The text of a network, and the name of its file."""
    kind, _, size = network.partition(":")
    if size:
        return GROWING[kind](int(size)), f"{kind}.arch"
    if network != "densenet201":
        return (ROOT / "specs" / f"{network}.yaml").read_text(), f"{network}.yaml"
    # In one file, so that nothing is read while it is measured.
    lines = (ROOT / "specs" / "densenet121.yaml").read_text().splitlines()
    params = "params: {classes: 1000, growth: 32, layers: [6, 12, 48, 32], drop: 0.0}"
    return "\n".join(params if line.startswith("params:") else line for line in lines), "densenet201.yaml"


def input_of(network: str) -> tuple[int, ...]:
    """The shape of one image, with the batch axis."""
    side = {"equal": 64, "distinct": 32}.get(network.partition(":")[0], 224)
    return (1, 3, side, side)


def module(network: str, device: str = "meta") -> Any:
    """The network in torch, by hand or torchvision's; on the meta device it has no weights."""
    import torch
    from torch import nn

    kind, _, size = network.partition(":")
    with torch.device(device):
        if kind == "distinct":
            channels = [3, *(8 + k for k in range(int(size)))]
            return nn.Sequential(*(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels)))
        if kind == "equal":
            return nn.Sequential(nn.Conv2d(3, 256, 3, padding=1), *(_bottleneck(64) for _ in range(int(size))))
        return torchvision(network)


def torchvision(name: str) -> Any:
    """A model of torchvision, drawn where torch's default device is."""
    if "torchvision" not in sys.modules:
        exec(TORCHVISION, globals())  # noqa: S102 (our own constant)
    import torchvision

    options = {"init_weights": True} if name == "googlenet" else {}
    return getattr(torchvision.models, name)(weights=None, **options)


def _bottleneck(width: int) -> Any:
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(4 * width, width, 1)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1)
            self.conv3 = nn.Conv2d(width, 4 * width, 1)

        def forward(self, x: Any) -> Any:
            return (x + self.conv3(self.conv2(self.conv1(x)))).relu()

    return Bottleneck()


def keras_model(network: str) -> Any:
    """The network in Keras, which draws its weights as it is made."""
    import keras

    kind, _, size = network.partition(":")
    if kind != "distinct":
        return keras.applications.DenseNet201(weights=None)
    tensor = entered = keras.Input((32, 32, 3))
    for k in range(int(size)):
        tensor = keras.layers.Conv2D(8 + k, 3, padding="same")(tensor)
    return keras.Model(entered, tensor)
