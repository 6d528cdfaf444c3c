"""Expressions to values. Evaluation always ends, has no effects and reaches nothing but its environment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from archdsl import trace
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.dims import Sym
from archdsl.expand import advice, errors
from archdsl.expand.environment import MISSING, Env
from archdsl.expand.functions import FUNCTIONS, Refused, got_of
from archdsl.expand.reads import reads_of_value
from archdsl.expand.values import Partial, StepValue, show
from archdsl.shape import Shape
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.expression import (
    Apply,
    Attribute,
    Binary,
    Expression,
    IfElse,
    Index,
    ListOf,
    Literal,
    Range,
    SizeLiteral,
    Slice,
    StepPath,
    Unary,
    Word,
)
from archdsl.trace import Sides

LARGEST = 2**63
LONGEST = 100_000
# Of lists, how many one expansion goes through: what takes a second is refused where it is to be done again and again.
ITEMS = 10_000_000
_AXES = ("channels", "height", "width", "depth", "length", "tokens")


def evaluate(expression: Expression, env: Env) -> Any:
    """The value of an expression; a word that names no variable is itself. Raises SpecError."""
    return _EVALUATE[type(expression)](expression, env)


def number(expression: Expression, env: Env) -> Any:
    """The value, which must be a number or a symbolic size."""
    value = evaluate_known(expression, env)
    if (
        isinstance(expression, Word) and isinstance(value, str) and not env.is_callable(value)
    ):  # a misspelt variable that a caller handed on
        raise SpecError(undefined(value, expression.span, env.names(), env.path))
    if isinstance(value, bool) or not isinstance(value, (int, float, Sym)):
        raise fail(env, expression.span, "this must be a number", expected="a number", got=got_of(value))
    return value


def condition(expression: Expression, env: Env) -> bool:
    """The value of a guard, decided now: bool, and independent of H and W."""
    value = evaluate_known(expression, env)
    if isinstance(value, Sym):
        raise _symbolic(env, expression.span, "a condition", value)
    if not isinstance(value, bool):
        raise fail(env, expression.span, "a condition must be yes or no", expected="yes or no", got=got_of(value))
    return value


def count(expression: Expression, env: Env, what: str) -> int:
    """A whole number of at least 0, decided now."""
    value = number(expression, env)
    if isinstance(value, Sym):
        raise _symbolic(env, expression.span, what, value)
    env.session.decide(value)
    if value < 0 or value != int(value):
        expected = "a whole number of at least 0"
        raise fail(env, expression.span, f"{what} must be a whole number", expected=expected, got=show(value))
    return int(value)


def fail(env: Env, span: Span, what: str, expected: str = "", got: str = "", help: str = "") -> SpecError:
    """An expression's value can't be used."""
    return SpecError(errors.BadValue(span, path=env.path, what=what, expected=expected, got=got, help=help))


def _symbolic(env: Env, span: Span, what: str, value: Sym) -> SpecError:
    return SpecError(errors.SymbolicStructure(span, path=env.path, what=what, value=str(value)))


def evaluate_known(expression: Expression, env: Env) -> Any:
    """The value, where a bare word must be a variable."""
    value = evaluate(expression, env)
    if isinstance(expression, Word) and env.lookup(expression.name) is MISSING:
        raise unknown_name(expression, env)
    return value


def unknown_name(word: Word, env: Env) -> SpecError:
    """A word stands where only a variable can, and is none."""
    return SpecError(undefined(word.name, word.span, env.names(), env.path))


_ELSEWHERE = {
    "training": "`training` is known in the guard of an `output` only",
    **dict.fromkeys(("i", "first", "last"), "it is known inside `repeat`, `dense` and `3 x ...` only"),
    **dict.fromkeys(("row", "rows"), "it is known inside `for` only"),
    **dict.fromkeys(("nth", "total"), "it is known inside a loop only; hand it to a block as a value"),
}


def undefined(name: str, span: Span, known: Iterable[str], path: tuple[str, ...] = ()) -> Diagnostic:
    """For a name that no variable has."""
    told = advice.for_name(name, span, known)
    help = told if "//" in told else _ELSEWHERE.get(name, told)
    return errors.UnknownName(span, path=path, name=name, help=help)


def _literal(node: Literal, env: Env) -> Any:
    if isinstance(node.value, (int, float)) and abs(node.value) >= LARGEST:
        raise SpecError(errors.NumberTooLarge(node.span, path=env.path, operator="the number"))
    return node.value


def _size(node: SizeLiteral, env: Env) -> Sides:
    for side in node.sides:
        if isinstance(side, str):
            what = f"`{side}` in a size: letters stand for open sizes in `input` only"
            raise fail(env, node.span, what, expected="a number")
        if side >= LARGEST:
            raise SpecError(errors.NumberTooLarge(node.span, path=env.path, operator="the number"))
    return Sides(side for side in node.sides if isinstance(side, int))


def _word(node: Word, env: Env) -> Any:
    value = env.lookup(node.name)
    if type(value) is tuple:
        _go_through(len(value), node.span, env)
    return node.name if value is MISSING else value


def _go_through(items: int, span: Span, env: Env) -> None:
    """Counts the items of a list that is made or read. Raises SpecError where they are too many in all."""
    env.session.items += items
    if env.session.items > ITEMS:
        limit = f"{ITEMS:,} items of lists"
        raise SpecError(errors.TooLarge(span, path=env.path, what=f"more than {limit}", limit=limit, variable=""))


def _list(node: ListOf, env: Env) -> tuple[Any, ...]:
    items = tuple(evaluate(item, env) for item in node.items)
    _go_through(len(items), node.span, env)
    if any(type(item) is tuple for item in items) and _is_longer(items, LONGEST):
        raise fail(
            env, node.span, "this list is too long", expected=f"at most {LONGEST:,} items, with those of its lists"
        )
    return items


def _is_longer(items: tuple[Any, ...], limit: int) -> bool:
    """Whether lists within lists have more items than that in all; stops counting there."""
    pending, count = [items], 0
    while pending:
        inner = pending.pop()
        count += len(inner)
        if count > limit:
            return True
        pending += [item for item in inner if type(item) is tuple]
    return False


def span_of_range(node: Range, env: Env) -> range:
    """The numbers of `first..last`, both ends included, without making them."""
    first, last = count(node.first, env, "a range's start"), count(node.last, env, "a range's end")
    if last < first:
        help = "ranges run upwards; write the numbers as a list, `[4, 3, 2, 1]`"
        raise fail(env, node.span, f"the range {first}..{last} is empty", help=help)
    return range(first, last + 1)


def _range(node: Range, env: Env) -> tuple[int, ...]:
    numbers = span_of_range(node, env)
    if len(numbers) > LONGEST:
        raise fail(env, node.span, "this list is too long", expected=f"at most {LONGEST} items", got=str(len(numbers)))
    _go_through(len(numbers), node.span, env)
    return tuple(numbers)


def _unary(node: Unary, env: Env) -> Any:
    if node.operator == "not":
        return not condition(node.operand, env)
    return -number(node.operand, env)


def _binary(node: Binary, env: Env) -> Any:
    if node.operator == "and":
        return condition(node.left, env) and condition(node.right, env)
    if node.operator == "or":
        return condition(node.left, env) or condition(node.right, env)
    if node.operator in ("==", "!="):
        return _equality(node, env)
    left, right = number(node.left, env), number(node.right, env)
    if node.operator in _ORDER:
        env.session.decide(left, right)
        for value in (left, right):
            if isinstance(value, Sym):
                raise _symbolic(env, node.span, "a comparison", value)
        return _ORDER[node.operator](left, right)
    return _arithmetic(node, left, right, env)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _equality(node: Binary, env: Env) -> bool:
    left, right = evaluate(node.left, env), evaluate(node.right, env)
    env.session.decide(left, right)
    for value in (left, right):
        if isinstance(value, Sym):
            raise _symbolic(env, node.span, "a comparison", value)
    return bool((left == right) == (node.operator == "=="))


def _arithmetic(node: Binary, left: Any, right: Any, env: Env) -> Any:
    operator = node.operator
    if operator in ("/", "//", "%") and not isinstance(right, Sym) and right == 0:
        lonely = env.lookup("total") == 1 and "total" in reads_of_value(node.right).names
        help = "this loop has one iteration, so `total` is 1; write `max(total - 1, 1)`" if lonely else ""
        raise fail(env, node.right.span, "division by zero", got=f"{show(left)} {operator} 0", help=help)
    if isinstance(left, Sym) or isinstance(right, Sym):
        return _symbolic_arithmetic(node, left, right, env)
    if operator == "**":
        _guard_power(node, left, right, env)
    result = trace.binary(operator, left, right)
    if isinstance(result, complex):
        raise fail(env, node.span, "a root of a negative number", got=f"{show(left)} ** {show(right)}")
    if abs(result) >= LARGEST:
        raise SpecError(errors.NumberTooLarge(node.span, path=env.path, operator=operator))
    return result


def _guard_power(node: Binary, left: Any, right: Any, env: Env) -> None:
    if left == 0 and right < 0:
        raise fail(env, node.span, "division by zero", got=f"0 ** {show(right)}")
    if abs(left) > 1 and right * math.log2(abs(left)) > 64:
        raise SpecError(errors.NumberTooLarge(node.span, path=env.path, operator="**"))


def _symbolic_arithmetic(node: Binary, left: Any, right: Any, env: Env) -> Any:
    operator = node.operator
    whole = all(isinstance(value, (int, Sym)) for value in (left, right))
    if whole and operator in ("+", "-", "*"):
        return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}[operator]()
    if whole and operator in ("//", "%") and isinstance(right, int) and right > 0:
        return left // right if operator == "//" else left % right
    help = "use // for a whole quotient" if operator == "/" else ""
    got = f"{show(left)} {operator} {show(right)}"
    raise fail(env, node.span, "sizes of the input allow + - * and // % by a number only", got=got, help=help)


def _if_else(node: IfElse, env: Env) -> Any:
    return evaluate(node.value if condition(node.condition, env) else node.otherwise, env)


def _index(node: Index, env: Env) -> Any:
    values = _items(node.value, env)
    position = number(node.index, env)
    if isinstance(position, Sym):
        raise _symbolic(env, node.index.span, "an index", position)
    env.session.decide(position)
    if position != int(position) or not -len(values) <= position < len(values):
        expected = f"0 to {len(values) - 1}" if values else "a list with items"
        what = f"a list of {len(values)} has no item {show(position)}"
        raise fail(env, node.index.span, what, expected=expected, got=show(position))
    return values[int(position)]


def _slice(node: Slice, env: Env) -> Any:
    values = _items(node.value, env)
    first = None if node.first is None else count(node.first, env, "a slice's start")
    last = None if node.last is None else count(node.last, env, "a slice's end")
    return values[first:last]


def _items(expression: Expression, env: Env) -> tuple[Any, ...]:
    value = evaluate_known(expression, env)
    if type(value) is not tuple and not isinstance(value, Sides):
        raise fail(env, expression.span, "this must be a list", expected="a list", got=got_of(value))
    return value


def _attribute(node: Attribute, env: Env) -> Any:
    value = evaluate_known(node.value, env)
    if isinstance(value, StepValue):
        value = value.shape
    if not isinstance(value, Shape):
        help = "only shapes have attributes: `input.channels`, `here.height`, `@conv1.channels`"
        raise fail(env, node.span, f"`.{node.name}` of something that is no shape", got=got_of(value), help=help)
    size = value.size(node.name)
    if size is None:
        known = ", ".join(value.axes)
        near = did_you_mean(node.name, _AXES)
        help = f"did you mean `{near}`?" if near and node.name not in _AXES else ""
        raise fail(env, node.span, f"this shape has no `{node.name}`", expected=f"one of {known}", help=help)
    return size


def _step_path(node: StepPath, env: Env) -> Any:
    given = env.lookup(f"@{node.labels}")  # an argument for a parameter of type `step`
    return env.shape_of(node) if given is MISSING else given


def _apply(node: Apply, env: Env) -> Any:
    function = FUNCTIONS.get(node.name)
    if function is None:
        return _partial(node, env)
    args = []
    for arg in node.args:
        if arg.name is not None or len(arg.parts) != 1:
            raise fail(env, arg.span, f"`{node.name}` takes plain values", expected=f"{node.name}(a, b)")
        args.append(evaluate_known(arg.parts[0], env))
    try:
        return function(*args)
    except Refused as refused:
        raise fail(env, node.span, refused.what, expected=refused.expected, got=refused.got) from None
    except TypeError:
        got = ", ".join(map(got_of, args)) or "nothing"
        raise fail(env, node.span, f"`{node.name}` can't take these values", got=got) from None


def _partial(node: Apply, env: Env) -> Partial:
    """`layernorm(eps = 1e-6)`: checked where it is used, for only then is it known what it names."""
    if not env.is_callable(node.name):
        raise SpecError(unknown_function(node, env.callables(), env.path))
    args: list[tuple[str | None, Any]] = []
    for arg in node.args:
        if len(arg.parts) == 2 and isinstance(arg.parts[0], Word):
            args.append((arg.parts[0].name, evaluate(arg.parts[1], env)))
        else:
            args.append((arg.name, evaluate(arg.parts[0], env)))
    return Partial(node.name, tuple(args))


def unknown_function(node: Apply, known: Iterable[str], path: tuple[str, ...] = ()) -> Diagnostic:
    """For an application of what is neither a function nor an op or block (`known`)."""
    near = did_you_mean(node.name, (*FUNCTIONS, *known))
    functions = ", ".join(FUNCTIONS)
    return errors.UnknownFunction(node.span.word(node.name), path=path, name=node.name, known=functions, near=near)


_EVALUATE: dict[type, Callable[[Any, Env], Any]] = {
    Literal: _literal,
    SizeLiteral: _size,
    Word: _word,
    ListOf: _list,
    Range: _range,
    Unary: _unary,
    Binary: _binary,
    IfElse: _if_else,
    Apply: _apply,
    Index: _index,
    Slice: _slice,
    Attribute: _attribute,
    StepPath: _step_path,
}
