"""Receptive fields: which input positions an output position sees, through branches, loops and upsampling.

Along an axis, output position `o` sees the input positions from lo(o) to hi(o). Both are quasi-affine,
lo(o + period) = lo(o) + slope, with a period of 1 until something upsamples. (Araujo, Norris and Sim 2019, "Computing
Receptive Fields of Convolutional Neural Networks", give the affine case.)
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from typing import NamedTuple

from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep
from archdsl.ops.base import GLOBAL, POINTWISE, UNKNOWN, Tiles, Window

# An upsampling beyond this is not followed.
MAX_PERIOD = 256


class Axis(NamedTuple):
    """What is seen along one axis: for `o < period` the inputs lows[o] to highs[o], and so on every `slope` inputs."""

    period: int
    slope: int
    lows: tuple[int, ...]
    highs: tuple[int, ...]


# The whole input, or none that can be told.
Field = tuple[Axis, ...] | str
_SAME = Axis(1, 1, (0,), (0,))


class Receptive(NamedTuple):
    """The receptive field of a layer for one spatial axis each.

    size: how many input positions an output position sees at most, borders left out. stride: how far the field moves
    from an output position to the next. pad: how far the field of the first one reaches beyond the input.
    """

    size: tuple[int, ...]
    stride: tuple[Fraction, ...]
    pad: tuple[int, ...]


def receptive(field: Field) -> Receptive | str:
    """The numbers of a field; GLOBAL where it is the whole input, UNKNOWN where it can't be told."""
    if isinstance(field, str):
        return field
    return Receptive(
        tuple(max(0, *(high - low + 1 for low, high in zip(axis.lows, axis.highs, strict=True))) for axis in field),
        tuple(Fraction(axis.slope, axis.period) for axis in field),
        tuple(-axis.lows[0] for axis in field),
    )


class Fields:
    """The receptive fields in a network: relative to each distinct scope's inputs, and composed on the way down."""

    def __init__(self, net: Net) -> None:
        self.input: Field = (_SAME,) * len(net.input.spatial)
        self._known: dict[Scope, list[dict[int, Field]]] = {}

    def inside(self, scope: Scope, entering: tuple[Field, ...]) -> list[Field]:
        """The field of each value of a scope, given those of its inputs."""
        return [_composed(seen, entering) for seen in self._relative(scope)]

    def entering_last(self, loop: LoopStep, entering: tuple[Field, ...], times: int) -> tuple[Field, ...]:
        """The fields of a loop's inputs after `times` iterations."""
        if times == 0:
            return entering
        return (_composed(self._power(loop.scope, times), entering), *entering[1:])

    def _relative(self, scope: Scope) -> list[dict[int, Field]]:
        """For each value of the scope: position among the scope's inputs -> what of that input it sees."""
        known = self._known.get(scope)
        if known is not None:
            return known
        values: list[dict[int, Field]] = [{} for _ in scope.shapes]
        for position, value in enumerate(scope.inputs):
            values[value] = {position: (_SAME,) * len(scope.shapes[value].spatial)}
        for step in scope.steps:
            if isinstance(step, OpStep):
                values[step.outputs[0]] = self._behind_op(step, values)
                continue
            for value, seen in zip(step.outputs, self._behind(step, values), strict=True):
                values[value] = seen
        self._known[scope] = values
        return values

    def _behind_op(self, step: OpStep, values: list[dict[int, Field]]) -> dict[int, Field]:
        """What the output of an op sees of the scope's inputs."""
        seen = values[step.inputs[0]] if len(step.inputs) == 1 else _hull([values[value] for value in step.inputs])
        window = step.facts.window
        if window is POINTWISE:
            return seen
        through = window if isinstance(window, str) else _through(window)
        return {position: _compose(through, field) for position, field in seen.items()}

    def _behind(self, step: CallStep | LoopStep | SideStep, values: list[dict[int, Field]]) -> list[dict[int, Field]]:
        """What the results of an inner scope see of this scope's inputs."""
        if isinstance(step, LoopStep):
            results = [self._power(step.scope, step.times)]
        else:
            inner = self._relative(step.scope)
            results = [inner[value] for value in step.scope.results]
        return [
            _hull(
                [
                    {position: _compose(field, outer) for position, outer in values[step.inputs[entry]].items()}
                    for entry, field in result.items()
                ]
            )
            for result in results
        ]

    def _power(self, scope: Scope, times: int) -> dict[int, Field]:
        """What a loop's result sees of the loop's inputs."""
        once = self._relative(scope)[scope.results[0]]
        main = once.get(0)
        if times == 1:
            return once
        if main is None:
            return once
        result = {0: _repeated(main, times)}
        # The last iteration reaches the others as `once` does, the first through all iterations after it.
        for position, field in once.items():
            if position:
                result[position] = _union(field, _compose(_repeated(main, times - 1), field))
        return result


def _composed(seen: dict[int, Field], entering: tuple[Field, ...]) -> Field:
    fields = [_compose(field, entering[position]) for position, field in seen.items()]
    if not fields:
        return UNKNOWN
    result = fields[0]
    for field in fields[1:]:
        result = _union(result, field)
    return result


def _hull(parts: list[dict[int, Field]]) -> dict[int, Field]:
    """What several values see together."""
    result = parts[0] if parts else {}
    for part in parts[1:]:
        if part == result:
            continue
        result = dict(result)
        for position, field in part.items():
            result[position] = _union(result[position], field) if position in result else field
    return result


