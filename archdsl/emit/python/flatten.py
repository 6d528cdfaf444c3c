"""A scope with its loops unrolled and its side heads put in line: what one class is printed from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import NamedTuple

from archdsl.analysis.liveness import in_place, used_inputs
from archdsl.ir import CallStep, LoopStep, Mode, OpStep, Scope, SideStep, spell
from archdsl.ops.base import Torch
from archdsl.shape import Shape

NOTHING = Torch()


class Item(NamedTuple):
    """A step with its name spelled out.

    lowered: how PyTorch spells its op; empty for a scope entered. side: the result that it works for, where it runs in
    one mode only.
    """

    name: str
    step: OpStep | CallStep
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    mode: Mode
    lowered: Torch
    inplace: bool
    side: str = ""

    @property
    def is_module(self) -> bool:
        """It becomes a module; other ops are expressions or bare parameters."""
        return isinstance(self.step, CallStep) or bool(self.lowered.call)

    @property
    def reads(self) -> tuple[int, ...]:
        """The values that forward takes it from; a bare parameter takes none."""
        return () if self.step.unused or self.lowered.parameter else self.inputs

    @property
    def number(self) -> bool:
        return self.name.isdecimal()

    @property
    def nameless(self) -> bool:
        return self.name.startswith("~")


class Flat(NamedTuple):
    """The steps of a scope over values numbered anew.

    sides: value -> the mode in which it exists, for those that don't always.
    """

    items: tuple[Item, ...]
    inputs: tuple[int, ...]
    results: tuple[int, ...]
    shapes: tuple[Shape, ...]
    sides: Mapping[int, Mode]


def flatten(scope: Scope, known: dict[Scope, tuple[bool, ...]]) -> Flat:
    """The scope's steps in the order of execution, loops unrolled; inputs that it doesn't read are left out.

    known: which inputs of scopes are read, as far as that has been asked.
    """
    maker = _Maker(known)
    inputs = [maker.value(scope.shapes[value]) for value in scope.inputs]
    results = maker.run(scope, inputs, {}, "always", "")
    read = compress(inputs, used_inputs(scope, known))
    return Flat(tuple(maker.items), tuple(read), tuple(results), tuple(maker.shapes), maker.sides)


class _Maker:
    """Collects items and numbers their values."""

    def __init__(self, known: dict[Scope, tuple[bool, ...]]) -> None:
        self.known = known
        self.inplace: dict[Scope, frozenset[int]] = {}
        self.items: list[Item] = []
        self.shapes: list[Shape] = []
        self.sides: dict[int, Mode] = {}

    def value(self, shape: Shape) -> int:
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def run(self, scope: Scope, entering: list[int], counters: Mapping[str, int], mode: Mode, side: str) -> list[int]:
        """Adds a scope's steps; the numbers of its results."""
        local = dict(zip(scope.inputs, entering, strict=True))
        inplace = in_place(scope, self.inplace)
        for index, step in enumerate(scope.steps):
            inputs = [local[value] for value in step.inputs]
            if isinstance(step, LoopStep):
                current, *rest = inputs
                for k in range(step.times):
                    (current,) = self.run(step.scope, [current, *rest], {**counters, step.counter: k}, mode, side)
                outputs = [current]
            elif isinstance(step, SideStep):
                outputs = self.run(step.scope, inputs, counters, step.mode, step.scope.name)
                if outputs[0] not in inputs:
                    self.sides[outputs[0]] = step.mode
            else:
                outputs = [self.value(scope.shapes[value]) for value in step.outputs]
                self.add(step, spell(step.name, counters), inputs, outputs, mode, side, inplace=index in inplace)
            local.update(zip(step.outputs, outputs, strict=True))
        return [local[value] for value in scope.results]

    def add(
        self,
        step: OpStep | CallStep,
        name: str,
        inputs: list[int],
        outputs: list[int],
        mode: Mode,
        side: str,
        *,
        inplace: bool,
    ) -> None:
        lowered = NOTHING
        if isinstance(step, OpStep):
            lowered = step.op.lower(tuple(self.shapes[value] for value in inputs))
        else:
            inputs = list(compress(inputs, used_inputs(step.scope, self.known)))
            for position, one in enumerate(step.scope.sides, len(step.outputs) - len(step.scope.sides)):
                if one.mode != "always":
                    self.sides[outputs[position]] = one.mode
        self.items.append(Item(name, step, tuple(inputs), tuple(outputs), mode, lowered, inplace, side))
