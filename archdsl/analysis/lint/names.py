"""Names that nobody reads, and what the lines themselves show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archdsl.analysis.lint.kinds import (
    ConstructAsName,
    RectifiedResidual,
    UnusedBlock,
    UnusedLet,
    UnusedParameter,
    UnusedVariable,
)
from archdsl.diagnostics import Diagnostic
from archdsl.ops import BY_NAME
from archdsl.syntax import expression as ex
from archdsl.syntax.spec import (
    BlockDef,
    Body,
    Call,
    Dense,
    For,
    From,
    Group,
    Let,
    Node,
    Param,
    Repeat,
    Residual,
    Spec,
    Statement,
    Step,
    bodies_of,
)

# Constructs whose word nobody gives to a container; `dense`, `output` and the like are names that people use.
_MISTAKEN = ("residual", "shortcut", "repeat", "group", "add", "multiply", "concat")
_YAML = (".yaml", ".yml")


def name_warnings(files: tuple[Spec, ...]) -> Iterator[Diagnostic]:
    """What the trees show. files: the network's own and those it extends, the one with the layers last."""
    base = files[-1]
    definitions = (*base.blocks, *base.macros)
    sections = tuple(section for file in files for section in (file.train, file.preprocess))
    yield from _unused_definitions(files, definitions)
    overrides = tuple((file.defaults, file.inits) for file in files)
    yield from _unused_params(base.params, str(base.network), (overrides, base.layers, sections))
    for node in definitions:
        yield from _unused_params(node.params, node.name, (node.defaults, node.inits, node.body))
    for file in files:
        yield from _unread_lets(file.lets, reads(_without_lets(file)))
    yield from _in_body(base.layers or (), reads(sections))
    for node in definitions:
        yield from _in_body(node.body, frozenset())


def reads(tree: Any) -> frozenset[str]:
    """The names that a piece of the tree reads: those of variables, of what it calls and of steps it continues from."""
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ex.Word):
            found.add(node.name)
        elif isinstance(node, ex.Arg):
            # Of `stride 2` the first word is the setting's name.
            named = len(node.parts) > 1 and isinstance(node.parts[0], ex.Word)
            waiting.append(node.parts[1:] if named else node.parts)
        elif isinstance(node, tuple):
            waiting += node
        elif isinstance(node, Node):
            if isinstance(node, Call):
                found.add(node.callee)
            elif isinstance(node, From):
                found |= _steps(node.path)
            waiting += [value for key, value in node.__dict__.items() if key not in ("span", "trivia", "net_trivia")]
        elif isinstance(node, ex.Part):
            if isinstance(node, ex.Apply):
                found.add(node.name)
            elif isinstance(node, ex.StepPath):
                found |= _steps(node.labels)
            waiting += ex.parts_of(node)
    return frozenset(found)


def _steps(path: tuple[ex.Label, ...]) -> set[str]:
    """The plain words of a path: one of them may be a parameter that holds a step."""
    return {part for label in path for part in label.parts if isinstance(part, str)}


def _without_lets(file: Spec) -> tuple[Any, ...]:
    return tuple(value for key, value in file.__dict__.items() if key not in ("lets", "span", "trivia", "net_trivia"))


def _unused_definitions(files: tuple[Spec, ...], definitions: tuple[BlockDef, ...]) -> Iterator[Diagnostic]:
    """Blocks and macros of the file with the layers that these never come to."""
    known = {node.name: node for node in definitions}
    reached: set[str] = set()
    waiting = [name for file in files for name in reads((file.params, file.lets, file.layers or ()))]
    while waiting:
        name = waiting.pop()
        if name in known and name not in reached:
            reached.add(name)
            waiting += reads(known[name])
    for what, nodes in (("block", files[-1].blocks), ("macro", files[-1].macros)):
        for node in nodes:
            if node.name not in reached:
                yield UnusedBlock(node.span.word(node.name), what=what, name=node.name)


def _unused_params(params: tuple[Param, ...], owner: str, inside: Any) -> Iterator[Diagnostic]:
    known = reads((inside, tuple(param.default for param in params)))
    for param in params:
        if param.name not in known:
            yield UnusedParameter(param.span.word(param.name), name=param.name, owner=owner)


def _unread_lets(lets: tuple[Statement, ...], behind: frozenset[str]) -> Iterator[Diagnostic]:
    """The values named in a row of statements that neither a later one nor anything `behind` reads."""
    known = set(behind)
    for statement in reversed(lets):
        if isinstance(statement, Let) and statement.name not in known:
            yield UnusedLet(statement.span.word(statement.name), name=statement.name)
        known |= reads(statement)


def _in_body(body: Body, behind: frozenset[str]) -> Iterator[Diagnostic]:
    """What a body and those inside it show; `behind`: the names that are read where the body's are still seen."""
    yield from _unread_lets(body, behind)
    for statement in body:
        yield from _unread_index(statement)
        yield from _mistaken(statement)
        for inner in bodies_of(statement):
            yield from _in_body(inner, frozenset())


def _unread_index(node: Statement) -> Iterator[Diagnostic]:
    """A loop's variables that its body doesn't read; `_` says that it needn't."""
    if isinstance(node, For):
        names: tuple[str, ...] = node.names
    elif isinstance(node, (Repeat, Dense)):
        names = () if node.index == "i" else (node.index,)
    else:
        return
    known = reads(node.body)
    for name in names:
        if name not in known and not name.startswith("_"):
            plain = isinstance(node, For) and len(names) == 1 and isinstance(node.over, ex.Range)
            way = "`repeat` repeats without a variable" if plain else "remove it, or start its name with `_`"
            yield UnusedVariable(node.span.word(name), name=name, help_text=way)


def _mistaken(node: Statement) -> Iterator[Diagnostic]:
    if isinstance(node, Group) and node.label is not None and Path(node.span.source.name).suffix not in _YAML:
        word = node.label.parts[0] if len(node.label.parts) == 1 else ""
        if word in _MISTAKEN:
            yield ConstructAsName(node.label.span, word=word)
    if isinstance(node, Residual) and isinstance(node.body[-1], Step):
        last = node.body[-1].links[-1]
        op = BY_NAME.get(last.callee)
        if op is not None and "rectifies" in op.traits and last.when is None:
            yield RectifiedResidual(last.span, op=last.callee)
