"""All that can be told wrong without expanding: callees, settings and names, in every body, used or not.

It runs before the expansion, so that one run tells every independent mistake and none hides in a block that nobody
calls.
"""

from __future__ import annotations

from typing import Any

from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.expand import errors, op_errors
from archdsl.expand.arguments import Paired, Signature, is_setting, pair, signature_of, unknown_callee, unknown_setting
from archdsl.expand.blocks import signature_of_params
from archdsl.expand.environment import MISSING, SCHEMES, Session, Unit
from archdsl.expand.evaluate import undefined, unknown_function
from archdsl.expand.functions import FUNCTIONS
from archdsl.expand.inits import is_scheme, no_weight, unknown_scheme, weight_of
from archdsl.expand.names import check_new_name
from archdsl.expand.origins import nodes_of
from archdsl.expand.reads import reads_of_body
from archdsl.ops.base import Op
from archdsl.ops.settings import SettingError
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax import expression as ex
from archdsl.syntax.limits import DIAGNOSTICS
from archdsl.syntax.spec import (
    BlockDef,
    Body,
    Call,
    Dense,
    For,
    From,
    Group,
    Let,
    Merge,
    Output,
    Param,
    Repeat,
    Residual,
    Settings,
    Spec,
    Step,
    Unused,
)
from archdsl.trace import Sides

_COUNTS = ("nth", "total")
_LOOP = ("first", "last", *_COUNTS)
_ALWAYS = ("input", "here")


class _Scope:
    """The names in scope at one place, with where they are defined; satisfies `arguments.Place`."""

    def __init__(self, names: dict[str, Span | None]) -> None:
        self.known = names
        self.path: tuple[str, ...] = ()

    def lookup(self, name: str) -> Any:
        return name if name in self.known else MISSING

    def names(self) -> tuple[str, ...]:
        return tuple(self.known)

    def plus(self, *names: str, span: Span | None = None) -> _Scope:
        return _Scope(self.known | dict.fromkeys(names, span))

    def near(self, name: str) -> Note | None:
        """Where the name is defined that a misspelt one is nearest to."""
        near = did_you_mean(name, self.known)
        span = self.known[near] if near is not None else None
        return None if span is None else Note(span, f"`{near}` is defined here")


def mistakes(spec: Spec, unit: Unit, session: Session) -> tuple[Diagnostic, ...]:
    """What is wrong in a file's own lines; its definitions are known, its lets not yet evaluated."""
    resolver = _Resolver(unit, session, spec)
    file = _Scope({})
    for let in spec.lets:
        resolver.value(let.value, file, needed=False)
        file = file.plus(let.name, span=let.span)
    for node in (*spec.blocks, *spec.macros):
        resolver.block(node, file)
    network = resolver.params(spec.params, file).plus(*_ALWAYS)
    resolver.settings(spec.defaults, network)
    resolver.inits(spec.inits, network)
    resolver.body(spec.layers or (), network)
    return tuple(resolver.found[:DIAGNOSTICS])


def _written(expression: ex.Literal | ex.SizeLiteral) -> Any:
    """The value of what stands there as such."""
    if isinstance(expression, ex.Literal):
        return expression.value
    return Sides(side for side in expression.sides if isinstance(side, int))


def _refused(op: str, name: str, error: SettingError, span: Span, flag: _Scope | None) -> Diagnostic:
    if flag is not None:
        near = flag.near(name)
        told = errors.FlagNeedsValue(span, name=name, callee=op)
        return told if near is None else told.with_notes(near)
    what = f"`{name}` of `{op}` can't be {error.got}"
    return op_errors.InvalidSetting(span, what=what, expected=error.expected, got=error.got, help="")


