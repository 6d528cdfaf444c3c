"""Graphviz's SVG made presentable: titles in bold, details quieter, tooltips, and a legend of the colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from archdsl.emit import layout
from archdsl.emit.dot import COLOURS, INK, NAMES, QUIET, SIZE, SMALL, text
from archdsl.emit.graph import Diagram, Node
from archdsl.failure import WrongUsage

NAMESPACE = "http://www.w3.org/2000/svg"
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_SVG = f"{{{NAMESPACE}}}"
# Of the legend, in points.
ROW, SWATCH, GAP, LETTER, MARGIN = 18.0, 12.0, 16.0, 5.8, 8.0
NARROW = 380.0  # a legend may make the picture as wide as this
DIGIT = 5.4  # of an edge's label, on average
# Of a PNG: pixels per point as screens show it, the enlargement that is sharp on a projector, and the height that
# viewers still open.
PIXELS, ZOOM, LARGEST = 96 / 72, 2.0, 16_000


def svg(diagram: Diagram) -> str:
    """The picture; the same network gives the same bytes."""
    root = ElementTree.fromstring(layout.svg(text(diagram)))
    frames = list(diagram.clusters())
    titles = Element(f"{_SVG}g", {"class": "titles"})
    drawing = root.find(f"{_SVG}g")
    assert drawing is not None
    for group in root.iter(f"{_SVG}g"):
        what, title = group.get("class"), group.find(f"{_SVG}title")
        if what == "edge" and title is not None:
            group.remove(title)  # `n1->n2` would be shown as its tooltip
            _beside(group)
        elif what in ("node", "cluster") and title is not None and title.text:
            number = int(title.text.removeprefix("cluster_").removeprefix("n"))
            about = diagram.nodes[number] if what == "node" else frames[number - 1]
            _dress(group, about.tooltip, titles)
            if isinstance(about, Node) and about.times > 1:
                _stack(group)
    drawing.append(titles)
    for label in root.iter(f"{_SVG}text"):
        label.attrib.pop("font-family", None)
    _finish(root, drawing, diagram)
    ElementTree.register_namespace("", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True) + "\n"


def _dress(group: Element, tooltip: str, titles: Element) -> None:
    """Lifts a node's or frame's content out of the link that Graphviz makes for tooltips; the first line is a title."""
    content = [part for part in group.iter() if part.tag.removeprefix(_SVG) not in ("g", "a", "title")]
    for child in list(group):
        group.remove(child)
    SubElement(group, f"{_SVG}title").text = tooltip
    group.extend(content)
    lines = [part for part in content if part.tag == f"{_SVG}text"]
    if group.get("class") == "cluster":
        # Above the edges that come in, with some of the frame's colour around the letters.
        group.remove(lines[0])
        titles.append(lines[0])
        look = {"text-anchor": "start", "paint-order": "stroke", "stroke-width": "4", "stroke-linejoin": "round"}
        lines[0].attrib.update(look, stroke=content[0].get("fill", "white"))
        left = min(float(point.split(",")[0]) for point in re.findall(r"-?[\d.]+,-?[\d.]+", content[0].get("d", "")))
        lines[0].set("x", _number(left + MARGIN))
    for line in lines[:1]:
        line.set("font-weight", "bold")
        line.set("font-size", str(SIZE - 1))
    for line in lines[1:]:
        line.set("font-size", str(SIZE - 2))
        line.set("fill", QUIET)


def _stack(node: Element) -> None:
    """Draws a box that stands for several as a pile."""
    outline = node[1]
    for offset in (3, 6):
        behind = Element(outline.tag, {**outline.attrib, "transform": f"translate({offset} {offset})"})
        node.insert(1, behind)


def _beside(edge: Element) -> None:
    """Moves an edge's label by its left end, so that in a wider font it doesn't run into the line."""
    for label in edge.iter(f"{_SVG}text"):
        written = (label.text or "").strip()
        label.set("x", _number(float(label.get("x", "0")) - DIGIT * len(written) / 2))
        label.set("text-anchor", "start")
        label.set("font-size", str(SMALL - 1))
        label.text = written


def _finish(root: Element, drawing: Element, diagram: Diagram) -> None:
    """Puts ground under the drawing and the legend below it."""
    width, height = map(float, root.get("viewBox", "").split()[2:])
    ground = drawing.find(f"{_SVG}polygon")
    assert ground is not None
    drawing.remove(ground)
    heading = drawing.find(f"{_SVG}title")
    assert heading is not None
    heading.text = diagram.name
    rows = list(_rows(_kinds(diagram), max(width, NARROW)))
    wide = max([width, *(sum(map(_width, row)) + 2 * MARGIN for row in rows)])
    high = height + ROW * len(rows) + MARGIN
    paper = Element(f"{_SVG}rect", {"width": _number(wide), "height": _number(high), "fill": "white"})
    root.insert(0, paper)
    shifted = Element(f"{_SVG}g", {"transform": f"translate({_number((wide - width) / 2)} 0)"})
    root.remove(drawing)
    shifted.append(drawing)
    root.append(shifted)
    for k, row in enumerate(rows):
        _legend(root, row, (wide - sum(map(_width, row)) + GAP) / 2, height + ROW * k)
    root.set("width", f"{_number(wide)}pt")
    root.set("height", f"{_number(high)}pt")
    root.set("viewBox", f"0 0 {_number(wide)} {_number(high)}")
    root.set("font-family", FONTS)


def _kinds(diagram: Diagram) -> list[str]:
    """The kinds of op drawn, in the legend's order."""
    drawn = {node.kind for node in diagram.nodes} - {"input", "output"}
    return [kind for kind in COLOURS if kind in drawn]


