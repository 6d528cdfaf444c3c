"""What `nth` and `total` are: a loop's iterations counted over all iterations of the loops around it.

How many there will be is told when the outermost loop is entered: its body is gone through, without making steps, once
for each iteration. That asks for counts and guards that read no shape; other lines may.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.expand import errors
from archdsl.expand.builder import LIMIT
from archdsl.expand.environment import Env
from archdsl.expand.evaluate import condition, evaluate
from archdsl.expand.iterations import Iterations, Loop, iterations
from archdsl.expand.reads import Reads, reads_of_body, reads_of_repeated, reads_of_value
from archdsl.source import Span
from archdsl.syntax.expression import Expression
from archdsl.syntax.spec import Body, Call, Dense, For, From, Let, Output, Repeat, Residual, Step, Unused, bodies_of

# The iteration of each loop around, outermost first. One that is a loop step's counter is never looked up: loops whose
# iterations read `nth` aren't folded.
Place = tuple[Any, ...]


# What a value can depend on that isn't known ahead.
SHAPE, TOTAL = "a shape", "the `total` of a loop that is still being counted"


class Counts(NamedTuple):
    """Of each loop inside an outermost one: how many iterations it has in all, and how many before each place."""

    totals: dict[int, int]
    before: dict[tuple[int, Place], int]


class Around(NamedTuple):
    """Where a step stands in the loops around it that count."""

    counts: Counts
    place: Place


class Entered(NamedTuple):
    """A loop where it is entered: its iterations, and how they are counted, unless nobody asks."""

    iterations: Iterations
    around: Around | None
    first: int = 0
    total: int = 0

    def inside(self, k: Any, env: Env) -> Env:
        """The environment of the k-th iteration, or of a loop step's, whose number is a counter."""
        variables = self.iterations.variables(k)
        if self.around is None:
            return env.with_variables(variables)
        counts, place = self.around
        more = {**variables, "nth": self.first + k, "total": self.total}
        return env.with_variables(more, around=Around(counts, (*place, k)))


def reads_of(node: Loop, env: Env) -> Reads:
    """What the body of a loop reads."""
    if isinstance(node, Call):
        return env.session.reads(node, reads_of_repeated)  # type: ignore[no-any-return]
    return env.session.reads(node.body, reads_of_body)  # type: ignore[no-any-return]


def entered(node: Loop, env: Env) -> Entered:
    """A loop with its iterations, counted where its body reads `nth` or `total`. Raises SpecError."""
    found, inside = iterations(node, env), reads_of(node, env)
    if not inside.counted:
        return Entered(found, None)
    if env.around is not None:
        counts, place = env.around
        return Entered(found, env.around, counts.before.get((id(node), place), 0), counts.totals[id(node)])
    ahead = _Ahead()
    if inside.counts:
        ahead.inside(node, found, 0, {"total": found.total}, _Names(env, {}), ())
    return Entered(found, Around(ahead.counts, ()), 0, found.total)


class _Names(NamedTuple):
    """What is known at a place before its steps are: an environment, and the other names with what they depend on."""

    env: Env
    unknown: Mapping[str, str]

    def missing(self, value: Expression) -> str:
        """What isn't known of what a value reads; empty where it can be told."""
        found = self.env.session.reads(value, reads_of_value)
        return next((self.unknown[name] for name in found.names if name in self.unknown), SHAPE if found.shapes else "")

    def needs(self, value: Expression | None, what: str) -> None:
        """Raises SpecError where the value can't be told."""
        reason = "" if value is None else self.missing(value)
        if value is not None and reason:
            raise self.uncounted(value.span, what, reason)

    def uncounted(self, span: Span, what: str, reason: str) -> SpecError:
        return SpecError(errors.UncountedLoop(span, path=self.env.path, what=what, reason=reason))

    def holds(self, when: Expression | None) -> bool:
        self.needs(when, "this condition")
        return when is None or condition(when, self.env)


class _Ahead:
    """Goes through the loops inside an outermost one."""

    def __init__(self) -> None:
        self.counts = Counts({}, {})
        self.visited = 0

    def inside(
        self, node: Loop, found: Iterations, first: int, more: Mapping[str, Any], names: _Names, place: Place
    ) -> None:
        """All iterations of a loop whose first is the `first` over all; `more`: what is known in each."""
        assert not isinstance(node, Call)
        for k in range(found.total):
            variables = {**found.variables(k), "nth": first + k, **more}
            unknown = {**names.unknown, "total": TOTAL}
            unknown = {name: reason for name, reason in unknown.items() if name not in variables}
            self.body(node.body, _Names(names.env.with_variables(variables), unknown), (*place, k))

    def body(self, body: Body, names: _Names, place: Place) -> None:
        env, unknown = names.env.with_variables({}), dict(names.unknown)
        names = _Names(env, unknown)
        for statement in body:
            self.visit(statement.span, env)
            if isinstance(statement, Let):
                reason = names.missing(statement.value)
                if reason:
                    unknown[statement.name] = reason
                else:
                    env.variables[statement.name] = evaluate(statement.value, env)
            elif isinstance(statement, Step):
                for link in statement.links:
                    if link.count is not None and reads_of(link, env).counted and names.holds(link.when):
                        self.loop(link, names, place)
            elif not isinstance(statement, (From, Unused)):
                self.construct(statement, names, place)

    def visit(self, span: Span, env: Env) -> None:
        self.visited += 1
        if self.visited > LIMIT:
            what = f"more than {LIMIT:,} lines to go through in counting repetitions"
            raise SpecError(errors.TooLarge(span, path=env.path, what=what, limit=f"{LIMIT:,}", variable="nth"))

    def construct(self, node: Any, names: _Names, place: Place) -> None:
        """A statement with bodies, as far as loops in it count."""
        loop = isinstance(node, (Repeat, Dense, For))
        found = [names.env.session.reads(body, reads_of_body) for body in bodies_of(node)]
        if not any(one.counts or (loop and one.counted) for one in found) or not self.exists(node, names):
            return
        if isinstance(node, (Repeat, Dense, For)):
            self.loop(node, names, place)
            return
        for body, inside in zip(bodies_of(node), found, strict=True):
            shortcut = node.shortcut if isinstance(node, Residual) and body is not node.body else None
            if shortcut is None:
                self.body(body, names, place)
            elif inside.counts and shortcut.when is None:
                raise names.uncounted(shortcut.span, "whether this shortcut is built", SHAPE)
            elif inside.counts and names.holds(shortcut.when):
                self.body(body, names, place)

    def exists(self, node: Any, names: _Names) -> bool:
        if not isinstance(node, Output):
            return names.holds(node.when)
        modes = (_Names(names.env.with_variables({"training": mode}), names.unknown) for mode in (True, False))
        return any(mode.holds(node.when) for mode in modes)

    def loop(self, node: Loop, names: _Names, place: Place) -> None:
        """Counts a loop's iterations at a place, and those of the loops in it."""
        if isinstance(node, For):
            names.needs(node.over, "this list")
            for row in node.rows or ():
                for cell in row:
                    names.needs(cell, "this table")
        else:
            names.needs(node.count, "the number of repetitions")
        found = iterations(node, names.env)
        first = self.counts.totals.get(id(node), 0)
        self.counts.before[id(node), place] = first
        self.counts.totals[id(node)] = first + found.total
        if reads_of(node, names.env).counts:
            self.inside(node, found, first, {}, names, place)
