"""The statements of a body, one after the other, on one current tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.expand import errors
from archdsl.expand.builder import Builder, Taps, compose
from archdsl.expand.calls import add_op, apply_call, make_op
from archdsl.expand.environment import Env
from archdsl.expand.evaluate import condition, evaluate
from archdsl.expand.loops import expand_dense, expand_for, expand_repeat, run_loop
from archdsl.expand.mismatch import Part, at_part
from archdsl.expand.names import check_new_name, naming_for, resolve_step, step_name, tap_values
from archdsl.ir import Mode, Scope
from archdsl.ir import Step as StepOfScope
from archdsl.ops.base import Op
from archdsl.source import Span
from archdsl.syntax.expression import Arg, Expression, Label, Word
from archdsl.syntax.spec import (
    Body,
    Call,
    Dense,
    For,
    From,
    Group,
    Let,
    Merge,
    Output,
    Repeat,
    Residual,
    Shortcut,
    Step,
    Unused,
)


def expand_body(body: Body, env: Env) -> None:
    """Adds a body's steps to the scope under construction. Raises SpecError."""
    for statement in body:
        _EXPAND[type(statement)](statement, env)


def _step(node: Step, env: Env) -> None:
    if node.label is None:
        for link in node.links:
            _link(link, None, env)
        return
    only = node.links[0]
    if len(node.links) > 1 or only.count is not None:
        _container(node.label, (Step(span=node.span, links=node.links),), env, node.span)
    else:
        _link(only, node.label, env)


def _link(link: Call, label: Label | None, env: Env) -> None:
    if not _holds(link.when, env):
        return
    if link.count is None:
        apply_call(link, label, env)
        return
    once = link.model_copy(update={"count": None, "when": None})
    run_loop(link, lambda inner: apply_call(once, None, inner), env)


def _holds(when: Expression | None, env: Env) -> bool:
    return when is None or condition(when, env)


def _group(node: Group, env: Env) -> None:
    if _holds(node.when, env):
        _container(node.label, node.body, env, node.span)


def _container(label: Label | None, body: Body, env: Env, span: Span) -> None:
    """A level of names around a body."""
    builder = env.builder
    shape = builder.here
    name = step_name(label, "group", label is None, env, span)
    title = "".join(map(str, name)) if label is not None else "group"
    fold = builder.fold

    def make(taps: Taps) -> tuple[Scope, tuple[int, ...]]:
        naming = naming_for(body, env)
        child = Builder(
            env.session, "container", title, span, shape, naming=naming, parent=builder, fold=fold and not taps
        )
        inner = env.within(child)
        expand_body(body, inner.at(title) if label is not None else inner)
        return child.finish(taps=tap_values(child, taps)), tuple(child.captures)

    builder.add_call(name, make(()), make, (), span)


def _repeat(node: Repeat, env: Env) -> None:
    if _holds(node.when, env):
        expand_repeat(node, env, expand_body)


def _for(node: For, env: Env) -> None:
    if _holds(node.when, env):
        expand_for(node, env, expand_body)


def _dense(node: Dense, env: Env) -> None:
    if _holds(node.when, env):
        keep = "the body of `dense` must keep the size of its input: stride 1, `pad same`"
        parts = (Part("its input", node.span), Part("its body", node.body[0].span, help=keep))
        what = "the input and the body of `dense`"
        expand_dense(
            node, env, expand_body, lambda values, inner: _join("concat", None, values, inner, node.span, parts, what)
        )


def _merge(node: Merge, env: Env) -> None:
    if not _holds(node.when, env):
        return
    builder = env.builder
    start = builder.current
    values, parts, mistakes = [], list[Part](), list[Diagnostic]()
    for position, branch in enumerate(node.branches):
        builder.current = start
        before, name = len(builder.steps), _branch_name(branch, position)
        try:
            if _dropped(branch, env):
                continue
            expand_body(branch, env.at(name).with_variables({}))
        except SpecError as error:
            mistakes += error.diagnostics
        values.append(builder.current)
        parts.append(Part(name, _whole(branch, node.span), tuple(builder.steps[before:])))
    if mistakes:
        raise SpecError(*mistakes)
    if not values:
        what = f"no branch of `{node.kind}` is left"
        raise SpecError(
            errors.BadValue(node.span, path=env.path, what=what, expected="one branch at least", got="", help="")
        )
    builder.current = values[0]
    if len(values) > 1:
        what = f"the branches of `{node.kind}`"
        _join(node.kind, node.along, tuple(values), env, node.span, tuple(parts), what, start)


def _whole(body: Body, around: Span) -> Span:
    """Where a branch stands: its one step, or from its first to its last; an empty one where its merge is."""
    if not body:
        return around
    first, last = body[0].span, body[-1].span
    return first if last.line < first.line else first.to(last)


def _branch_name(branch: Body, position: int) -> str:
    """What messages call a branch: the label of its first step, or its number."""
    first = branch[0] if branch else None
    label = first.label if isinstance(first, (Step, Group)) else None
    if label is not None and all(isinstance(part, str) for part in label.parts):
        return "".join(map(str, label.parts))
    return f"branch {position + 1}"


def _dropped(branch: Body, env: Env) -> bool:
    """A branch of one guarded step is dropped where the guard fails."""
    if len(branch) != 1:
        return False
    only = branch[0]
    if isinstance(only, Step):
        return len(only.links) == 1 and not _holds(only.links[0].when, env)
    return not isinstance(only, (Let, Output, Unused)) and not _holds(only.when, env)


