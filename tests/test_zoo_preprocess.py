"""What images go through is what torchvision's published weights were made for."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from test_specs import network
from zoo import CLASSIFICATION, unfilled

# torchvision's ImageClassification, where weights don't say otherwise.
PRESET = {
    "resize_size": 256,
    "interpolation": "BILINEAR",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
# Whose modules turn that into the range from -1 to 1 where they have published weights (`transform_input`).
FROM_MINUS_ONE = {"mean": (0.5,) * 3, "std": (0.5,) * 3}


def published(name: str) -> list[dict[str, Any]]:
    """The settings that torchvision prepares images with, for each of a network's published weights."""
    family = vars(sys.modules[type(unfilled(name)).__module__])
    (weights,) = (kind for key, kind in family.items() if key.lower() == f"{name}_weights")
    turned = FROM_MINUS_ONE if name in ("googlenet", "inception_v3") else {}
    settings = [PRESET | one.value.transforms.keywords | turned for one in weights]
    return [one | {"interpolation": getattr(one["interpolation"], "name", one["interpolation"])} for one in settings]


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_images_are_prepared_as_for_published_weights(name: str) -> None:
    ours = network(name).net.preprocess
    assert {
        "crop_size": ours["crop"],
        "resize_size": ours["resize"],
        "interpolation": ours.get("interpolation", "bilinear").upper(),
        "mean": ours["mean"],
        "std": ours["std"],
    } in published(name)
