"""Receptive fields of random specs: which inputs an output position depends on, found by spoiling inputs."""

from __future__ import annotations

import torch
from test_receptive import seen_by
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from archdsl.analysis.receptive import Fields
from archdsl.compiler import Network
from archdsl.dims import at
from archdsl.ir import OpStep, leaves
from archdsl.ops.base import Tiles
from archdsl.ops.channels import Chunk
from archdsl.ops.resize import PadOp, PixelShuffle, Upsample
from archdsl.shape import SPATIAL

# How many numbers of all the spoilt images together are run at most.
NUMBERS = 200_000
Extents = list[tuple[int, int] | None]


def fields_agree(network: Network) -> bool:
    """Each output position depends on the inputs from the first to the last that its field says, and no further.

    Slice by slice the image is made NaN; what becomes NaN depends on it. A gradient would do, were there no steps
    whose gradient is zero at places: maxima, rectifiers. The statistics of norms, which see the whole map, don't count.
    Attention multiplies what it masks with nothing, or nearly, and interpolation what lies exactly a grid step away:
    there the slice gets other numbers instead, and what stays as it is may still be in the field. So it is where
    channels become positions, or some of them are taken, since a field is that of all channels.
    """
    net = network.net
    fields = Fields(net)
    field = fields.inside(net.scope, (fields.input,))[net.scope.results[0]]
    result = net.scope.shapes[net.scope.results[0]]
    sizes = [int(at(size, net.sizes)) for size in net.input.sizes]
    if isinstance(field, str) or not field or max(sizes[1:]) * torch.Size(sizes).numel() > NUMBERS:
        return False
    exact = not any(_sees_less(leaf.step) for leaf in leaves(net.scope))
    filled = any(isinstance(leaf.step.op, PadOp) and leaf.step.op.mode != "zeros" for leaf in leaves(net.scope))
    module = network.build().double().eval()
    for part in module.modules():
        if isinstance(part, (nn.GroupNorm, _NormBase)):
            part.register_forward_hook(lambda part, inputs, output: inputs[0])
    compared = 0
    for place, axis in enumerate([axis for axis in result.axes if axis in SPATIAL]):
        found = _extents(_spoilt(network, module, sizes, place + 1, exact), result.axes.index(axis) + 1)
        for position, touched in enumerate(found):
            low, high = seen_by(field[place], position)
            told = f"{axis}: {position} sees {touched}, not {(low, high)}"
            # At the border there are positions on the way that don't exist, and so reach nothing, or another part of
            # the image that a padding mode puts there.
            if exact and 0 <= low <= high < sizes[place + 1]:
                compared += 1
                assert touched == (low, high), told
            elif not filled:
                assert touched is None or low <= touched[0] <= touched[1] <= high, told
    return compared > 0


def _sees_less(step: OpStep) -> bool:
    interpolates = isinstance(step.op, Upsample) and step.op.mode in ("bilinear", "bicubic")
    return interpolates or isinstance(step.op, (Chunk, PixelShuffle)) or isinstance(step.facts.window, Tiles)


def _spoilt(network: Network, module: nn.Module, sizes: list[int], place: int, exact: bool) -> torch.Tensor:
    """For each slice along an axis of the image: where the result is another with that slice spoilt."""
    images = torch.rand(sizes, dtype=torch.float64).repeat(sizes[place] + 1, *[1] * len(sizes))
    for position in range(sizes[place]):
        part = images[position].select(place, position)
        part.copy_(torch.full_like(part, torch.nan) if exact else torch.rand_like(part))
    with torch.no_grad():
        output = module(images)
    names = [one.name for one in network.net.outputs if one.mode in ("always", "eval")]
    result: torch.Tensor = output if len(names) == 1 else getattr(output, _main(network))
    if exact:
        return result[:-1].isnan()
    return (result[:-1] - result[-1]).abs() > 1e-9 * result[-1].abs().clamp(min=1)


def _main(network: Network) -> str:
    return next(one.name for one in network.net.outputs if not one.result)


def _extents(spoilt: torch.Tensor, axis: int) -> Extents:
    """For each position along an axis of the result the first and last slice of the image that changes it."""
    others = [other for other in range(1, spoilt.ndim) if other != axis]
    touched = spoilt.amax(others) if others else spoilt
    found = [touched[:, position].nonzero().flatten().tolist() for position in range(touched.shape[1])]
    return [(one[0], one[-1]) if one else None for one in found]
