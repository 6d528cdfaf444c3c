"""A network as a file of plain PyTorch, one class a block: the very text that `build` executes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from archdsl.emit.python import inits
from archdsl.emit.python.classes import Class, Classes, signature
from archdsl.emit.python.forward import Forward
from archdsl.emit.python.outputs import output_class, returns
from archdsl.emit.python.values import docstring, literal
from archdsl.failure import Failure
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope
from archdsl.ops.base import Helper

LIMIT = 100_000

DIVISIBLE = '''\
def divisible(value: float, divisor: int = 8) -> int:
    """The nearest multiple of the divisor, one up where that is below 0.9 of the value."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest
'''


def emit(net: Net) -> str:
    """The source of a network that was expanded with traced numbers; ruff-clean, the same for the same network.

    Raises Failure for more than 100,000 modules.
    """
    check_size(net)
    classes = Classes(net)
    helpers: dict[str, Helper] = {}
    ordered = False
    parts: list[str] = []
    for one in classes.all:
        modules, body, forward = classes.print(one)
        helpers |= modules.helpers
        ordered = ordered or modules.ordered
        if one is not classes.net:
            parts.append(_class(one, _about(one), body, [forward] if forward else []))
    output = output_class(net, classes.net)
    if output:
        parts.append("\n".join(output) + "\n")
    parts.append(_net(net, classes))
    parts = [*(helper.source for helper in helpers.values()), *parts]
    if any("divisible(" in part for part in parts):
        parts.insert(0, DIVISIBLE)
    text = "\n\n".join(parts)
    imports = _imports(text, helpers.values(), ordered=ordered, named=bool(output))
    return f"{_header(net)}\n{imports}\n\n\n{text}"


def check_size(net: Net) -> None:
    """Raises Failure for a network of more modules than anybody could build."""
    count = _modules(net.scope, {})
    if count > LIMIT:
        raise Failure(
            f"`{net.name}` has {count:,} modules; above {LIMIT:,} no module is built and no source written",
            help="`archdsl build --summary` and `check` work at any size",
        )


def _modules(scope: Scope, known: dict[int, int]) -> int:
    if id(scope) not in known:
        total = 0
        for step in scope.steps:
            if isinstance(step, OpStep):
                total += 1
            elif isinstance(step, LoopStep):
                total += step.times * _modules(step.scope, known)
            else:
                total += isinstance(step, CallStep) + _modules(step.scope, known)
        known[id(scope)] = total
    return known[id(scope)]


def _header(net: Net) -> str:
    cut = f" up to {', '.join(f'`{docstring(output.name)}`' for output in net.outputs)}" if net.tapped else ""
    written = textwrap.wrap(f"The network `{net.name}`{cut}, written by archdsl.", 114)
    about = docstring(net.about)
    if not about:
        return "\n".join([f'"""{written[0]}', *written[1:]]) + '"""\n'
    first = textwrap.wrap(about if about.endswith(".") else f"{about}.", 116, break_long_words=True)
    return "\n".join([f'"""{first[0]}', *first[1:], "", *written, '"""', ""])


def _imports(text: str, helpers: Iterable[Helper], *, ordered: bool, named: bool) -> str:
    wanted = {"from torch import nn", *(line for helper in helpers for line in helper.imports)}
    wanted |= {"import torch"} if "torch." in text else set()
    wanted |= {"import math"} if "math." in text else set()
    wanted |= {"from collections import OrderedDict"} if ordered else set()
    wanted |= {"from typing import NamedTuple"} if named else set()
    # As isort has them: the standard library first, in each part whole modules before names.
    in_order = sorted(wanted, key=lambda line: (line.startswith("from "), line))
    standard = [line for line in in_order if "torch" not in line]
    third = [line for line in in_order if "torch" in line]
    blocks = ["\n".join(block) for block in (standard, third) if block]
    return "\n\n".join(blocks)


def _about(one: Class) -> str:
    return f"{one.about[0].upper()}{one.about[1:]}."


def _class(one: Class, about: str, body: list[str], methods: list[list[str]]) -> str:
    base = {"sequential": "nn.Sequential", "list": "nn.ModuleList"}.get(one.form, "nn.Module")
    text = [f"class {one.name}({base}):", f'    """{about}"""', ""]
    text += [f"    {line}" for line in signature(one)]
    text += [f"        {line}" for line in body]
    for method in methods:
        text += ["", *(f"    {line}" for line in method)]
    return "\n".join(text) + "\n"


def _net(net: Net, classes: Classes) -> str:
    one = classes.net
    _, body, _ = classes.print(one)
    methods: list[list[str]] = []
    if one.form != "sequential":
        forward = Forward(one.flat, one.attributes, optional=False)
        text = forward.body()
        hint, told = returns(net, one, forward)
        methods.append([f"def forward(self, x: torch.Tensor) -> {hint}:", *(f"    {line}" for line in (*text, *told))])
    drawing = inits.method(classes)
    if drawing:
        body = [*body, "self.init_weights()"]
        methods.append(drawing)
    return _class(one, _shapes(net), body, methods)


def _shapes(net: Net) -> str:
    size = " x ".join(str(net.at(size)) for size in net.input.sizes)
    return f"The network `{docstring(literal(net.name)[1:-1])}`, for inputs of {size}."
