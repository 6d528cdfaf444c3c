"""Memory: the weights, and what training keeps of the activations for the backward pass.

Kept are the distinct tensor storages that autograd saves in training mode, parameters and buffers left out; the same as
`torch.autograd.graph.saved_tensors_hooks` sees on the CPU. Views share a storage, and so does what runs in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


class _Storage:
    """A tensor's memory, of these sizes for an image; batch: there is one for each image.

    input: the position among the scope's inputs, None for one that is made in the scope.
    """

    __slots__ = ("batch", "input", "saved", "sizes")

    def __init__(
        self, sizes: tuple[Dim, ...], input: int | None = None, saved: bool = False, batch: bool = True
    ) -> None:
        self.sizes = sizes
        self.input = input
        self.saved = saved
        self.batch = batch


class _Result(NamedTuple):
    """A result of a scope: its storage, and whether gradients flow into it."""

    storage: _Storage
    gradient: bool


class _Effect(NamedTuple):
    """What running a scope keeps: bytes of what stays inside, which inputs it saves, and its results.

    each: the bytes that grow with the batch; once: those that don't.
    """

    each: Dim
    once: Dim
    saves: tuple[int, ...]
    results: tuple[_Result, ...]


class _Run:
    """A scope while its steps are gone through: the storage and gradient of each value, and the bytes kept."""

    __slots__ = ("each", "gradients", "made", "once", "storages")

    def __init__(self, scope: Scope, gradients: tuple[bool, ...]) -> None:
        self.storages: dict[int, _Storage] = {}
        self.gradients: dict[int, bool] = {}
        self.made: list[_Storage] = []
        self.each: Dim = 0
        self.once: Dim = 0
        for position, value in enumerate(scope.inputs):
            self.storages[value] = _Storage(scope.shapes[value].sizes, input=position)
            self.gradients[value] = gradients[position]

    def new(self, like: _Storage, saved: bool) -> _Storage:
        """A storage made in this scope."""
        made = _Storage(like.sizes, None, saved, like.batch)
        self.made.append(made)
        return made


class Activations:
    """What is kept of a network's activations: one result a distinct scope (and which of its inputs need gradients).

    sizes: the input's, in which all bytes are told; none leaves them symbolic.
    """

    def __init__(self, bytes_each: int, sizes: Mapping[str, int]) -> None:
        self._bytes = bytes_each
        self._sizes = sizes
        self._known: dict[tuple[Scope, tuple[bool, ...]], _Effect] = {}
        self._counts: dict[tuple[Dim, ...], Dim] = {}
        self._inplace: dict[Scope, frozenset[int]] = {}

    def of_scope(self, scope: Scope, gradients: tuple[bool, ...]) -> _Effect:
        """The effect of running a scope; gradients: whether each input needs one."""
        key = (scope, gradients)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._run(scope, gradients)
        return known

    def of_network(self, net: Net, batch: int) -> Dim:
        """Bytes kept of a batch; what is the network's input and its result at once is counted with the input."""
        effect = self.of_scope(net.scope, (False,))
        each, once = effect.each, effect.once
        for storage in {id(result.storage): result.storage for result in effect.results}.values():
            if storage.input is None and storage.saved:
                each, once = self._with(storage, each, once)
        if 0 in effect.saves:
            each += self._count(net.input.sizes) * self._bytes
        return each * batch + once

    def _count(self, sizes: tuple[Dim, ...]) -> Dim:
        known = self._counts.get(sizes)
        if known is None:
            values = [at(size, self._sizes) for size in sizes] if self._sizes else sizes
            known = self._counts[sizes] = prod(values)
        return known

    def _with(self, storage: _Storage, each: Dim, once: Dim, times: int = 1) -> tuple[Dim, Dim]:
        """The bytes, and those of a storage."""
        number = self._count(storage.sizes) * (self._bytes * times)
        return (each + number, once) if storage.batch else (each, once + number)

    def _run(self, scope: Scope, gradients: tuple[bool, ...]) -> _Effect:
        run = _Run(scope, gradients)
        inplace = in_place(scope, self._inplace)
        for index, step in enumerate(scope.steps):
            if isinstance(step, OpStep):
                if not step.unused:
                    self._op(step, index in inplace, run)
            elif isinstance(step, LoopStep):
                self._loop(step, run)
            else:
                self._call(step, run)
        results = tuple([_Result(run.storages[value], run.gradients[value]) for value in scope.results])
        each, once = run.each, run.once
        handed_on = [result.storage for result in results]
        for storage in run.made:
            if storage.saved and storage not in handed_on:
                each, once = self._with(storage, each, once)
        saves = tuple([place for place, value in enumerate(scope.inputs) if run.storages[value].saved])
        return _Effect(each, once, saves, results)

    def _op(self, step: OpStep, runs_in_place: bool, run: _Run) -> None:
        facts = step.facts
        gradients, storages = run.gradients, run.storages
        first, output = step.inputs[0], step.outputs[0]
        gradient = bool(facts.weights)
        for value in step.inputs:
            gradient = gradient or gradients[value]
        gradients[output] = gradient
        if runs_in_place or facts.alias:
            storages[output] = storages[first]
        else:
            # A bare parameter is a weight and no activation.
            sizes = (0,) if "" in facts.weights else facts.shape.sizes
            storages[output] = _Storage(sizes, None, False, facts.shape.axes[0] != BATCH)
            run.made.append(storages[output])
        if not gradient:
            return
        saves = facts.saves_in_place if runs_in_place else facts.saves
        if facts.saves_first is not None and not gradients[first]:
            saves = facts.saves_first
        if not saves:
            return
        inputs = [storages[first]]  # a second one is there for its size only
        if step.op.inputs[0] > 1:
            every = [storages[value] for value in step.inputs]
            saves, inputs = _factors(saves, every, [gradients[value] for value in step.inputs])
        self._save(saves, inputs, storages[output], run)

    def _save(self, saves: Iterable[str | Extra], inputs: list[_Storage], output: _Storage, run: _Run) -> None:
        """Marks what an op saves, and adds the bytes of what is neither its input nor its output."""
        for item in saves:
            if item == "output":
                output.saved = True
            elif item == "input":
                for storage in inputs:
                    storage.saved = True
            else:
                assert isinstance(item, Extra)
                each = self._bytes if item.bytes == BYTES["float32"] else item.bytes
                number = self._count((item.elements,)) * each
                if item.batch:
                    run.each += number
                else:
                    run.once += number

    def _call(self, step: CallStep | SideStep, run: _Run) -> None:
        """A scope entered, unless it never runs in training."""
        effect = self.of_scope(step.scope, tuple([run.gradients[value] for value in step.inputs]))
        runs = step.mode != "eval" if isinstance(step, SideStep) else not step.unused
        if runs:
            run.each += effect.each
            run.once += effect.once
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
            if id(storage) not in own:
                own[id(storage)] = run.new(storage, runs and storage.saved)
            run.storages[value] = own[id(storage)]

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
        else:
            self._once(step, effect, times, run, run.storages[step.inputs[0]])

    def _once(self, step: LoopStep, effect: _Effect, times: int, run: _Run, entering: _Storage) -> _Storage:
        """`times` equal iterations on a storage; the one that comes out."""
        run.each += effect.each * times
        run.once += effect.once * times
        for position in effect.saves:
            (entering if position == 0 else run.storages[step.inputs[position]]).saved = True
        (value,), result = step.outputs, effect.results[0]
        run.gradients[value] = result.gradient
        storage = result.storage
        if storage.input is not None:
            made = entering if storage.input == 0 else run.storages[step.inputs[storage.input]]
        else:
            # Between two iterations stands what the one made and the other may save.
            if storage.saved or 0 in effect.saves:
                run.each, run.once = self._with(storage, run.each, run.once, times - 1)
            made = run.new(storage, storage.saved)
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


