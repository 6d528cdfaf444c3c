"""A network's scopes as series of parts that can be compared: equal neighbours one part, loops with their number."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from archdsl.analysis.cost import Cost, Costs
from archdsl.analysis.runs import Counters, Run, label, runs
from archdsl.emit.boxes import chain
from archdsl.emit.summary.settings import written
from archdsl.ir import CallStep, Init, LoopStep, Mode, Net, OpStep, Scope
from archdsl.ops.base import Op
from archdsl.shape import Shape
from archdsl.trace import Sides

# A loop with no more steps than this in all its iterations is compared step by step.
UNROLLED = 24


class Part(NamedTuple):
    """A step of a scope, or `times` equal ones in a row.

    name: its level of the key; what: as a spec writes it; op: None for what has an inside; params, macs: of one, as
    far as it runs in that mode. sources: the parts that it reads, by their places; -1, -2, ... are the scope's inputs.
    inner: what is inside a call, a loop of several steps or a side head; bare: no level of names, as the latter.
    same: equal for parts that compute the same, whatever they are called; like: equal for those with the same
    settings, at other sizes perhaps.
    """

    name: str
    what: str
    op: Op | None
    times: int
    params: int
    macs: Any
    training_macs: Any
    mode: Mode
    unused: bool
    sources: tuple[int, ...]
    inputs: tuple[Shape, ...]
    output: Shape
    inner: Body | None
    bare: bool
    inits: tuple[tuple[str, Init], ...]
    same: int
    like: int


class Body(NamedTuple):
    """The parts of a scope; results: which of them leave it. chained: ops in a row, which may as well stand outside."""

    parts: tuple[Part, ...]
    results: tuple[int, ...]
    same: int
    like: int
    chained: bool = False


class Numbers:
    """A number for each distinct value: equal values, equal numbers, in both networks."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        return self._known.setdefault(value, len(self._known))


class _Place(NamedTuple):
    """What holds for all steps inside, and the counters of the loops around them."""

    mode: Mode = "always"
    unused: bool = False
    counters: Counters = MappingProxyType({})


class _Wires(NamedTuple):
    """The parts that one reads, by their places, and the shapes of what enters and leaves it."""

    sources: tuple[int, ...]
    inputs: tuple[Shape, ...]
    output: Shape


