"""Random steps: calls, chains, containers and repetition."""

from __future__ import annotations

from typing import Any

from evaluator import Env, Scope, Value
from growing import PASSED, Growing
from random_calls import ACTIVATIONS, CALLED, WEIGHTED, Args, Caller, flat, is_map, last

from archdsl.ops import BY_NAME
from archdsl.syntax.expression import Arg, Expression, ListOf, Literal, Range, StepPath, Word
from archdsl.syntax.spec import BlockDef, Call, Dense, For, From, Group, Let, Param, Repeat, Statement, Step, Unused


class Steps(Growing):
    """Calls, chains, containers and repetition."""

    def op(self, env: Env, kind: str = "") -> Step | None:
        wished = [op for op in self.wish if op in CALLED]
        for _ in range(6):
            op = self.rng.choice(wished) if wished and self.rng.random() < 0.7 else self.rng.choice(CALLED)
            call = self._call(op, env)
            if call is not None:
                if op in self.wish:
                    self.wish.remove(op)
                return Step(label=self.label(env, 1.0 if op in WEIGHTED else 0.4), links=(call,))
        return None

    def _call(self, op: str, env: Env) -> Call | None:
        args = Caller(self.rng, self.run.here.shape, self.keep, lambda: self.channels(env)).call(op)
        if args is None:
            return None
        args = self._spelled(op, args, env)
        when = self.guard(env, 0.06) if not self.keep or op in ACTIVATIONS else None
        return Call(callee=op, args=args, when=when)

    def _spelled(self, op: str, args: Args, env: Env) -> Args:
        """Some arguments taken from variables, and an initialisation."""
        given = {part.name for arg in args for part in arg.parts[:1] if isinstance(part, Word)} | {
            arg.name for arg in args
        }
        for name in PASSED:
            if name in env.variables and op == "conv" and name not in given and self.rng.random() < 0.8:
                args = (*args, Arg(None, (Word(name),)))
        if op in WEIGHTED - {"parameter"} and self._lucky("init at a call", 0.08):
            args = (*args, Arg(None, (Word(f"init_{BY_NAME[op].weights[0]}"), Literal(0.5))))
        return args

    def _wrapped(self, env: Env, op: str, *args: Expression) -> Step:
        label = self.label(env) if op in WEIGHTED else None
        return Step(label=label, links=(Call(callee=op, args=tuple(Arg(None, (arg,)) for arg in args)),))

    def project(self, env: Env, channels: Expression) -> list[Statement]:
        """Brings the current tensor to so many channels, if it isn't there."""
        if self.run.here.shape.channels == self.run.value(channels, env):
            return []
        shape = self.run.here.shape
        node = (
            self._wrapped(env, "conv", Literal(1), channels)
            if is_map(shape)
            else self._wrapped(env, "linear", channels)
        )
        if is_map(shape):
            link = node.links[0]
            node = Step(
                label=node.label, links=(Call(callee="conv", args=(*link.args, Arg(None, (Word("pad"), Literal(0))))),)
            )
        return [node] if self.accept(node, env) else []

    def _adapter(self, env: Env, goal: str) -> list[Statement]:
        """Steps that bring the current tensor to a map, to channels last, or to channels alone."""
        shape = self.run.here.shape
        fits = {"map": is_map, "last": last, "flat": flat}[goal](shape)
        if fits or not isinstance(shape.elements, int):
            return []
        if goal == "map":
            quarter = shape.elements // 16
            sizes = (quarter, 4, 4) if shape.elements % 16 == 0 else (shape.elements, 1, 1)
            node = self._wrapped(env, "reshape", ListOf(tuple(map(Literal, sizes))))
        elif goal == "last":
            node = self._wrapped(env, "tokens")
        else:
            node = self._wrapped(env, self.rng.choice(["mean", "flatten"] if shape.elements < 2000 else ["mean"]))
        return [node] if self.accept(node, env) else []

    def _chain(self, env: Env, kind: str) -> Statement | None:
        label = self.label(env)
        scope = Scope(False, env.scope) if label is not None else env.scope
        inner = env._replace(scope=scope, variables=dict(env.variables))
        links: list[Call] = []
        with self._inside(), self._undone(env):
            for _ in range(self.rng.randint(2, 3)):
                found = self._statements(inner, 1, [self._link])
                links += [link for node in found if isinstance(node, Step) for link in node.links]
        return Step(label=label, links=tuple(links)) if len(links) > 1 else None

    def _link(self, env: Env) -> Statement | None:
        if self.callable_blocks() and self.rng.random() < 0.3:
            call = self._use(self.rng.choice(self.callable_blocks()), env)
            return Step(links=(call,)) if call else None
        node = self.op(env)
        return Step(links=node.links) if node else None

    def _let(self, env: Env, kind: str) -> Statement | None:
        return Let(name=self.variable(), value=self.channels(env))

    def _from(self, env: Env, kind: str) -> Statement | None:
        paths = self.paths(env)
        if not paths or self.keep:
            return None
        deep = [path for path in paths if len(path) > 1]
        return From(path=self.rng.choice(deep if kind == "from inside" and deep else paths))

    def _unused(self, env: Env, kind: str) -> Statement | None:
        if not env.scope.labelled or self.run.here.shape.axes[-1] != "channels":
            return None
        label = self.label(env)
        assert label is not None
        return Unused(label=label, call=Call(callee="linear", args=(Arg(None, (self.channels(env),)),)))

    def _group(self, env: Env, kind: str) -> Statement | None:
        label = self.label(env, 1.0 if kind == "container" else 0.5)
        labelled = self.rng.random() < 0.5
        with self._inside(fresh=True), self._undone(env):
            inner = env._replace(scope=Scope(labelled, env.scope), variables=dict(env.variables))
            body = self.body(inner, self._some(), labelled)
        if label is None and env.scope.labelled:
            return None
        return Group(label=label, when=self.guard(env, 0.1), body=body) if body else None

    # repetition

    def _loop(self, env: Env, kind: str) -> Statement | None:
        keep = self.keep or kind == "dense" or kind == "dense as" or self.rng.random() < 0.6
        index = "i" if kind in ("repeat", "dense") and not self.loops else f"j{self.depth}"
        bound = {index: 0, "first": True, "last": False}
        if index in env.variables and index != "i":
            return None
        with self._inside(keep), self._undone(env):
            self.loops = [*self.loops, Word(index)]
            inner = env._replace(variables=env.variables | bound)
            body = list(self.body(inner, self._some(), env.scope.labelled))
            if kind.startswith("repeat") and self.keep and self.rng.random() < 0.7 and not _fixed(env, self.run.here):
                body += self.project(inner, Literal(self.run.here.shape.channels))
            count = self.count(env)
        if not body:
            return None
        when = self.guard(env, 0.08)
        if kind.startswith("dense"):
            return Dense(count=count, index=index, when=when, body=tuple(body))
        return Repeat(count=count, index=index, when=when, body=tuple(body))

    def _times(self, env: Env, kind: str) -> Statement | None:
        """`3 x block`, `2 x relu`."""
        label = self.label(env)
        scope = Scope(False, env.scope) if label is not None else env.scope
        with self._undone(env), self._inside(True):
            inner = env._replace(scope=scope, variables=env.variables | {"i": 0, "first": True, "last": False})
            link = None
            if self.callable_blocks() and self.rng.random() < 0.8:
                link = self._use(self.rng.choice(self.callable_blocks()), inner)
            else:
                step = self.op(inner)
                link = None if step is None else step.links[0]
            count = self.count(env)
        if link is None or link.count is not None:
            return None
        return Step(label=label, links=(link.model_copy(update={"count": count, "when": None}),))

    def _for(self, env: Env, kind: str) -> Statement | None:
        rng = self.rng
        names: tuple[str, ...] = (self.variable(),)
        rows: Any = None
        over: Expression | None = None
        sizes = rng.sample([4, 6, 8, 12, 16], rng.randint(1, 3))
        if kind == "for table":
            names = (names[0], self.variable(), self.variable())
            ops = rng.sample(["relu", "gelu", "none", "silu"], len(sizes))
            rows = tuple(
                (Literal(c), Literal(rng.choice([1, 3])), Word(op) if op != "none" else Literal(None))
                for c, op in zip(sizes, ops, strict=True)
            )
        elif kind == "for unpack":
            names = (names[0], self.variable())
            over = ListOf(tuple(ListOf((Literal(c), Literal(rng.choice([1, 2])))) for c in sizes))
        elif kind == "for range":
            over = Range(Literal(rng.choice([0, 1])), Literal(rng.choice([1, 2, 3])))
        else:
            lists = [
                name for name, value in env.variables.items() if type(value) is tuple and len(set(value)) == len(value)
            ]
            over = Word(rng.choice(lists)) if lists and rng.random() < 0.5 else ListOf(tuple(map(Literal, sizes)))
        made = For(names=names, rows=rows, over=over, body=())
        bound = next(iter(self.run._rows(made, env)), None)
        if bound is None:
            return None
        with self._inside(self.keep or rng.random() < 0.6), self._undone(env):
            counter = Word("row") if kind == "for table" and not self.loops else Word(names[0])
            self.loops = [*self.loops, counter]
            inner = env._replace(variables=env.variables | bound)
            body = self.body(inner, self._some(), env.scope.labelled)
            if kind == "for table" and isinstance(bound[names[2]], (str, type(None))):
                body = (*body, Step(links=(Call(callee=names[2]),)))
        return made.model_copy(update={"body": body, "when": self.guard(env, 0.08)}) if body else None

    def _use(self, node: BlockDef, env: Env) -> Call | None:
        rng = self.rng
        args: list[Arg] = []
        for param in node.params:
            if param.type == "step":
                paths = self.paths(env)
                if not paths:
                    return None
                path = rng.choice(paths)
                args.append(Arg(None, (StepPath(path),)))
            elif param.default is None:
                value = self.channels(env)
                args.append(
                    Arg(param.name, (value,))
                    if rng.random() < 0.2 and len(args) == len(node.params) - 1
                    else Arg(None, (value,))
                )
            elif rng.random() < 0.4:
                args.append(Arg(param.name, (self._setting(param, env),)))
        return Call(callee=node.name, args=tuple(args), when=self.guard(env, 0.05) if self.depth == 0 else None)

    def _setting(self, param: Param, env: Env) -> Expression:
        if param.type == "op":
            return self.pick(Word("gelu"), Word("tanh"), Literal(None), Word("relu6"))
        if param.name == "bias":
            return Literal(False)
        return Literal(self.rng.choice([1, 2]))


def _fixed(env: Env, here: Value) -> bool:
    return not (is_map(here.shape) or last(here.shape))
