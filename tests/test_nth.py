"""`nth` and `total`: a loop's iterations counted over all iterations of the loops around it."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from network_facts import net, outs, refused

import archdsl
from archdsl.diagnostics import SpecError
from archdsl.ir import LoopStep, Scope


def counted(body: str, **options: Any) -> list[int]:
    """The channels of the convolutions, in order: 100 * total + nth where the body says so."""
    return list(outs(net(body, **options)).values())


READ = "conv 1x1, 100 * total + nth"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"repeat 2\n  {READ}", [200, 201]),
        (f"2 x {READ}", [200, 201]),
        (f"for c in [7, 9, 8]\n  {READ}", [300, 301, 302]),
        (f"dense 2\n  {READ}", [200, 201]),
        (f"for n in [2, 1]\n  repeat n\n    {READ}", [300, 301, 302]),
        (f"for n in [2, 0, 1]\n  n x {READ}", [300, 301, 302]),
        (f"repeat 2 as j\n  for c in 0..j\n    {READ}", [300, 301, 302]),
        (f"repeat 2\n  dense 2\n    {READ}", [400, 401, 402, 403]),
        (f"repeat 3\n  repeat 1 when not first\n    {READ}", [200, 201]),
        (f"repeat 3\n  2 x {READ} when last", [200, 201]),
        (f"repeat 2\n  let n = i + 1\n  group\n    n x {READ}", [300, 301, 302]),
        (f"for a b\n  1 2\n  2 1\ndo\n  a x {READ}\n  b x {READ}", [300, 300, 301, 301, 302, 302]),
        (f"repeat 2\n  {READ}\n  2 x {READ}", [200, 400, 401, 201, 402, 403]),
        (f"repeat 2\n  (nth + 1) x {READ}", [300, 301, 302]),
        (f"repeat 2\n  total x {READ}", [400, 401, 402, 403]),
        (f"repeat 2\n  repeat 2\n    nth x {READ}", [600, 601, 602, 603, 604, 605]),
        (f"repeat 2\n  let c = here.channels\n  let n = 2\n  n x {READ}", [400, 401, 402, 403]),
    ],
)
def test_a_loop_counts_over_the_loops_around_it(body: str, expected: list[int]) -> None:
    assert counted(body) == expected


def written(depth: int, choose: random.Random, loops: list[str]) -> tuple[list[str], Any]:
    """Lines of a random body of loops, and the same as Python: items of (loop, count at the outer index, items)."""
    lines: list[str] = []
    items: list[Any] = []
    for _ in range(choose.randint(1, 2)):
        if depth < 3 and choose.random() < 0.7:
            name = f"j{len(loops)}"
            loops.append(name)
            step = choose.randint(0, 1) if depth else 0
            count = choose.randint(1, 2)
            inner, below = written(depth + 1, choose, loops)
            times = f"{count} + {step} * {outer_of(loops, name, depth)}" if step else str(count)
            lines += [f"repeat {times} as {name}", *(f"  {line}" for line in inner)]
            items.append((name, count, step, below))
        elif depth:
            lines.append(READ)
            items.append(None)
    return (lines, items) if lines else (["identity"], [])


def outer_of(loops: list[str], name: str, depth: int) -> str:
    return "nth" if depth else name


def performed(items: Any, loop: str, nth: int, seen: Counter[str], found: list[tuple[str, int]]) -> None:
    """Runs the loops; notes for each read which loop it is in and the how manieth iteration of that this is."""
    for item in items:
        if item is None:
            found.append((loop, nth))
            continue
        name, count, step, below = item
        for _ in range(count + step * nth):
            seen[name] += 1
            performed(below, name, seen[name] - 1, seen, found)


@pytest.mark.parametrize("seed", range(60))
def test_loops_in_loops_count_as_they_run(seed: int) -> None:
    lines, items = written(0, random.Random(seed), [])
    seen: Counter[str] = Counter()
    found: list[tuple[str, int]] = []
    performed(items, "", 0, seen, found)
    text = "\n".join(["net a", "  input 4x8x8", *(f"  {line}" for line in lines)])
    assert list(outs(archdsl.loads(text).net).values()) == [100 * seen[loop] + nth for loop, nth in found]


@pytest.mark.parametrize("kind", ["block", "macro"])
def test_a_block_or_macro_counts_its_own_loops(kind: str) -> None:
    head = f"{kind} b (n)\n  n x {READ}"
    assert counted("repeat 2\n  b nth + 1", head=head) == [100, 200, 201]
    assert refused("repeat 2\n  b 1", head=f"{kind} b (n)\n  conv 1x1, n * nth") == ["unknown-name"]


def test_labels_count_too() -> None:
    assert list(outs(net("for n in [1, 2]\n  repeat n\n    b{nth + 1}of{total}: conv 1x1, 3"))) == [
        "b1of3",
        "b2of3",
        "b3of3",
    ]


def test_steps_reached_from_outside_are_counted_once() -> None:
    """`from` into a container expands it a second time."""
    body = f"""
        g:
          repeat 2
            c{{nth}}: {READ}
        from g.c0
        for n in [1, 1]
          a{{nth}}:
            b: n x {READ}
        from a0.b
        t: conv 1x1, 7
    """
    assert counted(body) == [200, 201, 200, 201, 7]


def test_guards_of_constructs_between_are_heeded() -> None:
    body = f"""
        let odd = no
        for n in [1, 2, 3]
          group when n > 1
            add
              - 2 x {READ}
                conv 1x1, 4
              - skip
          residual
            conv 1x1, 4
          shortcut when odd
            2 x {READ}
    """
    found = outs(net(body))
    assert [out for out in found.values() if out > 4] == [400, 401, 402, 403]


def loop_steps(scope: Scope) -> list[int]:
    return [step.times for step in scope.steps if isinstance(step, LoopStep)]


def test_equal_iterations_are_one_step_also_where_they_read_the_total() -> None:
    head = "net a\n  input 4x8x8\n"
    alone = archdsl.loads(f"{head}  repeat 1000000\n    dropout 1 / total").net
    assert loop_steps(alone.scope) == [999_998]
    beside = archdsl.loads(f"{head}  repeat 3\n    repeat 50\n      relu\n    2 x conv 1x1, 4 + nth").net
    assert loop_steps(beside.scope) == [48, 48, 48]


def test_the_rates_of_published_networks() -> None:
    """Both conventions: k / N (EfficientNet) and k / (N - 1) (ConvNeXt, Swin)."""
    head = "block b (drop)\n  stochastic_depth drop"
    depths = [3, 3, 9, 3]
    for written, rate in (("nth / total", lambda k: k / 18), ("nth / (total - 1)", lambda k: k / 17)):
        found = net(f"for n in {depths}\n  repeat n\n    b 0.2 * {written}", head=head)
        assert rates(found.scope) == pytest.approx([0.2 * rate(k) for k in range(18)])  # type: ignore[no-untyped-call]


def rates(scope: Scope) -> list[float]:
    return [inner.op.p for step in scope.steps for inner in step.scope.steps]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ("for c in [8, 16]\n  conv 1x1, c\n  here.channels x dropout nth / total", "uncounted-loop", "here.channels"),
        ("repeat 2\n  for c in [here.channels]\n    dropout nth / total", "uncounted-loop", "[here.channels]"),
        ("repeat 2\n  let n = input.channels\n  repeat n\n    dropout nth / total", "uncounted-loop", "n"),
        ("repeat 2\n  repeat 2 when here.channels > 3\n    dropout nth / total", "uncounted-loop", "here.channels > 3"),
        ("repeat 2\n  repeat 2\n    total x dropout nth / total", "uncounted-loop", "total"),
        ("repeat 1\n  dropout nth / (total - 1)", "bad-value", "total - 1"),
        ("repeat 3\n  repeat 200000\n    repeat 2\n      dropout nth", "too-many-steps", ""),
        ("repeat 200000\n  dropout 0 * nth", "too-many-steps", ""),
        ("c: conv 1x1, nth", "unknown-name", "nth"),
        ("repeat 2 as nth\n  relu", "invalid-name", ""),
    ],
)
def test_what_cant_be_counted_is_told_where_it_stands(body: str, code: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        net(body)
    (told,) = caught.value.diagnostics
    assert told.code == code
    line = told.span.source.text.splitlines()[told.span.line - 1]
    assert line[told.span.column - 1 : told.span.end_column - 1].strip("()") == place or not place


def test_a_loop_that_is_entered_may_depend_on_a_shape() -> None:
    assert counted(f"here.channels x {READ}") == [400, 401, 402, 403]


def test_emitted_source_holds_the_rates() -> None:
    text = """
block b (drop)
  dropout drop
net a (rate = 0.4)
  input 4x8x8
  for n in [1, 2]
    repeat n
      b rate * nth / total
"""
    model = archdsl.loads(text).build()
    assert [layer.p for layer in model.modules() if type(layer).__name__ == "Dropout"] == [0.0, 0.4 / 3, 0.8 / 3]
