"""The walk through the scopes that makes a diagram's nodes, edges and clusters."""

from __future__ import annotations

from collections import Counter
from itertools import compress
from typing import NamedTuple, TypedDict

from archdsl.analysis.cost import Cost, Costs
from archdsl.analysis.liveness import used_inputs
from archdsl.emit import boxes, labels
from archdsl.emit.graph import Cluster, Diagram, Edge, Form, Node
from archdsl.emit.labels import Names, Places
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Output, Scope, SideStep, Step
from archdsl.shape import Shape

Members = list[int | Cluster]
Ends = dict[int, "End"]


class End(NamedTuple):
    """Where a tensor comes from: a node, and the shape to write on the edge (empty where it hasn't changed)."""

    node: int
    label: str


class Told(TypedDict):
    """What a node tells beside its texts."""

    params: int
    macs: int
    shape: Shape


class Context(NamedTuple):
    """Where in the network a scope is drawn.

    prefix: its path with a dot behind it; depth: levels of names still shown; places: the loops around; aside: inside
    a side head; peers: the scopes that are drawn as one with it, itself first.
    """

    prefix: str
    depth: int
    places: Places
    peers: tuple[Scope, ...]
    aside: bool = False


class Closed(NamedTuple):
    """A call of a block that is drawn as a box, how often it stands there, and its path."""

    call: CallStep
    times: int
    path: str


