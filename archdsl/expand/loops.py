"""Repetition: equal iterations become one loop step, others are expanded one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.dims import Sym, variable
from archdsl.expand.builder import Builder, Naming
from archdsl.expand.counting import Entered, entered, reads_of
from archdsl.expand.environment import Env
from archdsl.expand.iterations import Loop, index_of, limit
from archdsl.expand.names import check_new_name
from archdsl.expand.origins import cells_of, traced
from archdsl.source import Span
from archdsl.syntax.spec import Body, Call, Dense, For, Repeat

Expand = Callable[[Body, Env], None]


class _Repetition(NamedTuple):
    """A repetition that is being expanded, where it stands and what it repeats."""

    entered: Entered
    once: Callable[[Env], None]
    env: Env
    span: Span


def expand_repeat(node: Repeat, env: Env, expand: Expand) -> None:
    """`repeat n`."""
    if node.index != "i":
        check_new_name(node.index, env, node.span)
    run_loop(node, lambda inner: expand(node.body, inner), env)


def run_loop(node: Repeat | Call, once: Callable[[Env], None], env: Env) -> None:
    """Repeats what `once` adds to an environment with the loop's variables. Raises SpecError."""
    loop = _Repetition(entered(node, env), once, env, node.span)
    total, index, inside = loop.entered.iterations.total, index_of(node), reads_of(node, env)
    peel_last = "last" in inside.names
    if index in inside.names or inside.labels & {"first", "last"} or inside.nth or not env.builder.fold:
        _all(range(total), loop, _told_apart_by(node, env))
        return
    k = 0
    while k < total:
        rest = total - k - (1 if peel_last else 0)
        if k >= 2 and rest >= 2 and _steady(env.builder):
            if not _fold(k, rest, loop):
                _all(range(k, total), loop, index)
                return
            k += rest
            continue
        _iteration(k, loop)
        k += 1


def _told_apart_by(node: Loop, env: Env) -> str:
    """The variable by which the iterations differ, for messages."""
    inside = reads_of(node, env)
    return "nth" if inside.nth and index_of(node) not in inside.names else index_of(node)


def _all(iterations: range, loop: _Repetition, variable: str) -> None:
    total = loop.entered.iterations.total
    limit(total, loop.env, variable, loop.span)
    with _repeated(total, loop.env.builder):
        for k in iterations:
            _iteration(k, loop)


def _iteration(k: int, loop: _Repetition) -> None:
    builder = loop.env.builder
    before, names = builder.here, dict(builder.naming.counters)
    loop.once(loop.entered.inside(k, loop.env))
    builder.last_iteration = (before, names, builder.current)


def _steady(builder: Builder) -> bool:
    """The last iteration kept the shape, so the next equal one will do the same."""
    return builder.last_iteration is not None and builder.last_iteration[0] == builder.here


def _fold(k: int, rest: int, loop: _Repetition) -> bool:
    """Adds `rest` equal iterations from the k-th on as one loop step; False where their names don't allow it."""
    env, builder = loop.env, loop.env.builder
    assert builder.last_iteration is not None
    counter = f"k{builder.loops}"
    step = variable(counter)
    naming = Naming(builder.naming.labelled)
    naming.taken = dict(builder.naming.taken)
    known = len(naming.taken)
    before, now = builder.last_iteration[1], builder.naming.counters
    growth = {key: now[key] - before.get(key, 0) for key in now}
    naming.counters = {key: now[key] + growth[key] * step for key in now}
    child = Builder(
        env.session, "loop", "repeat", loop.span, builder.here, naming=naming, parent=builder, loops=builder.loops + 1
    )
    distinct = env.session.distinct
    loop.once(loop.entered.inside(step + k, env.within(child)))
    own = islice(naming.taken, known, None)  # the others are looked at where they were given
    if not all(map(_affine, own)) or child.here != builder.here or child.sides:
        env.session.distinct = distinct
        return False
    scope = child.finish()
    if scope.steps:
        builder.add_loop(scope, rest, counter, tuple(child.captures), loop.span)
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
    loop = entered(node, env)
    with _repeated(loop.iterations.total, env.builder):
        for k in range(loop.iterations.total):
            inside = loop.inside(k, env)
            try:
                expand(node.body, inside)
            except SpecError as error:
                raise traced(error, node.body, cells_of(node, k, inside)) from None


def expand_dense(node: Dense, env: Env, expand: Expand, concatenate: Callable[[tuple[int, ...], Env], None]) -> None:
    """`dense n`: each iteration sees the concatenation of the input and of all earlier results."""
    if node.index != "i":
        check_new_name(node.index, env, node.span)
    loop = entered(node, env)
    total = loop.iterations.total
    limit(total, env, node.index, node.span, steps=2)  # each iteration has a concatenation of its own
    builder = env.builder
    with _repeated(total, builder):
        for k in range(total):
            before = builder.current
            expand(node.body, loop.inside(k, env))
            concatenate((before, builder.current), env)
