"""The value of a network's parameter that comes nearest to a budget, by search over the static analysis."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import floor, log10, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import archdsl
from archdsl import library
from archdsl.analysis.quantities import QUANTITIES, measure
from archdsl.compiler import compile_spec
from archdsl.diagnostics import SpecError
from archdsl.failure import WrongUsage
from archdsl.ir import Net
from archdsl.suggest import did_you_mean
from archdsl.syntax.read import load as load_source
from archdsl.syntax.read import read

# Parameters that are numbers with a point are tried in steps of a thousandth.
STEPS = 1000
# Whole values tried one by one where a quantity doesn't grow with the parameter, or not all values are possible.
SCANNED = 1000
LARGEST = 2**40
# Values tried over the whole range of the search, to see that the quantity grows.
SAMPLES = 16

_BUDGET = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?(?:e[0-9]+)?)([KMGBT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


class Point(NamedTuple):
    """A value of the parameter and the quantity that it gives."""

    value: int | float
    amount: int


class Solution(NamedTuple):
    """What was found for a parameter of a network.

    best: the nearest; of two equally near ones, the smaller. below, above: the neighbours between whose amounts the
    target lies; None where there is none, equal where the target is met. crossing: where between the two a smooth
    curve through them and the next value meets the target (exact for quantities that are linear or quadratic).
    """

    network: str
    param: str
    quantity: str
    target: Fraction
    best: Point
    below: Point | None
    above: Point | None
    crossing: float | None


def solve(
    spec: str | Path, param: str, match: str, *, input: str | None = None, params: Mapping[str, Any] | None = None
) -> Solution:
    """The value of a parameter with which a network comes nearest to a budget.

    match: `weights=36.7104M` (parameters without biases), `params=`, `macs=` or `memory=` (bytes that training keeps of
    an image, with the weights, in float32), with a number or the name of another spec; a name alone means its params.
    Raises SpecError if the spec is wrong, WrongUsage for what isn't there and for what the parameter doesn't change.
    """
    quantity, target = _budget(match)
    tree = read(load_source(library.find(spec)))
    others = dict(params or {})
    first = compile_spec(tree, input=input, **others).net
    now = _number(first, param)
    scale = 1 if isinstance(now, int) else STEPS

    def amount(step: int) -> int | None:
        value = step if scale == 1 else step / scale
        try:
            net = compile_spec(tree, input=input, **{**others, param: value}).net
        except SpecError:
            return None
        return measure(net, quantity)

    measure(first, quantity)  # what is wrong with every value is told here
    search = _Search(amount, target, max(1, round(now * scale)))
    low, high = search.run()
    near = [step for step in (low, high) if step is not None]
    if not near:
        raise WrongUsage(f"`{param}` doesn't change the {quantity} of {first.name}")
    best = min(near, key=lambda step: (search.apart(step), step))
    crossing = search.crossing(low, high)

    def point(step: int | None) -> Point | None:
        found = None if step is None else search.known[step]
        return None if step is None or found is None else Point(step if scale == 1 else step / scale, found)

    nearest = point(best)
    assert nearest is not None
    at = None if crossing is None else crossing / scale
    return Solution(first.name, param, quantity, target, nearest, point(low), point(high), at)


def report(found: Solution) -> str:
    """The neighbours with their amounts and how far off they are, the nearest marked, and where the target lies."""
    rows = []
    for point in dict.fromkeys(one for one in (found.below, found.above) if one is not None):
        off = (point.amount - found.target) / found.target
        nearest = "  nearest" if point == found.best else ""
        rows.append((f"{found.param} = {point.value}", f"{point.amount:,}", f"{_percent(off)}{nearest}"))
    left, right = (max(len(row[k]) for row in rows) for k in (0, 1))
    lines = [f"{found.network}: {found.quantity} as near as possible to {_plain(found.target)}", ""]
    lines += [f"{name:{left}}  {amount:>{right}}  {told}" for name, amount, told in rows]
    if found.crossing is not None and found.best.amount != found.target:
        lines += ["", f"It would be met at {found.param} = {found.crossing:.7g}."]
    return "\n".join(lines)


def _percent(off: Fraction) -> str:
    """Signed, with two digits that tell and never an exponent; `exact` for none."""
    if not off:
        return "exact"
    if off >= 10:
        return f"{float(off + 1):,.0f} times as much"
    percent = float(100 * off)
    digits = max(0, 1 - floor(log10(abs(percent))))
    told = f"{percent:+,.{digits}f}"
    return f"{told.rstrip('0').rstrip('.') if '.' in told else told} %"


def _plain(target: Fraction) -> str:
    return f"{target.numerator:,}" if target.denominator == 1 else f"{float(target):,}"


def _budget(match: str) -> tuple[str, Fraction]:
    """The quantity and the target of `weights=36.7M`; another network's name is what that has of it."""
    name, equals, told = match.partition("=")
    if not equals:
        name, told = "params", match
    name, told = name.strip(), told.strip()
    if name not in QUANTITIES:
        near = did_you_mean(name, QUANTITIES)
        known = ", ".join(f"`{quantity}`" for quantity in QUANTITIES)
        raise WrongUsage(f"can't match `{name}`", help=f"did you mean `{near}`?" if near else f"there are {known}")
    number = _BUDGET.fullmatch(told)
    target = Fraction(number[1].replace(",", "").replace("_", "")) * _UNITS[number[2].upper()] if number else None
    if target:
        return name, target
    if target == 0 or told[:1].isdigit() or told[:1] in ("-", "+", "."):
        raise WrongUsage(f"`{told}` isn't a number above 0", help="such as `36.7M`, `2.5G` or `1000000`")
    return name, Fraction(measure(archdsl.load(told).net, name))


