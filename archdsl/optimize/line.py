"""A network in evaluation as one list of steps: every scope entered, every loop run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archdsl.ir import CallStep, LoopStep, OpStep, Scope, SideStep, spell
from archdsl.ops.base import Facts, Op
from archdsl.shape import Shape
from archdsl.source import Span


class Part(NamedTuple):
    """A linear map of the network as it was written, and the norm behind it ("" for none).

    axis: of its weight, along which the output channels lie. bias: it has one. eps, affine: of the norm.
    """

    path: str
    axis: int
    bias: bool
    norm: str = ""
    eps: float = 0.0
    affine: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the tensors that it is made of."""
        own = (f"{self.path}.weight", *((f"{self.path}.bias",) if self.bias else ()))
        if not self.norm:
            return own
        learnt = ("weight", "bias") if self.affine else ()
        return (*own, *(f"{self.norm}.{what}" for what in ("running_mean", "running_var", *learnt)))


class Node(NamedTuple):
    """An op applied to values of the line.

    path: where it stood. parts: what a linear map is made of, in the order of its output channels.
    """

    path: str
    op: Op
    inputs: tuple[int, ...]
    value: int
    facts: Facts
    span: Span
    parts: tuple[Part, ...] = ()


class Line(NamedTuple):
    """The steps in the order of execution, the shape of each value, and the results (None: only training has it)."""

    nodes: tuple[Node, ...]
    shapes: list[Shape]
    inputs: tuple[int, ...]
    results: tuple[int | None, ...]

    def value(self, shape: Shape) -> int:
        """A new value."""
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def readers(self) -> Counter[int]:
        """How often each value is read, results included."""
        return Counter(
            [value for node in self.nodes for value in node.inputs] + [v for v in self.results if v is not None]
        )


def unroll(scope: Scope) -> Line:
    """The steps of a network's scope that evaluation runs."""
    maker = _Unroller()
    inputs = tuple(maker.value(scope.shapes[value]) for value in scope.inputs)
    results = maker.run(scope, inputs, "", {})
    return Line(tuple(maker.nodes), maker.shapes, inputs, tuple(results))


class _Unroller:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shapes: list[Shape] = []

    def value(self, shape: Shape) -> int:
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def run(
        self, scope: Scope, entering: Sequence[int | None], prefix: str, counters: Mapping[str, int]
    ) -> list[int | None]:
        """Adds a scope's steps; the numbers of its results."""
        local: dict[int, int | None] = dict(zip(scope.inputs, entering, strict=True))
        for step in scope.steps:
            inputs = [local[value] for value in step.inputs]
            if isinstance(step, OpStep):
                outputs = [self._op(step, scope, inputs, prefix, counters)]
            elif isinstance(step, CallStep):
                outputs = self.run(step.scope, inputs, f"{prefix}{spell(step.name, counters)}.", {})
            elif isinstance(step, LoopStep):
                current, *rest = inputs
                for k in range(step.times):
                    (current,) = self.run(step.scope, [current, *rest], prefix, {**counters, step.counter: k})
                outputs = [current]
            else:
                outputs = self._side(step, inputs, prefix, counters)
            local.update(zip(step.outputs, outputs, strict=True))
        return [local[value] for value in scope.results]

    def _side(
        self, step: SideStep, inputs: list[int | None], prefix: str, counters: Mapping[str, int]
    ) -> list[int | None]:
        if step.mode == "training":
            return [None] * len(step.outputs)
        return self.run(step.scope, inputs, prefix, counters)

    def _op(
        self, step: OpStep, scope: Scope, inputs: list[int | None], prefix: str, counters: Mapping[str, int]
    ) -> int | None:
        if step.unused:
            return None
        if step.op.training_only:
            return inputs[0]
        entering = [value for value in inputs if value is not None]
        assert len(entering) == len(inputs), "evaluation reads nothing that only training makes"
        value = self.value(scope.shapes[step.outputs[0]])
        path = prefix + spell(step.name, counters)
        parts = (Part(path, step.op.out_axis, "bias" in step.facts.weights),) if "linear map" in step.op.traits else ()
        self.nodes.append(Node(path, step.op, tuple(entering), value, step.facts, step.span, parts))
        return value
