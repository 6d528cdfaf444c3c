"""Random merges and residuals, side heads, blocks and macros."""

from __future__ import annotations

from typing import Any

from evaluator import Env, Scope, Value
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


class Joins(Steps):
    """Merges, residuals, side heads, blocks and macros."""

    def _merge(self, env: Env, kind: str) -> Statement | None:
        merge, along = kind, None
        start = self.run.here
        if kind == "concat along":
            merge = "concat"
            along = self.rng.choice([axis for axis in start.shape.axes if axis != "batch"])
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
        if self.loops or self.depth or self.side_heads > 3:
            return None
        self.side_heads += 1
        whens: dict[str, Expression] = {
            "output when training": Word("training"),
            "output when not training": Unary("not", Word("training")),
        }
        when = whens.get(kind)
        with self._inside(False), self._undone(env):
            inner = env._replace(variables=dict(env.variables))
            body = self.body(inner, self._some(), env.scope.labelled)
        return Output(name=f"aux{self.side_heads}", when=when, body=body) if body else None

    def _block(self, env: Env, kind: str) -> Statement | None:
        """A call of a block: one that there is, or a new one."""
        if kind in ("block", "macro") and self._pool(kind) and self.rng.random() < 0.6:
            node = self.rng.choice(self._pool(kind))
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

    def _pool(self, kind: str) -> list[BlockDef]:
        return self.macros if "macro" in kind else self.blocks

    def _define(self, env: Env, kind: str) -> BlockDef | None:
        if len(self.blocks) + len(self.macros) > 4 or self.depth > 1:
            return None
        rng, macro = self.rng, "macro" in kind
        start = self.run.here
        params: list[Param] = [Param(name=self.variable(), type=rng.choice([None, "int", "number"]))]
        bound: dict[str, Any] = {params[0].name: rng.choice([4, 8, 12])}
        if rng.random() < 0.6:
            params.append(Param(name=self.variable(), default=Literal(rng.choice([1, 2, 4]))))
        if rng.random() < 0.5:
            name = rng.choice(["stride", "bias", "groups"])
            params.append(Param(name=name, default=Literal(True) if name == "bias" else Literal(1)))
        if kind == "op parameter" or rng.random() < 0.3:
            default = rng.choice(
                [
                    Word("relu"),
                    Literal(None),
                    Apply("layernorm", (Arg("eps", (Literal(1e-6),)),)),
                    Apply("leaky_relu", (Arg(None, (Literal(0.2),)),)),
                ]
            )
            params.append(Param(name=self.variable(), type="op", default=default))
        step = kind == "step parameter" and bool(self.paths(env))
        if step:
            params.insert(0, Param(name=self.variable(), type="step"))
        variables = dict(self.run.lets)
        for param in params:
            if param.type == "step":
                variables[param.name] = start
            else:
                variables[param.name] = (
                    bound[param.name]
                    if param.default is None
                    else self.run.value(param.default, env._replace(variables=variables))
                )
        labelled = rng.random() < 0.6
        defaults = (
            (Settings(op="conv", args=(Arg(None, (Word("bias"), Literal(False))),)),) if kind == "block default" else ()
        )
        inits = (
            (Settings(op="linear", args=(Arg(None, (Word("weight"), Literal(0.1))),)),) if kind == "block init" else ()
        )
        with self._inside(self.keep or rng.random() < 0.4, fresh=True), self._undone(env):
            inner = Env(
                variables,
                Scope(labelled, env.scope if macro else None),
                start,
                env.defaults if macro else (self.run.file_defaults,),
            )
            body = list(self.body(inner, self._some() + 1, labelled))
            for param in params:
                if param.type == "op":
                    call = Step(label=self.label(inner), links=(Call(callee=param.name),))
                    body += [call] if self.accept(call, inner) else []
            if step:
                merge = Merge(
                    kind=rng.choice(["add", "concat"]),
                    branches=((Step(links=(Call(callee="skip"),)),), (From(path=(Label((params[0].name,)),)),)),
                )
                body += [merge] if self.accept(merge, inner) else []
        if not body:
            return None
        self.names += 1
        node = BlockDef(
            name=f"{'tail' if macro else 'unit'}{self.names}",
            params=tuple(params),
            defaults=defaults,
            inits=inits,
            body=tuple(body),
        )
        self._pool(kind).append(node)
        self.run.definitions[node.name] = (node, macro)
        return node
