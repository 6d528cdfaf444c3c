"""The networks, tables and numbers of the documents that archdsl comes from, and what is right where they err."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from network_facts import compiled, output, params, shape_at, weights

import archdsl
from archdsl import library
from archdsl.analysis.checks import network_requirements
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError
from archdsl.failure import Failure

TABLES = Path(__file__).parent / "reference" / "documents"


class Told(NamedTuple):
    """What a document tells of a network, or follows from what it tells."""

    params: int
    input: str
    output: str


# Printed in the documents or computed from them in plain Python; those of He et al., Caffe's models and the theorem's
# network are the published ones.
NETWORKS = {
    "bn_lenet": Told(44_878, "1x28x28", "10"),
    "conv5x5_bottleneck": Told(26_944, "480x14x14", "48x14x14"),
    "conv5x5_direct": Told(576_048, "480x14x14", "48x14x14"),
    "d2l_densenet": Told(758_226, "1x96x96", "10"),
    "d2l_resnet18": Told(11_178_378, "1x96x96", "10"),
    "d2l_vgg11": Told(128_806_154, "1x224x224", "10"),
    "d2l_vgg11_quarter": Told(43_093_322, "1x224x224", "10"),
    "googlenet_2014": Told(13_378_280, "3x224x224", "1000"),
    "googlenet_cifar": Told(7_178_052, "3x32x32", "1024"),
    "googlenet_cifar_listed": Told(7_178_052, "3x128x128", "1024"),
    "inception_naive": Told(64 * 193 + 128 * (9 * 192 + 1) + 32 * (25 * 192 + 1), "192x28x28", "416x28x28"),
    "inception_reduced": Told(163_696, "192x28x28", "256x28x28"),
    "megapixel": Told(10**12, "1x1000x1000", "1x1000x1000"),
    "my_resnet": Told(314_436, "3x224x224", "2"),
    "nin_imagenet": Told(7_595_176, "3x224x224", "1000"),
    "one_hidden_layer": Told(3_001, "1", "1"),
    "plain20": Told(269_722, "3x32x32", "10"),
    "plain56": Told(853_018, "3x32x32", "10"),
    "resnet18_cifar": Told(11_184_650, "3x32x32", "10"),
    "resnet20": Told(269_722, "3x32x32", "10"),
    "resnet56": Told(853_018, "3x32x32", "10"),
    "seide_1x16k": Told(159_491_160, "429", "9304"),
    "seide_1x2k": Told(19_944_536, "429", "9304"),
    "seide_1x3772": Told(36_725_952, "429", "9304"),
    "seide_1x4634": Told(45_116_660, "429", "9304"),
    "seide_2x2k": Told(24_140_888, "429", "9304"),
    "seide_3x2k": Told(28_337_240, "429", "9304"),
    "seide_4x2k": Told(32_533_592, "429", "9304"),
    "seide_5x2k": Told(36_729_944, "429", "9304"),
    "seide_7x2k": Told(45_122_648, "429", "9304"),
    "vgg11_cifar": Told(9_750_922, "3x32x32", "10"),
}
# The documents' tables of layers, as torchinfo counts: the network, and the total of its mult-adds.
MULT_ADDS = {"vgg11_cifar": 153_446_410, "nin_cifar": 159_426_198, "googlenet_cifar": 33_948_996}


@cache
def network(name: str) -> Network:
    return archdsl.load(name)


def side_by_side(sizes: Any) -> str:
    return "x".join(map(str, sizes))


def test_every_spec_in_a_folder_is_proved_here() -> None:
    in_folders = {name for name, path in library.shipped().items() if path.parent != library.folder()}
    assert in_folders == set(NETWORKS)


@pytest.mark.parametrize(("name", "told"), NETWORKS.items())
def test_a_network_is_the_documents(name: str, told: Told) -> None:
    found = network(name).to_json()
    assert found["params"] == told.params
    assert side_by_side(found["inputs"]["input"]) == told.input
    assert side_by_side(next(iter(found["outputs"].values()))) == told.output


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"megapixel"}))
def test_torch_counts_the_same(name: str) -> None:
    built = network(name).build(device="meta")
    assert sum(weight.numel() for weight in built.parameters()) == NETWORKS[name].params
    assert list(built.state_dict()) == list(network(name).to_json()["state_dict"])


@pytest.mark.parametrize("name", MULT_ADDS)
def test_a_table_of_layers_is_the_documents(name: str) -> None:
    """Path, op, output, parameters and mult-adds of each row, and no layer with weights that isn't in the table."""
    found = network(name).to_json(full=True, macs="torchinfo")
    with (TABLES / f"{name}.csv").open(newline="") as lines:
        rows = [tuple(row.values()) for row in csv.DictReader(lines)]
    layers = [layer for layer in found["layers"] if layer["params"]]
    assert [
        (layer["path"], layer["op"], side_by_side(layer["output"]), str(layer["params"]), str(layer["macs"]))
        for layer in layers
    ] == rows
    assert found["macs"] == sum(layer["macs"] for layer in layers) == MULT_ADDS[name]


