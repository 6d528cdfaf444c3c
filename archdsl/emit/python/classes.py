"""The classes of a network: one for each text that its blocks have, told apart by a suffix where one has several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.emit.python.flatten import Flat, Item, flatten
from archdsl.emit.python.forms import Attributes, Form, form_of, is_inline, labels, title
from archdsl.emit.python.forward import Forward
from archdsl.emit.python.modules import Inline, Modules, Reference, arguments_of
from archdsl.emit.python.pieces import Bracketed, lines
from archdsl.emit.python.values import class_name, hint, identifier
from archdsl.ir import CallStep, Net, Scope
from archdsl.trace import Sides, python_name


class Class:
    """A class to be printed, from one of the scopes that share its text.

    order: the parameters that its text may mention. names: those that it does. hints: parameter -> types seen.
    """

    def __init__(self, scope: Scope, flat: Flat, form: Form, order: tuple[tuple[str, str | None], ...]) -> None:
        self.scope = scope
        self.flat = flat
        self.form: Form = form
        self.order = order
        self.attributes = Attributes(flat, form)
        self.names: frozenset[str] = frozenset()
        self.hints: dict[str, set[str]] = {}
        self.name = f"Class{id(scope)}"  # until the names are chosen
        self.about = ""

    @property
    def params(self) -> tuple[tuple[str, str | None], ...]:
        """The constructor's parameters, with their defaults where all that follow have one."""
        used = [(name, default) for name, default in self.order if name in self.names]
        last = max((k for k, (_, default) in enumerate(used) if default is None), default=-1)
        return tuple((name, default if k > last else None) for k, (name, default) in enumerate(used))


class Classes:
    """All classes of a network, each after those that it uses, the network's own last."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._flats: dict[int, Flat] = {}
        self._used: dict[Scope, tuple[bool, ...]] = {}
        self._class_of: dict[int, Class | Inline] = {}
        self._by_text: dict[tuple[str, ...], Class] = {}
        own = {python_name(name): _default(value) for name, value in net.params}
        types = {python_name(name): hint(value) for name, value in net.params}
        self.net = self._visit(net.scope, tuple(own.items()), types)
        self.all = tuple(self._by_text.values())
        self._name()

    def flat(self, scope: Scope) -> Flat:
        found = self._flats.get(id(scope))
        if found is None:
            found = self._flats[id(scope)] = flatten(scope, self._used)
        return found

    def find(self, scope: Scope) -> Class | None:
        """The class of a scope; None for one that is spelled inline."""
        found = self._class_of[id(scope)]
        return found if isinstance(found, Class) else None

    def _visit(self, scope: Scope, order: tuple[tuple[str, str | None], ...], types: Mapping[str, str]) -> Class:
        """Finds the class of a scope and of all that it enters."""
        flat = self.flat(scope)
        for item in flat.items:
            if isinstance(item.step, CallStep) and id(item.step.scope) not in self._class_of:
                self._enter(item.step, order, types)
        form = form_of(scope, flat)
        made = Class(scope, flat, form, order)
        modules, body, forward = self.print(made)
        made.names = frozenset(modules.names)
        assert made.names <= {name for name, _ in order}, made.names
        known = self._by_text.setdefault((scope.kind, scope.name, *_drawn(flat), *body, *forward), made)
        for name in made.names:
            known.hints.setdefault(name, set()).add(types[name])
        self._class_of[id(scope)] = known
        return known

    def _enter(self, step: CallStep, order: tuple[tuple[str, str | None], ...], types: Mapping[str, str]) -> None:
        scope = step.scope
        if scope.kind == "block":
            order = (("in_channels", None), *scope.params)
            types = {name: hint(value) for name, value in arguments_of(step).items()}
        form = form_of(scope, self.flat(scope))
        if not is_inline(scope, form):
            self._visit(scope, order, types)
            return
        self._class_of[id(scope)] = Inline(self.flat(scope), form)
        for item in self.flat(scope).items:
            if isinstance(item.step, CallStep) and id(item.step.scope) not in self._class_of:
                self._enter(item.step, order, types)

    def _resolve(self, scope: Scope) -> Inline | Reference:
        found = self._class_of[id(scope)]
        if isinstance(found, Inline):
            return found
        return Reference(found.name, found.params)

    def print(self, one: Class) -> tuple[Modules, list[str], list[str]]:
        """What the class needs around it, its constructor's body, and its forward."""
        modules = Modules(self._net.sizes, self._resolve)
        body = constructor(one, modules)
        return modules, body, [] if one.form == "sequential" else self.forward(one)

    def forward(self, one: Class) -> list[str]:
        """The forward of a block; the network's own has outputs with names and is printed elsewhere."""
        if one.scope.kind == "net":
            return []
        forward = Forward(one.flat, one.attributes, optional=True)
        body = forward.body()
        results = one.flat.results
        hints = ["torch.Tensor" if value not in one.flat.sides else "torch.Tensor | None" for value in results]
        returned = hints[0] if len(hints) == 1 else f"tuple[{', '.join(hints)}]"
        inputs = Bracketed("def forward", ("self", *(f"{name}: torch.Tensor" for name in forward.inputs)))
        told = ", ".join(forward.result(value) for value in results)
        head = lines(inputs, 4, after=f" -> {returned}:")
        return [*head, *(f"    {line}" for line in body), f"    return {told}"]

    def _name(self) -> None:
        """Names the classes: by the block, with what sets a variant apart as suffix."""
        taken = {name for one in self.all for name, _ in one.order} | _TAKEN
        taken |= {name for one in self.all for name in self.print(one)[0].helpers}
        self.net.name = _unique(class_name(self._net.name, self._net.about), taken)
        families: dict[str, list[Class]] = {}
        for one in self.all:
            if one is not self.net:
                families.setdefault(class_name(one.scope.name), []).append(one)
        for base, family in families.items():
            for one, suffix, about in _suffixes(family):
                one.name = _unique(base + suffix, taken)
                one.about = f"{title(one.scope)}{about}"


