"""Receptive fields equal the extents of gradients: which inputs an output position depends on."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analysis.receptive import MAX_PERIOD, Axis, Field, Fields, Receptive, receptive
from archdsl.ir import Net
from archdsl.ops.base import GLOBAL, UNKNOWN


def field_of(net: Net) -> Field:
    """The field of the main result."""
    fields = Fields(net)
    return fields.inside(net.scope, (fields.input,))[net.scope.results[0]]


def told(text: str, **options: Any) -> Receptive | str:
    return receptive(field_of(archdsl.loads(text, **options).net))


def seen(field: Field, position: int) -> tuple[int, int]:
    """The first and last input position that an output position of a 1-d network sees."""
    assert not isinstance(field, str)
    (axis,) = field
    return seen_by(axis, position)


def seen_by(axis: Axis, position: int) -> tuple[int, int]:
    """The first and last input position that an output position sees along an axis."""
    times, rest = divmod(position, axis.period)
    return axis.lows[rest] + times * axis.slope, axis.highs[rest] + times * axis.slope


def extents(module: nn.Module, length: int) -> list[tuple[int, int] | None]:
    """For each output position the first and last input on which it depends, by gradients with all weights 1."""
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1)
    image = torch.ones(1, 1, length, dtype=torch.float64, requires_grad=True)
    output = module(image)
    found: list[tuple[int, int] | None] = []
    for position in range(output.shape[-1]):
        (gradient,) = torch.autograd.grad(output[..., position].sum(), image, retain_graph=True)
        touched = gradient[0, 0].nonzero().flatten().tolist()
        found.append((touched[0], touched[-1]) if touched else None)
    return found


# Bodies of networks on a line of 61 numbers; no maximum, whose gradient reaches one input only.
BODIES = {
    "chain": """
  conv 3, 2, stride 2, pad 1
  conv 5, 2, dilation 2
  avgpool 2
  conv 3, 1
""",
    "branches": """
  conv 3, 2, pad 1
  concat
    - conv 1, 2
    - conv 3, 2, pad 1 -> conv 3, 2, pad 1
    - conv 5, 2, pad 2
  conv 3, 1, stride 2
""",
    "lopsided": """
  pad 3, 0, along length
  conv 4, 1
""",
    "residual": """
  conv 3, 4, stride 2, pad 1
  residual
    conv 3, 4, pad 1
    relu
    conv 3, 4, pad 1
  residual
    conv 3, 6, stride 2, pad 1
  shortcut
    conv 1, 6, stride 2
""",
    "loop": """
  conv 3, 2, pad 1
  group
    repeat 7
      residual
        conv 3, 2, pad 1
        conv 2, 2
        pad 1, 0, along length
  conv 3, 2, stride 2
""",
    "transposed": """
  conv 3, 2, stride 2, pad 1
  conv_transpose 4, 2, stride 2, pad 1
  conv 3, 1, pad 1
""",
    "transposed with holes": """
  conv_transpose 1, 2, stride 3
  conv 3, 1
""",
    "transposed, dilated": """
  conv_transpose 3, 2, stride 2, dilation 2, pad 1
  conv 3, 1, stride 3
""",
    "transposed by three": """
  conv_transpose 5, 2, stride 3, pad 1, output_pad 1
  conv 2, 1, stride 2
  conv_transpose 2, 2, stride 2
""",
    "up and down again": """
  a: conv 3, 2, stride 2
  b: conv 3, 2, stride 2, pad 1
  c: conv_transpose 2, 2, stride 2
  d: concat
    - conv 3, 2, pad 1
    - from a
  e: conv_transpose 4, 2, stride 2, pad 1
  f: conv 3, 1
""",
    "upsampled": """
  conv 3, 2, stride 2, pad 1
  upsample scale 2
  conv 3, 1
""",
    "interpolated": """
  conv 3, 2, stride 2, pad 1
  upsample scale 2, mode bilinear
  conv 2, 1
  upsample scale 3, mode bilinear
