"""One call of a step: an op applied, a block entered, a macro's steps put in."""

from __future__ import annotations

from typing import Any

from archdsl.diagnostics import SpecError
from archdsl.expand import errors, op_errors
from archdsl.expand.arguments import (
    bind,
    bind_on,
    flag_error,
    refuse,
    signature_of,
    surplus_value,
    unknown_callee,
    written,
)
from archdsl.expand.blocks import call_block, call_macro
from archdsl.expand.builder import jump_of
from archdsl.expand.checks import at_setting, check_facts, op_error, refused
from archdsl.expand.environment import MISSING, Env, InitRule
from archdsl.expand.inits import inits_of
from archdsl.expand.names import reference, step_name
from archdsl.expand.reads import reads_of_arguments
from archdsl.expand.sizes import known
from archdsl.expand.values import Given, Partial, StepValue
from archdsl.ir import Init, OpStep
from archdsl.ops.base import Facts, Op, OpError
from archdsl.shape import Shape
from archdsl.source import Span
from archdsl.syntax.errors import Misplaced
from archdsl.syntax.expression import Arg, Label
from archdsl.syntax.spec import Call


def apply_call(call: Call, label: Label | None, env: Env, *, unused: bool = False) -> None:
    """Adds what a call stands for to the scope under construction. Raises SpecError."""
    callee, more = _callee(call, env)
    if callee is None:
        return
    if callee == "skip":
        if label is not None:
            what = "`skip` is no step, so it takes no name"
            raise SpecError(errors.InvalidName(label.span, path=env.path, what=what, help="`identity` is a step"))
        _no_arguments(call, env)
        return
    definition = env.unit.definitions.get(callee)
    if definition is not None:
        if definition.macro:
            call_macro(definition, call, label, env)
        else:
            call_block(definition, call, more, label, env, unused=unused)
        return
    op = env.session.ops.get(callee)
    if op is None or op.inputs[0] != 1:
        if callee in env.session.ops:
            raise _merge_called(callee, call, env)
        raise SpecError(unknown_callee(callee, call.span.word(callee), env.callables(), env.path))
    _apply_op(op, call, more, label, env, unused)


def _callee(call: Call, env: Env) -> tuple[str | None, Partial | None]:
    """What a call's name means: a variable that holds an op or block, else the block, macro or op of that name."""
    value = env.lookup(call.callee)
    if value is MISSING:
        return call.callee, None
    env.session.decide(value)
    if value is None:
        return None, None
    if isinstance(value, Partial):
        return value.name, value
    if isinstance(value, str):
        return value, None
    if call.callee in env.session.ops or call.callee in env.unit.definitions:
        return call.callee, None
    what = f"`{call.callee}` is no operation: it is a variable"
    raise SpecError(
        errors.BadValue(call.span, path=env.path, what=what, expected="an operation or block", got=str(value), help="")
    )


def _merge_called(callee: str, call: Call, env: Env) -> SpecError:
    help_text = f"`{callee}` joins branches that stand under it; it is no operation on one tensor"
    return SpecError(Misplaced(call.span, path=env.path, word=callee, help_text=help_text))


def _no_arguments(call: Call, env: Env) -> None:
    if call.args:
        what = written(call.args[0].parts[0])
        raise SpecError(surplus_value(what, "skip", "skip", "", env.path, call.args[0].span))


def _apply_op(
    op_class: type[Op], call: Call, more: Partial | None, label: Label | None, env: Env, unused: bool
) -> None:
    op, given = make_op(op_class, call.args, more, env, call.span)
    inputs: tuple[int, ...] = (env.builder.current,)
    if op_class.inputs[1] != 1:
        inputs += tuple(reference(item, env) for item in given.values() if isinstance(item.value, (Shape, StepValue)))
    add_op(op, given, inputs, label, env, call.span, unused=unused)


