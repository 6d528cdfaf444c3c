"""What the network's outputs pass last."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.lint.flow import Flow, Made, Place
from archdsl.analysis.lint.kinds import RectifiedScores, SoftmaxBeforeLoss
from archdsl.diagnostics import Diagnostic
from archdsl.ir import Net


def output_warnings(net: Net) -> Iterator[Diagnostic]:
    """Scores that are cut off or normalised too early, output by output."""
    flow = Flow()
    for output in net.outputs:
        value = net.scope.results[output.result]
        if len(net.scope.shapes[value].sizes) > 1:  # a map has no scores of classes
            continue
        last = _computing(flow.producer(Place(net.scope), value), flow)
        if last is None:
            continue
        softmax = last if "distribution" in last.step.op.traits else None
        if softmax is not None:
            if net.train:
                yield SoftmaxBeforeLoss(softmax.step.span, path=softmax.place.path, op=softmax.step.op.name)
            last = _before(softmax, flow)
        if last is not None and "rectifies" in last.step.op.traits:
            yield from _rectified(last, softmax, net, flow)


def _rectified(relu: Made, softmax: Made | None, net: Net, flow: Flow) -> Iterator[Diagnostic]:
    """A rectified linear map at the end, where it is known to give scores of classes and no features."""
    weighted = _before(relu, flow)
    if weighted is None or "linear map" not in weighted.step.op.traits:
        return
    classes = weighted.step.facts.shape.channels
    scores = softmax is not None or net.train or dict(net.params).get("classes") == classes
    if classes == 1 or not scores:
        return
    where = f"right before `{softmax.step.op.name}`" if softmax is not None else "at the end of the network"
    yield RectifiedScores(relu.step.span, path=relu.place.path, op=relu.step.op.name, where=where)


def _before(made: Made, flow: Flow) -> Made | None:
    """The op that computes what another one reads."""
    return _computing(flow.producer(made.place, made.step.inputs[0]), flow)


def _computing(made: Made | None, flow: Flow) -> Made | None:
    """The op itself, or the one before those that only pool, drop out or reshape."""
    while made is not None and _passes_on(made):
        made = flow.producer(made.place, made.step.inputs[0])
    return made


def _passes_on(made: Made) -> bool:
    op, facts = made.step.op, made.step.facts
    return op.kind == "pool" or op.training_only or facts.alias
