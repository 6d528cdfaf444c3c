"""A diagram as a graph of Graphviz, for those who draw on with its tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.emit.graph import Cluster, Diagram, Edge, Node
from archdsl.emit.labels import times
from archdsl.emit.picture.themes import MARKS, THEMES, Theme

if TYPE_CHECKING:
    from graphviz import Digraph


def digraph(diagram: Diagram, theme: Theme = THEMES["light"], *, down: bool = True) -> Digraph:
    """The graph, from the top to the bottom or from left to right."""
    from graphviz import Digraph

    font = {"fontname": "Helvetica", "fontcolor": theme.ink}
    graph = Digraph("network")
    graph.attr(rankdir="TB" if down else "LR", bgcolor=theme.ground or "transparent", ordering="out", **font)
    graph.attr("node", shape="box", style="filled,rounded", fontsize="12", **font)
    graph.attr("edge", color=theme.line, fontsize="10", arrowsize="0.6", **font)
    _members(graph, diagram, theme, diagram.members, [0])
    for edge in diagram.edges:
        graph.edge(f"n{edge.source}", f"n{edge.target}", **_look_of_edge(edge, theme))
    return graph


def _members(
    graph: Digraph, diagram: Diagram, theme: Theme, members: tuple[int | Cluster, ...], count: list[int]
) -> None:
    for member in members:
        if isinstance(member, int):
            node = diagram.nodes[member]
            graph.node(f"n{node.id}", **_look_of_node(node, theme))
            continue
        count[0] += 1
        with graph.subgraph(name=f"cluster_{count[0]}") as inside:
            inside.attr(
                label=_plain(times(member.times, member.title)),
                style="rounded,dashed" if member.aside else "rounded",
                color=theme.frame,
                labeljust="l",
                tooltip=_plain(member.tooltip),
            )
            _members(inside, diagram, theme, member.members, count)


def _look_of_node(node: Node, theme: Theme) -> dict[str, str]:
    sign = f"{MARKS[node.mark][0]} ".lstrip() if node.mark else ""
    label = "\n".join((sign + times(node.times, node.title), *node.details))
    look = {"label": _plain(label), "tooltip": _plain(node.tooltip)}
    if not node.mark and node.kind not in theme.kinds:
        return look | {"shape": "plain", "style": "solid"}
    look["color"], look["fillcolor"] = theme.pair(node.mark or node.kind)
    if node.form == "join" and len(node.title) == 1:
        look |= {"shape": "circle", "fixedsize": "true", "width": "0.3"}
    if node.aside or node.mark == "removed":
        look["style"] = "filled,rounded,dashed"
    return look


def _look_of_edge(edge: Edge, theme: Theme) -> dict[str, str]:
    look = {"label": _plain(edge.label)} if edge.label else {}
    # What passes by goes around the main line, which stays straight.
    look |= {"color": theme.skip, "constraint": "false"} if edge.skip else {"weight": "10"}
    return look | {"style": "dashed"} if edge.aside else look


def _plain(text: str) -> str:
    """Text that says itself: no escapes of Graphviz's, no entities, nothing that it would read as HTML."""
    from graphviz import escape

    escaped: str = escape(text.replace("&", "&amp;"))
    return escaped.replace("\n", "\\n")
