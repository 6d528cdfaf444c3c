"""Parameters, buffers and multiply-accumulates: sums over the tree of scopes, each distinct scope counted once."""

from __future__ import annotations

from math import prod
from typing import Literal, NamedTuple

from archdsl.dims import Dim, at
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, Step
from archdsl.ops.base import Facts, Window

Convention = Literal["exact", "torchinfo"]


class Cost(NamedTuple):
    """What a part of a network costs for one image.

    params: trainable scalars. buffers: elements of all other state. macs: multiply-accumulates in evaluation mode;
    training_macs: those of steps that run in training only. Symbolic where the input is.
    """

    params: int
    buffers: int
    macs: Dim
    training_macs: Dim


class Costs:
    """The costs of a network's scopes and steps, in one of the two conventions.

    `exact`: one MAC each of convolutions, linear layers and matrix products (half of `torch.utils.flop_counter`).
    `torchinfo`: as torchinfo 1.8 counts, parameters with biases, times the output positions of convolutions.
    """

    def __init__(self, net: Net, macs: Convention = "exact") -> None:
        self._sizes = net.sizes if net.concrete else {}
        self._exact = macs == "exact"
        self._known: dict[Scope, Cost] = {}
        self._ops: dict[int, Cost] = {}  # by the identity of an op's facts, which equal ops share

    def of_scope(self, scope: Scope) -> Cost:
        """The cost of everything inside."""
        known = self._known.get(scope)
        if known is not None:
            return known
        params = buffers = 0
        macs: Dim = 0
        training: Dim = 0
        for step in scope.steps:
            cost = self.of_op(step) if isinstance(step, OpStep) else self.of_step(step)
            if cost is _NONE:
                continue
            params += cost[0]
            buffers += cost[1]
            macs += cost[2]
            training += cost[3]
        made = self._known[scope] = Cost(params, buffers, macs, training)
        return made

    def of_step(self, step: Step) -> Cost:
        """The cost of a step, all repetitions of a loop included."""
        if isinstance(step, OpStep):
            return self.of_op(step)
        inner = self.of_scope(step.scope)
        if isinstance(step, CallStep):
            return Cost(inner.params, inner.buffers, 0, 0) if step.unused else inner
        if isinstance(step, LoopStep):
            n = step.times
            return Cost(inner.params * n, inner.buffers * n, inner.macs * n, inner.training_macs * n)
        if step.mode == "training":
            return Cost(inner.params, inner.buffers, 0, inner.macs + inner.training_macs)
        return inner

    def of_op(self, step: OpStep) -> Cost:
        """The cost of one op."""
        facts = step.facts
        if not (facts.weights or facts.work or facts.buffers):
            return _NONE
        if step.unused:
            return self._of_facts(facts, runs=False)
        known = self._ops.get(id(facts))
        if known is None:
            known = self._ops[id(facts)] = self._of_facts(facts, runs=True)
        return known

    def _of_facts(self, facts: Facts, runs: bool) -> Cost:
        params: Dim = 0
        for shape in facts.weights.values():
            params += prod(shape)
        buffers: Dim = 0
        for buffer in facts.buffers.values():
            buffers += prod(buffer.shape)
        macs: Dim = 0
        sizes = self._sizes
        if runs and self._exact:
            macs = facts.macs_at(sizes) if sizes else facts.macs
        elif runs:
            macs = self._as_torchinfo(facts)
        return Cost(at(params, sizes), at(buffers, sizes), at(macs, sizes) if sizes else macs, 0)

    def _as_torchinfo(self, facts: Facts) -> Dim:
        """Parameters of the modules, times the output positions where their weights slide over the input."""
        params: Dim = sum(prod(shape) for suffix, shape in facts.weights.items() if suffix)
        slides = isinstance(facts.window, Window)
        return params * prod(facts.shape.spatial) if slides else params


_NONE = Cost(0, 0, 0, 0)
