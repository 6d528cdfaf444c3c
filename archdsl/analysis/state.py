"""The state_dict that the built module will have: its keys in order, their shapes and types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archdsl.analysis.errors import KeyClash
from archdsl.diagnostics import SpecError
from archdsl.dims import Dim, at
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep, Step, spell

# Above this many keys nobody reads the list, and no module is built.
MAX_KEYS = 100_000


class Entry(NamedTuple):
    """One tensor of the state: its shape, torch dtype name, and whether it is trained."""

    shape: tuple[int, ...]
    dtype: str
    parameter: bool


# A tensor before the network's input size is known: shape, dtype, parameter.
_Tensor = tuple[tuple[Dim, ...], str, bool]
_Steps = Callable[[Scope], Sequence[Step]]


def state_dict(net: Net) -> dict[str, Entry] | None:
    """The tensors by key, in the order of `module.state_dict()`; None above MAX_KEYS of them."""
    if key_count(net.scope) > MAX_KEYS:
        return None
    sizes = net.sizes
    state: dict[str, Entry] = {}
    counts: dict[Scope, int] = {}
    keyed: dict[Scope, list[Step]] = {}

    def with_keys(scope: Scope) -> list[Step]:
        if scope not in keyed:
            keyed[scope] = [step for step in scope.steps if _keys_of(step, counts)]
        return keyed[scope]

    for key, (shape, dtype, parameter) in _entries(net.scope, "", {}, {}, with_keys):
        assert key not in state, key
        state[key] = Entry(tuple([at(size, sizes) for size in shape]), dtype, parameter)
    return state


def check_names(net: Net) -> None:
    """Raises SpecError where steps of a loop and others get the same name, which only shows over all iterations.

    What is too large to be built isn't looked at.
    """
    _check_names(net.scope, (), set())


def _check_names(scope: Scope, path: tuple[str, ...], seen: set[Scope]) -> None:
    if scope in seen:
        return
    seen.add(scope)
    # Numbered steps never clash; the steps of a loop or side head are told among those of the container around it.
    container = scope.kind not in ("loop", "side")
    looped = container and scope.labelled and any(isinstance(step, LoopStep) for step in scope.steps)
    if looped and _member_count(scope) <= MAX_KEYS:
        taken: set[str] = set()
        for name, step in _members(scope, {}, lambda inner: inner.steps):
            if name in taken and not name.startswith("~"):  # the sixth `relu` and a `relu6` may share theirs, not a key
                raise SpecError(KeyClash(step.span, path=path, name=name))
            taken.add(name)
    for inner in scope.steps:
        if isinstance(inner, CallStep):
            _check_names(inner.scope, (*path, spell(inner.name)), seen)
        elif not isinstance(inner, OpStep):
            _check_names(inner.scope, path, seen)


def _member_count(scope: Scope) -> int:
    return sum(
        1
        if isinstance(step, (OpStep, CallStep))
        else _member_count(step.scope) * (step.times if isinstance(step, LoopStep) else 1)
        for step in scope.steps
    )


def key_count(scope: Scope) -> int:
    """How many keys a scope has."""
    return _count(scope, {})


def _count(scope: Scope, known: dict[Scope, int]) -> int:
    if scope not in known:
        known[scope] = sum(_keys_of(step, known) for step in scope.steps)
    return known[scope]


def _keys_of(step: Step, known: dict[Scope, int]) -> int:
    if isinstance(step, OpStep):
        return len(step.facts.weights) + sum(buffer.persistent for buffer in step.facts.buffers.values())
    return _count(step.scope, known) * (step.times if isinstance(step, LoopStep) else 1)


def _entries(
    scope: Scope, prefix: str, counters: Mapping[str, int], known: dict[int, list[tuple[str, _Tensor]]], steps: _Steps
) -> Iterator[tuple[str, _Tensor]]:
    """As torch orders them: the module's own parameters, then its children in the order of the text."""
    members = list(_members(scope, counters, steps))
    for name, step in members:
        if isinstance(step, OpStep) and "" in step.facts.weights:
            yield prefix + name, (step.facts.weights[""], "float32", True)
    for name, step in members:
        if isinstance(step, CallStep):
            yield from _entries(step.scope, f"{prefix}{name}.", {}, known, steps)
        elif step.facts.weights or step.facts.buffers:
            own = known.get(id(step.facts))
            if own is None:
                own = known[id(step.facts)] = list(_tensors(step))
            for suffix, tensor in own:
                yield f"{prefix}{name}.{suffix}", tensor


def _members(scope: Scope, counters: Mapping[str, int], steps: _Steps) -> Iterator[tuple[str, OpStep | CallStep]]:
    """The steps that are attributes of the scope's module, with their names; loops and sides add no level.

    steps: those of a scope that are asked for. A step without keys may be repeated billions of times.
    """
    for step in steps(scope):
        if isinstance(step, (OpStep, CallStep)):
            yield spell(step.name, counters), step
        elif isinstance(step, SideStep):
            yield from _members(step.scope, counters, steps)
        else:
            for k in range(step.times):
                yield from _members(step.scope, {**counters, step.counter: k}, steps)


def _tensors(step: OpStep) -> Iterator[tuple[str, _Tensor]]:
    """The tensors of one op's module by suffix, a module's own before those of the modules inside it."""
    weights = {suffix: (shape, "float32", True) for suffix, shape in step.facts.weights.items() if suffix}
    buffers = {
        suffix: (buffer.shape, buffer.dtype, False)
        for suffix, buffer in step.facts.buffers.items()
        if buffer.persistent
    }
    everything: dict[str, Any] = weights | buffers
    levels = dict.fromkeys(suffix.rpartition(".")[0] for suffix in everything)
    for level in sorted(levels, key=lambda level: level != ""):
        for suffix, tensor in everything.items():
            if suffix.rpartition(".")[0] == level:
                yield suffix, tensor
