"""What changed as lines to read: equal stretches folded, the same change told once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from archdsl.emit.diff.changes import Change, Diff, Inside, Mark, Word, named, title
from archdsl.emit.diff.parts import Part
from archdsl.emit.labels import span, telling
from archdsl.ir import Mode
from archdsl.ops.settings import show
from archdsl.shape import Shape

LISTED = 3  # ops of a stretch that is the same, where their names are numbers


class Row(NamedTuple):
    """One or more changes in a row, told as one.

    title: where; what: what changed there. rows: those inside, where they are told one by one; the numbers are then
    theirs. params, macs: by how much there are more, wherever this stands.
    """

    mark: Mark
    title: str
    what: str
    changes: tuple[Change, ...]
    params: int
    macs: Any
    rows: tuple[Row, ...] = ()

    @property
    def line(self) -> str:
        return f"{self.title}: {self.what}" if self.title and self.what else self.title or self.what


def rows(diff: Diff) -> tuple[Row, ...]:
    """The lines of all that changed."""
    return _Rows().of(diff.whole, 1, "", "always")


def joined(row: Row) -> Row:
    """A row with nothing but one row inside as that one, named by both levels."""
    while len(row.rows) == 1 and row.title and row.rows[0].title and not row.changes[0].words:
        row = row.rows[0]._replace(title=f"{row.title}.{row.rows[0].title}")
    return row


class _Rows:
    """Makes rows; told: where each change of several lines was told first."""

    def __init__(self) -> None:
        self._told: dict[Any, str] = {}

    def of(self, inside: Inside, times: int, prefix: str, mode: Mode) -> tuple[Row, ...]:
        """The rows of a scope that stands `times` times in the network, in a mode. prefix: its path with a dot."""
        return tuple(self._row(changes, times, prefix, mode) for changes in _folded(inside.changes))

    def _row(self, changes: tuple[Change, ...], times: int, prefix: str, mode: Mode) -> Row:
        change = changes[0]
        params = sum(one.more("params") for one in changes) * times
        macs = sum(one.more("macs") + one.more("training_macs") for one in changes) * times
        name, what = _title(changes), _short(", ".join(_words(changes, mode)))
        if change.mark == "same":
            return Row("same", name, what, changes, params, macs)
        if change.inner is None:
            return Row(change.mark, name, what, changes, params, macs)
        again = _counted(change)
        if again is not None:
            return Row("changed", name, again, changes, params, macs)
        kind = _signature(change)
        if kind in self._told:
            what = f"{what}, as {self._told[kind]}" if what else f"as {self._told[kind]}"
            return Row("changed", name, what, changes, params, macs)
        path = f"{prefix}{name}"
        inner = prefix if change.part.bare else f"{path}."
        below = self.of(change.inner, times * change.times[0], inner, change.part.mode)
        if len([row for row in _all(below) if row.mark != "same"]) > 1:
            self._told[kind] = path
        return Row("changed", name, what, changes, params, macs, below)


def _all(rows: tuple[Row, ...]) -> Iterator[Row]:
    for row in rows:
        yield row
        yield from _all(row.rows)


def _folded(changes: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    """Neighbours that are told as one: a stretch that is the same, calls in a row, or in turns with nameless ops."""
    k = 0
    while k < len(changes):
        count = max(_length(changes, k, 1), _length(changes, k, 2))
        yield changes[k : k + count]
        k += count


def _length(changes: tuple[Change, ...], k: int, period: int) -> int:
    """How many changes from one place on go on as those `period` places before them."""
    if period > 1 and changes[k].mark == "same":
        return 1
    count = period
    while k + count < len(changes) and _goes_on(changes[k + count - period], changes[k + count], count % period > 0):
        count += 1
    return count - count % period if count > period else 1


def _goes_on(before: Change, change: Change, between: bool) -> bool:
    """Whether a change is that before it once more. between: it stands between those that are told."""
    if before.mark != change.mark:
        return False
    one, other = before.part, change.part
    if between:
        return not named(one) and one.op is not None and one.op == other.op
    if change.mark == "same":
        return True
    calls = one.inner is not None and other.inner is not None and one.like == other.like
    numbered = span(one.name, other.name) != f"{one.name} .. {other.name}"
    closed = before.inner is None and change.inner is None
    return calls and numbered and closed and [word.key for word in before.words] == [word.key for word in change.words]


def _turns(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Of changes in turns those that are told, and one of those between them."""
    return changes if changes[0].mark == "same" or len(changes) == 1 or changes[1].part.op is None else changes[::2]


