"""Channels parted and reordered: the numbers themselves, in every layout, and what stands around such steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analysis.memory import memory
from archdsl.analysis.state import state_dict


def run(body: str, x: torch.Tensor) -> torch.Tensor:
    sizes = "x".join(map(str, x.shape[1:]))
    lines = "\n".join(f"  {line}" for line in body.splitlines())
    out = archdsl.loads(f"net n\n  input {sizes}\n{lines}\n").build()(x)
    assert isinstance(out, torch.Tensor)
    return out


@pytest.mark.parametrize("sizes", [(12,), (12, 5), (12, 5, 4), (12, 2, 3, 4)])
@pytest.mark.parametrize("of", [1, 2, 3, 4])
def test_chunks_side_by_side_are_the_whole(sizes: tuple[int, ...], of: int) -> None:
    x = torch.rand(2, *sizes)
    parts = [run(f"chunk {k}, of {of}", x) for k in range(1, of + 1)]
    assert torch.equal(torch.cat(parts, 1), x)
    assert {part.shape[1] for part in parts} == {12 // of}


def test_a_chunk_of_channels_that_are_last() -> None:
    x = torch.rand(2, 12, 5, 4)
    assert torch.equal(run("layout NHWC\nchunk 2, of 3\nlayout NCHW", x), x[:, 4:8])
    assert torch.equal(run("tokens\nchunk 3, of 3", x), x.flatten(2).transpose(1, 2)[..., 8:])


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 12])
def test_channels_are_shuffled_as_by_pytorch_in_every_layout(groups: int) -> None:
    x = torch.rand(2, 12, 5, 4)
    expected = nn.ChannelShuffle(groups)(x)
    step = f"channel_shuffle {groups}"
    assert torch.equal(run(step, x), expected)
    assert torch.equal(run(f"layout NHWC\n{step}\nlayout NCHW", x), expected)
    assert torch.equal(run(f"tokens\n{step}", x), expected.flatten(2).transpose(1, 2))
    assert torch.equal(run(step, x[:, :, 0, 0]), expected[:, :, 0, 0])


def test_a_chunk_takes_a_number_and_no_key() -> None:
    network = archdsl.loads("net n\n  input 4x8x8\n  conv 3x3, 8\n  chunk 2\n  conv 3x3, 6\n")
    module = network.build()
    assert module.get_parameter("2.weight").shape == (6, 4, 3, 3)
    assert list(state_dict(network.net) or ()) == list(module.state_dict())


def test_an_open_number_of_channels_must_divide() -> None:
    """After `flatten` the channels depend on the size of the input."""
    rules = archdsl.loads("net n\n  input 6xL\n  flatten\n  chunk 1, of 4\n").requirements().rules
    assert rules == ("L must be a multiple of 2",)


def test_a_chunk_keeps_the_whole() -> None:
    """What reads a part keeps all of what it is a part of: a view has no memory of its own."""
    network = archdsl.loads("net n\n  input 4x8x8\n  a: conv 1x1, 8\n  chunk 1\n  b: conv 1x1, 8\n")
    each = 8 * 8 * 4
    assert memory(network.net).activations == 4 * each + 8 * each


@pytest.mark.parametrize("sizes", ["[8, 1, 1]", "[1, 8, 1, 1]"])
def test_the_channels_of_a_parameter_are_found_with_and_without_a_batch_axis(sizes: str) -> None:
    body = f"add\n  - skip\n  - gate: parameter {sizes}, init 0\n    softmax"
    assert torch.equal(run(body, torch.zeros(2, 8, 4, 4)), torch.full((2, 8, 4, 4), 1 / 8))
