"""What the arguments of a call mean, decided with the callee's signature at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.expand import advice, errors
from archdsl.expand.environment import MISSING, Env, InitRule
from archdsl.expand.evaluate import evaluate, undefined
from archdsl.expand.values import Given, Partial, show
from archdsl.ops.base import Op
from archdsl.source import Span
from archdsl.syntax.errors import MissingComma, MisspeltNumber
from archdsl.syntax.expression import Arg, Binary, Expression, Word


class Signature(NamedTuple):
    """What a callee takes.

    values: what must be given, in order or by name; settings: what may be given by name.
    in_order: those settings that may also follow the values in order.
    inits: the callee has weights, so `init_weight` and its kin are settings.
    defined: where a block or macro is.
    """

    callee: str
    values: tuple[str, ...]
    settings: tuple[str, ...]
    in_order: tuple[str, ...] = ()
    inits: bool = False
    defined: Span | None = None

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


class Place(Protocol):
    """What pairing arguments with settings needs to know of where a call stands."""

    @property
    def path(self) -> tuple[str, ...]: ...
    def lookup(self, name: str) -> Any: ...
    def names(self) -> tuple[str, ...]: ...


class Paired(NamedTuple):
    """A setting with its argument: the expression, and whether it is a flag switched on."""

    name: str
    expression: Expression
    flag: bool
    span: Span


def pair(
    args: tuple[Arg, ...], signature: Signature, place: Place, span: Span, *, partial: bool = False
) -> tuple[Paired, ...]:
    """Which setting each argument is for. `partial`: values may be missing (a `default`). Raises SpecError."""
    paired: dict[str, Paired] = {}
    order = iter((*signature.values, *signature.in_order) if not partial else ())
    mistakes: list[Diagnostic] = []
    for arg in args:
        try:
            name, expression, flag = _read(arg, signature, place)
            if name is None:
                name = next((candidate for candidate in order if candidate not in paired), None)
                if name is None:
                    raise _surplus(expression, signature, paired, place)
            elif name in paired:
                raise SpecError(errors.RepeatedSetting(arg.span, path=place.path, name=name, callee=signature.callee))
        except SpecError as error:
            mistakes += error.diagnostics
            continue
        paired[name] = Paired(name, expression, flag is not None, arg.span)
    if not mistakes and not partial:
        mistakes += _missing(paired, signature, place, span)
    if mistakes:
        raise SpecError(*(_with_definition(mistake, signature) for mistake in mistakes))
    return tuple(paired.values())


def bind(
    args: tuple[Arg, ...], signature: Signature, env: Env, span: Span, *, partial: bool = False
) -> dict[str, Given]:
    """Name -> value of a call's arguments. `partial`: values may be missing (a `default`). Raises SpecError."""
    return {
        name: Given(True, where) if flag else _value(name, expression, signature, env)
        for name, expression, flag, where in pair(args, signature, env, span, partial=partial)
    }


def bind_on(args: tuple[Arg, ...], more: Partial, signature: Signature, env: Env, span: Span) -> dict[str, Given]:
    """The same for a callee that carries settings of its own (`norm = layernorm(eps = 1e-6)`); the call's win."""
    order = iter((*signature.values, *signature.in_order))
    carried: dict[str, Given] = {}
    for name, value in more.args:
        key = next(order, None) if name is None else name
        if key is None or key not in (*signature.values, *signature.settings):
            raise SpecError(unknown_setting(str(name or value), signature, span, env.path))
        carried[key] = Given(value, span)
    open_values = tuple(name for name in signature.values if name not in carried)
    rest = Signature(
        signature.callee,
        open_values,
        (*signature.settings, *(name for name in signature.values if name in carried)),
        tuple(name for name in signature.in_order if name not in carried),
        signature.inits,
        signature.defined,
    )
    return {**carried, **bind(args, rest, env, span)}


def _read(arg: Arg, signature: Signature, place: Place) -> tuple[str | None, Expression, bool | None]:
    """An argument's setting (None: given in order), its expression, and True where it is a flag switched on."""
    if arg.name is not None:
        _known(arg.name, arg.span, signature, place)
        return arg.name, arg.parts[0], None
    first = arg.parts[0]
    if len(arg.parts) == 1:
        if isinstance(first, Word) and first.name in signature.settings:
            value = place.lookup(first.name)
            return first.name, first, True if value is MISSING else None
        return None, first, None
    if not isinstance(first, Word) or len(arg.parts) > 2:
        raise _missing_comma(arg, signature, place)
    if is_setting(first.name, signature):
        return first.name, arg.parts[1], None
    if place.lookup(first.name) is not MISSING:
        raise _missing_comma(arg, signature, place)
    _known(first.name, first.span, signature, place)
    return first.name, arg.parts[1], None


