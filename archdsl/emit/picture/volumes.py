"""The main line of a network as feature maps in perspective, as textbooks draw LeNet-5 and VGG-16.

A map's height and depth follow its height and width, its thickness follows its channels; each by the square root, so
that the smallest can be seen beside the largest. Maps of one shape in a row stand close together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from archdsl.emit.graph import Diagram, Node
from archdsl.emit.picture import legend, measure
from archdsl.emit.picture.columns import main_end
from archdsl.emit.picture.metrics import width, written
from archdsl.emit.picture.scene import Group, Path, Scene, Shape, polygon
from archdsl.emit.picture.themes import Theme
from archdsl.failure import WrongUsage
from archdsl.shape import Shape as Sizes

MARGIN, CLOSE, APART = 16.0, 5.0, 30.0
TALLEST = 170.0  # of the largest map
THIN, CHANNELS = 3.0, 1.25  # a map's thickness is THIN + CHANNELS * the square root of its channels
VECTOR, BAR = 9.0, 14.0  # a vector is so thick, and as high as BAR times the logarithm of its length
SLANT = (0.36, 0.26)  # of a unit of depth, to the right and upwards
LONGEST = 104.0  # a text below a map that is longer than this is left out
LINE = 13.0


class Volume(NamedTuple):
    """A box on the page: thickness, height, and how far its back stands to the right and up."""

    thick: float
    high: float
    right: float
    up: float


def volumes(diagram: Diagram, theme: Theme) -> Scene:
    """The picture. Raises WrongUsage where a size is left open."""
    line = _line(diagram)
    largest = max((size for node in line for size in _spatial(_sizes(diagram, node))), default=1)
    groups = _groups(line)
    drawn = [[_volume(_sizes(diagram, node), largest) for node in group] for group in groups]
    tallest = max(one.high + one.up for row in drawn for one in row)
    axis = MARGIN + tallest / 2
    shapes: list[Shape] = []
    x = MARGIN
    before = None
    deepest = 0
    for group, row in zip(groups, drawn, strict=True):
        texts = _texts(group)
        long = max(width(text, size, bold=bold) for text, size, bold in texts)
        solid = sum(one.thick for one in row) + CLOSE * (len(row) - 1) + row[-1].right
        room = max(long, solid)
        start = x + (room - solid) / 2
        if before is not None:
            shapes.append(_arrow(before, start - 3, axis, theme))
        left = start
        for node, one in zip(group, row, strict=True):
            shapes.append(_box(node, one, left, axis, theme))
            left += one.thick + CLOSE
        before = start + solid + 3
        for k, (text, size, bold) in enumerate(texts):
            below, colour = MARGIN + tallest + 18 + LINE * k, theme.ink if bold else theme.quiet
            shapes.append(written(x + room / 2, below, text, size, colour, bold=bold, anchor="middle"))
        deepest = max(deepest, len(texts))
        x += room + APART * (0.5 if long > solid else 1.0)
    return _scene(diagram, line, theme, shapes, x, MARGIN + tallest + 18 + LINE * deepest)


def _scene(diagram: Diagram, line: list[Node], theme: Theme, shapes: list[Shape], right: float, bottom: float) -> Scene:
    wide = right - APART / 2 + MARGIN
    rows = legend.rows([diagram._replace(nodes=tuple(line))], max(wide - 2 * MARGIN, 200.0))
    wide = max([wide, *(legend.long(row) + 2 * MARGIN for row in rows)])
    for k, row in enumerate(rows):
        shapes.append(legend.legend(row, theme, (wide - legend.long(row)) / 2, bottom + legend.ROW * k))
    bottom += legend.ROW * len(rows)
    note = _left_out(diagram, line)
    if note:
        long = width(note, measure.SMALL)
        wide = max(wide, long + 2 * MARGIN)
        shapes.append(written(wide / 2, bottom + 10, note, measure.SMALL, theme.quiet, anchor="middle"))
        bottom += 16
    return Scene(diagram.name, wide, bottom + MARGIN / 2, theme.ground, tuple(shapes))


def _left_out(diagram: Diagram, line: list[Node]) -> str:
    """What the picture doesn't show, in a sentence."""
    boxes = sum(node.form != "output" for node in diagram.nodes) - len(line)
    skips = sum(edge.skip for edge in diagram.edges)
    words = [f"{boxes} {'box' if boxes == 1 else 'boxes'} beside it"] if boxes else []
    words += [f"{skips} {'tensor that passes' if skips == 1 else 'tensors that pass'} by"] if skips else []
    return f"The main line of {diagram.name}, without {' and '.join(words)}." if words else ""


