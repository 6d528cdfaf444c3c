"""Did you mean: the known name that a misspelt one is nearest to."""

from __future__ import annotations

from collections.abc import Iterable

# Beyond this many letters a name isn't a slip of the fingers, and the comparison would cost more than it tells.
_LONGEST = 60


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate nearest to `name`, None if none is near.

    Near is a third of the letters wrong, missing, surplus or swapped with a neighbour; case doesn't count. Of equally
    near ones the first wins.
    """
    wanted = name.lower()
    if not 0 < len(wanted) <= _LONGEST:
        return None
    best, limit = None, (len(wanted) + 1) // 3
    for candidate in candidates:
        known = candidate.lower()
        if known == wanted:
            return candidate
        # Each new best must beat the last one, so the limit shrinks as we go.
        if abs(len(known) - len(wanted)) <= limit and (apart := distance(wanted, known)) <= limit:
            best, limit = candidate, apart - 1
    return best


def distance(left: str, right: str) -> int:
    """How many letters to change, insert, drop or swap with a neighbour (Damerau-Levenshtein, each letter once)."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        earlier, before = before, row
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
