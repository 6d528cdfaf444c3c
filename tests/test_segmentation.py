"""The networks for segmentation are torchvision's: names, numbers, both outputs and gradients with the same weights."""

from __future__ import annotations

import sys
from math import prod
from typing import Any

import pytest
import torch
from network_facts import buffers, params, state_dict
from peers import FILES, torchvision_model
from test_zoo_outputs import assert_same_spread
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from zoo import REFERENCE, SEGMENTATION, assert_same_gradients, drawn, ours, unfilled, without_chance

import archdsl
from archdsl import library
from archdsl.syntax.printer import print_yaml
from archdsl.syntax.read import read_file


def published(name: str) -> Any:
    """torchvision's entry for its weights: the figures in `meta`, and the settings of `transforms`."""
    families = (name_of for prefix, name_of in FILES.items() if name.startswith(prefix))
    torchvision_model(name, **arguments(name))  # registers the modules
    known = vars(sys.modules[f"torchvision.models.{next(families)}"])
    (weights,) = (kind for key, kind in known.items() if key.lower() == f"{name}_weights")
    return weights.DEFAULT.value


def arguments(name: str) -> dict[str, Any]:
    """The builder's, for the network with all its heads and no weights from the net."""
    return {"weights_backbone": None} | ({} if name.startswith("lraspp") else {"aux_loss": True})


def theirs_and_ours(name: str) -> tuple[nn.Module, nn.Module]:
    theirs = drawn(unfilled(name, **arguments(name)))
    return theirs, ours(name, theirs)


def image(height: int, width: int) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def by_name(result: Any) -> dict[str, torch.Tensor]:
    if isinstance(result, dict):
        return result
    return {"out": result} if isinstance(result, torch.Tensor) else result._asdict()


def assert_same(got: Any, expected: Any, size: tuple[int, ...]) -> None:
    mine, theirs = by_name(got), by_name(expected)
    assert list(mine) == list(theirs)
    for key, tensor in theirs.items():
        assert tensor.detach().abs().max() > 0.01
        assert torch.equal(mine[key], tensor), key
        assert tuple(tensor.shape[2:]) == size


def test_all_six_are_here() -> None:
    assert len(SEGMENTATION) == 6
    assert set(SEGMENTATION) <= set(library.names())


@pytest.mark.parametrize("name", SEGMENTATION)
def test_names_shapes_and_totals(name: str) -> None:
    net, known = archdsl.load(name).net, REFERENCE[name]
    theirs = {key: tuple(tensor.shape) for key, tensor in unfilled(name, **arguments(name)).state_dict().items()}
    assert state_dict(net) == theirs
    assert params(net) == known["params"]
    assert sum(prod(shape) for shape in buffers(net).values()) == known["buffer_elements"]
    module = archdsl.load(name).build(device="meta")
    assert list(module.state_dict()) == list(theirs)


@pytest.mark.parametrize("name", SEGMENTATION)
def test_macs_are_the_published_ones(name: str) -> None:
    network = archdsl.load(name)
    macs = network.cost().macs
    assert isinstance(macs, int)
    assert f"{macs / 1e9:.3f}" == f"{published(name).meta['_ops']:.3f}"
    with FlopCounterMode(display=False) as counter:
        network.build(device="meta").eval()(torch.empty(1, 3, 520, 520, device="meta"))
    assert counter.get_total_flops() == 2 * macs


@pytest.mark.parametrize("name", SEGMENTATION)
def test_outputs_are_those_of_torchvision(name: str) -> None:
    theirs, mine = theirs_and_ours(name)
    for size in ((64, 64), (65, 47), (33, 90)):
        with torch.no_grad():
            assert_same(mine.eval()(image(*size)), theirs.eval()(image(*size)), size)


@pytest.mark.parametrize("name", SEGMENTATION)
def test_training_is_that_of_torchvision(name: str) -> None:
    theirs, mine = map(without_chance, theirs_and_ours(name))
    x = image(49, 64)
    got, expected = mine(x), theirs(x)
    assert_same(got, expected, (49, 64))
    for one in (got, expected):
        torch.autograd.backward([tensor.square().mean() for tensor in by_name(one).values()])
    assert_same_gradients(mine, theirs)
    statistics = dict(theirs.named_buffers())
    for key, buffer in mine.named_buffers():
        assert torch.equal(buffer, statistics[key]), key


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_fresh_weights_are_spread_as_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    known = torchvision_model(name, **arguments(name)).state_dict()
    for key, weight in archdsl.load(name).build(seed=0).state_dict().items():
        assert_same_spread(key, weight, known[key])


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large"])
def test_without_the_second_head(name: str) -> None:
    """As torchvision builds it where neither weights nor the head are asked for."""
    theirs = drawn(unfilled(name, weights_backbone=None)).eval()
    mine = ours(name, theirs, aux=False).eval()
    with torch.no_grad():
        result = mine(image(40, 56))
        assert isinstance(result, torch.Tensor)
        assert torch.equal(result, theirs(image(40, 56))["out"])


@pytest.mark.parametrize("name", SEGMENTATION)
def test_preprocessing_is_that_of_the_published_weights(name: str) -> None:
    assert dict(archdsl.load(name).net.preprocess) == {
        "resize": published(name).transforms.keywords["resize_size"],
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }


def test_the_backbone_is_a_feature_extractor() -> None:
    outputs = archdsl.load("fcn_resnet50").at("backbone.layer1", "backbone.layer3", "backbone.layer4").outputs
    assert [(output.channels, output.stride) for output in outputs] == [(256, (4, 4)), (1024, (8, 8)), (2048, (8, 8))]


def test_libraries_are_no_networks() -> None:
    assert not {"dilated_resnet", "segmentation_heads"} & {*library.names()}
    with pytest.raises(archdsl.WrongUsage, match="no network is called `dilated_resnet`"):
        archdsl.load("dilated_resnet")
    for path in (library.folder() / library.LIBRARIES).iterdir():
        assert print_yaml(read_file(path)) == path.read_text()
    assert set(library.with_libraries()) >= {"dilated_resnet", "segmentation_heads", "dilated_mobilenet_v3", "resnet50"}