def make_op(
    op_class: type[Op], args: tuple[Arg, ...], more: Partial | None, env: Env, span: Span
) -> tuple[Op, dict[str, Given]]:
    """The op with its settings, by the order of language.md section 8; equal calls share one object."""
    session = env.session
    key = None
    if not session.trace:
        free = session.reads(args, reads_of_arguments)
        if not free.shapes:
            key = (
                op_class,
                id(args),
                more,
                id(env.defaults),
                id(env.inits),
                *(env.variables.get(name, MISSING) for name in free.names),
            )
            made = session.op_cache.get(key)
            if made is not None:
                return made  # type: ignore[no-any-return]
    signature = signature_of(op_class)
    given = bind(args, signature, env, span) if more is None else bind_on(args, more, signature, env, span)
    if any(isinstance(item.value, StepValue) for item in given.values()):
        session.shape_reads += 1
    settings = {name: _setting(item.value) for name, item in given.items() if not isinstance(item.value, InitRule)}
    for defaults in env.defaults:
        for family in (op_class.name, op_class.family):
            for name, item in defaults.get(family, {}).items():
                if name in op_class.settings() and name not in settings:
                    settings[name] = item.value
                    given.setdefault(name, item)
            if family in defaults:
                break
    try:
        op = op_class(**settings)
    except OpError as error:
        raise _setting_error(error, op_class.name, given, env, span) from None
    if key is not None:
        session.op_cache[key] = (op, given)
        session.keep(args, env.defaults, env.inits)
    return op, given


def _setting(value: Any) -> Any:
    return value.shape if isinstance(value, StepValue) else value


def _setting_error(error: OpError, callee: str, given: dict[str, Given], env: Env, span: Span) -> SpecError:
    culprit = given.get(error.setting or "")
    if culprit is None:
        return op_error(error, span, env)
    if culprit.value is True and culprit.expression is None and error.code == "invalid-setting":
        return flag_error(str(error.setting), culprit, callee, env)
    if isinstance(culprit.value, str) and error.got == culprit.value:
        # A word where no word is accepted is a misspelt variable.
        words = any(sign in error.expected for sign in ("`", "one of", "word", "yes or no"))
        if env.lookup(culprit.value) is MISSING and error.expected and not words:
            return refuse(str(error.setting), culprit, callee, "number", env)
    return at_setting(error, culprit, span, env)


def add_op(
    op: Op,
    given: dict[str, Given],
    inputs: tuple[int, ...],
    label: Label | None,
    env: Env,
    span: Span,
    *,
    unused: bool = False,
) -> int:
    """Adds an op on values of the scope; checks its sizes. Raises SpecError."""
    builder = env.builder
    shapes = tuple([builder.shapes[value] for value in inputs])
    facts = infer(op, shapes, given, env, span)
    if facts.checks:
        check_facts(op, facts, shapes, given, env, span)
    inits: tuple[tuple[str, Init], ...] = ()
    if facts.weights or facts.buffers:
        _concrete_weights(op, facts, env, span)
    if facts.weights:
        inits = inits_of(op, facts, given, env, span)
    if op.inputs[0] > 1:
        name = builder.naming.nameless(op.name)
    else:
        name = step_name(label, op.name, bool(facts.weights or facts.buffers), env, span)
    jumps = tuple([builder.jumps[value] for value in inputs])
    step = OpStep(name, op, inputs, (len(builder.shapes),), facts, inits, span, unused)
    return builder.add_op(step, jump_of(facts, jumps, shapes))


def infer(op: Op, shapes: tuple[Shape, ...], given: dict[str, Given], env: Env, span: Span) -> Facts:
    """An op's facts on these shapes, cached for the session. Raises SpecError at the setting that is wrong."""
    cache = env.session.memo
    key = (op, shapes)
    if not env.session.trace and key in cache:
        return cache[key]  # type: ignore[no-any-return]
    try:
        facts = op.infer(shapes)
    except OpError as error:
        raise refused(op, error, shapes, given, env, span) from None
    cache[key] = facts
    return facts


def _concrete_weights(op: Op, facts: Facts, env: Env, span: Span) -> None:
    """Weights and buffers may follow the size of the input only where that is given."""
    for weight, sizes in (*facts.weights.items(), *((name, buffer.shape) for name, buffer in facts.buffers.items())):
        if any(known(size, env.session.sizes) is None for size in sizes):
            shape = str(Shape(("",) * len(sizes), tuple(sizes)))
            raise SpecError(
                op_errors.SymbolicWeight(span, path=env.path, callee=op.name, weight=weight or op.name, shape=shape)
            )