def _number(net: Net, param: str) -> int | float:
    """What the network has for a parameter; raises WrongUsage where that is no number."""
    known = dict(net.params)
    if param not in known:
        near = did_you_mean(param, known)
        numbers = ", ".join(f"`{name}`" for name, value in known.items() if _is_number(value))
        told = f"its numbers are {numbers}" if numbers else "it has no parameter that is a number"
        raise WrongUsage(f"{net.name} has no parameter `{param}`", help=f"did you mean `{near}`?" if near else told)
    value = known[param]
    if not _is_number(value):
        raise WrongUsage(f"the parameter `{param}` of {net.name} isn't a number", help="it can only be set")
    return value  # type: ignore[no-any-return]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class _Search:
    """The search for the whole number whose amount is nearest to a target.

    amount: None for a number that the network refuses. start: a number that is possible, as far as known.
    """

    def __init__(self, amount: Callable[[int], int | None], target: Fraction, start: int) -> None:
        self._amount = amount
        self._target = target
        self._start = start
        self.known: dict[int, int | None] = {}

    def at(self, step: int) -> int | None:
        """The amount at a number, each asked for once."""
        if step not in self.known:
            self.known[step] = self._amount(step)
        return self.known[step]

    def run(self) -> tuple[int | None, int | None]:
        """The nearest number below the target and the nearest that reaches it; neither where all amounts are equal."""
        found = self._bisect()
        return self._scan() if found is None else found

    def apart(self, step: int) -> Fraction:
        amount = self.known[step]
        assert amount is not None
        return abs(amount - self._target)

    def _bisect(self) -> tuple[int | None, int | None] | None:
        """The last number below the target and the first one that reaches it; None where amounts don't just grow.

        What the network refuses counts as too small: half a channel, say.
        """
        low, high = 0, self._start
        while (reached := self.at(high)) is not None and reached < self._target and high < LARGEST:
            high *= 2
        if reached is None or reached < self._target:
            return None
        end = high
        while high - low > 1:
            middle = (low + high) // 2
            reached = self.at(middle)
            low, high = (middle, high) if reached is None or reached < self._target else (low, middle)
        if not self._grows(end):
            return None
        return low if self.known.get(low) is not None else None, high

    def _grows(self, end: int) -> bool:
        """Whether, from the first possible number on, all are possible and amounts never get less, but do get more."""
        for k in range(1, SAMPLES):
            self.at(max(end * k // SAMPLES, 1))
        amounts = [self.known[step] for step in sorted(self.known)]
        told = [amount for amount in amounts if amount is not None]
        return amounts[-len(told) :] == told == sorted(told) and told[0] < told[-1]

    def _scan(self) -> tuple[int | None, int | None]:
        """The nearest amount below the target and the nearest that reaches it, of all numbers tried."""
        for some in (range(1, SAMPLES), range(1, SCANNED, SCANNED // SAMPLES), range(1, SCANNED + 1)):
            for step in some:
                self.at(step)
            possible = {step: amount for step, amount in sorted(self.known.items()) if amount is not None}
            if len(possible) > SAMPLES and len(set(possible.values())) == 1:
                return None, None
        below = [step for step, amount in possible.items() if amount < self._target]
        above = [step for step, amount in possible.items() if amount >= self._target]
        return min(below, key=self.apart, default=None), min(above, key=self.apart, default=None)

    def crossing(self, low: int | None, high: int | None) -> float | None:
        """Where the parabola through two neighbours and the next number meets the target."""
        if low is None or high is None or high - low != 1:
            return None
        start, end, after = self.known[low], self.known[high], self.at(high + 1)
        assert start is not None
        assert end is not None
        slope = end - start
        curve = 0 if after is None else after - 2 * end + start
        missing = float(self._target - start)
        if not curve:
            return low + missing / slope
        # start + slope*x + curve*x*(x - 1)/2 = target, in the form that doesn't cancel
        linear = slope - curve / 2
        root = linear * linear + 2 * curve * missing
        return low + 2 * missing / (linear + sqrt(root)) if root >= 0 else low + missing / slope