# Seide et al. 2011: weights without biases.
SEIDE = {
    "seide_1x2k": 19_933_184,
    "seide_2x2k": 24_127_488,
    "seide_3x2k": 28_321_792,
    "seide_4x2k": 32_516_096,
    "seide_5x2k": 36_710_400,
    "seide_1x3772": 36_712_876,
    "seide_7x2k": 45_099_008,
    "seide_1x4634": 45_102_722,
    "seide_1x16k": 159_465_472,
}


@pytest.mark.parametrize(("name", "expected"), SEIDE.items())
def test_deep_and_thin_has_as_many_weights_as_shallow_and_wide(name: str, expected: int) -> None:
    assert network(name).to_json()["macs"] == expected  # a linear layer multiplies once a weight


def test_my_resnet_has_the_shapes_and_the_dead_layer_of_its_lecture() -> None:
    net = network("my_resnet").net
    paths = ("conv1", "layer1.0.conv2", "layer2.0.conv2", "layer2.0.downsample.0", "fc")
    shapes = [(64, 112, 112), (64, 56, 56), (128, 28, 28), (128, 28, 28), (2,)]
    assert [shape_at(net, path) for path in paths] == shapes
    assert params(net) - 258 == 314_178
    by_stage = {"conv1": 9_408, "layer1": 74_112, "layer2": 230_400, "fc": 258, "linear": 258}
    found: dict[str, int] = {}
    for key, shape in weights(net).items():
        found[key.split(".")[0]] = found.get(key.split(".")[0], 0) + torch.Size(shape).numel()
    assert found == by_stage
    assert "unused-module" in [one.code for one in network("my_resnet").check()]


def test_lenet_with_batch_norm_has_the_shapes_of_d2l() -> None:
    net = network("bn_lenet").net
    assert [shape_at(net, f"net.{k}")[-1] for k in (0, 3, 4, 7)] == [24, 12, 8, 4]
    assert shape_at(net, "net.8") == (16 * 4 * 4,)


def test_vgg11_has_the_shapes_of_d2l() -> None:
    net = network("d2l_vgg11").net
    pools = ("net.0.2", "net.1.2", "net.2.4", "net.3.4", "net.4.4", "net.5")
    shapes = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7), (25_088,)]
    assert [shape_at(net, path) for path in pools] == shapes
    assert shape_at(network("d2l_vgg11_quarter").net, "net.5") == (6_272,)


def test_resnet18_has_the_names_and_shapes_of_d2l() -> None:
    net = network("d2l_resnet18").net
    shapes = [
        shape_at(net, path) for path in ("net.0.3", "net.b2.1.bn2", "net.b3.1.bn2", "net.b4.1.bn2", "net.b5.1.bn2")
    ]
    assert shapes == [(64, 24, 24), (64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3)]
    assert {"net.b3.0.conv3.weight", "net.b3.0.conv3.bias", "net.last.2.weight"} <= weights(net).keys()
    assert not any(key.startswith(("net.b2.0.conv3", "net.b3.1.conv3")) for key in weights(net))


def test_densenet_halves_its_map_twice_before_the_first_block() -> None:
    """d2l's page forgets the max pool: it prints p/2 where it is p/4."""
    net = network("d2l_densenet").net
    first = [shape_at(net, f"net.dense_blk{k}.net.0.2") for k in (1, 2, 3, 4)]
    assert first == [(32, 24, 24), (32, 12, 12), (32, 6, 6), (32, 3, 3)]
    assert [shape_at(net, f"net.tran_blk{k}.2")[0] for k in (1, 2, 3)] == [96, 112, 120]
    last = [weights(net)[f"net.dense_blk1.net.{k}.0.weight"] for k in range(4)]
    assert last == [(64,), (96,), (128,), (160,)]
    assert weights(net)["net.last.0.weight"] == (248,)


def test_one_bias_a_filter_makes_the_bottleneck_smaller_than_printed() -> None:
    """The lecture prints (480*5*5 + 480)*48 = 599,040 and 15,360 + 19,969 = 35,329: a bias for each input channel."""
    direct, reduced = network("conv5x5_direct").net, network("conv5x5_bottleneck").net
    assert params(direct) == (480 * 5 * 5 + 1) * 48 == 576_048
    assert params(reduced) == 481 * 16 + 401 * 48 == 7_696 + 19_248
    assert round(params(direct) / params(reduced), 2) == 21.38


def test_vgg16s_pool_has_no_parameters() -> None:
    """The lecture's table gives one 65,664 parameters, as if it were a convolution with biases, and so its total."""
    found = archdsl.load("vgg16").to_json()
    assert all(layer["params"] == 0 for layer in found["layers"] if layer["op"] == "maxpool")
    as_a_convolution = params(compiled("net a\n  input 128x112x112\n  pool: conv 2x2, 128, stride 2\n"))
    assert as_a_convolution == 65_664
    assert found["params"] + as_a_convolution == 138_423_208


