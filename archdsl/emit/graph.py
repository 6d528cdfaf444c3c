"""A network as a graph: nodes, edges and clusters as frozen plain data, and how deep to look into it.

A scope below the depth shown is one node, and equal neighbours are one node with their number. Above the full depth
what a person would draw as one box is one: a convolution with the norm and activation behind it. At the full depth
every step is a node and every tensor an edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from archdsl.failure import WrongUsage
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Output, Scope
from archdsl.shape import Shape
from archdsl.suggest import did_you_mean

if TYPE_CHECKING:
    from graphviz import Digraph

# The default is the deepest look that has no more nodes than READABLE. Where one less deep tells something already
# (has TELLING nodes), it has no more than LONGEST one behind the other: a picture many times as high as wide fits on
# no page.
READABLE = 60
LONGEST = 32
TELLING = 10
# Where blocks recur, which are drawn beside the network, that has no more nodes than this, but its own steps anyway.
BESIDE = 25
# Above this many steps repetitions stay folded even at the full depth.
UNFOLDED = 20_000

# What a node is in a drawing of two networks.
Mark = Literal["", "same", "changed", "removed", "added"]
Form = Literal["input", "op", "join", "block", "output"]
Direction = Literal["down", "right"]
Fit = Literal["slide", "column"]
ThemeName = Literal["light", "dark", "print", "transparent"]
PICTURES = ("svg", "png", "pdf")
FORMATS = (*PICTURES, "dot", "mmd")


class Node(NamedTuple):
    """A box. title and details are its lines; kind is that of its main op, or `block`; times: how
    often it stands in a row.

    aside: it belongs to a side head, or to nothing that is computed. params: of one of them; macs too, 0 where they
    depend on an open size; shape: of what it gives. mark: what became of it, where two networks are drawn as one.
    """

    id: int
    form: Form
    kind: str
    title: str
    details: tuple[str, ...]
    tooltip: str
    times: int = 1
    aside: bool = False
    params: int = 0
    macs: int = 0
    shape: Shape | None = None
    mark: Mark = ""


class Edge(NamedTuple):
    """A tensor on its way. label: its shape, where it is told; skip: it passes by the steps between."""

    source: int
    target: int
    label: str
    skip: bool = False
    aside: bool = False


class Cluster(NamedTuple):
    """A frame around nodes and further frames, in the order of execution; times: how often it stands in a row."""

    title: str
    tooltip: str
    members: tuple[int | Cluster, ...]
    aside: bool = False
    times: int = 1


class Diagram(NamedTuple):
    """A drawing of a network, ready to be rendered; nodes are numbered by their place.

    about: a line below its name; figures: the insides of blocks that stand in it several times.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    members: tuple[int | Cluster, ...]
    about: str = ""
    figures: tuple[Diagram, ...] = ()

    def render(
        self,
        format: str,
        *,
        theme: ThemeName = "light",
        direction: Direction = "down",
        fit: Fit = "slide",
        numbers: bool = False,
    ) -> bytes:
        """The picture as a file: svg, png, pdf, dot (Graphviz) or mmd (Mermaid).

        theme: light, dark, print (grey) or transparent. direction: where tensors flow, down or right. fit: `slide` has
        the proportions of a screen, `column` is as narrow as may be. numbers: parameters and MACs in the boxes. Raises
        WrongUsage for something else, or where there is no font to draw a PNG with.
        """
        one_of("format", format, FORMATS)
        one_of("direction", direction, get_args(Direction))
        one_of("fit", fit, get_args(Fit))
        from archdsl.emit.picture import themes

        colours, down = themes.theme(theme), direction == "down"
        if format == "mmd":
            from archdsl.emit import mermaid

            return mermaid.text(self, colours, down=down).encode()
        if format == "dot":
            source: str = self.graphviz(theme=theme, direction=direction).source
            return source.encode()
        from archdsl.emit.picture.compose import compose
        from archdsl.emit.picture.files import written

        return written(compose(self, colours, down=down, numbers=numbers, slide=fit == "slide"), format)

    def graphviz(self, *, theme: ThemeName = "light", direction: Direction = "down") -> Digraph:
        """The graph as an object of the package `graphviz`, to change and to lay out with its tools."""
        from archdsl.emit import dot
        from archdsl.emit.picture import themes

        one_of("direction", direction, get_args(Direction))
        return dot.digraph(self, themes.theme(theme), down=direction == "down")

    def volumes(self, format: str, *, theme: ThemeName = "light") -> bytes:
        """The main line as feature maps in perspective, in a file: svg, png or pdf.

        Raises WrongUsage for another format or theme, and where sizes are left open.
        """
        one_of("format", format, PICTURES)
        from archdsl.emit.picture import themes
        from archdsl.emit.picture.files import written
        from archdsl.emit.picture.volumes import volumes

        return written(volumes(self, themes.theme(theme)), format)

    def _repr_svg_(self) -> str:
        return self.render("svg").decode()

    def clusters(self) -> Iterator[Cluster]:
        """Every frame, outer ones first."""
        waiting: list[int | Cluster] = list(reversed(self.members))
        while waiting:
            member = waiting.pop()
            if isinstance(member, Cluster):
                yield member
                waiting += reversed(member.members)