def _title(changes: tuple[Change, ...]) -> str:
    told = _turns(changes)
    first, last = told[0].part, told[-1].part
    if changes[0].mark == "same":
        return title(first) if len(changes) == 1 else f"{title(first)} .. {title(last)}"
    if len(told) > 1:
        return span(first.name, last.name)
    return first.name if named(first) else ""


def _words(changes: tuple[Change, ...], mode: Mode) -> Iterator[str]:
    """What is told of some changes; mode: in which all around them runs."""
    told = _turns(changes)
    first, last = told[0], told[-1]
    if first.mark == "same":
        sizes = ", at other sizes" if any(change.resized for change in changes) else ""
        names = [change.part.op.name for change in changes if change.part.op and change.part.name.isdecimal()]
        if 0 < len(names) == len(changes) <= LISTED:  # a number alone says nothing
            yield f"{', '.join(names)}, the same{sizes}"
        else:
            yield f"{len(changes)} the same{sizes}" if len(changes) > 1 else f"the same{sizes}"
        return
    part = first.part
    if first.before is None or first.after is None:
        count = sum(max(change.times) for change in told)
        what = f"({part.what}, {title(changes[1].part)})" if len(told) < len(changes) else part.what
        yield f"{count} x {what}" if count > 1 else part.what
        if part.mode != mode:
            yield f"in {part.mode} only"
        return
    start, ends = _start(first), zip(first.words, last.words, strict=True)
    words = [_word(one, part) if len(told) == 1 else f"{_word(one, part)} .. {_pair(other)}" for one, other in ends]
    if part.op is not None and start and words:
        yield f"{start} {words.pop(0)}"
    elif start:
        yield start
    yield from words


def _start(change: Change) -> str:
    """What a changed part is, where its words don't say it."""
    part, before = change.part, change.before
    assert before is not None
    if part.bare or any(word.key in ("", "times") for word in change.words):
        return ""
    if part.op is not None:
        return "" if part.name and telling(part.name) else part.op.name
    if before.what != part.what:
        (name, _, values), (other, _, others) = before.what.partition(" "), part.what.partition(" ")
        shorter = name == other and name.isidentifier() and values and others
        return f"{before.what} -> {others if shorter else part.what}"
    return part.what if change.inner is None else ""


def _word(word: Word, part: Part) -> str:
    """`out 64 -> 128`."""
    if word.key == "times":
        return f"{word.before:,} -> {word.after:,} x {part.what}"
    if word.key == "name":
        return f"was {word.before}"
    if word.key == "unused":
        return "unused now" if word.after else "unused before"
    return f"{word.key} {_pair(word)}".lstrip()


def _pair(word: Word) -> str:
    return f"{said(word.before)} -> {said(word.after)}"


def said(value: Any) -> str:
    """A value as a spec writes it."""
    if isinstance(value, Shape):
        return "x".join(map(str, value.sizes)) or "1"
    if isinstance(value, tuple) and value and all(isinstance(side, int) for side in value):
        return "x".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else "none" if value is None else show(value)


def _short(what: str) -> str:
    """A call with its fractions in three digits."""
    return re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.3g}", what)


def _counted(change: Change) -> str | None:
    """`2 -> 3 x basic 64` for a container in which nothing changed but how often one block stands there."""
    assert change.inner is not None
    inner = change.inner.changes
    others = [one for one in inner if one.mark != "same"]
    parts = [one.part for one in inner]
    if change.words or len(others) != 1 or [word.key for word in others[0].words] != ["times"]:
        return None
    if any(part.inner is None for part in parts) or len({part.what.partition(" ")[0] for part in parts}) > 1:
        return None
    before, after = (sum(one.times[k] for one in inner) for k in (0, 1))
    return f"{before:,} -> {after:,} x {others[0].part.what}"


def _signature(change: Change) -> Any:
    """What changes have in common of which only the first is told line by line: all but numbers."""
    words = tuple(
        (word.key, *((said(word.before), said(word.after)) if type(word.before) not in (int, float) else ()))
        for word in change.words
        if word.key not in ("in", "at", "input", "from")
    )
    if change.inner is not None:
        inner = tuple(_signature(one) for one in change.inner.changes if one.mark != "same")
        return (change.mark, words, inner)
    part = change.part
    return (change.mark, words, part.op.name if part.op else part.like)
