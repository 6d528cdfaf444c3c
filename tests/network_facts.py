"""Small networks for tests, and what tests ask of a compiled one, read off its steps one by one."""

from __future__ import annotations

from math import prod
from textwrap import dedent, indent
from typing import Any

import pytest

import archdsl
from archdsl.diagnostics import SpecError
from archdsl.dims import at
from archdsl.ir import Leaf, Net, leaves
from archdsl.source import Source
from archdsl.syntax.printer import print_yaml
from archdsl.syntax.read import read

Shapes = dict[str, tuple[int, ...]]


def compiled(text: str, **options: Any) -> Net:
    """The network of a text spec."""
    return archdsl.loads(text, **options).net


def net(body: str, *, head: str = "", input: str = "4x8x8", **params: Any) -> Net:
    """A network of one body, which may be indented; `head` holds its blocks, macros and defaults.

    The body is turned into YAML on the way, so that both spellings of all that is tested here are.
    """
    parameters = f" ({', '.join(f'{key} = {value}' for key, value in params.items())})" if params else ""
    steps = indent(dedent(body.strip("\n")), "  ")
    text = f"{dedent(head)}\nnet a{parameters}\n  input {input}\n{steps}\n"
    yaml = print_yaml(read(Source("<text>.arch", text)))
    expected, found = compiled(text), compiled(yaml, name="<text>.yaml")
    assert (layers(found), state_dict(found), found.outputs) == (
        layers(expected),
        state_dict(expected),
        expected.outputs,
    )
    return found


def outs(found: Net) -> dict[str, int]:
    """Step -> output channels (or units) of its weight."""
    return {key.removesuffix(".weight"): shape[0] for key, shape in weights(found).items() if key.endswith(".weight")}


def refused(body: str, **options: Any) -> list[str]:
    """The codes of what is wrong with a network of one body."""
    with pytest.raises(SpecError) as caught:
        net(body, **options)
    return [one.code for one in caught.value.diagnostics]


def layers(net: Net) -> list[str]:
    """`path op` of every step, in the order of execution."""
    return [f"{leaf.path} {leaf.step.op.name}" for leaf in leaves(net.scope)]


def sizes(net: Net, values: Any) -> tuple[int, ...]:
    return tuple(int(at(size, net.sizes)) for size in values)


def weights(net: Net) -> Shapes:
    """Parameter -> shape, in the order of the steps."""
    return {
        _key(leaf, name): sizes(net, shape)
        for leaf in leaves(net.scope)
        for name, shape in leaf.step.facts.weights.items()
    }


def buffers(net: Net) -> Shapes:
    return {
        _key(leaf, name): sizes(net, buffer.shape)
        for leaf in leaves(net.scope)
        for name, buffer in leaf.step.facts.buffers.items()
        if buffer.persistent
    }


def state_dict(net: Net) -> Shapes:
    """Parameters and persistent buffers, a step's own together."""
    everything = weights(net) | buffers(net)
    names = (
        _key(leaf, name) for leaf in leaves(net.scope) for name in (*leaf.step.facts.weights, *leaf.step.facts.buffers)
    )
    return {name: everything[name] for name in names if name in everything}


def params(net: Net) -> int:
    return sum(prod(shape) for shape in weights(net).values())


def macs(net: Net) -> int:
    """In evaluation: what runs in training only doesn't count."""
    return sum(
        int(at(leaf.step.facts.macs, net.sizes))
        for leaf in leaves(net.scope)
        if leaf.mode != "training" and not leaf.step.unused
    )


def torchinfo_macs(net: Net) -> int:
    """The other convention: parameters times output positions, bias included."""
    total = 0
    for leaf in leaves(net.scope):
        count = sum(prod(sizes(net, shape)) for shape in leaf.step.facts.weights.values())
        total += count * prod(sizes(net, leaf.step.facts.shape.spatial))
    return total


def output(net: Net) -> tuple[int, ...]:
    """The shape of the main result."""
    return sizes(net, net.scope.shapes[net.scope.results[0]].sizes)


def shape_at(net: Net, path: str) -> tuple[int, ...]:
    """What a step gives."""
    (found,) = (leaf for leaf in leaves(net.scope) if leaf.path == path)
    return sizes(net, found.step.facts.shape.sizes)


def _key(leaf: Leaf, name: str) -> str:
    return f"{leaf.path}.{name}" if name else leaf.path
