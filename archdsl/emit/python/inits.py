"""`init_weights`: how every weight is drawn, once, and every buffer computed."""

from __future__ import annotations

import re
from typing import NamedTuple

from archdsl.emit.python.classes import Class, Classes
from archdsl.emit.python.pieces import WIDTH, Bracketed, flat, lines
from archdsl.emit.python.values import literal
from archdsl.ir import CallStep, Init, OpStep, Scope, leaves
from archdsl.ops.base import Torch

Rule = tuple[tuple[str, Init | None], ...]  # each weight of a module and how it is drawn; None: PyTorch's own way

_DEFAULT = Init("default")
_CONSTANTS = {"zeros": 0.0, "ones": 1.0}
_KEPT = {"weight": 1.0, "bias": 0.0}
_DERIVED = re.compile(r"class \w+\((nn\.\w+)\):")


class _Apart(NamedTuple):
    """Modules of a PyTorch class that aren't drawn as most of it are: their paths, the others', and what draws them."""

    call: str
    paths: list[str]
    others: list[str]
    body: tuple[str, ...]


class Kind(NamedTuple):
    """The modules of one PyTorch class: which weights some of them have, and which all."""

    call: str
    weights: tuple[str, ...]
    optional: frozenset[str]
    buffers: bool


def method(classes: Classes) -> list[str]:
    """The lines of the method, without margin."""
    found = _Modules(classes)
    own, owners = found.parameters(classes.net, "self"), found.owners()
    text = ["def init_weights(self) -> None:", '    """Draws every weight anew and resets every buffer."""']
    text += [f"    {line}" for line in own]
    named, cases = found.cases(owners)
    if not cases:
        return text if own else []
    text.append("    for name, module in self.named_modules():" if named else "    for module in self.modules():")
    for k, (condition, body) in enumerate(cases):
        text += [f"        {line}" for line in lines(condition, 12, "if " if k == 0 else "elif ", ":")]
        text += [f"            {line}" for line in body]
    return text