def _line(diagram: Diagram) -> list[Node]:
    """The longest way from an input to the main output, without the output's own label."""
    best: dict[int, tuple[int, int]] = {node.id: (1, -1) for node in diagram.nodes}
    for edge in sorted(diagram.edges):
        if not edge.skip:
            best[edge.target] = max(best[edge.target], (best[edge.source][0] + 1, edge.source))
    at = main_end(diagram)
    line = []
    while at >= 0:
        line.append(diagram.nodes[at])
        at = best[at][1]
    return [node for node in reversed(line) if node.form != "output"]


def _sizes(diagram: Diagram, node: Node) -> Sizes:
    """A node's shape in whole numbers."""
    assert node.shape is not None
    if not all(isinstance(size, int) for size in node.shape.sizes):
        help = "give it one, such as `--input 3x224x224`"
        raise WrongUsage(f"`{diagram.name}` leaves its input's size open, and volumes are drawn to size", help=help)
    return node.shape


def _spatial(shape: Sizes) -> list[int]:
    axes = zip(shape.axes, shape.sizes, strict=True)
    return [int(size) for axis, size in axes if isinstance(size, int) and axis not in ("channels", "batch")]


def _volume(shape: Sizes, largest: int) -> Volume:
    sizes = _spatial(shape)
    channels = next(
        int(size)
        for axis, size in zip(shape.axes, shape.sizes, strict=True)
        if axis == "channels" and isinstance(size, int)
    )
    if not sizes:
        high = min(TALLEST, BAR * math.log2(channels + 3))
        return Volume(VECTOR, high, VECTOR * SLANT[0] * 2, VECTOR * SLANT[1] * 2)
    height, depth = sizes[-2:] if len(sizes) > 1 else (sizes[0], 1)
    side = TALLEST / math.sqrt(largest)
    back = side * math.sqrt(depth)
    return Volume(
        THIN + CHANNELS * math.sqrt(channels), max(4.0, side * math.sqrt(height)), SLANT[0] * back, SLANT[1] * back
    )


def _groups(line: list[Node]) -> list[list[Node]]:
    """Neighbours that give the same shape; the input stands alone."""
    groups: list[list[Node]] = []
    for node in line:
        if groups and groups[-1][-1].form != "input" and groups[-1][-1].shape == node.shape:
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _texts(group: list[Node]) -> list[tuple[str, float, bool]]:
    """The lines below a group: its shape, and what computes it."""
    shape = group[0].shape
    assert shape is not None
    sizes = " × ".join(str(size) for axis, size in zip(shape.axes, shape.sizes, strict=True) if axis != "batch")
    lines = [(sizes, measure.SMALL, True)]
    named: dict[str, int] = {}
    for node in group:
        named[node.title] = named.get(node.title, 0) + node.times
    for title, count in named.items():
        text = f"{count} × {title}" if count > 1 else title
        lines.append((text, measure.SMALL, False))
    if len(group) == 1:
        lines += [
            (text, measure.SMALL, False)
            for text in group[0].details
            if width(text, measure.SMALL) < LONGEST and text != sizes
        ]
    return lines


def _box(node: Node, one: Volume, x: float, axis: float, theme: Theme) -> Group:
    """A box with three faces; what it tells when pointed at is what the node does."""
    line, fill = theme.kinds.get(node.kind, theme.kinds["other"])
    bottom = axis + (one.high + one.up) / 2
    top, right = bottom - one.high, x + one.thick
    back = (one.right, -one.up)
    front = polygon((x, top), (right, top), (right, bottom), (x, bottom))
    lid = polygon((x, top), (right, top), (right + back[0], top + back[1]), (x + back[0], top + back[1]))
    side = polygon((right, top), (right + back[0], top + back[1]), (right + back[0], bottom + back[1]), (right, bottom))
    faces = ((side, _mixed(fill, line, 0.28)), (lid, _mixed(fill, line, 0.1)), (front, fill))
    return Group("volume", node.tooltip, tuple(Path(face, colour, line, 0.9) for face, colour in faces))


def _mixed(one: str, other: str, part: float) -> str:
    """A colour so far on the way to another."""
    channels = ((int(one[k : k + 2], 16), int(other[k : k + 2], 16)) for k in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in channels)


def _arrow(start: float, end: float, y: float, theme: Theme) -> Group:
    head = polygon((end, y), (end - 6, y - 2.5), (end - 6, y + 2.5))
    way = Path((("M", ((start, y),)), ("L", ((end - 5, y),))), "", theme.line)
    return Group("edge", "", (way, Path(head, theme.line)))
