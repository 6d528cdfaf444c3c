"""Random merges and residuals, side heads, blocks and macros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evaluator import Definition, Env, Scope, Unit, Value
from growing import PASSED
from random_calls import Caller, flat, is_map, last
from random_steps import Steps

from archdsl.syntax.expression import Apply, Arg, Binary, Expression, Label, Literal, Unary, Word
from archdsl.syntax.spec import (
    BlockDef,
    Body,
    Call,
    From,
    Merge,
    Output,
    Param,
    Residual,
    Settings,
    Shortcut,
    Statement,
    Step,
)
from archdsl.syntax.words import AXES


class Joins(Steps):
    """Merges, residuals, side heads, blocks and macros."""

    library: Unit  # of the file that is used

    def _merge(self, env: Env, kind: str) -> Statement | None:
        merge, along = kind, None
        start = self.run.here
        if kind == "concat along":
            merge = "concat"
            along = self.rng.choice([axis for axis in start.shape.axes if axis in AXES])
        if self.keep and merge == "concat" and along not in (None, "channels"):
            return None
        goal = Literal(self.run.here.shape.channels)
        fit = merge != "concat" or along not in (None, "channels")
        branches: list[Body] = []
        for _ in range(self.rng.randint(2, 3)):
            branches.append(self._branch(env, goal if fit else None))
        parameter = env.scope.labelled and not self.loops and not self.keep
        if parameter and "parameter" in self.wish:
            self.wish.remove("parameter")
            branches.append(self._learnt(env, gate=merge == "multiply"))
        elif merge == "multiply" and is_map(start.shape) and self.rng.random() < 0.5:
            branches.append(self._gate(env, start.shape.channels))
        elif parameter and along in (None, "tokens") and self.rng.random() < 0.3:
            branches.append(self._learnt(env, gate=merge == "multiply"))
        branches = [branch for branch in branches if branch]
        if len(branches) < 2:
            return None
        self.rng.shuffle(branches)
        return Merge.model_validate(
            {"kind": merge, "along": along, "when": self.guard(env, 0.08), "branches": tuple(branches)}
        )

    def _branch(self, env: Env, goal: Expression | None) -> Body:
        if self.rng.random() < 0.35:
            return (Step(links=(Call(callee="skip"),)),)
        paths = self.paths(env)
        if paths and self._lucky("from", 0.12):
            return (From(path=self.rng.choice(paths)),)
        with self._inside(True), self._undone(env):
            inner = env._replace(variables=dict(env.variables))
            body = list(self.body(inner, self.rng.randint(1, 2), env.scope.labelled))
            if goal is not None:
                body += self.project(inner, goal)
        if self.rng.random() < 0.15 and len(body) == 1 and isinstance(body[0], Step) and len(body[0].links) == 1:
            link = body[0].links[0].model_copy(update={"when": self.guard(env, 1.0)})
            return (body[0].model_copy(update={"links": (link,)}),)
        return tuple(body)

    def _learnt(self, env: Env, *, gate: bool) -> Body:
        args = Caller(self.rng, self.run.here.shape, True, lambda: self.channels(env)).parameter(gate)
        return (Step(label=self.label(env), links=(Call(callee="parameter", args=args),)),)

    def _gate(self, env: Env, channels: int) -> Body:
        conv = Call(
            callee="conv",
            args=(Arg(None, (Literal(1),)), Arg(None, (Literal(channels),)), Arg(None, (Word("pad"), Literal(0)))),
        )
        pool = Call(callee="avgpool", args=(Arg(None, (Word("to"), Literal(1))),))
        return (Step(label=self.label(env), links=(pool, conv, Call(callee="sigmoid"))),)

    def _residual(self, env: Env, kind: str) -> Statement | None:
        start = self.run.here
        with self._inside(True), self._undone(env):
            inner = env._replace(variables=dict(env.variables))
            body = list(self.body(inner, self._some(), env.scope.labelled))
            shortcut: Shortcut | None = None
            if kind == "residual" or not (is_map(start.shape) or last(start.shape)):
                body += self.project(inner, Literal(start.shape.channels))
            elif kind == "shortcut when":
                same = Binary("==", Literal(self.run.here.shape.channels), Literal(start.shape.channels))
                shortcut = Shortcut(when=same)
            else:
                # Channels that follow H and W can't tell whether a shortcut is needed.
                shortcut = self._shortcut(inner, body, start, "shortcut when with body" if flat(start.shape) else kind)
        if not body:
            return None
        return Residual(when=self.guard(env, 0.08), body=tuple(body), shortcut=shortcut)

    def _shortcut(self, env: Env, body: list[Statement], start: Value, kind: str) -> Shortcut | None:
        """A projection to what the body gives; where the body has no stride of its own it may get one."""
        out = Literal(self.run.here.shape.channels)
        if is_map(start.shape):
            args: tuple[Arg, ...] = (
                Arg(None, (Literal(1),)),
                Arg(None, (out,)),
                Arg(None, (Word("pad"), Literal(0))),
            )
            strided = (Arg(None, (Word("stride"), Literal(2))),)
            if self.rng.random() < 0.5:
                node = Step(label=self.label(env), links=(Call(callee="conv", args=(*args, *strided)),))
                if self.accept(node, env):
                    body.append(node)
                    args = (*args, *strided)
            call = Call(callee="conv", args=args)
        else:
            call = Call(callee="linear", args=(Arg(None, (out,)),))
        label = self.label(env) if kind == "shortcut with label" else None
        inside = None if label is not None or not env.scope.labelled else self.label(env)
        links = (call, Call(callee="batchnorm")) if self.rng.random() < 0.4 and is_map(start.shape) else (call,)
        when = None
        if kind == "shortcut when with body":
            when = (
                Binary("!=", out, Literal(start.shape.channels))
                if self.rng.random() < 0.5
                else Binary(">", Literal(2), Literal(1))
            )
        return Shortcut(label=label, when=when, body=(Step(label=inside, links=links),))

    def _output(self, env: Env, kind: str) -> Statement | None:
        if self.loops or self.side_heads > 3 or self.depth > 2 or self.in_head:
            return None
        self.side_heads += 1
        name = f"aux{self.side_heads}"
        whens: dict[str, Expression] = {
            "output when training": Word("training"),
            "output when not training": Unary("not", Word("training")),
        }
        when = whens.get(kind)
        self.in_head = True
        with self._inside(False), self._undone(env):
            inner = env._replace(variables=dict(env.variables))
            body = self.body(inner, self._some(), env.scope.labelled)
        self.in_head = False
        return Output(name=name, when=when, body=body) if body else None

    def _block(self, env: Env, kind: str) -> Statement | None:
        """A call of a block: one that there is, or a new one."""
        known = self.callable_macros() if "macro" in kind else self.callable_blocks()
        if kind in ("block", "macro") and known and self.rng.random() < 0.6:
            node = self.rng.choice(known)
        else:
            made = self._define(env, kind)
            if made is None:
                return None
            node = made
        call = self._use(node, env)
        if call is None:
            return None
        if not env.scope.labelled:
            # A macro's names would make its caller's container a labelled one.
            return None if "macro" in kind and self.run.labelled(node.body) else Step(links=(call,))
        return Step(label=self.label(env), links=(call,))

    def _define(self, env: Env, kind: str) -> BlockDef | None:
        """A new block or macro, of the library where the kind says so; the kind also says what it must have."""
        if len(self.callable_blocks()) + len(self.callable_macros()) > 8 or self.depth > 1:
            return None
        used, self.used = self.used, self.used or "use" in kind or (not self.depth and self.rng.random() < 0.15)
        try:
            return self._defined(env, kind)
        finally:
            self.used = used

    def _params_of(self, env: Env, kind: str) -> list[Param]:
        rng = self.rng
        params: list[Param] = [Param(name=self.variable(), type=rng.choice([None, "int", "number"]))]
        if kind == "typed parameter":
            params[0] = params[0].model_copy(update={"type": "int"})
        if kind == "parameter with default" or rng.random() < 0.6:
            params.append(Param(name=self.variable(), default=Literal(rng.choice([1, 2, 4]))))
        if kind == "variable passed through" or rng.random() < 0.5:
            name = rng.choice(PASSED)
            params.append(Param(name=name, default=Literal(True) if name == "bias" else Literal(1)))
        if kind in _OP_DEFAULTS or rng.random() < 0.3:
            default = rng.choice(_OP_DEFAULTS[kind if kind in _OP_DEFAULTS else "op parameter"])
            params.append(Param(name=self.variable(), type="op", default=default))
        if kind == "step parameter" and self.paths(env):
            params.insert(0, Param(name=self.variable(), type="step"))
        return params

    def _bound(self, params: list[Param], unit: Unit, start: Value, env: Env) -> dict[str, Any]:
        """Values for a block's parameters, to grow its body with."""
        variables = dict(unit.lets)
        for param in params:
            if param.type == "step":
                variables[param.name] = start
            elif param.default is None:
                variables[param.name] = self.rng.choice([4, 8, 12])
            else:
                variables[param.name] = self.run.value(param.default, env._replace(variables=variables))
        return variables

    def _defined(self, env: Env, kind: str) -> BlockDef | None:
        rng, macro, start = self.rng, "macro" in kind, self.run.here
        unit = self.library if self.used else self.run.unit
        params = self._params_of(env, kind)
        variables = self._bound(params, unit, start, env)
        labelled = rng.random() < 0.6
        defaults, inits = _SETTINGS_OF.get(kind, ((), ()))
        with self._inside(self.keep or rng.random() < 0.4, fresh=True), self._undone(env):
            settings = env.defaults if macro and not self.used else unit.defaults
            inner = Env(variables, Scope(labelled, env.scope if macro else None), start, unit, settings)
            body = list(self.body(inner, self._some() + 1, labelled))
            for more in self._uses_of(params, kind, inner):
                body += [more] if self.accept(more, inner) else []
        if not body:
            return None
        self.names += 1
        name = f"{'tail' if macro else 'unit'}{self.names}"
        node = BlockDef(name=name, params=tuple(params), defaults=defaults, inits=inits, body=tuple(body))
        if self.used:
            (self.used_macros if macro else self.used_blocks).append(node)
        else:
            (self.macros if macro else self.blocks).append(node)
        self.run.definitions[node.name] = Definition(node, macro, unit)
        return node

    def _uses_of(self, params: list[Param], kind: str, env: Env) -> Iterator[Statement]:
        """Steps that call the operations and steps among the parameters, and what the kind of block asks for."""
        if kind == "output in a block":
            self.side_heads += 1
            body: Body = (Step(label=self.label(env), links=(Call(callee="softsign"),)),)
            yield Output(name=f"aux{self.side_heads}", body=body)
        for param in params:
            if param.type == "op":
                yield Step(label=self.label(env), links=(Call(callee=param.name),))
            elif param.type == "step":
                merge = self.rng.choice(["add", "concat"])
                steps = ((Step(links=(Call(callee="skip"),)),), (From(path=(Label((param.name,)),)),))
                yield Merge(kind=merge, branches=steps)
            elif param.name in PASSED and kind == "variable passed through" and is_map(self.run.here.shape):
                args = (Arg(None, (Literal(1),)), Arg(None, (Literal(8),)), Arg(None, (Word(param.name),)))
                yield Step(label=self.label(env), links=(Call(callee="conv", args=args),))


_OP_DEFAULTS: dict[str, list[Expression]] = {
    "none as op": [Literal(None)],
    "op with settings": [
        Apply("layernorm", (Arg("eps", (Literal(1e-6),)),)),
        Apply("leaky_relu", (Arg(None, (Literal(0.2),)),)),
    ],
}
_OP_DEFAULTS["op parameter"] = [Word("relu"), *_OP_DEFAULTS["none as op"], *_OP_DEFAULTS["op with settings"]]

# What stands in a block before its steps: defaults and inits.
_SETTINGS_OF: dict[str, tuple[tuple[Settings, ...], tuple[Settings, ...]]] = {
    "block default": ((Settings(op="conv", args=(Arg(None, (Word("bias"), Literal(False))),)),), ()),
    "block init": ((), (Settings(op="linear", args=(Arg(None, (Word("weight"), Literal(0.1))),)),)),
}