class _Resolver:
    def __init__(self, unit: Unit, session: Session, spec: Spec) -> None:
        self.unit = unit
        self.session = session
        self.labels = {
            str(node.label.parts[0])
            for node in nodes_of((*spec.blocks, *spec.macros, *(spec.layers or ())))
            if isinstance(node, (Step, Group)) and node.label is not None
        }
        written = ((node.params, node.body) for node in (*spec.blocks, *spec.macros))
        self.bodies = [
            ({param.name for param in params}, body) for params, body in (*written, (spec.params, spec.layers or ()))
        ]
        self.found: list[Diagnostic] = []

    def block(self, node: BlockDef, file: _Scope) -> None:
        scope = self.params(node.params, file).plus(*_ALWAYS)
        self.settings(node.defaults, scope)
        self.inits(node.inits, scope)
        self.body(node.body, scope)

    def params(self, params: tuple[Param, ...], scope: _Scope) -> _Scope:
        """The scope with the parameters, each seen by the defaults of those after it."""
        for param in params:
            self.value(param.default, scope, needed=False)
            scope = scope.plus(param.name, span=param.span)
        return scope

    def inits(self, entries: tuple[Settings, ...], scope: _Scope) -> None:
        for entry in entries:
            op = self.session.ops.get(entry.op)
            if op is None:
                self.found.append(unknown_callee(entry.op, entry.span.word(entry.op), self.session.ops))
                continue
            for arg in entry.args:
                weight = weight_of(arg)
                if weight is not None and weight not in op.weights:
                    self.found.append(no_weight(weight, op.name, op.weights, arg.span.word(weight)))
                scheme = arg.parts[-1]
                if isinstance(scheme, (ex.Word, ex.Apply)) and not is_scheme(scheme, scope.known):
                    self.found.append(unknown_scheme(scheme))

    def settings(self, entries: tuple[Settings, ...], scope: _Scope) -> None:
        for entry in entries:
            op = self.session.ops.get(entry.op)
            if op is None:
                self.found.append(unknown_callee(entry.op, entry.span.word(entry.op), self.session.ops))
            else:
                signature = signature_of(op)
                everything = Signature(op.name, (), signature.settings)  # values stand at the call
                self.arguments(entry.args, everything, scope, entry.span, partial=True)

    def body(self, body: Body, scope: _Scope) -> None:
        for statement in body:
            if len(self.found) >= DIAGNOSTICS:
                return
            if isinstance(statement, Let):
                self.new_name(statement.name, statement.span, scope)
                self.value(statement.value, scope, needed=False)
                scope = scope.plus(statement.name, span=statement.span)
            else:
                self.statement(statement, scope)

    def new_name(self, name: str, span: Span, scope: _Scope) -> None:
        try:
            check_new_name(name, scope, span.word(name))
        except SpecError as error:
            self.found += error.diagnostics

    def statement(self, node: Any, scope: _Scope) -> None:
        if isinstance(node, Step):
            self.label(node.label, scope)
            for link in node.links:
                self.call(link, scope)
            return
        if isinstance(node, Unused):
            self.label(node.label, scope)
            self.call(node.call, scope)
            return
        guard = scope.plus("training") if isinstance(node, Output) else scope
        self.value(node.when, guard)
        if isinstance(node, From):
            for label in node.path:
                self.label(label, scope)
        elif isinstance(node, Merge):
            for branch in node.branches:
                self.body(branch, scope)
        else:
            self.nested(node, scope)

    def nested(self, node: Any, scope: _Scope) -> None:
        if isinstance(node, Group):
            self.label(node.label, scope)
        elif isinstance(node, (Repeat, Dense)):
            self.value(node.count, scope)
            if node.index != "i":
                self.new_name(node.index, node.span, scope)
            scope = scope.plus(*_LOOP).plus(node.index, span=node.span)
        elif isinstance(node, For):
            self.value(node.over, scope)
            for name in node.names:
                self.new_name(name, node.span, scope)
            for row in node.rows or ():
                for cell in row:
                    self.value(cell, scope, needed=False)
            scope = scope.plus("row", "rows", *_COUNTS).plus(*node.names, span=node.span)
        elif isinstance(node, Residual) and node.shortcut is not None:
            self.label(node.shortcut.label, scope)
            self.value(node.shortcut.when, scope)
            self.body(node.shortcut.body, scope)
        self.body(node.body, scope)

    def call(self, call: Call, scope: _Scope) -> None:
        self.value(call.when, scope)
        if call.count is not None:
            self.value(call.count, scope)
            scope = scope.plus("i", *_LOOP)
        if call.callee == "skip":
            return
        signature = self.signature(call.callee)
        if scope.lookup(call.callee) is not MISSING and (signature is None or call.callee in scope.known):
            return
        if signature is None:
            known = (*self.unit.definitions, *self.session.ops, *scope.known)
            told = unknown_callee(call.callee, call.span.word(call.callee), known, labels=self.labels)
            self.found.append(told.with_notes(*filter(None, (self.likely(call.callee, scope),))))
            return
        self.arguments(call.args, signature, scope, call.span)

    def likely(self, callee: str, scope: _Scope) -> Note | None:
        """Where the block is defined that a call of an unknown one is likely to mean."""
        definitions = self.unit.definitions
        near = did_you_mean(callee, (*definitions, *self.session.ops, *scope.known))
        if near in definitions:
            return Note(definitions[near].node.span, f"`{near}` is defined here")
        if near is not None:
            return None
        called = {name for params, body in self.bodies for name in reads_of_body(body).names if name not in params}
        idle = [one.node for name, one in definitions.items() if name not in called]
        if len(idle) != 1:
            return None
        return Note(idle[0].span, f"`{idle[0].name}` is defined here and called nowhere")

    def signature(self, callee: str) -> Signature | None:
        definition = self.unit.definitions.get(callee)
        if definition is not None:
            return signature_of_params(definition.node)
        op = self.session.ops.get(callee)
        return None if op is None else signature_of(op)

    def arguments(
        self, args: tuple[ex.Arg, ...], signature: Signature, scope: _Scope, span: Span, *, partial: bool = False
    ) -> None:
        paired: tuple[Paired, ...] = ()
        try:
            paired = pair(args, signature, scope, span, partial=partial)
        except SpecError as error:
            self.found += error.diagnostics
        op = self.session.ops.get(signature.callee)
        for name, expression, flag, span in paired:
            if op is not None:
                self.setting(op, name, expression, scope if flag else None, span)
            if not flag:
                self.value(expression, scope, needed=False)

    def setting(self, op: type[Op], name: str, expression: ex.Expression, flag: _Scope | None, span: Span) -> None:
        """A setting that is written out: what can be told of it without an input. `flag`: where it stands alone."""
        field = op.settings().get(name)
        if field is None:
            return
        if flag is not None:
            value: Any = True
        elif isinstance(expression, (ex.Literal, ex.SizeLiteral)):
            value = _written(expression)
        else:
            return
        try:
            field.convert(value, name)
        except SettingError as error:
            self.found.append(_refused(op.name, name, error, expression.span if flag is None else span, flag))

    def label(self, label: ex.Label | None, scope: _Scope) -> None:
        for part in label.parts if label is not None else ():
            if not isinstance(part, str):
                self.value(part, scope)

    def value(self, node: ex.Part | None, scope: _Scope, *, needed: bool = True) -> None:
        """Looks for names that aren't there; a bare word is a value of its own unless `needed`."""
        if isinstance(node, ex.Word):
            if needed and node.name not in scope.known:
                told = undefined(node.name, node.span, scope.known)
                self.found.append(told.with_notes(*filter(None, (scope.near(node.name),))))
        elif isinstance(node, (ex.ListOf, ex.IfElse)):
            self.either(node, scope)
        elif isinstance(node, ex.Apply):
            self.apply(node, scope)
        elif isinstance(node, ex.Binary):
            words = node.operator in ("==", "!=")
            self.value(node.left, scope, needed=not words)
            self.value(node.right, scope, needed=not words)
        elif isinstance(node, ex.StepPath):
            for label in node.labels:
                self.label(label, scope)
        else:
            for part in ex.parts_of(node) if node is not None else ():
                self.value(part, scope)

    def either(self, node: ex.ListOf | ex.IfElse, scope: _Scope) -> None:
        if isinstance(node, ex.IfElse):
            self.value(node.condition, scope)
            items: tuple[ex.Expression, ...] = (node.value, node.otherwise)
        else:
            items = node.items
        for item in items:
            self.value(item, scope, needed=False)

    def apply(self, node: ex.Apply, scope: _Scope) -> None:
        if node.name not in FUNCTIONS:
            self.partial(node, scope)
            return
        for arg in node.args:
            for part in arg.parts:
                self.value(part, scope)

    def partial(self, node: ex.Apply, scope: _Scope) -> None:
        """`layernorm(eps = 1e-6)`: an op or block with some of its settings."""
        signature = self.signature(node.name)
        if signature is None:
            if node.name not in SCHEMES:
                self.found.append(unknown_function(node, (*self.unit.definitions, *self.session.ops)))
            return
        for arg in node.args:
            name = weight_of(arg)
            if name is not None and not is_setting(name, signature):
                self.found.append(unknown_setting(name, signature, arg.span.word(name)))
            self.value(arg.parts[-1], scope, needed=False)