class _Modules:
    """The modules of a network by PyTorch class, with the rules for them."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._kinds: dict[str, dict[Rule, None]] = {}
        self._all: dict[str, list[set[str]]] = {}
        self._buffers: set[str] = set()
        self._bare: set[str] = set()  # of which some modules have no weights and no buffers
        self._bases: dict[str, str] = {}  # our own classes and PyTorch's that they derive from
        seen: set[int] = set()
        self._collect(classes.net.scope, seen)

    def _collect(self, scope: Scope, seen: set[int]) -> None:
        if id(scope) in seen:
            return
        seen.add(id(scope))
        for item in self._classes.flat(scope).items:
            if isinstance(item.step, CallStep):
                self._collect(item.step.scope, seen)
                continue
            helper = item.lowered.helper
            if helper is not None and (derived := _DERIVED.match(helper.source)):
                self._bases[helper.name] = derived[1]
            if not item.step.facts.weights and not item.step.facts.buffers:
                self._bare.add(item.lowered.call)
            else:
                for call, rule in _rules(item.step, item.lowered).values():
                    self._kinds.setdefault(call, {})[rule] = None
                    self._all.setdefault(call, []).append({name for name, _ in rule})
                if item.step.facts.buffers:
                    self._buffers.add(item.lowered.call)

    def parameters(self, one: Class, owner: str) -> list[str]:
        """The lines that draw the bare parameters of a class."""
        text = []
        for item in one.flat.items:
            if item.lowered.parameter:
                assert isinstance(item.step, OpStep)
                init = dict(item.step.inits).get("", _DEFAULT)
                weight = one.attributes.access(item, owner)
                # A bare parameter has no way of its own in PyTorch.
                text += _draw(weight, Init("zeros") if init == _DEFAULT else init)
        return text

    def owners(self) -> list[tuple[str, list[str]]]:
        """The classes but the network's own that hold bare parameters, with the lines for them."""
        made = ((one.name, self.parameters(one, "module")) for one in self._classes.all if one is not self._classes.net)
        return [(name, text) for name, text in made if text]

    def cases(self, owners: list[tuple[str, list[str]]]) -> tuple[bool, list[tuple[str | Bracketed, list[str]]]]:
        """Whether they ask for a module's path; condition and lines of each case, the special ones first."""
        special: dict[tuple[str, ...], list[_Apart]] = {}
        bodies: dict[tuple[str, ...], list[str]] = {}
        plain: list[str] = []
        for call in sorted(self._kinds, key=lambda call: call.startswith("nn.")):
            kind = self._kind(call)
            rules = list(self._kinds[call])
            merged = _merged(rules)
            if merged is None:
                more, merged = self._exceptions(kind, rules)
                kind = kind._replace(optional=frozenset(kind.weights if self._some_bare(call) else ()))
                for one in more:
                    special.setdefault(one.body, []).append(one)
            if all(init is None for _, init in merged):
                plain.append(call)
            else:
                bodies.setdefault(tuple(_body(kind, merged)), []).append(call)
        for name, text in owners:
            bodies.setdefault(tuple(text), []).append(name)
        if plain:
            bodies.setdefault(("module.reset_parameters()",), []).extend(plain)
        first = {body: _condition(alike) for body, alike in special.items()}
        # The classes that others derive from come last: those others are of them, too.
        ordered = sorted(bodies.items(), key=lambda item: not {*self._bases.values()}.isdisjoint(item[1]))
        general: dict[tuple[str, ...], str | Bracketed] = {body: _is_one_of(calls) for body, calls in ordered}
        if general and (body := next(iter(general))) in first:
            general[body] = _either(first.pop(body), general[body])
        cases = [(condition, list(body)) for part in (first, general) for body, condition in part.items()]
        return bool(special), [*cases[:-1], *map(_unnested, cases[-1:])]

    def _kind(self, call: str) -> Kind:
        sets = self._all[call]
        weights = tuple(dict.fromkeys(name for rule in self._kinds[call] for name, _ in rule))
        optional = frozenset(name for name in weights if self._some_bare(call) or not all(name in one for one in sets))
        return Kind(call, weights, optional, call in self._buffers)

    def _some_bare(self, call: str) -> bool:
        """Whether what is of a class, or of one that derives from it, is without weights and buffers at some place."""
        return any(call in (one, self._bases.get(one)) for one in self._bare)

    def _exceptions(self, kind: Kind, rules: list[Rule]) -> tuple[list[_Apart], Rule]:
        """The modules that aren't drawn as most of their kind are, and the rule of most."""
        paths: dict[Rule, list[str]] = {}
        derived: list[str] = []
        for leaf in leaves(self._classes.net.scope):
            lowered = leaf.step.op.lower(tuple(leaf.scope.shapes[value] for value in leaf.step.inputs))
            for part, (call, rule) in _rules(leaf.step, lowered).items():
                path = f"{leaf.path}.{part}" if part else leaf.path
                if call == kind.call:
                    paths.setdefault(rule, []).append(path)
                elif self._bases.get(call) == kind.call:
                    derived.append(path)
        alike: dict[tuple[str, ...], list[Rule]] = {}
        for rule in rules:
            present = tuple(name for name, _ in rule)
            alike.setdefault(tuple(_body(Kind(kind.call, present, frozenset(), kind.buffers), rule)), []).append(rule)
        there = {body: [path for rule in group for path in paths[rule]] for body, group in alike.items()}
        most = max(there, key=lambda body: len(there[body]))
        found: list[_Apart] = []
        for body in alike:
            if body == most:
                continue
            others = [path for other, paths_there in there.items() if other != body for path in paths_there]
            others += derived
            found.append(_Apart(kind.call, there[body], others, body))
        merged = _merged(alike[most])
        assert merged is not None
        return found, merged


def _condition(alike: list[_Apart]) -> str | Bracketed:
    """What holds of the modules that are drawn alike, and of no others."""
    if len(alike) > 1:
        return _is_at([path for one in alike for path in one.paths])
    ((call, paths, others, _),) = alike
    own = tuple(dict.fromkeys(map(_last, paths)))
    if len(own) < len(paths) and not {*own} & {*map(_last, others)}:
        told = f"== {literal(own[0])}" if len(own) == 1 else f"in {literal(own)}"
        condition = f'isinstance(module, {call}) and name.rpartition(".")[2] {told}'
        if len(condition) < WIDTH - 20:  # which isn't broken, as a tuple of paths is
            return condition
    tops = tuple(dict.fromkeys(path.partition(".")[0] + "." for path in paths))
    apart = all("." in path for path in paths) and not any(path.startswith(tops) for path in others)
    if apart and len(tops) < len(paths):
        return f"isinstance(module, {call}) and name.startswith({literal(tops if len(tops) > 1 else tops[0])})"
    return _is_at(paths)


def _is_at(paths: list[str]) -> str | Bracketed:
    if len(paths) == 1:
        return f"name == {literal(paths[0])}"
    return Bracketed("name in ", tuple(map(literal, paths)))


def _unnested(case: tuple[str | Bracketed, list[str]]) -> tuple[str | Bracketed, list[str]]:
    """A case whose lines all stand behind one `if`, behind both conditions at once."""
    condition, (first, *others) = case
    if not first.startswith("if ") or not all(line.startswith(" ") for line in others):
        return case
    more = first.removeprefix("if ").removesuffix(":")
    left = flat(condition)
    return f"{f'({left})' if ' or ' in left else left} and {more}", [line[4:] for line in others]


