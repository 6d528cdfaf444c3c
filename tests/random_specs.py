"""Random specs that a person could have written: all constructs, all ops, and (nearly) always valid.

A spec is grown statement by statement. Each is run by the interpreter as soon as it stands, so that the next one fits
the tensor that it gives; what the interpreter refuses is dropped. The compiler has no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from growing import LARGEST
from interpreter import Files, Interpreter
from occurrences import EVERYTHING
from random_wishes import Wishes

from archdsl.syntax.expression import Apply, Arg, Binary, Expression, ListOf, Literal, SizeLiteral, Word
from archdsl.syntax.spec import Call, Let, Output, Param, Settings, Spec, Statement, Step


def wishes() -> tuple[str, ...]:
    """What can be wished for: constructs and ops, by their names in `occurrences`."""
    return EVERYTHING


class Grower(Wishes):
    """Grows one spec, of one to three files."""

    def files(self) -> Files:
        """The spec, with as much of what was wished for as could be had."""
        head: dict[str, Any] = {"network": "net1", "input": SizeLiteral(self.sizes), "lets": self._file_lets()}
        head |= {"defaults": self._defaults(), "inits": self._inits(), "params": self._params()}
        asked = self._extension(head["params"]) if self._lucky("extends", 0.15) else None
        library = Spec(lets=(Let(name="usual", value=Literal(8)),), defaults=self._defaults(), inits=self._inits())
        self.head = self._joined(Spec(**head, use=("units",), layers=()), asked, library)
        self.run = Interpreter(self.head, self.sizes, largest=LARGEST)
        self.library = self.run.unit_of(library, (library,))
        body = self._grown()
        if self._lucky("output of the main line", 0.2):
            body.append(Output(name="logits"))
        returns = [*dict.fromkeys(self.run.outputs), "logits"]
        self.rng.shuffle(returns)
        if len(returns) == 1 or not self._lucky("returns", 0.3):
            returns = []
        return self.finished(body, tuple(returns))

    def _grown(self) -> list[Statement]:
        env = self.run.top
        self.wish += ["output"] if "returns" in self.wish else []
        labelled = self.run.root.labelled = self.rng.random() < 0.6
        with torch.no_grad():
            body = list(self.body(env, self.size, labelled))
            self.grant(body, env)
        return body or [Step(links=(Call(callee="identity"),))]

    def finished(self, body: Sequence[Statement], returns: tuple[str, ...] = ()) -> Files:
        """The files with what has been grown so far."""
        base, library = self.head.chain[-1], self.head.others["units"]
        library = library.model_copy(update={"blocks": tuple(self.used_blocks), "macros": tuple(self.used_macros)})
        more: dict[str, Any] = {"blocks": tuple(self.blocks), "macros": tuple(self.macros)}
        more |= {"layers": tuple(body), "returns": returns, "use": ("units",)}
        if not (self.used_blocks or self.used_macros):
            more["use"] = ()
        return self._joined(base.model_copy(update=more), self.head.asked, library)

    def _joined(self, base: Spec, asked: Spec | None, library: Spec) -> Files:
        others = {"units": library} if base.use else {}
        if asked is None or asked.extends is None:
            return Files(base, others)
        doubled = SizeLiteral(tuple(2 * size for size in self.sizes))  # never read
        return Files(asked, others | {"net1": base.model_copy(update={"input": doubled})})

    def _extension(self, params: tuple[Param, ...]) -> Spec:
        """A file that gives the network other values; its input is the one that counts."""
        given = []
        for param in params:
            match param.default:
                case Literal(int(value)) if self.rng.random() < 0.6:
                    given.append(Param(name=param.name, default=Binary("*", Word("scale"), Literal(value))))
                case Word() if self.rng.random() < 0.6:
                    given.append(Param(name=param.name, default=Word("tanh")))
        lets = (Let(name="scale", value=Literal(self.rng.choice([1, 2]))),)
        more: dict[str, Any] = {"defaults": self._defaults(), "inits": self._inits()}
        return Spec(
            network="net2", extends="net1", lets=lets, params=tuple(given), input=SizeLiteral(self.sizes), **more
        )

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
        least = 1 if self._lucky("parameter of the network", 0.0) else 0
        return tuple(self.rng.sample(choices, self.rng.randint(least, 4)))
