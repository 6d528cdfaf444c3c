"""How a symbolic size moves with its variables: values in bulk, and from where on its sign repeats.

Along one variable n (or several kept equal), a size made of floors of affine terms is quasi-affine:
`f(n + L) = f(n) + s` for a period L and an integer s. Sums and products of such sizes are polynomials in t on each
class `n = r + t*L`, so finitely many values tell all of them. Variables are positive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import add, mul, sub
from typing import NamedTuple

from archdsl.dims.symbolic import Atom, Dim, Monomial, Sym

# The largest period and the largest size that are looked at.
MAX_PERIOD = 100_000
MAX_SIZE = 300_000

Columns = Mapping[str, Sequence[int]]
Shift = tuple[int, int]


class Pattern(NamedTuple):
    """A size at `r + t*period` is, for each r, a polynomial in t of at most this degree."""

    period: int
    degree: int


class Horizon(NamedTuple):
    """From the first n > `start` on, the sign of a size depends only on n modulo `period`."""

    start: int
    period: int


class Table:
    """Sizes at each row of a table, for each variable a column of values; what sizes have in common is found once."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._count = len(next(iter(columns.values())))
        self._known: dict[Atom, list[int]] = {}

    def values(self, dim: Dim) -> list[int]:
        """The size at each row."""
        if not isinstance(dim, Sym):
            return [dim] * self._count
        return _tabulate(dim, self._columns, self._count, self._known)


def tabulate(dim: Dim, columns: Columns) -> list[int]:
    """One size at each row of a table."""
    return Table(columns).values(dim)


def gather_atoms(dim: Dim, found: set[Atom]) -> None:
    """Adds all atoms inside a size: what a table has a column of."""
    for monomial, _ in dim.terms if isinstance(dim, Sym) else ():
        for atom in monomial:
            if atom not in found:
                found.add(atom)
                if atom.inner is not None:
                    gather_atoms(atom.inner, found)


def _tabulate(dim: Sym, columns: Columns, count: int, known: dict[Atom, list[int]]) -> list[int]:
    total = [dim.constant] * count
    for monomial, factor in dim.terms:
        values = [factor] * count
        for atom in monomial:
            if atom not in known:
                known[atom] = _column(atom, columns, count, known)
            values = list(map(mul, values, known[atom]))
        total = list(map(add, total, values))
    return total


def _column(atom: Atom, columns: Columns, count: int, known: dict[Atom, list[int]]) -> list[int]:
    if atom.inner is None:
        return list(columns[atom.name])
    divisor = atom.divisor
    return [value // divisor for value in _tabulate(atom.inner, columns, count, known)]


def pattern(dim: Sym, moving: frozenset[str]) -> Pattern | None:
    """How the size repeats as the variables in `moving` grow together; None where it rounds a product of variables."""
    known: dict[Atom, Shift | None] = {}
    period = degree = 1
    for monomial, _ in dim.terms:
        moved = [atom for atom in monomial if atom.names & moving]
        degree = max(degree, len(moved))
        for atom in moved:
            shift = _atom_shift(atom, moving, known)
            if shift is None:
                return None
            period = math.lcm(period, shift[0])
    return Pattern(period, degree)


def _atom_shift(atom: Atom, moving: frozenset[str], known: dict[Atom, Shift | None]) -> Shift | None:
    """The shift (L, s) with `f(n + L) = f(n) + s` for the atom f, None if there is no such pair."""
    if atom.inner is None:
        return (1, 1) if atom.name in moving else (1, 0)
    if atom not in known:
        inner = _shift(atom.inner, moving, known)
        # The inner size must move by a multiple of the divisor.
        times = 1 if inner is None else atom.divisor // math.gcd(atom.divisor, inner[1])
        known[atom] = None if inner is None else (inner[0] * times, inner[1] * times // atom.divisor)
    return known[atom]


def _shift(dim: Sym, moving: frozenset[str], known: dict[Atom, Shift | None]) -> Shift | None:
    period, shift = 1, 0
    for monomial, factor in dim.terms:
        step = _monomial_shift(monomial, moving, known)
        if step is None:
            return None
        both = math.lcm(period, step[0])
        period, shift = both, shift * (both // period) + factor * step[1] * (both // step[0])
    return period, shift


def _monomial_shift(monomial: Monomial, moving: frozenset[str], known: dict[Atom, Shift | None]) -> Shift | None:
    if not any(atom.names & moving for atom in monomial):
        return 1, 0
    return _atom_shift(monomial[0], moving, known) if len(monomial) == 1 else None


def horizon(dim: Sym, moving: frozenset[str]) -> Horizon | None:
    """From where on the sign of the size repeats, as all its variables grow together; None: not within the limits."""
    found = pattern(dim, moving)
    if found is None or found.period * (found.degree + 1) > MAX_SIZE or found.period > MAX_PERIOD:
        return None
    period, degree = found
    sizes = range(1, period * (degree + 1) + 1)
    values = tabulate(dim, dict.fromkeys(moving, sizes))
    limit = MAX_SIZE // period
    if degree == 1:
        steps = _settled_lines(values[:period], values[period:])
    else:
        steps = max(_settled(values[residue::period], limit) for residue in range(period))
    return Horizon(steps * period, period) if steps < limit else None


def _settled_lines(starts: list[int], nexts: list[int]) -> int:
    """The first t from which on every line keeps its sign, given by its values at 0 and 1."""
    slopes = map(sub, nexts, starts)
    crossings = (abs(start) // abs(slope) for start, slope in zip(starts, slopes, strict=True) if start * slope < 0)
    # A line that starts at zero leaves it at once.
    return max(crossings, default=0) + 1


def _settled(values: list[int], limit: int) -> int:
    """The first t from which on a polynomial keeps its sign, by its values at 0, 1, ..., degree; at most `limit`."""
    differences = []
    while values:
        differences.append(values[0])
        values = list(map(sub, values[1:], values))
    if not any(differences):
        return 0
    for t in range(limit):
        # Once all differences pull the same way, so do all later ones.
        if (differences[0] > 0 and min(differences) >= 0) or (differences[0] < 0 and max(differences) <= 0):
            return t
        differences = [*map(add, differences, differences[1:]), differences[-1]]
    return limit