def is_setting(name: str, signature: Signature) -> bool:
    """Whether a callee takes a value or setting of this name."""
    return name in signature.values or name in signature.settings or _is_init(name, signature)


def _is_init(name: str, signature: Signature) -> bool:
    return signature.inits and (name == "init" or name.startswith("init_"))


def _value(name: str, expression: Expression, signature: Signature, env: Env) -> Given:
    if _is_init(name, signature):
        return Given(InitRule(expression, env), expression.span)
    return Given(evaluate(expression, env), expression.span, expression)


def _known(name: str, span: Span, signature: Signature, place: Place) -> None:
    if not is_setting(name, signature):
        raise SpecError(unknown_setting(name, signature, span.word(name), place.path))


def unknown_setting(name: str, signature: Signature, span: Span, path: tuple[str, ...] = ()) -> errors.UnknownSetting:
    """For a setting that the callee doesn't have."""
    known = (*signature.values, *signature.settings)
    told = f"one of {', '.join(known)}" if known else "no settings at all"
    help = advice.for_setting(name, signature)
    return errors.UnknownSetting(span, path=path, callee=signature.callee, name=name, known=told, help=help)


def _missing_comma(arg: Arg, signature: Signature, place: Place) -> SpecError:
    if len(arg.parts) == 3 and written(arg.parts[1]) == "x":
        raise SpecError(MisspeltNumber(arg.span, path=place.path, word=" ".join(map(written, arg.parts))))
    first, second = arg.parts[-2], arg.parts[-1]
    before, value = written(first), written(second)
    phrase = f"{signature.callee} {' '.join(map(written, arg.parts))}"
    return SpecError(MissingComma(second.span, path=place.path, value=value, phrase=phrase, fixed=f"{before}, {value}"))


def _surplus(expression: Expression, signature: Signature, given: Mapping[str, Paired], place: Place) -> SpecError:
    value = written(expression)
    help = advice.for_surplus(value, expression, signature, given)
    if (
        isinstance(expression, Binary)
        and isinstance(expression.left, Word)
        and is_setting(expression.left.name, signature)
    ):
        help = f"this reads as a subtraction or the like: write `{expression.left.name} = ...`"
    return SpecError(surplus_value(value, signature.callee, str(signature), help, place.path, expression.span))


def surplus_value(
    value: str, callee: str, signature: str, help: str, path: tuple[str, ...], span: Span
) -> errors.SurplusValue:
    """For a value that a call has no use for."""
    return errors.SurplusValue(span, path=path, callee=callee, value=value, signature=signature, help=help)


def _missing(given: dict[str, Paired], signature: Signature, place: Place, span: Span) -> Iterable[Diagnostic]:
    """For the first value that isn't given."""
    name = next((name for name in signature.values if name not in given), None)
    if name is None:
        return ()
    return missing_value(name, signature.callee, str(signature), place.path, span).diagnostics


def _with_definition(mistake: Diagnostic, signature: Signature) -> Diagnostic:
    if signature.defined is None:
        return mistake
    return mistake.with_notes(Note(signature.defined, f"`{signature.callee}` is defined here"))


def unknown_callee(
    name: str, span: Span, known: Iterable[str], path: tuple[str, ...] = (), labels: Iterable[str] = ()
) -> Diagnostic:
    """For a name that no operation, block or macro has; `labels`: the names of the file's steps."""
    return errors.UnknownCallee(span, path=path, name=name, help=advice.for_callee(name, span, known, labels))


def missing_value(name: str, callee: str, signature: str, path: tuple[str, ...], span: Span) -> SpecError:
    """For a value that a call must give and doesn't."""
    what = f"`{callee}` needs a value for `{name}`"
    behind = span.source.line(span.end_line)[span.end_column - 1 :].lstrip()
    help = "what stands behind `#` is a comment" if behind.startswith("#") else ""
    return SpecError(errors.MissingValue(span, path=path, what=what, expected=signature, help=help))


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
        return SpecError(undefined(value, given.span, env.names(), env.path))
    return SpecError(errors.WrongType(given.span, path=env.path, name=name, callee=callee, type=kind, got=show(value)))
