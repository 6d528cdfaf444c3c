"""Inner steps made results of the scopes around them; a loop is unfolded where such a step is inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from archdsl.dims import variable
from archdsl.ir import CallStep, LoopStep, Scope, SideStep, spell
from archdsl.shape import Shape
from archdsl.taps.draft import Draft
from archdsl.taps.find import Counters, find, iterations

# The names from the outside in.
Path = tuple[str, ...]


def expose(scope: Scope, wanted: tuple[Path, ...]) -> Scope:
    """The scope with the steps of these paths, which it has, as further results."""
    return _Exposing(scope, wanted).scope() if wanted else scope


class _Exposing:
    """One scope on its way."""

    def __init__(self, scope: Scope, wanted: tuple[Path, ...]) -> None:
        self._scope = scope
        self._order = wanted
        self._wanted: dict[str, list[Path]] = {}
        for first, *rest in wanted:
            self._wanted.setdefault(first, []).append(tuple(rest))
        self._draft = Draft(scope, range(len(scope.inputs)))
        self._found: dict[Path, int] = {}

    def scope(self) -> Scope:
        results = self._steps(self._scope, self._draft.inputs, {})
        results += [self._found[path] for path in self._order]
        return self._draft.finish(results, [*self._scope.taps, *map(".".join, self._order)])

    def _steps(self, scope: Scope, entering: Sequence[int], counters: Counters) -> list[int]:
        """Copies the steps of the scope itself, or those of an iteration of a loop in it; the results."""
        values = dict(zip(scope.inputs, entering, strict=True))
        for step in scope.steps:
            assert not isinstance(step, SideStep)
            if isinstance(step, LoopStep):
                self._loop(step, scope, values, counters)
                continue
            name = spell(step.name, counters)
            wanted = [] if step.unused else self._wanted.get(name, [])
            deep = tuple(path for path in wanted if path)
            if deep:
                assert isinstance(step, CallStep)
                self._enter(step, name, deep, scope, values, counters)
            else:
                self._draft.copy(step, scope, values, counters)
            if () in wanted:
                self._found[name,] = values[step.outputs[0]]
        return [values[value] for value in scope.results]

    def _enter(
        self,
        step: CallStep,
        name: str,
        deep: tuple[Path, ...],
        scope: Scope,
        values: dict[int, int],
        counters: Counters,
    ) -> None:
        """Copies a call, whose scope has further results."""
        inner = expose(step.scope, deep)
        shapes = [_plain(inner.shapes[value]) for value in inner.results[len(step.outputs) :]]
        more = self._draft.copy(step._replace(scope=inner), scope, values, counters, shapes)
        self._found.update(((name, *path), value) for path, value in zip(deep, more, strict=True))

    def _loop(self, loop: LoopStep, scope: Scope, values: dict[int, int], counters: Counters) -> None:
        """Copies a loop: iterations with a step that is wanted one by one, those between them still as loops."""
        reached = sorted({k for name in self._wanted for k in _reached(loop, name, counters)})
        if not reached:
            self._draft.copy(loop, scope, values, counters)
            return
        current, *rest = (values[value] for value in loop.inputs)
        for before, k in pairwise((-1, *reached, loop.times)):
            current = self._between(loop, before + 1, k, [current, *rest], counters)
            if k < loop.times:
                (current,) = self._steps(loop.scope, [current, *rest], {**counters, loop.counter: k})
        values[loop.outputs[0]] = current

    def _between(self, loop: LoopStep, first: int, end: int, entering: list[int], counters: Counters) -> int:
        """The iterations from `first` up to `end`, which isn't one of them; their result."""
        if end - first > 1:
            counts = {**counters, loop.counter: variable(loop.counter) + first} if first else counters
            return self._draft.repeat(loop, entering, counts, end - first)
        if end - first == 1:
            (result,) = self._steps(loop.scope, entering, {**counters, loop.counter: first})
            return result
        return entering[0]


def _reached(loop: LoopStep, name: str, counters: Counters) -> list[int]:
    """The iterations of a loop with a step of this name."""
    return [
        k for k in iterations(loop, name, counters) if find(loop.scope, name, {**counters, loop.counter: k}) is not None
    ]


def _plain(shape: Shape) -> Shape:
    """The shape without the source of its numbers, which is in the terms of the scope that it was taken out of."""
    return Shape(shape.axes, tuple([int(size) if isinstance(size, int) else size for size in shape.sizes]))
