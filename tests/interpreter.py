"""A slow second reading of the language, to compare the compiler with: it runs a spec's tree step by step in PyTorch.

Every repetition is unrolled, every block is run where it is called and every size is that of a real tensor; of the
package only the syntax tree, the ops' names of axes and their PyTorch spelling are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import torch
from evaluator import BATCH, Definition, Env, Evaluator, Partial, Refused, Scope, Unit, Value, onward, stride_of
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.ops import BY_NAME
from archdsl.ops.base import Helper, Op, OpError
from archdsl.ops.base import Torch as Spelling
from archdsl.shape import LAYOUTS, Shape
from archdsl.syntax import expression as ex
from archdsl.syntax import spec as ast

# How many times as many numbers as a tensor the weights of an op may have, where tensors are limited.
_WEIGHTS = 25


class Files(NamedTuple):
    """A network's files: the one that is asked for, and by their names those that it extends or uses."""

    asked: ast.Spec
    others: Mapping[str, ast.Spec] = {}

    @property
    def chain(self) -> tuple[ast.Spec, ...]:
        """The one asked for, and what it extends; the last has the layers."""
        found = [self.asked]
        while (name := found[-1].extends) is not None:
            found.append(self.others[name])
        return tuple(found)


class Interpreter(Evaluator):
    """Runs a spec's tree on an input of given sizes, in training mode unless it is told otherwise.

    state: values for all weights and buffers; they are drawn afresh where it is None. largest: how many numbers of an
    image a tensor may have, 0 for any; the weights of an op may be some times as many.
    """

    def __init__(
        self,
        files: Files,
        sizes: tuple[int, ...],
        *,
        image: torch.Tensor | None = None,
        state: Mapping[str, torch.Tensor] | None = None,
        training: bool = True,
        largest: int = 0,
    ) -> None:
        self.files = files
        self.spec = files.chain[-1]
        self.state_given = state
        self.training = training
        self.largest = largest
        self.definitions = {}
        self.outputs: dict[str, tuple[str, Value]] = {}
        self.main = "out"
        self.sometimes = False  # inside an output that runs in one mode only
        self.flops = 0
        self.here = Value(
            torch.randn(BATCH, *sizes) if image is None else image,
            Shape(LAYOUTS[len(sizes)], sizes),
            (Fraction(1),) * (len(sizes) - 1),
        )
        self.unit = self.unit_of(self.spec, files.chain)
        self.root = Scope(self.labelled(self.spec.layers or ()), None)
        self.top = Env(self._parameters(), self.root, self.here, self.unit, self.unit.defaults)

    def unit_of(self, spec: ast.Spec, chain: tuple[ast.Spec, ...]) -> Unit:
        """A file's values; learns its definitions and those of the files that it uses. chain: whose defaults hold."""
        for name in spec.use:
            used = self.files.others[name]
            self.unit_of(used, (used,))
        lets: dict[str, Any] = {}
        place = Env(lets, Scope(False, None), self.here, Unit(lets, ()), ())
        for let in spec.lets:
            lets[let.name] = self.value(let.value, place)
        unit = Unit(lets, tuple(self.settings(file.defaults, place) for file in chain))
        self.definitions |= {node.name: Definition(node, False, unit) for node in spec.blocks}
        self.definitions |= {node.name: Definition(node, True, unit) for node in spec.macros}
        return unit

    def _parameters(self) -> dict[str, Any]:
        """The file's values and the network's parameters: those that the nearest file gives."""
        given: dict[str, Any] = {}
        for file in reversed(self.files.chain[:-1]):
            lets: dict[str, Any] = {}
            place = Env(lets, Scope(False, None), self.here, self.unit, ())
            for let in file.lets:
                lets[let.name] = self.value(let.value, place)
            given |= {param.name: self.value(param.default, place) for param in file.params}
        variables = dict(self.unit.lets)
        place = Env(variables, Scope(False, None), self.here, self.unit, ())
        for param in self.spec.params:
            variables[param.name] = given[param.name] if param.name in given else self.value(param.default, place)
        return variables

    def run(self) -> Interpreter:
        """All steps; raises Refused."""
        with torch.no_grad():
            self.body(self.spec.layers or (), self.top)
        return self

    @property
    def macs(self) -> int:
        """Of one image, what runs in training only and what never runs left out."""
        return self.flops // 2

    @property
    def result(self) -> Value:
        return self.here

    def state(self) -> dict[str, tuple[int, ...]]:
        return {key: tuple(tensor.shape) for key, tensor in self.root.module.state_dict().items()}

    # statements

    def body(self, body: ast.Body, env: Env) -> None:
        env = env._replace(variables=dict(env.variables))
        for statement in body:
            when = None if isinstance(statement, ast.Output) else getattr(statement, "when", None)
            if self.holds(when, env):
                self.statement(statement, env)

    def statement(self, node: Any, env: Env) -> None:
        match node:
            case ast.Step():
                self._step(node, env)
            case ast.Group():
                self._level(node.label, node.body, env)
            case ast.Repeat():
                for more in self._counted(node.count, node.index, env):
                    self.body(node.body, env.with_variables(**more))
            case ast.For():
                for more in self._rows(node, env):
                    self.body(node.body, env.with_variables(**more))
            case ast.Merge():
                self._merge(node, env)
            case ast.Residual():
                self._residual(node, env)
            case ast.Dense():
                for more in self._counted(node.count, node.index, env):
                    before = self.here
                    self.body(node.body, env.with_variables(**more))
                    self.here = self._join("concat", None, [before, self.here])
            case ast.Output():
                self._output(node, env)
            case ast.From():
                self.here = self.find(node.path, env)
            case ast.Let():
                env.variables[node.name] = self.value(node.value, env)
            case ast.Unused():
                before, flops, steps = self.here, self.flops, dict(env.scope.steps)
                self._call(node.call, self.label(node.label, env), env)
                self.here, self.flops, env.scope.steps = before, flops, steps
            case _:
                raise AssertionError(node)

    def _counted(self, count: Any, index: str, env: Env) -> Iterator[dict[str, Any]]:
        times = self.value(count, env)
        for k in range(int(times)):
            yield {index: k, "first": k == 0, "last": k == times - 1}

    def _rows(self, node: ast.For, env: Env) -> Iterator[dict[str, Any]]:
        rows = self.value(node.over, env) if node.rows is None else node.rows
        for position, row in enumerate(rows):
            if node.rows is not None:
                cells = [self.value(cell, env) for cell in row]
            else:
                cells = [row] if len(node.names) == 1 else row
            yield {**dict(zip(node.names, cells, strict=True)), "row": position, "rows": len(rows)}

    def _step(self, node: ast.Step, env: Env) -> None:
        only = node.links[0]
        if node.label is not None and (len(node.links) > 1 or only.count is not None):
            self._level(node.label, (ast.Step(links=node.links),), env)
            return
        for link in node.links:
            if not self.holds(link.when, env):
                continue
            if link.count is None:
                self._call(link, self.label(node.label, env), env)
                continue
            for more in self._counted(link.count, "i", env):
                self._call(link, None, env.with_variables(**more))

    def _level(self, label: ex.Label | None, body: ast.Body, env: Env) -> None:
        """A container."""
        name = env.scope.take(self.label(label, env))
        scope = Scope(self.labelled(body), env.scope, f"{env.scope.path}{name}.")
        self.body(body, env._replace(scope=scope))
        self._register(env.scope, name, scope)

    def _register(self, outer: Scope, name: str | None, scope: Scope) -> None:
        if name is None:
            if scope.module.state_dict():
                raise Refused("weights without a name")
            return
        self._add(outer, name, scope.module)
        outer.steps[name] = (self.here, scope)

    def _add(self, scope: Scope, name: str, module: nn.Module) -> None:
        if name in scope.taken:
            raise Refused(f"{name} twice")
        scope.taken.add(name)
        scope.module.add_module(name, module)

    def _merge(self, node: ast.Merge, env: Env) -> None:
        start, results = self.here, []
        for branch in node.branches:
            self.here = start
            if len(branch) == 1 and self._dropped(branch[0], env):
                continue
            self.body(branch, env)
            results.append(self.here)
        self.here = self._join(node.kind, node.along, results)

    def _dropped(self, only: Any, env: Env) -> bool:
        if isinstance(only, ast.Output):
            return False  # it is no step
        whens = [link.when for link in only.links] if isinstance(only, ast.Step) else [getattr(only, "when", None)]
        return len(whens) == 1 and not self.holds(whens[0], env)

    def _residual(self, node: ast.Residual, env: Env) -> None:
        outer = self.here
        start = outer._replace(stride=(Fraction(1),) * len(outer.shape.spatial))
        self.here = start
        self.body(node.body, env)
        made, shortcut = self.here, node.shortcut
        self.here = start
        if shortcut is not None and not shortcut.body and not self.holds(shortcut.when, env):
            self.here = onward(outer, made)
            return
        if shortcut is not None and shortcut.body and self._wanted(shortcut, start, made, env):
            if shortcut.label is None:
                self.body(shortcut.body, env)
            else:
                self._level(shortcut.label, shortcut.body, env)
        self.here = onward(outer, self._join("add", None, [made, self.here])._replace(stride=made.stride))

    def _wanted(self, shortcut: ast.Shortcut, start: Value, made: Value, env: Env) -> bool:
        if shortcut.when is not None:
            return self.holds(shortcut.when, env)
        if start.shape.size("channels") != made.shape.size("channels"):
            return True
        if made.stride is None:
            raise Refused("a stride that no op declares")
        return any(step != 1 for step in made.stride)

    def _output(self, node: ast.Output, env: Env) -> None:
        if not node.body:
            self.main = node.name
            return
        training, evaluation = (self.holds(node.when, env.with_variables(training=mode)) for mode in (True, False))
        if not training and not evaluation:
            return
        if node.name in self.outputs:
            raise Refused(f"two outputs are called {node.name}")
        if self.sometimes:
            raise Refused(f"{node.name} is an output inside one that runs in one mode only")
        before, steps = self.here, dict(env.scope.steps)
        self.sometimes = training != evaluation
        flops, chance = self.flops, torch.get_rng_state()
        try:
            self.body(node.body, env)
        finally:
            self.sometimes = False
        if not (training if self.training else evaluation):
            torch.set_rng_state(chance)  # where nobody runs it, it takes no chances
        mode = "always" if training and evaluation else "training" if training else "eval"
        self.outputs[node.name] = (mode, self.here)
        self.here = before
        if mode != "always":
            env.scope.steps = steps  # not there in both modes, so nobody may continue from them
        if mode == "training":
            self.flops = flops

    # calls

    def _call(self, call: ast.Call, label: str | None, env: Env) -> None:
        callee: Any = env.variables.get(call.callee, call.callee)
        more: tuple[tuple[str | None, Any], ...] = ()
        if isinstance(callee, Partial):
            callee, more = callee
        if callee is None or callee == "skip":
            return
        if callee in self.definitions:
            self._enter(callee, call, more, label, env)
            return
        self._op(BY_NAME[callee], call, more, label, env)

    def _enter(self, callee: str, call: ast.Call, more: Any, label: str | None, env: Env) -> None:
        node, macro, unit = self.definitions[callee]
        values = [param.name for param in node.params if param.default is None]
        settings = [param.name for param in node.params if param.default is not None]
        steps = frozenset(param.name for param in node.params if param.type == "step")
        given = self._bind(call.args, (*values, *settings), set(settings), env, steps, partial=bool(more))
        order = iter((*values, *settings))
        given = {(name or next(order)): value for name, value in more} | given
        if macro and label is not None:
            inner = ast.Step(links=(ast.Call(callee=callee, args=call.args),))
            self._level(ex.Label((label,)), (inner,), env)
            return
        bound = dict(unit.lets)
        for param in node.params:
            if param.name not in given and param.default is None:
                raise Refused(f"no value for {param.name}")
            bound[param.name] = (
                given[param.name] if param.name in given else self.value(param.default, env._replace(variables=bound))
            )
            if param.type == "int" and isinstance(bound[param.name], float) and not bound[param.name].is_integer():
                raise Refused(f"{param.name} is no whole number")
        if macro:
            # A macro of the same file follows the defaults of the block that it is put into.
            defaults = env.defaults if unit is env.unit else unit.defaults
            self.body(node.body, env._replace(variables=bound, unit=unit, defaults=defaults))
            return
        name = env.scope.take(label)
        scope = Scope(self.labelled(node.body), None, f"{env.scope.path}{name}.")
        inside = Env(bound, scope, self.here, unit, ())
        inside = inside._replace(defaults=(self.settings(node.defaults, inside), *unit.defaults))
        self.body(node.body, inside)
        self._register(env.scope, name, scope)

    def _bind(
        self,
        args: Any,
        order: tuple[str, ...],
        flags: set[str],
        env: Env,
        steps: frozenset[str] = frozenset(),
        *,
        partial: bool = False,
    ) -> dict[str, Any]:
        """Setting -> value."""
        given: dict[str, Any] = {}
        places = iter(() if partial else order)
        for arg in args:
            first, value = arg.parts[0], arg.parts[-1]
            name = arg.name
            if name is None and len(arg.parts) == 2:
                name = first.name
            if name is None and isinstance(first, ex.Word) and first.name in flags:
                given[first.name] = env.variables.get(first.name, True)
                continue
            if name is None:
                name = next(place for place in places if place not in given)
            if name in steps:
                found = env.variables.get(value.name) if isinstance(value, ex.Word) else None
                labels = value.labels if isinstance(value, ex.StepPath) else (ex.Label((value.name,)),)
                given[name] = found if isinstance(found, Value) else self.find(labels, env)
            elif name != "init" and not name.startswith("init_"):
                given[name] = self.value(value, env)
        return given

    def settings(self, settings: tuple[ast.Settings, ...], env: Env) -> dict[str, dict[str, Any]]:
        return {
            node.op: self._bind(node.args, (), set(BY_NAME[node.op].settings()), env, partial=True) for node in settings
        }

    def _op(self, made: type[Op], call: ast.Call, more: Any, label: str | None, env: Env) -> None:
        values = made.values()
        given = self._bind(call.args, values, set(made.settings()), env, partial=bool(more))
        order = iter(values)
        given = {(name or next(order)): value for name, value in more} | given
        for level in env.defaults:
            own = level.get(made.name) or level.get(made.family) or {}
            given = {key: value for key, value in own.items() if key in made.settings()} | given
        inputs = [self.here, *(value for value in given.values() if isinstance(value, Value))]
        settings = {key: value.shape if isinstance(value, Value) else value for key, value in given.items()}
        name = env.scope.take(label)
        op = _made(made, settings)
        module, result = self._applied(op, inputs, f"{env.scope.path}{name}")
        if isinstance(module, nn.Parameter):
            if name is None or not env.scope.labelled:
                raise Refused("a parameter without a name")
            env.scope.module.register_parameter(name, module)
        elif name is not None:
            self._add(env.scope, name, module)
        elif module.state_dict():
            raise Refused(f"{op.name} without a name")
        self.here = result
        if name is not None:
            env.scope.steps[name] = (result, None)

    def _join(self, kind: str, along: str | None, values: list[Value]) -> Value:
        if len(values) == 1:
            return values[0]
        return self._applied(_made(BY_NAME[kind], {"along": along} if along else {}), values)[1]

    def _applied(self, op: Op, inputs: list[Value], key: str = "") -> tuple[Any, Value]:
        shapes = tuple(value.shape for value in inputs)
        try:
            facts, spelling = op.infer(shapes), op.lower(shapes)
        except OpError as error:
            raise Refused(str(error)) from None
        weights = sum(math.prod(map(int, map(str, sizes))) for sizes in facts.weights.values())
        if self.largest and (int(str(facts.shape.elements)) > self.largest or weights > _WEIGHTS * self.largest):
            raise Refused("too large")
        if spelling.parameter:
            sizes: Any = facts.weights[""]  # plain numbers here
            weight = nn.Parameter(torch.empty(*sizes) if self.state_given is None else self.state_given[key])
            return weight, Value(weight, facts.shape, None)
        try:
            chance = torch.get_rng_state()  # is for what runs in the network alone
            module, forward = _spelled(spelling)
            self._prepare(module, key)
            self.flops += _flops(forward, inputs) if facts.work else 0
            torch.set_rng_state(chance)
            data = forward(*(value.data.contiguous() for value in inputs))  # chances are taken in their order in memory
        except (RuntimeError, ValueError, IndexError) as error:
            raise Refused(f"{op.name}: {error}") from None
        if 0 in data.shape:
            raise Refused(f"{op.name} gives nothing")
        shape = Shape(facts.shape.axes, tuple(data.shape[1:]))
        return module, Value(data, shape, stride_of(op, facts.window, shape, inputs))

    def _prepare(self, module: nn.Module, key: str) -> None:
        module.train(self.training)
        if self.state_given is not None:
            own = {name: self.state_given[f"{key}.{name}"].clone() for name in module.state_dict()}
            module.load_state_dict(own, assign=True)


