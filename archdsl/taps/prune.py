"""What nobody needs left out: steps behind the last output, branches and modules that are never read."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.ir import OpStep, Scope, Step
from archdsl.taps.draft import Draft


def prune(scope: Scope, results: Sequence[int], names: Sequence[str]) -> Scope:
    """The scope with only these of its results, in this order, and what they need. names: of all but the first."""
    pruned, _ = _Pruner().scope(scope, tuple(results))
    return pruned.replaced(taps=tuple(names))


class _Pruner:
    """Scopes that are left with the same results are one object."""

    def __init__(self) -> None:
        self._known: dict[tuple[Scope, tuple[int, ...]], tuple[Scope, tuple[int, ...]]] = {}

    def scope(self, scope: Scope, results: tuple[int, ...]) -> tuple[Scope, tuple[int, ...]]:
        """What is left of a scope, and which of its inputs: the first, and those that are still read."""
        key = (scope, results)
        if key not in self._known:
            self._known[key] = self._left(scope, results)
        return self._known[key]

    def _left(self, scope: Scope, results: tuple[int, ...]) -> tuple[Scope, tuple[int, ...]]:
        needed = {scope.results[position] for position in results}
        steps: list[Step] = []
        for step in reversed(scope.steps):
            left = self._step(step, needed)
            if left is not None:
                steps.insert(0, left)
                needed.update(left.inputs)
        inputs = tuple([k for k, value in enumerate(scope.inputs) if k == 0 or value in needed])
        everything = tuple(range(len(scope.results))), tuple(range(len(scope.inputs)))
        same = len(steps) == len(scope.steps) and all(old is new for old, new in zip(scope.steps, steps, strict=True))
        if same and (results, inputs) == everything:
            return scope, inputs
        draft = Draft(scope, inputs)
        values = {scope.inputs[k]: value for k, value in zip(inputs, draft.inputs, strict=True)}
        for step in steps:
            draft.copy(step, scope, values)
        names = ("", *scope.taps)
        told = [values[scope.results[position]] for position in results]
        return draft.finish(told, [names[position] for position in results[1:]]), inputs

    def _step(self, step: Step, needed: set[int]) -> Step | None:
        """What is left of a step; None where nothing is."""
        results = tuple([k for k, value in enumerate(step.outputs) if value in needed])
        if not results:
            return None
        if isinstance(step, OpStep):
            return step
        inner, inputs = self.scope(step.scope, results)
        if inner is step.scope:
            return step
        return step._replace(
            scope=inner,
            inputs=tuple([step.inputs[k] for k in inputs]),
            outputs=tuple([step.outputs[k] for k in results]),
        )
