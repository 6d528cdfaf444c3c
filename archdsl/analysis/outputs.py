"""What is known of a network's outputs: what somebody who builds on them asks for."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from archdsl.analysis.receptive import Fields, receptive
from archdsl.dims import Dim, Sym, at
from archdsl.ir import Mode, Net


class OutputFacts(NamedTuple):
    """An output of a network.

    name, field: as it was asked for, and in the tuple that the module returns. channels: features at each position; a
    number but behind a `flatten` of an open input.
    stride: input positions from one of its positions to the next, one number a spatial axis; None where an output sees
    the whole input, or it can't be told. shape: without the batch; sizes are symbolic where the input's are.
    mode: when the module returns it.
    """

    name: str
    field: str
    channels: Dim
    stride: tuple[int | Fraction, ...] | None
    shape: tuple[Dim, ...]
    mode: Mode


def facts_of_outputs(net: Net) -> tuple[OutputFacts, ...]:
    """The outputs in the order in which the network returns them."""
    fields = Fields(net)
    seen = fields.inside(net.scope, (fields.input,))
    found = []
    for output in net.outputs:
        value = net.scope.results[output.result]
        shape = net.scope.shapes[value]
        told = receptive(seen[value])
        stride = None if isinstance(told, str) else tuple(map(_whole, told.stride))
        sizes = tuple(_known(size, net) for size in shape.sizes)
        found.append(OutputFacts(output.name, output.field, _known(shape.channels, net), stride, sizes, output.mode))
    return tuple(found)


def _whole(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number


def _known(size: Dim, net: Net) -> Dim:
    """A size as a number where the input has those that it depends on."""
    if not isinstance(size, Sym):
        return int(size)
    return at(size, net.sizes) if size.names <= net.sizes.keys() else size