def test_vgg16_with_cifar_has_eleven_layers() -> None:
    assert sum(layer["params"] > 0 for layer in network("vgg11_cifar").to_json(full=True)["layers"]) == 11


def test_googlenet_for_cifar_has_always_three_outputs_and_no_classifier() -> None:
    found = network("googlenet_cifar").to_json()
    assert found["outputs"] == {"out": [1024], "aux_1": [10], "aux_2": [10]}
    heads = sum(layer["params"] for layer in found["layers"] if layer["path"].startswith("aux_"))
    assert heads == 1_204_500
    assert found["params"] - heads == 5_973_552
    mended = archdsl.load("googlenet_cifar", classifier=True)
    assert params(mended.net) == 7_188_302
    assert output(mended.net) == (10,)
    assert network("googlenet_cifar").net.train["loss"] == {"aux_1": 0.3, "aux_2": 0.3}


def test_the_listed_side_head_of_googlenet_cannot_run_on_a_2x2_map() -> None:
    with pytest.raises(SpecError) as refused:
        archdsl.load("googlenet_cifar_listed", input="3x32x32")
    assert {one.code for one in refused.value.diagnostics} == {"window-too-large"}
    assert "5x5 window on a 2 x 2 map" in str(refused.value)


@pytest.mark.parametrize(("side", "features"), [(112, 128), (113, 512), (128, 512), (160, 512), (161, 1152)])
def test_the_listed_side_head_of_googlenet_gets_512_features_from_113_to_160_pixels(side: int, features: int) -> None:
    net = archdsl.load("googlenet_cifar_listed", input=f"3x{side}x{side}").net
    assert weights(net)["aux_1.fc.0.weight"] == (1024, features)


def test_the_inception_block_of_the_figure() -> None:
    net = network("inception_reduced").net
    assert [weights(net)[f"branch{k}.{last}.weight"][0] for k, last in ((1, 0), (2, 2), (3, 2), (4, 1))] == [
        64,
        128,
        32,
        32,
    ]


def test_a_megapixel_is_told_but_not_built() -> None:
    net = network("megapixel")
    assert "1,000,000,000,000" in net.summary()
    assert net.memory().weights == 4 * 10**12
    with pytest.raises(Failure):
        net.build()


def test_inception_v3_is_a_hundred_lines() -> None:
    assert len(library.find("inception_v3").read_text().splitlines()) <= 100


def test_inception_v3_without_its_side_head_takes_torchvisions_smallest_input() -> None:
    net = archdsl.load("inception_v3", input="3xHxW", aux=False).net
    assert network_requirements(net).smallest == {"H": 75, "W": 75}


# Steps of the documents that are no networks: their shapes and parameters.
D2L = """\
block residual_unit (width, stride = 1)
  residual
    conv1: conv 3x3, width, stride, pad same
    bn1:   batchnorm
    relu
    conv2: conv 3x3, width, pad same
    bn2:   batchnorm
  shortcut
    conv3: conv 1x1, width, stride
  relu
block conv_block (out)
  batchnorm
  relu
  conv 3x3, out, pad same
"""


@pytest.mark.parametrize(
    ("input", "steps", "shape", "count"),
    [
        ("3x6x6", "blk: residual_unit 3", (3, 6, 6), 180),
        ("3x6x6", "blk: residual_unit 6, stride 2", (6, 3, 3), 546),
        ("3x8x8", "dense 2\n    conv_block 10", (23, 8, 8), 1_492),
        ("23x8x8", "batchnorm\n  relu\n  conv 1x1, 10\n  avgpool 2x2", (10, 4, 4), 286),
        ("1x8x8", "conv 3x3, 1, pad 1", (1, 8, 8), 10),
        ("1x8x8", "conv 5x3, 1, pad 2x1", (1, 8, 8), 16),
        ("1x8x8", "conv 3x3, 1, pad 1, stride 2", (1, 4, 4), 10),
        ("1x8x8", "conv 3x5, 1, pad 0x1, stride 3x4", (1, 2, 2), 16),
        ("3x3x3", "conv 1x1, 2, bias no", (2, 3, 3), 6),
        ("64x56x56", "conv 3x3, 64, pad same\n  batchnorm", (64, 56, 56), 37_056),
        ("6x8x8", "batchnorm", (6, 8, 8), 12),
    ],
)
def test_a_step_has_the_documents_shape(input: str, steps: str, shape: tuple[int, ...], count: int) -> None:
    net = compiled(f"{D2L}\nnet a\n  input {input}\n  {steps}\n")
    assert output(net) == shape
    assert params(net) == count


@pytest.mark.parametrize(
    "name", ["bn_lenet", "d2l_vgg11", "d2l_resnet18", "googlenet_cifar", "resnet18_cifar", "vgg11_cifar"]
)
def test_a_recipe_says_what_training_needs(name: str) -> None:
    recipe = network(name).net.train
    assert {"data", "batch", "epochs", "optimizer", "lr"} <= recipe.keys()
    assert recipe["data"] == ("cifar10" if name.endswith("cifar") else "fashion_mnist")
