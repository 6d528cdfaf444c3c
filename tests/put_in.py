"""Expressions put in for names throughout a piece of a spec's tree, as a person does who writes a body out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from archdsl.expand.arguments import signature_of
from archdsl.expand.blocks import signature_of_params
from archdsl.ops import BY_NAME
from archdsl.syntax import expression as ex
from archdsl.syntax import spec as ast

_OF_LOOPS = ("first", "last")
_OF_TABLES = ("row", "rows")
_BESIDE = frozenset(("span", "trivia"))


class Unfit(Exception):
    """What can't be written out without saying something else."""


class PutIn(NamedTuple):
    """What stands for what.

    values: name of a variable -> expression; a word that names an op, `none` or an op with settings where it is called.
    names: new names for what the piece itself binds. definitions: the blocks and macros that it can call.
    """

    values: Mapping[str, ex.Expression]
    names: Mapping[str, str] = {}
    definitions: Mapping[str, ast.BlockDef] = {}

    # statements

    def body(self, body: ast.Body) -> ast.Body:
        return tuple(map(self.statement, body))

    def statement(self, node: Any) -> Any:
        inside = self._inside(node)
        if isinstance(node, ast.Step) and node.label is not None and self._vanishes(node.links):
            raise Unfit("a step without a call has no label")
        new: dict[str, Any] = {}
        for name, part in node.__dict__.items():
            if name in _BESIDE:
                continue
            if name in ("body", "branches", "shortcut"):
                new[name] = inside._part(part)
            elif name in ("index", "name") and not isinstance(node, ast.Output):
                new[name] = self.names.get(part, part)
            elif name == "names":
                new[name] = tuple(self.names.get(one, one) for one in part)
            elif name == "path":
                new[name] = self._path(part)
            else:
                new[name] = self._part(part)
        return node.model_copy(update=new)

    def _vanishes(self, links: tuple[ast.Call, ...]) -> bool:
        return len(links) == 1 and self.values.get(links[0].callee) == ex.Literal(None)

    def _inside(self, node: Any) -> PutIn:
        """What holds in the bodies of a statement: a loop's own variables hide those around it."""
        match node:
            case ast.Repeat() | ast.Dense():
                return self.without("i" if node.index == "i" else "", *_OF_LOOPS)
            case ast.For():
                return self.without(*_OF_TABLES)
        return self

    def without(self, *names: str) -> PutIn:
        return self._replace(values={name: value for name, value in self.values.items() if name not in names})

    def _part(self, part: Any) -> Any:
        match part:
            case ast.Call():
                return self._call(part)
            case BaseModel():
                return self.statement(part)
            case tuple():
                return tuple(map(self._part, part))
            case None | str() | int():
                return part
        return self.expression(part)

    def _call(self, node: ast.Call) -> ast.Call:
        when = None if node.when is None else self.expression(node.when)
        count = None if node.count is None else self.expression(node.count)
        inside = self if node.count is None else self.without("i", *_OF_LOOPS)
        return inside._called(node).model_copy(update={"when": when, "count": count})

    def _called(self, node: ast.Call) -> ast.Call:
        callee = self.names.get(node.callee, node.callee)
        more: tuple[ex.Arg, ...] = ()
        value = self.values.get(node.callee)
        if value is not None:
            if value == ex.Literal(None):
                return node.model_copy(update={"callee": "skip", "args": ()})
            if not isinstance(value, (ex.Word, ex.Apply)):
                raise Unfit(f"{node.callee} is called")
            callee, more = value.name, value.args if isinstance(value, ex.Apply) else ()
            if more and node.args:
                raise Unfit(f"{node.callee} has settings of two places")
        return node.model_copy(update={"callee": callee, "args": (*more, *self.args(node.args, node.callee))})

    # expressions

    def args(self, args: tuple[ex.Arg, ...], callee: str) -> tuple[ex.Arg, ...]:
        return tuple(self._arg(arg, callee) for arg in args)

    def _arg(self, arg: ex.Arg, callee: str) -> ex.Arg:
        first = arg.parts[0]
        if len(arg.parts) == 2:
            assert isinstance(first, ex.Word)
            return ex.Arg(first.name, (self.expression(arg.parts[1]),))
        put = self.expression(first)
        if arg.name is None and put != first and isinstance(first, ex.Word) and first.name in self._settings(callee):
            return ex.Arg(first.name, (put,))
        return ex.Arg(arg.name, (put,))

    def _settings(self, callee: str) -> tuple[str, ...]:
        """What a callee takes by name, where the name alone means the variable of that name."""
        if callee in self.definitions:
            return signature_of_params(self.definitions[callee]).settings
        if callee in BY_NAME:
            return signature_of(BY_NAME[callee]).settings
        raise Unfit(f"nobody knows here what {callee} takes")

    def expression(self, node: Any) -> Any:
        match node:
            case ex.Word():
                return self.values.get(node.name, ex.Word(self.names.get(node.name, node.name)))
            case ex.Apply():
                function = node.name not in BY_NAME and node.name not in self.definitions
                if function:
                    return ex.Apply(
                        node.name, tuple(ex.Arg(a.name, tuple(map(self.expression, a.parts))) for a in node.args)
                    )
                return ex.Apply(node.name, self.args(node.args, node.name))
            case ex.Attribute(ex.Word("input" | "here") as shape, name) if (
                key := f"{shape.name}.{name}"
            ) in self.values:
                return self.values[key]
            case ex.StepPath():
                return ex.StepPath(self._path(node.labels))
            case ex.Literal() | ex.SizeLiteral() | str() | None:
                return node
            case tuple():
                return tuple(map(self.expression, node))
        fields = [name for name in type(node).__slots__ if name != "span"]
        new = {
            name: self.expression(getattr(node, name)) if _tree(getattr(node, name)) else getattr(node, name)
            for name in fields
        }
        return type(node)(**new)

    def _path(self, path: tuple[ex.Label, ...]) -> tuple[ex.Label, ...]:
        """A path to a step; a parameter's name stands for the path that it was given."""
        first = path[0].parts[0]
        value = self.values.get(first) if isinstance(first, str) else None
        if value is not None and len(path[0].parts) == 1:
            if not isinstance(value, ex.StepPath) or len(path) > 1:
                raise Unfit(f"a path begins with {first}")
            return value.labels
        return tuple(map(self.expression, path))


