"""What stands below the table: how MACs were counted, memory, and what the network asks of its input."""

from __future__ import annotations

import textwrap

from archdsl.analysis.checks import network_requirements
from archdsl.analysis.cost import Convention, Cost
from archdsl.analysis.memory import memory
from archdsl.analysis.outputs import OutputFacts, facts_of_outputs
from archdsl.dims import Dim, Sym, at
from archdsl.emit.summary.leading import leading
from archdsl.ir import Net

CONVENTIONS = {
    "exact": "multiply-accumulates of convolutions, linear layers and matrix products, for one image in evaluation",
    "torchinfo": "as torchinfo counts: parameters times output positions, bias included, for one image in evaluation",
}


def notes(net: Net, total: Cost, macs: Convention, width: int, *, sees: bool) -> list[str]:
    """The lines below the totals, each topic under its heading; sees: the table has that column."""
    topics = [("Sees", "how many input positions an output position depends on")] if sees else []
    if net.tapped or sum(output.mode != "training" for output in net.outputs) > 1:
        topics.append(("Outputs", "; ".join(map(_output, facts_of_outputs(net)))))
    topics.append(("MACs", CONVENTIONS[macs] + _more_in_training(total)))
    if total.buffers:
        topics.append(("Buffers", f"{total.buffers:,} numbers of state that aren't trained"))
    topics += [("Memory", _memory(net)), ("Input", _input(net))]
    indent = max(len(heading) for heading, _ in topics) + 2
    lines: list[str] = []
    for heading, text in topics:
        wrapped = textwrap.wrap(text, max(20, width - indent))
        lines += [(heading if k == 0 else "").ljust(indent) + line for k, line in enumerate(wrapped)]
    return lines


def _output(output: OutputFacts) -> str:
    """Name, shape, channels and stride, as far as there is one."""
    told = [f"{output.channels} channels"] if len(output.shape) > 1 else []
    if output.stride:
        same = len(set(output.stride)) == 1
        told.append(f"stride {'x'.join(map(str, output.stride[:1] if same else output.stride))}")
    what = f" ({', '.join(told)})" if told else ""
    return f"{output.name} {'x'.join(map(str, output.shape))}{what}"


def _more_in_training(total: Cost) -> str:
    if isinstance(total.training_macs, int) and not total.training_macs:
        return ""
    return f"; in training {leading(total.training_macs)} more, in brackets above"


def _memory(net: Net) -> str:
    needed = memory(net)
    return f"{_bytes(needed.weights)} of weights; training keeps {_bytes(needed.activations)} an image (float32)"


def _bytes(number: Dim) -> str:
    """In decimal units, three digits."""
    if isinstance(number, Sym):
        return f"{leading(number)} bytes"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            value = number / size
            return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return f"{number} bytes"


def _input(net: Net) -> str:
    """The smallest input and the rules for others."""
    asked = network_requirements(net)
    parts = []
    if asked.smallest:
        sizes = (size if not isinstance(size, Sym) else _smallest(size, asked.smallest) for size in net.input.sizes)
        parts.append(f"at least {'x'.join(map(str, sizes))}")
    parts += asked.rules
    if asked.undecided:
        parts.append("some sizes are only checked at the given input")
    return "; ".join(parts) or "any size"


def _smallest(size: Sym, smallest: dict[str, int]) -> int:
    return at(size, smallest)