def _made(op: type[Op], settings: dict[str, Any]) -> Op:
    try:
        return op(**settings)
    except OpError as error:
        raise Refused(str(error)) from None


def _flops(forward: Callable[..., torch.Tensor], inputs: list[Value]) -> int:
    """Of one image: what computes weights from weights doesn't grow with the batch."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        forward(*(value.data[:1] for value in inputs))
    return int(counter.get_total_flops())


@cache
def _helper(helper: Helper) -> Any:
    space: dict[str, Any] = {"torch": torch, "nn": nn}
    for one in _needed(helper):
        exec("\n".join((*one.imports, one.source)), space)  # noqa: S102 - an op's own helper
    return space[helper.name]


def _needed(helper: Helper) -> Iterator[Helper]:
    for other in helper.needs:
        yield from _needed(other)
    yield helper


@cache
def _function(expression: str) -> Callable[..., torch.Tensor]:
    body = expression.replace("{inputs}", "*x")
    for k in range(8):
        body = body.replace(f"{{{k}}}", f"x[{k}]")
    return eval(f"lambda *x: {body}", {"torch": torch, "nn": nn})  # type: ignore[no-any-return] # noqa: S307


def _spelled(spelling: Spelling) -> tuple[nn.Module, Callable[..., torch.Tensor]]:
    if spelling.expression:
        return nn.Module(), _function(spelling.expression)
    made = _helper(spelling.helper) if spelling.helper else getattr(nn, spelling.call.removeprefix("nn."))
    module = made(*spelling.args, **spelling.settings)
    return module, module
