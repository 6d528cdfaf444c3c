"""Random specs that a person could have written: all constructs, all ops, and (nearly) always valid.

A spec is grown statement by statement. Each is run by the interpreter as soon as it stands, so that the next one fits the
tensor that it gives; what the interpreter refuses is dropped. The compiler has no part in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from interpreter import BATCH, Env, Interpreter, Refused, Scope, Value
from random_calls import ACTIVATIONS, CALLED, WEIGHTED, Args, Caller, flat, is_map, last, lit

from archdsl.shape import Shape
from archdsl.syntax.expression import (
    Apply,
    Arg,
    Attribute,
    Binary,
    Expression,
    IfElse,
    Index,
    Label,
    ListOf,
    Literal,
    Range,
    SizeLiteral,
    Slice,
    StepPath,
    Unary,
    Word,
)
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
    Shortcut,
    Spec,
    Statement,
    Step,
    Unused,
)

# Broken expressions (a list where a number is wanted) are the grower's fault: such a statement is dropped too.
_DROPPED = (Refused, TypeError, AttributeError, KeyError, IndexError, ValueError, StopIteration, ZeroDivisionError)
_INPUTS = ((12,), (4, 32), (3, 16, 16), (3, 17, 20), (4, 24, 24), (3, 32, 24), (8, 12, 12), (2, 8, 9, 8), (4, 12, 8, 8))
_RANKS = (0, 1, 2, 2, 2, 2, 2, 3, 3)
_NEEDS_IMAGE = frozenset(("pixel_shuffle", "pixel_unshuffle"))
_NAMES = "width out planes growth reduce expand squeeze mid wide cells kept inner base more code".split()
_LABELS = "conv bn fc head stem proj mix norm gate part layer stage down up cell".split()


class Grower:
    """Grows one spec. wish: the constructs and ops that it should have."""

    def __init__(self, seed: int, size: int, wish: Sequence[str] = ()) -> None:
        self.rng = random.Random(seed)
        self.size = size
        self.wish = list(wish)
        self.keep = False
        self.depth = 0
        self.names = 0
        self.side_heads = 0
        self.loops: list[Word] = []
        self.refused: list[Spec] = []
        self.defaults: list[Settings] = []
        self.blocks: list[BlockDef] = []
        self.macros: list[BlockDef] = []
        self.samples: dict[str, Shape] = {}
        ranks = [sizes for sizes, _ in zip(_INPUTS, _RANKS, strict=True)]
        self.sizes = self.rng.choice([s for s in ranks if len(s) == 3] if _NEEDS_IMAGE & set(wish) or self.rng.random() < 0.6 else ranks)

    def spec(self) -> Spec:
        head: dict[str, Any] = {"network": "net1", "input": SizeLiteral(self.sizes)}
        head |= {"defaults": self._defaults(), "inits": self._inits(), "lets": self._file_lets(), "params": self._params()}
        self.run = Interpreter(Spec(**head, layers=()), self.sizes)
        env = self.run.top
        labelled = self.rng.random() < 0.6 or bool({"unused", "label expression", "parameter"} & set(self.wish))
        self.run.root.labelled = labelled
        with torch.device("meta"):
            body = list(self.body(env, self.size, labelled))
            for _ in range(3 * len(self.wish)):
                if not self.wish or not self._fulfil(body, env):
                    break
        names = [node.name for node in body if isinstance(node, Output)]
        if self._lucky("output main", 0.2):
            body.append(Output(name="logits"))
        returns: tuple[str, ...] = ()
        if names and self._lucky("returns", 0.3):
            every = [*dict.fromkeys(self.run.outputs), "logits"]
            self.rng.shuffle(every)
            returns = tuple(every)
        if not body:
            body = [Step(links=(Call(callee="identity"),))]
        return Spec(**head, blocks=tuple(self.blocks), macros=tuple(self.macros), layers=tuple(body), returns=returns)

    def _fulfil(self, body: list[Statement], env: Env) -> bool:
        """What is still wished for, on a tensor that it fits."""
        before = len(self.wish)
        for goal in ("map", "last", "flat"):
            body += self._adapter(env, goal)
            for _ in range(2):
                body += self._statements(env, 1)
        return len(self.wish) < before or self.rng.random() < 0.7

    # the head of the file

    def _lucky(self, feature: str, chance: float) -> bool:
        if feature in self.wish:
            self.wish.remove(feature)
            return True
        return self.rng.random() < chance

    def _defaults(self) -> tuple[Settings, ...]:
        if not self._lucky("default", 0.5):
            return ()
        choices = [
            Settings(op="conv", args=self.rng.choice([(Arg(None, (Word("pad"), Word("same"))),), (Arg(None, (Word("bias"), Literal(False))),)])),
            Settings(op="batchnorm", args=(Arg(None, (Word("eps"), Literal(1e-3))), Arg(None, (Word("momentum"), Literal(0.01))))),
            Settings(op="dropout", args=(Arg("p", (Literal(0.1),)),)),
            Settings(op="linear", args=(Arg(None, (Word("bias"), Literal(False))),)),
            Settings(op="dwconv", args=(Arg(None, (Word("bias"), Literal(False))),)),
        ]
        return tuple(self.rng.sample(choices, self.rng.randint(1, 3)))

    def _inits(self) -> tuple[Settings, ...]:
        if not self._lucky("init", 0.4):
            return ()
        fan = Apply("kaiming_normal", (Arg(None, (Word("fan_out"),)),))
        trunc = Apply("trunc_normal", (Arg(None, (Literal(0.02),)),))
        weight = lambda scheme: Arg(None, (Word("weight"), scheme))  # noqa: E731
        choices = [
            Settings(op="conv", args=(weight(fan), Arg(None, (Word("bias"), Literal(0))))),
            Settings(op="linear", args=(weight(self.rng.choice([trunc, Word("xavier_uniform")])),)),
            Settings(op="batchnorm", args=(weight(Literal(1)), Arg(None, (Word("bias"), Word("zeros"))))),
        ]
        return tuple(self.rng.sample(choices, self.rng.randint(1, 3)))

    def _file_lets(self) -> tuple[Let, ...]:
        if not self._lucky("file let", 0.3):
            return ()
        plan = ListOf(tuple(Literal(self.rng.choice([4, 8, 12])) for _ in range(3)))
        return (Let(name="ratio", value=Literal(self.rng.choice([2, 4]))), Let(name="plan", value=plan))

    def _params(self) -> tuple[Param, ...]:
        choices = [
            Param(name="classes", default=Literal(10)),
            Param(name="wide", default=Literal(self.rng.choice([4, 8]))),
            Param(name="deep", default=Literal(self.rng.choice([1, 2, 3]))),
            Param(name="act", type="op", default=Word(self.rng.choice(["relu", "gelu", "silu"]))),
            Param(name="kernels", type="list", default=ListOf((Literal(3), Literal(1)))),
        ]
        return tuple(self.rng.sample(choices, self.rng.randint(0, 4)))

    # running what has been grown

    @contextmanager
    def _undone(self, env: Env) -> Iterator[None]:
        """Whatever is run inside is forgotten."""
        run, scope = self.run, env.scope
        before = (run.here, run.main, dict(run.outputs), scope.number, dict(scope.steps), set(scope.taken))
        modules, parameters, variables = dict(scope.module._modules), dict(scope.module._parameters), dict(env.variables)
        try:
            yield
        finally:
            run.here, run.main, run.outputs, scope.number, scope.steps, scope.taken = before
            scope.module._modules, scope.module._parameters = modules, parameters
            env.variables.clear()
            env.variables.update(variables)

    def accept(self, node: Statement, env: Env) -> bool:
        """Runs a statement; False, and nothing has happened, where it doesn't work."""
        run, scope = self.run, env.scope
        before = (run.here, run.main, dict(run.outputs), scope.number, dict(scope.steps), set(scope.taken))
        modules, parameters, variables = dict(scope.module._modules), dict(scope.module._parameters), dict(env.variables)
        try:
            when = None if isinstance(node, Output) else getattr(node, "when", None)
            if run.holds(when, env):
                run.statement(node, env)
            if run.here.data.numel() > 40_000:
                raise Refused("too large")
        except _DROPPED:
            run.here, run.main, run.outputs, scope.number, scope.steps, scope.taken = before
            scope.module._modules, scope.module._parameters = modules, parameters
            env.variables.clear()
            env.variables.update(variables)
            return False
        return True

    # bodies

    def body(self, env: Env, size: int, labelled: bool) -> Body:
        """Up to `size` statements; the environment is theirs."""
        found: list[Statement] = []
        if labelled:
            found += self._statements(env, 1, [self._op])
        for _ in range(size):
            found += self._statements(env, 1)
        return tuple(found)

    def _statements(self, env: Env, count: int, kinds: Sequence[Callable[[Env], Statement | None]] = ()) -> list[Statement]:
        found = []
        for _ in range(count):
            for _ in range(4):
                before = list(self.wish)
                make = self.rng.choice(kinds) if kinds else self._kind(env)
                node = make(env)
                if node is not None and self.accept(node, env):
                    found.append(node)
                    break
                self.wish = before
        return found

    def _kind(self, env: Env) -> Callable[[Env], Statement | None]:
        wished = [kind for kind in self.wish if kind in _CONSTRUCTS]
        if wished and self.rng.random() < 0.5:
            kind = self.rng.choice(wished)
            self.wish.remove(kind)
            return lambda env: getattr(self, _CONSTRUCTS[kind])(env, kind)
        if self.depth >= 3 or self.rng.random() < 0.45:
            return self._op
        name = self.rng.choice(list(_CONSTRUCTS))
        return lambda env: getattr(self, _CONSTRUCTS[name])(env, name)

    @contextmanager
    def _inside(self, keep: bool | None = None, fresh: bool = False) -> Iterator[None]:
        """One level deeper; `fresh` is a container of its own, whose names needn't tell the loops around it."""
        before = (self.keep, self.loops)
        self.depth += 1
        self.keep = self.keep if keep is None else keep
        if fresh:
            self.loops = []
        try:
            yield
        finally:
            self.keep, self.loops = before
            self.depth -= 1

    def _some(self) -> int:
        return self.rng.randint(1, max(1, 3 - self.depth))

    def label(self, env: Env, least: float = 1.0) -> Label | None:
        """A name that is new in its container; with the counters of the loops around it."""
        if not env.scope.labelled or self.rng.random() > least:
            return None
        self.names += 1
        text = f"{self.rng.choice(_LABELS)}{self.names}"
        parts: list[Any] = [f"{text}_"] if self.loops else [text]
        for place, loop in enumerate(self.loops):
            parts += [*(["-"] if place else []), self.rng.choice([loop, Binary("+", loop, Literal(1))])]
        return Label(tuple(parts))

    def variable(self) -> str:
        self.names += 1
        return f"{self.rng.choice(_NAMES)}{self.names}"

    # expressions

    def channels(self, env: Env) -> Expression:
        """A number of channels, between 1 and 48."""
        for _ in range(4):
            node = self._channels(env)
            try:
                value = self.run.value(node, env)
            except _DROPPED:
                continue
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value) and 1 <= value <= 48:
                return node
        return Literal(self.rng.choice([4, 8, 12, 16]))

    def _channels(self, env: Env) -> Expression:
        rng, numbers = self.rng, [name for name, value in env.variables.items() if type(value) is int and value > 0]
        if rng.random() < 0.4:
            return Literal(rng.choice([2, 4, 8, 8, 12, 16]))
        lists = [name for name, value in env.variables.items() if isinstance(value, tuple) and value and all(type(v) is int for v in value)]
        if lists and rng.random() < 0.4:
            name = rng.choice(lists)
            return rng.choice(
                [
                    Index(Word(name), Literal(rng.choice([0, 1]))),
                    Index(Word(name), Unary("-", Literal(1))),
                    Apply("max", (Arg(None, (Word(name),)),)),
                    Apply("sum", (Arg(None, (Slice(Word(name), None, Literal(2)),)),)),
                    Apply("len", (Arg(None, (Word(name),)),)),
                ]
            )
        atom: Expression = Word(rng.choice(numbers)) if numbers and rng.random() < 0.7 else Attribute(Word(rng.choice(["input", "here"])), "channels")
        paths = self.paths(env)
        if paths and rng.random() < 0.15:
            atom = Attribute(StepPath(rng.choice(paths)), "channels")
        four = Literal(4)
        return rng.choice(
            [
                atom,
                atom,
                Binary("*", Literal(2), atom),
                Binary("//", atom, Literal(2)),
                Binary("+", atom, four),
                Binary("*", atom, Literal(0.5)),
                Binary("*", four, Binary("+", atom, Literal(1))),
                Binary("**", Literal(2), Binary("%", atom, four)),
                Apply("divisible", (Arg(None, (Binary("*", atom, Literal(1.5)),)), Arg(None, (four,)))),
                Apply("max", (Arg(None, (atom,)), Arg(None, (Literal(8),)))),
                IfElse(Literal(8), Binary(rng.choice([">", "==", "<="]), atom, four), atom),
                Apply("int", (Arg(None, (Binary("/", atom, Literal(2)),)),)),
            ]
        )

    def guard(self, env: Env, chance: float = 0.2) -> Expression | None:
        """A condition that is known when compiling."""
        if not self._lucky("guard", chance):
            return None
        rng = self.rng
        numbers = [name for name, value in env.variables.items() if type(value) in (int, float)]
        flags = [name for name, value in env.variables.items() if type(value) is bool]
        if flags and rng.random() < 0.6:
            word = Word(rng.choice(flags))
            return rng.choice([word, Unary("not", word)])
        if not numbers:
            return Binary(rng.choice(["!=", ">", "<"]), Attribute(Word("here"), "channels"), Literal(rng.choice([3, 8])))
        first = Binary(rng.choice([">", "<", "==", "!=", ">="]), Word(rng.choice(numbers)), Literal(rng.choice([0, 1, 2, 4, 8])))
        return first if rng.random() < 0.7 else Binary(rng.choice(["and", "or"]), first, Unary("not", first))

    def count(self, env: Env, most: int = 3) -> Expression:
        small = [Word(name) for name, value in env.variables.items() if type(value) is int and 1 <= value <= 4]
        if small and self.rng.random() < 0.3:
            return self.rng.choice(small)
        return Literal(self.rng.choice([0, 1, 2, 2, most, most, 6] if self.keep else [1, 2, 2]))

    def paths(self, env: Env) -> list[tuple[Label, ...]]:
        """The named steps that can be seen from here."""
        found: dict[str, list[tuple[str, ...]]] = {}
        scope: Scope | None = env.scope
        while scope is not None:
            for name, (_, inner) in scope.steps.items():
                found.setdefault(name, [(name,), *_within(name, inner)])
            scope = scope.parent
        return [tuple(Label((name,)) for name in path) for paths in found.values() for path in paths if "batch" not in self.run.find(tuple(Label((name,)) for name in path), env).shape.axes]

    # steps

    def _op(self, env: Env, kind: str = "") -> Statement | None:
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
        given = {part.name for arg in args for part in arg.parts[:1] if isinstance(part, Word)} | {arg.name for arg in args}
        for name in ("bias", "stride", "groups"):
            if name in env.variables and op == "conv" and name not in given and self.rng.random() < 0.5:
                args = (*args, Arg(None, (Word(name),)))
        if op in WEIGHTED - {"parameter"} and self._lucky("init at call", 0.08):
            args = (*args, Arg(None, (Word("init_weight"), Literal(0.5))))
        return args

    def _wrapped(self, env: Env, op: str, *args: Expression) -> Statement:
        label = self.label(env) if op in WEIGHTED else None
        return Step(label=label, links=(Call(callee=op, args=tuple(Arg(None, (arg,)) for arg in args)),))

    def project(self, env: Env, channels: Expression) -> list[Statement]:
        """Brings the current tensor to so many channels, if it isn't there."""
        if self.run.here.shape.channels == self.run.value(channels, env):
            return []
        shape = self.run.here.shape
        node = self._wrapped(env, "conv", Literal(1), channels) if is_map(shape) else self._wrapped(env, "linear", channels)
        if is_map(shape):
            link = node.links[0]  # type: ignore[union-attr]
            node = Step(label=node.label, links=(Call(callee="conv", args=(*link.args, Arg(None, (Word("pad"), Literal(0))))),))  # type: ignore[union-attr]
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
        if self.blocks and self.rng.random() < 0.3:
            call = self._use(self.rng.choice(self.blocks), env)
            return call and Step(links=(call,))
        node = self._op(env)
        return node and Step(links=node.links)  # type: ignore[union-attr]

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
            if self.blocks and self.rng.random() < 0.8:
                link = self._use(self.rng.choice(self.blocks), inner)
            else:
                step = self._op(inner)
                link = None if step is None else step.links[0]  # type: ignore[union-attr]
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
            rows = tuple((Literal(c), Literal(rng.choice([1, 3])), Word(op) if op != "none" else Literal(None)) for c, op in zip(sizes, ops, strict=True))
        elif kind == "for unpack":
            names = (names[0], self.variable())
            over = ListOf(tuple(ListOf((Literal(c), Literal(rng.choice([1, 2])))) for c in sizes))
        elif kind == "for range":
            over = Range(Literal(rng.choice([0, 1])), Literal(rng.choice([1, 2, 3])))
        else:
            lists = [name for name, value in env.variables.items() if isinstance(value, tuple) and len(set(value)) == len(value)]
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

    # merges

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
        return Merge.model_validate({"kind": merge, "along": along, "when": self.guard(env, 0.08), "branches": tuple(branches)})

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
        conv = Call(callee="conv", args=(Arg(None, (Literal(1),)), Arg(None, (Literal(channels),)), Arg(None, (Word("pad"), Literal(0)))))
        pool = Call(callee="avgpool", args=(Arg(None, (Word("to"), Literal(1))),))
        return (Step(label=self.label(env), links=(pool, conv, Call(callee="sigmoid"))),)

    def _residual(self, env: Env, kind: str) -> Statement | None:
        rng, start = self.rng, self.run.here
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
                shortcut = self._shortcut(inner, body, start, "shortcut when body" if flat(start.shape) else kind)
        if not body:
            return None
        return Residual(when=self.guard(env, 0.08), body=tuple(body), shortcut=shortcut)

    def _shortcut(self, env: Env, body: list[Statement], start: Value, kind: str) -> Shortcut | None:
        """A projection to what the body gives; where the body has no stride of its own it may get one."""
        out = Literal(self.run.here.shape.channels)
        if is_map(start.shape):
            args = (Arg(None, (Literal(1),)), Arg(None, (out,)), Arg(None, (Word("pad"), Literal(0))))
            strided = (Arg(None, (Word("stride"), Literal(2))),)
            if self.rng.random() < 0.5:
                node = Step(label=self.label(env), links=(Call(callee="conv", args=(*args, *strided)),))
                if self.accept(node, env):
                    body.append(node)
                    args = (*args, *strided)
            call = Call(callee="conv", args=args)
        else:
            call = Call(callee="linear", args=(Arg(None, (out,)),))
        label = self.label(env) if kind == "shortcut label" else None
        inside = None if label is not None or not env.scope.labelled else self.label(env)
        links = (call, Call(callee="batchnorm")) if self.rng.random() < 0.4 and is_map(start.shape) else (call,)
        when = None
        if kind == "shortcut when body":
            when = Binary("!=", out, Literal(start.shape.channels)) if self.rng.random() < 0.5 else Binary(">", Literal(2), Literal(1))
        return Shortcut(label=label, when=when, body=(Step(label=inside, links=links),))

    # outputs, blocks, macros

    def _output(self, env: Env, kind: str) -> Statement | None:
        if self.loops or self.depth or self.side_heads > 3:
            return None
        self.side_heads += 1
        when: Expression | None = {"output training": Word("training"), "output eval": Unary("not", Word("training"))}.get(kind)
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
        if rng.random() < 0.3:
            name = rng.choice(["stride", "bias", "groups"])
            params.append(Param(name=name, default=Literal(True) if name == "bias" else Literal(1)))
        if kind == "op param" or rng.random() < 0.3:
            default = rng.choice([Word("relu"), Literal(None), Apply("layernorm", (Arg("eps", (Literal(1e-6),)),)), Apply("leaky_relu", (Arg(None, (Literal(0.2),)),))])
            params.append(Param(name=self.variable(), type="op", default=default))
        step = kind == "step param" and bool(self.paths(env))
        if step:
            params.insert(0, Param(name=self.variable(), type="step"))
        variables = dict(self.run.lets)
        for param in params:
            if param.type == "step":
                variables[param.name] = start
            else:
                variables[param.name] = bound[param.name] if param.default is None else self.run.value(param.default, env._replace(variables=variables))
        labelled = rng.random() < 0.6
        defaults = (Settings(op="conv", args=(Arg(None, (Word("bias"), Literal(False))),)),) if kind == "block default" else ()
        inits = (Settings(op="linear", args=(Arg(None, (Word("weight"), Literal(0.1))),)),) if kind == "block init" else ()
        with self._inside(self.keep or rng.random() < 0.4, fresh=True), self._undone(env):
            inner = Env(variables, Scope(labelled, env.scope if macro else None), start, env.defaults if macro else (self.run.file_defaults,))
            body = list(self.body(inner, self._some() + 1, labelled))
            for param in params:
                if param.type == "op":
                    call = Step(label=self.label(inner), links=(Call(callee=param.name),))
                    body += [call] if self.accept(call, inner) else []
            if step:
                merge = Merge(kind=rng.choice(["add", "concat"]), branches=((Step(links=(Call(callee="skip"),)),), (From(path=(Label((params[0].name,)),)),)))
                body += [merge] if self.accept(merge, inner) else []
        if not body:
            return None
        self.names += 1
        node = BlockDef(name=f"{'tail' if macro else 'unit'}{self.names}", params=tuple(params), defaults=defaults, inits=inits, body=tuple(body))
        self._pool(kind).append(node)
        self.run.definitions[node.name] = (node, macro)
        return node

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
                args.append(Arg(param.name, (value,)) if rng.random() < 0.2 and len(args) == len(node.params) - 1 else Arg(None, (value,)))
            elif rng.random() < 0.4:
                args.append(Arg(param.name, (self._setting(param, env),)))
        return Call(callee=node.name, args=tuple(args), when=self.guard(env, 0.05) if self.depth == 0 else None)

    def _setting(self, param: Param, env: Env) -> Expression:
        if param.type == "op":
            return self.rng.choice([Word("gelu"), Word("tanh"), Literal(None), Word("relu6")])
        if param.name == "bias":
            return Literal(False)
        return Literal(self.rng.choice([1, 2]))


