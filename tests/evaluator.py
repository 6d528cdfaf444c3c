"""Values of the language as the interpreter sees them: plain Python numbers, and tensors with named axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from torch import nn

from archdsl.ops.base import Op, Window
from archdsl.shape import Shape
from archdsl.syntax import expression as ex
from archdsl.syntax import spec as ast
from archdsl.trace import Sides

BATCH = 2


class Refused(Exception):
    """The spec doesn't work, at this input."""


class Value(NamedTuple):
    """A tensor with the names of its axes behind the batch, and its total stride in the enclosing residual."""

    data: torch.Tensor
    shape: Any  # a Shape, all of plain numbers
    stride: tuple[Fraction, ...] | None


class Partial(NamedTuple):
    """An op or block with settings, as a value."""

    name: str
    args: tuple[tuple[str | None, Any], ...]


class Unit(NamedTuple):
    """What all definitions of a file see: its `let`s, and its defaults (of a network also those of files on top)."""

    lets: dict[str, Any]
    defaults: tuple[dict[str, dict[str, Any]], ...]


class Definition(NamedTuple):
    """A block or macro, and the file that it stands in."""

    node: ast.BlockDef
    macro: bool
    unit: Unit


class Scope:
    """A level of names: what is registered in it, and the named steps. path: its own key, with a dot behind it."""

    def __init__(self, labelled: bool, parent: Scope | None, path: str = "") -> None:
        self.module = nn.Module()
        self.path = path
        self.labelled = labelled
        self.parent = parent
        self.number = 0
        self.steps: dict[str, tuple[Value, Scope | None]] = {}
        self.taken: set[str] = set()

    def take(self, label: str | None) -> str | None:
        """The name of the next step; None for one without a label among labelled ones."""
        if label is not None:
            return label
        if self.labelled:
            return None
        self.number += 1
        return str(self.number - 1)


class Env(NamedTuple):
    """What an expression and a step see."""

    variables: dict[str, Any]
    scope: Scope
    input: Value
    unit: Unit
    defaults: tuple[dict[str, dict[str, Any]], ...]

    def with_variables(self, **more: Any) -> Env:
        return self._replace(variables=self.variables | more)