def _tree(value: Any) -> bool:
    """Whether a field of an expression holds more of the tree, not a number or a word."""
    return isinstance(value, tuple) or type(value).__module__ == ex.__name__


def nodes(tree: Any) -> Iterator[Any]:
    """All nodes of a tree, and of the expressions in it."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from nodes(item)
    elif isinstance(tree, BaseModel):
        yield tree
        for name, value in tree.__dict__.items():
            if name not in _BESIDE:
                yield from nodes(value)
    elif type(tree).__module__ == ex.__name__:
        yield tree
        for part in ex.parts_of(tree):
            yield from nodes(part)


def words(tree: Any) -> frozenset[str]:
    """The names that a piece reads: words that stand for values, and what is called."""
    settings = {id(node.parts[0]) for node in nodes(tree) if isinstance(node, ex.Arg) and len(node.parts) == 2}
    found = {node.name for node in nodes(tree) if isinstance(node, ex.Word) and id(node) not in settings}
    return frozenset(found | {node.callee for node in nodes(tree) if isinstance(node, ast.Call)})


def bound(tree: Any) -> frozenset[str]:
    """The names that a piece binds: of lets and of loops, `i` left out, which may be bound again."""
    found: set[str] = set()
    for node in nodes(tree):
        match node:
            case ast.Let():
                found.add(node.name)
            case ast.For():
                found.update(node.names)
            case ast.Repeat() | ast.Dense() if node.index != "i":
                found.add(node.index)
    return frozenset(found)
