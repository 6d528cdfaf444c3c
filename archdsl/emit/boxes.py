"""What a person draws as one box: a convolution with its norm and activation, equal neighbours, a repeated block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from archdsl.emit import labels
from archdsl.emit.labels import Names, Places
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


def contents(scopes: Sequence[Scope], names: Names = labels.NOBODY) -> tuple[str, ...]:
    """What a small container holds, a line for each box; nothing where that is too much to say.

    scopes: one, or those that are drawn as one with it.
    """
    scope = scopes[0]
    if scope.kind != "container":
        return ()
    lines = []
    for part in parts(scope, readers(scope), False):
        first = part[0]
        if isinstance(first, OpStep):
            ops = [step for step in part if isinstance(step, OpStep)]
            main = next((step for step in ops if step.op.kind in MAIN), ops[0])
            lines.append(labels.call([step.op for step in same(scopes, main, OpStep)], names))
        elif called(first) is not None:
            calls = [entered(step, {}) for step in part]
            peers = calls_of(scopes, first)
            lines.append(labels.times(sum(one.times for one in calls), labels.block(peers, names) or calls[0].first))
    return tuple(lines) if len(lines) <= LINES else ()


def calls_of(scopes: Sequence[Scope], step: Step) -> list[CallStep]:
    """The calls that a step of several scopes drawn as one is."""
    calls = [called(one) for one in same(scopes, step, (CallStep, LoopStep))]
    return [call for call in calls if call]


AnyStep = TypeVar("AnyStep", bound=Step)


def same(scopes: Sequence[Scope], step: Step, kind: type[AnyStep] | tuple[type[AnyStep], ...]) -> list[AnyStep]:
    """A step of the first of several scopes that are drawn as one, in each of them."""
    found: list[Step] = [step]
    if len(scopes) > 1:  # else there is nothing to look for, among steps that may be many
        place = next(k for k, one in enumerate(scopes[0].steps) if one is step)
        found = [scope.steps[place] for scope in scopes]
    assert all(isinstance(one, kind) for one in found)
    return cast("list[AnyStep]", found)


def readers(scope: Scope) -> Counter[int]:
    """How often each value is read; what comes in or out of a scope beside the main line is read elsewhere too."""
    readers = Counter(value for step in scope.steps for value in (*read_by(scope, step), *step.outputs[1:]))
    readers.update((*scope.results, *scope.inputs[1:]))
    return readers


def read_by(scope: Scope, step: Step) -> tuple[int, ...]:
    """The values that a step takes: a parameter's stand for its place only."""
    if isinstance(step, OpStep) and "" in step.facts.weights:
        shapes = tuple(scope.shapes[value] for value in step.inputs)
        return () if step.op.lower(shapes).parameter else step.inputs
    return step.inputs


def _joins(part: list[Step], step: Step) -> bool:
    """Whether a step is drawn into one box with the steps in front of it."""
    if step.inputs != part[-1].outputs or (isinstance(step, OpStep) and "" in step.facts.weights):
        return False
    if isinstance(step, OpStep):
        kinds = [one.op.kind for one in part if isinstance(one, OpStep)]
        return bool(kinds) and _one_box(kinds, step.op.kind)
    before, call = called(part[-1]), called(step)
    return before is not None and call is not None and before.scope.kind == "block" and alike(before, call)


def alike(one: CallStep, other: CallStep) -> bool:
    """Whether two calls look the same: the same scope, or a block of the same structure, shapes and shown arguments.

    Drop rates that grow along the depth aren't shown.
    """
    left, right = one.scope, other.scope
    if left is right:
        return True
    same = left.kind == right.kind and left.name == right.name and left.shapes == right.shapes
    return same and labels.block([one]) == labels.block([other]) and signature(left, {}) == signature(right, {})


Signature = tuple[Any, ...]


def signature(scope: Scope, known: dict[Scope, Signature]) -> Signature:
    """What scopes have in common that can be drawn as one: the same steps, with other numbers."""
    if scope not in known:
        known[scope] = (scope.results, *(_signature(step, known) for step in scope.steps))
    return known[scope]


def _signature(step: Step, known: dict[Scope, Signature]) -> Signature:
    if isinstance(step, OpStep):
        return (step.op.name, step.name, step.inputs, step.outputs, step.unused)
    inner = signature(step.scope, known)
    if isinstance(step, CallStep):
        return (step.scope.kind, step.scope.name, step.name, step.inputs, step.outputs, inner)
    return (step.times if isinstance(step, LoopStep) else step.mode, step.inputs, step.outputs, inner)


def pairs(found: list[list[Step]], k: int, read: Counter[int]) -> int:
    """How often two calls of blocks in a row stand there in turns, from one place among the parts of a scope on."""
    if k + 3 >= len(found):
        return 1
    two = [called(part[0]) for part in found[k : k + 2]]
    count = 1
    while True:
        first = found[k + 2 * count - 1]
        ahead = found[k + 2 * count : k + 2 * count + 2]
        if len(ahead) < 2 or not all(one and one.scope.kind == "block" for one in two):
            return count
        for before, part, like in zip((first, ahead[0]), ahead, two, strict=True):
            call = called(part[0])
            on = part[0].inputs == before[-1].outputs and read[before[-1].outputs[0]] == 1
            if call is None or like is None or not on or not alike(like, call) or len(part) > 1:
                return count
        count += 1


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


def called(step: Step) -> CallStep | None:
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
