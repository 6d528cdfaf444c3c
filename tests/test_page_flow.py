"""How boxes are arranged on the page: all tensors are drawn and nothing else, branches are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import archdsl
from archdsl import library
from archdsl.emit.page.data import data as page_data
from archdsl.ir import LoopStep, OpStep, Scope, Step

Pairs = frozenset[tuple[int, int]]
Ends = frozenset[int]
Flow = dict[str, Any]


def members(item: Any) -> Iterator[int]:
    """The boxes in an item."""
    if isinstance(item, int):
        yield item
        return
    for flow in item if isinstance(item, list) else [item]:
        for inner in flow["i"]:
            yield from members(inner)


def ends(item: Any, place: int) -> Ends:
    """The boxes at the upper (0) or lower (-1) end of an item."""
    if isinstance(item, int):
        return frozenset((item,))
    return frozenset().union(*(ends(flow["i"][place], place) for flow in (item if isinstance(item, list) else [item])))


def drawn(flow: Flow, above: Ends, below: Ends) -> Iterator[Pairs]:
    """For each line of a flow, and each arc, which tensors (from a box to a box) it can be."""
    items = flow["i"]
    upper, lower = [above], [below]
    for item in items:
        upper.append(ends(item, -1) | (upper[-1] if isinstance(item, dict) else frozenset()))
    for item in reversed(items):
        lower.insert(0, ends(item, 0) | (lower[0] if isinstance(item, dict) else frozenset()))
    for k, (one, other) in enumerate(zip(upper, lower, strict=True)):
        if k not in flow.get("g", ()):
            yield frozenset(product(one, other))
    inside = {-1: above, len(items): below} | {k: frozenset(members(item)) for k, item in enumerate(items)}
    for start, end, _ in flow.get("a", ()):
        assert end > start + 1, "an arc passes something by"
        yield frozenset(product(inside[start], inside[end]))
    for k, item in enumerate(items):
        if not isinstance(item, int):
            for branch in item if isinstance(item, list) else [item]:
                yield from drawn(branch, upper[k], lower[k + 1])
    for place, side in flow.get("s", ()):
        yield from drawn(side, inside[place], below)


def placed(flow: Flow) -> list[int]:
    """All boxes of a flow."""
    return [
        *(one for item in flow["i"] for one in members(item)),
        *(one for _, side in flow.get("s", ()) for one in placed(side)),
    ]


def reads(step: Step, scope: Scope) -> tuple[int, ...]:
    """The values that a step takes; of some it takes the size only."""
    if not isinstance(step, OpStep) or step.op.inputs[0] > 1:
        return step.inputs
    bare = "" in step.facts.weights and step.op.lower(tuple(scope.shapes[value] for value in step.inputs)).parameter
    return () if bare else step.inputs[:1]


def tensors(scope: Scope, whole: bool) -> set[tuple[int, int]]:
    """Which step's tensor goes to which: -1 is where the scope begins, the number of steps where it ends."""
    makers = dict.fromkeys(scope.inputs, -1) | {
        value: k for k, step in enumerate(scope.steps) for value in step.outputs
    }
    edges = {(makers[value], k) for k, step in enumerate(scope.steps) for value in reads(step, scope)}
    results = scope.results if whole else scope.results[: len(scope.results) - len(scope.sides)]
    return edges | {(makers[value], len(scope.steps)) for value in results}


def unfolded(data: dict[str, Any], place: int, scope: Scope, whole: bool) -> Iterator[tuple[Scope, Flow, bool]]:
    """The scopes of a network whose every step is one box, with their flows."""
    boxes = data["boxes"]
    inner, at = [], place + 1
    while at < boxes[place]["e"]:
        inner.append(at)
        at = boxes[at].get("e", at + 1)
    if len(inner) != len(scope.steps):
        return
    yield scope, data["flows"][boxes[place]["f"]], whole
    for box, step in zip(inner, scope.steps, strict=True):
        if isinstance(step, OpStep) or "f" not in boxes[box]:
            continue
        within = step.scope
        while isinstance(step, LoopStep) and boxes[box]["k"] != "loop":
            (step,) = within.steps
            assert not isinstance(step, OpStep)
            within = step.scope
        yield from unfolded(data, box, within, False)


