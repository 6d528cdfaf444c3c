"""Dense concatenation without copies of copies: all maps of a dense block are written side by side into one tensor.

Pleiss et al. 2017, Memory-Efficient Implementation of DenseNets (there for training, and for the norms' outputs too).
"""

from __future__ import annotations

from archdsl.ops.inference import Append, Room
from archdsl.ops.merge import BATCH, Concat
from archdsl.optimize.line import Line, Node
from archdsl.shape import Shape

# One concatenation copies each map once, as a room does.
SHORTEST = 2


def share_rooms(line: Line) -> Line:
    """The line with each chain of concatenations, every one of the last's result and something new, in one tensor."""
    chain_of = {node.value: chain for chain in _chains(line) if len(chain) >= SHORTEST for node in chain}
    nodes: list[Node] = []
    room = {}  # value of a chain's last step -> value of its room
    for node in line.nodes:
        chain = chain_of.get(node.value)
        if chain is None:
            nodes.append(node)
            continue
        end = chain[-1].value
        if node is chain[0]:
            nodes.append(_room(line, chain))
            room[end] = nodes[-1].value
        nodes.append(_append(line, room[end], node, first=node is chain[0]))
    return line._replace(nodes=tuple(nodes))


def _chains(line: Line) -> list[list[Node]]:
    chains: list[list[Node]] = []
    ending: dict[int, list[Node]] = {}  # value -> the chain that it ends
    for node in line.nodes:
        if not _side_by_side(line, node):
            continue
        chain = ending.pop(node.inputs[0], None)
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(node)
        ending[node.value] = chain
    return chains


def _side_by_side(line: Line, node: Node) -> bool:
    """Whether a step joins maps along the channels, which are the first axis of each."""
    shapes = [line.shapes[value] for value in node.inputs]
    joins = isinstance(node.op, Concat) and node.op.along == "channels" and isinstance(node.facts.shape.channels, int)
    return joins and all(shape.channels_first and BATCH not in shape.axes for shape in shapes)


def _room(line: Line, chain: list[Node]) -> Node:
    first, last = chain[0], chain[-1]
    op = Room(channels=_channels(last.facts.shape))
    like = line.shapes[first.inputs[0]]
    facts = op.infer((like,))
    return Node(f"{first.path}_room", op, first.inputs[:1], line.value(facts.shape), facts, first.span)


def _append(line: Line, room: int, node: Node, *, first: bool) -> Node:
    """The step in place of a concatenation; only the chain's first has to copy what it begins with."""
    op = Append(start=0 if first else _channels(line.shapes[node.inputs[0]]))
    inputs = (room, *(node.inputs if first else node.inputs[1:]))
    facts = op.infer(tuple(line.shapes[value] for value in inputs))
    return node._replace(op=op, inputs=inputs, facts=facts)


def _channels(shape: Shape) -> int:
    assert isinstance(shape.channels, int), "asked for before"
    return shape.channels
