"""How random specs get what they were asked to have: each construct and op on a tensor that it fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluator import Env, Scope
from interpreter import Files
from occurrences import found_in
from op_cases import cases
from random_calls import CALLED, WEIGHTED, is_map
from random_joins import Joins

from archdsl.shape import Shape, image
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
    Slice,
    StepPath,
    Word,
)
from archdsl.syntax.spec import Body, Call, For, From, Group, Let, Output, Repeat, Statement, Step

# Construct -> how it is grown.
CONSTRUCTS = {
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
    "shortcut with label": "_residual",
    "shortcut when": "_residual",
    "shortcut when with body": "_residual",
    "output": "_output",
    "output when training": "_output",
    "output when not training": "_output",
    "block": "_block",
    "block default": "_block",
    "block init": "_block",
    "op parameter": "_block",
    "step parameter": "_block",
    "macro": "_block",
    "use": "_block",
}
# What blocks are defined with where it is wished for.
_OF_BLOCKS = (
    "typed parameter", "parameter with default", "none as op", "op with settings", "variable passed through",
)  # fmt: skip
# What stands among labelled steps only, and what among others only.
_LABELLED = frozenset(
    ("unused", "container", "chain with label", "step with label", "label with expression", "`parameter`")
)
_UNLABELLED = frozenset(("chain", "group", "step without label"))
_TRIES = 6


class Wishes(Joins):
    """Grows what was wished for and has not come by itself."""

    def finished(self, body: Sequence[Statement], returns: tuple[str, ...] = ()) -> Files:
        """The files with what has been grown so far."""
        raise NotImplementedError

    def kind(self, env: Env) -> Callable[[Env], Statement | None]:
        if self.depth >= 3 or self.rng.random() < 0.45:
            return self.op
        wished = [kind for kind in self.wish if kind in CONSTRUCTS]
        if wished and self.rng.random() < 0.3:
            return self._making(self.rng.choice(wished))
        return self._making(self.rng.choice(list(CONSTRUCTS)))

    def _making(self, kind: str) -> Callable[[Env], Statement | None]:
        return lambda env: getattr(self, CONSTRUCTS[kind])(env, kind)

    def grant(self, body: list[Statement], env: Env) -> None:
        """Adds what is still missing of what was wished for."""
        for wish in dict.fromkeys(self.wish):
            if wish in self._had(body):
                continue
            labelled = wish in _LABELLED if wish in _LABELLED | _UNLABELLED else env.scope.labelled
            if labelled == env.scope.labelled:
                self._granted(wish, body, env)
            else:
                self._granted_in_a_group(wish, body, env)

    def _had(self, body: Sequence[Statement]) -> set[str]:
        return found_in(self.finished(body))

    def _granted_in_a_group(self, wish: str, body: list[Statement], env: Env) -> None:
        """In a container whose steps have labels where those around it have none, or the other way round."""
        labelled = not env.scope.labelled
        with self._inside(False, fresh=True), self._undone(env):
            inner = env._replace(scope=Scope(labelled, env.scope), variables=dict(env.variables))
            inside: list[Statement] = [Step(label=self.label(inner), links=(Call(callee="identity"),))]
            self.accept(inside[0], inner)
            self._granted(wish, inside, inner)
        node = Group(label=self.label(env), body=tuple(inside))
        if self.accept(node, env):
            body.append(node)

    def _granted(self, wish: str, body: list[Statement], env: Env) -> None:
        for form in self._forms(wish):
            if not self._brought(form, body, env):
                continue
            for _ in range(_TRIES):
                before = len(self.blocks), len(self.macros), len(self.used_blocks), len(self.used_macros)
                nodes = self._made(wish, env)
                if nodes and wish in self._had([*body, *nodes]) and self._all_accepted(nodes, env):
                    body += nodes
                    return
                for pool, size in zip(
                    (self.blocks, self.macros, self.used_blocks, self.used_macros), before, strict=True
                ):
                    del pool[size:]

    def _all_accepted(self, nodes: Sequence[Statement], env: Env) -> bool:
        back = self._remembered(env)
        if all(self.accept(node, env) for node in nodes):
            return True
        back()
        return False

    # tensors to work on

    def _forms(self, wish: str) -> list[Shape | None]:
        """Shapes on which it may stand, None for that of the current tensor."""
        op = wish.strip("`")
        if op not in CALLED or not wish.startswith("`"):
            return [None, image(8, 4, 4), image(8)]
        shapes = [case.inputs[0] for case in cases(op) if int(str(case.inputs[0].elements)) < 2000]
        if shapes[0].axes not in _LAYOUT_OF:
            return [image(8, 4, 4)]
        layouts = {shape.axes: shape for shape in self.rng.sample(shapes, len(shapes))}
        usual: list[Shape | None] = [None, image(8, 4, 4)]
        return [*usual, *layouts.values(), *self.rng.sample(shapes, min(len(shapes), 3))]

    def _brought(self, form: Shape | None, body: list[Statement], env: Env) -> bool:
        """Brings the current tensor to a shape, in a way that leaves the input's sizes open."""
        here = self.run.here.shape
        if form is None or here == form:
            return True
        first, *layout = _LAYOUT_OF.get(form.axes, ())
        if not first:
            return False
        sizes = tuple(int(str(form.size(axis))) for axis in first.split())
        nodes = []
        if len(here.axes) > 1:
            nodes.append(self._wrapped(env, "mean"))
        nodes.append(self._wrapped(env, "linear", Literal(int(str(form.elements)))))
        if len(sizes) > 1:
            nodes.append(self._wrapped(env, "reshape", ListOf(tuple(map(Literal, sizes)))))
        nodes += [self._wrapped(env, op, *map(Word, words)) for op, *words in map(str.split, layout)]
        if not self._all_accepted(nodes, env):
            return False
        body += nodes
        return True

    # what is wished for

    def _made(self, wish: str, env: Env) -> list[Statement]:
        """Statements that may have it."""
        op = wish.strip("`")
        if wish.startswith("`") and op in CALLED and wish not in _RECIPES and op != "parameter":
            call = self._call(op, env)
            if call is None:
                return []
            return [Step(label=self.label(env, 1.0 if op in WEIGHTED else 0.4), links=(call,))]
        if wish in _RECIPES:
            return _RECIPES[wish](self, env)
        if wish in _OF_BLOCKS:
            node = self._block(env, wish)
        elif wish == "`parameter`":
            self.wish.append("parameter")
            node = self._merge(env, "add")
        elif wish == "skip":
            node = self._merge(env, "add")
        else:
            node = self._making(op)(env) if op in CONSTRUCTS else self._block(env, "block")
        return [node] if node else []

    def with_channels(self, env: Env, value: Expression) -> list[Statement]:
        """A layer with so many channels."""
        if not self.is_channels(value, env):
            return []
        if is_map(self.run.here.shape):
            return [self._wrapped(env, "conv", Literal(1), value)]
        return [self._wrapped(env, "linear", value)]

    def of_a_list(self, env: Env, make: Callable[[Expression], Expression]) -> list[Statement]:
        name = self.variable()
        let = Let(name=name, value=ListOf((Literal(8), Literal(4), Literal(12))))
        inner = env._replace(variables=env.variables | {name: (8, 4, 12)})
        return [let, *self.with_channels(inner, make(Word(name)))]

    def of_a_step(self, env: Env) -> list[Statement]:
        paths = [path for path in self.paths(env) if self.run.find(path, env).shape.size("channels")]
        return self.with_channels(env, Attribute(StepPath(self.rng.choice(paths)), "channels")) if paths else []

    def step(self, env: Env, *links: Call, least: float = 1.0) -> Step:
        return Step(label=self.label(env, least), links=links)

    def in_loop_with_labels(self, env: Env) -> list[Statement]:
        name = self.variable()
        label = Label((f"mix{self.names}_", Word(name)))
        body: Body = (Step(label=label, links=(Call(callee="tanh"),)),)
        return [For(names=(name,), over=Range(Literal(1), Literal(2)), body=body)]

    def out_of_a_container(self, env: Env) -> list[Statement]:
        label = self.label(env)
        path = (label or Label((str(env.scope.number),)), Label(("1",)))
        body: Body = (Step(links=(Call(callee="tanh"),)), Step(links=(Call(callee="silu"),)))
        return [Group(label=label, body=body), self.step(env, Call(callee="elu"), least=0.0), From(path=path)]

    def in_parts(self, env: Env) -> list[Statement]:
        """A map in parts, attention within them, and a map again."""
        if not is_map(self.run.here.shape):
            return []
        label = self.label(env)
        path = StepPath((label or Label((str(env.scope.number),)),))
        parts, size = Arg(None, (Word(self.rng.choice(["window", "grid"])),)), Arg(None, (Literal(2),))
        heads = Arg(None, (Literal(self.rng.choice([2, 4])),))
        return [
            Step(label=label, links=(Call(callee="identity"),)),
            self.step(env, Call(callee="partition", args=(parts, size)), least=0.0),
            self.step(env, Call(callee="relative_attention", args=(heads, size))),
            self.step(env, Call(callee="unpartition", args=(parts, size, Arg(None, (path,)))), least=0.0),
        ]

    def inside_a_container(self, env: Env) -> list[Statement]:
        self.side_heads += 1
        head = Output(name=f"aux{self.side_heads}", body=(Step(links=(Call(callee="softsign"),)),))
        return [Group(label=self.label(env), body=(Step(links=(Call(callee="tanh"),)), head))]

    def inside_a_block(self, env: Env) -> list[Statement]:
        """A call of a new block that has a side head."""
        node = self._block(env, "output in a block")
        return [node] if node else []


