"""From an op's complaint to the user's: the place, the path, and the sizes as numbers where the input has them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from archdsl.diagnostics import SpecError
from archdsl.dims import Dim, Sym, at
from archdsl.expand import op_errors
from archdsl.expand.environment import Env
from archdsl.expand.values import Given
from archdsl.ops.base import AtLeast, Check, Divides, Facts, Op, OpError
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
    culprit = given.get(told.setting or "")
    return op_error(told, culprit.span if culprit else span, env)


def check_facts(
    op: Op, facts: Facts, shapes: tuple[Shape, ...], given: Mapping[str, Given], env: Env, span: Span
) -> None:
    """Checks sizes at the network's input, as far as that is given; raises SpecError.

    Sizes left open are decided for the whole network, by its requirements.
    """
    if not any(broken_at(check, env.session.sizes) for check in facts.checks):
        return
    error = in_numbers(op, shapes, env.session.sizes)
    assert error is not None, f"{op} states checks that it doesn't hold plain numbers to"
    raise refused(op, error, shapes, given, env, span)


def in_numbers(op: Op, shapes: tuple[Shape, ...], sizes: Mapping[str, int]) -> OpError | None:
    """What an op says where its symbolic sizes are replaced by their values; None if it has no complaint."""
    told = copy.copy(op)
    told.__dict__.update({key: _at(value, sizes) for key, value in op.__dict__.items()})
    try:
        told.infer(tuple(_at(shape, sizes) for shape in shapes))
    except OpError as error:
        return error
    return None


def _at(value: Any, sizes: Mapping[str, int]) -> Any:
    """A shape, size or list of sizes with numbers for what is given."""
    if isinstance(value, Shape):
        return Shape(value.axes, tuple(_at(size, sizes) for size in value.sizes))
    if type(value) is tuple:
        return tuple(_at(item, sizes) for item in value)
    number = known(value, sizes) if isinstance(value, Sym) else None
    return value if number is None else number


def spelled(shape: Shape, sizes: Mapping[str, int]) -> str:
    """A shape as messages show it: numbers where they are given."""
    return str(_at(shape, sizes))


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


def known(size: Dim, sizes: Mapping[str, int]) -> int | None:
    """A size as a number, None where it is open."""
    if not isinstance(size, Sym):
        return size
    return at(size, sizes) if size.names <= sizes.keys() else None
