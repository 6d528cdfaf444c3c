"""What a network asks of its input: the smallest valid size, whether all above are valid, and the rules.

Each check is the sign of a size that, from some input size on, repeats with a period (see `dims.periodic`); so what is
found by trying the sizes up to there and one period more holds for all sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import compress
from operator import and_
from typing import NamedTuple

from archdsl.dims import Dim, DimLimitError, Sym, variable
from archdsl.dims.equality import Always, Where, equal, ranges, residue_requirement
from archdsl.dims.periodic import MAX_PERIOD, MAX_SIZE, Horizon, Table, gather_atoms, horizon, pattern
from archdsl.dims.symbolic import Atom
from archdsl.ops.base import AtLeast, Check, Divides

# How far the smallest valid size is looked for where not every check is understood.
MAX_TRIED = 4096
# How many values in all are looked at to tell from where on checks repeat: about a second.
MAX_VALUES = 3_000_000
# How large the table of all conditions may be, at all sizes that are tried: about half a second.
MAX_WORK = 5_000_000
# How many sizes are tried at once.
ROWS = 8192


class Requirements(NamedTuple):
    """What holds for an input of a network.

    smallest: the smallest valid size of each variable; None where there is none, or none was found.
    all_above: whether every larger input is valid too; None if that isn't known.
    rules: what else the input must satisfy ("H must be a multiple of 32").
    undecided: the checks that aren't understood for all sizes; where they tie variables together, `smallest` was
        looked for with these variables equal.
    """

    smallest: dict[str, int] | None
    all_above: bool | None
    rules: tuple[str, ...]
    undecided: tuple[Check, ...]


class _Condition(NamedTuple):
    """A size that must be among `allowed`, or where that is None not negative.

    Other values than 0 are only asked of remainders, whose every value repeats as their sign does.
    """

    dim: Sym
    allowed: tuple[int, ...] | None

    def holds(self, values: list[int]) -> list[bool]:
        """Whether the condition holds, by the values of its size."""
        if self.allowed is None:
            return [value >= 0 for value in values]
        return [value in self.allowed for value in values]


def _valid(conditions: list[_Condition], names: frozenset[str], sizes: list[int]) -> list[int]:
    """Those of the sizes, given to all variables alike, at which all conditions hold."""
    kept = []
    # A part at a time, so that the table of all sizes never stands in memory.
    for first in range(0, len(sizes), ROWS):
        part = sizes[first : first + ROWS]
        table = Table(dict.fromkeys(names, part))
        good = [True] * len(part)
        for condition in conditions:
            good = list(map(and_, good, condition.holds(table.values(condition.dim))))
        kept += list(compress(part, good))
    return kept


def _first(conditions: list[_Condition], names: frozenset[str], sizes: list[int]) -> int | None:
    """The first of the sizes at which all conditions hold, as far as MAX_WORK values tell."""
    atoms: set[Atom] = set()
    for condition in conditions:
        gather_atoms(condition.dim, atoms)
    most = min(len(sizes), MAX_WORK // max(1, len(atoms)))
    at, rows = 0, 16  # most often it is among the first
    while at < most:
        found = _valid(conditions, names, sizes[at : min(at + rows, most)])
        if found:
            return found[0]
        at, rows = at + rows, min(2 * rows, ROWS)
    return None


def requirements(checks: Iterable[Check], variables: Iterable[str]) -> Requirements:
    """What the checks ask of the variables, all of which are positive."""
    names = sorted(set(variables))
    conditions: dict[_Condition, list[Check]] = {}
    undecided: list[Check] = []
    for check in dict.fromkeys(checks):
        try:
            size = _size(check)
        except DimLimitError:
            undecided.append(check)
            continue
        if isinstance(size, Sym):
            for condition in _conditions(size, check):
                conditions.setdefault(condition, []).append(check)
        elif size < 0 or (size > 0 and not isinstance(check, AtLeast)):
            return Requirements(None, False, (), ())
    solved = [_solve(group, conditions) for group in _groups(names, conditions)]
    undecided += [check for part in solved for check in part.undecided]
    smallest: dict[str, int] | None = {}
    for part in solved:
        smallest = None if smallest is None or part.smallest is None else smallest | part.smallest
    answers = {part.all_above for part in solved}
    all_above = False if False in answers else None if undecided or None in answers else True
    rules = tuple(rule for part in solved for rule in part.rules)
    return Requirements(smallest, all_above, rules, tuple(dict.fromkeys(undecided)))


def _size(check: Check) -> Dim:
    """What must be 0, or for AtLeast not negative."""
    if isinstance(check, AtLeast):
        return check.size - check.minimum
    if isinstance(check, Divides):
        return check.size % check.divisor
    return check.left - check.right


def _conditions(size: Sym, check: Check) -> list[_Condition]:
    """The check as conditions, each on one variable if it can be taken apart."""
    if isinstance(check, AtLeast):
        return [_Condition(size, None)]
    verdict = equal(size, 0) if len(size.names) > 1 else None
    if isinstance(verdict, Always):
        return []
    if isinstance(verdict, Where):
        rests = [(variable(found.variable) % found.modulus, found.residues) for found in verdict.requirements]
        return [_Condition(rest, residues) for rest, residues in rests if isinstance(rest, Sym)]
    return [_Condition(size, (0,))]


def _groups(names: Iterable[str], conditions: Iterable[_Condition]) -> list[frozenset[str]]:
    """The variables, those together that a condition ties together."""
    groups = [frozenset((name,)) for name in names]
    for condition in conditions:
        tied = [group for group in groups if group & condition.dim.names]
        groups = [group for group in groups if group not in tied] + [condition.dim.names.union(*tied)]
    return sorted(groups, key=sorted)


def _solve(names: frozenset[str], conditions: Mapping[_Condition, list[Check]]) -> Requirements:
    """The requirements on one variable, or on several kept equal."""
    own = [condition for condition in conditions if condition.dim.names & names]
    understood, others, common = _understood(names, own)
    last = common.start + common.period
    sizes = list(range(1, last + 1))
    sizes = _valid(understood, names, sizes)
    rules = _rules(" = ".join(sorted(names)), sizes, common)
    if others and last < MAX_TRIED:
        # What repeats is continued as far as the others are tried.
        tail = [size for size in sizes if size > common.start]
        times = (MAX_TRIED - last) // common.period
        sizes += [size + k * common.period for k in range(1, times + 1) for size in tail]
    first = _first(others, names, sizes)
    smallest = None if first is None else dict.fromkeys(sorted(names), first)
    tied = [condition for condition in understood if len(condition.dim.names) > 1]
    undecided = tuple(check for condition in others + tied for check in conditions[condition])
    if others:
        return Requirements(smallest, None, rules, undecided)
    # Every size that is missing above the smallest one has made a rule.
    gapless = bool(sizes) and not rules
    return Requirements(smallest, None if gapless and undecided else gapless, rules, undecided)


def _understood(
    names: frozenset[str], conditions: list[_Condition]
) -> tuple[list[_Condition], list[_Condition], Horizon]:
    """The conditions that are known for all sizes, within the limits, the others, and what the known ones repeat by."""
    start, period, looked_at = 0, 1, 0
    atoms: set[Atom] = set()
    kept, others = [], []
    # The cheap ones first, so that one that repeats late takes no other with it.
    for condition in sorted(conditions, key=lambda condition: _values(condition.dim, names)):
        looked_at += _values(condition.dim, names)
        found = horizon(condition.dim, names) if looked_at <= MAX_VALUES else None
        both = math.lcm(period, found.period) if found else 0
        if found is None or both > MAX_PERIOD or max(start, found.start) + both > MAX_SIZE:
            others.append(condition)
            continue
        together = set(atoms)
        gather_atoms(condition.dim, together)
        if (max(start, found.start) + both) * len(together) > MAX_WORK:
            others.append(condition)
            continue
        atoms = together
        start, period = max(start, found.start), both
        kept.append(condition)
    return kept, others, Horizon(start, period)


def _values(dim: Sym, names: frozenset[str]) -> int:
    """How many values must be looked at to know a size for all inputs."""
    repeats = pattern(dim, names)
    return repeats.period * (repeats.degree + 1) if repeats else MAX_VALUES


def _rules(name: str, sizes: list[int], common: Horizon) -> tuple[str, ...]:
    """What the valid sizes, known up to a period after the start, have in common beside a minimum."""
    if not sizes:
        return ()
    residues = {size % common.period for size in sizes if size > common.start}
    if not residues:
        return (f"{name} must be {ranges(sizes)}",)
    rules = []
    if len(residues) < common.period:
        rules.append(residue_requirement(name, common.period, residues).describe())
    valid = set(sizes)
    missing = [n for n in range(sizes[0], common.start + 1) if n % common.period in residues and n not in valid]
    if missing:
        rules.append(f"{name} must not be {ranges(missing)}")
    return tuple(rules)
