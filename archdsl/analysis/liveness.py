"""Which steps run in place, one rule for the emitted source and the memory analysis, and what is read at all."""

from __future__ import annotations

from itertools import compress

from archdsl.ir import CallStep, LoopStep, OpStep, Scope, SideStep


def in_place(scope: Scope, known: dict[Scope, frozenset[int]]) -> frozenset[int]:
    """The indices of the steps of a scope that overwrite their input (`inplace=True`).

    A step does where its op can, where the tensor was made in this scope (by a step or inside one) for this step
    alone, and where what made it doesn't need its own result for the backward pass. Views are never written to.
    known: what was found of other scopes, which several may ask for.
    """
    if scope in known:
        return known[scope]
    chosen: set[int] = set()
    if not any(isinstance(step, OpStep) and step.facts.saves_in_place for step in scope.steps):
        return frozenset()
    reads = _reads(scope)
    producers: dict[int, int] = {}
    for index, step in enumerate(scope.steps):
        if isinstance(step, OpStep) and step.facts.saves_in_place and not step.unused:
            (value,) = step.inputs
            if reads[value] == 1 and value in producers and _free(scope, producers[value], value, chosen, known):
                chosen.add(index)
        for value in step.outputs:
            producers[value] = index
    known[scope] = frozenset(chosen)
    return known[scope]


def _reads(scope: Scope) -> list[int]:
    """How often each value of the scope is read, results included; steps that never run don't read."""
    reads = [0] * len(scope.shapes)
    for step in scope.steps:
        if isinstance(step, (LoopStep, SideStep)) or not step.unused:
            for value in step.inputs:
                reads[value] += 1
    for value in scope.results:
        reads[value] += 1
    return reads


def _free(
    scope: Scope, index: int, value: int, chosen: set[int] | frozenset[int], known: dict[Scope, frozenset[int]]
) -> bool:
    """Whether the value that step `index` gives is a tensor of its own that the step doesn't keep."""
    step = scope.steps[index]
    if isinstance(step, OpStep):
        saves = step.facts.saves_in_place if index in chosen else step.facts.saves
        # In evaluation such an op (dropout) hands on its input itself, which others may read.
        own = not step.facts.alias and not step.op.training_only
        return own and "output" not in saves and not _is_parameter(scope, step)
    if isinstance(step, SideStep):
        return False
    return _made_inside(step, step.outputs.index(value), known)


def _is_parameter(scope: Scope, step: OpStep) -> bool:
    """A bare parameter, which nobody may overwrite."""
    if tuple(step.facts.weights) != ("",):
        return False
    return step.op.lower(tuple(scope.shapes[value] for value in step.inputs)).parameter


def _made_inside(step: CallStep | LoopStep, position: int, known: dict[Scope, frozenset[int]]) -> bool:
    """Whether a result of an inner scope is made there for whoever entered the scope alone, and kept by nothing."""
    scope = step.scope
    value = scope.results[position]
    if _reads(scope)[value] != 1:
        return False
    for index, inner in enumerate(scope.steps):
        if value in inner.outputs:
            return _free(scope, index, value, in_place(scope, known), known)
    return False


def used_inputs(scope: Scope, known: dict[Scope, tuple[bool, ...]]) -> tuple[bool, ...]:
    """Which of its inputs a scope reads: one that begins with `from` leaves the tensor in front of it alone.

    One at least counts as read. known: what was found of scopes inside, which several others may ask for.
    """
    if scope not in known:
        read = set(scope.results)
        for step in scope.steps:
            read.update(
                step.inputs if isinstance(step, OpStep) else compress(step.inputs, used_inputs(step.scope, known))
            )
        used = tuple(value in read for value in scope.inputs)
        known[scope] = used if any(used) else (True, *used[1:])
    return known[scope]