def memory(net: Net, batch: int = 1, dtype: str = "float32") -> Memory:
    """Weights and buffers, and what a training step of `batch` images keeps, its numbers of a torch dtype."""
    each = BYTES[dtype]
    activations = Activations(each, net.sizes if net.concrete else {}).of_network(net, batch)
    return Memory(at(_weights(net.scope, each, {}), net.sizes), activations)


def _weights(scope: Scope, each: int, known: dict[Scope | int, Dim]) -> Dim:
    """Bytes of the parameters and buffers in a scope; known: of scopes, and of ops by the identity of their facts."""
    if scope not in known:
        total: Dim = 0
        for step in scope.steps:
            if not isinstance(step, OpStep):
                total += _weights(step.scope, each, known) * (step.times if isinstance(step, LoopStep) else 1)
            elif step.facts.weights or step.facts.buffers:
                if id(step.facts) not in known:
                    known[id(step.facts)] = _weights_of(step.facts, each)
                total += known[id(step.facts)]
        known[scope] = total
    return known[scope]


def _weights_of(facts: Facts, each: int) -> Dim:
    total: Dim = 0
    for shape in facts.weights.values():
        total += prod(shape) * each
    for buffer in facts.buffers.values():
        total += prod(buffer.shape) * (each if buffer.dtype == "float32" else BYTES[buffer.dtype])
    return total
