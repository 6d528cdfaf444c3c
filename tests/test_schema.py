"""The schema against jsonschema, an implementation of the standard of its own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from archdsl import library
from archdsl.schema import schema

RESNET = """
network: resnet50
about: ResNet-50, He et al. 2016, arXiv:1512.03385
params: {classes: 1000, layers: [3, 4, 6, 3]}
input: 3x224x224
defaults:
  conv: pad same, bias no
init:
  conv: weight kaiming_normal(fan_out)
blocks:
  bottleneck (width, stride = 1):
    - defaults: {conv: bias no}
    - residual:
        - conv1: conv 1x1, width
        - relu
      shortcut downsample when stride > 1:
        - conv 1x1, 4*width, stride
    - relu
layers:
  - conv1: {conv: [7x7, 64], stride: 2}
  - maxpool 3x3, stride 2, pad 1
  - let: {wide: 64}
  - for: t c n s
    in: [[1, 16, 1, 1], [6, 24, 2, 2]]
    do:
      - layer{row}: n x bottleneck c, s
  - concat along channels:
      - a: conv 1x1, 64
      - - fc1: conv 1x1, 8
        - relu
      - skip
  - multiply when wide > 3: [skip, identity]
  - features: [relu]
  - output aux1 when training:
      - flatten
  - repeat: 3
    do: [relu]
  - fc: linear classes
"""


def _with_text_keys(tree: Any) -> Any:
    """As editors see YAML: the keys of a mapping are texts, `0:` among them."""
    if isinstance(tree, dict):
        return {str(key): _with_text_keys(value) for key, value in tree.items()}
    return [_with_text_keys(item) for item in tree] if isinstance(tree, list) else tree


def errors(text: str) -> list[str]:
    validator: Any = Draft202012Validator(schema())
    return [error.json_path for error in validator.iter_errors(_with_text_keys(yaml.load(text, yaml.CSafeLoader)))]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_construct_is_accepted() -> None:
    assert errors(RESNET) == []


@pytest.mark.parametrize("path", [path for path in library.shipped().values() if path.suffix == ".yaml"], ids=str)
def test_every_shipped_spec_is_accepted(path: Any) -> None:
    assert errors(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "netwrok: x",
        "network: a b",
        "layers: {a: conv}",
        "layers: [[relu]]",
        "layers: [{repeat: [relu]}]",
        "layers: [{residual: relu}]",
        "layers: [{for: t c, in: 3, do: [relu]}]",
        "use: blocks",
        "params: [1, 2]",
    ],
)
def test_what_nests_wrongly_is_refused(text: str) -> None:
    assert errors(text)
