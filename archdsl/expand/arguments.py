"""What the arguments of a call mean, decided with the callee's signature at hand."""

from __future__ import annotations

from typing import Any, NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.expand import errors
from archdsl.expand.environment import MISSING, Env, InitRule
from archdsl.expand.evaluate import evaluate
from archdsl.expand.values import Given, show
from archdsl.ops.base import Op
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.expression import Arg, Expression, Word


class Signature(NamedTuple):
    """What a callee takes.

    values: what must be given, in order or by name; settings: what may be given by name.
    in_order: those settings that may also follow the values in order.
    inits: the callee has weights, so `init_weight` and its kin are settings.
    """

    callee: str
    values: tuple[str, ...]
    settings: tuple[str, ...]
    in_order: tuple[str, ...] = ()
    inits: bool = False

    def __str__(self) -> str:
        return f"{self.callee} {', '.join((*self.values, *(f'[{name}]' for name in self.settings)))}"


def signature_of(op: type[Op]) -> Signature:
    """An op's signature, made once."""
    made = _SIGNATURES.get(op)
    if made is None:
        values = tuple(name for name in op.values() if name not in op.optional)
        settings = tuple(name for name in op.settings() if name not in values)
        made = _SIGNATURES[op] = Signature(op.name, values, settings, op.optional, inits=True)
    return made


_SIGNATURES: dict[type[Op], Signature] = {}


def bind(args: tuple[Arg, ...], signature: Signature, env: Env, span: Span, *, partial: bool = False) -> dict[str, Given]:
    """Name -> value of a call's arguments. `partial`: values may be missing (a `default`). Raises SpecError."""
    given: dict[str, Given] = {}
    order = iter((*signature.values, *signature.in_order) if not partial else ())
    for arg in args:
        name, expression, flag = _read(arg, signature, env)
        if name is None:
            name = next((candidate for candidate in order if candidate not in given), None)
            if name is None:
                raise _surplus(expression, signature, env)
        elif name in given:
            raise SpecError(errors.RepeatedSetting(arg.span, path=env.path, name=name, callee=signature.callee))
        given[name] = Given(flag, arg.span) if flag is not None else _value(name, expression, signature, env)
    if not partial:
        _all_there(given, signature, env, span)
    return given


def _read(arg: Arg, signature: Signature, env: Env) -> tuple[str | None, Expression, bool | None]:
    """An argument's setting (None: given in order), its expression, and True where it is a flag switched on."""
    if arg.name is not None:
        _known(arg.name, arg.span, signature, env)
        return arg.name, arg.parts[0], None
    first = arg.parts[0]
    if len(arg.parts) == 1:
        if isinstance(first, Word) and first.name in signature.settings:
            value = env.lookup(first.name)
            return first.name, first, True if value is MISSING else None
        return None, first, None
    if not isinstance(first, Word) or len(arg.parts) > 2:
        raise _missing_comma(arg, signature, env)
    if _is_setting(first.name, signature):
        return first.name, arg.parts[1], None
    if env.lookup(first.name) is not MISSING:
        raise _missing_comma(arg, signature, env)
    _known(first.name, first.span, signature, env)
    return first.name, arg.parts[1], None


def _is_setting(name: str, signature: Signature) -> bool:
    return name in signature.values or name in signature.settings or _is_init(name, signature)


def _is_init(name: str, signature: Signature) -> bool:
    return signature.inits and (name == "init" or name.startswith("init_"))


def _value(name: str, expression: Expression, signature: Signature, env: Env) -> Given:
    if _is_init(name, signature):
        return Given(InitRule(expression, env), expression.span)
    return Given(evaluate(expression, env), expression.span, expression)


def _known(name: str, span: Span, signature: Signature, env: Env) -> None:
    if _is_setting(name, signature):
        return
    known = (*signature.values, *signature.settings)
    raise SpecError(
        errors.UnknownSetting(
            span,
            path=env.path,
            callee=signature.callee,
            name=name,
            known=f"one of {', '.join(known)}" if known else "no settings at all",
            near=did_you_mean(name, known),
        )
    )


def _missing_comma(arg: Arg, signature: Signature, env: Env) -> SpecError:
    first, second = arg.parts[-2], arg.parts[-1]
    return SpecError(
        errors.MissingComma(
            second.span, path=env.path, callee=signature.callee, first=written(first), second=written(second)
        )
    )


def _surplus(expression: Expression, signature: Signature, env: Env) -> SpecError:
    value = written(expression)
    setting = signature.settings[0] if signature.settings else ""
    return SpecError(
        errors.SurplusValue(
            expression.span,
            path=env.path,
            callee=signature.callee,
            value=value,
            signature=str(signature),
            example=f"{setting} {value}" if setting else "",
        )
    )


def _all_there(given: dict[str, Given], signature: Signature, env: Env, span: Span) -> None:
    for name in signature.values:
        if name not in given:
            raise SpecError(
                errors.MissingValue(
                    span, path=env.path, callee=signature.callee, name=name, signature=str(signature)
                )
            )


def written(expression: Expression) -> str:
    """An expression as it stands in the source."""
    span = expression.span
    line = span.source.line(span.line)
    return line[span.column - 1 : span.end_column - 1] if span.line == span.end_line else line[span.column - 1 :]


def flag_error(name: str, given: Given, callee: str, env: Env) -> SpecError:
    """A setting that stands alone as a flag but isn't one."""
    return SpecError(errors.FlagNeedsValue(given.span, path=env.path, name=name, callee=callee))


def refuse(name: str, given: Given, callee: str, kind: str, env: Env) -> SpecError:
    """A parameter's value of the wrong type; a word that names nothing is taken for a misspelt variable."""
    value: Any = given.value
    if isinstance(value, str) and kind not in ("word", "op", "block"):
        near = did_you_mean(value, env.names())
        return SpecError(errors.UnknownName(given.span, path=env.path, name=value, near=near))
    return SpecError(errors.WrongType(given.span, path=env.path, name=name, callee=callee, type=kind, got=show(value)))


