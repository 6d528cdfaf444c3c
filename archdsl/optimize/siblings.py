"""Linear maps of one input as one: the 1x1 convolutions that begin an Inception module's branches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from archdsl.ops.base import Op, Window
from archdsl.ops.inference import ChannelRange
from archdsl.optimize.fold import groups, with_settings
from archdsl.optimize.line import Line, Node


def join_siblings(line: Line) -> Line:
    """The line with pointwise linear maps of one value joined, where they differ in their output channels alone.

    An activation that follows each of them follows the joined map, once; those that others follow stay apart.
    """
    joined: dict[int, list[Node]] = {}  # value of the first of a family -> what replaces all of it
    gone: set[int] = set()
    for family, ends in _families(line):
        gone.update(node.value for node in (*family, *ends))
        joined[family[0].value] = _joined(line, family, ends)
    nodes: list[Node] = []
    for node in line.nodes:
        if node.value in joined:
            nodes += joined[node.value]
        elif node.value not in gone:
            nodes.append(node)
    return line._replace(nodes=tuple(nodes))


def _families(line: Line) -> Iterator[tuple[list[Node], list[Node]]]:
    """Those of several members, with the activations behind them, or with themselves again where there are none."""
    activations = _activations(line)
    families: dict[tuple[int, Op, Op | None], list[Node]] = {}
    for node in line.nodes:
        if _joins(node):
            end = activations.get(node.value)
            key = (node.inputs[0], with_settings(node.op, out=1), end and end.op)
            families.setdefault(key, []).append(node)
    for family in families.values():
        if len(family) > 1:
            yield family, [activations.get(node.value, node) for node in family]


def _joins(node: Node) -> bool:
    """Whether a linear map reads each position alone and all input channels at once: 1x1, and no groups."""
    window = node.facts.window
    pointwise = set(window.kernel) == {1} if isinstance(window, Window) else bool(node.parts)
    return bool(node.parts) and pointwise and "out" in type(node.op).settings() and groups(node.op) == 1


def _activations(line: Line) -> dict[int, Node]:
    """Value -> the activation of each number alone that is all that reads it."""
    readers = line.readers()
    return {
        node.inputs[0]: node for node in line.nodes if "elementwise" in node.op.traits and readers[node.inputs[0]] == 1
    }


def _joined(line: Line, family: list[Node], ends: list[Node]) -> list[Node]:
    """What replaces a family and its ends: one linear map, the activation if there is one, and what each end was."""
    first, path = family[0], _common([node.path for node in family])
    lengths = [_out(node) for node in family]
    op = with_settings(first.op, out=sum(lengths))
    facts = op.infer(tuple(line.shapes[value] for value in first.inputs))
    value = line.value(facts.shape)
    parts = tuple(part for node in family for part in node.parts)
    nodes = [first._replace(path=path, op=op, value=value, facts=facts, parts=parts)]
    end = ends[0]
    if end is not first:
        activated = line.value(facts.shape)
        facts = end.op.infer((facts.shape,))
        nodes.append(end._replace(path=f"{path}_{end.op.name}", inputs=(value,), value=activated, facts=facts))
        value = activated
    start = 0
    for node, length in zip(ends, lengths, strict=True):
        taken = ChannelRange(start=start, length=length)
        nodes.append(node._replace(op=taken, inputs=(value,), facts=taken.infer((facts.shape,)), parts=()))
        start += length
    return nodes


def _out(node: Node) -> int:
    op: Any = node.op
    return int(op.out)


def _common(paths: list[str]) -> str:
    """A name for what steps with these paths became: by the scope that all of them stand in."""
    above = [path.split(".")[:-1] for path in paths]
    same = takewhile(lambda parts: len(set(parts)) == 1, zip(*above, strict=False))
    return ".".join([*(parts[0] for parts in same), "joined"])
