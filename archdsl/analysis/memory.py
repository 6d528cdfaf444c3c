"""Memory: the weights, and what training keeps of the activations for the backward pass.

Kept are the distinct tensor storages that autograd saves in training mode, parameters and buffers left out; the same as
`torch.autograd.graph.saved_tensors_hooks` sees on the CPU. Views share a storage, and so does what runs in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

from archdsl.analysis.liveness import in_place
from archdsl.dims import Dim, at
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep
from archdsl.ops.base import Extra, Facts
from archdsl.ops.merge import BATCH

# Bytes of a number, by torch's name of its type.
BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


class Memory(NamedTuple):
    """Bytes. weights: parameters and buffers; activations: what one training step keeps. Symbolic where sizes are."""

    weights: Dim
    activations: Dim


class _Kept(NamedTuple):
    """Bytes kept: those that grow with the batch, and those that don't."""

    each: Dim = 0
    once: Dim = 0

    def plus(self, other: _Kept, times: int = 1) -> _Kept:
        return _Kept(self.each + other.each * times, self.once + other.once * times)


class _Storage:
    """A tensor's memory. input: the position among the scope's inputs, None for one that is made in the scope."""

    __slots__ = ("batch", "elements", "input", "saved")

    def __init__(self, elements: Dim, input: int | None = None, saved: bool = False, batch: bool = True) -> None:
        self.elements = elements
        self.input = input
        self.saved = saved
        self.batch = batch


class _Result(NamedTuple):
    """A result of a scope: its storage, and whether gradients flow into it."""

    storage: _Storage
    gradient: bool


class _Effect(NamedTuple):
    """What running a scope keeps: bytes of what stays inside, which inputs it saves, and its results."""

    kept: _Kept
    saves: frozenset[int]
    results: tuple[_Result, ...]


class _Run:
    """A scope while its steps are gone through: the storage and gradient of each value, and what is kept."""

    __slots__ = ("gradients", "kept", "saved_inputs", "storages")

    def __init__(self, scope: Scope, gradients: tuple[bool, ...]) -> None:
        self.storages: dict[int, _Storage] = {}
        self.gradients: dict[int, bool] = {}
        self.kept = _Kept()
        for position, value in enumerate(scope.inputs):
            self.storages[value] = _Storage(scope.shapes[value].elements, input=position)
            self.gradients[value] = gradients[position]


class Activations:
    """What is kept of a network's activations: one result a distinct scope (and which of its inputs need gradients)."""

    def __init__(self, bytes_each: int) -> None:
        self._bytes = bytes_each
        self._known: dict[tuple[Scope, tuple[bool, ...]], _Effect] = {}

    def of_scope(self, scope: Scope, gradients: tuple[bool, ...]) -> _Effect:
        """The effect of running a scope; gradients: whether each input needs one."""
        key = (scope, gradients)
        if key not in self._known:
            self._known[key] = self._run(scope, gradients)
        return self._known[key]

    def _run(self, scope: Scope, gradients: tuple[bool, ...]) -> _Effect:
        run = _Run(scope, gradients)
        inplace = in_place(scope)
        for index, step in enumerate(scope.steps):
            if isinstance(step, OpStep):
                if not step.unused:
                    self._op(step, index in inplace, run)
            elif isinstance(step, LoopStep):
                self._loop(step, run)
            else:
                self._call(step, run)
        results = tuple(_Result(run.storages[value], run.gradients[value]) for value in scope.results)
        outside = {id(result.storage) for result in results}
        inside = {id(storage): storage for storage in run.storages.values() if id(storage) not in outside}
        made = [storage for storage in inside.values() if storage.input is None]
        kept = run.kept.plus(saved_bytes(made, self._bytes))
        saves = frozenset(
            storage.input for storage in run.storages.values() if storage.saved and storage.input is not None
        )
        return _Effect(kept, saves, results)

    def _op(self, step: OpStep, runs_in_place: bool, run: _Run) -> None:
        facts = step.facts
        (output,) = step.outputs
        inputs = [run.storages[value] for value in step.inputs]
        gradient = bool(facts.weights) or any(run.gradients[value] for value in step.inputs)
        shared = runs_in_place or facts.alias
        storage = inputs[0] if shared else _made(facts)
        run.storages[output], run.gradients[output] = storage, gradient
        if not gradient:
            return
        saves = facts.saves_in_place if runs_in_place else facts.saves
        if facts.saves_first is not None and not run.gradients[step.inputs[0]]:
            saves = facts.saves_first
        if step.op.inputs[0] > 1 and saves:
            saves, inputs = _factors(saves, inputs, [run.gradients[value] for value in step.inputs])
        else:
            inputs = inputs[:1]  # a second one is there for its size only
        run.kept = run.kept.plus(self._save(saves, inputs, storage))

    def _save(self, saves: Iterable[str | Extra], inputs: list[_Storage], output: _Storage) -> _Kept:
        """Marks what an op saves; the bytes of what is neither its input nor its output."""
        each: Dim = 0
        once: Dim = 0
        for item in saves:
            if isinstance(item, Extra):
                number = item.elements * (self._bytes if item.bytes == BYTES["float32"] else item.bytes)
                each, once = (each + number, once) if item.batch else (each, once + number)
            elif item == "input":
                for storage in inputs:
                    storage.saved = True
            else:
                output.saved = True
        return _Kept(each, once)

    def _call(self, step: CallStep | SideStep, run: _Run) -> None:
        """A scope entered, unless it never runs in training."""
        effect = self.of_scope(step.scope, tuple([run.gradients[value] for value in step.inputs]))
        runs = step.mode != "eval" if isinstance(step, SideStep) else not step.unused
        if runs:
            run.kept = run.kept.plus(effect.kept)
            for position in effect.saves:
                run.storages[step.inputs[position]].saved = True
        self._take(effect.results, step, run, runs)

    def _take(self, results: tuple[_Result, ...], step: CallStep | SideStep, run: _Run, runs: bool) -> None:
        """The results of an inner scope as values of this one."""
        own: dict[int, _Storage] = {}
        for value, (storage, gradient) in zip(step.outputs, results, strict=True):
            run.gradients[value] = gradient
            if storage.input is not None:
                run.storages[value] = run.storages[step.inputs[storage.input]]
                continue
            copy = own.setdefault(id(storage), _Storage(storage.elements, None, runs and storage.saved, storage.batch))
            run.storages[value] = copy

    def _loop(self, step: LoopStep, run: _Run) -> None:
        """A loop in closed form; the first iteration by itself where gradients only begin in it."""
        gradients = tuple([run.gradients[value] for value in step.inputs])
        effect = self.of_scope(step.scope, gradients)
        times = step.times
        if times > 1 and effect.results[0].gradient != gradients[0]:
            first = self._once(step, effect, 1, run, run.storages[step.inputs[0]])
            gradients = (effect.results[0].gradient, *gradients[1:])
            effect = self.of_scope(step.scope, gradients)
            self._once(step, effect, times - 1, run, first)
            if effect.results[0].storage.input != 0:
                run.kept = run.kept.plus(saved_bytes([first], self._bytes))
        else:
            self._once(step, effect, times, run, run.storages[step.inputs[0]])

    def _once(self, step: LoopStep, effect: _Effect, times: int, run: _Run, entering: _Storage) -> _Storage:
        """`times` equal iterations on a storage; the one that comes out."""
        run.kept = run.kept.plus(effect.kept, times)
        for position in effect.saves:
            (entering if position == 0 else run.storages[step.inputs[position]]).saved = True
        (value,), result = step.outputs, effect.results[0]
        run.gradients[value] = result.gradient
        storage = result.storage
        if storage.input is not None:
            made = entering if storage.input == 0 else run.storages[step.inputs[storage.input]]
        else:
            # Between two iterations stands what the one made and the other may save.
            between = _Storage(storage.elements, None, storage.saved or 0 in effect.saves, storage.batch)
            run.kept = run.kept.plus(saved_bytes([between], self._bytes), times - 1)
            made = _Storage(storage.elements, None, storage.saved, storage.batch)
        run.storages[value] = made
        return made


