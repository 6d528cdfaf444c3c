"""How each weight is drawn: the rules of a spec, looked up once the weight's shape is known."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.dims import Dim, Sym
from archdsl.expand import errors
from archdsl.expand.environment import MISSING, SCHEMES, Env, InitRule
from archdsl.expand.evaluate import evaluate, fail
from archdsl.expand.functions import FUNCTIONS
from archdsl.expand.sizes import known
from archdsl.expand.values import Given
from archdsl.ir import Init
from archdsl.ops.base import Facts, Op
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.expression import Apply, Arg, Word

DEFAULT = Init("default")


def inits_of(op: Op, facts: Facts, given: dict[str, Given], env: Env, span: Span) -> tuple[tuple[str, Init], ...]:
    """Weight suffix -> scheme, for the weights that a rule is about. Raises SpecError."""
    called = {name: item for name, item in given.items() if isinstance(item.value, InitRule)} if given else {}
    for name, item in called.items():
        names = tuple(map(_name, facts.weights))
        if (name.removeprefix("init_") if name != "init" else "weight") not in names:
            raise SpecError(no_weight(name.removeprefix("init_"), op.name, names, item.span, env.path))
    plain = None
    if not called:
        # Rules without fans give the same for every op of a kind.
        plain = (type(op), len(facts.weights), id(env.inits))
        known_inits = env.session.init_cache.get(plain)
        if known_inits is not None:
            return known_inits
    chosen = []
    for weight, shape in facts.weights.items():
        rule = _rule(weight, op, called, env)
        if rule is not None:
            made = scheme(rule, facts.weights.get(weight.replace("bias", "weight"), shape), env)
            chosen.append((weight, Init(*op.draws[weight]) if made == DEFAULT and weight in op.draws else made))
            if isinstance(rule.expression, Apply) and not rule.expression.name.startswith("kaiming"):
                plain = None
                env.session.shape_reads += 1
        elif weight in op.draws:
            chosen.append((weight, Init(*op.draws[weight])))
    inits = tuple(chosen)
    if plain is not None:
        env.session.init_cache[plain] = inits
        env.session.keep(env.inits)
    return inits


def _rule(weight: str, op: Op, called: dict[str, Given], env: Env) -> InitRule | None:
    """The call's own rule, else the block's, the file's, by op and then by family."""
    own = _name(weight)
    for name in (f"init_{own}", *(("init",) if own == "weight" else ())):
        if name in called:
            rule = called[name].value
            assert isinstance(rule, InitRule)
            return rule
    part = op.weight_init.get(weight)
    families = ((op.name, own), (op.init_family, own) if part is None else (part, weight.rpartition(".")[2]))
    for inits in env.inits:
        for family, name in families:
            if family in inits:
                if name in inits[family]:
                    return inits[family][name]
                if part is None:
                    break
    return None


def _name(weight: str) -> str:
    """What rules call a weight of this suffix."""
    return weight.replace(".", "_") or "weight"


def scheme(rule: InitRule, weight: tuple[Dim, ...], env: Env) -> Init:
    """A rule's scheme with its numbers; `in`, `out`, `fan_in` and `fan_out` are those of a weight of this shape."""
    expression, home = rule.expression, rule.env
    if isinstance(expression, Word) and expression.name in SCHEMES:
        return Init(expression.name)
    if isinstance(expression, Apply) and expression.name in SCHEMES:
        parts = [part for arg in expression.args for part in arg.parts]
        if expression.name.startswith("kaiming"):
            words = tuple(part.name if isinstance(part, Word) else None for part in parts)
            return _checked(Init(expression.name, words), expression.span, home)
        inner = home.with_variables(_fans(weight, env))
        args = tuple(evaluate(part, inner) for part in parts)
        return _checked(Init(expression.name, args), expression.span, home)
    if isinstance(expression, Word) and home.lookup(expression.name) is not MISSING:
        return Init("constant", (evaluate(expression, home),))
    if isinstance(expression, (Word, Apply)) and not (isinstance(expression, Apply) and expression.name in FUNCTIONS):
        near = did_you_mean(expression.name, SCHEMES)
        what = f"there is no initialisation `{expression.name}`"
        known_schemes = f"{', '.join(SCHEMES)} or a number"
        raise SpecError(
            errors.UnknownScheme(expression.span, path=home.path, what=what, known=known_schemes, near=near)
        )
    value = evaluate(expression, home)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise fail(home, expression.span, "an initialisation is a scheme or a number", expected="a scheme or number")
    return Init("constant", (value,))


_ARGS = {
    "normal": (1, 1),
    "trunc_normal": (1, 1),
    "uniform": (1, 1),
    "kaiming_normal": (0, 1),
    "kaiming_uniform": (0, 1),
}


def _checked(init: Init, span: Span, env: Env) -> Init:
    least, most = _ARGS.get(init.scheme, (0, 0))
    words = init.scheme.startswith("kaiming")
    good = least <= len(init.args) <= most and all(
        arg in ("fan_in", "fan_out")
        if words
        else isinstance(arg, (int, float)) and not isinstance(arg, bool) and arg >= 0
        for arg in init.args
    )
    if not good:
        expected = "`fan_in` or `fan_out`" if words else "one number" if most else "no values"
        raise fail(env, span, f"`{init.scheme}` can't take these values", expected=expected)
    return init


def _fans(weight: tuple[Dim, ...], env: Env) -> dict[str, Any]:
    """`in` and `out` channels of a weight; the fans as words, which the kaiming schemes take, and numbers."""
    sizes = [size if not isinstance(size, Sym) else known(size, env.session.sizes) or 1 for size in weight]
    if len(sizes) < 2:
        return {"out": sizes[0] if sizes else 1, "in": 1}
    field = math.prod(sizes[2:])
    return {"in": sizes[1], "out": sizes[0], "fan_in": sizes[1] * field, "fan_out": sizes[0] * field}


def is_scheme(expression: Word | Apply, variables: Container[str]) -> bool:
    """Whether a word or application can be an initialisation: a scheme, a variable, or arithmetic."""
    names = (SCHEMES, FUNCTIONS) if isinstance(expression, Apply) else (SCHEMES, variables)
    return any(expression.name in known_names for known_names in names)


def weight_of(arg: Arg) -> str | None:
    """The weight that an entry of `init` is about, None where it names none."""
    if arg.name is not None or len(arg.parts) != 2:
        return arg.name
    first = arg.parts[0]
    return first.name if isinstance(first, Word) else None


def unknown_scheme(expression: Word | Apply, path: tuple[str, ...] = ()) -> Diagnostic:
    """For an initialisation that doesn't exist."""
    near = did_you_mean(expression.name, SCHEMES)
    what = f"there is no initialisation `{expression.name}`"
    span = expression.span.word(expression.name)
    return errors.UnknownScheme(span, path=path, what=what, known=f"{', '.join(SCHEMES)} or a number", near=near)


def no_weight(weight: str, op: str, names: tuple[str, ...], span: Span, path: tuple[str, ...] = ()) -> Diagnostic:
    """For an initialisation of a weight that the op doesn't have."""
    what = f"`{op}` has no weight `{weight}`"
    return errors.UnknownScheme(span, path=path, what=what, known=", ".join(names), near=did_you_mean(weight, names))
