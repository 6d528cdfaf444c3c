"""From a network's files to its intermediate representation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archdsl.diagnostics import SpecError
from archdsl.dims import Dim, DimLimitError, variable
from archdsl.expand import errors
from archdsl.expand.arguments import missing_value
from archdsl.expand.blame import at_its_value
from archdsl.expand.blocks import checked, param_type
from archdsl.expand.body import expand_body
from archdsl.expand.builder import Builder
from archdsl.expand.defaults import python_default, read_defaults, read_inits
from archdsl.expand.environment import Definition, Env, Session, Unit
from archdsl.expand.evaluate import evaluate, fail
from archdsl.expand.files import Chain, Loader, chain_of, mention
from archdsl.expand.names import naming_for, shape_of_step
from archdsl.expand.origins import at_its_input, traced
from archdsl.expand.reads import reads_of_body
from archdsl.expand.resolve import mistakes
from archdsl.expand.values import Given
from archdsl.ir import Net, Output
from archdsl.shape import LAYOUTS, Shape
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.errors import InputExpected
from archdsl.syntax.expression import SizeLiteral
from archdsl.syntax.spec import Entry, Group, Section, Spec
from archdsl.syntax.spec import Output as OutputNode
from archdsl.trace import python_name
from archdsl.trace import variable as traced_variable
from archdsl.undisturbed import undisturbed

_LETTERS = {"length": "L", "height": "H", "width": "W", "depth": "D"}


def expand(
    spec: Spec,
    loader: Loader,
    *,
    params: Mapping[str, Any] | None = None,
    input: SizeLiteral | None = None,
    trace: bool = False,
) -> Net:
    """The network of a spec, with other parameter values and another input where given. Raises SpecError.

    trace: numbers remember how they were computed, for the emitted source.
    """
    if spec.network is None:  # the mistakes of a library come before that it is none
        unit_of(spec, Session(trace=False, sizes={}), loader)
    chain = chain_of(spec, loader)
    with undisturbed():
        try:
            net, decided = _expand(chain, loader, params or {}, input, trace, frozenset())
        except SpecError as error:
            raise at_its_value(
                error,
                chain,
                params or {},
                lambda specs, given: _expand(specs, loader, given, input, trace, frozenset()),
            ) from None
        if decided:
            # What decides the structure can't be an argument of the emitted class: its values are written out.
            net, _ = _expand(chain, loader, params or {}, input, trace, decided)
    return net


def _expand(
    chain: Chain,
    loader: Loader,
    given: Mapping[str, Any],
    input: SizeLiteral | None,
    trace: bool,
    fixed: frozenset[str],
) -> tuple[Net, frozenset[str]]:
    base = chain.base
    asked = input or next((spec.input for spec in chain.specs if spec.input is not None), None)
    if asked is None:
        raise SpecError(errors.NoInput(base.span, network=str(base.network)))
    shape, sizes = read_input(asked)
    session = Session(trace=trace, sizes=sizes)
    session.resolve, session.expand = shape_of_step, expand_body
    try:
        return _in_session(session, chain, loader, given, asked, shape, fixed)
    finally:
        session.close()


def _in_session(
    session: Session,
    chain: Chain,
    loader: Loader,
    given: Mapping[str, Any],
    asked: SizeLiteral,
    shape: Shape,
    fixed: frozenset[str],
) -> tuple[Net, frozenset[str]]:
    base, trace, sizes = chain.base, session.trace, session.sizes
    unit = unit_of(base, session, loader)
    written = _parameters(chain, session, unit, given)
    session.written = written
    values = {name: item.value for name, item in written.items()}
    body = base.layers or ()
    env = _place(session, unit, {**unit.lets, **values})
    unit.defaults, unit.inits = _settings(chain, session, env)
    env.defaults, env.inits = unit.defaults, unit.inits
    builder = Builder(session, "net", str(base.network), base.span, shape, naming=naming_for(body, env))
    builder.fold = not session.reads(body, reads_of_body).steps
    if trace:
        env.variables.update(
            {
                key: traced_variable(value, python_name(key))
                for key, value in values.items()
                if python_name(key) not in fixed
            }
        )
    env.builder, env.input = builder, shape
    try:
        expand_body(body, env)
    except DimLimitError as error:
        raise fail(env, base.span, str(error), help="give the input a size") from None
    except SpecError as error:
        raise at_its_input(traced(error, body, written), asked) from None
    scope = builder.finish(
        params=tuple((python_name(param.name), python_default(param.default)) for param in base.params)
    )
    net = Net(
        name=str(chain.specs[0].network),
        about=next((spec.about for spec in chain.specs if spec.about), ""),
        scope=scope,
        input=shape,
        sizes=sizes,
        outputs=_outputs(chain, builder, unit),
        params=tuple(values.items()),
        train=_section(chain, "train", env),
        preprocess=_section(chain, "preprocess", env),
    )
    env.defaults = env.inits = ()  # which hold their place, this one: another circle
    return net, frozenset(session.decided & {python_name(name) for name in values}) - fixed


def read_input(literal: SizeLiteral) -> tuple[Shape, Mapping[str, int]]:
    """The input's shape, spatial sizes as variables, with the values of those that are given. Raises SpecError."""
    sides = literal.sides
    spelled = "x".join(map(str, sides))
    if len(sides) not in LAYOUTS:
        raise SpecError(InputExpected(literal.span, found=spelled, why=f"it has {len(sides)} sizes"))
    if not isinstance(sides[0], int):
        raise SpecError(InputExpected(literal.span, found=spelled, why="channels are never left open"))
    if any(isinstance(side, int) and side < 1 for side in sides):
        raise SpecError(InputExpected(literal.span, found=spelled, why="sizes are at least 1"))
    axes = LAYOUTS[len(sides)]
    taken = {side for side in sides if isinstance(side, str)}
    sizes: dict[str, int] = {}
    dims: list[Dim] = [sides[0]]
    for axis, side in zip(axes[1:], sides[1:], strict=True):
        letter = _LETTERS[axis]
        name = side if isinstance(side, str) else letter if letter not in taken else letter.lower()
        if isinstance(side, int):
            sizes[name] = side
        dims.append(variable(name))
    return Shape(axes, tuple(dims)), sizes