""",
}


@pytest.mark.parametrize("body", BODIES)
def test_fields_are_the_extents_of_gradients(body: str) -> None:
    network = archdsl.loads(f"net small\n  input 1x61{BODIES[body]}")
    field = field_of(network.net)
    for position, found in enumerate(extents(network.build(), 61)):
        low, high = seen(field, position)
        low, high = max(low, 0), min(high, 60)
        assert found == ((low, high) if low <= high else None)


def test_size_stride_and_pad_of_known_networks() -> None:
    """Sums of (kernel - 1) * stride before it: 11 behind the stem, then 3x3 convolutions at strides of 4 to 32."""
    text = "net plain\n  input 3x64x64\n  conv 7x7, 8, stride 2, pad 3\n  maxpool 3x3, stride 2, pad 1\n"
    assert told(text) == Receptive((11, 11), (Fraction(4), Fraction(4)), (5, 5))
    layers = {layer["path"]: layer for layer in archdsl.load("resnet50").to_json()["layers"]}
    last = layers["layer4.{1..2}.~relu3"]
    assert last["receptive_field"] == [n := 11 + 3 * 8 + 8 + 3 * 16 + 16 + 5 * 32 + 32 + 2 * 64, n]
    assert last["effective_stride"] == [32, 32]
    layers = {layer["path"]: layer for layer in archdsl.load("vgg16").to_json()["layers"]}
    assert layers["features.30"]["receptive_field"] == [212, 212]


def test_axes_are_told_apart() -> None:
    text = "net wide\n  input 3x64x64\n  conv 1x7, 8, stride 1x2\n  conv 3x1, 8\n"
    assert told(text) == Receptive((3, 7), (Fraction(1), Fraction(2)), (0, 0))


def test_a_million_iterations_are_told_in_closed_form() -> None:
    text = "net deep\n  input 2x64\n  group\n    repeat {n}\n      conv 3, 2, pad 1\n"
    for n in (1, 2, 3, 10, 1_000_000):
        assert told(text.format(n=n)) == Receptive((2 * n + 1,), (Fraction(1),), (n,))


def test_a_loop_that_keeps_its_size_by_going_down_and_up() -> None:
    text = "net waves\n  input 2x64\n  repeat {n}\n    conv 2, 2, stride 2\n    conv_transpose 2, 2, stride 2\n"
    for n in (1, 2, 9, 1_000):
        # Each pair of positions sees just itself.
        assert told(text.format(n=n)) == Receptive((2,), (Fraction(1),), (0,))


def test_what_sees_everything_and_what_cannot_be_told() -> None:
    assert told("net small\n  input 3x8x8\n  conv 3x3, 4\n  avgpool to 1x1\n") == GLOBAL
    assert told("net small\n  input 3x8x8\n  flatten\n  linear 4\n") == GLOBAL
    assert told("net small\n  input 3x8x8\n  conv_transpose 2000x2000, 1, stride 2000\n") == UNKNOWN


def test_folded_layers_have_the_field_of_their_last() -> None:
    for name in ("resnet50", "googlenet"):
        network = archdsl.load(name)
        unfolded = {layer["path"]: layer for layer in network.to_json(full=True)["layers"]}
        for layer in network.to_json()["layers"]:
            path = layer["path"]
            if "{" in path:
                head, _, tail = path.partition("{")
                path = head + tail.partition("..")[2].replace("}", "", 1)
            assert layer["receptive_field"] == unfolded[path]["receptive_field"]


def test_maps_side_by_side_have_no_one_field() -> None:
    """Behind the seam a position sees elsewhere than before it."""
    seam = "concat along height\n    - skip\n    - a: conv 3x3, 3, pad 1\n"
    spec = f"net small\n  input 3x8x8\n  {seam}  b: conv 3x3, 4\n"
    assert told(spec) == UNKNOWN


def test_fields_are_told_up_to_a_number_of_positions_that_differ() -> None:
    text = "net wide\n  input 1x4\n  conv_transpose 1, 1, stride {}\n"
    assert MAX_PERIOD == 256
    assert told(text.format(256)) == Receptive((1,), (Fraction(1, 256),), (0,))
    assert told(text.format(257)) == UNKNOWN
    # One after the other, they make 3 * 64 positions that differ, and 5 * 64.
    assert told(text.format(64) + "  conv_transpose 1, 1, stride 3\n") != UNKNOWN
    assert told(text.format(64) + "  conv_transpose 1, 1, stride 5\n") == UNKNOWN


def test_a_loop_that_strides_on_a_map_of_fixed_size_is_not_told() -> None:
    """What it sees would double with each of a million iterations."""
    text = "net deep\n  input 1x61\n  avgpool to 8\n  repeat {}\n    pad 4, 4, along length\n    conv 2, 1, stride 2\n"
    assert told(text.format(1)) == GLOBAL
    assert told(text.format(1_000_000)) == UNKNOWN
