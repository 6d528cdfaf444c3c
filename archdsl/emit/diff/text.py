"""What changed between two networks, to read: removed, added and changed parts with their numbers, totals below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from archdsl.analysis.cost import Costs
from archdsl.dims import Sym
from archdsl.emit.diff import notes
from archdsl.emit.diff.changes import Diff
from archdsl.emit.diff.rows import Row, joined, rows, said
from archdsl.emit.summary.leading import leading

SIGNS = {"same": " ", "changed": "~", "removed": "-", "added": "+"}
_GAP = "  "
_LEAST = 12  # letters of a line, however deep it stands


def text(diff: Diff, width: int) -> str:
    """The lines, at most `width` wide where numbers leave room; the numbers of all lines add up to the difference."""
    told = notes.notes(diff)
    name, other = _names(diff)
    found = rows(diff)
    if diff.same and not diff.words and all(row.mark == "same" for row in found):
        nothing = f"nothing differs between {diff.before.name} and {diff.after.name}"
        return "\n".join([f"{nothing} in what they compute", "", *_notes(told, width)] if told else [nothing])
    lines = [
        (0, SIGNS["changed"], f"{word.key}: {said(word.before)} -> {said(word.after)}", "", "") for word in diff.words
    ]
    lines += _lines(found, 0)
    one, two = (Costs(net).of_scope(net.scope) for net in (diff.before, diff.after))
    total = (_signed(two.params - one.params) or "0", _signed(_macs(two) - _macs(one)) or "0")
    below = [(name, f"{one.params:,}", _told(_macs(one))), (other, f"{two.params:,}", _told(_macs(two)))]
    below.append(("difference", *total))
    columns = [("Params", "MACs"), *(line[3:] for line in lines), *(line[1:] for line in below)]
    params, macs = (max(map(len, column)) for column in zip(*columns, strict=True))
    room = max(24, width - params - macs - 2 * len(_GAP))

    def row(left: str, one: str, two: str) -> str:
        return f"{left:{room}}{_GAP}{one:>{params}}{_GAP}{two:>{macs}}".rstrip()

    ruler = "─" * (room + params + macs + 2 * len(_GAP))
    *above, title = textwrap.wrap(f"{name} -> {other}", room)
    made = [*above, row(title, "Params", "MACs"), ruler]
    for depth, sign, words, *numbers in lines:
        start = f"{'  ' * depth}{sign} "
        wrapped = textwrap.wrap(words, max(_LEAST, room - len(start) - 4)) or [""]
        head = [start + wrapped[0], *(" " * (len(start) + 4) + more for more in wrapped[1:])]
        made += [row(left, *numbers) if k == 0 else left for k, left in enumerate(head)]
    made += [ruler, *(row(textwrap.shorten(left, room, placeholder="…"), *numbers) for left, *numbers in below)]
    return "\n".join([*made, *(["", *_notes(told, width)] if told else [])])


def _names(diff: Diff) -> tuple[str, str]:
    """What the networks are called; two of one name are told apart."""
    one, other = diff.before.name, diff.after.name
    return (one, other) if one != other else (f"{one} (A)", f"{other} (B)")


def _lines(rows: tuple[Row, ...], depth: int) -> Iterator[tuple[int, str, str, str, str]]:
    for row in map(joined, rows):
        numbers = ("", "") if row.rows else (_signed(row.params), _signed(row.macs))
        bare = row.changes[0].part.bare and row.rows and not row.line
        if not bare:
            yield depth, SIGNS[row.mark], row.line, *numbers
        yield from _lines(row.rows, depth if bare else depth + 1)


def _macs(cost: Any) -> Any:
    return cost.macs + cost.training_macs


def _signed(number: Any) -> str:
    """With its sign; nothing for 0."""
    if isinstance(number, Sym):
        return leading(number)
    return f"{number:+,}" if number else ""


def _told(number: Any) -> str:
    return leading(number) if isinstance(number, Sym) else f"{number:,}"


def _notes(told: list[tuple[str, str]], width: int) -> list[str]:
    indent = max((len(heading) for heading, _ in told), default=0) + 2
    lines = []
    for heading, words in told:
        for k, line in enumerate(textwrap.wrap(words, max(24, width - indent))):
            lines.append((heading if k == 0 else "").ljust(indent) + line)
    return lines
