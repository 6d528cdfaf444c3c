"""The walk through the scopes that makes a diagram's nodes, edges and clusters."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from archdsl.emit import boxes, labels
from archdsl.emit.graph import Cluster, Diagram, Edge, Form, Node
from archdsl.emit.labels import Places
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Output, Scope, Step

Members = list[int | Cluster]
Ends = dict[int, "End"]


class End(NamedTuple):
    """Where a tensor comes from: a node, and the shape to write on the edge (empty where it hasn't changed)."""

    node: int
    label: str


class Context(NamedTuple):
    """Where in the network a scope is drawn.

    prefix: its path with a dot behind it; depth: levels of names still shown; places: the loops around; aside: inside
    a side head.
    """

    prefix: str
    depth: int
    places: Places
    aside: bool = False


class Walk:
    """One drawing in the making. full: every step is a node and every repetition is unfolded."""

    def __init__(self, net: Net, full: bool) -> None:
        self.net = net
        self.full = full
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.parameters: dict[Scope, int] = {}

    def diagram(self, name: str, scope: Scope, path: str, outputs: tuple[Output, ...], depth: int) -> Diagram:
        """The drawing of a scope with what enters and leaves it."""
        ends = tuple(self._entry(k, scope) for k in range(len(scope.inputs)))
        members: Members = [end.node for end in ends]
        if depth > 0:
            ends = self._scope(scope, ends, Context(path, depth, {}), members)
        else:
            node = self._node("block", "block", name, (), self._about(name, scope, 1))
            self._edges(ends, node)
            members.append(node)
            ends = tuple(End(node, "") for _ in scope.results)
        members += [self._exit(output, scope, ends[output.result]) for output in outputs]
        return Diagram(name, tuple(self.nodes), _told_once(self.edges), tuple(members))

    def _entry(self, k: int, scope: Scope) -> End:
        shape = self._shape(scope, scope.inputs[k])
        title = "input" if k == 0 else "from outside"
        return End(self._node("input", "input", title, (shape,), f"{title}: {shape}"), "")

    def _exit(self, output: Output, scope: Scope, end: End) -> int:
        shape = self._shape(scope, scope.results[output.result])
        aside = output.mode != "always"
        details = (shape, f"in {output.mode} only") if aside else (shape,)
        node = self._node("output", "output", output.name, details, f"{output.name}: {shape}", aside=aside)
        self._edges((End(end.node, ""),), node)
        return node

    def _scope(self, scope: Scope, inputs: tuple[End, ...], context: Context, members: Members) -> tuple[End, ...]:
        """Draws the steps of a scope; the ends of its results."""
        ends = dict(zip(scope.inputs, inputs, strict=True))
        readers = boxes.readers(scope)
        for part in boxes.parts(scope, readers, self.full):
            step = part[0]
            if isinstance(step, OpStep):
                self._ops(scope, [one for one in part if isinstance(one, OpStep)], ends, readers, context, members)
                continue
            entering = tuple(ends[value] for value in step.inputs)
            if isinstance(step, CallStep) or (not self.full and boxes.repeated_call(step)):
                leaving = self._calls(scope, part, entering, context, members)
            elif isinstance(step, LoopStep):
                leaving = self._loop(step, entering, context, members)
            else:
                leaving = self._scope(step.scope, entering, context._replace(aside=True), members)
            ends.update(zip(part[-1].outputs, leaving, strict=True))
        return tuple(ends[value] for value in scope.results)

    def _ops(
        self, scope: Scope, steps: list[OpStep], ends: Ends, readers: Counter[int], context: Context, members: Members
    ) -> None:
        """One node for a step, or for several that make one box."""
        first = steps[0]
        aside = context.aside or first.unused
        if first.op.kind == "merge":
            tooltip = self._tell(scope, steps, context)
            node = self._node("join", "merge", first.op.symbol or first.op.name, (), tooltip, aside=aside)
        else:
            node = self._box(scope, steps, "", context._replace(aside=aside))
        members.append(node)
        bare = "" in first.facts.weights and first.op.lower(tuple(scope.shapes[k] for k in first.inputs)).parameter
        for value in () if bare else first.inputs:
            self._edges((ends[value],), node, skip=len(first.inputs) > 1 and readers[value] > 1)
        value = steps[-1].outputs[0]
        same = scope.shapes[first.inputs[0]] == scope.shapes[value]
        ends[value] = End(node, "" if same else self._shape(scope, value))

    def _box(self, scope: Scope, steps: list[OpStep], name: str, context: Context, count: int = 1) -> int:
        """The node of a chain of ops, under their main op's name if it isn't given another one."""
        main = next((k for k, step in enumerate(steps) if step.op.kind in boxes.MAIN), 0)
        name = name or labels.spelled(steps[main].name, context.places)
        calls = tuple(labels.call(step.op) for step in steps)
        # A name that says what the op says already, as `avgpool: avgpool to 1x1`, isn't said twice.
        title, *details = (name, *calls) if labels.telling(name) and name != steps[main].op.name else calls
        tooltip = self._tell(scope, steps, context)
        kind = steps[main].op.kind
        return self._node("op", kind, title, tuple(details), tooltip, count=count, aside=context.aside)

    def _calls(
        self, scope: Scope, steps: list[Step], entering: tuple[End, ...], context: Context, members: Members
    ) -> tuple[End, ...]:
        """A scope entered, equal neighbours as one: a node, or a cluster where the depth allows to look inside."""
        named = [boxes.entered(step, context.places) for step in steps]
        call, count = named[0].call, sum(one.times for one in named)
        name = labels.span(named[0].first, named[-1].last)
        inside = Context(f"{context.prefix}{name}.", context.depth - 1, {}, context.aside)
        chain = None if self.full else boxes.chain(call.scope)
        if chain is None and context.depth > 1:
            return self._cluster(_title(name, call), call, count, entering, inside, members)
        if chain is not None:
            node = self._box(call.scope, chain, name if labels.telling(name) else "", inside, count)
        else:
            what = labels.block(call)
            about = (what,) if what else boxes.contents(call.scope)
            title, *details = (name, *about) if labels.telling(name) or not about else about
            tooltip = self._about(inside.prefix[:-1], call.scope, count)
            node = self._node("block", "block", title, tuple(details), tooltip, count=count, aside=context.aside)
        members.append(node)
        self._edges(entering[:1], node)
        self._edges(entering[1:], node, skip=True)
        outputs = steps[-1].outputs
        before = scope.shapes[steps[0].inputs[0]]
        return tuple(End(node, "" if scope.shapes[value] == before else self._shape(scope, value)) for value in outputs)

    def _cluster(
        self, title: str, call: CallStep, count: int, entering: tuple[End, ...], inside: Context, members: Members
    ) -> tuple[End, ...]:
        inner: Members = []
        leaving = self._scope(call.scope, entering, inside, inner)
        if inner:
            about = self._about(inside.prefix[:-1], call.scope, count)
            members.append(Cluster(labels.times(count, title), about, tuple(inner), inside.aside))
        return leaving

    def _loop(self, step: LoopStep, entering: tuple[End, ...], context: Context, members: Members) -> tuple[End, ...]:
        """A repetition: each iteration at the full depth, otherwise its body once."""
        if self.full:
            for k in range(step.times):
                iteration = context._replace(places={**context.places, step.counter: (k, k)})
                entering = (*self._scope(step.scope, entering, iteration, members)[:1], *entering[1:])
            return entering[:1]
        inner: Members = []
        once = context._replace(places={**context.places, step.counter: (0, step.times - 1)})
        leaving = self._scope(step.scope, entering, once, inner)
        if len(inner) == 1 and isinstance(inner[0], int):
            node = self.nodes[inner[0]]
            self.nodes[node.id] = node._replace(times=node.times * step.times)
            members.append(node.id)
        elif inner:
            members.append(Cluster(f"{step.times} ×", f"{step.times} times", tuple(inner), context.aside))
        return leaving

    def _node(
        self,
        form: Form,
        kind: str,
        title: str,
        details: tuple[str, ...],
        tooltip: str,
        *,
        count: int = 1,
        aside: bool = False,
    ) -> int:
        node = Node(len(self.nodes), form, kind, title, details, tooltip, count, aside)
        self.nodes.append(node)
        return node.id

    def _edges(self, ends: tuple[End, ...], target: int, *, skip: bool = False) -> None:
        self.edges += [Edge(end.node, target, end.label, skip, self.nodes[target].aside) for end in ends]

    def _shape(self, scope: Scope, value: int) -> str:
        return labels.shape(self.net, scope.shapes[value])

    def _tell(self, scope: Scope, steps: list[OpStep], context: Context) -> str:
        """All about some ops: paths, settings, parameters, MACs, output."""
        lines = []
        for step in steps:
            path = context.prefix + labels.spelled(step.name, context.places)
            numbers = [f"{labels.weights(self.net, step):,} parameters"] if step.facts.weights else []
            macs = self.net.at(step.facts.macs)
            numbers += [f"{macs:,} MACs"] if isinstance(macs, int) and macs else [f"{macs} MACs"] if macs != 0 else []
            lines.append(", ".join((f"{path}: {labels.settings(step.op)}", *numbers)))
        return "\n".join((*lines, f"output: {self._shape(scope, steps[-1].outputs[0])}"))

    def _about(self, path: str, scope: Scope, count: int) -> str:
        """All about a scope: path, block, parameters, output."""
        parameters = labels.parameters(self.net, scope, self.parameters)
        what = f"{path}: {scope.name}" if scope.kind == "block" else path
        numbers = labels.times(count, f"{parameters:,} parameters")
        return f"{what}, {numbers}\noutput: {self._shape(scope, scope.results[0])}"


def _told_once(edges: list[Edge]) -> tuple[Edge, ...]:
    """The edges with each tensor's shape on one of them only: the one that goes straight on, if there is such."""
    telling: dict[End, int] = {}
    for k, edge in enumerate(edges):
        end = End(edge.source, edge.label)
        known = telling.setdefault(end, k)
        if (edge.skip, edge.aside) < (edges[known].skip, edges[known].aside):
            telling[end] = k
    chosen = set(telling.values())
    return tuple(edge if k in chosen else edge._replace(label="") for k, edge in enumerate(edges))


def _title(name: str, call: CallStep) -> str:
    what = labels.block(call)
    return f"{name}: {what}" if what and labels.telling(name) else what or name
