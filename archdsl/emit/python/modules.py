"""The expressions that construct modules, and the names of constructor parameters in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from archdsl.dims import Sym, at
from archdsl.emit.python.flatten import Flat, Item
from archdsl.emit.python.forms import Form
from archdsl.emit.python.pieces import Bracketed, Keyword, Piece, Repeated
from archdsl.emit.python.values import identifier, literal
from archdsl.failure import WrongUsage
from archdsl.ir import CallStep, OpStep, Scope
from archdsl.ops.base import Helper
from archdsl.ops.spatial import spelled
from archdsl.trace import Sides, names_in, python_name


class Inline(NamedTuple):
    """A container spelled where it stands."""

    flat: Flat
    form: Form


class Reference(NamedTuple):
    """A class to construct: its name, and its parameters with the defaults that they have."""

    name: str
    params: tuple[tuple[str, str | None], ...]


Resolve = Callable[[Scope], Inline | Reference]


class Modules:
    """Spells the modules of one class, and notes what the text needs.

    names: the constructor's parameters that the text mentions. helpers, imports: what it needs around it.
    """

    def __init__(self, sizes: Mapping[str, int], resolve: Resolve) -> None:
        self._sizes = sizes
        self._resolve = resolve
        self.names: set[str] = set()
        self.helpers: dict[str, Helper] = {}
        self.ordered = False

    def module(self, item: Item) -> Piece:
        """The expression that makes an item's module or parameter."""
        step = item.step
        if isinstance(step, CallStep):
            found = self._resolve(step.scope)
            return self.container(found) if isinstance(found, Inline) else self._call(found, step)
        if item.lowered.parameter:
            return self._parameter(step)
        lowered = item.lowered
        if lowered.helper is not None:
            self._need(lowered.helper)
        items: list[Piece] = [self.spell(value) for value in lowered.args]
        for key, value in lowered.settings.items():
            if names_in(value) or key not in lowered.defaults or _differs(lowered.defaults[key], value):
                items.append(Keyword(identifier(key), self.spell(value)))
        if item.inplace:
            items.append(Keyword("inplace", "True"))
        return Bracketed(lowered.call, tuple(items))

    def _need(self, helper: Helper) -> None:
        """Notes a helper, behind those that it uses."""
        for other in helper.needs:
            self._need(other)
        self.helpers[helper.name] = helper

    def container(self, found: Inline) -> Piece:
        """nn.Sequential, with names where the steps have them."""
        if found.form == "sequential":
            return Bracketed("nn.Sequential", self.neighbours(found.flat.items))
        self.ordered = True
        pairs = tuple(Bracketed("", (literal(item.name), self.module(item))) for item in found.flat.items)
        return Bracketed("nn.Sequential", (Bracketed("OrderedDict", (Bracketed("", pairs, "[]"),)),))

    def neighbours(self, items: Sequence[Item]) -> tuple[Piece, ...]:
        """The modules of a sequence; equal neighbours as one comprehension."""
        made = [(self.module(item), isinstance(item.step, CallStep)) for item in items]
        pieces: list[Piece] = []
        for (piece, is_call), alike in groupby(made):
            count = len(list(alike))
            pieces += [Repeated(piece, count)] if is_call and count > 1 else [piece] * count
        return tuple(pieces)

    def spell(self, value: Any) -> str:
        """A value as text, at the network's input size."""
        known = self._known(value)
        self.names |= names_in(known)
        return literal(known)

    def _known(self, value: Any) -> Any:
        if isinstance(value, Sym):
            if not value.names <= self._sizes.keys():
                raise WrongUsage(
                    f"the source needs a number for {value}", help="give the input a size, such as `--input 3x224x224`"
                )
            return at(value, self._sizes)
        if type(value) is tuple:
            return tuple(map(self._known, value))
        return value

    def _parameter(self, step: OpStep) -> Piece:
        (shape,) = step.facts.weights.values()
        sizes = tuple(self.spell(size) for size in shape)
        return Bracketed("nn.Parameter", (Bracketed("torch.empty", sizes),))

    def _call(self, found: Reference, step: CallStep) -> Piece:
        given = arguments_of(step)
        items: list[Piece] = []
        for name, default in found.params:
            if name not in given:  # a container hands on what its block was given
                self.names.add(name)
                items.append(name)
                continue
            value = spelled(given[name]) if isinstance(given[name], Sides) else given[name]
            text = self.spell(value)
            if default is None:
                items.append(text)
            elif text != default:
                items.append(Keyword(identifier(name), text))
        return Bracketed(found.name, tuple(items))


def arguments_of(step: CallStep) -> dict[str, Any]:
    """What a block's class is constructed with, by the names that the constructor has for it."""
    if not step.arguments:
        return {}
    *given, (_, channels) = step.arguments
    return {python_name(key): value for key, value in given} | {"in_channels": channels}


def _differs(default: Any, value: Any) -> bool:
    return (type(default) is bool and default is not value) or default != value
