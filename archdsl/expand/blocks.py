"""Blocks entered and macros put in: parameters bound, the body expanded once for equal arguments."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from archdsl.diagnostics import SpecError
from archdsl.expand import errors
from archdsl.expand.arguments import Signature, bind, bind_on, flag_error, missing_value, refuse, unknown_callee
from archdsl.expand.builder import Builder, Taps
from archdsl.expand.defaults import python_default, read_defaults, read_inits
from archdsl.expand.environment import MISSING, Definition, Env, Session
from archdsl.expand.evaluate import evaluate
from archdsl.expand.names import naming_for, plain, resolve_step, step_name, tap_values
from archdsl.expand.origins import traced
from archdsl.expand.reads import reads_of_arguments, reads_of_body
from archdsl.expand.replay import Unlike, replay
from archdsl.expand.values import TYPES, Given, Partial, StepValue, fits, type_of
from archdsl.ir import Name, OpStep, Scope, spell
from archdsl.shape import Shape
from archdsl.source import Span
from archdsl.syntax.errors import TooDeep
from archdsl.syntax.expression import Label, Literal, StepPath, Word
from archdsl.syntax.spec import BlockDef, Call, Group, Param, Step
from archdsl.trace import integral, python_name, substitute, variable

DEPTH = 60
# Macros are put in one by one, unlike blocks, which are expanded once for equal arguments.
MACROS = 10_000


def call_block(
    definition: Definition, call: Call, more: Partial | None, label: Label | None, env: Env, *, unused: bool = False
) -> None:
    """Adds a block call: one level of names. Raises SpecError."""
    node = definition.node
    _guard_recursion(definition, env, call.span)
    values = bind_params(definition, call, more, env)
    builder = env.builder
    shape, here = builder.here, builder.current
    steps = tuple(resolve_given(name, values, env) for name, value in values.items() if isinstance(value, StepValue))
    for step in steps:
        # Its sizes are no parameters of the block: they are written out in its class.
        env.session.decide(*builder.shapes[step].sizes)

    taken = None if label is None else step_name(label, node.name, True, env, call.span)
    place = _place(taken, node.name, env)

    def make(taps: Taps) -> tuple[Scope, tuple[int, ...]]:
        return enter(definition, values, shape, env.at(place), taps), steps

    try:
        made = make(())
    except SpecError as error:
        raise traced(error, node.body, _written(definition, call, more, env), env.names()) from None
    name = taken or step_name(None, node.name, has_keys(made[0]), env, call.span)
    arguments = (*values.items(), ("in_channels", shape.channels))
    told = None
    if env.session.trace:
        replacements = {python_name(key): value for key, value in values.items()} | {"in_channels": shape.channels}
        told = partial(_in_terms_of, replacements=replacements)
    builder.add_call(name, made, make, arguments, call.span, told)
    if unused:
        builder.steps[-1] = builder.steps[-1]._replace(unused=True)  # type: ignore[call-arg]
        builder.current = here


def _place(name: Name | None, block: str, env: Env) -> str:
    """What messages call a block's level: its label, or its number with the block's name."""
    if name is not None:
        return spell(name)
    naming = env.builder.naming
    return block if naming.labelled else f"{naming.counters.get('', 0)} ({block})"


def _in_terms_of(shape: Shape, replacements: dict[str, Any]) -> Shape:
    return Shape(shape.axes, tuple(substitute(size, replacements) for size in shape.sizes))


def has_keys(scope: Scope) -> bool:
    """Whether anything in the scope has weights or buffers."""
    return any(
        bool(step.facts.weights or step.facts.buffers) if isinstance(step, OpStep) else has_keys(step.scope)
        for step in scope.steps
    )


def enter(definition: Definition, values: Mapping[str, Any], shape: Shape, env: Env, taps: Taps) -> Scope:
    """The scope of a block for these arguments and this input; equal ones are expanded once."""
    session = env.session
    told = (value.shape if isinstance(value, StepValue) else value for value in values.values())
    key = (id(definition.node), shape, taps, *((type(value), value) for value in told))
    known: Scope | None = session.memo.get(key)
    if known is not None:
        _decide(key, values, shape, session)
        return known
    node = definition.node
    template = (id(node), shape.axes, *key[3:])
    scope = _again(template, shape, taps, session)
    if scope is not None:
        session.memo[key] = scope
        return scope
    before = session.shape_reads
    builder = Builder(
        session,
        "block",
        node.name,
        node.span,
        _traced_input(shape, env),
        naming=naming_for(node.body, env_of(definition, env)),
        caller=env.builder,
    )
    builder.fold = not taps and not session.reads(node.body, reads_of_body).steps
    inner = Env(
        session=session,
        unit=definition.unit,
        builder=builder,
        input=builder.here,
        variables=dict(definition.unit.lets),
        path=env.path,
    )
    for name, value in values.items():
        if isinstance(value, StepValue):
            bare = plain(value.shape)
            value = StepValue(id(builder), builder.add_input(bare), bare)
        inner.variables[name] = variable(value, python_name(name)) if session.trace else value
    inner.defaults = (read_defaults(node.defaults, inner), *inner.defaults) if node.defaults else inner.defaults
    inner.inits = (read_inits(node.inits, inner), *inner.inits) if node.inits else inner.inits
    session.active.append(definition.node)
    decided, session.decided = session.decided, set()
    try:
        session.expand(node.body, inner)
    finally:
        session.active.pop()
        session.decisions[key], session.decided = session.decided, decided
    _decide(key, values, shape, session)
    scope = builder.finish(taps=tap_values(builder, taps), params=_params(node.params))
    session.memo[key] = scope
    if session.shape_reads == before and not taps:
        session.templates[template] = scope
    session.keep(definition.node)
    return scope


def _decide(key: Any, values: Mapping[str, Any], shape: Shape, session: Session) -> None:
    """Notes that the caller's structure depends on the arguments that decide the block's."""
    inside = session.decisions.get(key, ())
    session.decide(*(value for name, value in values.items() if python_name(name) in inside))
    if "in_channels" in inside:
        session.decide(shape.channels)


def _again(template: Any, shape: Shape, taps: Taps, session: Session) -> Scope | None:
    """The scope by what is known of the block on another input; None where it must be expanded."""
    known = session.templates.get(template)
    if known is None or taps or session.trace or len(known.inputs) > 1:
        return None
    try:
        scope = replay(known, (shape,), session)
    except Unlike:
        return None
    session.templates[template] = scope  # the next one is likely to be most like the last
    return scope


def env_of(definition: Definition, env: Env) -> Env:
    """The environment with the definitions that the block's own file sees."""
    return Env(
        session=env.session, unit=definition.unit, builder=env.builder, input=env.input, variables={}, path=env.path
    )


