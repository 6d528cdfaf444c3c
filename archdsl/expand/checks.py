"""From an op's complaint to the user's: the place, the path, and the sizes as numbers where the input has them."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.dims import Dim, Sym, at
from archdsl.expand import errors
from archdsl.expand.environment import Env
from archdsl.ops.base import AtLeast, Check, Divides, Facts, Op, OpError, Same
from archdsl.source import Span


def op_error(error: OpError, span: Span, env: Env) -> SpecError:
    """The diagnostic of an OpError."""
    kind = errors.OP_ERRORS[error.code]
    values = {"expected": error.expected, "got": error.got, "help": error.help, "branch": error.input}
    return SpecError(kind(span, path=env.path, what=str(error), **values))


def check_facts(op: Op, facts: Facts, env: Env, span: Span) -> None:
    """Checks sizes at the network's input, as far as that is given; raises SpecError.

    Sizes left open are decided for the whole network, by its requirements.
    """
    broken = [check for check in facts.checks if broken_at(check, env.session.sizes)]
    if not broken:
        return
    unequal = [check for check in broken if isinstance(check, Same)]
    if unequal:
        pair = unequal[0].inputs
        raise SpecError(_mismatch(op, [check for check in unequal if check.inputs == pair], env, span))
    other = broken[0]
    assert not isinstance(other, Same)
    raise SpecError(size_error(op, other, env, span))


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


def _mismatch(op: Op, checks: list[Same], env: Env, span: Span) -> Diagnostic:
    """All axes in which two tensors differ, as one diagnostic."""
    sizes = env.session.sizes
    left = " x ".join(str(known(check.left, sizes)) for check in checks)
    right = " x ".join(str(known(check.right, sizes)) for check in checks)
    axes = " and ".join(check.what for check in checks)
    first, second = checks[0].inputs
    merge = first != second
    return errors.ShapeMismatch(
        span,
        path=env.path,
        what=f"the branches of `{op.name}` differ in {axes}" if merge else f"`{op.name}` changes the {axes}",
        expected=f"{left}, as in branch {first + 1}" if merge else left,
        got=right,
        help="",
        branch=second if merge else None,
    )


def size_error(op: Op, check: AtLeast | Divides, env: Env, span: Span) -> Diagnostic:
    """What is wrong with a size."""
    sizes = env.session.sizes
    size = known(check.size, sizes)
    if isinstance(check, Divides):
        what = f"the {check.what} {size} that reaches `{op.name}` is no multiple of {check.divisor}"
        expected = f"a multiple of {check.divisor}"
        return errors.InvalidInput(span, path=env.path, what=what, expected=expected, got=str(size), help="")
    what = f"nothing comes out of `{op.name}`: the {check.what} would be {size}"
    here = env.builder.here
    numbers = [str(known(dim, sizes) if known(dim, sizes) is not None else dim) for dim in here.sizes]
    return errors.EmptyOutput(
        span,
        path=env.path,
        what=what,
        expected=f"at least {check.minimum}",
        got=f"an input of {' x '.join(numbers)}",
        help="pool or stride less before it, pad more, or feed a larger input",
    )