def one_of(what: str, value: str, known: Sequence[str]) -> None:
    """Raises WrongUsage for a value that isn't known."""
    if what == "format" and value not in known:
        names = ", ".join(f".{name}" for name in known)
        wanted = f"`.{value}`" if value else "without a suffix"
        raise WrongUsage(f"can't tell what to draw {wanted}", help=f"the name must end in one of {names}")
    if value not in known:
        raise WrongUsage(f"there is no {what} {value!r}", help=f"it is one of {', '.join(known)}")


def draw(net: Net, *, depth: int | None = None, block: str | None = None) -> Diagram:
    """The network's graph, or that of the first instance of a block.

    depth: levels of names shown; None is the deepest look with at most 60 nodes. Raises WrongUsage for a block that the
    network doesn't have.
    """
    from archdsl.emit.figures import insides, recurring
    from archdsl.emit.labels import Names
    from archdsl.emit.walk import Walk

    scope, path, name = net.scope, "", net.name
    if block is not None:
        scope, path = _first(net, block)
        name = f"{block} ({path.removesuffix('.')} of {net.name})"
    outputs = net.outputs if block is None else outputs_of(scope)
    deepest = levels(scope)
    names = Names({}, net.sizes if net.concrete else {})
    if depth is not None:
        walk = Walk(net, depth >= deepest and _steps(scope) <= UNFOLDED, names)
        diagram = walk.diagram(name, scope, path, outputs, depth)
        return diagram._replace(figures=insides(net, walk.closed, READABLE - len(diagram.nodes)))
    shut = recurring(scope)
    walk = Walk(net, False, names)
    found = walk.diagram(name, scope, path, outputs, 0)
    for deeper in range(1, deepest + 1):
        further = Walk(net, False, names, shut=shut)
        diagram = further.diagram(name, scope, path, outputs, deeper)
        if len(diagram.nodes) > (BESIDE if shut and deeper > 1 else READABLE) or (
            _length(diagram) > LONGEST and len(found.nodes) >= TELLING
        ):
            break
        found, walk = diagram, further
    return found._replace(figures=insides(net, walk.closed, READABLE - len(found.nodes)))


def levels(scope: Scope) -> int:
    """How many levels of names the steps inside have."""
    known: dict[Scope, int] = {}

    def of(scope: Scope) -> int:
        if scope not in known:
            inner = (
                of(step.scope) + isinstance(step, CallStep) for step in scope.steps if not isinstance(step, OpStep)
            )
            known[scope] = max(inner, default=0)
        return known[scope]

    return 1 + of(scope)


def _steps(scope: Scope) -> int:
    """Op steps inside, repetitions counted."""
    known: dict[Scope, int] = {}

    def of(scope: Scope) -> int:
        if scope not in known:
            known[scope] = sum(
                1 if isinstance(step, OpStep) else of(step.scope) * (step.times if isinstance(step, LoopStep) else 1)
                for step in scope.steps
            )
        return known[scope]

    return of(scope)


def _length(diagram: Diagram) -> int:
    """The number of nodes on the longest way through."""
    before = [1] * len(diagram.nodes)
    for edge in sorted(diagram.edges):  # numbered in the order of execution
        before[edge.target] = max(before[edge.target], before[edge.source] + 1)
    return max(before)


def outputs_of(scope: Scope) -> tuple[Output, ...]:
    """What leaves a block: its result, what others reach into it for, and its side heads."""
    inner = tuple(Output(name, k, "always") for k, name in enumerate(("output", *scope.taps)))
    return inner + tuple(Output(side.name, k, side.mode) for k, side in enumerate(scope.sides, len(inner)))


def _first(net: Net, block: str) -> tuple[Scope, str]:
    """The first scope of a block and its path with a dot behind it. Raises WrongUsage."""
    from archdsl.emit.labels import Places, spelled

    seen: set[Scope] = set()
    names: dict[str, None] = {}

    def search(scope: Scope, prefix: str, places: Places) -> tuple[Scope, str] | None:
        if scope in seen:
            return None
        seen.add(scope)
        for step in scope.steps:
            if isinstance(step, OpStep):
                continue
            path, inside = prefix, places
            if isinstance(step, CallStep):
                path, inside = f"{prefix}{spelled(step.name, places)}.", {}
            elif isinstance(step, LoopStep):
                inside = {**places, step.counter: (0, 0)}
            if step.scope.kind == "block":
                names[step.scope.name] = None
                if step.scope.name == block:
                    return step.scope, path
            found = search(step.scope, path, inside)
            if found:
                return found
        return None

    found = search(net.scope, "", {})
    if found:
        return found
    near = did_you_mean(block, names)
    known = f"its blocks are {', '.join(names)}" if names else "it is written without blocks"
    raise WrongUsage(f"`{net.name}` has no block `{block}`", help=f"did you mean `{near}`?" if near else known)
