"""The shipped networks that torchvision has too: names, shapes and numbers, without running anything."""

from __future__ import annotations

from math import prod

import pytest
from network_facts import buffers, macs, output, params, state_dict
from test_specs import network
from zoo import CLASSIFICATION, REFERENCE, unfilled

import archdsl


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_names_and_shapes_are_those_of_torchvision(name: str) -> None:
    ours = state_dict(network(name).net)
    theirs = {key: tuple(tensor.shape) for key, tensor in unfilled(name).state_dict().items()}
    assert ours == theirs


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_totals_are_those_of_torchvision(name: str) -> None:
    net, known = network(name).net, REFERENCE[name]
    assert params(net) == known["params"]
    assert sum(prod(shape) for shape in buffers(net).values()) == known["buffer_elements"]
    assert macs(net) == known["macs"]
    assert output(net) == (1000,)
    assert [net.sizes["H"], net.sizes["W"]] == known["input"][1:]


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_gigamacs_are_the_published_ones(name: str) -> None:
    known = REFERENCE[name]
    at_crop = archdsl.load(name, input=f"3x{known['crop']}x{known['crop']}")
    assert f"{int(str(at_crop.cost().macs)) / 1e9:.3f}" == f"{known['giga_macs']:.3f}"