def _place(session: Session, unit: Unit, variables: dict[str, Any]) -> Env:
    """Where a file's own expressions stand: no step yet."""
    return Env(session=session, unit=unit, builder=None, input=None, variables=variables)


def unit_of(spec: Spec, session: Session, loader: Loader, active: tuple[Span, ...] = ()) -> Unit:
    """A file's definitions, with those of the files that it uses. Raises SpecError."""
    unit = Unit(spec.span.source.name)
    session.units.append(unit)
    for name in spec.use:
        library = loader.named(name, mention(spec.span, name, "use"))
        if any(library.span.source.name == span.source.name for span in (*active, spec.span)):
            raise SpecError(errors.Recursion(spec.span, name=name, chain=f"{spec.span.source.name} -> {name}"))
        used = session.libraries.get(library.span.source.name)
        if used is None:  # two files may use a third
            used = unit_of(library, session, loader, (*active, spec.span))
            place = _place(session, used, used.lets)
            used.defaults = (read_defaults(library.defaults, place),)
            used.inits = (read_inits(library.inits, place),)
            session.libraries[used.name] = used
        unit.definitions.update(used.definitions)
    for nodes, macro in ((spec.blocks, False), (spec.macros, True)):
        for node in nodes:
            if node.name in session.ops:
                what = f"`{node.name}` is an operation"
                raise SpecError(errors.InvalidName(node.span.word(node.name), what=what, help="choose another name"))
            unit.definitions[node.name] = Definition(node, unit, macro)
    if found := mistakes(spec, unit, session):
        raise SpecError(*found)
    env = _place(session, unit, unit.lets)
    for let in spec.lets:
        unit.lets[let.name] = evaluate(let.value, env)
    return unit


def _settings(chain: Chain, session: Session, env: Env) -> tuple[Any, Any]:
    """The files' defaults and inits, a file that extends before the one it extends."""
    defaults = tuple(read_defaults(spec.defaults, env) for spec in chain.specs if spec.defaults)
    inits = tuple(read_inits(spec.inits, env) for spec in chain.specs if spec.inits)
    return defaults, inits


