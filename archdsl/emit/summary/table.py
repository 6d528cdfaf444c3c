"""The summary to read: the tree of layers in columns that add up to the totals below them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import islice

from archdsl.analysis.cost import Convention, Costs
from archdsl.analysis.receptive import Fields, receptive
from archdsl.dims import Dim, Sym, at
from archdsl.emit.summary.interface import check_rows
from archdsl.emit.summary.leading import leading
from archdsl.emit.summary.notes import notes
from archdsl.emit.summary.rows import Row, Tree
from archdsl.emit.summary.settings import written
from archdsl.ir import Net
from archdsl.ops.base import GLOBAL
from archdsl.shape import Shape

# The default depth is the deepest with no more rows than this: about a screen and a half.
ROWS = 45
# From this width on there is room for the receptive fields.
WIDE = 100


def table(net: Net, *, depth: int | None, full: bool, macs: Convention, width: int) -> str:
    """The layers down to a depth, the totals, and what else is known, in lines of at most `width` characters."""
    if full:
        check_rows(net)
    costs = Costs(net, macs)
    fields = Fields(net) if width >= WIDE else None
    rows = _rows(net, costs, fields, depth, full)
    total = costs.of_scope(net.scope)
    heading = ["Layer", "Settings", "Output", *(["Sees"] if fields else []), "Params", "MACs"]
    cells = [_cells(net, row) for row in rows]
    last = ["Total", "", "", *([""] if fields else []), _count(total.params), _macs(net, total.macs)]
    columns = [heading, *cells, last]
    gap = "  " if _fits(columns, width) else " "
    widths = _widths(columns, width, gap)
    ruler = "─" * (sum(widths) + len(gap) * (len(widths) - 1))
    lines = [*_title(net, width), ""]
    lines += [_line(heading, widths, gap), ruler]
    lines += [_line(row, widths, gap) for row in cells]
    lines += [ruler, _line(last, widths, gap), ""]
    lines += notes(net, total, macs, width, sees=fields is not None)
    return "\n".join(lines)


def _rows(net: Net, costs: Costs, fields: Fields | None, depth: int | None, full: bool) -> list[Row]:
    if depth is not None:
        return list(Tree(net, costs, fields=fields, depth=max(1, depth), full=full).rows())
    if full:
        return list(Tree(net, costs, fields=fields, full=True).rows())
    chosen: list[Row] = []
    level = 1
    while True:
        rows = list(islice(Tree(net, costs, fields=fields, depth=level).rows(), ROWS + 1 if level > 1 else None))
        if level > 1 and (len(rows) > ROWS or len(rows) == len(chosen)):
            return chosen
        chosen = rows
        level += 1


def _title(net: Net, width: int) -> list[str]:
    results = [output.result for output in net.outputs] if net.tapped else [0]
    shapes = ", ".join(sides(net, net.scope.shapes[net.scope.results[result]]) for result in results)
    title = f"{net.name}: {sides(net, net.input)} -> {shapes}"
    about = " ".join(net.about.split())
    if not (about.isascii() and about.isprintable()):
        from archdsl.render import visible  # which most networks don't need

        about = visible(about)
    if not about:
        return textwrap.wrap(title, width)
    both = f"{title}   {about}"
    return [both] if len(both) <= width else [*textwrap.wrap(title, width), *textwrap.wrap(about, width)]


def _cells(net: Net, row: Row) -> list[str]:
    settings = _note(row) + (f"{row.times:,} x " if row.times > 1 else "") + written(row.step)
    shape = row.scope.shapes[row.step.outputs[0]]
    seen = [] if row.fields is None else [_seen(row)]
    name = "  " * row.depth + row.name
    if row.opened:
        return [name, settings, sides(net, shape), *seen, "", ""]
    macs = _macs(net, row.cost.macs * row.times)
    if row.mode == "training":
        macs = _macs(net, row.cost.training_macs * row.times)
        macs = f"({macs})" if macs else ""
    return [name, settings, sides(net, shape), *seen, _count(row.cost.params * row.times), macs]


def _note(row: Row) -> str:
    if row.step.unused:
        return "(unused) "
    return "" if row.mode == "always" else f"({row.mode}) "


def _seen(row: Row) -> str:
    assert row.fields is not None
    seen = receptive(row.fields[row.step.outputs[0]])
    if isinstance(seen, str):
        return "all" if seen == GLOBAL else "?"
    return "x".join(map(str, seen.size)) or "1"


def sides(net: Net, shape: Shape) -> str:
    """A shape as a spec writes it: 64x112x112, 64x⌈H/2⌉x⌈W/2⌉."""
    known = net.sizes
    return "x".join([str(size) if isinstance(size, int) else _side(size, known) for size in shape.sizes])


def _side(size: Sym, known: Mapping[str, int]) -> str:
    if size.names <= known.keys():
        return str(at(size, known))
    text = str(size)
    return f"({text})" if " " in text or "*" in text else text


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _macs(net: Net, macs: Dim) -> str:
    return _count(macs) if isinstance(macs, int) else leading(macs)


def _fits(table: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the columns fit two blanks apart, once the blanks after commas are gone."""
    narrowest = [max(len(cell.replace(", ", ",")) for cell in column) for column in zip(*table, strict=True)]
    return sum(narrowest) + 2 * (len(narrowest) - 1) <= width


def _widths(table: Sequence[Sequence[str]], width: int, gap: str) -> list[int]:
    """Column widths that fit: first the settings give way, then the outputs and the names."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for column, least in ((1, 12), (2, 12), (0, 12), (1, 1)):
        surplus = sum(widths) + len(gap) * (len(widths) - 1) - width
        if surplus > 0:
            widths[column] = max(min(least, widths[column]), widths[column] - surplus)
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], gap: str) -> str:
    numbers = len(cells) - 2
    padded = [
        _cut(_narrower(cell, width), width).ljust(width) if place < numbers else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return gap.join(padded).rstrip()


def _narrower(text: str, width: int) -> str:
    """Without the blanks after commas, where that is needed."""
    return text if len(text) <= width else text.replace(", ", ",")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
