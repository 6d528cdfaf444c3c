"""Whether two sizes are equal: for all inputs, for none, or for which.

The difference of two sizes is, on each class of residues, a polynomial (see `periodic`): it is zero for all sizes of
the class where it is zero at the first `degree + 1` of them. The classes where it is, while it isn't on others, are
what the input must satisfy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from archdsl.dims.periodic import MAX_PERIOD, MAX_SIZE, horizon, pattern, tabulate
from archdsl.dims.symbolic import Dim, DimLimitError, Sym, at

# Remainders or sizes that a text lists before it only counts them.
_LISTED = 6


class Requirement(NamedTuple):
    """The remainders that a variable may leave when divided by the modulus."""

    variable: str
    modulus: int
    residues: tuple[int, ...]

    def holds(self, size: int) -> bool:
        return size % self.modulus in self.residues

    def describe(self) -> str:
        """`H must be a multiple of 16`."""
        return f"{self.variable} must {self._condition()}"

    def _condition(self) -> str:
        missing = [residue for residue in range(self.modulus) if residue not in self.residues]
        if len(self.residues) == 1:
            return f"be {self._one(self.residues[0])}"
        if len(missing) == 1:
            return f"not be {self._one(missing[0])}"
        return f"leave a remainder of {ranges(self.residues)} when divided by {self.modulus}"

    def _one(self, residue: int) -> str:
        if residue == 0:
            return f"a multiple of {self.modulus}"
        return "odd" if self.modulus == 2 else f"{residue} more than a multiple of {self.modulus}"


class Always(NamedTuple):
    """Equal for all sizes of the input."""


class Never(NamedTuple):
    """Different for all sizes of the input; the smallest input with the two sizes there."""

    counterexample: dict[str, int]
    left: int
    right: int


class Where(NamedTuple):
    """Equal where every requirement holds; with one variable nowhere else, but for the sizes `also`."""

    requirements: tuple[Requirement, ...]
    counterexample: dict[str, int]
    left: int
    right: int
    also: tuple[int, ...] = ()

    def describe(self) -> str:
        """`H must be a multiple of 16 and W must be a multiple of 16`."""
        text = " and ".join(requirement.describe() for requirement in self.requirements)
        return f"{text}, or be {ranges(self.also)}" if self.also else text


class Only(NamedTuple):
    """Equal at finitely many sizes of one variable, in order."""

    variable: str
    values: tuple[int, ...]
    counterexample: dict[str, int]
    left: int
    right: int

    def describe(self) -> str:
        """`H must be 224`."""
        return f"{self.variable} must be {ranges(self.values)}"


class Undecided(NamedTuple):
    """Not known for all sizes: why, and an input where they differ if one was found."""

    reason: str
    counterexample: dict[str, int] | None = None


Verdict = Always | Never | Where | Only | Undecided


class _Zeros(NamedTuple):
    """Where a size is zero: see Where and Only; neither requirements nor sizes: nowhere."""

    requirements: tuple[Requirement, ...]
    sizes: tuple[int, ...]
    counterexample: dict[str, int]


def equal(left: Dim, right: Dim) -> Verdict:
    """Whether two sizes are equal, for all positive values of their variables."""
    if left is right:
        return Always()
    try:
        difference = left - right
    except DimLimitError:
        return Undecided("the sizes are too complicated to be compared")
    if not isinstance(difference, Sym):
        sizes = dict.fromkeys(sorted(_names(left) | _names(right)), 1)
        return Never(sizes, at(left, sizes), at(right, sizes)) if difference else Always()
    zeros = _zeros(difference)
    if not isinstance(zeros, _Zeros):
        return zeros
    # The variables that cancel out can have any value.
    sizes = dict.fromkeys(sorted(_names(left) | _names(right)), 1) | zeros.counterexample
    values = sizes, at(left, sizes), at(right, sizes)
    if zeros.requirements:
        return Where(zeros.requirements, *values, zeros.sizes)
    return Only(next(iter(difference.names)), zeros.sizes, *values) if zeros.sizes else Never(*values)


def residue_requirement(variable: str, modulus: int, residues: Iterable[int]) -> Requirement:
    """The requirement with the smallest modulus that says the same."""
    kept = set(residues)
    candidate = 2
    remaining = modulus
    while remaining > 1:
        # Only the prime divisors of the modulus get through.
        while remaining % candidate:
            candidate += 1
        remaining //= candidate
        smaller = modulus // candidate
        folded = {residue % smaller for residue in kept}
        if len(folded) * candidate == len(kept):
            modulus, kept = smaller, folded
    return Requirement(variable, modulus, tuple(sorted(kept)))


def ranges(values: Iterable[int]) -> str:
    """Sorted numbers as text: `1, 3 or 5 to 9`; where that gets long, how many and the first ones."""
    numbers = list(values)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    if len(runs) > _LISTED:
        return f"one of {len(numbers)} values ({', '.join(map(str, numbers[:_LISTED]))}, ...)"
    written = [part for run in runs for part in (map(str, run) if len(run) < 3 else [f"{run[0]} to {run[-1]}"])]
    return " or ".join(filter(None, (", ".join(written[:-1]), written[-1])))


def _names(dim: Dim) -> frozenset[str]:
    return dim.names if isinstance(dim, Sym) else frozenset()


@lru_cache(maxsize=1024)
def _zeros(difference: Sym) -> _Zeros | Always | Undecided:
    """Where a size is zero, for all positive values of its variables."""
    names = sorted(difference.names)
    return _zeros_of_one(difference, names[0]) if len(names) == 1 else _zeros_of_several(difference, names)


def _zeros_of_one(difference: Sym, name: str) -> _Zeros | Always | Undecided:
    found = horizon(difference, frozenset((name,)))
    if found is None or found.start + found.period > MAX_SIZE:
        return Undecided("how the sizes depend on the input repeats too late to be decided")
    start, period = found
    values = tabulate(difference, {name: range(1, start + period + 1)})
    zeros = [size for size, value in enumerate(values, 1) if value == 0]
    residues = {size % period for size in zeros if size > start}
    if len(residues) == period:
        # A polynomial that ends in zeros is zero throughout.
        return Always()
    counterexample = {name: next(size for size, value in enumerate(values, 1) if value)}
    if not residues:
        return _Zeros((), tuple(zeros), counterexample)
    single = tuple(size for size in zeros if size % period not in residues)
    return _Zeros((residue_requirement(name, period, residues),), single, counterexample)


def _zeros_of_several(difference: Sym, names: list[str]) -> _Zeros | Always | Undecided:
    patterns = [pattern(difference, frozenset((name,))) for name in names]
    if any(found is None for found in patterns):
        return Undecided("a product of variables is rounded")
    known = [found for found in patterns if found is not None]
    widths = [found.period * (found.degree + 1) for found in known]
    if math.prod(widths) > MAX_PERIOD:
        return Undecided("how the sizes depend on the input repeats too late to be decided")
    points = list(product(*(range(1, width + 1) for width in widths)))
    columns = dict(zip(names, zip(*points, strict=True), strict=True))
    differing = [point for point, value in zip(points, tabulate(difference, columns), strict=True) if value]
    if not differing:
        return Always()
    smallest = min(differing, key=lambda point: (sum(point), point))
    counterexample = dict(zip(names, smallest, strict=True))
    periods = [found.period for found in known]
    unequal = {tuple(size % period for size, period in zip(point, periods, strict=True)) for point in differing}
    classes = set(product(*map(range, periods))) - unequal
    sides = [sorted({residues[axis] for residues in classes}) for axis in range(len(names))]
    if not classes or len(classes) != math.prod(map(len, sides)):
        return Undecided(f"it depends on how {' and '.join(names)} go together", counterexample)
    found_requirements = [
        residue_requirement(name, period, side) for name, period, side in zip(names, periods, sides, strict=True)
    ]
    return _Zeros(tuple(found for found in found_requirements if found.modulus > 1), (), counterexample)
