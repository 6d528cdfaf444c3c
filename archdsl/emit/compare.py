"""Several networks side by side: what each costs, how deep it is, what it sees, how well it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from archdsl.analysis.cost import Costs
from archdsl.analysis.depth import depth
from archdsl.analysis.memory import memory
from archdsl.analysis.receptive import Fields, receptive
from archdsl.dims import Dim, Sym
from archdsl.emit.picture.measure import short
from archdsl.emit.summary.leading import leading
from archdsl.emit.summary.rows import Row, Tree
from archdsl.ir import Net, OpStep
from archdsl.ops.base import GLOBAL, UNKNOWN
from archdsl.shape import Shape


class Compared(NamedTuple):
    """What is compared of a network, for one image.

    input: its sizes. params; macs: in evaluation. weights, activations: bytes, of parameters and buffers, and of what
    training keeps for the backward pass (float32). depth: layers with weights on the longest path. receptive_field: of
    the last feature map, along each axis; `all` where it sees the whole input, None where it can't be told.
    test_accuracy: from 0 to 1, of a run's last epoch. What depends on a size that is left open is symbolic.
    """

    name: str
    input: tuple[Dim, ...]
    params: int
    macs: Dim
    weights: Dim
    activations: Dim
    depth: int
    receptive_field: tuple[int, ...] | Literal["all"] | None
    test_accuracy: float | None = None

    @property
    def memory(self) -> Dim:
        """Bytes of weights and activations together."""
        return self.weights + self.activations


def compared(net: Net, name: str, accuracy: float | None = None) -> Compared:
    """What is compared of a network."""
    costs, needed = Costs(net), memory(net)
    cost = costs.of_scope(net.scope)
    size = tuple(map(net.at, net.input.sizes))
    about = cost.params, net.at(cost.macs), net.at(needed.weights), net.at(needed.activations)
    return Compared(name, size, *about, depth(net), _sees(net, costs), accuracy)


def _sees(net: Net, costs: Costs) -> tuple[int, ...] | Literal["all"] | None:
    """What a position of the last feature map sees: the last tensor in evaluation that has more than one position.

    What pools any input to one size, as VGG's `avgpool to 7x7`, belongs to the head behind that map.
    """
    last: Row | None = None
    for row in Tree(net, costs, fields=Fields(net)).rows():
        step = row.step
        if not isinstance(step, OpStep) or row.mode == "training" or row.unused:
            continue
        to_size = step.op.kind == "pool" and step.facts.window == GLOBAL
        if not to_size and _positions(net, row.scope.shapes[step.outputs[0]]):
            last = row
    if last is None or last.fields is None:
        return "all"
    seen = receptive(last.fields[last.step.outputs[0]])
    if isinstance(seen, str):
        return None if seen == UNKNOWN else "all"
    return seen.size


def _positions(net: Net, shape: Shape) -> bool:
    """Whether a tensor has several positions, or may have."""
    places = zip(shape.axes, shape.sizes, strict=True)
    return any(axis != "channels" and net.at(size) != 1 for axis, size in places)


def to_json(found: Sequence[Compared]) -> list[dict[str, Any]]:
    """The networks as plain data, numbers in full; sizes that are left open as text."""
    return [one._asdict() | {key: _plain(value) for key, value in one._asdict().items()} for one in found]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Sym) else value


def csv_text(found: Sequence[Compared]) -> str:
    """The networks as CSV with a heading, numbers in full, sizes as 3x224x224."""
    import csv
    import io

    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(Compared._fields)
    for one in to_json(found):
        writer.writerow([_sides(value) if isinstance(value, list) else value for value in one.values()])
    return lines.getvalue().removesuffix("\n")


def _sides(values: Sequence[Any]) -> str:
    return "x".join(map(str, values))


# Heading, and what stands below it; a column in which all are equal is told in a line below the table.
_COLUMNS: tuple[tuple[str, Callable[[Compared], str]], ...] = (
    ("Input", lambda one: _sides(one.input)),
    ("Params", lambda one: short(one.params)),
    ("MACs", lambda one: _short(one.macs)),
    ("Weights", lambda one: in_bytes(one.weights)),
    ("Training", lambda one: in_bytes(one.activations)),
    ("Depth", lambda one: str(one.depth)),
    ("Sees", lambda one: _seen(one)),
    ("Accuracy", lambda one: "-" if one.test_accuracy is None else f"{one.test_accuracy:.2%}"),
)
_NOTES = {
    "Weights": "bytes of parameters and buffers in float32",
    "Training": "bytes of activations that training keeps for an image",
    "Depth": "layers with weights on the longest path",
    "Sees": "input positions that a position of the last feature map depends on",
    "Accuracy": "on the run's test images, after its last epoch",
}
_NARROWEST = 10  # letters of a name


def table(found: Sequence[Compared], width: int) -> str:
    """The networks in columns, at most `width` wide; what the columns mean stands below."""
    runs = any(one.test_accuracy is not None for one in found)
    columns = {name: [say(one) for one in found] for name, say in _COLUMNS if runs or name != "Accuracy"}
    notes = {name: note for name, note in _NOTES.items() if name in columns}
    if len(found) > 1 and len(set(columns["Input"])) == 1:
        notes = {"Input": columns.pop("Input")[0], **notes}
    widths = [max(len(name), *map(len, cells)) for name, cells in columns.items()]
    names = max(len("Network"), *(len(one.name) for one in found))
    gap = "  " if names + sum(widths) + 2 * len(widths) <= width else " "
    names = max(_NARROWEST, min(names, width - sum(widths) - len(gap) * len(widths)))

    def line(name: str, cells: Sequence[str]) -> str:
        shown = name if len(name) <= names else name[: names - 1] + "…"
        return gap.join([shown.ljust(names), *(cell.rjust(wide) for cell, wide in zip(cells, widths, strict=True))])

    rows = [line(one.name, cells) for one, *cells in zip(found, *columns.values(), strict=True)]
    ruler = "─" * (names + sum(widths) + len(gap) * len(widths))
    indent = max(map(len, notes)) + 2
    below = [f"{name:{indent}}{note}" for name, note in notes.items()]
    return "\n".join([line("Network", tuple(columns)), ruler, *rows, ruler, "", *below])


def _short(count: Dim) -> str:
    return short(count) if isinstance(count, int) else leading(count)


def in_bytes(count: Dim) -> str:
    """In decimal units, three digits."""
    if not isinstance(count, int):
        return f"{leading(count)} B"
    return f"{short(count)}B".replace("KB", "kB") if count >= 1000 else f"{count} B"


def _seen(one: Compared) -> str:
    if not isinstance(one.receptive_field, tuple):
        return one.receptive_field or "?"
    sides = one.receptive_field
    return str(sides[0]) if len(set(sides)) == 1 else _sides(sides)
