"""The four source documents: every number that they print is ours too, but for those that are wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import archdsl


def script() -> ModuleType:
    path = Path(archdsl.__file__).parents[1] / "scripts" / "make_document_pages.py"
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


documents = script()

# What no document prints and the reference of the project computes independently of us.
TOTALS = {
    "my_resnet": 314_436,
    "bn_lenet": 44_878,
    "lenet": 61_706,
    "d2l_vgg11": 128_806_154,
    "d2l_vgg11_quarter": 43_093_322,
    "d2l_resnet18": 11_178_378,
    "resnet18_cifar": 11_184_650,
    "d2l_densenet": 758_226,
    "vgg16": 138_357_544,
    "vgg11_cifar": 9_750_922,
    "nin_cifar": 1_589_926,
    "googlenet_cifar": 7_178_052,
    "seide_5x2k": 36_729_944,
    "seide_7x2k": 45_122_648,
}


def cells() -> list[Any]:
    return [cell for document in documents.printed() for cell in documents.cells(document) if cell.printed]


def of_layers(cell: Any) -> bool:
    """Whether it is a parameter count or a number of multiply-adds in a table of layers."""
    path, _, field = cell.what.rpartition(" ")
    return field in documents.COLUMNS and " " not in path


def test_the_pages_are_those_that_the_script_makes() -> None:
    made = documents.pages()
    assert {path.name for path in documents.PAGES.glob("*.md")} == set(made)
    for name, text in made.items():
        assert (documents.PAGES / name).read_text(encoding="utf-8") == text, name


@pytest.mark.parametrize("document", ["001", "002", "003", "004"])
def test_a_printed_number_is_ours_unless_a_reason_is_given(document: str) -> None:
    found = [cell for cell in documents.cells(document) if cell.printed]
    assert found or document == "001"
    assert [cell for cell in found if cell.agrees == bool(cell.why)] == []


def test_the_183_numbers_of_the_tables_are_right() -> None:
    """The cells of the three tables of layers, and the numbers of parameters in that of VGG-16, each once."""
    (vgg16,) = (section for section in documents.printed()["004"]["sections"] if section["heading"] == "VGG-16")
    rows = {cell.printed for cell in documents.cells_of("004", vgg16) if cell.agrees and cell.printed != "0"}
    layers = [cell for cell in cells() if of_layers(cell)]
    assert all(cell.agrees for cell in layers)
    assert (len(layers), len(rows), len(layers) + len(rows)) == (2 * (11 + 12 + 63), 11, 183)


def test_the_seven_wrong_numbers_are_wrong() -> None:
    wrong = {cell.printed: cell.ours for cell in cells() if cell.document == "004" and not cell.agrees}
    assert wrong == {
        "65,664": "0",
        "138,423,208": "138,357,544",
        "599,040": "576,048",
        "15,360": "7,696",
        "19,968": "19,248",
        "35,329": "26,944",
        "205,512": "205,312",
    }


def test_the_sizes_of_densenet_are_wrong() -> None:
    wrong = [(cell.document, cell.printed, cell.ours) for cell in cells() if cell.document != "004" and not cell.agrees]
    assert wrong == [("002", "48", "24"), ("002", "24", "12"), ("002", "48", "12")]


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_totals(name: str, total: int) -> None:
    assert archdsl.load(name).cost().params == total


def test_totals_of_multiply_adds_and_of_parts() -> None:
    assert documents.ours("004", "vgg11_cifar macs") == "153,446,410"
    assert documents.ours("004", "nin_cifar macs") == "159,426,198"
    assert documents.ours("004", "googlenet_cifar macs") == "33,948,996"
    assert documents.ours("004", "googlenet_cifar aux_* params") == "1,204,500"
    assert documents.ours("004", "googlenet_cifar?classifier=yes params") == "7,188,302"
    assert documents.ours("001", "seide_5x2k weights") == "36,710,400"
    assert documents.ours("001", "seide_1x3772 weights") == "36,712,876"


@pytest.mark.parametrize(("pixels", "features"), [(112, 128), (113, 512), (160, 512), (161, 1152)])
def test_the_listed_side_head_reads_512_features_from_113_to_160_pixels(pixels: int, features: int) -> None:
    network = archdsl.load("googlenet_cifar_listed", input=f"3x{pixels}x{pixels}")
    (flat,) = (layer for layer in network.to_json(full=True)["layers"] if layer["path"] == "aux_1.~flatten")
    assert flat["output"] == [features]


def test_a_wrong_number_would_be_seen() -> None:
    """A test of the tests."""
    (cell,) = (cell for cell in cells() if cell.what == "model.0.0 params" and cell.printed == "2,688")
    assert cell.agrees
    assert not cell._replace(printed="2,689").agrees


def test_the_rows_of_vgg16_add_up_to_the_wrong_total_only_with_the_pool() -> None:
    (section,) = (section for section in documents.printed()["004"]["sections"] if section["heading"] == "VGG-16")
    *rows, total = (int(cell.printed.replace(",", "")) for cell in documents.cells_of("004", section))
    assert sum(rows) == total == 138_357_544 + 65_664
