"""`default` and `init`: what calls leave out."""

from __future__ import annotations

from archdsl.diagnostics import SpecError
from archdsl.expand import errors
from archdsl.expand.arguments import Signature, bind, signature_of, unknown_callee
from archdsl.expand.environment import Defaults, Env, InitRule, Inits
from archdsl.expand.inits import weight_of
from archdsl.expand.values import Given
from archdsl.ops.base import Op
from archdsl.syntax.expression import Expression, Literal, SizeLiteral
from archdsl.syntax.spec import Settings


def read_defaults(entries: tuple[Settings, ...], env: Env) -> Defaults:
    """Op -> setting -> value. Raises SpecError."""
    read: dict[str, dict[str, Given]] = {}
    for entry in entries:
        op = _op(entry, env)
        signature = signature_of(op)
        everything = Signature(op.name, (), signature.settings)  # values stand at the call
        read[op.name] = {**read.get(op.name, {}), **bind(entry.args, everything, env, entry.span, partial=True)}
    return read


def read_inits(entries: tuple[Settings, ...], env: Env) -> Inits:
    """Op -> weight -> rule. Raises SpecError."""
    read: dict[str, dict[str, InitRule]] = {}
    for entry in entries:
        op = _op(entry, env)
        rules = read.setdefault(op.name, {})
        for arg in entry.args:
            weight = weight_of(arg)
            if weight is None:
                what = "an initialisation names its weight"
                help = f"write `init {op.name} weight SCHEME, bias SCHEME`"
                raise SpecError(
                    errors.BadValue(arg.span, path=env.path, what=what, expected="`weight SCHEME`", got="", help=help)
                )
            rules[weight] = InitRule(arg.parts[-1], env)
    return read


def _op(entry: Settings, env: Env) -> type[Op]:
    op = env.session.ops.get(entry.op)
    if op is None:
        raise SpecError(unknown_callee(entry.op, entry.span.word(entry.op), env.session.ops, env.path))
    return op


def python_default(expression: Expression | None) -> str | None:
    """A parameter's default as Python source; None where it has none, or none that Python can spell."""
    if isinstance(expression, Literal) and isinstance(expression.value, (int, float)):
        return repr(expression.value)
    if isinstance(expression, SizeLiteral) and all(isinstance(side, int) for side in expression.sides):
        sides = expression.sides
        return repr(sides[0]) if len(set(sides)) == 1 else repr(sides)
    return None