def _traced_input(shape: Shape, env: Env) -> Shape:
    """The input in the block's own terms: but for its channels, the sizes are written out in the block's class."""
    if not env.session.trace:
        return shape
    bare = plain(shape)
    env.session.decide(*(size for axis, size in zip(shape.axes, shape.sizes, strict=True) if axis != "channels"))
    return bare.with_sizes(channels=variable(bare.channels, "in_channels")) if "channels" in shape.axes else bare


def _params(params: tuple[Param, ...]) -> tuple[tuple[str, str | None], ...]:
    """The parameters as a Python constructor has them: name and default."""
    return tuple((python_name(param.name), python_default(param.default)) for param in params)


def call_macro(definition: Definition, call: Call, label: Label | None, env: Env) -> None:
    """Puts a macro's steps into the caller's scope; a label makes a container around them."""
    _guard_recursion(definition, env, call.span)
    if label is not None:
        inner = Call(span=call.span, callee=call.callee, args=call.args)
        env.session.expand((Group(span=call.span, label=label, body=(Step(span=call.span, links=(inner,)),)),), env)
        return
    env.session.macros += 1
    if env.session.macros > MACROS:
        what = f"more than {MACROS:,} calls of macros"
        raise SpecError(errors.TooLarge(call.span, path=env.path, what=what, limit=f"{MACROS:,}", variable=""))
    values = bind_params(definition, call, None, env)
    unit = definition.unit
    inner_env = Env(
        session=env.session,
        unit=unit,
        builder=env.builder,
        input=env.input,
        variables={**unit.lets, **values},
        path=env.path,
        defaults=unit.defaults if unit is not env.unit else env.defaults,
        inits=unit.inits if unit is not env.unit else env.inits,
    )
    env.session.active.append(definition.node)
    try:
        env.session.expand(definition.node.body, inner_env)
    except SpecError as error:
        raise traced(error, definition.node.body, _written(definition, call, None, env), env.names()) from None
    finally:
        env.session.active.pop()


def _guard_recursion(definition: Definition, env: Env, span: Span) -> None:
    active = env.session.active
    if any(node is definition.node for node in active):
        chain = " -> ".join((*(node.name for node in active), definition.node.name))
        raise SpecError(errors.Recursion(span, path=env.path, name=definition.node.name, chain=chain))
    if len(active) >= DEPTH:
        raise SpecError(TooDeep(span, path=env.path, what="calls of blocks are", limit=DEPTH))


def bind_params(definition: Definition, call: Call, more: Partial | None, env: Env) -> Mapping[str, Any]:
    """Parameter -> value, types checked, defaults filled in; found once where the call reads the same values."""
    session = env.session
    free = session.reads(call.args, reads_of_arguments)
    if session.trace or free.shapes or any(param.type == "step" for param in definition.node.params):
        return _bind_params(definition, call, more, env)
    read = [env.variables.get(name, MISSING) for name in free.names]
    key = (bind_params, id(call.args), id(definition.node), more, *map(type, read), *read)
    known = session.memo.get(key)
    if known is None:
        known = session.memo[key] = _bind_params(definition, call, more, env)
        session.keep(call.args, definition.node)
    return known


