"""Equal neighbours: the steps of a scope with repetitions told once, in names such as `layer1.{1..5}.conv1`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from archdsl.dims import Sym, at, variables
from archdsl.ir import CallStep, LoopStep, Name, OpStep, Scope, SideStep, Step

_NUMBER = re.compile(r"(\d+)")
# Values of a counter: the first, and how many there are.
Counters = Mapping[str, tuple[int, int]]


class Run(NamedTuple):
    """A step of a scope, or `times` equal ones after each other.

    step: the last of them, a call for times > 1 (they differ in name and input only). label: the name of all.
    loop: the repetition of a loop, its counter beginning at `first`: below 0 where the steps before the loop are equal
        to those in it. step is then the LoopStep itself.
    """

    step: Step
    times: int = 1
    label: str = ""
    first: int = 0


def runs(scope: Scope, counters: Counters = {}) -> list[Run]:  # noqa: B006 (never changed)
    """The steps in order, equal neighbours as one."""
    found: list[Run] = []
    for step in scope.steps:
        if isinstance(step, LoopStep):
            before = _take_equal(found, step)
            found.append(Run(step, step.times + before, first=-before))
        elif isinstance(step, SideStep):
            found.append(Run(step))
        else:
            _append(found, step, counters)
    return found


def label(name: Name, counters: Counters) -> str:
    """A step's name, with ranges for the counters: `{1..5}`, or `{3,7..19}` where it grows by more than one."""
    return "".join(part if isinstance(part, str) else _range(part, counters) for part in name)


def _range(part: Sym | int, counters: Counters) -> str:
    if not isinstance(part, Sym):
        return str(part)
    inside = [counters[name] for name in part.names]
    first = at(part, {name: counters[name][0] for name in part.names})
    last = at(part, {name: counters[name][0] + counters[name][1] - 1 for name in part.names})
    if len(inside) > 1 or first == last:
        return str(first) if first == last else f"{{{first}..{last}}}"
    second = at(part, {name: counters[name][0] + 1 for name in part.names})
    return _spelled_range(first, second - first, last)


def _spelled_range(first: int, step: int, last: int) -> str:
    return f"{{{first}..{last}}}" if abs(step) == 1 else f"{{{first},{first + step}..{last}}}"


def _append(found: list[Run], step: OpStep | CallStep, counters: Counters) -> None:
    """Adds a step, to the run before it where it continues that."""
    name = label(step.name, counters)
    before = found[-1] if found else None
    if before is not None and _continues(before.step, step):
        longer = _longer(before.label, before.times, name)
        if longer:
            found[-1] = Run(step, before.times + 1, longer)
            return
    found.append(Run(step, label=name))


def _continues(before: Step, step: Step) -> bool:
    """Whether a call does the same again with what the call before it gave."""
    return (
        isinstance(step, CallStep)
        and isinstance(before, CallStep)
        and before.scope is step.scope
        and before.inputs[1:] == step.inputs[1:]
        and step.inputs[0] == before.outputs[0]
        and before.unused == step.unused
    )


def _longer(common: str, count: int, name: str) -> str:
    """The common name of one more step; empty where the name isn't the next one."""
    if count > 1:
        start, last, rest = re.fullmatch(r"(.*\{\d+\.\.)(\d+)(\}.*)", common).groups()  # type: ignore[union-attr]
        head = start[: start.rindex("{")]
        following = f"{head}{int(last) + 1}{rest[1:]}"
        return f"{start}{int(last) + 1}{rest}" if name == following else ""
    pieces, others = _NUMBER.split(common), _NUMBER.split(name)
    if len(pieces) != len(others):
        return ""
    differing = [k for k, piece in enumerate(pieces) if piece != others[k]]
    if len(differing) != 1 or differing[0] % 2 == 0 or "{" in common:
        return ""
    k = differing[0]
    if others[k] != str(int(pieces[k]) + 1):
        return ""
    pieces[k] = f"{{{pieces[k]}..{others[k]}}}"
    return "".join(pieces)


def _take_equal(found: list[Run], loop: LoopStep) -> int:
    """Takes iterations that stand before a loop and are equal to its own from the list; how many there are."""
    body = loop.scope.steps
    taken = 0
    while len(found) >= len(body):
        tail = found[len(found) - len(body) :]
        times = tail[0].times
        if any(run.times != times for run in tail) or (times > 1 and len(body) > 1):
            break
        if not all(_equal(run, step, loop, -taken) for run, step in zip(tail, body, strict=True)):
            break
        del found[len(found) - len(body) :]
        taken += times
    return taken


def _equal(run: Run, step: Step, loop: LoopStep, end: int) -> bool:
    """Whether steps before a loop are what the loop's step would be in as many iterations before `end`."""
    other = run.step
    if isinstance(step, (LoopStep, SideStep)) or isinstance(other, (LoopStep, SideStep)):
        return False
    if not _same_name(run, step.name, loop.counter, end) or other.unused != step.unused:
        return False
    if isinstance(step, CallStep):
        return isinstance(other, CallStep) and other.scope is step.scope
    return (
        isinstance(other, OpStep)
        and other.op == step.op
        and other.facts.shape == step.facts.shape
        and other.facts.weights == step.facts.weights
        and other.facts.macs == step.facts.macs
    )


def _same_name(run: Run, in_loop: Name, counter: str, end: int) -> bool:
    """Whether a run has the names of a loop's step; the counters of outer loops are tried at one odd value each."""
    assert isinstance(run.step, (OpStep, CallStep))
    parts = [part for part in (*run.step.name, *in_loop) if isinstance(part, Sym)]
    outer = sorted(frozenset().union(*(variables(part) for part in parts)) - {counter})
    counters: dict[str, tuple[int, int]] = {name: (1_000_003 + 7_919 * k, 1) for k, name in enumerate(outer)}
    written = run.label if run.times > 1 else label(run.step.name, counters)
    return written == label(in_loop, {**counters, counter: (end - run.times, run.times)})