def _either(one: str | Bracketed, other: str | Bracketed) -> str:
    left = flat(one)
    return f"{f'({left})' if ' and ' in left else left} or {flat(other)}"


def _is_one_of(calls: list[str]) -> Bracketed:
    kinds = Bracketed("", tuple(calls)) if len(calls) > 1 else calls[0]
    return Bracketed("isinstance", ("module", kinds))


def _rules(step: OpStep, lowered: Torch) -> dict[str, tuple[str, Rule]]:
    """The class of a step's module, "", and of the modules inside, by name, with how the weights of each are drawn.

    What PyTorch does anyway is no rule.
    """
    inits = dict(step.inits)
    rules: dict[str, tuple[str, Rule]] = {}
    for part, call in (("", lowered.call), *lowered.parts.items()):
        prefix = f"{part}." if part else ""
        names = [suffix.removeprefix(prefix) for suffix in step.facts.weights if suffix.startswith(prefix)]
        own = [name for name in names if "." not in name] if call else []
        if own or (call and not part and step.facts.buffers):
            rules[part] = call, tuple((name, _own_way(inits.get(prefix + name), name, call)) for name in own)
    return rules


def _own_way(init: Init | None, weight: str, call: str) -> Init | None:
    if init is None or init == _DEFAULT:
        return None
    constant = _CONSTANTS.get(init.scheme, init.args[0] if init.scheme == "constant" else None)
    if "Norm" in call and constant is not None and constant == _KEPT.get(weight):
        return None
    return Init(init.scheme, tuple(arg if isinstance(arg, str) else _plain(arg) for arg in init.args))


def _plain(number: float) -> float:
    """The number without what it was computed from."""
    return int(number) if isinstance(number, int) else float(number)


def _merged(rules: list[Rule]) -> Rule | None:
    """One rule for all, where no two of them differ about a weight."""
    merged: dict[str, Init | None] = {}
    for rule in rules:
        for name, init in rule:
            if merged.setdefault(name, init) != init:
                return None
    return tuple(merged.items())


def _body(kind: Kind, rule: Rule) -> list[str]:
    """The lines that draw the weights of `module`."""
    text: list[str] = []
    own_ways = [name for name, init in rule if init is None]
    fans = kind.call.startswith(("nn.Conv", "nn.Linear"))
    if all(init is None for _, init in rule) or (own_ways and not fans and "Norm" not in kind.call):
        text.append("module.reset_parameters()")
        own_ways = []
        rule = tuple(pair for pair in rule if pair[1] is not None)
    elif kind.buffers:
        text.append(f"module.reset_{'running_stats' if 'Norm' in kind.call else 'buffers'}()")
    for name, init in rule:
        body = _default(name, fans) if name in own_ways or init is None else _draw(f"module.{name}", init)
        if name in kind.optional:
            text.append(f"if module.{name} is not None:")
            body = [f"    {line}" for line in body]
        text += body
    return text


def _default(weight: str, fans: bool) -> list[str]:
    """PyTorch's own way to draw one weight of a module whose others are drawn otherwise."""
    if not fans:
        return [f"nn.init.{'ones' if weight == 'weight' else 'zeros'}_(module.{weight})"]
    if weight == "weight":
        return ["nn.init.kaiming_uniform_(module.weight, a=5**0.5)"]
    return ["bound = module.weight[0].numel() ** -0.5", "nn.init.uniform_(module.bias, -bound, bound)"]


def _draw(weight: str, init: Init) -> list[str]:
    """The call of torch.nn.init for a scheme of the language."""
    scheme, args = init
    if scheme == "constant":
        value = args[0]
        name = {0: "zeros", 1: "ones"}.get(value)
        return [f"nn.init.{name}_({weight})" if name else f"nn.init.constant_({weight}, {literal(value)})"]
    if scheme == "uniform":
        return [f"nn.init.uniform_({weight}, {literal(-args[0])}, {literal(args[0])})"]
    if scheme in ("normal", "trunc_normal"):
        return [f"nn.init.{scheme}_({weight}, std={literal(args[0])})"]
    if scheme.startswith("kaiming"):
        mode = f", mode={literal(args[0])}" if args and args[0] != "fan_in" else ""
        return [f'nn.init.{scheme}_({weight}{mode}, nonlinearity="relu")']
    return [f"nn.init.{scheme}_({weight})"]


def _last(path: str) -> str:
    return path.rpartition(".")[2]
