"""Which constructs and ops a spec has, and how often they have met in a run of many specs."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from interpreter import Files
from pydantic import BaseModel

from archdsl.ops import BY_NAME
from archdsl.syntax import expression as ex
from archdsl.syntax import spec as ast

CONSTRUCTS = (
    "step with label", "step without label", "label with expression", "chain", "chain with label", "guard",
    "container", "group", "repeat", "repeat as", "n x", "for table", "for list", "for range", "for unpack", "add",
    "multiply", "concat", "concat along", "skip", "residual", "shortcut", "shortcut with label", "shortcut when",
    "shortcut when with body", "dense", "dense as", "output", "output when training", "output when not training",
    "output in a block", "output in a container", "output of the main line", "returns", "extends", "use", "from",
    "from inside", "let", "let of the file", "block", "block default", "block init", "macro",
    "parameter of the network", "parameter with default", "typed parameter", "op parameter", "step parameter",
    "op with settings", "default", "init", "init at a call", "unused", "if else", "function", "index", "slice",
    "shape attribute", "attribute of a step", "flag", "argument by name", "variable passed through",
    "first or last", "none as op",
)  # fmt: skip
OPS = tuple(BY_NAME)
EVERYTHING = (*CONSTRUCTS, *(f"`{op}`" for op in OPS))
PAIRS = tuple(itertools.combinations(sorted(EVERYTHING), 2))


class Occurrences:
    """Counts of constructs and ops, one a spec, alone and in pairs."""

    def __init__(self) -> None:
        self.specs = 0
        self.alone: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, files: Files) -> None:
        found = sorted(found_in(files))
        self.specs += 1
        self.alone.update(found)
        self.pairs.update(itertools.combinations(found, 2))

    def __add__(self, other: Occurrences) -> Occurrences:
        both = Occurrences()
        both.specs = self.specs + other.specs
        both.alone = self.alone + other.alone
        both.pairs = self.pairs + other.pairs
        return both

    def wanted(self, rng: random.Random, count: int) -> tuple[str, ...]:
        """Constructs and ops of which many pairs have not met, or else have met least."""
        missing = self.missing_pairs()
        if not missing:
            fewest = min(self.pairs.values())
            missing = [pair for pair in PAIRS if self.pairs[pair] <= 2 * fewest]
        partners: dict[str, set[str]] = {}
        for one, other in missing:
            partners.setdefault(one, set()).add(other)
            partners.setdefault(other, set()).add(one)
        chosen = list(rng.choice(missing))
        others = [name for name in EVERYTHING if name in partners and name not in chosen]
        rng.shuffle(others)
        while others and len(chosen) < count:
            best = max(others, key=lambda name: len(partners[name].intersection(chosen)))
            others.remove(best)
            chosen.append(best)
        return tuple(chosen)

    def missing(self) -> list[str]:
        return [name for name in EVERYTHING if not self.alone[name]]

    def missing_pairs(self) -> list[tuple[str, str]]:
        return [pair for pair in PAIRS if not self.pairs[pair]]

    def table(self) -> str:
        """How many specs have it, in how many pairs it has been seen, and its rarest pair."""
        lines = [f"{self.specs} specs, {len(EVERYTHING)} constructs and ops, {len(self.pairs)} pairs of them"]
        lines.append(f"{'':34}{'specs':>7}{'pairs':>7}  rarest beside")
        for name in EVERYTHING:
            beside = {other: self.pairs[min(name, other), max(name, other)] for other in EVERYTHING if other != name}
            rarest = min(beside, key=lambda other: beside[other])
            met = sum(count > 0 for count in beside.values())
            lines.append(f"{name:34}{self.alone[name]:>7}{met:>7}  {rarest} ({beside[rarest]})")
        return "\n".join(lines)


def found_in(files: Files) -> set[str]:
    """The constructs and ops of a spec, in all its files."""
    found = {"extends"} if files.asked.extends else set()
    return found.union(*map(_found, (files.asked, *files.others.values()))) & set(EVERYTHING)


def _found(spec: ast.Spec) -> set[str]:
    found = {name for name, has in _HEAD.items() if has(spec)}
    for block in (*spec.blocks, *spec.macros):
        found |= {"block default"} if block.defaults else set()
        found |= {"block init"} if block.inits else set()
        for param in block.params:
            found |= {"parameter with default"} if param.default is not None else set()
            found |= {"typed parameter"} if param.type else set()
            found |= {f"{param.type} parameter"} & {"op parameter", "step parameter"}
            found |= {"none as op"} if param.type == "op" and param.default == ex.Literal(None) else set()
        names = {param.name for param in block.params}
        found |= {"variable passed through" for node in _walk(block.body) if names & set(_bare(node))}
        found |= {"output in a block" for node in _walk(block.body) if _is_head(node)}
    for node in _walk(spec):
        found.update(_kinds(node))
        if isinstance(node, ast.Group) and any(map(_is_head, _walk(node.body))):
            found.add("output in a container")
    return found


def _is_head(node: Any) -> bool:
    return isinstance(node, ast.Output) and bool(node.body)


_HEAD: dict[str, Any] = {
    "default": lambda spec: spec.defaults,
    "init": lambda spec: spec.inits,
    "let of the file": lambda spec: spec.lets,
    "parameter of the network": lambda spec: spec.params,
    "returns": lambda spec: spec.returns,
    "use": lambda spec: spec.use,
    "block": lambda spec: spec.blocks,
    "macro": lambda spec: spec.macros,
}


def _walk(node: Any) -> Iterator[Any]:
    """All nodes below: of the tree, and of the expressions in it."""
    if isinstance(node, tuple):
        for item in node:
            yield from _walk(item)
    elif isinstance(node, BaseModel):
        yield node
        for value in node.__dict__.values():
            yield from _walk(value)
    elif type(node).__module__ == ex.__name__:
        yield node
        for field in type(node).__slots__:
            if field != "span":
                yield from _walk(getattr(node, field))


def _kinds(node: Any) -> Iterator[str]:
    if getattr(node, "when", None) is not None and not isinstance(node, (ast.Output, ast.Shortcut)):
        yield "guard"
    match node:
        case ast.Step():
            yield "step without label" if node.label is None else "step with label"
            if len(node.links) > 1:
                yield "chain" if node.label is None else "chain with label"
        case ast.Call():
            yield "skip" if node.callee == "skip" else f"`{node.callee}`"
            if node.count is not None:
                yield "n x"
            yield from _of_arguments(node)
        case ast.Group():
            yield "group" if node.label is None else "container"
        case ast.Repeat() | ast.Dense():
            kind = type(node).__name__.lower()
            yield kind if node.index == "i" else f"{kind} as"
        case ast.For(rows=tuple()):
            yield "for table"
        case ast.For():
            yield (
                "for unpack" if len(node.names) > 1 else "for range" if isinstance(node.over, ex.Range) else "for list"
            )
        case ast.Merge():
            yield node.kind if node.along is None else "concat along"
            yield f"`{node.kind}`"
        case ast.Residual(shortcut=None):
            yield "residual"
        case ast.Shortcut(when=None):
            yield "shortcut" if node.label is None else "shortcut with label"
        case ast.Shortcut():
            yield "shortcut when with body" if node.body else "shortcut when"
        case ast.Output():
            known = {"None": "output", "training": "output when training"}
            yield (
                "output of the main line"
                if not node.body
                else known.get(getattr(node.when, "name", str(node.when)), "output when not training")
            )
        case ast.From():
            yield "from" if len(node.path) == 1 else "from inside"
        case ast.Let():
            yield "let"
        case ast.Unused():
            yield "unused"
        case ex.Label() if any(not isinstance(part, str) for part in node.parts):
            yield "label with expression"
        case ex.IfElse():
            yield "if else"
        case ex.Apply():
            yield "op with settings" if node.name in BY_NAME else "function"
            yield f"`{node.name}`"
        case ex.Index() | ex.Slice():
            yield type(node).__name__.lower()
        case ex.Attribute():
            yield "attribute of a step" if isinstance(node.value, ex.StepPath) else "shape attribute"
        case ex.Word("first" | "last"):
            yield "first or last"


def _bare(node: Any) -> Iterator[str]:
    """The settings of an op's call that stand there as a word alone."""
    if isinstance(node, ast.Call) and node.callee in BY_NAME:
        words = (arg.parts[0] for arg in node.args if arg.name is None and len(arg.parts) == 1)
        yield from (
            word.name for word in words if isinstance(word, ex.Word) and word.name in BY_NAME[node.callee].settings()
        )


def _of_arguments(call: ast.Call) -> Iterator[str]:
    for arg in call.args:
        first = arg.parts[0]
        if arg.name is not None:
            yield "argument by name"
        elif isinstance(first, ex.Word) and first.name.startswith("init_"):
            yield "init at a call"
    if any(_bare(call)):
        yield "flag"
