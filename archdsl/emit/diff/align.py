"""Which parts of two scopes belong together: those of the same name, and between them the most alike, in order."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from archdsl.emit.diff.parts import Body, Part
from archdsl.emit.labels import telling

# Two places, or one of them and None for what the other network doesn't have.
Pair = tuple[int | None, int | None]
# Stretches without common names beyond this are compared at their ends only.
LARGEST = 250_000
# Of the ops inside two parts, what they have in common at least.
LEAST = 0.4
_EQUAL, _LIKE, _OP, _INSIDE, _KIND = 10.0, 8.0, 4.0, 2.0, 1.0


def align(left: tuple[Part, ...], right: tuple[Part, ...]) -> list[Pair]:
    """The pairs in order; what has no partner stands before what has taken its place."""
    pairs: list[Pair] = []
    alike = _Likeness()
    i = j = 0
    for one, other in (*_named(left, right), (len(left), len(right))):
        pairs += _stretch(left, right, range(i, one), range(j, other), alike)
        if one < len(left):
            pairs.append((one, other))
        i, j = one + 1, other + 1
    return pairs


def _named(left: tuple[Part, ...], right: tuple[Part, ...]) -> list[tuple[int, int]]:
    """The longest series of parts with common names that is in the same order in both."""
    places = {part.name: k for k, part in enumerate(right) if telling(part.name.rpartition(".")[2]) and part.name}
    common = [(k, places[part.name]) for k, part in enumerate(left) if part.name in places]
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for n, (_, place) in enumerate(common):
        at = bisect_left(tails, place)
        before.append(ends[at - 1] if at else -1)
        tails[at : at + 1], ends[at : at + 1] = [place], [n]
    chosen = []
    n = ends[-1] if ends else -1
    while n >= 0:
        chosen.append(common[n])
        n = before[n]
    return chosen[::-1]


def _stretch(
    left: tuple[Part, ...], right: tuple[Part, ...], ours: range, theirs: range, alike: _Likeness
) -> Iterator[Pair]:
    """The pairs of a stretch without common names."""
    i, j, end, stop = ours.start, theirs.start, ours.stop, theirs.stop
    while i < end and j < stop and left[i].same == right[j].same:
        yield i, j
        i, j = i + 1, j + 1
    after = 0
    while i < end - after and j < stop - after and left[end - after - 1].same == right[stop - after - 1].same:
        after += 1
    end, stop = end - after, stop - after
    chosen = _best(left[i:end], right[j:stop], alike) if (end - i) * (stop - j) <= LARGEST else []
    for one, other in (*((i + a, j + b) for a, b in chosen), (end, stop)):
        yield from ((k, None) for k in range(i, one))
        yield from ((None, k) for k in range(j, other))
        if one < end:
            yield one, other
        i, j = one + 1, other + 1
    yield from ((end + k, stop + k) for k in range(after))


def _best(left: tuple[Part, ...], right: tuple[Part, ...], alike: _Likeness) -> list[tuple[int, int]]:
    """The pairs in order whose likeness is largest in sum (Needleman and Wunsch 1970)."""
    wide = len(right) + 1
    best = [[0.0] * wide for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(right) - 1, -1, -1):
            score = alike.of(left[i], right[j])
            paired = below[j + 1] + score if score else 0.0
            row[j] = max(below[j], row[j + 1], paired)
    pairs = []
    i = j = 0
    while i < len(left) and j < len(right):
        score = alike.of(left[i], right[j])
        if score and best[i][j] == best[i + 1][j + 1] + score:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


class _Likeness:
    """How alike parts are; 0 for those that have nothing in common."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], float] = {}
        self._ops: dict[int, Counter[str]] = {}

    def of(self, one: Part, other: Part) -> float:
        key = one.same, other.same
        if key not in self._known:
            self._known[key] = self._told(one, other)
        score = self._known[key]
        return score + 0.3 if score and one.name == other.name else score

    def _told(self, one: Part, other: Part) -> float:
        if one.same == other.same:
            return _EQUAL
        if one.like == other.like:
            return _LIKE
        if one.op is not None and other.op is not None:
            if one.op.name != other.op.name:
                return _KIND if one.op.kind == other.op.kind != "other" else 0.0
            keys = one.op.settings()
            equal = sum(bool(getattr(one.op, key) == getattr(other.op, key)) for key in keys)
            return _OP + equal / max(len(keys), 1) + 0.5 * (one.output == other.output)
        if one.inner is None or other.inner is None or one.bare != other.bare or one.mode != other.mode:
            return 0.0
        ours, theirs = self._inside(one.inner), self._inside(other.inner)
        share = 2 * (ours & theirs).total() / max((ours + theirs).total(), 1)
        if share <= LEAST:
            return 0.0
        return _INSIDE + 4 * share + float(one.what.partition(" ")[0] == other.what.partition(" ")[0])

    def _inside(self, body: Body) -> Counter[str]:
        """The ops inside by name, repetitions counted once."""
        if body.like not in self._ops:
            found: Counter[str] = Counter()
            for part in body.parts:
                if part.op is not None:
                    found[part.op.name] += 1
                elif part.inner is not None:
                    found += self._inside(part.inner)
            self._ops[body.like] = found
        return self._ops[body.like]
