"""Where a value comes from, seen through the scopes that it passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep, spell


class Place(NamedTuple):
    """A scope with the step by which it was entered, and the place of that step."""

    scope: Scope
    entered: CallStep | LoopStep | SideStep | None = None
    around: Place | None = None
    path: tuple[str, ...] = ()

    def inside(self, step: CallStep | LoopStep | SideStep) -> Place:
        """The scope that a step of this one enters."""
        level = (spell(step.name),) if isinstance(step, CallStep) else ()
        return Place(step.scope, step, self, (*self.path, *level))


class Made(NamedTuple):
    """An op step and the place where it stands."""

    place: Place
    step: OpStep


def places(net: Net) -> Iterator[Place]:
    """Every distinct scope, at the place where it is entered first; what is never used is left out."""
    seen: set[Scope] = set()
    waiting = [Place(net.scope)]
    while waiting:
        place = waiting.pop()
        if place.scope in seen:
            continue
        seen.add(place.scope)
        yield place
        inner = [step for step in place.scope.steps if not isinstance(step, OpStep)]
        waiting += [place.inside(step) for step in reversed(inner) if not _unused(step)]


def _unused(step: CallStep | LoopStep | SideStep) -> bool:
    return isinstance(step, CallStep) and step.unused


class Flow:
    """Producers and readers of values, each scope looked through once."""

    def __init__(self) -> None:
        self._makers: dict[Scope, dict[int, OpStep | CallStep | LoopStep | SideStep]] = {}
        self._readers: dict[Scope, Counter[int]] = {}

    def readers(self, scope: Scope) -> Counter[int]:
        """Value -> how many steps that run, and results of the scope, read it."""
        if scope not in self._readers:
            count: Counter[int] = Counter(set(scope.results))
            for step in scope.steps:
                if not (isinstance(step, (OpStep, CallStep)) and step.unused):
                    count.update(set(step.inputs))
            self._readers[scope] = count
        return self._readers[scope]

    def producer(self, place: Place, value: int, *, sole: bool = False) -> Made | None:
        """The op that gives a value; None at the network's input, and where a loop's iterations meet.

        sole: None too where anybody else reads the value on its way.
        """
        while not (sole and self.readers(place.scope)[value] > 1):
            step = self._maker(place.scope, value)
            if isinstance(step, OpStep):
                return Made(place, step)
            if step is not None:
                place, value = place.inside(step), step.scope.results[step.outputs.index(value)]
            elif place.around is None or place.entered is None or isinstance(place.entered, LoopStep):
                return None
            else:
                value = place.entered.inputs[place.scope.inputs.index(value)]
                place = place.around
        return None

    def _maker(self, scope: Scope, value: int) -> OpStep | CallStep | LoopStep | SideStep | None:
        if scope not in self._makers:
            self._makers[scope] = {made: step for step in scope.steps for made in step.outputs}
        return self._makers[scope].get(value)
