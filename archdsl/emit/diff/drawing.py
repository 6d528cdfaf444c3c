"""What changed between two networks as one diagram: what is in both once, removed and added parts beside each other."""

from __future__ import annotations

import re
import textwrap
from itertools import zip_longest
from typing import NamedTuple

from archdsl.analysis.cost import Costs
from archdsl.dims import Dim, Sym
from archdsl.emit.diff.changes import Diff, Inside, Series, known
from archdsl.emit.diff.parts import Part
from archdsl.emit.diff.rows import Row, joined, rows, said
from archdsl.emit.graph import Cluster, Diagram, Edge, Form, Mark, Node
from archdsl.emit.labels import telling
from archdsl.emit.picture.measure import short
from archdsl.emit.summary.leading import leading

LINE = 34  # letters of a line in a box
Members = list[int | Cluster]
Ends = tuple[int, ...]  # nodes
Lines = dict[tuple[int, int], None]  # from node to node


class _Side(NamedTuple):
    """One of the two networks in a scope that is being drawn.

    series: its parts; entering: the nodes that its inputs come from; last: the
    node that a part ends with, by its identity.
    """

    series: Series
    entering: Ends
    last: dict[int, int]

    def source(self, place: int) -> int:
        """The node that a part's result comes from, or an input of the scope."""
        return self.entering[-1 - place] if place < 0 else self.last[id(self.series.parts[place])]

    def results(self) -> tuple[int, ...]:
        return tuple(map(self.source, self.series.results))


def drawing(diff: Diff) -> Diagram:
    """The diagram; nodes are marked as same, changed, removed or added."""
    return _Drawing().of(diff)


class _Drawing:
    """A diagram in the making; lines: the edges of the first and of the second network."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.lines: tuple[Lines, Lines] = ({}, {})

    def of(self, diff: Diff) -> Diagram:
        """The whole diagram."""
        start = self._node("input", ("input", _plain(_sizes(diff))), "")
        members: Members = [start]
        leaving = self._inside(diff.whole, rows(diff), ((start,), (start,)), members)
        members += self._exits(diff, leaving)
        gone = {node.id for node in self.nodes if node.mark == "removed"}
        before, after = self.lines
        edges = [Edge(*line, "") for line in after]
        # Where something was put in, the line that it interrupts isn't drawn: only what leads to or from what is gone.
        edges += [Edge(*line, "", aside=True) for line in before if line not in after and gone & {*line}]
        one, other = (Costs(net).of_scope(net.scope) for net in (diff.before, diff.after))
        macs = other.macs + other.training_macs - one.macs - one.training_macs
        about = f"{_more(other.params - one.params)} parameters · {_more(macs)} MACs"
        if diff.same:
            about = "nothing differs"
        name = f"{diff.before.name} → {diff.after.name}"
        return Diagram(name, tuple(self.nodes), tuple(edges), tuple(members), about)

    def _exits(self, diff: Diff, leaving: tuple[Ends, Ends]) -> Members:
        """The outputs, by their order."""
        found: Members = []
        for pair in zip_longest(diff.before.outputs, diff.after.outputs):
            given = [output for output in pair if output is not None]
            mark: Mark = "" if len(given) == 2 else "added" if pair[0] is None else "removed"
            names = " → ".join(dict.fromkeys(output.name for output in given))
            node = self._node("output", (names,), mark, given[-1].mode != "always")
            for output, ends, lines in zip(pair, leaving, self.lines, strict=True):
                if output is not None:
                    lines[ends[output.result], node] = None
            found.append(node)
        return found

    def _inside(
        self, inside: Inside, told: tuple[Row, ...], entering: tuple[Ends, Ends], members: Members, above: str = ""
    ) -> tuple[Ends, Ends]:
        """Draws a scope; the nodes that its results come from."""
        sides = _Side(inside.before, entering[0], {}), _Side(inside.after, entering[1], {})
        for row in told:
            if row.rows:
                self._opened(row, sides, members, above)
                continue
            node = self._box(row, above)
            members.append(node)
            for change in row.changes:
                for side, part, lines in zip(sides, (change.before, change.after), self.lines, strict=True):
                    if part is not None:
                        self._enter(side, part, node, lines)
        return sides[0].results(), sides[1].results()

    def _enter(self, side: _Side, part: Part, node: int, lines: Lines) -> None:
        """Draws the lines into a part of one network."""
        # What there is less or more of a part comes behind what is still there.
        sources = [side.last[id(part)]] if id(part) in side.last else [side.source(place) for place in part.sources]
        for source in sources:
            if source != node:
                lines[source, node] = None
        side.last[id(part)] = node

    def _opened(self, row: Row, sides: tuple[_Side, _Side], members: Members, above: str) -> None:
        """A part with its inside, in a frame. above: the levels of names around it that have no frame."""
        (change,) = row.changes
        assert change.inner is not None
        assert change.before is not None
        assert change.after is not None
        parts = change.before, change.after
        entering = tuple(tuple(map(side.source, part.sources)) for side, part in zip(sides, parts, strict=True))
        inner: Members = []
        framed = joined(row) is row and bool(row.line)
        path = "" if framed else f"{above}{row.title}." if row.title else above
        leaving = self._inside(change.inner, row.rows, (entering[0], entering[1]), inner, path)
        for side, part, ends in zip(sides, parts, leaving, strict=True):
            side.last[id(part)] = ends[0]
        if framed:
            title = textwrap.shorten(_plain(f"{above}{row.line}"), 60, placeholder=" …")
            members.append(Cluster(title, row.line, tuple(inner), change.part.mode != "always"))
        else:
            members += inner

    def _box(self, row: Row, above: str) -> int:
        numbers = [f"{_more(row.params)} parameters"] if row.params else []
        numbers += [f"{_more(row.macs)} MACs"] if isinstance(row.macs, Sym) or row.macs else []
        part = row.changes[0].part
        title, what = f"{above}{row.title}" if row.title else "", _plain(row.what)
        if not title:
            title, what = (what, "") if len(what) <= LINE else (part.op.name if part.op else "", what)
        elif not telling(row.title) and len(f"{title}: {what}") <= LINE and row.mark != "same":
            title, what = f"{title}: {what}", ""
        told = (_plain(title), *textwrap.wrap(what, LINE), *((" · ".join(numbers),) if numbers else ()))
        return self._node("op", told, row.mark, part.mode != "always")

    def _node(self, form: Form, told: tuple[str, ...], mark: Mark, aside: bool = False) -> int:
        kind = "other" if form == "op" else form
        title, *details = told
        made = Node(len(self.nodes), form, kind, title, tuple(details), "\n".join(told), aside=aside, mark=mark)
        self.nodes.append(made)
        return made.id


def _sizes(diff: Diff) -> str:
    """The input of both networks."""
    sizes = [said(known(net, net.input)) for net in (diff.before, diff.after)]
    return " -> ".join(dict.fromkeys(sizes)).replace("x", " x ")


def _plain(text: str) -> str:
    """As people write it: arrows, crosses, dots."""
    text = re.sub(r"(?<=\d)( ?)x(?= |\d)", r"\1×", text)
    return text.replace(" -> ", " → ").replace(" .. ", " … ")


def _more(number: Dim) -> str:
    """A difference in three digits, with its sign."""
    if isinstance(number, Sym):
        return leading(number)
    return f"{'+' if number > 0 else '–'}{short(abs(number))}" if number else "as many"
