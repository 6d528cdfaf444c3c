"""Where the tensors of an optimised network come from: those of the network as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archdsl.optimize.line import Node, Part


class Made(NamedTuple):
    """The weight and bias of a linear map, by the keys that they get, and what they are made of.

    bias: "" where it has none. axis: of the weight, along which the parts lie.
    """

    weight: str
    bias: str
    axis: int
    parts: tuple[Part, ...]


class Plan(NamedTuple):
    """kept: key -> key of the same tensor in the network as it was written. made: those that are computed."""

    kept: Mapping[str, str]
    made: tuple[Made, ...]


def plan_of(named: Mapping[str, Node]) -> Plan:
    """The plan for steps by their new names."""
    kept: dict[str, str] = {}
    made: list[Made] = []
    for name, node in named.items():
        if node.parts:
            bias = f"{name}.bias" if "bias" in node.facts.weights else ""
            made.append(Made(f"{name}.weight", bias, node.parts[0].axis, node.parts))
            continue
        persistent = [suffix for suffix, buffer in node.facts.buffers.items() if buffer.persistent]
        for suffix in (*node.facts.weights, *persistent):
            kept[_key(name, suffix)] = _key(node.path, suffix)
    return Plan(kept, tuple(made))


def _key(path: str, suffix: str) -> str:
    return f"{path}.{suffix}" if suffix else path