class Walk:
    """One drawing in the making.

    full: every step is a node and every repetition is unfolded. framed: containers have frames. shut: blocks never
    to look into. names: for what differs between scopes drawn as one.
    closed: the calls of blocks that weren't looked into.
    """

    def __init__(
        self,
        net: Net,
        full: bool,
        names: Names = labels.NOBODY,
        framed: bool = True,
        shut: frozenset[str] = frozenset(),
    ) -> None:
        self.net = net
        self.full = full
        self.framed = framed
        self.shut = shut
        self.names = names
        self.closed: list[Closed] = []
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.costs = Costs(net)
        self.used: dict[Scope, tuple[bool, ...]] = {}

    def diagram(
        self,
        name: str,
        scope: Scope,
        path: str,
        outputs: tuple[Output, ...],
        depth: int,
        peers: tuple[Scope, ...] = (),
    ) -> Diagram:
        """The drawing of a scope with what enters and leaves it; peers: those drawn as one with it, itself first."""
        peers = peers or (scope,)
        ends = tuple(self._entry(k, scope, peers) for k in range(len(scope.inputs)))
        members: Members = [end.node for end in ends]
        if depth > 0:
            ends = self._scope(scope, ends, Context(path, depth, {}, peers), members)
        else:
            node = self._node("block", "block", name, (), self._about(name, scope, 1), **self._inner(scope))
            self._edges(ends, node)
            members.append(node)
            ends = tuple(End(node, "") for _ in scope.results)
        members += [self._exit(output, scope, peers, ends[output.result]) for output in outputs]
        return Diagram(name, tuple(self.nodes), _told_once(self.edges), tuple(members))

    def _entry(self, k: int, scope: Scope, peers: tuple[Scope, ...]) -> End:
        shape = self._shape(peers, scope.inputs[k])
        title = "input" if k == 0 else "from outside"
        details = (shape,) if shape else ()
        tooltip = f"{title}: {shape}" if shape else title
        given = self._at(scope.shapes[scope.inputs[k]])
        return End(self._node("input", "input", title, details, tooltip, shape=given), "")

    def _exit(self, output: Output, scope: Scope, peers: tuple[Scope, ...], end: End) -> int:
        shape = self._shape(peers, scope.results[output.result])
        aside = output.mode != "always"
        details = ((shape,) if shape else ()) + ((f"in {output.mode} only",) if aside else ())
        tooltip = f"{output.name}: {shape}" if shape else output.name
        given = self._at(scope.shapes[scope.results[output.result]])
        node = self._node("output", "output", output.name, details, tooltip, aside=aside, shape=given)
        self._edges((End(end.node, ""),), node)
        return node

    def _scope(self, scope: Scope, inputs: tuple[End, ...], context: Context, members: Members) -> tuple[End, ...]:
        """Draws the steps of a scope; the ends of its results."""
        ends = dict(zip(scope.inputs, inputs, strict=True))
        readers = boxes.readers(scope)
        found = list(boxes.parts(scope, readers, self.full))
        waiting = list(range(len(found)))
        while waiting:
            k = waiting.pop(0)
            count = 1 if self.full else boxes.pairs(found, k, readers)
            if count > 1:
                self._turns(scope, found[k : k + 2 * count], ends, context, members)
                del waiting[: 2 * count - 1]
                continue
            part = found[k]
            step = part[0]
            if isinstance(step, OpStep):
                self._ops(scope, [one for one in part if isinstance(one, OpStep)], ends, readers, context, members)
                continue
            entering = tuple(ends[value] for value in step.inputs)
            if isinstance(step, CallStep) or (not self.full and boxes.repeated_call(step)):
                leaving = self._calls(scope, part, entering, context, members)
            elif isinstance(step, LoopStep):
                leaving = self._loop(step, entering, _inside(context, step), members)
            else:
                aside = _inside(context, step)._replace(aside=True)
                leaving = self._scope(step.scope, entering, aside, members)
            ends.update(zip(part[-1].outputs, leaving, strict=True))
        return tuple(ends[value] for value in scope.results)

    def _turns(self, scope: Scope, parts: list[list[Step]], ends: Ends, context: Context, members: Members) -> None:
        """Two calls in turns, drawn once."""
        inner: Members = []
        for first in (0, 1):
            steps = [part[0] for part in parts[first::2]]
            entering = tuple(ends[value] for value in steps[0].inputs)
            leaving = self._calls(scope, steps, entering, context, inner, times=1)
            for step in steps:
                ends.update(zip(step.outputs, leaving, strict=True))
        count = len(parts) // 2
        members.append(Cluster("", f"{count} times", tuple(inner), context.aside, count))

    def _ops(
        self, scope: Scope, steps: list[OpStep], ends: Ends, readers: Counter[int], context: Context, members: Members
    ) -> None:
        """One node for a step, or for several that make one box."""
        first = steps[0]
        aside = context.aside or first.unused
        if first.op.kind == "merge":
            tooltip = self._tell(scope, steps, context)
            sign = first.op.symbol or first.op.name
            given = self._at(scope.shapes[first.outputs[0]])
            node = self._node("join", "merge", sign, (), tooltip, aside=aside, shape=given)
        else:
            node = self._box(scope, steps, "", context._replace(aside=aside))
        members.append(node)
        for value in boxes.read_by(scope, first):
            self._edges((ends[value],), node, skip=len(first.inputs) > 1 and readers[value] > 1)
        value = steps[-1].outputs[0]
        same = scope.shapes[first.inputs[0]] == scope.shapes[value]
        ends[value] = End(node, "" if same else self._shape(context.peers, value))

    def _box(self, scope: Scope, steps: list[OpStep], name: str, context: Context, count: int = 1) -> int:
        """The node of a chain of ops, under their main op's name if it isn't given another one."""
        main = next((k for k, step in enumerate(steps) if step.op.kind in boxes.MAIN), 0)
        name = name or labels.spelled(steps[main].name, context.places)
        peers = [boxes.same(context.peers, step, OpStep) for step in steps]
        calls = [labels.call([one.op for one in same], self.names) for same in peers]
        around = (" · ".join(calls[:main]), calls[main], " · ".join(calls[main + 1 :]))
        lines = tuple(line for line in around if line)
        # A name that says what the op says already, as `avgpool: avgpool to 1x1`, isn't said twice.
        title, *details = (name, *lines) if labels.telling(name) and name != steps[main].op.name else lines
        tooltip = self._tell(scope, steps, context)
        kind, given = steps[main].op.kind, scope.shapes[steps[-1].outputs[0]]
        about = self._costs([[self.costs.of_op(step) for step in same] for same in peers], given)
        return self._node("op", kind, title, tuple(details), tooltip, count=count, aside=context.aside, **about)

    def _calls(
        self,
        scope: Scope,
        steps: list[Step],
        entering: tuple[End, ...],
        context: Context,
        members: Members,
        times: int = 0,
    ) -> tuple[End, ...]:
        """A scope entered, equal neighbours as one: a node, or a cluster where the depth allows to look inside.

        times: how often it is said to stand there, if not once for each step.
        """
        named = [boxes.entered(step, context.places) for step in steps]
        call, count = named[0].call, times or sum(one.times for one in named)
        calls = [one for step in steps for one in boxes.calls_of(context.peers, step)]
        name = labels.span(named[0].first, named[-1].last)
        peers = tuple(one.scope for one in calls)
        inside = Context(f"{context.prefix}{name}.", context.depth - 1, {}, peers, context.aside)
        chain = None if self.full else boxes.chain(call.scope)
        if chain is None and context.depth > 1 and call.scope.name not in self.shut:
            title = self._title(name, calls)
            return self._cluster(title, call, count, entering, inside, members)
        if chain is not None:
            node = self._box(call.scope, chain, name if labels.telling(name) else "", inside, count)
        else:
            what = labels.block(calls, self.names)
            if what and not context.aside:
                self.closed += [Closed(one, named[0].times, inside.prefix[:-1]) for one in calls]
            about = (what,) if what else boxes.contents(peers, self.names)
            title, *details = (name, *about) if labels.telling(name) or not about else about
            tooltip = self._about(inside.prefix[:-1], call.scope, count)
            inner = self._inner(*peers)
            node = self._node(
                "block", "block", title, tuple(details), tooltip, count=count, aside=context.aside, **inner
            )
        members.append(node)
        first, *more = compress(entering, used_inputs(call.scope, self.used))
        self._edges((first,), node)
        self._edges(tuple(more), node, skip=True)
        outputs = steps[-1].outputs
        before = scope.shapes[steps[0].inputs[0]]
        return tuple(
            End(node, "" if scope.shapes[value] == before else self._shape(context.peers, value)) for value in outputs
        )

    def _cluster(
        self, title: str, call: CallStep, count: int, entering: tuple[End, ...], inside: Context, members: Members
    ) -> tuple[End, ...]:
        inner: Members = []
        leaving = self._scope(call.scope, entering, inside, inner)
        if call.scope.kind == "container" and not self.framed:
            members += inner
        elif inner:
            about = self._about(inside.prefix[:-1], call.scope, count)
            members.append(Cluster(title, about, tuple(inner), inside.aside, count))
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
            members.append(Cluster("", f"{step.times} times", tuple(inner), context.aside, step.times))
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
        params: int = 0,
        macs: int = 0,
        shape: Shape | None = None,
    ) -> int:
        number = len(self.nodes)
        self.nodes.append(Node(number, form, kind, title, details, tooltip, count, aside, params, macs, shape))
        return number

    def _inner(self, *scopes: Scope) -> Told:
        """What a node tells of a scope, or of several that are drawn as one."""
        return self._costs([[self.costs.of_scope(scope) for scope in scopes]], scopes[0].shapes[scopes[0].results[0]])

    def _costs(self, costs: list[list[Cost]], shape: Shape) -> Told:
        """What a node tells of all that it stands for: nothing that differs, nor MACs that depend on an open size."""
        params = macs = 0
        for same in costs:
            sums = {(cost.params, self.net.at(cost.macs + cost.training_macs)) for cost in same}
            one, work = sums.pop()
            params += 0 if sums else one
            macs += work if isinstance(work, int) and not sums else 0
        return {"params": params, "macs": macs, "shape": self._at(shape)}

    def _at(self, shape: Shape) -> Shape:
        return Shape(shape.axes, tuple(self.net.at(size) for size in shape.sizes))

    def _title(self, name: str, calls: list[CallStep]) -> str:
        what = labels.block(calls, self.names)
        return (
            f"{name}: {what}"
            if what and labels.telling(name) and "{" not in name
            else what or (name if labels.telling(name) else "")
        )

    def _edges(self, ends: tuple[End, ...], target: int, *, skip: bool = False) -> None:
        self.edges += [Edge(end.node, target, end.label, skip, self.nodes[target].aside) for end in ends]

    def _shape(self, peers: tuple[Scope, ...], value: int) -> str:
        """A shape that is the same in all scopes drawn as one."""
        shapes = {peer.shapes[value] for peer in peers}
        return "" if len(shapes) > 1 else labels.shape(self.net, shapes.pop())

    def _tell(self, scope: Scope, steps: list[OpStep], context: Context) -> str:
        """All about some ops: paths, settings, parameters, MACs, output."""
        lines = []
        for step in steps:
            path = context.prefix + labels.spelled(step.name, context.places)
            numbers = [f"{self.costs.of_op(step).params:,} parameters"] if step.facts.weights else []
            macs = self.net.at(step.facts.macs)
            numbers += [f"{macs:,} MACs"] if isinstance(macs, int) and macs else [f"{macs} MACs"] if macs != 0 else []
            lines.append(", ".join((f"{path}: {labels.settings(step.op)}", *numbers)))
        return "\n".join((*lines, f"output: {self._shape((scope,), steps[-1].outputs[0])}"))

    def _about(self, path: str, scope: Scope, count: int) -> str:
        """All about a scope: path, block, parameters, output."""
        parameters = self.costs.of_scope(scope).params
        what = f"{path}: {scope.name}" if scope.kind == "block" else path
        numbers = labels.times(count, f"{parameters:,} parameters")
        return f"{what}, {numbers}\noutput: {self._shape((scope,), scope.results[0])}"


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


def _inside(context: Context, step: LoopStep | SideStep) -> Context:
    """The context of what a step repeats, or runs in one mode only."""
    peers = boxes.same(context.peers, step, (LoopStep, SideStep))
    return context._replace(peers=tuple(one.scope for one in peers if not isinstance(one, OpStep)))