# What emitted classes must not hide, beside the helpers.
_TAKEN = {"NamedTuple", "OrderedDict", "None", "True", "False"}


def _unique(name: str, taken: set[str]) -> str:
    spelled, k = name, 2
    while spelled in taken:
        spelled, k = f"{name}{k}", k + 1
    taken.add(spelled)
    return identifier(spelled)


def _suffixes(family: list[Class]) -> list[tuple[Class, str, str]]:
    """Each variant with its suffix and the words for it: the one step that the others lack, else a number."""
    if len(family) == 1:
        return [(family[0], "", "")]
    names = [labels(one.flat) for one in family]
    common = set(names[0]).intersection(*names[1:])
    extra = [[name for name in own if name not in common] for own in names]
    single = [tuple(more) for more in extra]
    if len(set(single)) == len(single) and () in single and all(len(more) <= 1 for more in extra):
        return [
            (one, class_name(more[0]) if more else "", f" with `{more[0]}`" if more else "")
            for one, more in zip(family, extra, strict=True)
        ]
    return [(one, str(k) if k > 1 else "", f", variant {k}" if k > 1 else "") for k, one in enumerate(family, start=1)]


def constructor(one: Class, modules: Modules) -> list[str]:
    """The statements of a constructor."""
    members = [item for item in one.flat.items if item.is_module or item.lowered.parameter]
    if one.form == "sequential":
        return lines(Bracketed("super().__init__", modules.neighbours(members)), 8)
    if one.form == "list":
        return lines(Bracketed("super().__init__", (Bracketed("", modules.neighbours(members), "[]"),)), 8)
    text = ["super().__init__()"]
    for item in members:
        before, made = one.attributes.assigned(item, modules.module(item))
        text += lines(made, 8, before)
    return text


def signature(one: Class) -> list[str]:
    """The line that opens a constructor."""
    params = ["self"]
    for name, default in one.params:
        kinds = one.hints[name]
        spelled = "float" if kinds == {"int", "float"} else " | ".join(sorted(kinds))
        params.append(f"{identifier(name)}: {spelled}" + (f" = {default}" if default is not None else ""))
    return lines(Bracketed("def __init__", tuple(params)), 4, after=" -> None:")


def _default(value: Any) -> str | None:
    """The value of one of the network's parameters, where it can be an argument."""
    if isinstance(value, Sides):
        return repr(value[0] if len(set(value)) == 1 else tuple(value))
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _drawn(flat: Flat) -> tuple[str, ...]:
    """How bare parameters are drawn, which no other text of their class shows."""
    return tuple(f"{item.name}: {_inits(item)}" for item in flat.items if item.lowered.parameter)


def _inits(item: Item) -> str:
    return str(getattr(item.step, "inits", ()))