def _parameters(chain: Chain, session: Session, unit: Unit, given: Mapping[str, Any]) -> dict[str, Given]:
    """The network's parameters: the values asked for, else those of the nearest file. Raises SpecError."""
    base = chain.base
    declared = {param.name: param for param in base.params}
    overrides: dict[str, Given] = {}
    for spec in reversed(chain.specs[:-1]):
        env = _place(session, unit, {})
        for let in spec.lets:
            env.variables[let.name] = evaluate(let.value, env)
        for param in spec.params:
            if param.name not in declared:
                raise _unknown_parameter(param.name, param.span, base)
            if param.default is None:
                raise missing_value(param.name, str(spec.network), f"{param.name} = VALUE", (), param.span)
            overrides[param.name] = Given(evaluate(param.default, env), param.span, param.default)
    for name, value in given.items():
        item = value if isinstance(value, Given) else Given(value, base.span)
        if name not in declared:
            raise _unknown_parameter(name, item.span._replace(column=1), base)
        overrides[name] = item
    env = _place(session, unit, dict(unit.lets))
    found: dict[str, Given] = {}
    for param in base.params:
        kind = param_type(param, env)
        set_here = overrides.get(param.name)
        if set_here is not None:
            item = set_here
        elif param.default is None:
            raise missing_value(param.name, str(base.network), f"--set {param.name}=VALUE", (), param.span)
        else:
            item = Given(evaluate(param.default, env), param.span, param.default)
        value = env.variables[param.name] = checked(param.name, item, kind, str(base.network), env)
        found[param.name] = item._replace(value=value)
    return found


def _unknown_parameter(name: str, span: Span, base: Spec) -> SpecError:
    known = tuple(param.name for param in base.params)
    near = did_you_mean(name, known)
    return SpecError(
        errors.UnknownParameter(span, network=str(base.network), name=name, known=", ".join(known), near=near)
    )


def _outputs(chain: Chain, builder: Builder, unit: Unit) -> tuple[Output, ...]:
    """The outputs in the order of `returns`, else the main one first. Raises SpecError."""
    first = len(builder.sides)
    main = Output(builder.main_name or "out", 0, "always")
    sides = [Output(name, k + 1, mode) for k, (name, _, mode) in enumerate(builder.sides)]
    names = [side.name for side in sides]
    base = chain.base
    repeated = next((name for name in names if names.count(name) > 1 or name == main.name), None)
    if repeated is not None:
        place = mention(base.span, repeated, "output")
        raise SpecError(errors.DuplicateOutput(place, what=f"two outputs are called `{repeated}`", expected=""))
    if not base.returns:
        return (main, *sides)
    declared = set(_declared(base.layers or ()))
    for definition in unit.definitions.values():
        declared |= set(_declared(definition.node.body))
    mains = _mains(base, declared, builder.main_name)
    if missing := [name for name in names if name not in base.returns]:
        raise _wrong_returns(base, "returns", f"`returns` leaves out `{missing[0]}`", ", ".join(names))
    by_name = {side.name: side for side in sides} | {mains[0]: main._replace(name=mains[0])}
    assert first == len(sides)
    return tuple(by_name[name] for name in base.returns if name in by_name)


def _mains(base: Spec, declared: set[str], main: str) -> list[str]:
    """The one name of `returns` that is the main output's, as a list. Raises SpecError."""
    mains = [name for name in base.returns if name not in declared or name == main]
    sides = ", ".join(f"`{name}`" for name in sorted(declared - {main}))
    expected = f"{sides} and a name for the main output, each once" if sides else "a name for the main output"
    if repeated := [name for name in base.returns if base.returns.count(name) > 1]:
        raise _wrong_returns(base, repeated[0], f"`returns` names `{repeated[0]}` twice", expected)
    if not mains:
        raise _wrong_returns(base, "returns", "`returns` leaves out the main output", expected)
    if unknown := [name for name in mains if name != main][0 if main in mains else 1 :]:
        raise _wrong_returns(base, unknown[0], f"there is no output `{unknown[0]}`", expected)
    return mains


def _wrong_returns(base: Spec, name: str, what: str, expected: str) -> SpecError:
    return SpecError(errors.DuplicateOutput(mention(base.span, name, "returns"), what=what, expected=expected))


def _declared(body: Any) -> Iterator[str]:
    """The names of all outputs in a body, built or not."""
    for statement in body:
        if isinstance(statement, OutputNode):
            yield statement.name
        elif isinstance(statement, Group):
            yield from _declared(statement.body)
        else:
            yield from _declared(getattr(statement, "body", ()))
            for branch in getattr(statement, "branches", ()):
                yield from _declared(branch)


def _section(chain: Chain, name: str, env: Env) -> Mapping[str, Any]:
    """`train` or `preprocess`, entry by entry from the nearest file that has it."""
    merged: dict[str, Any] = {}
    for spec in reversed(chain.specs):
        section: Section | None = getattr(spec, name)
        if section is not None:
            merged.update(_entries(section.entries, env))
    return merged


def _entries(entries: tuple[Entry, ...], env: Env) -> dict[str, Any]:
    return {
        entry.key: _entries(entry.entries, env) if entry.value is None else evaluate(entry.value, env)
        for entry in entries
    }
