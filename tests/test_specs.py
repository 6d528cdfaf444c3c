"""The shipped networks are the published ones: names, shapes, numbers, and, with the same weights, the same outputs."""

from __future__ import annotations

from functools import cache

import pytest
from network_facts import macs, output, params, shape_at, torchinfo_macs, weights
from zoo import REFERENCE

import archdsl
from archdsl import library
from archdsl.analysis.checks import network_requirements
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError
from archdsl.source import Source
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read, read_file

# Parameters, from the papers that print them and from the source documents' tables.
PARAMS = {
    "lenet": 61_706,
    "nin_cifar": 1_589_926,
    "se_resnet50": 28_088_024,
    "unet": 31_037_698,
    "xception": 22_855_952,  # Chollet 2017, table 3
}


@cache
def network(name: str) -> Network:
    return archdsl.load(name)


def test_every_shipped_spec_is_proved_here() -> None:
    """Those in folders belong to the documents that they are from, and are proved there."""
    assert {path.stem for path in library.folder().glob("*.yaml")} <= {*REFERENCE, *PARAMS}


@pytest.mark.parametrize("name", library.names())
def test_a_spec_tells_what_it_is(name: str) -> None:
    net = network(name).net
    assert net.name == name
    assert net.about
    assert "," in net.about  # the authors and the year


@pytest.mark.parametrize("name", library.names())
def test_a_spec_is_laid_out_as_fmt_does_it_and_converts_without_loss(name: str) -> None:
    path = library.find(name)
    spec = read_file(path)
    assert print_yaml(spec) == path.read_text()
    there = read(Source("spec.arch", print_text(spec)))
    assert there == spec
    assert read(Source("spec.yaml", print_yaml(there))) == spec


def _elements(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


@pytest.mark.parametrize(("name", "expected"), PARAMS.items())
def test_totals_of_the_others(name: str, expected: int) -> None:
    assert params(network(name).net) == expected


def test_nin_has_the_mult_adds_of_the_source_document() -> None:
    assert torchinfo_macs(network("nin_cifar").net) == 159_426_198


def test_nin_has_the_rows_of_the_source_document() -> None:
    net = network("nin_cifar").net
    rows = {
        "model.0.0": (2_688, (96, 32, 32)),
        "model.0.2": (9_312, (96, 32, 32)),
        "model.0.4": (9_312, (96, 32, 32)),
        "model.2.0": (221_440, (256, 15, 15)),
        "model.2.2": (65_792, (256, 15, 15)),
        "model.2.4": (65_792, (256, 15, 15)),
        "model.4.0": (885_120, (384, 7, 7)),
        "model.4.2": (147_840, (384, 7, 7)),
        "model.4.4": (147_840, (384, 7, 7)),
        "model.7.0": (34_570, (10, 3, 3)),
        "model.7.2": (110, (10, 3, 3)),
        "model.7.4": (110, (10, 3, 3)),
    }
    found = weights(net)
    assert {key.rsplit(".", 1)[0] for key in found} == set(rows)
    for path, (count, shape) in rows.items():
        assert sum(_elements(size) for key, size in found.items() if key.startswith(f"{path}.")) == count
        assert shape_at(net, path) == shape


def test_lenet_has_the_shapes_of_the_source_document() -> None:
    net = network("lenet").net
    found = [shape_at(net, f"net.{k}") for k in (0, 2, 3, 5, 6, 7, 9, 11)]
    assert found == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (400,), (120,), (84,), (10,)]


def test_vgg16_has_the_rows_of_the_source_document() -> None:
    """The document gives a pool 65,664 parameters, and hence a total of 138,423,208 where it is 138,357,544."""
    counts = [_elements(shape) for key, shape in weights(network("vgg16").net).items() if key.endswith(".weight")]
    biases = [_elements(shape) for key, shape in weights(network("vgg16").net).items() if key.endswith(".bias")]
    assert [count + bias for count, bias in zip(counts, biases, strict=True)] == [
        *(1_792, 36_928, 73_856, 147_584, 295_168, 590_080, 590_080, 1_180_160, 2_359_808, 2_359_808),
        *(2_359_808, 2_359_808, 2_359_808, 102_764_544, 16_781_312, 4_097_000),
    ]


def test_squeeze_and_excitation_costs_what_the_paper_says() -> None:
    """Hu et al. 2018, section 4: about 2.5 million parameters more, and 3.87 GFLOPs instead of 3.86."""
    gated = network("se_resnet50").net
    assert round((params(gated) - params(network("resnet50").net)) / 1e6, 1) == 2.5
    blocks = [(3, 256, 56), (4, 512, 28), (6, 1024, 14), (3, 2048, 7)]
    layers = sum(count * 2 * channels**2 // 16 for count, channels, _ in blocks)
    assert round((macs(gated) - layers) / 1e9, 2) == 3.86
    # The paper counts the mean and the product too, an operation each for every number of the map.
    pooled = sum(count * 2 * channels * side**2 for count, channels, side in blocks)
    assert round((macs(gated) + pooled) / 1e9, 2) == 3.87


def test_unet_gives_a_map_of_the_inputs_size() -> None:
    net = network("unet").net
    assert output(net) == (2, 256, 256)
    assert shape_at(net, "bottom.5") == (1024, 16, 16)
    assert weights(net)["up4.weight"] == (1024, 512, 2, 2)


@pytest.mark.parametrize("name", ["resnet101", "resnet152", "resnet34", "densenet201"])
def test_a_deeper_network_is_five_lines(name: str) -> None:
    assert len(library.find(name).read_text().splitlines()) <= 5


def test_googlenet_is_sixty_lines() -> None:
    assert len(library.find("googlenet").read_text().splitlines()) <= 60


def test_googlenet_has_side_heads_in_training_only() -> None:
    net = network("googlenet").net
    assert [(one.name, one.mode) for one in net.outputs] == [
        ("logits", "always"),
        ("aux_logits2", "training"),
        ("aux_logits1", "training"),
    ]
    without = archdsl.load("googlenet", aux=False).net
    assert [one.name for one in without.outputs] == ["logits"]
    assert params(without) == 6_624_904  # torchvision's published number
    assert net.train["loss"] == {"aux_logits1": 0.3, "aux_logits2": 0.3}


@pytest.mark.parametrize("name", ["lenet", "resnet18", "googlenet"])
def test_a_recipe_says_what_training_needs(name: str) -> None:
    recipe = network(name).net.train
    assert {"data", "batch", "epochs", "optimizer", "lr"} <= recipe.keys()


def test_lenet_is_fixed_to_its_input() -> None:
    with pytest.raises(SpecError) as refused:
        archdsl.load("lenet", input="1xHxW")
    assert [one.code for one in refused.value.diagnostics] == ["symbolic-weight"]


@pytest.mark.parametrize(("name", "side", "above"), [("nin_cifar", 15, True), ("unet", 16, False)])
def test_the_smallest_input_is_known_without_trying(name: str, side: int, above: bool) -> None:
    known = network_requirements(archdsl.load(name, input="3xHxW").net)
    assert known.smallest == {"H": side, "W": side}
    assert known.all_above == above
    assert known.rules == (() if above else ("H must be a multiple of 16", "W must be a multiple of 16"))
    archdsl.load(name, input=f"3x{side}x{side}")
    with pytest.raises(SpecError) as refused:
        archdsl.load(name, input=f"3x{side - 1}x{side - 1}")
    assert refused.value.diagnostics[0].code in ("empty-output", "window-too-large", "shape-mismatch")
