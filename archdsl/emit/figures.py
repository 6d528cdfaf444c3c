"""The insides of blocks that stand in a drawing several times, each drawn once as a figure of its own, as papers do."""

from __future__ import annotations

from collections import Counter

from archdsl.emit import boxes, labels
from archdsl.emit.boxes import Signature
from archdsl.emit.graph import Diagram, outputs_of
from archdsl.emit.labels import Names
from archdsl.emit.walk import Closed, Walk
from archdsl.ir import Net, OpStep, Scope

# How many figures a drawing has, and of one block: as a residual block is drawn with its identity and its projection.
MOST, VARIANTS = 4, 2
LARGEST = 20  # nodes of a figure that looks into its containers


def insides(net: Net, closed: list[Closed], room: int) -> tuple[Diagram, ...]:
    """The figures of blocks that are called several times, and of what stands in these; room: for how many nodes."""
    figures: list[Diagram] = []
    drawn: set[str] = set()
    waiting = list(closed)
    while waiting:
        further: list[Closed] = []
        for name, variants in _several(waiting).items():
            if name in drawn:
                continue
            drawn.add(name)
            for variant in variants:
                figure, inner = _figure(net, variant)
                if len(figures) < MOST and 3 < len(figure.nodes) <= min(room, LARGEST):
                    room -= len(figure.nodes)
                    figures.append(figure)
                    further += inner
        waiting = further
    return tuple(figures)


def recurring(scope: Scope) -> frozenset[str]:
    """The blocks that are called in several places inside, repetitions in a row being one."""
    places: Counter[str] = Counter()
    waiting = [scope]
    while waiting:
        inner = waiting.pop()
        for part in boxes.parts(inner, boxes.readers(inner), False):
            step = part[0]
            if isinstance(step, OpStep):
                continue
            call = boxes.called(step)
            entered = call.scope if call else step.scope
            waiting.append(entered)
            places[entered.name] += entered.kind == "block"
    return frozenset(name for name, count in places.items() if count > 1)


def _several(closed: list[Closed]) -> dict[str, list[list[Closed]]]:
    """Calls of blocks that stand several times, by block and by structure; of each block the most frequent ones."""
    known: dict[Scope, Signature] = {}
    blocks: dict[str, dict[Signature, list[Closed]]] = {}
    for one in closed:
        variants = blocks.setdefault(one.call.scope.name, {})
        variants.setdefault(boxes.signature(one.call.scope, known), []).append(one)
    found = {}
    for name, variants in blocks.items():
        if sum(one.times for variant in variants.values() for one in variant) < 2:
            continue
        frequent = sorted(variants.values(), key=lambda variant: -sum(one.times for one in variant))[:VARIANTS]
        found[name] = [variant for variant in variants.values() if variant in frequent]
    return found


def _figure(net: Net, variant: list[Closed]) -> tuple[Diagram, list[Closed]]:
    """The inside of calls that have the same structure, drawn as one."""
    distinct = list({one.call.scope: one for one in variant}.values())
    calls = [one.call for one in distinct]
    scopes = tuple(call.scope for call in calls)
    given = [dict(call.arguments) for call in calls]
    values = {key: tuple(one.get(key) for one in given) for key, _ in scopes[0].params}
    values["input.channels"] = tuple(scope.shapes[scope.inputs[0]].channels for scope in scopes)
    names = Names(values, net.sizes if net.concrete else {})
    path, title, outputs = f"{distinct[0].path}.", scopes[0].name, outputs_of(scopes[0])
    shut = recurring(scopes[0])
    for depth in (4, 3, 2, 1):
        walk = Walk(net, False, names, framed=False, shut=shut)
        diagram = walk.diagram(title, scopes[0], path, outputs, depth, scopes)
        if len(diagram.nodes) <= LARGEST:
            break
    about = labels.block(calls, names)
    return diagram._replace(about=about if about != title else ""), walk.closed
