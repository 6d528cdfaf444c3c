"""Random specs that a person could have written: all constructs, all ops, and (nearly) always valid.

A spec is grown statement by statement. Each is run by the interpreter as soon as it stands, so that the next one fits
the tensor that it gives; what the interpreter refuses is dropped. The compiler has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from evaluator import Env
from interpreter import Interpreter
from random_calls import CALLED
from random_joins import Joins

from archdsl.syntax.expression import Apply, Arg, Expression, ListOf, Literal, SizeLiteral, Word
from archdsl.syntax.spec import Call, Let, Output, Param, Settings, Spec, Statement, Step

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
}

# What else a spec can be asked to have.
_MORE = ("default", "init", "init at a call", "let of the file", "guard", "returns", "output of the main line")


def wishes() -> tuple[str, ...]:
    """What can be wished for: constructs by their names in `occurrences`, and ops."""
    return (*CONSTRUCTS, *_MORE, *CALLED)


class Grower(Joins):
    """Grows one spec."""

    def spec(self) -> Spec:
        head: dict[str, Any] = {"network": "net1", "input": SizeLiteral(self.sizes)}
        head |= {
            "defaults": self._defaults(),
            "inits": self._inits(),
            "lets": self._file_lets(),
            "params": self._params(),
        }
        self.run = Interpreter(Spec(**head, layers=()), self.sizes)
        env = self.run.top
        labelled = self.rng.random() < 0.6 or bool({"unused", "label with expression", "parameter"} & set(self.wish))
        self.run.root.labelled = labelled
        with torch.device("meta"):
            body = list(self.body(env, self.size, labelled))
            for _ in range(3 * len(self.wish)):
                if not self.wish or not self._fulfil(body, env):
                    break
        names = [node.name for node in body if isinstance(node, Output)]
        if self._lucky("output of the main line", 0.2):
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

    def _defaults(self) -> tuple[Settings, ...]:
        if not self._lucky("default", 0.5):
            return ()
        choices = [
            Settings(
                op="conv",
                args=self.rng.choice(
                    [(Arg(None, (Word("pad"), Word("same"))),), (Arg(None, (Word("bias"), Literal(False))),)]
                ),
            ),
            Settings(
                op="batchnorm",
                args=(Arg(None, (Word("eps"), Literal(1e-3))), Arg(None, (Word("momentum"), Literal(0.01)))),
            ),
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

        def weight(scheme: Expression) -> Arg:
            return Arg(None, (Word("weight"), scheme))

        choices = [
            Settings(op="conv", args=(weight(fan), Arg(None, (Word("bias"), Literal(0))))),
            Settings(op="linear", args=(weight(self.rng.choice([trunc, Word("xavier_uniform")])),)),
            Settings(op="batchnorm", args=(weight(Literal(1)), Arg(None, (Word("bias"), Word("zeros"))))),
        ]
        return tuple(self.rng.sample(choices, self.rng.randint(1, 3)))

    def _file_lets(self) -> tuple[Let, ...]:
        if not self._lucky("let of the file", 0.3):
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

    def kind(self, env: Env) -> Callable[[Env], Statement | None]:
        wished = [kind for kind in self.wish if kind in CONSTRUCTS]
        if wished and self.rng.random() < 0.5:
            kind = self.rng.choice(wished)
            self.wish.remove(kind)
            return lambda env: getattr(self, CONSTRUCTS[kind])(env, kind)
        if self.depth >= 3 or self.rng.random() < 0.45:
            return self.op
        name = self.rng.choice(list(CONSTRUCTS))
        return lambda env: getattr(self, CONSTRUCTS[name])(env, name)
