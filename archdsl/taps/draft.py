"""A scope in the making: steps of others copied into it, their values numbered anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archdsl.dims import Dim, Sym, variable
from archdsl.ir import CallStep, LoopStep, Name, OpStep, Scope, Step
from archdsl.shape import Shape

# Counter -> what stands for it from now on: a number, or a later start of the same counter.
Counts = Mapping[str, Dim]
_NONE: Counts = {}


class Draft:
    """Collects steps in their order. The values of a scope that is copied are told by a mapping to those here."""

    def __init__(self, like: Scope, inputs: Sequence[int]) -> None:
        """like: the scope that is made anew. inputs: the positions of those of its inputs that stay."""
        self._like = like
        self._shapes: list[Shape] = []
        self._steps: list[Step] = []
        self.inputs = tuple([self.value(like.shapes[like.inputs[k]]) for k in inputs])

    def value(self, shape: Shape) -> int:
        """A new value."""
        self._shapes.append(shape)
        return len(self._shapes) - 1

    def copy(
        self,
        step: Step,
        scope: Scope,
        values: dict[int, int],
        counts: Counts = _NONE,
        more: Sequence[Shape] = (),
    ) -> tuple[int, ...]:
        """Adds a step of `scope`, and its outputs to `values`. more: shapes of outputs that it didn't have there."""
        outputs = tuple([self.value(scope.shapes[value]) for value in step.outputs])
        added = tuple([self.value(shape) for shape in more])
        inputs = tuple([values[value] for value in step.inputs])
        values.update(zip(step.outputs, outputs, strict=True))
        self._steps.append(renamed(step, counts)._replace(inputs=inputs, outputs=(*outputs, *added)))
        return added

    def repeat(self, loop: LoopStep, inputs: Sequence[int], counts: Counts, times: int) -> int:
        """Adds a loop of `times` iterations of another loop's body; its result."""
        result = self.value(self._shapes[inputs[0]])
        loop = renamed(loop, counts)  # type: ignore[assignment]
        self._steps.append(loop._replace(inputs=tuple(inputs), outputs=(result,), times=times))
        return result

    def finish(self, results: Sequence[int], taps: Sequence[str]) -> Scope:
        """The scope, frozen. taps: the names of its results but the first."""
        return self._like.replaced(
            inputs=self.inputs,
            shapes=tuple(self._shapes),
            steps=tuple(self._steps),
            results=tuple(results),
            sides=(),
            jump=None,
            taps=tuple(taps),
        )


def renamed(step: Step, counts: Counts) -> Step:
    """The step with others in place of counters in its names; a loop's are those of the steps inside."""
    if not counts:
        return step
    if isinstance(step, (OpStep, CallStep)):
        return step._replace(name=_name(step.name, counts))
    inside = tuple([renamed(inner, counts) for inner in step.scope.steps])
    return step._replace(scope=step.scope.replaced(steps=inside))


def _name(name: Name, counts: Counts) -> Name:
    parts: list[str | Dim] = []
    for part in name:
        told = _at(part, counts) if isinstance(part, Sym) else part
        piece = told if isinstance(told, Sym) else str(told)
        if isinstance(piece, str) and parts and isinstance(parts[-1], str):
            parts[-1] += piece
        else:
            parts.append(piece)
    return tuple(parts)


def _at(number: Sym, counts: Counts) -> Dim:
    """A sum of counters with others in their place."""
    total: Dim = number.constant
    for (atom,), factor in number.terms:
        total = total + counts.get(atom.name, variable(atom.name)) * factor
    return total
