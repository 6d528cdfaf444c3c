"""What each tool does to tell all it can about a network: one of them on one network, in a process of its own.

    python benchmarks/tools.py TOOL NETWORK

Prints JSON: `seconds` of a call, the fastest of some after a first one, and the process's peak memory in MB, `ready`
before the first call and `peak` after the last.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from measure import timed
from networks import input_of, keras_model, module, spec

ENOUGH = 0.5  # seconds of calls, after three of them
Call = Callable[[], Any]


class Tool(NamedTuple):
    """What makes the call to be timed, the modules that must be installed, and what the table calls it."""

    made: Callable[[str], Call]
    needs: tuple[str, ...]
    title: str


def facts(network: str) -> Call:
    """From text to shapes, weights, MACs, memory, receptive fields, the smallest input and the totals."""
    import archdsl
    from archdsl.analysis.receptive import Fields

    def run(text: str, name: str) -> None:
        compiled = archdsl.loads(text, name=name)
        compiled.cost(), compiled.memory(), compiled.requirements()
        fields = Fields(compiled.net)
        fields.inside(compiled.net.scope, (fields.input,))

    return partial(run, *spec(network))


def torchinfo(network: str) -> Call:
    """Its summary of a model that stands ready."""
    from torchinfo import summary

    model, size = module(network), input_of(network)
    return lambda: summary(model, size, device="meta", verbose=0)


def fvcore(network: str) -> Call:
    """The operations that it counts in a trace, which needs numbers: traces don't work on the meta device."""
    import logging

    import torch
    from fvcore.nn import FlopCountAnalysis

    logging.disable()
    model, x = module(network, "cpu").eval(), torch.zeros(input_of(network))
    return lambda: FlopCountAnalysis(model, x).total()


def fx(network: str) -> Call:
    """torch.fx: a symbolic trace, and the shapes of its steps."""
    import torch
    from torch.fx import symbolic_trace
    from torch.fx.passes.shape_prop import ShapeProp

    model, x = module(network).eval(), torch.empty(input_of(network), device="meta")
    return lambda: ShapeProp(symbolic_trace(model)).propagate(x)


def flop_counter(network: str) -> Call:
    """torch's own counter, around a forward pass without numbers."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model, x = module(network).eval(), torch.empty(input_of(network), device="meta")

    def run() -> None:
        with FlopCounterMode(display=False):
            model(x)

    return run


def keras(network: str) -> Call:
    """Building the model, and its summary."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras  # noqa: F401 (imported before it is timed)

    return lambda: keras_model(network).summary(print_fn=len)


def torchview(network: str) -> Call:
    """The graph alone, at the depth that it draws by itself; Graphviz lays it out afterwards."""
    from torchview import draw_graph

    model, size = module(network), input_of(network)
    return lambda: draw_graph(model, input_size=size, device="meta").visual_graph.source


def check(network: str) -> Call:
    """`archdsl check`: all errors and warnings."""
    import archdsl

    text, name = spec(network)
    return lambda: archdsl.loads(text, name=name).check()


def graph(network: str) -> Call:
    """The graph of a diagram, from the spec's text."""
    import archdsl

    text, name = spec(network)
    return lambda: archdsl.loads(text, name=name).diagram()


def diagram(network: str) -> Call:
    """A diagram as SVG, from the spec's text."""
    import archdsl

    text, name = spec(network)
    return lambda: archdsl.loads(text, name=name).diagram().render("svg")


def page(network: str) -> Call:
    """The interactive page, from the spec's text."""
    import archdsl

    text, name = spec(network)
    return lambda: archdsl.loads(text, name=name).page().html


TOOLS = {
    "archdsl": Tool(facts, (), "archdsl"),
    "torchinfo": Tool(torchinfo, ("torchinfo", "torchvision"), "torchinfo"),
    "fvcore": Tool(fvcore, ("fvcore", "torchvision"), "fvcore"),
    "fx": Tool(fx, ("torchvision",), "torch.fx, shapes"),
    "flop_counter": Tool(flop_counter, ("torchvision",), "torch's flop counter"),
    "keras": Tool(keras, ("keras",), "Keras, building too"),
    "torchview": Tool(torchview, ("torchview", "torchvision"), "torchview"),
    "check": Tool(check, (), "archdsl"),
    "graph": Tool(graph, (), "archdsl"),
    "diagram": Tool(diagram, (), "archdsl"),
    "page": Tool(page, (), "archdsl"),
}


def peak() -> float:
    """The most memory in MB that this process had so far, not what its parent had."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 (no file of ours)
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


def main(tool: str, network: str) -> None:
    """Makes the call, times it and tells."""
    kind, _, size = network.partition(":")
    if size:
        TOOLS[tool].made(f"{kind}:2")()  # what is imported late
    call = TOOLS[tool].made(network)
    ready = peak()
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    repeat = max(3, min(50, int(ENOUGH / first))) if first < 4 * ENOUGH else 1
    seconds = min(first, timed(call, repeat))
    print(json.dumps({"seconds": seconds, "ready": round(ready, 2), "peak": round(peak(), 2)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
