"""What a scope becomes: an inline Sequential, a class of modules in a list, or a class with a forward of its own."""

from __future__ import annotations

from typing import Literal

from archdsl.emit.python.flatten import Flat, Item
from archdsl.emit.python.pieces import Bracketed, Piece
from archdsl.emit.python.values import is_identifier
from archdsl.ir import MODULE_ATTRIBUTES, CallStep, OpStep, Scope

# sequential: numbered modules one after the other; ordered: the same with names; list: numbered modules that a forward
# of its own joins; module: anything else.
Form = Literal["sequential", "ordered", "list", "module"]


def form_of(scope: Scope, flat: Flat) -> Form:
    """The form of a scope, from its steps."""
    members = [item for item in flat.items if item.is_module or item.lowered.parameter]
    counted = all(item.name == str(k) and item.is_module for k, item in enumerate(members))
    if is_chain(flat):
        if counted and (members or not scope.labelled):
            return "sequential"
        named = not any(item.nameless for item in members)
        if named and scope.kind == "container":
            return "ordered"
    if counted and members and not any(item.step.unused for item in members):
        return "list"
    return "module"


def is_inline(scope: Scope, form: Form) -> bool:
    """Whether the scope is spelled where it stands, without a class."""
    return scope.kind == "container" and form in ("sequential", "ordered")


def is_chain(flat: Flat) -> bool:
    """Modules one after the other, each on the result of the one before, and nothing else."""
    if len(flat.inputs) != 1:
        return False
    current = flat.inputs[0]
    for item in flat.items:
        plain = item.is_module and not item.step.unused and item.mode == "always" and len(item.outputs) == 1
        if not plain or item.inputs != (current,):
            return False
        current = item.outputs[0]
    return flat.results == (current,)


class Attributes:
    """What the members of one class are called in its source."""

    def __init__(self, flat: Flat, form: Form) -> None:
        self._form = form
        self._taken = {item.name for item in flat.items if not item.nameless}
        # By what they make: the sixth nameless `relu` is called as the first nameless `relu6`.
        self._of: dict[tuple[int, ...], str] = {}
        for item in flat.items:
            if item.nameless and item.is_module:
                stem = item.step.op.name if isinstance(item.step, OpStep) else item.step.scope.name
                self._of[item.outputs] = self._unique(item.name.removeprefix("~"), stem)

    def _unique(self, name: str, stem: str) -> str:
        k = 2
        while name in self._taken or name in MODULE_ATTRIBUTES or not is_identifier(name):
            name, k = f"{stem}{k}", k + 1
        self._taken.add(name)
        return name

    def access(self, item: Item, owner: str = "self") -> str:
        """The expression that a member is read with."""
        name = self._of.get(item.outputs, item.name)
        if self._form == "list":
            return f"{owner}[{name}]"
        return f"{owner}.{name}" if is_identifier(name) else f'getattr({owner}, "{name}")'

    def assigned(self, item: Item, made: Piece) -> tuple[str, Piece]:
        """The statement that gives a member what is made: what stands before the expression, and the expression."""
        name = self._of.get(item.outputs, item.name)
        if is_identifier(name):
            return f"self.{name} = ", made
        register = "register_parameter" if item.lowered.parameter else "add_module"
        return "", Bracketed(f"self.{register}", (f'"{name}"', made))


def title(scope: Scope) -> str:
    """What a scope is called in a docstring."""
    return f"the block `{scope.name}`" if scope.kind == "block" else f"`{scope.name}`"


def labels(flat: Flat) -> tuple[str, ...]:
    """The names of a scope's steps."""
    return tuple(item.name for item in flat.items if not item.nameless and not item.number)


def children(flat: Flat) -> tuple[CallStep, ...]:
    """The scopes that a scope enters."""
    return tuple(item.step for item in flat.items if isinstance(item.step, CallStep))
