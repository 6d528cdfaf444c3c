"""Labels to names, and names back to steps."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Any

from archdsl.diagnostics import SpecError
from archdsl.dims import Sym
from archdsl.expand import errors
from archdsl.expand.arguments import Place
from archdsl.expand.builder import Builder, Naming
from archdsl.expand.environment import MISSING, Env
from archdsl.expand.evaluate import evaluate_known, fail
from archdsl.expand.values import Given, StepValue, show
from archdsl.ir import MODULE_ATTRIBUTES, CallStep, Name, OpStep, Step, spell
from archdsl.shape import Shape
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.expression import Label, StepPath, Word
from archdsl.syntax.spec import Body, Dense, For, Group, Merge, Output, Repeat, Residual, Unused
from archdsl.syntax.spec import Step as StepNode

COUNTER = re.compile(r"k\d+")  # what loops call their counters; the input's sizes are single letters
_LABEL = re.compile(r"[A-Za-z0-9_-]+\Z")


def name_of(label: Label, env: Env) -> Name:
    """A label's name, its expressions evaluated."""
    if len(label.parts) == 1 and isinstance(label.parts[0], str):
        return label.parts  # type: ignore[return-value]
    parts: list[str | Any] = []
    for part in label.parts:
        piece = part if isinstance(part, str) else _piece(evaluate_known(part, env), label, env)
        if isinstance(piece, str) and parts and isinstance(parts[-1], str):
            parts[-1] += piece
        else:
            parts.append(piece)
    if all(isinstance(part, str) for part in parts) and not _LABEL.match("".join(parts)):
        what = f"`{''.join(parts)}` can't be a name"
        raise fail(env, label.span, what, expected="letters, digits, `_` and `-`")
    return tuple(parts)


def _piece(value: Any, label: Label, env: Env) -> str | Sym:
    if isinstance(value, Sym):
        if not all(COUNTER.fullmatch(name) for name in value.names):
            raise SpecError(errors.SymbolicStructure(label.span, path=env.path, what="a name", value=str(value)))
        return value
    env.session.decide(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)) or (isinstance(value, int) and value < 0):
        raise fail(
            env, label.span, "a name is made of words and whole numbers", expected="a word or number", got=show(value)
        )
    return str(int(value)) if isinstance(value, int) else value


def step_name(label: Label | None, callee: str, has_key: bool, env: Env, span: Span) -> Name:
    """The name of a step that is added now: its label, its number, or `~op` where it has no key."""
    builder = env.builder
    if label is not None:
        name = name_of(label, env)
        _refuse_taken(name, label, env)
        builder.take_name(name, label.span, env.path)
        return name
    if not builder.naming.labelled:
        name = builder.naming.number()
        builder.take_name(name, span, env.path)
        return name
    if has_key:
        raise SpecError(errors.NeedsName(span, path=env.path, callee=callee))
    return builder.naming.nameless(callee)


def _refuse_taken(name: Name, label: Label, env: Env) -> None:
    """A name that PyTorch or Python has taken would break the module: `forward: conv 3x3, 8`."""
    if name[0] in MODULE_ATTRIBUTES:
        what = f"`{name[0]}` can't be a name: every PyTorch module has an attribute of that name"
    elif iskeyword(str(name[0])) and len(name) == 1:
        what = f"`{name[0]}` can't be a name: it is a word of Python"
    else:
        return
    raise SpecError(errors.InvalidName(label.span, path=env.path, what=what, help="choose another name"))


def is_labelled(body: Body, env: Env) -> bool:
    """Whether any step of a container has a label: through loops and merges, macros put in, before guards."""
    return any(_has_label(statement, env, set()) for statement in body)


def _has_label(statement: Any, env: Env, macros: set[str]) -> bool:
    """`macros`: those that have been looked into; each is once."""
    if isinstance(statement, StepNode):
        if statement.label is not None:
            return True
        return any(_macro_labelled(link.callee, env, macros) for link in statement.links)
    if isinstance(statement, Group):
        return statement.label is not None
    if isinstance(statement, (Repeat, For, Dense, Output)):
        return any(_has_label(inner, env, macros) for inner in statement.body)
    if isinstance(statement, Merge):
        return any(_has_label(inner, env, macros) for branch in statement.branches for inner in branch)
    if isinstance(statement, Residual):
        shortcut = statement.shortcut
        inside = (*statement.body, *(shortcut.body if shortcut and shortcut.label is None else ()))
        named = shortcut is not None and shortcut.label is not None
        return named or any(_has_label(inner, env, macros) for inner in inside)
    return isinstance(statement, Unused)


def _macro_labelled(callee: str, env: Env, macros: set[str]) -> bool:
    definition = env.unit.definitions.get(callee)
    if definition is None or not definition.macro or callee in macros:
        return False
    macros.add(callee)
    return any(_has_label(inner, env, macros) for inner in definition.node.body)


