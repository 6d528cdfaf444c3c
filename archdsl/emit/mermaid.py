"""A diagram as Mermaid, which wikis and code hosts draw by themselves."""

from __future__ import annotations

from archdsl.emit.graph import Cluster, Diagram, Edge, Node
from archdsl.emit.labels import times
from archdsl.emit.picture.themes import MARKS, THEMES, Theme


def text(diagram: Diagram, theme: Theme = THEMES["light"], *, down: bool = True) -> str:
    """The graph in the language of Mermaid."""
    lines = ["flowchart TD" if down else "flowchart LR"]
    _members(diagram, diagram.members, lines, [0], 1)
    lines += [f"  {_edge(edge)}" for edge in diagram.edges]
    kinds = {node.mark or node.kind for node in diagram.nodes}
    for kind in (*MARKS, *theme.kinds):
        line, fill = theme.pair(kind)
        if kind in kinds:
            lines.append(f"  classDef {kind} fill:{fill},stroke:{line},color:{theme.ink}")
    return "\n".join(lines) + "\n"


def _members(
    diagram: Diagram, members: tuple[int | Cluster, ...], lines: list[str], count: list[int], level: int
) -> None:
    indent = "  " * level
    for member in members:
        if isinstance(member, int):
            lines.append(indent + _node(diagram.nodes[member]))
            continue
        count[0] += 1
        lines.append(f'{indent}subgraph c{count[0]}["{_escaped(times(member.times, member.title))}"]')
        _members(diagram, member.members, lines, count, level + 1)
        lines.append(f"{indent}end")


def _node(node: Node) -> str:
    sign = f"{MARKS[node.mark][0]} ".lstrip() if node.mark else ""
    label = "<br/>".join(map(_escaped, (sign + times(node.times, node.title), *node.details)))
    left, right = {"input": ("([", "])"), "output": ("([", "])"), "join": ("((", "))")}.get(node.form, ("[", "]"))
    style = "" if node.form in ("input", "output") else f":::{node.mark or node.kind}"
    return f'n{node.id}{left}"{label}"{right}{style}'


def _edge(edge: Edge) -> str:
    arrow = "-.->" if edge.aside else "==>" if edge.skip else "-->"
    label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
    return f"n{edge.source} {arrow}{label} n{edge.target}"


def _escaped(text: str) -> str:
    """Letters that mean something to Mermaid as its entity codes."""
    return "".join(f"#{ord(letter)};" if letter in '"<>#;&`\\' else letter for letter in text.replace("\n", " "))