def _within(name: str, scope: Scope | None) -> list[tuple[str, ...]]:
    if scope is None:
        return []
    return [(name, *path) for inner, (_, deeper) in scope.steps.items() for path in [(inner,), *_within(inner, deeper)]]


def _fixed(env: Env, here: Value) -> bool:
    return not (is_map(here.shape) or last(here.shape))


# Construct -> how it is grown.
_CONSTRUCTS = {
    "chain": "_chain",
    "let": "_let",
    "from": "_from",
    "from inside": "_from",
    "unused": "_unused",
    "group": "_group",
    "container": "_group",
    "repeat": "_loop",
    "repeat as": "_loop",
    "dense": "_loop",
    "dense as": "_loop",
    "n x": "_times",
    "for table": "_for",
    "for list": "_for",
    "for range": "_for",
    "for unpack": "_for",
    "add": "_merge",
    "multiply": "_merge",
    "concat": "_merge",
    "concat along": "_merge",
    "residual": "_residual",
    "shortcut": "_residual",
    "shortcut label": "_residual",
    "shortcut when": "_residual",
    "shortcut when body": "_residual",
    "output": "_output",
    "output training": "_output",
    "output eval": "_output",
    "block": "_block",
    "block default": "_block",
    "block init": "_block",
    "op param": "_block",
    "step param": "_block",
    "macro": "_block",
}
