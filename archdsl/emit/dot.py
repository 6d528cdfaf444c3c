"""A diagram as Graphviz, and as the pictures that Graphviz makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.emit.graph import Cluster, Diagram, Edge, Node
from archdsl.emit.labels import times

if TYPE_CHECKING:
    from graphviz import Digraph

# Okabe and Ito's palette, which people with any kind of colour vision can tell apart: outline, and a tint to fill with.
COLOURS = {
    "conv": ("#0072B2", "#CCE3F0"),
    "linear": ("#D55E00", "#F7DFCC"),
    "attention": ("#7A4A9E", "#E5DBEC"),
    "pool": ("#009E73", "#CCECE3"),
    "norm": ("#B8A800", "#FBF7CB"),
    "activation": ("#E69F00", "#FAECCC"),
    "merge": ("#CC79A7", "#F5E4ED"),
    "dropout": ("#777777", "#E8E8E8"),
    "shape": ("#56B4E9", "#EAF6FD"),
    "other": ("#777777", "#F2F2F2"),
    "block": ("#333333", "#FFFFFF"),
    "input": ("#333333", "#FFFFFF"),
    "output": ("#333333", "#FFFFFF"),
}
NAMES = {"conv": "convolution", "pool": "pooling", "norm": "normalisation", "shape": "reshaping"}
FRAMES = ("#F7F7F7", "#EFEFEF")
FONT, INK, QUIET, LINE, SKIP = "Helvetica", "#1A1A1A", "#555555", "#555555", "#999999"
# Boxes are made for letters of 13 points and written in smaller ones: fonts that stand in for Helvetica are wider.
SIZE, SMALL = 13, 11


def text(diagram: Diagram) -> str:
    """The graph in the language of Graphviz."""
    from graphviz import Digraph

    graph = Digraph("network")
    graph.attr(
        rankdir="TB", ordering="out", nodesep="0.3", ranksep="0.32", bgcolor="white", fontname=FONT, fontsize=str(SIZE)
    )
    graph.attr("node", fontname=FONT, fontsize=str(SIZE), fontcolor=INK, style="filled,rounded", shape="box")
    graph.attr("edge", fontname=FONT, fontsize=str(SMALL), fontcolor=QUIET, color=LINE, arrowsize="0.6")
    _members(graph, diagram, diagram.members, [0], 0)
    passed = {edge.target for edge in diagram.edges if edge.skip}
    for edge in diagram.edges:
        style = {"weight": _weight(edge, diagram, passed)}
        if edge.label:
            style["label"] = _escaped(f" {edge.label} ")
        if edge.skip:
            style |= {"color": SKIP, "penwidth": "1.6"}
        if edge.aside:
            style["style"] = "dashed"
        graph.edge(f"n{edge.source}", f"n{edge.target}", **style)
    source: str = graph.source
    return source


def _weight(edge: Edge, diagram: Diagram, passed: set[int]) -> str:
    """How straight and short an edge is to be: the main line is, what passes by or aside goes around it."""
    if edge.skip or edge.aside:
        return "1"
    # Branches that meet hang from where they part, their ends left to be long.
    meets = diagram.nodes[edge.target].form == "join" and edge.target not in passed
    return "2" if meets else "1000"


def _members(
    graph: Digraph, diagram: Diagram, members: tuple[int | Cluster, ...], count: list[int], level: int
) -> None:
    for member in members:
        if isinstance(member, int):
            node = diagram.nodes[member]
            graph.node(f"n{node.id}", **_look(node))
            continue
        count[0] += 1
        with graph.subgraph(name=f"cluster_{count[0]}") as inner:
            style = "filled,rounded,dashed" if member.aside else "filled,rounded"
            colours = {"color": "#BBBBBB", "fillcolor": FRAMES[level % 2], "fontcolor": QUIET}
            title, tooltip = _escaped(member.title), _escaped(member.tooltip)
            inner.attr(label=title, tooltip=tooltip, style=style, labeljust="l", margin="10", **colours)
            _members(inner, diagram, member.members, count, level + 1)


def _look(node: Node) -> dict[str, str]:
    colour, fill = COLOURS[node.kind]
    title = times(node.times, node.title)
    look = {"color": colour, "fillcolor": fill, "style": "filled,rounded", "tooltip": _escaped(node.tooltip)}
    look["label"] = _escaped("\n".join((title, *node.details)))
    if node.form == "join" and len(node.title) == 1:
        look |= {"shape": "circle", "style": "filled", "fixedsize": "true", "width": "0.3", "fontsize": "16"}
    elif node.form == "join":
        look |= {"shape": "box", "style": "filled,rounded", "height": "0.28", "margin": "0.14,0.03"}
    elif node.form in ("input", "output"):
        look |= {"shape": "box", "style": "rounded", "penwidth": "0", "margin": "0.12,0.04"}
    else:
        look |= {"margin": "0.24,0.07", "height": "0.35"}
    if node.form == "block":
        look["penwidth"] = "1.5"
    if node.aside:
        look["style"] = f"{look['style']},dashed"
    return look


def _escaped(text: str) -> str:
    """Text that says itself: no escapes, no entities, no HTML."""
    from graphviz import nohtml

    plain: str = nohtml(text.replace("&", "&amp;").replace("\\", "\\\\").replace("\n", "\\n"))
    return plain
