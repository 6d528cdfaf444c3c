"""The syntax tree of a spec, one for both spellings: what the person wrote, checked for form and nothing else.

Positions, comments and blank lines ride along and never count in comparisons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema

from archdsl.source import Span
from archdsl.syntax.expression import NOWHERE, Arg, Expression, Label, SizeLiteral

T = TypeVar("T")


class _Kept:
    """Marks a field that the readers build themselves: taken as it is, at no cost for its type's schema."""

    def __class_getitem__(cls, item: Any) -> Any:
        return Annotated[item, cls]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.any_schema()


if TYPE_CHECKING:
    Kept = Annotated[T, _Kept]
else:
    Kept = _Kept


class Trivia(NamedTuple):
    """What formatting keeps beside the meaning."""

    comments: tuple[str, ...] = ()  # whole lines above, without `#` and the blank after it
    note: str = ""  # the comment at the end of the line
    gap: bool = False  # a blank line stands above


PLAIN = Trivia()
# The fields that never count in comparisons.
_BESIDE = frozenset(("span", "trivia", "net_trivia", "closing"))


class Node(BaseModel):
    """A piece of the tree. Equality ignores where it stands and its trivia."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    span: Kept[Span] = NOWHERE
    trivia: Kept[Trivia] = PLAIN

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return all(mine[key] == theirs[key] for key in mine if key not in _BESIDE)

    def __hash__(self) -> int:
        return hash((type(self), *(value for key, value in self.__dict__.items() if key not in _BESIDE)))


class Call(Node):
    """`3 x bottleneck 64, stride 2 when C`: an op, block or macro applied; one link of a chain."""

    callee: str
    args: Kept[tuple[Arg, ...]] = ()
    count: Kept[Expression | None] = None
    when: Kept[Expression | None] = None


class Step(Node):
    """`label: call -> call`. With several links the label names a container around the chain."""

    label: Kept[Label | None] = None
    links: Kept[tuple[Call, ...]]


class Group(Node):
    """`features:` with a body, or `group`: a container."""

    label: Kept[Label | None] = None
    when: Kept[Expression | None] = None
    body: Kept[Body]


class Repeat(Node):
    """`repeat 12 [as j]` with a body; transparent."""

    count: Kept[Expression]
    index: str = "i"
    when: Kept[Expression | None] = None
    body: Kept[Body]


class For(Node):
    """`for t c n s` over a table (`rows`), or `for s in 0..3` over a list or range (`over`); transparent."""

    names: tuple[str, ...]
    rows: Kept[tuple[tuple[Expression, ...], ...] | None] = None
    over: Kept[Expression | None] = None
    when: Kept[Expression | None] = None
    body: Kept[Body]


class Merge(Node):
    """`add`, `multiply` or `concat [along AXIS]`: all branches read the same tensor."""

    kind: Literal["add", "multiply", "concat"]
    along: str | None = None
    when: Kept[Expression | None] = None
    branches: Kept[tuple[Body, ...]]


class Shortcut(Node):
    """`shortcut [NAME:] [when C]` with a body or without."""

    label: Kept[Label | None] = None
    when: Kept[Expression | None] = None
    body: Kept[Body] = ()


class Residual(Node):
    """The sum of the body and the shortcut; without a shortcut of the identity."""

    when: Kept[Expression | None] = None
    body: Kept[Body]
    shortcut: Kept[Shortcut | None] = None


class Dense(Node):
    """n times: the body sees the concatenation of the input and all earlier results."""

    count: Kept[Expression]
    index: str = "i"
    when: Kept[Expression | None] = None
    body: Kept[Body]


class Output(Node):
    """`output NAME [when C]`: a side head; without a body it names the main output."""

    name: str
    when: Kept[Expression | None] = None
    body: Kept[Body] = ()


class From(Node):
    """`from PATH`: continue from an earlier named step."""

    path: Kept[tuple[Label, ...]]
    when: Kept[Expression | None] = None


class Let(Node):
    """`let wide = expand * input.channels`."""

    name: str
    value: Kept[Expression]


class Unused(Node):
    """`unused linear: linear classes`: weights that forward never uses."""

    label: Kept[Label]
    call: Kept[Call]


Statement = Step | Group | Repeat | For | Merge | Residual | Dense | Output | From | Let | Unused
Body = tuple[Statement, ...]


def bodies_of(statement: Statement) -> tuple[Body, ...]:
    """The bodies that stand directly under a statement."""
    if isinstance(statement, Merge):
        return statement.branches
    if isinstance(statement, Residual):
        return (statement.body,) if statement.shortcut is None else (statement.body, statement.shortcut.body)
    if isinstance(statement, (Group, Repeat, For, Dense, Output)):
        return (statement.body,)
    return ()


class Param(Node):
    """A parameter of a block, macro or network: `stride = 1`, `act as op = none`.

    In a spec that extends another, the value that overrides.
    """

    name: str
    type: str | None = None
    default: Kept[Expression | None] = None


class Settings(Node):
    """`default conv  pad same, bias no` or `init conv  weight zeros`: what calls of an op leave out."""

    op: str
    args: Kept[tuple[Arg, ...]]


class BlockDef(Node):
    """A block (a module level where used) or a macro (its steps join the caller)."""

    name: str
    params: Kept[tuple[Param, ...]] = ()
    defaults: Kept[tuple[Settings, ...]] = ()
    inits: Kept[tuple[Settings, ...]] = ()
    body: Kept[Body]


class Entry(Node):
    """One setting of `train` or `preprocess`: a value, or entries of its own."""

    key: str
    value: Kept[Expression | None] = None
    entries: Kept[tuple[Entry, ...]] = ()


class Section(Node):
    """`train` or `preprocess`: a mapping."""

    entries: Kept[tuple[Entry, ...]] = ()


class Spec(Node):
    """A file: a network, a network that extends another, or (with no `network`) a library of blocks."""

    format: int | None = None
    network: str | None = None
    about: str | None = None
    extends: str | None = None
    params: Kept[tuple[Param, ...]] = ()
    input: Kept[SizeLiteral | None] = None
    use: tuple[str, ...] = ()
    lets: Kept[tuple[Let, ...]] = ()
    defaults: Kept[tuple[Settings, ...]] = ()
    inits: Kept[tuple[Settings, ...]] = ()
    macros: Kept[tuple[BlockDef, ...]] = ()
    blocks: Kept[tuple[BlockDef, ...]] = ()
    layers: Kept[Body | None] = None
    returns: tuple[str, ...] = ()
    preprocess: Kept[Section | None] = None
    train: Kept[Section | None] = None
    net_trivia: Kept[Trivia] = PLAIN  # what stands at the `net` line (text) or at `layers` (YAML)
    closing: Kept[tuple[str, ...]] = ()  # comments after the last line
