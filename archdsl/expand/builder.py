"""A scope under construction: its values, its steps and their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeGuard

from archdsl.diagnostics import Note, SpecError
from archdsl.dims import Dim
from archdsl.expand import errors
from archdsl.expand.environment import Session
from archdsl.ir import CallStep, Kind, LoopStep, Mode, Name, OpStep, Scope, Side, SideStep, Step
from archdsl.ops.base import POINTWISE, Facts, Tiles, Window
from archdsl.shape import Shape
from archdsl.source import Span
from archdsl.syntax.errors import DuplicateName
from archdsl.trace import TracedInt

# Distinct steps that one network may have; equal repetitions count once.
LIMIT = 100_000
# Characters of a size's source, in terms of a block's parameters, before its number stands in its place.
LONGEST = 60

Jump = tuple[int | Fraction, ...] | None
Taps = tuple[str, ...]
Made = tuple[Scope, tuple[int, ...]]
Remake = Callable[[Taps], Made]


class Naming:
    """The names of one container: whether steps are numbered or named, and what is taken."""

    __slots__ = ("counters", "labelled", "taken")

    def __init__(self, labelled: bool) -> None:
        self.labelled = labelled
        self.taken: dict[Name, Span] = {}
        # "" counts the numbered steps, "relu" the nameless ones of that op.
        self.counters: dict[str, Dim] = {}

    def number(self) -> Name:
        """The next number, as a name."""
        count = self.counters.get("", 0)
        self.counters[""] = count + 1
        return (str(int(count)),) if isinstance(count, int) else (count,)

    def nameless(self, op: str) -> Name:
        """`~relu`, `~relu2`: what reports call a step without a key."""
        count = self.counters.get(op, 0)
        self.counters[op] = count + 1
        if isinstance(count, int):
            return (f"~{op}{int(count) + 1}",) if count else (f"~{op}",)
        return (f"~{op}", count + 1)


class Builder:
    """Collects the steps of a scope.

    parent: the scope around it, which `from` may reach into; None at a block's edge.
    fold: equal iterations may become one loop step (nobody refers to a step inside).
    caller: the scope whose current tensor enters, of another block or not; None for the network's own.
    """

    __slots__ = (
        "caller",
        "captures",
        "current",
        "fold",
        "inputs",
        "jumps",
        "kind",
        "last_iteration",
        "loops",
        "main_name",
        "name",
        "named",
        "naming",
        "parent",
        "pending",
        "remakes",
        "session",
        "shapes",
        "sides",
        "span",
        "steps",
    )

    def __init__(
        self,
        session: Session,
        kind: Kind,
        name: str,
        span: Span,
        shape: Shape,
        *,
        naming: Naming,
        parent: Builder | None = None,
        fold: bool = True,
        loops: int = 0,
        caller: Builder | None = None,
    ) -> None:
        self.session = session
        self.kind: Kind = kind
        self.name = name
        self.span = span
        self.shapes: list[Shape] = [shape]
        self.jumps: list[Jump] = [_ones(shape)]
        self.steps: list[Step] = []
        self.inputs = [0]
        self.current = 0
        self.naming = naming
        self.parent = parent
        self.caller = parent or caller
        self.fold = fold
        self.loops = loops
        self.captures: dict[int, int] = {}  # value of the parent -> value here
        self.named: dict[str, tuple[int, int]] = {}  # name -> value, and index of its step
        self.remakes: dict[int, tuple[Remake, Callable[[Shape], Shape]]] = {}
        self.sides: list[tuple[str, int, Mode]] = []
        self.main_name = ""
        # Of the innermost loop's last iteration: the shape that entered, the counters before it, the value after it.
        self.last_iteration: tuple[Shape, dict[str, Dim], int] | None = None
        self.pending = 1  # how often the steps being added stand in loops whose iterations differ

    @property
    def here(self) -> Shape:
        """The shape of the current tensor."""
        return self.shapes[self.current]

    def add_input(self, shape: Shape) -> int:
        """One more value that enters."""
        value = self.new_value(shape, None)
        self.inputs.append(value)
        return value

    def new_value(self, shape: Shape, jump: Jump) -> int:
        self.shapes.append(self._brief(shape) if self.session.trace else shape)
        self.jumps.append(jump)
        return len(self.shapes) - 1

    def _brief(self, shape: Shape) -> Shape:
        """The shape with plain numbers for those whose source nobody would want to read."""
        sizes = tuple(int(size) if _is_long(size) else size for size in shape.sizes)
        self.session.decide(*(size for size in shape.sizes if _is_long(size)))
        return Shape(shape.axes, sizes)

    def take_name(self, name: Name, span: Span, path: tuple[str, ...]) -> None:
        """Raises SpecError where the container has the name already."""
        taken = self.naming.taken
        if name in taken:
            spelled = "".join(map(str, name))
            first = Note(taken[name], f"`{spelled}` stands here first")
            raise SpecError(
                DuplicateName(span, path=path, notes=(first,), what="name", name=spelled, line=taken[name].line)
            )
        taken[name] = span

    def remember(self, name: Name, value: int) -> None:
        """Lets `from` and `@` find the step just added by its name."""
        if len(name) == 1 and isinstance(name[0], str):
            self.named[name[0]] = (value, len(self.steps) - 1)

    def add_op(self, step: OpStep, jump: Jump) -> int:
        """Adds the step, whose output is the next value; its result becomes current unless it is unused."""
        self._count(step.span, step.op.name)
        value = self.new_value(step.facts.shape, jump)
        self.steps.append(step)
        self.remember(step.name, value)
        if not step.unused:
            self.current = value
        return value

    def add_call(
        self,
        name: Name,
        made: Made,
        make: Remake,
        arguments: tuple[tuple[str, Any], ...],
        span: Span,
        told: Callable[[Shape], Shape] | None = None,
    ) -> None:
        """Enters a scope; its main result becomes current.

        make: the scope again with taps. told: its results' shapes in this scope's terms, where they differ.
        """
        scope, captured = made
        results = told or _as_they_are
        self._count(span, scope.name)
        start = self.current
        jump = compose(self.jumps[start], scope.jump)
        outputs = [self.new_value(results(scope.shapes[scope.results[0]]), jump)]
        outputs += [self.new_value(results(scope.shapes[value]), None) for value in scope.results[1:]]
        self.steps.append(CallStep(name, scope, (start, *captured), tuple(outputs), arguments, span))
        self.remakes[len(self.steps) - 1] = make, results
        self.take_sides(scope, outputs)
        self.remember(name, outputs[0])
        self.current = outputs[0]

    def take_sides(self, scope: Scope, outputs: list[int]) -> None:
        """Side heads of an inner scope are this scope's too."""
        first = len(outputs) - len(scope.sides)
        for side, value in zip(scope.sides, outputs[first:], strict=True):
            self.sides.append((side.name, value, side.mode))

    def tap(self, index: int, path: str) -> int:
        """The value of a step inside the scope that step `index` enters: it is made anew, with one more result."""
        step = self.steps[index]
        assert isinstance(step, CallStep)
        before = len(step.scope.results) - len(step.scope.sides)
        known = step.scope.taps
        if path in known:
            return step.outputs[1 + known.index(path)]
        make, results = self.remakes[index]
        scope, captured = make((*known, path))
        value = self.new_value(results(scope.shapes[scope.results[before]]), None)
        outputs = (*step.outputs[:before], value, *step.outputs[before:])
        self.steps[index] = step._replace(scope=scope, inputs=(step.inputs[0], *captured), outputs=outputs)
        return value

    def add_loop(self, scope: Scope, count: int, counter: str, captured: tuple[int, ...], span: Span) -> None:
        start = self.current
        value = self.new_value(scope.shapes[scope.results[0]], compose(self.jumps[start], scope.jump))
        self.steps.append(LoopStep(scope, count, counter, (start, *captured), (value,), span))
        self.current = value

    def add_side(self, name: str, mode: Mode, scope: Scope, captured: tuple[int, ...], span: Span) -> None:
        value = self.new_value(scope.shapes[scope.results[0]], None)
        self.steps.append(SideStep(scope, mode, (self.current, *captured), (value,), span))
        self.sides.append((name, value, mode))

    def capture(self, value: int) -> int:
        """A value of the parent, as an input here."""
        if value not in self.captures:
            assert self.parent is not None
            self.captures[value] = self.add_input(self.parent.shapes[value])
        return self.captures[value]

    def finish(self, *, taps: Mapping[str, int] = {}, params: tuple[tuple[str, str | None], ...] = ()) -> Scope:
        """The scope, frozen; the one object that all equal scopes share.

        taps: paths of steps inside that others reach for -> their values.
        """
        scope = Scope(
            kind=self.kind,
            name=self.name,
            inputs=tuple(self.inputs),
            shapes=tuple(self.shapes),
            steps=tuple(self.steps),
            results=(self.current, *taps.values(), *(value for _, value, _ in self.sides)),
            span=self.span,
            sides=tuple(Side(name, mode) for name, _, mode in self.sides),
            jump=self.jumps[self.current],
            labelled=self.naming.labelled,
            params=params,
            taps=tuple(taps),
        )
        self.remakes.clear()  # which know their builder: a circle
        # A block's scope is remembered by its arguments already.
        if self.session.trace or self.kind == "block":
            return scope
        return self.session.scopes.setdefault(scope.key(), scope)  # type: ignore[no-any-return]

    def _count(self, span: Span, name: str) -> None:
        self.session.distinct += 1
        if self.session.distinct > LIMIT:
            what = f"the network has more than {LIMIT:,} distinct steps"
            raise SpecError(errors.TooLarge(span, what=what, limit=f"{LIMIT:,} distinct steps", variable=""))


