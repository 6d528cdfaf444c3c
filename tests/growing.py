"""How random specs are grown: statements run as soon as they stand, bodies, names and expressions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from evaluator import Env, Refused, Scope
from interpreter import Interpreter

from archdsl.syntax.expression import (
    Apply,
    Arg,
    Attribute,
    Binary,
    Expression,
    IfElse,
    Index,
    Label,
    Literal,
    Slice,
    StepPath,
    Unary,
    Word,
)
from archdsl.syntax.spec import BlockDef, Body, Output, Statement, Step

# Broken expressions (a list where a number is wanted) are the grower's fault: such a statement is dropped too.
DROPPED = (Refused, TypeError, AttributeError, KeyError, IndexError, ValueError, StopIteration, ZeroDivisionError)
_INPUTS = ((12,), (4, 32), (3, 16, 16), (3, 17, 20), (4, 24, 24), (3, 32, 24), (8, 12, 12), (2, 8, 9, 8), (4, 12, 8, 8))
LARGEST = 20_000  # numbers that a tensor has for one image
# Parameters of blocks that are named as settings of a convolution, to be passed on to it, and never its channels.
PASSED = ("bias", "stride", "groups")
_NAMES = "width out planes growth reduce expand squeeze mid wide cells kept inner base more code".split()
_LABELS = "conv bn fc head stem proj mix norm gate part layer stage down up cell".split()


class Growing:
    """What all constructs are grown with. wish: the constructs and ops that the spec should have."""

    run: Interpreter

    def __init__(self, seed: int, size: int, wish: Sequence[str] = ()) -> None:
        self.rng: Any = random.Random(seed)  # whose choices are of any kind
        self.size = size
        self.wish = list(wish)
        self.keep = False
        self.depth = 0
        self.names = 0
        self.side_heads = 0
        self.in_head = False
        self.loops: list[Word] = []
        # The definitions of the network's file and of the library that it uses; `used`: those of the latter are grown.
        self.blocks: list[BlockDef] = []
        self.macros: list[BlockDef] = []
        self.used_blocks: list[BlockDef] = []
        self.used_macros: list[BlockDef] = []
        self.used = False
        self.sizes = self.rng.choice([s for s in _INPUTS if len(s) == 3] if self.rng.random() < 0.6 else _INPUTS)

    def callable_blocks(self) -> list[BlockDef]:
        """The blocks that the file in which something is grown can call."""
        return self.used_blocks if self.used else [*self.blocks, *self.used_blocks]

    def callable_macros(self) -> list[BlockDef]:
        return self.used_macros if self.used else [*self.macros, *self.used_macros]

    def _lucky(self, feature: str, chance: float) -> bool:
        if feature in self.wish:
            self.wish.remove(feature)
            return True
        return bool(self.rng.random() < chance)

    # running what has been grown

    def _remembered(self, env: Env) -> Callable[[], None]:
        """What brings everything back to how it is now."""
        run, scope, variables = self.run, env.scope, dict(env.variables)
        before = (run.here, run.main, dict(run.outputs), scope.number, dict(scope.steps), set(scope.taken))
        modules, parameters = dict(scope.module._modules), dict(scope.module._parameters)

        def back() -> None:
            run.here, run.main, run.outputs, scope.number, scope.steps, scope.taken = before
            scope.module._modules, scope.module._parameters = modules, parameters
            env.variables.clear()
            env.variables.update(variables)

        return back

    @contextmanager
    def _undone(self, env: Env) -> Iterator[None]:
        """Whatever is run inside is forgotten."""
        back = self._remembered(env)
        try:
            yield
        finally:
            back()

    def accept(self, node: Statement, env: Env) -> bool:
        """Runs a statement; False, and nothing has happened, where it doesn't work."""
        back = self._remembered(env)
        try:
            when = None if isinstance(node, Output) else getattr(node, "when", None)
            if self.run.holds(when, env):
                self.run.statement(node, env)
        except DROPPED:
            back()
            return False
        return True

    # bodies

    def body(self, env: Env, size: int, labelled: bool) -> Body:
        """Up to `size` statements; the environment is theirs."""
        found: list[Statement] = []
        if labelled:
            found += self._statements(env, 1, [self.op])
        for _ in range(size):
            found += self._statements(env, 1)
        return tuple(found)

    def _statements(
        self, env: Env, count: int, kinds: Sequence[Callable[[Env], Statement | None]] = ()
    ) -> list[Statement]:
        found = []
        for _ in range(count):
            for _ in range(4):
                before = list(self.wish)
                make = self.rng.choice(kinds) if kinds else self.kind(env)
                node = make(env)
                if node is not None and self.accept(node, env):
                    found.append(node)
                    break
                self.wish = before
        return found

    def op(self, env: Env, kind: str = "") -> Step | None:
        """An op that fits the current tensor."""
        raise NotImplementedError

    def pick(self, *options: Expression) -> Expression:
        """One of several expressions."""
        picked: Expression = self.rng.choice(options)
        return picked

    def kind(self, env: Env) -> Callable[[Env], Statement | None]:
        """What to grow next."""
        raise NotImplementedError

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
        return int(self.rng.randint(1, max(1, 3 - self.depth)))

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
            if self.is_channels(node, env):
                return node
        return Literal(self.rng.choice([4, 8, 12, 16]))

    def is_channels(self, node: Expression, env: Env) -> bool:
        try:
            value = self.run.value(node, env)
        except DROPPED:
            return False
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and value == int(value) and 1 <= value <= 48

    def _channels(self, env: Env) -> Expression:
        rng = self.rng
        whole = [name for name, value in env.variables.items() if type(value) is int and value > 0]
        numbers = [name for name in whole if name not in PASSED]
        if rng.random() < 0.4:
            return Literal(rng.choice([2, 4, 8, 8, 12, 16]))
        lists = [
            name
            for name, value in env.variables.items()
            if isinstance(value, tuple) and value and all(type(v) is int for v in value)
        ]
        if lists and rng.random() < 0.4:
            name = rng.choice(lists)
            return self.pick(
                Index(Word(name), Literal(0)),
                Index(Word(name), Unary("-", Literal(1))),
                Apply("max", (Arg(None, (Word(name),)),)),
                Apply("sum", (Arg(None, (Slice(Word(name), None, Literal(2)),)),)),
                Apply("len", (Arg(None, (Word(name),)),)),
            )
        atom: Expression = (
            Word(rng.choice(numbers))
            if numbers and rng.random() < 0.7
            else Attribute(Word(rng.choice(["input", "here"])), "channels")
        )
        paths = self.paths(env)
        if paths and rng.random() < 0.15:
            atom = Attribute(StepPath(rng.choice(paths)), "channels")
        four = Literal(4)
        return self.pick(
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
            return self.pick(word, Unary("not", word))
        if not numbers:
            return Binary(
                rng.choice(["!=", ">", "<"]), Attribute(Word("here"), "channels"), Literal(rng.choice([3, 8]))
            )
        first = Binary(
            rng.choice([">", "<", "==", "!=", ">="]), Word(rng.choice(numbers)), Literal(rng.choice([0, 1, 2, 4, 8]))
        )
        return first if rng.random() < 0.7 else Binary(rng.choice(["and", "or"]), first, Unary("not", first))

    def count(self, env: Env, most: int = 3) -> Expression:
        small = [Word(name) for name, value in env.variables.items() if type(value) is int and 1 <= value <= 4]
        if small and self.rng.random() < 0.3:
            return self.pick(*small)
        return Literal(self.rng.choice([0, 1, 2, 2, most, most, 6] if self.keep else [1, 2, 2]))

    def paths(self, env: Env) -> list[tuple[Label, ...]]:
        """The named steps that can be seen from here."""
        found: dict[str, list[tuple[str, ...]]] = {}
        scope: Scope | None = env.scope
        while scope is not None:
            for name, (_, inner) in scope.steps.items():
                found.setdefault(name, [(name,), *_within(name, inner)])
            scope = scope.parent
        return [
            tuple(Label((name,)) for name in path)
            for paths in found.values()
            for path in paths
            if "batch" not in self.run.find(tuple(Label((name,)) for name in path), env).shape.axes
        ]


def _within(name: str, scope: Scope | None) -> list[tuple[str, ...]]:
    if scope is None:
        return []
    return [(name, *path) for inner, (_, deeper) in scope.steps.items() for path in [(inner,), *_within(inner, deeper)]]
