"""Where an expression or step stands: its variables, its file's definitions, the settings that hold, the path to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.ir import Init, Scope
from archdsl.ops import BY_NAME
from archdsl.ops.base import Op
from archdsl.shape import Shape
from archdsl.syntax.expression import Expression, StepPath
from archdsl.syntax.spec import BlockDef, Body
from archdsl.trace import names_in

if TYPE_CHECKING:
    from archdsl.expand.builder import Builder
    from archdsl.expand.counting import Around
    from archdsl.expand.values import Given

MISSING: Any = object()

# What calls of an op leave out: op -> setting -> value, one mapping a place that may say so.
Defaults = Mapping[str, Mapping[str, "Given"]]


class InitRule(NamedTuple):
    """An initialisation as written, kept until the shape of its weight is known."""

    expression: Expression
    env: Env


Inits = Mapping[str, Mapping[str, InitRule]]


class Definition(NamedTuple):
    """A block or macro with the file that it belongs to."""

    node: BlockDef
    unit: Unit
    macro: bool


class Unit:
    """A file's definitions: blocks and macros (its own and used ones), lets, defaults and inits in lookup order."""

    __slots__ = ("defaults", "definitions", "inits", "lets", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.definitions: dict[str, Definition] = {}
        self.lets: dict[str, Any] = {}
        self.defaults: tuple[Defaults, ...] = ()
        self.inits: tuple[Inits, ...] = ()


class Session:
    """One expansion: what it shares between all scopes.

    sizes: the values of the input's open sizes, where they are given.
    expand, resolve: the expansion of a body and the shape of `@path`, which call back into what uses the session.
    trace: parameters are bound to traced numbers, so that source can be printed.
    decided: names of the traced parameters of the scope in hand that a guard, count or index has read; decisions: those
    of blocks that are expanded already.
    written: the network's parameters with the place where each value was written.
    """

    __slots__ = (
        "active",
        "alive",
        "alive_reads",
        "decided",
        "decisions",
        "distinct",
        "expand",
        "init_cache",
        "items",
        "libraries",
        "macros",
        "memo",
        "op_cache",
        "ops",
        "params",
        "resolve",
        "scopes",
        "shape_reads",
        "sizes",
        "templates",
        "trace",
        "units",
        "written",
    )

    def __init__(self, *, trace: bool, sizes: Mapping[str, int], ops: Mapping[str, type[Op]] = BY_NAME) -> None:
        self.trace = trace
        self.sizes = sizes
        self.ops = ops
        self.decided: set[str] = set()
        self.decisions: dict[Any, set[str]] = {}
        self.distinct = 0
        self.units: list[Unit] = []  # of the file and of those that it uses
        self.libraries: dict[str, Unit] = {}  # those that are used, by the name of their file
        self.macros = 0  # how many have been put in
        self.items = 0  # of lists, how many have been gone through
        self.memo: dict[Any, Any] = {}
        self.scopes: dict[Any, Any] = {}
        self.op_cache: dict[Any, Any] = {}
        self.init_cache: dict[Any, tuple[tuple[str, Init], ...]] = {}
        self.alive: dict[int, Any] = {}
        self.written: Mapping[str, Given] = {}
        self.params: dict[int, Any] = {}  # the types and plain defaults of parameters
        self.alive_reads: dict[int, Any] = {}
        self.shape_reads = 0  # how often a decision has read a shape
        self.templates: dict[Any, Scope] = {}  # blocks expanded without reading one
        self.active: list[BlockDef] = []  # the blocks and macros being expanded, outermost first
        self.resolve: Callable[[StepPath, Env], Shape]
        self.expand: Callable[[Body, Env], None]

    def close(self) -> None:
        """Lets go of everything: what it keeps refers to it, and such circles would wait long for the collector."""
        for kept in (self.memo, self.scopes, self.op_cache, self.init_cache, self.alive, self.params, self.templates):
            kept.clear()
        self.alive_reads.clear()
        self.decisions.clear()
        self.libraries.clear()
        for unit in self.units:
            unit.definitions.clear()
            unit.defaults = unit.inits = ()

    def keep(self, *keys: Any) -> None:
        """Keeps objects alive whose identity is part of a cache's key."""
        for key in keys:
            self.alive[id(key)] = key

    def reads(self, tree: Any, collect: Callable[[Any], Any]) -> Any:
        """What a piece of the tree reads, found once."""
        known = self.alive_reads.get(id(tree))
        if known is None:
            known = self.alive_reads[id(tree)] = collect(tree)
            self.keep(tree)
        return known

    def decide(self, *values: Any) -> None:
        """Notes that the structure depends on these values."""
        if self.trace:
            for value in values:
                self.decided |= names_in(value)


class Env:
    """An environment; immutable but for `variables`, to which a `let` adds.

    around: the loops of the same body around this place, if they count for `nth` and `total`.
    """

    __slots__ = ("around", "builder", "defaults", "input", "inits", "path", "session", "unit", "variables")

    def __init__(
        self,
        *,
        session: Session,
        unit: Unit,
        builder: Any,
        input: Any,
        variables: dict[str, Any],
        path: tuple[str, ...] = (),
        defaults: tuple[Defaults, ...] | None = None,
        inits: tuple[Inits, ...] | None = None,
        around: Around | None = None,
    ) -> None:
        self.session = session
        self.unit = unit
        # None where a file's own expressions stand, before any step: `here` and `input` are unknown there.
        self.builder: Builder = builder
        self.input: Shape = input
        self.variables = variables
        self.path = path
        self.defaults = unit.defaults if defaults is None else defaults
        self.inits = unit.inits if inits is None else inits
        self.around = around

    def with_variables(self, more: Mapping[str, Any], around: Around | None = None) -> Env:
        """The same place with further variables, and inside a loop that counts."""
        return self._replace(variables={**self.variables, **more}, around=around)

    def at(self, *levels: str) -> Env:
        """The same environment further along the path."""
        return self._replace(path=(*self.path, *levels))

    def within(self, builder: Builder) -> Env:
        """The same environment, adding steps to another scope."""
        return self._replace(builder=builder, variables=dict(self.variables))

    def _replace(
        self,
        *,
        variables: dict[str, Any] | None = None,
        path: tuple[str, ...] | None = None,
        builder: Builder | None = None,
        around: Around | None = None,
    ) -> Env:
        return Env(
            session=self.session,
            unit=self.unit,
            builder=self.builder if builder is None else builder,
            input=self.input,
            variables=self.variables if variables is None else variables,
            path=self.path if path is None else path,
            defaults=self.defaults,
            inits=self.inits,
            around=self.around if around is None else around,
        )

    def lookup(self, name: str) -> Any:
        """The value of a variable, MISSING if there is none."""
        if name in self.variables:
            return self.variables[name]
        if name not in ("here", "input") or self.builder is None:
            return MISSING
        self.session.shape_reads += 1
        return self.builder.here if name == "here" else self.input

    def names(self) -> tuple[str, ...]:
        return (*self.variables, "input", "here")

    def callables(self) -> Iterable[str]:
        """The names that a step can call here."""
        return (*self.unit.definitions, *self.session.ops)

    def is_callable(self, name: str) -> bool:
        return name in self.session.ops or name in self.unit.definitions or name in SCHEMES

    def shape_of(self, path: StepPath) -> Shape:
        self.session.shape_reads += 1
        return self.session.resolve(path, self)


SCHEMES = (
    "default",
    "normal",
    "trunc_normal",
    "uniform",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_normal",
    "kaiming_uniform",
    "zeros",
    "ones",
)