def _is_long(size: Dim) -> TypeGuard[TracedInt]:
    return isinstance(size, TracedInt) and len(size.source) > LONGEST


def _as_they_are(shape: Shape) -> Shape:
    return shape


def _ones(shape: Shape) -> Jump:
    return (1,) * len(shape.spatial)


def compose(outer: Jump, inner: Jump) -> Jump:
    """Total stride of two parts one after the other."""
    if inner == ():
        return ()
    if outer is None or inner is None or len(outer) != len(inner):
        return None
    return tuple(a * b for a, b in zip(outer, inner, strict=True))


def jump_of(facts: Facts, inputs: tuple[Jump, ...], shapes: tuple[Shape, ...]) -> Jump:
    """Total stride behind an op, from that of its inputs; None where it isn't declared."""
    if not facts.shape.spatial:
        return ()
    jump = inputs[0] if len(inputs) == 1 else common(inputs, shapes)
    if facts.window is POINTWISE or isinstance(facts.window, Tiles):
        return jump
    if not isinstance(facts.window, Window) or jump is None:
        return None
    if not facts.window.up:
        return (
            jump
            if max(facts.window.stride) == 1
            else tuple(a * s for a, s in zip(jump, facts.window.stride, strict=True))
        )
    stride, up = facts.window.stride, facts.window.up
    return tuple(_ratio(a * s, u) for a, s, u in zip(jump, stride, up, strict=True))


def _ratio(numerator: int | Fraction, denominator: int) -> int | Fraction:
    ratio = Fraction(numerator, denominator)
    return ratio.numerator if ratio.denominator == 1 else ratio


def common(jumps: tuple[Jump, ...], shapes: tuple[Shape, ...]) -> Jump:
    """The stride that inputs which meet have in common; one that is broadcast (all sizes 1) has no say."""
    if all(jump == jumps[0] for jump in jumps):
        return jumps[0]
    telling = {
        jump
        for jump, shape in zip(jumps, shapes, strict=True)
        if any(not isinstance(s, int) or s != 1 for s in shape.spatial)
    }
    return telling.pop() if len(telling) == 1 else jumps[0] if not telling else None
