"""How a symbolic number grows: its leading term, for where the exact one is too long to read."""

from __future__ import annotations

from fractions import Fraction

from archdsl.dims import Dim, Sym
from archdsl.dims.symbolic import Atom

# Variable names -> factor; roundings left out, which matter less and less.
_Polynomial = dict[tuple[str, ...], Fraction]


def leading(number: Dim) -> str:
    """`≈2,352*H*W`: the terms of the highest degree."""
    if not isinstance(number, Sym):
        return f"{number:,}"
    terms = _leading(number)
    return "≈" + " + ".join("*".join([_factor(factor), *names]) for names, factor in sorted(terms.items()))


def _factor(factor: Fraction) -> str:
    return f"{factor.numerator:,}" if factor.denominator == 1 else f"{float(factor):,.{0 if factor >= 100 else 2}f}"


def _leading(number: Sym) -> _Polynomial:
    sums: _Polynomial = {}
    for monomial, factor in number.terms:
        product: _Polynomial = {(): Fraction(factor)}
        for atom in monomial:
            product = _times(product, _of_atom(atom))
        for names, value in product.items():
            sums[names] = sums.get(names, Fraction(0)) + value
    degree = max((len(names) for names, value in sums.items() if value), default=0)
    return {names: value for names, value in sums.items() if len(names) == degree and value}


def _of_atom(atom: Atom) -> _Polynomial:
    if atom.inner is None:
        return {(atom.name,): Fraction(1)}
    return {names: value / atom.divisor for names, value in _leading(atom.inner).items()}


def _times(left: _Polynomial, right: _Polynomial) -> _Polynomial:
    product: _Polynomial = {}
    for one, first in left.items():
        for two, second in right.items():
            names = tuple(sorted(one + two))
            product[names] = product.get(names, Fraction(0)) + first * second
    return product
