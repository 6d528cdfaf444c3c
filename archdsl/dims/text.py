"""How people write a symbolic size: `⌈H/32⌉`, `2*⌊H/2⌋ + 1`, `⌈H/16⌉*⌈W/16⌉`."""

from __future__ import annotations

from itertools import groupby

from archdsl.dims.symbolic import Atom, Monomial, Sym, Terms

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def text(sym: Sym) -> str:
    """The size as a sum, highest degree first and the constant last, but a positive summand in front."""
    return _sum(sym.constant, sym.terms)


def _sum(constant: int, terms: Terms) -> str:
    summands = [(factor > 0, _scaled(monomial, abs(factor))) for monomial, factor in terms]
    if constant:
        summands.append((constant > 0, str(abs(constant))))
    # Bring the first positive summand to the front: `7 - H`.
    front = next((k for k, (positive, _) in enumerate(summands) if positive), 0)
    summands.insert(0, summands.pop(front))
    (positive, written), *more = summands
    start = written if positive else f"-{written}"
    return start + "".join(f" {'+' if positive else '-'} {written}" for positive, written in more)


def _scaled(monomial: Monomial, factor: int) -> str:
    powers = ((atom, len(list(group))) for atom, group in groupby(monomial))
    factors = [_atom(atom) + (str(power).translate(_SUPERSCRIPTS) if power > 1 else "") for atom, power in powers]
    return "*".join([str(factor), *factors] if factor > 1 else factors)


def _atom(atom: Atom) -> str:
    try:
        return atom.text
    except AttributeError:
        atom.text = _written(atom)
        return atom.text


def _written(atom: Atom) -> str:
    if atom.inner is None:
        return atom.name
    constant, terms = atom.inner.constant, atom.inner.terms
    ceiling = constant == atom.divisor - 1
    inner = _sum(0 if ceiling else constant, terms)
    if " " in inner:
        inner = f"({inner})"
    return f"⌈{inner}/{atom.divisor}⌉" if ceiling else f"⌊{inner}/{atom.divisor}⌋"
