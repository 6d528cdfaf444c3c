"""What changed between two networks, for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archdsl.analysis.cost import Costs
from archdsl.dims import Dim
from archdsl.emit.diff import notes
from archdsl.emit.diff.changes import Change, Diff, Inside, Word
from archdsl.emit.diff.parts import Part
from archdsl.ir import Net
from archdsl.shape import Shape


def to_json(diff: Diff) -> dict[str, Any]:
    """The difference as plain data.

    same: both compute the same in the same layers; before, after: name, params and macs (those of heads that run in
    training only among them) of the networks; interface: what changed about inputs and outputs, as changed below;
    notes: what the text says below the totals; changes, a list of

    change (added, removed, changed), before and after (None where there is none) with path, call, params and macs (of
    one), output, count (how often it stands there); changed: what -> [before, after]; params, macs: the difference
    that this change makes. The sum of these over the list is the difference of the networks.
    """
    return {
        "same": diff.same,
        "before": _network(diff.before),
        "after": _network(diff.after),
        "interface": _words(diff.words),
        "changes": list(_changes(diff.whole, ("", ""), 1)),
        "notes": [{"about": heading.lower(), "text": text} for heading, text in notes.notes(diff)],
    }


def _network(net: Net) -> dict[str, Any]:
    cost = Costs(net).of_scope(net.scope)
    return {"name": net.name, "params": cost.params, "macs": _number(cost.macs + cost.training_macs)}


def _changes(inside: Inside, prefixes: tuple[str, str], count: int) -> Iterator[dict[str, Any]]:
    """The changes of a scope that stands `count` times in both networks, below these paths."""
    for change in inside.changes:
        if change.mark == "same" and not change.resized:
            continue
        paths = _path(prefixes[0], change.before), _path(prefixes[1], change.after)
        if change.inner is None or change.words:
            yield _change(change, paths, count)
        if change.inner is not None:
            below = _below(paths[0], change.before), _below(paths[1], change.after)
            yield from _changes(change.inner, below, count * change.times[0])


def _path(prefix: str, part: Part | None) -> str:
    return prefix if part is None or not part.name else f"{prefix}{part.name}"


def _below(path: str, part: Part | None) -> str:
    return path if part is None or part.bare else f"{path}."


def _change(change: Change, paths: tuple[str, str], count: int) -> dict[str, Any]:
    sides = zip((change.before, change.after), paths, change.times, strict=True)
    told = [part and _part(part, path, count * times) for part, path, times in sides]
    opened = change.inner is not None  # what is inside tells the numbers
    params, macs = (0, 0) if opened else (change.more("params"), change.more("macs") + change.more("training_macs"))
    return {
        "change": "changed" if change.resized else change.mark,
        "before": told[0],
        "after": told[1],
        "changed": _words(change.words),
        "params": params * count,
        "macs": _number(macs * count),
    }


def _part(part: Part, path: str, count: int) -> dict[str, Any]:
    return {
        "path": path.removesuffix("."),
        "call": part.what,
        "output": _value(part.output),
        "params": part.params,
        "macs": _number(part.macs + part.training_macs),
        "count": count,
    }


def _words(words: tuple[Word, ...]) -> dict[str, list[Any]]:
    return {word.key or "call": [_value(word.before), _value(word.after)] for word in words}


def _value(value: Any) -> Any:
    """A setting or shape as JSON has it."""
    if isinstance(value, Shape):
        return [_number(size) for size in value.sizes]
    if isinstance(value, tuple):
        return [_value(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _number(number: Dim) -> int | str:
    return number if isinstance(number, int) else str(number)
