"""From an op's complaint to the user's: the place, the path, and the sizes as numbers where the input has them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from archdsl.diagnostics import Note, SpecError
from archdsl.expand import op_errors
from archdsl.expand.environment import Env
from archdsl.expand.sizes import at_sizes, known
from archdsl.expand.trail import along_the_way
from archdsl.expand.values import Given, show
from archdsl.ops.base import AtLeast, Check, Divides, Facts, Op, OpError, Same
from archdsl.shape import Shape
from archdsl.source import Span


def op_error(error: OpError, span: Span, env: Env) -> SpecError:
    """The diagnostic of an OpError."""
    kind = op_errors.OP_ERRORS[error.code]
    values: dict[str, Any] = {"expected": error.expected, "got": error.got, "help": error.help}
    if error.input is not None:
        values |= {"branch": error.input, "like": error.like}
    return SpecError(kind(span, path=env.path, what=str(error), **values))


def refused(
    op: Op, error: OpError, shapes: tuple[Shape, ...], given: Mapping[str, Given], env: Env, span: Span
) -> SpecError:
    """What an op says of its inputs, told with numbers where the sizes are given, at the setting that is wrong."""
    told = in_numbers(op, shapes, env.session.sizes) or error
    return along_the_way(at_setting(told, given.get(told.setting or ""), span, env), env)


def at_setting(error: OpError, culprit: Given | None, call: Span, env: Env) -> SpecError:
    """An op's complaint at the setting that is wrong; at the call, with a note, where a `default` gave that."""
    if culprit is None:
        return op_error(error, call, env)
    written = culprit.span
    if written.source.name == call.source.name and call.line <= written.line <= call.end_line:
        return op_error(error, written, env)
    told = op_error(error, call, env)
    note = Note(written, f"`{error.setting}` is {show(culprit.value)} by this default")
    return SpecError(*(diagnostic.with_notes(note) for diagnostic in told.diagnostics))


def check_facts(
    op: Op, facts: Facts, shapes: tuple[Shape, ...], given: Mapping[str, Given], env: Env, span: Span
) -> None:
    """Checks sizes at the network's input, as far as that is given; raises SpecError.

    Sizes left open are decided for the whole network, by its requirements.
    """
    if not any(broken_at(check, env.session.sizes) for check in facts.checks):
        return
    error = in_numbers(op, shapes, env.session.sizes)
    if error is None:
        raise op_error(_only_here(op, facts, env.session.sizes), span, env)
    raise refused(op, error, shapes, given, env, span)


def _only_here(op: Op, facts: Facts, sizes: Mapping[str, int]) -> OpError:
    """For sizes that would join at this input alone: a 1 is stretched only where it is 1 at every input."""
    differing = [check for check in facts.checks if isinstance(check, Same) and broken_at(check, sizes)]
    assert differing, f"{op} states checks that it doesn't hold plain numbers to"
    one, other, axis, (first, second) = differing[0]
    left, right = known(one, sizes), known(other, sizes)
    if right != 1:
        left, right, first, second = right, left, second, first
    return OpError(
        f"the inputs of `{op.name}` differ in {axis}",
        code="shape-mismatch",
        expected=f"{left}, or 1 at every input",
        got=str(right),
        input=second,
        like=(first,),
    )


def in_numbers(op: Op, shapes: tuple[Shape, ...], sizes: Mapping[str, int]) -> OpError | None:
    """What an op says where its symbolic sizes are replaced by their values; None if it has no complaint."""
    told = copy.copy(op)
    told.__dict__.update({key: at_sizes(value, sizes) for key, value in op.__dict__.items()})
    try:
        told.infer(tuple(at_sizes(shape, sizes) for shape in shapes))
    except OpError as error:
        return error
    return None


def broken_at(check: Check, sizes: Mapping[str, int]) -> bool:
    """Whether a check fails at these sizes; False where they don't decide it."""
    if isinstance(check, AtLeast):
        size = known(check.size, sizes)
        return size is not None and size < check.minimum
    if isinstance(check, Divides):
        size = known(check.size, sizes)
        return size is not None and size % check.divisor != 0
    left, right = known(check.left, sizes), known(check.right, sizes)
    return left is not None and right is not None and left != right
