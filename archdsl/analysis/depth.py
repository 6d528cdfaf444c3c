"""Depth: the layers with weights on the longest path, as the numbers in names such as ResNet-50 count them."""

from __future__ import annotations

from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep

# The kinds of op that papers count as layers. A norm's scale and a bias of its own are none.
LAYERS = frozenset(("conv", "linear", "attention"))

# For each input of a scope, by its position, the layers on the longest path from there; -1 for paths that begin inside.
_Paths = dict[int, int]


def depth(net: Net) -> int:
    """Layers with weights on the longest path from the input to an output that is there in evaluation.

    An attention counts as one layer; a path through a squeeze-and-excitation counts like any other.
    """
    known: dict[Scope, list[_Paths]] = {}
    values = _paths(net.scope, known)
    ends = [values[net.scope.results[output.result]] for output in net.outputs if output.mode != "training"]
    return max((length for paths in ends for length in paths.values()), default=0)


def _paths(scope: Scope, known: dict[Scope, list[_Paths]]) -> list[_Paths]:
    """The longest paths to each value of a scope."""
    if scope in known:
        return known[scope]
    values: list[_Paths] = [{} for _ in scope.shapes]
    for position, value in enumerate(scope.inputs):
        values[value] = {position: 0}
    for step in scope.steps:
        if isinstance(step, OpStep):
            layer = int(step.op.kind in LAYERS and bool(step.facts.weights))
            entering = _longest([values[value] for value in step.inputs]) or {-1: 0}
            values[step.outputs[0]] = {position: length + layer for position, length in entering.items()}
            continue
        for value, paths in zip(step.outputs, _behind(step, known), strict=True):
            values[value] = _through(paths, [values[entry] for entry in step.inputs])
    known[scope] = values
    return values


def _behind(step: CallStep | LoopStep | SideStep, known: dict[Scope, list[_Paths]]) -> list[_Paths]:
    """The longest paths to the results of a step, from its inputs."""
    values = _paths(step.scope, known)
    results = [values[value] for value in step.scope.results]
    if not isinstance(step, LoopStep) or 0 not in results[0]:
        return results
    # What enters beside the main line gets through all iterations by way of the first.
    once = results[0][0]
    return [
        {entry: length + once * (step.times - 1) for entry, length in results[0].items()},
    ]


def _through(paths: _Paths, entering: list[_Paths]) -> _Paths:
    """Paths inside a step put behind those that lead to it."""
    whole = [{-1: paths[-1]}] if -1 in paths else []
    for entry, length in paths.items():
        if entry >= 0:
            whole.append({position: before + length for position, before in entering[entry].items()})
    return _longest(whole)


def _longest(paths: list[_Paths]) -> _Paths:
    longest: _Paths = {}
    for one in paths:
        for position, length in one.items():
            longest[position] = max(length, longest.get(position, length))
    return longest