def _guarded(grower: Wishes, env: Env) -> list[Statement]:
    return [grower.step(env, Call(callee="tanh", when=grower.guard(env, 1.0)))]


def _first(grower: Wishes, env: Env) -> list[Statement]:
    word = Word(grower.rng.choice(["first", "last"]))
    body: Body = (Step(links=(Call(callee="tanh", when=word),)),)
    return [Repeat(count=Literal(2), index="i" if "i" not in env.variables else "k", body=body)]


_RECIPES: dict[str, Callable[[Wishes, Env], list[Statement]]] = {
    "if else": lambda g, env: g.with_channels(
        env, IfElse(Literal(8), Binary(">", Attribute(Word("here"), "channels"), Literal(4)), Literal(4))
    ),
    "function": lambda g, env: g.with_channels(
        env, Apply("max", (Arg(None, (Attribute(Word("here"), "channels"),)), Arg(None, (Literal(8),))))
    ),
    "index": lambda g, env: g.of_a_list(env, lambda name: Index(name, Literal(1))),
    "slice": lambda g, env: g.of_a_list(env, lambda name: Apply("sum", (Arg(None, (Slice(name, None, Literal(2)),)),))),
    "shape attribute": lambda g, env: g.with_channels(env, Attribute(Word("input"), "channels")),
    "attribute of a step": lambda g, env: g.of_a_step(env),
    "guard": _guarded,
    "first or last": _first,
    "flag": lambda g, env: [g.step(env, Call(callee="layernorm", args=(Arg(None, (Word("affine"),)),)))],
    "argument by name": lambda g, env: [g.step(env, Call(callee="dropout", args=(Arg("p", (Literal(0.2),)),)))],
    "init at a call": lambda g, env: [
        g.step(env, Call(callee="layernorm", args=(Arg(None, (Word("init_weight"), Literal(0.5))),)))
    ],
    "`relative_attention`": lambda g, env: g.in_parts(env),
    "`unpartition`": lambda g, env: g.in_parts(env),
    "from inside": lambda g, env: g.out_of_a_container(env),
    "output in a container": lambda g, env: g.inside_a_container(env),
    "output in a block": lambda g, env: g.inside_a_block(env),
    "label with expression": lambda g, env: g.in_loop_with_labels(env),
    "step with label": lambda g, env: [g.step(env, Call(callee="tanh"))],
    "step without label": lambda g, env: [Step(links=(Call(callee="tanh"),))],
    "chain": lambda g, env: [Step(links=(Call(callee="tanh"), Call(callee="silu")))],
    "chain with label": lambda g, env: [g.step(env, Call(callee="tanh"), Call(callee="silu"))],
}

# Axes -> those of a `reshape` that gives them, and the steps that reorder them.
_LAYOUT_OF: dict[tuple[str, ...], tuple[str, ...]] = {
    ("channels",): ("channels",),
    ("channels", "length"): ("channels length",),
    ("channels", "height", "width"): ("channels height width",),
    ("channels", "depth", "height", "width"): ("channels depth height width",),
    ("tokens", "channels"): ("channels tokens", "tokens"),
    ("length", "channels"): ("channels length", "layout NLC"),
    ("height", "width", "channels"): ("channels height width", "layout NHWC"),
    ("depth", "height", "width", "channels"): ("channels depth height width", "layout NDHWC"),
}