def check(network: archdsl.Network) -> int:
    """Compares what is drawn with the network; how many scopes that were."""
    net = network.net
    count = 0
    for scope, flow, whole in unfolded(page_data(net, network.files), 0, net.scope, net.tapped):
        lines = list(drawn(flow, frozenset((-1,)), frozenset((len(scope.steps),))))
        needed = tensors(scope, whole)
        assert needed <= frozenset().union(*lines), scope
        assert all(line & needed for line in lines), scope
        assert sorted(placed(flow)) == list(range(len(scope.steps))), scope
        count += 1
    return count


@pytest.mark.parametrize("name", library.names())
def test_every_tensor_is_drawn_and_nothing_else(name: str) -> None:
    check(archdsl.load(name))


def test_the_check_above_sees_the_scopes() -> None:
    """In GoogLeNet: 9 modules with a `conv_bn` in each of 4 branches, two in 2 of them; 3 at first; 2 side heads."""
    module, head = 1 + (1 + 3 + 3 + 2), 1 + 1 + 1
    assert check(archdsl.load("googlenet")) == 1 + 9 * module + 3 + 2 * head


def flow_of(text: str) -> Flow:
    network = archdsl.loads(f"net one\n  input 8x32x32\n{text}")
    assert check(network) >= 1
    data = page_data(network.net, network.files)
    found: Flow = data["flows"][data["boxes"][0]["f"]]
    return found


def test_branches_stand_side_by_side() -> None:
    flow = flow_of(
        "  concat\n    - conv 1x1, 8\n    - conv 1x1, 4 -> relu\n    - maxpool 3x3, stride 1, pad 1\n  relu\n"
    )
    # A labelled chain would be a container; without a label its steps stand in the network itself.
    fork, *rest = flow["i"]
    assert [branch["i"] for branch in fork] == [[0], [1, 2], [3]]
    assert rest == [4, 5]


def test_a_skip_is_an_arc_around_the_body() -> None:
    flow = flow_of("  conv 1x1, 8\n  residual\n    conv 1x1, 8\n    relu\n  relu\n")
    assert flow == {"i": [0, 1, 2, 3, 4], "a": ((0, 3, 0),)}


def test_arcs_lie_in_each_other_as_in_a_u_net() -> None:
    data = page_data(archdsl.load("unet").net, archdsl.load("unet").files)
    assert data["flows"][0]["a"] == ((6, 10, 0), (4, 13, 1), (2, 16, 2), (0, 19, 3))


def test_a_parameter_stands_beside_what_it_is_joined_with() -> None:
    flow = flow_of("  conv1: conv 1x1, 8\n  multiply\n    - skip\n    - scale: parameter [8, 1, 1]\n  relu\n")
    assert flow == {"i": [0, {"i": [1], "g": (0,)}, 2, 3]}


def test_a_head_stands_beside() -> None:
    flow = flow_of("  conv 1x1, 8\n  relu\n  output early\n    conv 1x1, 4\n    relu\n  conv 1x1, 2\n")
    assert flow == {"i": [0, 1, 4], "s": [[1, {"i": [2, 3], "g": (2,)}]]}


def test_what_is_no_fork_stands_in_a_row_with_arcs() -> None:
    """Two ways that exchange tensors, as in a ladder: each box once, each tensor drawn."""
    lines = [
        "  input 8x32x32",
        "  a: conv 1x1, 8",
        "  b: conv 1x1, 8",
        "  add\n    - from a\n    - skip",
        "  c: conv 1x1, 8",
        "  add\n    - from b\n    - skip",
        "  d: conv 1x1, 8",
        "  add\n    - from a\n    - from c\n    - skip",
    ]
    flow = flow_of("\n".join(lines[1:]) + "\n")
    assert flow["i"] == list(range(7))


def test_a_network_that_does_nothing_is_a_line() -> None:
    assert flow_of("  identity\n") == {"i": [0]}