def _bind_params(definition: Definition, call: Call, more: Partial | None, env: Env) -> dict[str, Any]:
    node = definition.node
    signature = signature_of_params(node)
    steps = {param.name for param in node.params if param.type == "step"}
    if steps:
        env = _seeing_steps(call, signature, steps, env)
    given = (
        bind(call.args, signature, env, call.span)
        if more is None
        else bind_on(call.args, more, signature, env, call.span)
    )
    values: dict[str, Any] = {}
    home = env_of(definition, env)
    home.variables.update(definition.unit.lets)
    for param in node.params:
        item = given.get(param.name)
        if item is None and param.default is None:
            raise missing_value(param.name, node.name, str(signature), env.path, call.span)
        kind, default = _told(param, home)
        if item is None:
            item = default
        elif kind in ("op", "block"):
            _callable(item, definition, env)
        values[param.name] = checked(param.name, item, kind, node.name, env)
        home.variables[param.name] = values[param.name]
    return values


def _written(definition: Definition, call: Call, more: Partial | None, env: Env) -> dict[str, Given]:
    """Parameter -> its value and where that was written, in the call or as its default."""
    node = definition.node
    home = env_of(definition, env)
    home.variables.update({**definition.unit.lets, **bind_params(definition, call, more, env)})
    signature = signature_of_params(node)
    given = bind(call.args, signature, env, call.span) if more is None else {}
    return {param.name: given.get(param.name) or _told(param, home)[1] for param in node.params}


def _told(param: Param, home: Env) -> tuple[str | None, Given]:
    """A parameter's type and default; both are found once where the default is plain."""
    plain = isinstance(param.default, Literal) or param.default is None
    known = home.session.params.get(id(param)) if plain else None
    if known is not None:
        return known  # type: ignore[no-any-return]
    kind = param_type(param, home)
    value = None if param.default is None else evaluate(param.default, home)
    told = kind, Given(value, param.span, param.default)
    if plain:
        home.session.params[id(param)] = told
        home.session.keep(param)
    return told


def _callable(item: Given, definition: Definition, env: Env) -> None:
    """Refuses the name of an op or block that neither the caller's file nor the block's own has."""
    name = item.value.name if isinstance(item.value, Partial) else item.value
    known = ("skip", *env.callables(), *definition.unit.definitions)
    if isinstance(name, str) and name not in known:
        raise SpecError(unknown_callee(name, item.span, known, env.path))


def _seeing_steps(call: Call, signature: Signature, steps: set[str], env: Env) -> Env:
    """The environment in which an argument for a step parameter names a step."""
    order = list(signature.values)
    more = {}
    for position, arg in enumerate(call.args):
        name = arg.name or (arg.parts[0].name if len(arg.parts) == 2 and isinstance(arg.parts[0], Word) else None)
        if name is None and position < len(order):
            name = order[position]
        part = arg.parts[-1]
        if name in steps and isinstance(part, (Word, StepPath)) and env.lookup(_word(part)) is MISSING:
            labels = part.labels if isinstance(part, StepPath) else (Label((part.name,), part.span),)
            value = resolve_step(labels, env, part.span)
            more[_word(part)] = StepValue(id(env.builder), value, env.builder.shapes[value])
    return env.with_variables(more)


def _word(part: Word | StepPath) -> str:
    return part.name if isinstance(part, Word) else f"@{part.labels}"


def resolve_given(name: str, values: Mapping[str, Any], env: Env) -> int:
    """The value number, in the caller's scope, of a step passed as an argument."""
    value = values[name]
    label = Label((name,))
    return resolve_step((label,), env.with_variables({name: value}), env.builder.span)


def signature_of_params(node: BlockDef) -> Signature:
    """Parameters without default are values, the others settings."""
    values = tuple(param.name for param in node.params if param.default is None)
    settings = tuple(param.name for param in node.params if param.default is not None)
    return Signature(node.name, values, settings, in_order=settings, defined=node.span)


def param_type(param: Param, env: Env) -> str | None:
    """A parameter's type: stated, or that of its default; None where neither tells. Raises SpecError."""
    if param.type is not None:
        return param.type
    if param.default is None:
        return None
    value = evaluate(param.default, env)
    if value is None:
        types = ", ".join(TYPES)
        raise SpecError(errors.UntypedParameter(param.span, path=env.path, name=param.name, types=types))
    kind = type_of(value)
    # A word that names an op or block stands for it.
    return "op" if kind == "word" and env.is_callable(value) else kind


def checked(name: str, item: Given, kind: str | None, callee: str, env: Env) -> Any:
    """An argument's value, if it is of the parameter's type. Raises SpecError."""
    value = item.value
    if kind is None or fits(value, kind):
        return integral(value) if kind == "int" and isinstance(value, float) else value
    if value is True and item.expression is None:
        raise flag_error(name, item, callee, env)
    raise refuse(name, item, callee, kind, env)
