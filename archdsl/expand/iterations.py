"""What a loop goes through: how often, and the variables of each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.expand import errors
from archdsl.expand.builder import LIMIT
from archdsl.expand.environment import Env
from archdsl.expand.evaluate import count, evaluate, fail, span_of_range
from archdsl.expand.origins import at_item, row_of
from archdsl.expand.values import show
from archdsl.source import Span
from archdsl.syntax.expression import Range
from archdsl.syntax.spec import Call, Dense, For, Repeat

Loop = Repeat | Dense | For | Call  # a call that is one has a count: `3 x unit 64`


class Iterations(NamedTuple):
    """How many there are, and the variables of the k-th."""

    total: int
    variables: Callable[[int], Mapping[str, Any]]


def index_of(node: Loop) -> str:
    """The variable that tells the iterations of a loop apart."""
    return node.names[0] if isinstance(node, For) else "i" if isinstance(node, Call) else node.index


def iterations(node: Loop, env: Env) -> Iterations:
    """A loop's iterations where it is entered. Raises SpecError."""
    if isinstance(node, For):
        return _over(node, env)
    assert node.count is not None
    total, index = count(node.count, env, "the number of repetitions"), index_of(node)
    return Iterations(total, lambda k: {index: k, "first": k == 0, "last": k == total - 1})


def _over(node: For, env: Env) -> Iterations:
    rows = _rows(node, env)
    limit(len(rows), env, node.names[0], node.span)
    return Iterations(len(rows), lambda k: {**dict(zip(node.names, rows[k], strict=True)), "row": k, "rows": len(rows)})


def _rows(node: For, env: Env) -> Any:
    if node.rows is not None:
        return [tuple(evaluate(cell, env) for cell in row) for row in node.rows]
    assert node.over is not None
    if isinstance(node.over, Range):
        numbers = span_of_range(node.over, env)
        limit(len(numbers), env, node.names[0], node.span)
        if len(node.names) == 1:
            return [(number,) for number in numbers]
    items = evaluate(node.over, env)
    if type(items) is not tuple:
        raise fail(env, node.over.span, "`for` goes over a table, a list or a range", expected="a list")
    if len(node.names) == 1:
        return [(item,) for item in items]
    for k, item in enumerate(items):
        if type(item) is not tuple or len(item) != len(node.names):
            what = f"`for {', '.join(node.names)}` needs {len(node.names)} values from each item"
            error = fail(env, node.over.span, what, expected=f"lists of {len(node.names)}", got=show(item))
            raise at_item(error, row_of(node, k, env))
    return items


def limit(total: int, env: Env, variable: str, span: Span, *, steps: int = 1) -> None:
    """Refuses a loop of too many distinct iterations before any is expanded. Raises SpecError."""
    if total * steps * env.builder.pending > LIMIT - env.session.distinct:
        what = f"{total:,} repetitions that differ from each other"
        raise SpecError(
            errors.TooLarge(span, path=env.path, what=what, limit=f"{LIMIT:,} distinct steps", variable=variable)
        )
