"""The body of a `forward`: straight-line code over as few variables as read well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from archdsl.emit.python.flatten import Flat, Item
from archdsl.emit.python.forms import Attributes
from archdsl.emit.python.values import is_identifier
from archdsl.ir import CallStep, Mode, OpStep

# Kinds of ops that stand on the line of what they follow: self.relu(self.bn(self.conv(x))).
FOLLOWING = frozenset({"norm", "activation", "dropout", "shape"})
LONGEST = 96
DEEPEST = 4
CONDITIONS = {"training": "if self.training:", "eval": "if not self.training:"}
# Variables that emitted code uses for something else.
_TAKEN = frozenset({"self", "torch", "nn", "math", "divisible", "getattr"})


class Pending(NamedTuple):
    """A value that isn't computed yet: the expression, the variables' values that it reads, how deep it nests."""

    value: int
    text: str
    reads: tuple[int, ...]
    depth: int
    atom: bool
    item: Item


class Forward:
    """Prints one forward.

    Evaluation keeps the order of the steps, so that random numbers are drawn in it: an expression is put off only
    until the next one that takes it.
    """

    def __init__(self, flat: Flat, attributes: Attributes, *, optional: bool) -> None:
        self._flat = flat
        self._attributes = attributes
        self._optional = optional  # side heads that don't run are None instead of unset
        self._left = self._readers()
        self._variable: dict[int, str] = {}
        self._holder: dict[str, int] = {}
        self._pending: list[Pending] = []
        self._held: dict[str, int] = {}  # up to which number the names of a stem are those of living values
        self._lines: list[str] = []
        self._mode: Mode = "always"
        self._spread = self._read_late()
        self.inputs = tuple(self._hold(value, self._input_name(k)) for k, value in enumerate(flat.inputs))

    def _readers(self) -> dict[int, int]:
        left: dict[int, int] = dict.fromkeys(range(len(self._flat.shapes)), 0)
        for item in self._flat.items:
            for value in item.reads:
                left[value] += 1
        for value in self._flat.results:
            left[value] += 1
        return left

    def _read_late(self) -> frozenset[int]:
        """Values that are read again long after they were made, which deserve a name of their own."""
        made: dict[int, int] = {}
        late: set[int] = set()
        for index, item in enumerate(self._flat.items):
            late.update(value for value in item.reads if index - made.get(value, index) > 4)
            made.update(dict.fromkeys(item.outputs, index))
        return frozenset(value for value in late if self._left[value] > 1)

    @staticmethod
    def _input_name(k: int) -> str:
        return "x" if k == 0 else "skip" if k == 1 else f"skip{k}"

    def body(self) -> list[str]:
        """The statements before the return."""
        items = [item for item in self._flat.items if not item.step.unused]
        for mode, group in groupby(items, key=lambda item: item.mode):
            part = list(group)
            if mode != self._mode:
                self._flush(len(self._pending))
                self._enter(mode, part)
            for item in part:
                self._step(item)
        if self._mode != "always" or len(self._flat.results) > 1:
            self._flush(len(self._pending))
        self._mode = "always"
        return self._lines

    def result(self, value: int) -> str:
        """The expression of a result; what is put off is part of it."""
        for waiting in self._pending:
            if waiting.value == value:
                return waiting.text
        return self._variable[value]

    def _enter(self, mode: Mode, items: list[Item]) -> None:
        """Begins what runs in a mode: the steps of one side head, or of several."""
        self._mode = mode
        if mode == "always":
            return
        for item in items if self._optional else ():
            for value in item.outputs:
                if value in self._flat.sides and value not in self._variable:
                    self._lines.append(f"{self._hold(value, self._free(item.side))} = None")
        self._lines.append(CONDITIONS[mode])

    def _step(self, item: Item) -> None:
        if item.lowered.parameter:
            self._offer(item, self._attributes.access(item), (), 0, atom=True)
        elif item.is_module:
            self._module(item)
        else:
            self._expression(item)

    def _module(self, item: Item) -> None:
        step = item.step
        nests = isinstance(step, OpStep) and step.op.kind in FOLLOWING
        last = self._pending[-1] if self._pending else None
        call = self._attributes.access(item)
        if nests and last is not None and item.inputs == (last.value,) and last.depth < DEEPEST:
            text = f"{call}({last.text})"
            if len(text) <= LONGEST:
                self._pending.pop()
                self._offer(item, text, last.reads, last.depth + 1, atom=True)
                return
        self._settle(item.inputs)
        arguments = ", ".join(self._variable[value] for value in item.inputs)
        self._offer(item, f"{call}({arguments})", item.inputs, 1, atom=True)

    def _expression(self, item: Item) -> None:
        template = item.lowered.expression
        places = [k for k in range(len(item.inputs)) if f"{{{k}}}" in template] or list(range(len(item.inputs)))
        values = [item.inputs[k] for k in places]
        waiting = {one.value: one for one in self._pending}
        wanted = [value for value in values if value in waiting]
        tail = [one.value for one in self._pending[len(self._pending) - len(wanted) :]]
        once = len(set(wanted)) == len(wanted) and all(template.count(f"{{{k}}}") <= 1 for k in places)
        inlined = wanted if wanted == tail and once and not _shapes(template) else []
        text = self._fill(item, template, {value: waiting[value] for value in inlined})
        if len(text) > LONGEST:
            inlined = []
        if not inlined:
            self._settle(tuple(values))
            text = self._fill(item, template, {})
        reads: list[int] = []
        for value in values:
            reads += waiting[value].reads if value in inlined else (value,)
        if inlined:
            del self._pending[len(self._pending) - len(inlined) :]
        self._offer(item, text, tuple(reads), 2, atom=not _OPERATOR.search(_outside(text)))

    def _fill(self, item: Item, template: str, inlined: Mapping[int, Pending]) -> str:
        bare = "{inputs}" in template

        def text(value: int) -> str:
            if value not in inlined:
                return self._variable.get(value, "x")
            one = inlined[value]
            return one.text if one.atom or bare else f"({one.text})"

        texts = [text(value) for value in item.inputs]
        if bare:
            return template.replace("{inputs}", ", ".join(texts))
        return _PLACE.sub(lambda match: texts[int(match[1])], template)

    def _offer(self, item: Item, text: str, reads: tuple[int, ...], depth: int, *, atom: bool) -> None:
        """Puts a step's value off if the next reader can take it as it stands, else assigns it."""
        value = item.outputs[0]
        lasting = value in self._flat.results and len(self._flat.results) > 1
        self._pending.append(Pending(value, text, reads, depth, atom, item))
        if len(item.outputs) > 1 or self._left[value] != 1 or lasting or value in self._flat.sides:
            self._flush(len(self._pending))

    def _settle(self, values: tuple[int, ...]) -> None:
        """Gives the values variables, and what was put off before them."""
        positions = [k for k, one in enumerate(self._pending) if one.value in values]
        if positions:
            self._flush(positions[-1] + 1)

    def _flush(self, count: int) -> None:
        for _ in range(count):
            self._assign(self._pending.pop(0))

    def _assign(self, one: Pending) -> None:
        for value in one.reads:
            self._left[value] -= 1
            if not self._left[value]:
                self._held.clear()
        names = [self._name(one, position, value) for position, value in enumerate(one.item.outputs)]
        indent = "    " if one.item.mode != "always" else ""
        self._lines.append(f"{indent}{', '.join(names)} = {one.text}")

    def _name(self, one: Pending, position: int, value: int) -> str:
        if value in self._variable:
            return self._variable[value]
        if position:
            return self._hold(value, self._free(self._result_name(one.item, position)))
        label = one.item.name
        if one.item.side:
            return self._hold(value, self._own(one.item.side))
        if value in self._spread and is_identifier(label):
            return self._hold(value, self._free(label))
        for source in one.reads:
            name = self._variable.get(source, "")
            if self._holder.get(name) == source and not self._left[source] and source not in self._spread:
                return self._hold(value, name)
        return self._hold(value, self._free("x", "out", "y", "z"))

    @staticmethod
    def _result_name(item: Item, position: int) -> str:
        assert isinstance(item.step, CallStep)
        scope = item.step.scope
        names = ["", *(path.rpartition(".")[2] for path in scope.taps), *(side.name for side in scope.sides)]
        return str(names[position])

    def _own(self, name: str) -> str:
        """The variable of a side head, used for all that leads to it."""
        held = self._holder.get(name)
        return self._free(name) if held is None or self._left[held] else name

    def _free(self, *names: str) -> str:
        """The first name that no living value has, with a number behind it if need be."""
        candidates = [name for name in names if is_identifier(name)] or ["y"]
        for name in candidates:
            if self._is_free(name):
                return name
        stem = candidates[0]
        number = self._held.get(stem, 1) + 1
        while not self._is_free(f"{stem}{number}"):
            number += 1
        self._held[stem] = number - 1
        return f"{stem}{number}"

    def _is_free(self, name: str) -> bool:
        held = self._holder.get(name)
        return name not in _TAKEN and (held is None or not self._left[held])

    def _hold(self, value: int, name: str) -> str:
        self._variable[value], self._holder[name] = name, value
        return name


_PLACE = re.compile(r"\{(\d+)\}")
_OPERATOR = re.compile(r" [-+*/] ")


def _shapes(template: str) -> bool:
    """Whether the template asks an input for its shape."""
    return "}." in template


def _outside(text: str) -> str:
    """What of an expression stands in no brackets."""
    depth, outside = 0, ""
    for char in text:
        depth -= char in ")]"
        outside += "" if depth else char
        depth += char in "(["
    return outside
