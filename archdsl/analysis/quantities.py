"""What a budget can be about: numbers of a whole network, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from archdsl.analysis.cost import Costs
from archdsl.analysis.memory import memory
from archdsl.dims import Dim, at
from archdsl.failure import WrongUsage
from archdsl.ir import LoopStep, Net, OpStep, Scope


def measure(net: Net, quantity: str) -> int:
    """One of the QUANTITIES of a network. Raises WrongUsage where it depends on a size that is left open."""
    found = QUANTITIES[quantity](net)
    if not isinstance(found, int):
        raise WrongUsage(
            f"{net.name} leaves its input's size open, on which the count of {quantity} depends", help="see `--input`"
        )
    return found


def _weights(net: Net) -> Dim:
    """Parameters without biases."""
    total = _without_biases(net.scope, {})
    return at(total, net.sizes) if net.concrete else total


def _without_biases(scope: Scope, known: dict[Scope, Dim]) -> Dim:
    if scope not in known:
        total: Dim = 0
        for step in scope.steps:
            if isinstance(step, OpStep):
                shapes = step.facts.weights.items()
                total += sum(prod(shape) for suffix, shape in shapes if not suffix.endswith("bias"))
            else:
                total += _without_biases(step.scope, known) * (step.times if isinstance(step, LoopStep) else 1)
        known[scope] = total
    return known[scope]


def _memory(net: Net) -> Dim:
    needed = memory(net)
    return needed.weights + needed.activations


QUANTITIES: Mapping[str, Callable[[Net], Dim]] = {
    "weights": _weights,
    "params": lambda net: Costs(net).of_scope(net.scope).params,
    "macs": lambda net: Costs(net).of_scope(net.scope).macs,
    "memory": _memory,
}
