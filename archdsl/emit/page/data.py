"""The network as the page's data: boxes in the order of execution, each with its numbers and the line it comes from.

Repetitions stay folded. What many boxes share (a text, a shape, an arrangement) stands in a table once, and the boxes
say its place there.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from archdsl.analysis.cost import Cost, Costs
from archdsl.analysis.memory import BYTES, memory
from archdsl.analysis.outputs import facts_of_outputs
from archdsl.analysis.receptive import Fields
from archdsl.dims import Dim, Sym
from archdsl.emit.page.flow import Feed, Flow, Fork, Item, arrange
from archdsl.emit.page.parts import Part, tree
from archdsl.emit.summary.interface import layer, sizes
from archdsl.emit.summary.leading import leading
from archdsl.emit.summary.notes import CONVENTIONS
from archdsl.emit.summary.rows import Row, Tree
from archdsl.emit.summary.settings import written
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep
from archdsl.source import Source, Span

# A network whose blocks hold each other so that it has more boxes than this is shown down to fewer levels.
MOST = 60_000


class _Table:
    """Values by their place, equal ones once."""

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}
        self.values: list[Any] = []

    def place(self, key: Hashable, value: Any) -> int:
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def data(net: Net, files: Sequence[Source]) -> dict[str, Any]:
    """The page's data; files: those that the spec consists of, the one that was asked for first.

    boxes: a list in the order of execution, a box before those in it (see `_Boxes.box`), the first the network itself.
    texts, shapes (size in words, bytes of a float32 tensor or null), fields (receptive field, stride, pad), flows:
    what boxes refer to. files: name and text. left_out: levels are, for there would be too many boxes.
    """
    costs = Costs(net)
    depth = _depth(net.scope)
    rows = list(Tree(net, costs, fields=Fields(net), depth=depth).rows())
    boxes = _Boxes(net, costs, files)
    boxes.network(tree(net.scope, rows))
    total = costs.of_scope(net.scope)
    needed = memory(net)
    return {
        "name": net.name,
        "about": net.about,
        "input": boxes.shape(sizes(net, net.input)),
        "outputs": [
            {"name": output.name, "shape": boxes.shape([_number(size) for size in output.shape]), "mode": output.mode}
            for output in facts_of_outputs(net)
        ],
        "params": total.params,
        "buffers": total.buffers,
        "macs": _number(total.macs),
        "training_macs": _number(total.training_macs),
        "convention": CONVENTIONS["exact"],
        "weights_bytes": _number(needed.weights),
        "kept_bytes": _number(needed.activations),
        "left_out": depth is not None,
        "texts": boxes.texts.values,
        "shapes": boxes.shapes.values,
        "fields": boxes.fields.values,
        "flows": boxes.flows.values,
        "files": boxes.files.values,
        "boxes": boxes.made,
    }


def _number(count: Dim) -> int | str:
    """A count; of a symbolic one what it grows with, since the exact text is too long to read."""
    return leading(count) if isinstance(count, Sym) else int(count)


class _Boxes:
    """The list of boxes in the making, and the tables."""

    def __init__(self, net: Net, costs: Costs, files: Sequence[Source]) -> None:
        self._net = net
        self._costs = costs
        self.texts, self.shapes, self.fields, self.flows, self.files = (_Table() for _ in range(5))
        for source in files:
            self._file(source)
        self.made: list[dict[str, Any]] = []

    def network(self, parts: tuple[Part, ...]) -> None:
        """Adds the box of all and what is in it."""
        scope = self._net.scope
        results = scope.results if self._net.tapped else scope.results[: len(scope.results) - len(scope.sides)]
        box: dict[str, Any] = {"n": self._net.name, "k": "net", "l": self._line(scope.span)}
        self.made.append(box)
        self._inside(box, parts, scope.inputs, results)
        names = self._outputs(parts)
        if names:
            box["outputs"] = names

    def _outputs(self, parts: tuple[Part, ...]) -> dict[int, str]:
        """Which of the outermost boxes makes which output, by their positions; the main one leaves at the end."""
        makers = {value: k for k, part in enumerate(parts) for value in part.leaving}
        results = self._net.scope.results
        others = [output for output in self._net.outputs if output.result or self._net.tapped]
        names: dict[int, str] = {}
        for output in others:
            maker = makers.get(results[output.result])
            if maker is not None:
                names[maker] = f"{names[maker]}, {output.name}" if maker in names else output.name
        return names

    def _inside(
        self, box: dict[str, Any], parts: tuple[Part, ...], inputs: tuple[int, ...], results: tuple[int, ...]
    ) -> list[dict[str, Any]]:
        flow = arrange(parts, inputs, results)
        box["f"] = self.flows.place(flow, _plain(flow))
        inner = [self.box(part) for part in parts]
        box["e"] = len(self.made)
        return inner

    def box(self, part: Part) -> dict[str, Any]:
        """Adds a box, and those in it.

        n: name; k: kind of op, or block, container, loop, side, range; w: what a spec would say, in texts; y: the op's
        symbol, if it has one; x: how often it stands there, c: how often in all (1 if not said); i, o: shapes of inputs
        and output; r: field; p, b, m, t: parameters, buffers, MACs and those in training only, of one of them (0 if
        not said); d: in which mode, if not always; u: it is never run; l: file, first and last line; f: the flow of
        what is in it, which are the boxes up to e, that one not among them.
        """
        box: dict[str, Any] = {"n": part.name, "k": part.frame, "l": self._line(part.span)}
        self.made.append(box)
        if part.row is not None:
            self._tell(box, part.row)
        elif part.step is not None:
            step = part.step
            once = isinstance(step, LoopStep)
            self._count(box, self._costs.of_scope(step.scope) if once else self._costs.of_step(step))
        if part.times != 1:
            box["x"] = part.times
        if part.mode != "always":
            box["d"] = part.mode
        if part.children:
            inner = self._inside(box, part.children, part.inputs, part.results[: len(part.results) - part.sides])
            if part.row is None:
                box |= {"i": inner[0]["i"], "o": inner[-1]["o"]}
        return box

    def _tell(self, box: dict[str, Any], row: Row) -> None:
        step = row.step
        told = layer(self._net, row, step)
        box["k"] = step.op.kind if isinstance(step, OpStep) else step.scope.kind
        words = f"{told['op']} {told['settings']}".rstrip() if isinstance(step, OpStep) else written(step)
        box["w"] = self._text(words)
        box["i"] = [self.shape(shape) for shape in told["inputs"]]
        box["o"] = self.shape(told["output"])
        field = (told["receptive_field"], told["effective_stride"], told["effective_pad"])
        box["r"] = self.fields.place(str(field), field)
        if isinstance(step, OpStep) and step.op.symbol:
            box["y"] = step.op.symbol
        self._count(box, row.cost)
        if row.times != 1:
            box["c"] = row.times
        if row.unused:
            box["u"] = 1

    def _count(self, box: dict[str, Any], cost: Cost) -> None:
        numbers = {"p": cost.params, "b": cost.buffers, "m": _number(cost.macs), "t": _number(cost.training_macs)}
        box.update({key: value for key, value in numbers.items() if value})

    def _text(self, text: str) -> int:
        return self.texts.place(text, text)

    def shape(self, shape: list[int | str]) -> int:
        """Its place among the shapes."""
        words = "x".join(str(size) if isinstance(size, int) or size.isalnum() else f"({size})" for size in shape)
        known = [size for size in shape if isinstance(size, int)]
        size = BYTES["float32"]
        for one in known:
            size *= one
        return self.shapes.place(words, [words, size if len(known) == len(shape) else None])

    def _line(self, span: Span) -> list[int]:
        return [self._file(span.source), span.line, span.end_line]

    def _file(self, source: Source) -> int:
        name = source.name.replace("\\", "/").rpartition("/")[2]
        return self.files.place(source.name, {"name": name, "text": source.text})


def _depth(scope: Scope) -> int | None:
    """How many levels of names can be shown; None: all."""
    known: dict[tuple[Scope, int], int] = {}

    def boxes(scope: Scope, depth: int) -> int:
        """How many there are at most."""
        if (scope, depth) not in known:
            count = 0
            for step in scope.steps:
                if isinstance(step, (LoopStep, SideStep)):
                    count += boxes(step.scope, depth)
                else:
                    count += 1 + (boxes(step.scope, depth - 1) if isinstance(step, CallStep) and depth > 1 else 0)
            known[scope, depth] = count
        return known[scope, depth]

    depth = 1
    while boxes(scope, depth + 1) > boxes(scope, depth):
        if boxes(scope, depth + 1) > MOST:
            return depth
        depth += 1
    return None


def _plain(flow: Flow) -> dict[str, Any]:
    """A flow as plain data: i: items, a fork as the list of its branches, a feed as its flow; g, a, s: the rest."""
    made: dict[str, Any] = {"i": [_item(item) for item in flow.items]}
    if flow.gaps:
        made["g"] = flow.gaps
    if flow.arcs:
        made["a"] = flow.arcs
    if flow.sides:
        made["s"] = [[place, _plain(side)] for place, side in flow.sides]
    return made


def _item(item: Item) -> Any:
    if isinstance(item, Fork):
        return [_plain(branch) for branch in item.branches]
    return _plain(item.flow) if isinstance(item, Feed) else item
