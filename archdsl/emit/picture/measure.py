"""How large the boxes of a diagram are, and what is written in them."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.emit.graph import Cluster, Diagram, Node
from archdsl.emit.picture.metrics import width

# Sizes of letters in points, and of the lines they stand on.
TITLE, DETAIL, SMALL = 13.0, 11.5, 10.5
TITLE_LINE, DETAIL_LINE = 16.0, 14.0
PAD_X, PAD_Y = 11.0, 5.5
CIRCLE = 22.0
BADGE = 7.5  # the radius of the sign of a mark, which reaches into its box
PILE = 3.0  # by how much each sheet of a pile stands out


class Size(NamedTuple):
    """In points; as on the page, not as along and across."""

    width: float
    height: float


def lines_of(node: Node, numbers: bool) -> tuple[str, ...]:
    """The lines below a box's title."""
    return (*node.details, *told(node)) if numbers else node.details


def told(node: Node) -> tuple[str, ...]:
    """Parameters and MACs in three digits, for all that the box stands for."""
    words = [f"{short(node.params * node.times)} parameters"] if node.params else []
    words += [f"{short(node.macs * node.times)} MACs"] if node.macs else []
    return (" · ".join(words),) if words else ()


def short(count: int) -> str:
    """A count in three digits: 9.41 K, 112 M."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 999.5 * size else f"{count / size:.0f} {unit}"
    return str(count)


def size(node: Node, numbers: bool) -> Size:
    """How large a node is drawn."""
    if circle(node):
        return Size(CIRCLE, CIRCLE)
    lines = lines_of(node, numbers)
    wide = max(width(node.title, TITLE, bold=True), *(width(line, DETAIL) for line in lines), 0.0)
    pad = PAD_Y if node.form in ("op", "block") else 3.0
    beside = BADGE if node.mark not in ("", "same") else 0.0
    return Size(wide + 2 * PAD_X + beside, TITLE_LINE + DETAIL_LINE * len(lines) + 2 * pad)


def circle(node: Node) -> bool:
    """Whether a node is a sign in a circle."""
    return node.form == "join" and len(node.title) == 1


def times(count: int) -> str:
    """`× 6` beside what stands there six times."""
    return f"× {count}" if count > 1 else ""


def frame_title(cluster: Cluster) -> float:
    """The width that a frame needs for its title, and for how often it stands there."""
    number = width(times(cluster.times), TITLE, bold=True) + 12 if cluster.times > 1 else 0.0
    return width(cluster.title, DETAIL, bold=True) + number


def sizes(diagram: Diagram, numbers: bool) -> list[Size]:
    """Of each node, by number."""
    return [size(node, numbers) for node in diagram.nodes]
