"""Parameters, buffers and multiply-accumulates: sums over the tree of scopes, each distinct scope counted once."""

from __future__ import annotations

from math import prod
from typing import Literal, NamedTuple

from archdsl.dims import Dim, at
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, Step
from archdsl.ops.base import Window

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

    def of_scope(self, scope: Scope) -> Cost:
        """The cost of everything inside."""
        known = self._known.get(scope)
        if known is not None:
            return known
        params = buffers = 0
        macs: Dim = 0
        training: Dim = 0
        for step in scope.steps:
            cost = self.of_step(step)
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
        params: Dim = 0
        for shape in facts.weights.values():
            params += prod(shape)
        buffers: Dim = 0
        for buffer in facts.buffers.values():
            buffers += prod(buffer.shape)
        macs: Dim = 0
        if not step.unused:
            macs = facts.macs if self._exact else self._as_torchinfo(step)
        sizes = self._sizes
        return Cost(at(params, sizes), at(buffers, sizes), at(macs, sizes) if sizes else macs, 0)

    def _as_torchinfo(self, step: OpStep) -> Dim:
        """Parameters of the modules, times the output positions where their weights slide over the input."""
        params: Dim = sum(prod(shape) for suffix, shape in step.facts.weights.items() if suffix)
        slides = isinstance(step.facts.window, Window)
        return params * prod(step.facts.shape.spatial) if slides else params
