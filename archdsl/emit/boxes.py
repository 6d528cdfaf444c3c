"""What a person draws as one box: a convolution with its norm and activation, equal neighbours, a repeated block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from archdsl.emit import labels
from archdsl.emit.labels import Places
from archdsl.ir import CallStep, LoopStep, OpStep, Scope, Step

# By the kinds of op: a main op with what follows it, or a norm in front of it.
WEIGHTED = frozenset(("conv", "linear", "attention"))
MAIN = WEIGHTED | {"pool"}
BEFORE = frozenset(("norm", "dropout"))
AFTER = BEFORE | {"activation"}
LINES = 4  # that a container's box may have for what it holds


def parts(scope: Scope, read: Counter[int], single: bool) -> Iterator[list[Step]]:
    """The steps of a scope, those together that are one box. read: how often each value is; single: each is its own."""
    part: list[Step] = []
    for step in scope.steps:
        if part and not single and read[part[-1].outputs[0]] == 1 and _joins(part, step):
            part.append(step)
            continue
        if part:
            yield part
        part = [step]
    if part:
        yield part


def chain(scope: Scope) -> list[OpStep] | None:
    """The ops of a scope that is one box and nothing else."""
    steps = [step for step in scope.steps if isinstance(step, OpStep)]
    if not steps or len(steps) < len(scope.steps) or len(scope.inputs) > 1 or steps[0].op.kind not in MAIN | AFTER:
        return None
    if scope.results != steps[-1].outputs or len(list(parts(scope, readers(scope), False))) > 1:
        return None
    return steps


def contents(scope: Scope) -> tuple[str, ...]:
    """What a small container holds, a line for each box; nothing where that is too much to say."""
    if scope.kind != "container":
        return ()
    lines = []
    for part in parts(scope, readers(scope), False):
        first = part[0]
        if isinstance(first, OpStep):
            ops = [step.op for step in part if isinstance(step, OpStep)]
            lines.append(labels.call(next((op for op in ops if op.kind in MAIN), ops[0])))
        elif _inner(first) is not None:
            calls = [entered(step, {}) for step in part]
            lines.append(labels.times(sum(one.times for one in calls), labels.block(calls[0].call) or calls[0].first))
    return tuple(lines) if len(lines) <= LINES else ()


def readers(scope: Scope) -> Counter[int]:
    """How often each value is read; what comes in or out of a scope beside the main line is read elsewhere too."""
    readers = Counter(value for step in scope.steps for value in (*step.inputs, *step.outputs[1:]))
    readers.update((*scope.results, *scope.inputs[1:]))
    return readers


def _joins(part: list[Step], step: Step) -> bool:
    """Whether a step is drawn into one box with the steps in front of it."""
    if step.inputs != part[-1].outputs:
        return False
    if isinstance(step, OpStep):
        kinds = [one.op.kind for one in part if isinstance(one, OpStep)]
        return bool(kinds) and _one_box(kinds, step.op.kind)
    before, call = _inner(part[-1]), _inner(step)
    return before is not None and call is not None and before.scope is call.scope and before.scope.kind == "block"


def _one_box(kinds: list[str], kind: str) -> bool:
    """Whether an op of a kind belongs to a box of these kinds; a norm or dropout may stand in front of its op."""
    if kind in kinds:
        return False
    if MAIN.isdisjoint(kinds):
        return kinds[0] in BEFORE and (kind in WEIGHTED or (kinds == ["norm"] and kind == "activation"))
    return kinds[0] != "norm" and kind in AFTER


def repeated_call(step: Step) -> bool:
    """Whether a loop does nothing but enter one scope."""
    if not isinstance(step, LoopStep) or len(step.scope.steps) != 1 or len(step.inputs) > 1:
        return False
    inner = step.scope.steps[0]
    return isinstance(inner, CallStep) and inner.inputs == step.scope.inputs and inner.outputs == step.scope.results


def _inner(step: Step) -> CallStep | None:
    """The call that a step is, or that a loop repeats."""
    if isinstance(step, LoopStep) and repeated_call(step):
        step = step.scope.steps[0]
    return step if isinstance(step, CallStep) else None


class Entered(NamedTuple):
    """A call with its name, the first and the last of several, and how often it stands there."""

    call: CallStep
    first: str
    last: str
    times: int


def entered(step: Step, places: Places) -> Entered:
    """The call that a step is, or that a loop repeats."""
    if isinstance(step, LoopStep):
        inner = step.scope.steps[0]
        assert isinstance(inner, CallStep)
        first, last = ({**places, step.counter: (k, k)} for k in (0, step.times - 1))
        return Entered(inner, labels.spelled(inner.name, first), labels.spelled(inner.name, last), step.times)
    assert isinstance(step, CallStep)
    name = labels.spelled(step.name, places)
    return Entered(step, name, name, 1)