@lru_cache(maxsize=4096)
def _through(window: Window | Tiles) -> Field:
    """What an output position of an op sees of the op's input."""
    if isinstance(window, Tiles):
        return tuple(map(_tile, window.size, window.shift)) if max(window.size) <= MAX_PERIOD else UNKNOWN
    ups = window.up or (1,) * len(window.kernel)
    if max(ups, default=1) > MAX_PERIOD:
        return UNKNOWN
    sides = zip(window.kernel, window.stride, window.pad, window.dilation, ups, strict=True)
    return tuple(_axis(*side) for side in sides)


def _tile(size: int, shift: int) -> Axis:
    size, shift = int(size), int(shift)
    lows = tuple((o - shift) // size * size + shift for o in range(size))
    return _reduced(Axis(size, size, lows, tuple(low + size - 1 for low in lows)))


def _axis(kernel: int, stride: int, pad: int, dilation: int, up: int) -> Axis:
    kernel, stride, pad, dilation, up = int(kernel), int(stride), int(pad), int(dilation), int(up)
    if up == 1:
        return Axis(1, stride, (-pad,), (dilation * (kernel - 1) - pad,))
    period = up // gcd(up, stride)
    ends = [_ends(o * stride - pad, kernel, dilation, up) for o in range(period)]
    # A position that sees nothing is given bounds between those of its neighbours.
    step = stride * period // up
    around = [
        (o, None if found is None else (found[0] + step * times, found[1] + step * times))
        for times in (-1, 0, 1)
        for o, found in enumerate(ends, times * period)
    ]
    lows = [next((found[0] for o, found in around if o >= at and found), 0) for at in range(period)]
    highs = [next((found[1] for o, found in reversed(around) if o <= at and found), -1) for at in range(period)]
    return Axis(period, step, tuple(lows), tuple(highs))


def _ends(first: int, kernel: int, dilation: int, up: int) -> tuple[int, int] | None:
    """The outermost inputs under a kernel on an input spread out by `up`, of which only every up-th place is one."""
    last = first + dilation * (kernel - 1)
    offsets = range(0, dilation * min(kernel, up), dilation)
    low = next((first + offset for offset in offsets if (first + offset) % up == 0), None)
    high = next((last - offset for offset in offsets if (last - offset) % up == 0), None)
    return None if low is None or high is None else (low // up, high // up)


def _compose(outer: Field, inner: Field) -> Field:
    """What is seen through `outer` of what `inner` sees."""
    if isinstance(outer, str):
        return GLOBAL if outer == GLOBAL else UNKNOWN
    if isinstance(inner, str):
        return inner
    if len(outer) != len(inner):
        return outer if not inner else inner if not outer else UNKNOWN
    same = (_SAME,) * len(outer)
    if same in (inner, outer):
        return outer if inner == same else inner
    if len(outer) == 2 and outer[0] == outer[1] and inner[0] == inner[1]:  # nearly always
        axis = _compose_axis(outer[0], inner[0])
        return UNKNOWN if axis is None else (axis, axis)
    axes = tuple(map(_compose_axis, outer, inner))
    return UNKNOWN if None in axes else axes  # type: ignore[return-value]


def _compose_axis(one: Axis, two: Axis) -> Axis | None:
    """The same along one axis; None where it isn't followed."""
    slope = two.slope
    if one.period == 1 == two.period:
        lows, highs = one.lows[0] * slope + two.lows[0], one.highs[0] * slope + two.highs[0]
        return Axis(1, one.slope * slope, (lows,), (highs,))
    period = one.period * (two.period // gcd(one.slope, two.period))
    if period > MAX_PERIOD:
        return None
    below = tuple(_at(two, two.lows, _at(one, one.lows, o)) for o in range(period))
    above = tuple(_at(two, two.highs, _at(one, one.highs, o)) for o in range(period))
    return _reduced(Axis(period, slope * (one.slope * (period // one.period)) // two.period, below, above))


def _at(axis: Axis, bounds: tuple[int, ...], o: int) -> int:
    times, rest = divmod(o, axis.period)
    return bounds[rest] + times * axis.slope


def _reduced(axis: Axis) -> Axis:
    """With period 1 where every position moves on alike."""
    if axis.period == 1 or axis.slope % axis.period:
        return axis
    step = axis.slope // axis.period
    for bounds in (axis.lows, axis.highs):
        if any(bound != bounds[0] + k * step for k, bound in enumerate(bounds)):
            return axis
    return Axis(1, step, axis.lows[:1], axis.highs[:1])


@lru_cache(maxsize=4096)
def _union(left: Field, right: Field) -> Field:
    """The smallest field that covers both."""
    if left == right:
        return left
    if isinstance(left, str) or isinstance(right, str):
        return UNKNOWN if UNKNOWN in (left, right) else GLOBAL
    if len(left) != len(right):
        return UNKNOWN
    axes = []
    for one, two in zip(left, right, strict=True):
        period = lcm(one.period, two.period)
        slope = one.slope * (period // one.period)
        if slope != two.slope * (period // two.period) or period > MAX_PERIOD:
            return UNKNOWN
        lows = tuple(min(_at(one, one.lows, o), _at(two, two.lows, o)) for o in range(period))
        highs = tuple(max(_at(one, one.highs, o), _at(two, two.highs, o)) for o in range(period))
        axes.append(_reduced(Axis(period, slope, lows, highs)))
    return tuple(axes)


def _repeated(field: Field, times: int) -> Field:
    """A field seen through itself, `times` times in all."""
    if isinstance(field, str) or times == 1:
        return field
    if times == 0:
        return (_SAME,) * len(field)
    if all(axis.period == 1 == axis.slope for axis in field):
        return tuple(Axis(1, 1, (axis.lows[0] * times,), (axis.highs[0] * times,)) for axis in field)
    if any(axis.period != axis.slope for axis in field):
        return UNKNOWN
    half = _repeated(field, times // 2)
    twice = _compose(half, half)
    return _compose(field, twice) if times % 2 else twice
