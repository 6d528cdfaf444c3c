"""The summary for other programs: one JSON object (documented, relied on), and the layers as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from archdsl.analysis.cost import Convention, Costs
from archdsl.analysis.outputs import facts_of_outputs
from archdsl.analysis.receptive import Fields, receptive
from archdsl.analysis.state import state_dict
from archdsl.dims import Dim, at
from archdsl.emit.summary.rows import Row, Tree
from archdsl.emit.summary.settings import written
from archdsl.failure import Failure
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope
from archdsl.ops.base import GLOBAL
from archdsl.shape import Shape

# More layers than this are never listed one by one.
MAX_ROWS = 100_000


def to_json(net: Net, full: bool = False, macs: Convention = "exact") -> dict[str, Any]:
    """The network as plain data.

    name, inputs and outputs (name -> shape without the batch), output_channels, output_strides (name -> input positions
    from one output position to the next, per axis; None where an output sees the whole input), params, buffers
    (elements), macs (evaluation mode), training_macs (what heads that only run in training add), macs_convention;
    layers, a list of

    path, op, settings (as a spec writes them), inputs (shapes), output (shape), params, buffers, macs, training_macs,
    receptive_field (input positions per axis; the input's own size where an output sees all of it; None where it can't
    be told), effective_stride and effective_pad (of the receptive field; None where it has none), count, mode (always,
    training, eval), unused. Equal neighbours are one layer with a path such as `layer1.{1..5}.conv1`, and count is how
    many they are: the other numbers are those of one, the receptive field that of the last, so that a total is the sum
    of number * count. full: one by one.

    state_dict: key -> shape in order; None above 100,000 keys. A size that isn't known is text, such as "⌈H/2⌉".
    Raises Failure where full asks for too many layers.
    """
    costs = Costs(net, macs)
    total = costs.of_scope(net.scope)
    state = state_dict(net)
    outputs = facts_of_outputs(net)
    return {
        "name": net.name,
        "inputs": {"input": sizes(net, net.input)},
        "outputs": {output.name: [number(net, size) for size in output.shape] for output in outputs},
        "output_channels": {output.name: number(net, output.channels) for output in outputs},
        "output_strides": {output.name: output.stride and list(map(_ratio, output.stride)) for output in outputs},
        "params": total.params,
        "buffers": total.buffers,
        "macs": number(net, total.macs),
        "training_macs": number(net, total.training_macs),
        "macs_convention": macs,
        "layers": list(layers(net, costs, full=full)),
        "state_dict": None if state is None else {key: list(entry.shape) for key, entry in state.items()},
    }


def layers(net: Net, costs: Costs, *, full: bool) -> Iterator[dict[str, Any]]:
    """The ops in the order of execution."""
    if full:
        check_rows(net)
    fields = Fields(net)
    for row in Tree(net, costs, fields=fields, full=full).rows():
        if isinstance(row.step, OpStep):
            yield layer(net, row, row.step)


def check_rows(net: Net) -> None:
    """Raises Failure where the network has too many layers to list one by one."""
    total = _op_count(net.scope, {})
    if total > MAX_ROWS:
        message = f"{net.name} has {total:,} layers, and at most {MAX_ROWS:,} are listed one by one"
        raise Failure(message, help="without --full, equal neighbours are told once")


def _op_count(scope: Scope, known: dict[Scope, int]) -> int:
    if scope not in known:
        known[scope] = sum(
            1
            if isinstance(step, OpStep)
            else _op_count(step.scope, known) * (step.times if isinstance(step, LoopStep) else 1)
            for step in scope.steps
        )
    return known[scope]


def layer(net: Net, row: Row, step: OpStep | CallStep) -> dict[str, Any]:
    """A row as plain data; the output of a block or container is its main result, and it is called by its block."""
    shapes = row.scope.shapes
    name = step.op.name if isinstance(step, OpStep) else step.scope.name
    assert row.fields is not None
    seen = receptive(row.fields[step.outputs[0]])
    if isinstance(seen, str):
        whole = [number(net, size) for size in net.input.spatial]
        field, stride, pad = whole if seen == GLOBAL else None, None, None
    else:
        field, stride, pad = list(seen.size), [_ratio(s) for s in seen.stride], list(seen.pad)
    return {
        "path": row.path,
        "op": name,
        "settings": written(step).removeprefix(name).removeprefix(" "),
        "inputs": [sizes(net, shapes[value]) for value in step.inputs],
        "output": sizes(net, shapes[step.outputs[0]]),
        "params": row.cost.params,
        "buffers": row.cost.buffers,
        "macs": number(net, row.cost.macs),
        "training_macs": number(net, row.cost.training_macs),
        "receptive_field": field,
        "effective_stride": stride,
        "effective_pad": pad,
        "count": row.times,
        "mode": row.mode,
        "unused": row.unused,
    }


def _ratio(value: int | Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def sizes(net: Net, shape: Shape) -> list[int | str]:
    """A shape at the network's input, without the batch."""
    return [number(net, size) for size in shape.sizes]


def number(net: Net, size: Dim) -> int | str:
    """A size or count at the network's input; text where it depends on a size that is left open."""
    if isinstance(size, int):
        return size
    return at(size, net.sizes) if size.names <= net.sizes.keys() else str(size)


def csv_text(net: Net, full: bool = False, macs: Convention = "exact") -> str:
    """The layers as CSV with a heading; the numbers of a folded row are those of one of its `count` layers."""
    import csv
    import io

    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    columns = ("path", "op", "settings", "inputs", "output", "params", "macs", "receptive_field", "count", "mode")
    writer.writerow(columns)
    for layer in layers(net, Costs(net, macs), full=full):
        layer["inputs"] = " ".join(map(_sides, layer["inputs"]))
        layer["output"] = _sides(layer["output"])
        layer["receptive_field"] = _sides(layer["receptive_field"] or ())
        writer.writerow([layer[column] for column in columns])
    return lines.getvalue().removesuffix("\n")


def _sides(sizes: Any) -> str:
    return "x".join(map(str, sizes))