def _rows(kinds: list[str], width: float) -> Iterator[list[str]]:
    row: list[str] = []
    for kind in kinds:
        if row and sum(map(_width, row)) + _width(kind) > width - 2 * MARGIN:
            yield row
            row = []
        row.append(kind)
    if row:
        yield row


def _width(kind: str) -> float:
    return SWATCH + 4 + LETTER * len(NAMES.get(kind, kind)) + GAP


def _legend(root: Element, kinds: list[str], x: float, y: float) -> None:
    group = SubElement(root, f"{_SVG}g", {"class": "legend", "font-size": str(SMALL - 1), "fill": INK})
    for kind in kinds:
        line, fill = COLOURS[kind]
        look = {"width": _number(SWATCH), "height": _number(SWATCH), "rx": "3", "fill": fill, "stroke": line}
        SubElement(group, f"{_SVG}rect", {"x": _number(x), "y": _number(y), **look})
        name = SubElement(group, f"{_SVG}text", {"x": _number(x + SWATCH + 4), "y": _number(y + SWATCH - 2.5)})
        name.text = NAMES.get(kind, kind)
        x += _width(kind)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def png(picture: str) -> bytes:
    """The picture in pixels. Raises WrongUsage where there is no font to write with."""
    import resvg_py

    letter = f'<svg xmlns="{NAMESPACE}" width="9" height="9" font-family="{FONTS}">{{}}</svg>'
    if _pixels(resvg_py, letter.format("<text y='9'>H</text>"), 1.0) == _pixels(resvg_py, letter.format(""), 1.0):
        raise WrongUsage("there is no font to write on a PNG with", help="install DejaVu Sans, say, or write .svg")
    height = float(ElementTree.fromstring(picture).get("height", "").removesuffix("pt")) * PIXELS
    return _pixels(resvg_py, picture, min(ZOOM, LARGEST / height))


def _pixels(resvg: Any, picture: str, zoom: float) -> bytes:
    return bytes(resvg.svg_to_bytes(svg_string=picture, zoom=zoom, dpi=72 * PIXELS))
