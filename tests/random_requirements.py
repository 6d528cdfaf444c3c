"""What a random spec is said to ask of its input, read as a user reads it, and tried: nothing more, nothing less."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from archdsl.analysis.requirements import Requirements

# How many sizes below the smallest are tried; how many at random that are said to be valid, and how many that aren't.
BELOW, EACH = 8, 4

Holds = Callable[[int], bool]


class Rule(NamedTuple):
    """A rule's variable, the period of what it says, and whether a size satisfies it."""

    variable: str
    period: int
    holds: Holds


def read_rule(text: str) -> Rule | None:
    """A rule of `Requirements.rules`; None for one that only counts its values."""
    found = re.fullmatch(r"(\w+) must (not )?(.*)", text)
    assert found, text
    variable, negated, said = found.groups()
    told = _said(said)
    if told is None:
        return None
    period, holds = told
    return Rule(variable, period, (lambda size: not holds(size)) if negated else holds)


def _said(text: str) -> tuple[int, Holds] | None:
    if text == "be odd":
        return 2, lambda size: size % 2 == 1
    if found := re.fullmatch(r"be (?:(\d+) more than )?a multiple of (\d+)", text):
        more, period = int(found[1] or 0), int(found[2])
        return period, lambda size: size % period == more
    if found := re.fullmatch(r"leave a remainder of (.*) when divided by (\d+)", text):
        left, period = _numbers(found[1]), int(found[2])
        return None if left is None else (period, lambda size: size % period in left)
    found = re.fullmatch(r"be (.*)", text)
    assert found, text
    values = _numbers(found[1])
    return None if values is None else (1, lambda size: size in values)


def _numbers(text: str) -> frozenset[int] | None:
    """`1, 3 or 5 to 9`; None for `one of 40 values (1, 3, ...)`."""
    if text.startswith("one of"):
        return None
    parts = [re.fullmatch(r"(\d+)(?: to (\d+))?", part) for part in re.split(r", | or ", text)]
    assert all(parts), text
    return frozenset(size for part in parts if part for size in range(int(part[1]), int(part[2] or part[1]) + 1))


def samples(asked: Requirements, rng: random.Random) -> list[tuple[dict[str, int], bool]] | None:
    """Sizes up to two periods above the smallest, and which are said to be valid; None where rules only count."""
    assert asked.smallest
    rules = list(map(read_rule, asked.rules))
    if None in rules:
        return None
    assert asked.all_above == (not rules), asked
    sides = {
        name: _Side(least, [one for one in rules if one and one.variable == name])
        for name, least in asked.smallest.items()
    }
    assert all(side.valid and side.valid[0] == side.least for side in sides.values()), asked
    tried = [({name: rng.choice(side.valid) for name, side in sides.items()}, True) for _ in range(EACH)]
    wrong = [name for name, side in sides.items() if side.invalid]
    for _ in range(EACH if wrong else 0):
        chosen = rng.choice(wrong)
        tried.append(
            ({name: rng.choice(side.invalid if name == chosen else side.all) for name, side in sides.items()}, False)
        )
    return tried


class _Side:
    """The sizes of one variable from 1 to two periods above the smallest."""

    def __init__(self, least: int, rules: list[Rule]) -> None:
        period = math.lcm(*(rule.period for rule in rules))
        self.least = least
        self.all = range(1, least + 2 * period + 9)
        self.valid = [size for size in self.all if size >= least and all(rule.holds(size) for rule in rules)]
        self.invalid = [size for size in self.all if size not in self.valid]


def too_small(smallest: Mapping[str, int], rng: random.Random) -> list[tuple[dict[str, int], bool]]:
    """Sizes of which one is below its smallest."""
    below = [{**smallest, name: less} for name, size in smallest.items() for less in range(1, size)]
    return [(sizes, False) for sizes in rng.sample(below, min(len(below), BELOW))]
