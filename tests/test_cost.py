"""Parameters, buffers and MACs equal those of PyTorch, torchvision's tables and the documents' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import Convention, Cost, Costs
from archdsl.analysis.state import MAX_KEYS, key_count, state_dict
from archdsl.diagnostics import SpecError
from archdsl.dims import at

SHIPPED = ("alexnet", "densenet121", "googlenet", "lenet", "nin_cifar", "resnet18", "resnet50", "unet", "vgg16")


def cost(name: str, macs: Convention = "exact") -> Cost:
    net = archdsl.load(name).net
    return Costs(net, macs).of_scope(net.scope)


def text_cost(text: str, macs: Convention = "exact", **options: Any) -> Cost:
    net = archdsl.loads(text, **options).net
    return Costs(net, macs).of_scope(net.scope)


@pytest.mark.parametrize("name", SHIPPED)
def test_totals_equal_those_of_the_module(name: str) -> None:
    network = archdsl.load(name)
    module = network.build(device="meta").eval()
    image = torch.zeros(1, *(at(size, network.net.sizes) for size in network.net.input.sizes), device="meta")
    with FlopCounterMode(display=False) as counter:
        module(image)
    found = cost(name)
    assert found.params == sum(parameter.numel() for parameter in module.parameters())
    assert found.buffers == sum(buffer.numel() for buffer in module.buffers())
    assert 2 * found.macs == counter.get_total_flops()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_state_dict_is_the_modules(name: str) -> None:
    network = archdsl.load(name)
    module = network.build(device="meta")
    state = state_dict(network.net)
    assert state is not None
    expected = {key: (tuple(tensor.shape), str(tensor.dtype)) for key, tensor in module.state_dict().items()}
    assert {key: (entry.shape, f"torch.{entry.dtype}") for key, entry in state.items()} == expected
    assert list(state) == list(expected)
    assert {key for key, entry in state.items() if entry.parameter} == {key for key, _ in module.named_parameters()}


def test_heads_for_training_count_apart() -> None:
    with_heads, without = cost("googlenet"), archdsl.load("googlenet", aux=False).net
    plain = Costs(without).of_scope(without.scope)
    assert with_heads.macs == plain.macs
    assert plain.training_macs == 0
    # Two heads: a 1x1 convolution at 4x4, and two linear layers.
    heads = sum(16 * channels * 128 + 2048 * 1024 + 1024 * 1000 for channels in (512, 528))
    assert with_heads.training_macs == heads
    assert with_heads.params > plain.params


def test_torchinfos_convention_gives_the_documents_number() -> None:
    assert cost("nin_cifar", "torchinfo").macs == 159_426_198


VGG11_CIFAR = """
default conv  pad 1
net vgg11
  input 3x32x32
  for n, c in [[1, 64], [1, 128], [2, 256], [2, 512], [2, 512]]
    repeat n
      conv 3x3, c
      relu
    maxpool 2x2
  flatten
  linear 512
  relu
  linear 512
  relu
  linear 10
"""


def test_torchinfos_convention_on_convolutions_and_linear_layers() -> None:
    found = text_cost(VGG11_CIFAR, "torchinfo")
    assert (found.params, found.macs) == (9_750_922, 153_446_410)


def test_torchinfo_counts_a_norms_parameters_once() -> None:
    text = "net small\n  input 3x8x8\n  conv 3x3, 4, pad 1\n  batchnorm\n"
    assert text_cost(text, "torchinfo").macs == (3 * 9 * 4 + 4) * 64 + 8
    assert text_cost(text).macs == 3 * 9 * 4 * 64


LOOP = """
net loop
  input 8x16x16
  repeat {times}
    residual
      conv 3x3, 8, pad 1
      batchnorm
"""


def test_a_loop_costs_what_its_iterations_cost() -> None:
    one, many = text_cost(LOOP.format(times=1)), text_cost(LOOP.format(times=1_000_000))
    assert many == tuple(1_000_000 * number for number in one)


def test_too_many_keys_are_none() -> None:
    net = archdsl.loads(LOOP.format(times=1_000_000)).net
    assert key_count(net.scope) == 7 * 1_000_000
    assert state_dict(net) is None
    fits = archdsl.loads(LOOP.format(times=MAX_KEYS // 7)).net
    state = state_dict(fits)
    assert state is not None
    assert len(state) == key_count(fits.scope) == MAX_KEYS // 7 * 7


def test_what_never_runs_has_weights_but_no_macs() -> None:
    text = "net small\n  input 4\n  a: linear 3\n  unused b: linear 5\n"
    net = archdsl.loads(text).net
    assert Costs(net).of_scope(net.scope) == (4 * 3 + 3 + 3 * 5 + 5, 0, 12, 0)
    state = state_dict(net)
    assert state is not None
    assert list(state) == ["a.weight", "a.bias", "b.weight", "b.bias"]


def test_a_bare_parameter_comes_before_the_modules() -> None:
    text = "net gate\n  input 4\n  a: linear 4\n  multiply\n    - skip\n    - scale: parameter [4]\n"
    state = state_dict(archdsl.loads(text).net)
    assert state is not None
    assert list(state) == ["scale", "a.weight", "a.bias"]


def test_two_iterations_with_one_key_are_refused() -> None:
    text = "net twice\n  input 8x8x8\n  repeat 9\n    a{2*i}: conv 1x1, 8\n    a{i+5}: conv 1x1, 8\n"
    with pytest.raises(SpecError) as caught:
        archdsl.loads(text)
    assert [found.code for found in caught.value.diagnostics] == ["key-clash"]


def test_iterations_with_other_keys_are_not() -> None:
    text = "net twice\n  input 8x8x8\n  repeat 9\n    a{2*i}: conv 1x1, 8\n    a{2*i+5}: conv 1x1, 8\n"
    state = state_dict(archdsl.loads(text).net)
    assert state is not None
    assert len(state) == 2 * 2 * 9


def test_symbolic_sizes_stay_symbolic() -> None:
    text = "net small\n  input 3xHxW\n  conv 3x3, 4, stride 2, pad 1\n"
    found = text_cost(text)
    assert isinstance(found.params, int)
    assert str(found.macs) == "108*⌈H/2⌉*⌈W/2⌉"
    for side in (1, 2, 5, 32):
        concrete = text_cost(text, input=f"3x{side}x{side + 3}")
        assert concrete.macs == at(found.macs, {"H": side, "W": side + 3})