def resolve_step(labels: tuple[Label, ...], env: Env, span: Span) -> int:
    """The value of an earlier named step, seen from the current scope outward to the block's edge."""
    if len(labels) == 1 and len(labels[0].parts) == 1 and isinstance(labels[0].parts[0], str):
        given = env.lookup(labels[0].parts[0])
        if isinstance(given, StepValue):
            return _step_value(given, env.builder)
    names = tuple("".join(map(str, name_of(label, env))) for label in labels)
    builders = _outward(env.builder)
    value = _seek(builders[0], names) if builders else None
    if value is None:
        path = ".".join(names)
        known = tuple(dict.fromkeys(name for builder in builders for name in builder.named))
        near = did_you_mean(path, known)
        shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        help = f"did you mean `{near}`?" if near else "only named steps above this line are seen, in the same block"
        if any(builder.name == names[0] and _seek(builder, names[1:]) for builder in builders if len(names) > 1):
            help = f"inside `{names[0]}` it is called `{'.'.join(names[1:])}`"
        raise SpecError(errors.UnknownStep(span, path=env.path, step=path, known=shown, help=help))
    return value


def _outward(builder: Builder | None) -> tuple[Builder, ...]:
    return () if builder is None else (builder, *_outward(builder.parent))


def _step_value(given: StepValue, builder: Builder) -> int:
    if given.scope == id(builder):
        return given.value
    assert builder.parent is not None
    return builder.capture(_step_value(given, builder.parent))


def _seek(builder: Builder, names: tuple[str, ...]) -> int | None:
    """The step's value in this scope: one of its own, or captured from a scope around it."""
    found = builder.named.get(names[0])
    if found is not None:
        value, index = found
        return value if len(names) == 1 else _inside(builder, index, names[1:])
    if builder.parent is None:
        return None
    outer = _seek(builder.parent, names)
    return None if outer is None else builder.capture(outer)


def _inside(builder: Builder, index: int, names: tuple[str, ...]) -> int | None:
    step = builder.steps[index]
    if not isinstance(step, CallStep):
        return None
    try:
        return builder.tap(index, ".".join(names))
    except NoSuchTap:
        return None


class NoSuchTap(Exception):
    """A scope was asked for a step that it doesn't have."""


def tap_values(builder: Builder, taps: tuple[str, ...]) -> dict[str, int]:
    """The values that a scope gives to those who reach into it; raises NoSuchTap."""
    values = {}
    for path in taps:
        first, _, rest = path.partition(".")
        found = builder.named.get(first)
        value = None if found is None else found[0] if not rest else _inside(builder, found[1], tuple(rest.split(".")))
        if value is None:
            raise NoSuchTap(path)
        values[path] = value
    return values


def shape_of_step(path: StepPath, env: Env) -> Shape:
    """The shape of `@path`, which brings no tensor along."""
    names = tuple("".join(map(str, name_of(label, env))) for label in path.labels)
    for builder in _outward(env.builder):
        found = builder.named.get(names[0])
        shape = None if found is None else _shape_inside(builder.steps[found[1]], builder.shapes[found[0]], names[1:])
        if shape is not None:
            return shape
    value = resolve_step(path.labels, env, path.span)
    return env.builder.shapes[value]


def _shape_inside(step: Step, shape: Shape, names: tuple[str, ...]) -> Shape | None:
    if not names:
        return shape
    if not isinstance(step, CallStep):
        return None
    inner = step.scope
    for candidate in inner.steps:
        if isinstance(candidate, (OpStep, CallStep)) and spell(candidate.name) == names[0]:
            return _shape_inside(candidate, plain(inner.shapes[candidate.outputs[0]]), names[1:])
    return None


def plain(shape: Shape) -> Shape:
    """The shape without the source of its numbers, which would be in an inner block's terms."""
    return Shape(shape.axes, tuple(int(size) if isinstance(size, int) else size for size in shape.sizes))


def reference(item: Given, env: Env) -> int:
    """The value whose shape a setting names: `upsample to input`, `to @conv1`, `to skip`."""
    if isinstance(item.value, StepValue):
        return _step_value(item.value, env.builder)
    expression = item.expression
    if isinstance(expression, StepPath):
        return resolve_step(expression.labels, env, expression.span)
    if isinstance(expression, Word) and expression.name == "here":
        return env.builder.current
    edge = _outward(env.builder)[-1]
    return _step_value(StepValue(id(edge), 0, edge.shapes[0]), env.builder)


def check_new_name(name: str, env: Place, span: Span) -> None:
    """Raises SpecError where a let, parameter or loop variable would hide another name or a word of the language."""
    if name in RESERVED:
        what = f"`{name}` is a word of the language"
    elif env.lookup(name) is not MISSING:
        what = f"`{name}` is already defined here"
    else:
        return
    raise SpecError(errors.InvalidName(span, path=env.path, what=what, help="choose another name"))


RESERVED = frozenset(
    "i first last row rows nth total input here training yes no none and or not if else x when as in do"
    " repeat for add multiply concat residual shortcut dense group output from let block macro default init net"
    " use unused skip same".split()
)


def naming_for(body: Body, env: Env) -> Naming:
    """A fresh container's naming."""
    return Naming(is_labelled(body, env))