class _Ends:
    """Which part gives each value of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.of = {value: -1 - k for k, value in enumerate(scope.inputs)}

    def sources(self, values: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.of[value] for value in values)


class Reader:
    """Takes a network apart. numbers: shared by networks that are to be compared."""

    def __init__(self, net: Net, numbers: Numbers) -> None:
        self._net = net
        self._costs = Costs(net)
        self._numbers = numbers
        self._known: dict[Any, Body] = {}

    def body(self) -> Body:
        """The whole network."""
        return self._body(self._net.scope, _Place())

    def _body(self, scope: Scope, place: _Place) -> Body:
        key = (scope, place.mode, place.unused, tuple(place.counters.items()))
        if key not in self._known:
            self._known[key] = self._read(scope, place)
        return self._known[key]

    def _read(self, scope: Scope, place: _Place) -> Body:
        ends = _Ends(scope)
        parts: list[Part] = []
        at = 0
        for run in runs(scope, place.counters):
            steps = scope.steps[at : at + _length(run)]
            at += len(steps)
            sources = ends.sources(steps[0].inputs)
            parts += self._turns(run, sources, place, len(parts)) or [self._part(run, scope, sources, place)]
            ends.of |= dict.fromkeys((value for step in steps for value in step.outputs), len(parts) - 1)
        results = ends.sources(scope.results)
        made = tuple((part.same, part.times, part.sources) for part in parts)
        alike = tuple((part.like, part.times, part.sources) for part in parts)
        same, like = self._numbers.of(("body", made, results)), self._numbers.of(("body", alike, results))
        return Body(tuple(parts), results, same, like, chain(scope) is not None)

    def _turns(self, run: Run, sources: tuple[int, ...], place: _Place, before: int) -> list[Part]:
        """The iterations of a short loop of several steps one by one; before: how many parts there are in front."""
        step = run.step
        parts: list[Part] = []
        if not isinstance(step, LoopStep) or len(step.scope.steps) == 1:
            return parts
        if (step.times - run.first) * len(step.scope.steps) > UNROLLED:
            return parts
        for k in range(run.first, step.times):
            body = self._body(step.scope, place._replace(counters={**place.counters, step.counter: (k, 1)}))
            start = before + len(parts)

            def placed(source: int, start: int = start, entering: tuple[int, ...] = sources) -> int:
                return start + source if source >= 0 else entering[-1 - source]

            parts += [part._replace(sources=tuple(map(placed, part.sources))) for part in body.parts]
            sources = (placed(body.results[0]), *sources[1:])
        return parts

    def _part(self, run: Run, scope: Scope, sources: tuple[int, ...], place: _Place) -> Part:
        step = run.step
        inputs = tuple(self._at(scope.shapes[value]) for value in step.inputs)
        wires = _Wires(sources, inputs, self._at(scope.shapes[step.outputs[0]]))
        if isinstance(step, (OpStep, CallStep)):
            name = run.label or label(step.name, place.counters)
            return self._step(step, name, run.times, wires, place)
        if not isinstance(step, LoopStep):
            place = place._replace(mode=step.mode)
            return self._bare(self._body(step.scope, place), 1, wires, place)
        times = step.times - run.first
        inside = place._replace(counters={**place.counters, step.counter: (run.first, times)})
        body = self._body(step.scope, inside)
        if len(body.parts) == 1 and all(source < 0 for source in body.parts[0].sources):
            (once,) = body.parts
            taken = tuple(sources[-1 - source] for source in once.sources)
            return once._replace(times=once.times * times, sources=taken)
        return self._bare(body, times, wires, place)

    def _step(self, step: OpStep | CallStep, name: str, times: int, wires: _Wires, place: _Place) -> Part:
        unused = place.unused or step.unused
        cost = _running(self._costs.of_step(step), place.mode, unused)
        op, inner = None, None
        inits: tuple[tuple[str, Init], ...] = ()
        if isinstance(step, OpStep):
            op, inits = step.op, step.inits
            alike: tuple[Any, ...] = (
                "op",
                step.op.name,
                *settings(step.op).values(),
                place.mode,
                unused,
                len(wires.inputs),
            )
            made = (*alike, wires.inputs, wires.output)
        else:
            inner = self._body(step.scope, _Place(place.mode, unused))
            alike, made = ("inside", inner.like), ("inside", inner.same)
        return Part(
            name=name,
            what=written(step),
            op=op,
            times=times,
            params=cost.params,
            macs=cost.macs,
            training_macs=cost.training_macs,
            mode=place.mode,
            unused=unused,
            inner=inner,
            bare=False,
            inits=inits,
            same=self._numbers.of(made),
            like=self._numbers.of(alike),
            **wires._asdict(),
        )

    def _bare(self, body: Body, times: int, wires: _Wires, place: _Place) -> Part:
        names = [part.what.partition(" ")[0] for part in body.parts]
        return Part(
            name="",
            what=f"({', '.join(names[:4])}{', …' if len(names) > 4 else ''})",
            op=None,
            times=times,
            params=sum(part.params * part.times for part in body.parts),
            macs=sum(part.macs * part.times for part in body.parts),
            training_macs=sum(part.training_macs * part.times for part in body.parts),
            mode=place.mode,
            unused=place.unused,
            inner=body,
            bare=True,
            inits=(),
            same=self._numbers.of(("bare", place.mode, body.same)),
            like=self._numbers.of(("bare", place.mode, body.like)),
            **wires._asdict(),
        )

    def _at(self, shape: Shape) -> Shape:
        return Shape(shape.axes, tuple(self._net.at(size) for size in shape.sizes))


def settings(op: Op) -> dict[str, Any]:
    """An op's settings; a size that is the same along all axes as one number, as it may be written."""
    values = {key: getattr(op, key) for key in op.settings()}
    square = {key for key, value in values.items() if isinstance(value, Sides) and len(set(value)) == 1}
    return {key: value[0] if key in square else value for key, value in values.items()}


def _length(run: Run) -> int:
    """How many steps of its scope a run is."""
    if not isinstance(run.step, LoopStep):
        return run.times
    return 1 - run.first * len(run.step.scope.steps)


def _running(cost: Cost, mode: Mode, unused: bool) -> Cost:
    """The cost of what runs in a mode only, or not at all."""
    if unused:
        return Cost(cost.params, cost.buffers, 0, 0)
    return Cost(cost.params, cost.buffers, 0, cost.macs + cost.training_macs) if mode == "training" else cost


def inlined(parts: tuple[Part, ...], results: tuple[int, ...]) -> tuple[tuple[Part, ...], tuple[int, ...]]:
    """The parts with the ops of chains in place of the chains, named by both levels."""
    made: list[Part] = []
    ends: dict[int, int] = {}

    def moved(sources: tuple[int, ...], into: Mapping[int, int]) -> tuple[int, ...]:
        return tuple(into.get(source, source) for source in sources)

    for k, part in enumerate(parts):
        sources = moved(part.sources, ends)
        if chained(part) and part.inner is not None:
            before = len(made)
            for inner in part.inner.parts:
                entering = {-1: sources[0]} | {j: before + j for j in range(len(part.inner.parts))}
                made.append(inner._replace(name=f"{part.name}.{inner.name}", sources=moved(inner.sources, entering)))
        else:
            made.append(part._replace(sources=sources))
        ends[k] = len(made) - 1
    return tuple(made), moved(results, ends)


def chained(part: Part) -> bool:
    """Whether a part is a call of ops in a row, nothing else."""
    return part.inner is not None and part.inner.chained and part.times == 1 and not part.bare
