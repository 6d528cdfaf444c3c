"""Repetition: equal iterations become one loop step, others are expanded one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from archdsl.diagnostics import SpecError
from archdsl.dims import Sym, variable
from archdsl.expand import errors
from archdsl.expand.builder import LIMIT, Builder, Naming
from archdsl.expand.environment import Env
from archdsl.expand.evaluate import count, evaluate, fail, span_of_range
from archdsl.expand.names import check_new_name
from archdsl.expand.reads import Reads, reads_of_body
from archdsl.source import Span
from archdsl.syntax.expression import Expression, Range
from archdsl.syntax.spec import Body, Dense, For, Repeat

Expand = Callable[[Body, Env], None]


def expand_repeat(node: Repeat, env: Env, expand: Expand) -> None:
    """`repeat n`."""
    if node.index != "i":
        check_new_name(node.index, env, node.span)
    inside = env.session.reads(node.body, reads_of_body)
    run_loop(node.count, node.index, inside, lambda inner: expand(node.body, inner), env, node.span)


def run_loop(times: Expression, index: str, inside: Reads, once: Callable[[Env], None], env: Env, span: Span) -> None:
    """Repeats a body, its index, `first` and `last` bound. Raises SpecError."""
    total = count(times, env, "the number of repetitions")
    varies = index in inside.names or bool(inside.labels & {"first", "last"})
    peel_last = "last" in inside.names
    if varies or not env.builder.fold:
        _limit(total, env, index, span)
        _all(range(total), total, index, once, env)
        return
    k = 0
    while k < total:
        rest = total - k - (1 if peel_last else 0)
        if k >= 2 and rest >= 2 and _steady(env.builder):
            if not _fold(k, rest, index, once, env, span):
                _limit(total, env, index, span)
                _all(range(k, total), total, index, once, env)
                return
            k += rest
            continue
        _iteration(k, total, index, once, env)
        k += 1


def _all(iterations: range, total: int, index: str, once: Callable[[Env], None], env: Env) -> None:
    with _repeated(total, env.builder):
        for k in iterations:
            _iteration(k, total, index, once, env)


def _iteration(k: int, total: int, index: str, once: Callable[[Env], None], env: Env) -> None:
    builder = env.builder
    before, names = builder.here, dict(builder.naming.counters)
    once(env.with_variables({index: k, "first": k == 0, "last": k == total - 1}))
    builder.last_iteration = (before, names, builder.current)


def _steady(builder: Builder) -> bool:
    """The last iteration kept the shape, so the next equal one will do the same."""
    return builder.last_iteration is not None and builder.last_iteration[0] == builder.here


def _fold(k: int, rest: int, index: str, once: Callable[[Env], None], env: Env, span: Span) -> bool:
    """Adds `rest` equal iterations from the k-th on as one loop step; False where their names don't allow it."""
    builder = env.builder
    assert builder.last_iteration is not None
    counter = f"k{builder.loops}"
    step = variable(counter)
    naming = Naming(builder.naming.labelled)
    naming.taken = dict(builder.naming.taken)
    before, now = builder.last_iteration[1], builder.naming.counters
    growth = {key: now[key] - before.get(key, 0) for key in now}
    naming.counters = {key: now[key] + growth[key] * step for key in now}
    child = Builder(
        env.session, "loop", "repeat", span, builder.here, naming=naming, parent=builder, loops=builder.loops + 1
    )
    distinct = env.session.distinct
    once(env.within(child).with_variables({index: step + k, "first": False, "last": False}))
    if not all(_affine(name) for name in naming.taken) or child.here != builder.here or child.sides:
        env.session.distinct = distinct
        return False
    scope = child.finish()
    if scope.steps:
        builder.add_loop(scope, rest, counter, tuple(child.captures), span)
    builder.naming.counters = {key: now[key] + growth[key] * rest for key in now}
    return True


def _affine(name: tuple[Any, ...]) -> bool:
    """Whether the numbers in a name are sums of counters: other terms could be equal in two iterations."""
    return all(
        len(monomial) == 1 and monomial[0].inner is None
        for part in name
        if isinstance(part, Sym)
        for monomial, _ in part.terms
    )


def _limit(total: int, env: Env, index: str, span: Span, *, steps: int = 1) -> None:
    """Refuses a loop of too many distinct iterations before any is expanded."""
    if total * steps * env.builder.pending > LIMIT - env.session.distinct:
        what = f"{total:,} repetitions that differ from each other"
        raise SpecError(
            errors.TooLarge(span, path=env.path, what=what, limit=f"{LIMIT:,} distinct steps", variable=index)
        )


@contextmanager
def _repeated(total: int, builder: Builder) -> Iterator[None]:
    """While the body of a loop with differing iterations is expanded: loops inside it count as often."""
    outer = builder.pending
    builder.pending *= max(1, total)
    yield
    builder.pending = outer


def expand_for(node: For, env: Env, expand: Expand) -> None:
    """`for` over a table, a list or a range."""
    for name in node.names:
        check_new_name(name, env, node.span)
    rows = _rows(node, env)
    _limit(len(rows), env, node.names[0], node.span)
    with _repeated(len(rows), env.builder):
        for position, row in enumerate(rows):
            more: Mapping[str, Any] = {**dict(zip(node.names, row, strict=True)), "row": position, "rows": len(rows)}
            expand(node.body, env.with_variables(more))


def _rows(node: For, env: Env) -> Any:
    if node.rows is not None:
        return [tuple(evaluate(cell, env) for cell in row) for row in node.rows]
    assert node.over is not None
    if isinstance(node.over, Range):
        numbers = span_of_range(node.over, env)
        _limit(len(numbers), env, node.names[0], node.span)
        if len(node.names) == 1:
            return [(number,) for number in numbers]
    items = evaluate(node.over, env)
    if type(items) is not tuple:
        raise fail(env, node.over.span, "`for` goes over a table, a list or a range", expected="a list")
    if len(node.names) == 1:
        return [(item,) for item in items]
    for item in items:
        if type(item) is not tuple or len(item) != len(node.names):
            what = f"`for {', '.join(node.names)}` needs {len(node.names)} values from each item"
            raise fail(env, node.over.span, what, expected=f"lists of {len(node.names)}", got=str(item))
    return items


def expand_dense(node: Dense, env: Env, expand: Expand, concatenate: Callable[[tuple[int, ...], Env], None]) -> None:
    """`dense n`: each iteration sees the concatenation of the input and of all earlier results."""
    if node.index != "i":
        check_new_name(node.index, env, node.span)
    total = count(node.count, env, "the number of repetitions")
    _limit(total, env, node.index, node.span, steps=2)  # each iteration has a concatenation of its own
    builder = env.builder
    with _repeated(total, builder):
        for k in range(total):
            before = builder.current
            expand(node.body, env.with_variables({node.index: k, "first": k == 0, "last": k == total - 1}))
            concatenate((before, builder.current), env)
