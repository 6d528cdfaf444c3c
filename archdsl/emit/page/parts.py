"""The boxes of the page: the rows of the summary as a tree, with loops and side heads as frames around theirs."""

from __future__ import annotations

from typing import Literal, NamedTuple

from archdsl.emit.summary.rows import Row
from archdsl.ir import CallStep, LoopStep, Mode, OpStep, Scope, SideStep, Step
from archdsl.source import Span

# A box with more boxes in it than this shows them in frames of so many each: a browser draws no 10,000 at once.
TOGETHER = 100

Frame = Literal["op", "call", "loop", "side", "range"]


class Part(NamedTuple):
    """A box: a step or several equal ones, the body of a loop, a side head, or a range of too many boxes.

    frame: which of these. row: what the summary tells of a step; None for a frame that has no name of its own.
    name: a side head's output, or a range's numbers. times: how often it stands there in a row. mode: of a side head.
    entering, leaving: the value numbers, of the scope that it stands in, that it reads and makes. sizes: what of
    these it reads the size of, and no more. children: what is in it, in the order of execution; inputs, results and
    sides are the values of that inside, as a scope has them.
    """

    frame: Frame
    row: Row | None
    name: str
    times: int
    mode: Mode
    entering: tuple[int, ...]
    leaving: tuple[int, ...]
    sizes: frozenset[int]
    span: Span
    step: LoopStep | SideStep | None = None
    children: tuple[Part, ...] = ()
    inputs: tuple[int, ...] = ()
    results: tuple[int, ...] = ()
    sides: int = 0


def tree(scope: Scope, rows: list[Row]) -> tuple[Part, ...]:
    """The boxes of a network's scope, from all the rows that the summary has of it."""
    reader = _Reader(rows)
    parts = _together(reader.scope(scope), scope.results)
    assert reader.at == len(rows), "every row has its box"
    return parts


class _Reader:
    """Goes through the rows in their order, which is that of the steps in the scopes."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self.at = 0

    def scope(self, scope: Scope) -> list[Part]:
        found: list[Part] = []
        start, steps = 0, scope.steps
        while start < len(steps):
            end = self._end(scope, start)
            found.append(self._part(scope, steps[start:end]))
            start = end
        return found

    def _end(self, scope: Scope, start: int) -> int:
        """Where the steps that are one with the first end: a row tells the last of them, as a loop's first row does."""
        row = self._rows[self.at]
        for place in range(start, len(scope.steps)):
            step = scope.steps[place]
            if isinstance(step, (LoopStep, SideStep)) if row.scope is not scope else step is row.step:
                return place + 1
        raise AssertionError("a row without its step")

    def _part(self, scope: Scope, steps: tuple[Step, ...]) -> Part:
        step = steps[-1]
        made = {value for one in steps for value in one.outputs}
        read = tuple(dict.fromkeys(value for one in steps for value in one.inputs if value not in made))
        leaving = tuple(dict.fromkeys(value for one in steps for value in one.outputs))
        if isinstance(step, SideStep):
            children = _together(self.scope(step.scope), step.scope.results)
            name, mode = step.scope.name, step.mode
            part = Part("side", None, name, 1, mode, read, leaving, frozenset(), step.span, step, children)
            return part._replace(inputs=step.scope.inputs, results=step.scope.results)
        if isinstance(step, LoopStep):
            return self._loop(step, read, leaving, steps)
        row = self._rows[self.at]
        self.at += 1
        frame: Frame = "op" if isinstance(step, OpStep) else "call"
        part = Part(frame, row, row.name, len(steps), row.mode, read, leaving, _sizes(step, scope), step.span)
        if not isinstance(step, CallStep) or not row.opened:
            return part
        inner = step.scope
        part = part._replace(inputs=inner.inputs, results=inner.results, sides=len(inner.sides))
        return part._replace(children=_together(self.scope(inner), inner.results))

    def _loop(self, step: LoopStep, read: tuple[int, ...], leaving: tuple[int, ...], steps: tuple[Step, ...]) -> Part:
        """A loop, and the steps before it that are equal to its own; no frame of its own around a single box."""
        body = step.scope
        times = step.times + (len(steps) - 1) // max(1, len(body.steps))
        children = self.scope(body)
        if len(children) == 1:
            return children[0]._replace(
                times=times * children[0].times, entering=read, leaving=leaving, sizes=frozenset()
            )
        part = Part("loop", None, "", times, "always", read, leaving, frozenset(), step.span, step)
        return part._replace(children=_together(children, body.results), inputs=body.inputs, results=body.results)


def _sizes(step: OpStep | CallStep, scope: Scope) -> frozenset[int]:
    """The values of which an op reads the size only: `upsample to input`, a parameter."""
    if isinstance(step, CallStep):
        return frozenset()
    if "" in step.facts.weights and step.op.lower(tuple(scope.shapes[value] for value in step.inputs)).parameter:
        return frozenset(step.inputs)
    return frozenset(step.inputs[1:]) if step.op.inputs[0] == 1 else frozenset()


def _together(parts: list[Part], results: tuple[int, ...]) -> tuple[Part, ...]:
    """The boxes; where they are too many, in ranges of TOGETHER, and these in ranges again."""
    first, each = 1, 1
    while len(parts) > TOGETHER:
        each *= TOGETHER
        groups = [parts[k : k + TOGETHER] for k in range(0, len(parts), TOGETHER)]
        parts = _ranges(groups, results, first, each)
    return tuple(parts)


def _ranges(groups: list[list[Part]], results: tuple[int, ...], first: int, each: int) -> list[Part]:
    last_read = {value: k for k, group in enumerate(groups) for part in group for value in part.entering}
    last_read |= dict.fromkeys(results, len(groups))
    ranges = []
    for k, group in enumerate(groups):
        made = {value for part in group for value in part.leaving}
        read = tuple(dict.fromkeys(value for part in group for value in part.entering if value not in made))
        main = group[-1].leaving
        others = [value for part in group for value in part.leaving if value not in main]
        leaving = tuple(value for value in (*main, *others) if last_read.get(value, -1) > k)
        start = first + k * each
        name = f"{start:,} to {start + _steps(group) - 1:,}"
        span = group[0].span
        ranges.append(
            Part("range", None, name, 1, "always", read, leaving, frozenset(), span, None, tuple(group), read, leaving)
        )
    return ranges


def _steps(group: list[Part]) -> int:
    """How many boxes are in a group, those in ranges in it one by one."""
    return sum(_steps(list(part.children)) if part.frame == "range" else 1 for part in group)
