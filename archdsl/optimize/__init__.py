"""A network made ready for inference: the same outputs from fewer steps."""

from __future__ import annotations

from archdsl.ir import Net, OpStep, Output, Scope
from archdsl.optimize.fold import fold_norms
from archdsl.optimize.line import Line, Node, unroll
from archdsl.optimize.plan import Plan, plan_of
from archdsl.optimize.rooms import share_rooms
from archdsl.optimize.siblings import join_siblings


def optimize(net: Net) -> tuple[Net, Plan]:
    """The network in evaluation as one list of steps, and where its tensors come from.

    Batch norms become part of the linear maps before them, linear maps of one input that are alike but for their
    output channels become one, dense concatenations share one tensor, and what works in training only is gone.
    """
    outputs = [output for output in net.outputs if output.mode != "training"]
    line = unroll(net.scope)
    results = [line.results[output.result] for output in outputs]
    assert all(value is not None for value in results), "an output of evaluation needs no step of training"
    line = line._replace(results=tuple(results))
    line = share_rooms(join_siblings(fold_norms(line)))
    named = _named(line)
    about = f"{net.about.rstrip('.')}, optimised for inference" if net.about else "optimised for inference"
    optimized = net._replace(
        about=about,
        scope=_scope(net, line, named),
        outputs=tuple(Output(output.name, k, "always") for k, output in enumerate(outputs)),
        params=(),
    )
    return optimized, plan_of(named)


def _named(line: Line) -> dict[str, Node]:
    """The steps by the names that they have from now on: their paths as one word each."""
    named: dict[str, Node] = {}
    for node in line.nodes:
        *above, last = node.path.split(".")
        nameless = last.startswith("~")
        base = "_".join([*above, last.removeprefix("~")])
        base = f"layer{base}" if base[0].isdigit() else base
        name, k = base, 2
        while name in named or f"~{name}" in named:
            name, k = f"{base}_{k}", k + 1
        named[f"~{name}" if nameless else name] = node
    return named


def _scope(net: Net, line: Line, named: dict[str, Node]) -> Scope:
    steps = tuple(
        OpStep((name,), node.op, node.inputs, (node.value,), node.facts, (), node.span) for name, node in named.items()
    )
    return Scope(
        kind="net",
        name=net.scope.name,
        inputs=line.inputs,
        shapes=tuple(line.shapes),
        steps=steps,
        results=tuple(value for value in line.results if value is not None),
        span=net.scope.span,
        labelled=True,
        taps=tuple(output.name for output in net.outputs if output.mode != "training")[1:],
    )
