"""A network as rows: the tree of its steps down to a depth, equal neighbours told once."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import NamedTuple

from archdsl.analysis.cost import Cost, Costs
from archdsl.analysis.receptive import Field, Fields
from archdsl.analysis.runs import Counters, Run, label, runs
from archdsl.ir import CallStep, LoopStep, Mode, Net, OpStep, Scope


class Row(NamedTuple):
    """A step in the tree, or `times` equal ones.

    name: its level; path: all levels. opened: the rows inside follow, at depth + 1. cost: of one of the `times`.
    scope: whose values the step's inputs and outputs are. fields: the receptive fields of these values, where they
    were asked for; of several equal steps those of the last.
    mode: in which mode it runs; of what doesn't run at all, unused is set.
    """

    path: str
    name: str
    depth: int
    step: OpStep | CallStep
    scope: Scope
    times: int
    cost: Cost
    mode: Mode
    unused: bool
    opened: bool
    fields: list[Field] | None


class _Place(NamedTuple):
    """Where in the tree a scope's steps stand, and how often."""

    prefix: str = ""
    depth: int = 0
    times: int = 1
    mode: Mode = "always"
    unused: bool = False
    counters: Counters = MappingProxyType({})


class Tree:
    """The rows of a network.

    depth: how many levels of names are opened; None: all. full: every repetition by itself.
    """

    def __init__(
        self, net: Net, costs: Costs, *, fields: Fields | None = None, depth: int | None = None, full: bool = False
    ) -> None:
        self._net = net
        self._costs = costs
        self._fields = fields
        self._depth = depth
        self._full = full

    def rows(self) -> Iterator[Row]:
        """The rows from the top, a row before those inside it."""
        entering = (self._fields.input,) if self._fields else ()
        return self._rows(self._net.scope, _Place(), entering)

    def _rows(self, scope: Scope, place: _Place, entering: tuple[Field, ...]) -> Iterator[Row]:
        fields = self._fields.inside(scope, entering) if self._fields else None
        for run in [Run(step) for step in scope.steps] if self._full else runs(scope, place.counters):
            step = run.step
            inner = tuple([fields[value] for value in step.inputs]) if fields is not None else ()
            if isinstance(step, OpStep):
                yield self._row(run, scope, place, fields, False)
            elif isinstance(step, CallStep):
                opened = self._depth is None or place.depth + 1 < self._depth
                row = self._row(run, scope, place, fields, opened)
                yield row
                if opened:
                    below = _Place(row.path + ".", place.depth + 1, row.times, place.mode, row.unused)
                    yield from self._rows(step.scope, below, inner)
            elif isinstance(step, LoopStep):
                yield from self._loop(run, step, place, inner)
            else:
                yield from self._rows(step.scope, place._replace(mode=step.mode), inner)

    def _loop(self, run: Run, step: LoopStep, place: _Place, entering: tuple[Field, ...]) -> Iterator[Row]:
        first, times = run.first, step.times - run.first
        iterations = range(times) if self._full else (None,)
        for k in iterations:
            span = (first, times) if k is None else (k, 1)
            before = step.times - 1 if k is None else k
            fields = self._fields.entering_last(step, entering, before) if self._fields else ()
            counters = {**place.counters, step.counter: span}
            inside = place._replace(counters=counters, times=place.times * (times if k is None else 1))
            yield from self._rows(step.scope, inside, fields)

    def _row(self, run: Run, scope: Scope, place: _Place, fields: list[Field] | None, opened: bool) -> Row:
        step = run.step
        assert isinstance(step, (OpStep, CallStep))
        name = run.label or label(step.name, place.counters)
        unused = place.unused or step.unused
        cost = self._costs.of_step(step)
        if unused:
            cost = Cost(cost.params, cost.buffers, 0, 0)
        elif place.mode == "training":
            cost = Cost(cost.params, cost.buffers, 0, cost.macs + cost.training_macs)
        times = place.times * run.times
        return Row(place.prefix + name, name, place.depth, step, scope, times, cost, place.mode, unused, opened, fields)
