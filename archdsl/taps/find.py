"""Steps by their names, through loops too: a loop's counter stands in the names of the steps inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from archdsl.dims import Sym, at
from archdsl.ir import CallStep, LoopStep, Name, OpStep, Scope, Step, spell

Counters = Mapping[str, int]
_NONE: Counters = {}


def find(scope: Scope, name: str, counters: Counters = _NONE) -> OpStep | CallStep | None:
    """The step of a scope that has a name and is run; `counters`: those of the loops around it."""
    for step in scope.steps:
        if isinstance(step, (OpStep, CallStep)):
            if not step.unused and spell(step.name, counters) == name:
                return step
        elif isinstance(step, LoopStep):
            for k in iterations(step, name, counters):
                if found := find(step.scope, name, {**counters, step.counter: k}):
                    return found
    return None


def iterations(loop: LoopStep, name: str, counters: Counters = _NONE) -> Sequence[int]:
    """The iterations of a loop that may have a step of this name: those that its number tells, else all."""
    possible: set[int] = set()
    for parts in _names(loop.scope.steps):
        numbers = _numbers(parts, name)
        if numbers is None:
            continue
        told = [pair for pair in numbers if pair[0].names - counters.keys() == {loop.counter}]
        if not told:  # the counters of loops inside are in the number too
            return range(loop.times)
        possible.add(_solved(*told[0], loop.counter, counters))
    return sorted(k for k in possible if 0 <= k < loop.times)


def _names(steps: Sequence[Step]) -> Iterator[Name]:
    for step in steps:
        if isinstance(step, (OpStep, CallStep)):
            yield step.name
        else:
            yield from _names(step.scope.steps)


def _numbers(parts: Name, name: str) -> list[tuple[Sym, int]] | None:
    """The numbers in a name, with the sums of counters that they are; None where it is another name."""
    pattern = "".join(re.escape(part) if isinstance(part, str) else r"(\d+)" for part in parts)
    found = re.fullmatch(pattern, name, re.ASCII)
    if found is None:
        return None
    sums = [part for part in parts if isinstance(part, Sym)]
    if len(sums) < sum(not isinstance(part, str) for part in parts) or r")(" in pattern:
        return []  # where one number ends and the next begins isn't told
    return list(zip(sums, map(int, found.groups()), strict=True))


def _solved(wanted: Sym, number: int, counter: str, counters: Counters) -> int:
    """The counter's value at which a sum is this number; -1 where there is none."""
    first = at(wanted, {**counters, counter: 0})
    each = at(wanted, {**counters, counter: 1}) - first
    times, rest = divmod(number - first, each)
    return -1 if rest else times


def paths(scope: Scope, prefix: str = "", counters: Counters = _NONE, *, deep: bool = True) -> Iterator[str]:
    """The paths of all steps that are run, a container's before those inside it; of this scope alone unless deep."""
    for step in scope.steps:
        if isinstance(step, LoopStep):
            for k in range(step.times):
                yield from paths(step.scope, prefix, {**counters, step.counter: k}, deep=deep)
        elif isinstance(step, (OpStep, CallStep)) and not step.unused:
            path = prefix + spell(step.name, counters)
            yield path
            if deep and isinstance(step, CallStep):
                yield from paths(step.scope, f"{path}.")