class Evaluator:
    """Expressions, labels and names of earlier steps."""

    definitions: dict[str, Definition]
    here: Value

    def value(self, node: Any, env: Env) -> Any:
        """The value of an expression."""
        match node:
            case ex.Literal():
                return node.value
            case ex.SizeLiteral():
                return Sides(int(side) for side in node.sides)
            case ex.Word("input"):
                return env.input
            case ex.Word("here"):
                return self.here
            case ex.Word():
                return env.variables.get(node.name, node.name)
            case ex.ListOf():
                return tuple(self.value(item, env) for item in node.items)
            case ex.Range():
                return tuple(range(self.value(node.first, env), self.value(node.last, env) + 1))
            case ex.Unary():
                inner = self.value(node.operand, env)
                return not inner if node.operator == "not" else -inner
            case ex.Binary("and"):
                return self.value(node.left, env) and self.value(node.right, env)
            case ex.Binary("or"):
                return self.value(node.left, env) or self.value(node.right, env)
            case ex.Binary():
                return _OPERATORS[node.operator](self.value(node.left, env), self.value(node.right, env))
            case ex.IfElse():
                return self.value(node.value if self.value(node.condition, env) else node.otherwise, env)
            case ex.Apply():
                return self._apply(node, env)
            case ex.Index():
                return self.value(node.value, env)[self.value(node.index, env)]
            case ex.Slice():
                first = None if node.first is None else self.value(node.first, env)
                last = None if node.last is None else self.value(node.last, env)
                return self.value(node.value, env)[first:last]
            case ex.Attribute():
                return self.value(node.value, env).shape.size(node.name)
            case ex.StepPath():
                return self.find(node.labels, env)
        raise AssertionError(node)

    def _apply(self, node: ex.Apply, env: Env) -> Any:
        if node.name in _FUNCTIONS:
            return _FUNCTIONS[node.name](*(self.value(arg.parts[0], env) for arg in node.args))
        args: list[tuple[str | None, Any]] = []
        for arg in node.args:
            named = arg.parts[0].name if len(arg.parts) == 2 and isinstance(arg.parts[0], ex.Word) else arg.name
            args.append((named, self.value(arg.parts[-1], env)))
        return Partial(node.name, tuple(args))

    def holds(self, when: Any, env: Env) -> bool:
        return when is None or bool(self.value(when, env))

    def label(self, label: ex.Label | None, env: Env) -> str | None:
        if label is None:
            return None
        parts = (part if isinstance(part, str) else self.value(part, env) for part in label.parts)
        return "".join(part if isinstance(part, str) else str(int(part)) for part in parts)

    def find(self, labels: tuple[ex.Label, ...], env: Env) -> Value:
        """An earlier named step, from the innermost scope outward."""
        names = [str(self.label(label, env)) for label in labels]
        if len(names) == 1 and isinstance(env.variables.get(names[0]), Value):
            return env.variables[names[0]]  # type: ignore[no-any-return]
        scope: Scope | None = env.scope
        while scope is not None and names[0] not in scope.steps:
            scope = scope.parent
        if scope is None:
            raise Refused(f"no step {'.'.join(names)}")
        value, inner = scope.steps[names[0]]
        for name in names[1:]:
            if inner is None or name not in inner.steps:
                raise Refused(f"no step {'.'.join(names)}")
            value, inner = inner.steps[name]
        return value

    def labelled(self, body: Any) -> bool:
        """Whether any step of a container has a label, on the text."""
        return any(self._has_label(statement) for statement in body)

    def _has_label(self, node: Any) -> bool:
        match node:
            case ast.Step():
                called = (self.definitions.get(link.callee) for link in node.links)
                return node.label is not None or any(
                    found.macro and self.labelled(found.node.body) for found in called if found
                )
            case ast.Group():
                return node.label is not None
            case ast.Unused():
                return True
            case ast.Merge():
                return any(self.labelled(branch) for branch in node.branches)
            case ast.Residual(shortcut=ast.Shortcut() as shortcut):
                return self.labelled(node.body) or shortcut.label is not None or self.labelled(shortcut.body)
        return self.labelled(getattr(node, "body", ()))


def divisible(value: float, divisor: int) -> int:
    """The nearest multiple, one up if below 0.9 of the value (Howard et al. 2017)."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def _largest(*values: Any) -> Any:
    return max(values[0] if len(values) == 1 else values)


def _smallest(*values: Any) -> Any:
    return min(values[0] if len(values) == 1 else values)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": _smallest, "max": _largest, "sum": sum, "len": len, "int": int, "round": round, "ceil": math.ceil,
    "floor": math.floor, "sqrt": math.sqrt, "abs": abs, "divisible": divisible,
}  # fmt: skip

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def onward(outer: Value, made: Value) -> Value:
    """A residual's result, its stride that of all before it too."""
    if made.stride is None or outer.stride is None or len(made.stride) != len(outer.stride):
        return made._replace(stride=() if made.stride == () else None)
    return made._replace(stride=tuple(a * b for a, b in zip(outer.stride, made.stride, strict=True)))


def stride_of(op: Op, window: Any, shape: Shape, inputs: list[Value]) -> tuple[Fraction, ...] | None:
    """The total stride behind an op; what goes to a size declares none."""
    if not shape.spatial:
        return ()
    known = {value.stride for value in inputs}
    if len(known) > 1:
        known = {value.stride for value in inputs if any(size != 1 for size in value.shape.spatial)} or {
            inputs[0].stride
        }
    before = known.pop() if len(known) == 1 else None
    if window == "pointwise" or before is None:
        return before
    if not isinstance(window, Window) or getattr(op, "to", None) is not None:
        return None
    ups = window.up or (1,) * len(window.stride)
    return tuple(Fraction(a * s, u) for a, s, u in zip(before, window.stride, ups, strict=True))