def _factors(
    saves: tuple[str | Extra, ...], inputs: list[_Storage], gradients: list[bool]
) -> tuple[tuple[str | Extra, ...], list[_Storage]]:
    """What is kept of a product from left to right: a factor for the gradient of what it is multiplied with."""
    partial = [item for item in saves if isinstance(item, Extra)]
    kept = [item for item, wanted in zip(partial, gradients[2:], strict=True) if wanted]
    for_others = [gradients[1], *(any(gradients[:k]) for k in range(1, len(inputs)))]
    words = tuple(item for item in saves if isinstance(item, str))
    return (*words, *kept), [one for one, wanted in zip(inputs, for_others, strict=True) if wanted]


def _made(facts: Facts) -> _Storage:
    """The storage of an op's result; a bare parameter is a weight and no activation."""
    return _Storage(0 if "" in facts.weights else facts.shape.elements, batch=facts.shape.axes[0] != BATCH)


def saved_bytes(storages: Iterable[_Storage], each_number: int) -> _Kept:
    """The bytes of those storages that are saved."""
    each: Dim = 0
    once: Dim = 0
    for storage in storages:
        if storage.saved and storage.batch:
            each += storage.elements * each_number
        elif storage.saved:
            once += storage.elements * each_number
    return _Kept(each, once)


def memory(net: Net, batch: int = 1, dtype: str = "float32") -> Memory:
    """Weights and buffers, and what a training step of `batch` images keeps, its numbers of a torch dtype."""
    each = BYTES[dtype]
    effect = Activations(each).of_scope(net.scope, (False,))
    # A result that is the network's input is counted with the input.
    results = {id(result.storage): result.storage for result in effect.results if result.storage.input is None}
    kept = effect.kept.plus(saved_bytes(results.values(), each))
    if 0 in effect.saves:
        kept = kept.plus(_Kept(net.input.elements * each))
    sizes = net.sizes if net.concrete else {}
    total = kept.each * batch + kept.once
    weights = _weights(net.scope, each, {})
    return Memory(at(weights, sizes), at(total, sizes) if sizes else total)


def _weights(scope: Scope, each: int, known: dict[Scope, Dim]) -> Dim:
    """Bytes of the parameters and buffers in a scope."""
    if scope not in known:
        total: Dim = 0
        for step in scope.steps:
            if isinstance(step, OpStep):
                total += _weights_of(step.facts, each)
            else:
                total += _weights(step.scope, each, known) * (step.times if isinstance(step, LoopStep) else 1)
        known[scope] = total
    return known[scope]


def _weights_of(facts: Facts, each: int) -> Dim:
    total: Dim = 0
    for shape in facts.weights.values():
        total += prod(shape) * each
    for buffer in facts.buffers.values():
        total += prod(buffer.shape) * (each if buffer.dtype == "float32" else BYTES[buffer.dtype])
    return total