def _join(
    kind: str,
    along: str | None,
    values: tuple[int, ...],
    env: Env,
    span: Span,
    parts: tuple[Part, ...],
    what: str,
    start: int | None = None,
) -> None:
    """Puts values together; what doesn't fit is told at its part. `start`: the value that all parts start from."""
    args = (Arg("along", (Word(along, span),), span),) if along else ()
    op, given = _merge_op(env.session.ops[kind], args, env, span)
    try:
        add_op(op, given, values, None, env, span)
    except SpecError as error:
        entering = env.builder.shapes[values[0] if start is None else start]
        raise at_part(error, parts, what, entering, env) from None


def _merge_op(op: type[Op], args: tuple[Arg, ...], env: Env, span: Span) -> Any:
    key = ("merge", op.name, args)
    made = env.session.op_cache.get(key)
    if made is None:
        made = env.session.op_cache[key] = make_op(op, args, None, env, span)
    return made


def _residual(node: Residual, env: Env) -> None:
    if not _holds(node.when, env):
        return
    builder = env.builder
    start = builder.current
    outer = builder.jumps[start]
    builder.jumps[start] = (1,) * len(builder.here.spatial)
    within = len(builder.steps)
    expand_body(node.body, env.with_variables({}))
    body, steps = builder.current, tuple(builder.steps[within:])
    stride = builder.jumps[body]
    builder.jumps[start] = outer
    shortcut = node.shortcut
    builder.current, before = start, len(builder.steps)  # what `here` means in the shortcut, its condition included
    if shortcut is not None and not shortcut.body and not _holds(shortcut.when, env):
        builder.current = body
        return
    if shortcut is not None and shortcut.body and _wanted(shortcut, start, body, stride, env):
        _expand_shortcut(shortcut, env)
    other = builder.current
    builder.current = body
    builder.jumps[body] = compose(outer, stride)
    builder.jumps[other] = builder.jumps[body]
    shortcut_part = _shortcut_part(node, builder.steps[before:], plain=other == start)
    parts = (Part("the body", _whole(node.body, node.span), steps), shortcut_part)
    _join("add", None, (body, other), env, node.span, parts, "the body and the shortcut of `residual`", start)
    if other == start:
        builder.jumps[start] = outer


_KEEP = "write a `shortcut` with steps that give the body's shape, or let the body keep the shape of its input"


def _shortcut_part(node: Residual, steps: list[StepOfScope], *, plain: bool) -> Part:
    if plain or node.shortcut is None:
        return Part("the shortcut (its input unchanged)", node.span, help=_KEEP)
    return Part("the shortcut", _whole(node.shortcut.body, node.shortcut.span), tuple(steps))


def _wanted(shortcut: Shortcut, start: int, body: int, stride: Any, env: Env) -> bool:
    """Whether the shortcut is built: by its condition, else where channels or the total stride change."""
    if shortcut.when is not None:
        return condition(shortcut.when, env)
    env.session.shape_reads += 1
    shapes = env.builder.shapes
    if shapes[body].size("channels") != shapes[start].size("channels"):
        return True
    if stride is None:
        raise SpecError(errors.UnknownStride(shortcut.span, path=env.path))
    return any(step != 1 for step in stride)


def _expand_shortcut(shortcut: Shortcut, env: Env) -> None:
    if shortcut.label is not None:
        _container(shortcut.label, shortcut.body, env, shortcut.span)
    else:
        expand_body(shortcut.body, env.with_variables({}))


def _output(node: Output, env: Env) -> None:
    builder = env.builder
    if not node.body:
        builder.main_name = node.name
        return
    mode = _mode(node, env)
    if mode is None:
        return
    start = builder.current
    if mode == "always":
        expand_body(node.body, env.with_variables({}))
        builder.sides.append((node.name, builder.current, mode))
        builder.current = start
        return
    child = Builder(
        env.session,
        "side",
        node.name,
        node.span,
        builder.here,
        naming=builder.naming,
        parent=builder,
        fold=builder.fold,
    )
    expand_body(node.body, env.within(child).at(node.name))
    if child.sides:
        what = f"`{child.sides[0][0]}` is an output inside `{node.name}`, which runs in one mode only"
        raise SpecError(errors.DuplicateOutput(node.span, what=what, expected=f"an output beside `{node.name}`"))
    builder.add_side(node.name, mode, child.finish(), tuple(child.captures), node.span)


def _mode(node: Output, env: Env) -> Mode | None:
    """When an output exists: its condition evaluated for training and for evaluation."""
    if node.when is None:
        return "always"
    training = condition(node.when, env.with_variables({"training": True}))
    evaluation = condition(node.when, env.with_variables({"training": False}))
    if training and evaluation:
        return "always"
    return "training" if training else "eval" if evaluation else None


def _from(node: From, env: Env) -> None:
    if _holds(node.when, env):
        env.builder.current = resolve_step(node.path, env, node.path[0].span.to(node.path[-1].span))


def _let(node: Let, env: Env) -> None:
    check_new_name(node.name, env, node.span)
    env.variables[node.name] = evaluate(node.value, env)


def _unused(node: Unused, env: Env) -> None:
    named = dict(env.builder.named)
    apply_call(node.call, node.label, env, unused=True)
    # It never runs, so nothing can continue from it.
    env.builder.named = named


_EXPAND: dict[type, Callable[[Any, Env], None]] = {
    Step: _step,
    Group: _group,
    Repeat: _repeat,
    For: _for,
    Merge: _merge,
    Residual: _residual,
    Dense: _dense,
    Output: _output,
    From: _from,
    Let: _let,
    Unused: _unused,
}
