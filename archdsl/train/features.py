"""What the layers of a network make of an image: their feature maps, and the first filters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archdsl.compiler import Network
from archdsl.failure import WrongUsage
from archdsl.ir import Net, leaves
from archdsl.runtime import images as image_files
from archdsl.runtime.preprocess import Preprocess
from archdsl.taps.find import paths

MOST = 40  # layers in one picture


class Layer(NamedTuple):
    """What a step gives for one image, without the batch: a vector, or (maps, height, width); float32 on the CPU.

    kind: the step's operation, none for a block. shape: as the step gives it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    values: Tensor


class Seen(NamedTuple):
    """image: uint8 (channels, height, width). filters: name and (out, in, height, width) of the first convolution."""

    image: Tensor
    filters: tuple[str, Tensor] | None
    layers: tuple[Layer, ...]


def features(
    network: Network,
    path: Path,
    *,
    images: Preprocess,
    weights: str | Path | None = None,
    layers: Sequence[str] | None = None,
) -> Seen:
    """What the steps of a network make of an image file.

    images: what it goes through. weights: drawn, by the seed 0, without a file. layers: the names of steps; without
    them all layers, or the parts around them where they are more than a picture can show. Raises WrongUsage, Failure.
    """
    names = list(layers or shown(network.net))
    image_files.check([path])
    picture = image_files.read(path, images.channels)
    cut = network.at(*names)
    module = cut.build(weights=weights, seed=0).eval()
    with torch.inference_mode():
        outputs: Any = module(images(picture, path)[None])
    values = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    kinds = {leaf.path: leaf.step.op.name for leaf in leaves(network.net.scope)}
    found = [
        _layer(name, kinds.get(name, ""), value, cut.net, number)
        for number, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    filters = next(((key, one) for key, one in module.state_dict().items() if _is_filter(key, one)), None)
    return Seen(images.pixels(picture, path), filters, tuple(found))


def shown(net: Net) -> list[str]:
    """The steps that one picture has room for: all layers, or the parts that they make up, as deep as they fit.

    Raises WrongUsage where even the outermost are too many.
    """
    every = list(paths(net.scope))
    around = {path.rpartition(".")[0] for path in every}
    layers = [path for path in every if path not in around]
    for depth in range(max(path.count(".") for path in layers) + 1, 0, -1):
        parts = list(dict.fromkeys(".".join(path.split(".")[:depth]) for path in layers))
        if len(parts) <= MOST:
            return parts
    message = f"`{net.name}` has {len(parts):,} steps, and a picture has room for {MOST}"
    raise WrongUsage(message, help="name some: `--layers conv1,layer2`")


def _layer(name: str, kind: str, value: Tensor, net: Net, number: int) -> Layer:
    """The values of the image, its channels first."""
    values = value[0].float()
    axes = net.scope.shapes[net.scope.results[net.outputs[number].result]].axes
    if "channels" in axes and len(axes) == values.dim():
        values = values.movedim(axes.index("channels"), 0)
    if values.dim() == 2:  # channels and tokens, or a length: a picture of its own
        values = values[None]
    while values.dim() > 3:  # of a volume, the slice in the middle
        values = values[:, values.shape[1] // 2]
    return Layer(name, kind, tuple(value.shape[1:]), values)


def _is_filter(key: str, tensor: Tensor) -> bool:
    return key.endswith("weight") and tensor.dim() == 4 and max(tensor.shape[2:]) > 1
