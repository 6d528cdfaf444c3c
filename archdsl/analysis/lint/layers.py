"""Layers that undo each other or do nothing, step by step."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.lint.flow import Flow, Made, Place, places
from archdsl.analysis.lint.kinds import (
    DeadLayer,
    DropoutBeforeNorm,
    LonelyWindow,
    LostBias,
    NoNonlinearity,
    SkippedPositions,
    UnusedModule,
)
from archdsl.diagnostics import Diagnostic
from archdsl.dims import at
from archdsl.ir import CallStep, Net, OpStep, Step, spell
from archdsl.ops.base import Window
from archdsl.trace import Sides


def layer_warnings(net: Net) -> Iterator[Diagnostic]:
    """What single steps and their neighbours show."""
    flow = Flow()
    for place in places(net):
        yield from _unread(place, flow)
        for step in place.scope.steps:
            if isinstance(step, OpStep) and not step.unused:
                yield from _behind_norm(Made(place, step), flow)
                yield from _linear_twice(Made(place, step), flow, net)
                yield from _window(Made(place, step), net)


def _unread(place: Place, flow: Flow) -> Iterator[Diagnostic]:
    """Steps that never run, and steps that run for nothing."""
    readers = flow.readers(place.scope)
    for step in place.scope.steps:
        if isinstance(step, (OpStep, CallStep)) and step.unused:
            yield UnusedModule(step.span, path=place.path, name=spell(step.name))
        elif not any(readers[value] for value in step.outputs):
            yield DeadLayer(step.span, path=place.path, name=_called(step))


def _called(step: Step) -> str:
    """What a message calls a step: its label, else its op or construct."""
    if isinstance(step, OpStep):
        name = spell(step.name)
        return step.op.name if name.startswith("~") or name.isdigit() else name
    return spell(step.name) if isinstance(step, CallStep) else step.scope.name


def _behind_norm(norm: Made, flow: Flow) -> Iterator[Diagnostic]:
    """What stands right before a normalisation that takes each channel's mean out."""
    if "centres" not in norm.step.op.traits:
        return
    before = flow.producer(norm.place, norm.step.inputs[0], sole=True)
    if before is None:
        return
    op, facts = before.step.op, before.step.facts
    called = norm.step.op.name
    # In another scope, the layer may stand in places with and without a norm behind it.
    if "linear map" in op.traits and "bias" in facts.weights and before.place.scope is norm.place.scope:
        yield LostBias(before.step.span, path=before.place.path, op=op.name, norm=called)
    if op.training_only and not facts.alias and norm.step.facts.buffers:
        yield DropoutBeforeNorm(norm.step.span, path=norm.place.path, op=op.name, norm=called)


def _linear_twice(second: Made, flow: Flow, net: Net) -> Iterator[Diagnostic]:
    """Two linear maps with nothing between them but what is linear too.

    Through fewer channels than the first reads and the second gives, two are a factorisation, which saves weights; so
    are those by groups and along different axes.
    """
    if not _joins_all(second, net):
        return
    first = flow.producer(second.place, second.step.inputs[0], sole=True)
    while first is not None and "per channel" in first.step.op.traits:
        first = flow.producer(first.place, first.step.inputs[0], sole=True)
    if first is None or not _joins_all(first, net) or _separable(first, second):
        return
    if _out(first, net) < min(_entering(first, net), _out(second, net)):
        return
    elsewhere = () if first.place.path == second.place.path else first.place.path
    called = ".".join((*elsewhere, _called(first.step)))
    yield NoNonlinearity(second.step.span, path=second.place.path, op=second.step.op.name, first=called)


def _entering(made: Made, net: Net) -> int:
    """Channels that a layer with weights reads; those follow the input only where it is given."""
    return at(made.place.scope.shapes[made.step.inputs[0]].channels, net.sizes)


def _out(made: Made, net: Net) -> int:
    return at(made.step.facts.shape.channels, net.sizes)


def _joins_all(made: Made, net: Net) -> bool:
    """A linear map in which every output channel depends on every input channel, and which keeps or shrinks the map."""
    facts = made.step.facts
    if "linear map" not in made.step.op.traits or (isinstance(facts.window, Window) and facts.window.up):
        return False
    rows, columns, *_ = facts.weights["weight"]
    return at(rows, net.sizes) * at(columns, net.sizes) == _entering(made, net) * _out(made, net)


def _separable(first: Made, second: Made) -> bool:
    """One acts along an axis on which the other doesn't, and the other way round, as 1x3 and 3x1."""
    one, two = first.step.facts.window, second.step.facts.window
    if not isinstance(one, Window) or not isinstance(two, Window):
        return False
    pairs = tuple(zip(one.kernel, two.kernel, strict=True))
    return any(a == 1 < b for a, b in pairs) and any(b == 1 < a for a, b in pairs)


def _window(made: Made, net: Net) -> Iterator[Diagnostic]:
    """Windows that pass over positions, and windows larger than a map of one position."""
    window, step = made.step.facts.window, made.step
    if not isinstance(window, Window) or window.up:
        return
    kernel = Sides(window.kernel)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True))
    # A 1x1 window with a stride is how shortcuts take every second position.
    if any(1 < r < s for r, s in zip(reach, window.stride, strict=True)):
        stride = Sides(window.stride)
        yield SkippedPositions(step.span, path=made.place.path, op=step.op.name, kernel=kernel, stride=stride)
    if not net.concrete:
        return
    spatial = [at(size, net.sizes) for size in made.place.scope.shapes[step.inputs[0]].spatial]
    if set(spatial) == {1} and max(window.kernel) > 1:
        yield LonelyWindow(step.span, path=made.place.path, op=step.op.name, kernel=kernel, size=Sides(spatial))
