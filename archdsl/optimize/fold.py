"""Batch norms as part of the linear maps before them: in evaluation both together are one linear map.

Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
section 3.2.
"""

from __future__ import annotations

from archdsl.ops.base import Op
from archdsl.optimize.line import Line, Node


def fold_norms(line: Line) -> Line:
    """The line without the norms that scale and shift what a linear map alone hands them."""
    readers = line.readers()
    nodes: list[Node] = []
    made: dict[int, int] = {}  # value -> place of its step in `nodes`
    for node in line.nodes:
        before = made.get(node.inputs[0]) if node.inputs and _fixed(node) else None
        if before is not None and readers[node.inputs[0]] == 1 and _takes_scale(nodes[before]):
            nodes[before] = _folded(line, nodes[before], node)
            made[node.value] = before
            continue
        made[node.value] = len(nodes)
        nodes.append(node)
    return line._replace(nodes=tuple(nodes))


def _fixed(node: Node) -> bool:
    """Whether a norm scales and shifts by numbers that don't depend on the image: those of its running statistics."""
    return "centres" in node.op.traits and "running_mean" in node.facts.buffers


def _takes_scale(node: Node) -> bool:
    """Whether a linear map has its output channels along one axis of its weight, and no norm in it yet."""
    return bool(node.parts) and not node.parts[0].norm and not (node.op.out_axis and groups(node.op) > 1)


def groups(op: Op) -> int:
    """How many parts of the channels a linear map keeps apart."""
    return int(getattr(op, "groups", 1))


def _folded(line: Line, linear: Node, norm: Node) -> Node:
    op = with_settings(linear.op, bias=True)
    (part,) = linear.parts
    eps = float(norm.op.eps)  # type: ignore[attr-defined]
    part = part._replace(norm=norm.path, eps=eps, affine="weight" in norm.facts.weights)
    return linear._replace(
        op=op,
        value=norm.value,
        facts=op.infer(tuple(line.shapes[value] for value in linear.inputs)),
        parts=(part,),
    )


def with_settings(op: Op, **settings: object) -> Op:
    """The op with other values for some of its settings."""
    return type(op)(**{name: getattr(op, name) for name in type(op).settings()} | settings)
