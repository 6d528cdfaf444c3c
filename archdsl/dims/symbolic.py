"""Sizes that may hold variables: `c + sum of k_i * monomial_i`, exact integer arithmetic kept in one normal form.

A monomial is a product of atoms, an atom a variable or `floor(size / d)`. Nested floors fold by
`floor((floor((n + a)/b) + c)/d) = floor((n + a + b*c)/(b*d))` for integers with b, d > 0, so the height of a plain
CNN stays a single floor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

# What a size may grow to before it is refused: bits of a coefficient, atoms in all, and floors inside floors.
MAX_BITS = 4_096
MAX_ATOMS = 2_000
MAX_DEPTH = 100
# Results remembered per operation; a full memory is emptied, which only costs time.
_MEMORY = 1 << 16


class DimLimitError(ValueError):
    """A symbolic size grew beyond the limits; the same network at a given size has no such limit."""


class Atom:
    """A variable (`name`), or `floor(inner / divisor)`; interned, so equal atoms are the same object.

    `key` orders atoms the same way in every process: by variables first, variables before floors.
    """

    __slots__ = ("__weakref__", "atoms", "depth", "divisor", "inner", "key", "name", "names", "text")

    name: str
    inner: Sym | None
    divisor: int
    names: frozenset[str]
    atoms: int
    depth: int
    key: tuple[Any, ...]
    text: str  # how it prints, once it has been printed

    def __reduce__(self) -> tuple[Any, ...]:
        return (_variable, (self.name,)) if self.inner is None else (_floor_atom, (self.inner, self.divisor))


Monomial = tuple[Atom, ...]
Terms = tuple[tuple[Monomial, int], ...]


class Sym:
    """A size with at least one variable in it: immutable, and interned, so equal normal forms are the same object.

    Sums, differences and products with sizes, `//` and `%` by an int; what comes out constant is an int. Raises
    DimLimitError where the result would be too large to work with, TypeError when compared or used as a condition.
    """

    __slots__ = ("__weakref__", "atoms", "constant", "depth", "key", "names", "terms")

    constant: int
    terms: Terms
    names: frozenset[str]
    atoms: int
    depth: int
    key: tuple[Any, ...]

    def __add__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Sym)):
            return NotImplemented
        known = _SUMS.get((self, other))
        return _sum(self, other) if known is None else known

    def __mul__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Sym)):
            return NotImplemented
        known = _PRODUCTS.get((self, other))
        return _product(self, other) if known is None else known

    def __floordiv__(self, other: int) -> Dim:
        if not isinstance(other, int):
            return NotImplemented
        known = _QUOTIENTS.get((self, other))
        return _quotient(self, other) if known is None else known

    def __mod__(self, other: int) -> Dim:
        if not isinstance(other, int):
            return NotImplemented
        return self - self // other * other

    def __neg__(self) -> Dim:
        return self * -1

    def __pos__(self) -> Dim:
        return self

    def __sub__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Sym)):
            return NotImplemented
        return self + (other * -1 if isinstance(other, Sym) else -int(other))

    def __rsub__(self, other: int) -> Dim:
        return self * -1 + other

    __radd__ = __add__
    __rmul__ = __mul__

    # A type checker is not told of the comparisons, so that it finds them in the code.
    if not TYPE_CHECKING:

        def __lt__(self, other: Dim) -> NoReturn:
            raise TypeError(f"the size {self} is symbolic and can't be compared with {other}")

        __le__ = __gt__ = __ge__ = __lt__

    def __bool__(self) -> NoReturn:
        raise TypeError(f"the size {self} is symbolic and is neither true nor false")

    def __str__(self) -> str:
        from archdsl.dims.text import text  # printing a symbolic size is rare

        return text(self)

    __repr__ = __str__

    def __deepcopy__(self, memo: object) -> Sym:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (self.constant, dict(self.terms))


Dim = int | Sym

_ATOMS: WeakValueDictionary[Any, Atom] = WeakValueDictionary()
_SYMS: WeakValueDictionary[tuple[int, Terms], Sym] = WeakValueDictionary()
_SUMS: dict[tuple[Sym, Dim], Dim] = {}
_PRODUCTS: dict[tuple[Sym, Dim], Dim] = {}
_QUOTIENTS: dict[tuple[Sym, int], Dim] = {}
_VALUES: dict[tuple[Sym, tuple[tuple[str, int], ...]], int] = {}
_WINDOWS: dict[tuple[Dim, int, int, int, int, int, bool], Dim] = {}


def variable(name: str) -> Sym:
    """The size that a variable stands for."""
    made = _make(0, {(_variable(name),): 1})
    assert isinstance(made, Sym)
    return made


def variables(dim: Dim) -> frozenset[str]:
    """The names of the variables in a size."""
    return dim.names if isinstance(dim, Sym) else frozenset()


def at(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The size at these values of its variables; raises KeyError where one has no value."""
    if not isinstance(dim, Sym):
        return dim
    key = (dim, tuple(sizes.items()))
    known = _VALUES.get(key)
    if known is not None:
        return known
    value = dim.constant
    for monomial, factor in dim.terms:
        for atom in monomial:
            factor *= int(sizes[atom.name]) if atom.inner is None else at(atom.inner, sizes) // atom.divisor
        value += factor
    _remember(_VALUES, key, value)
    return value


# The product of sizes; int, traced int and Sym each multiply in their own way.
prod: Callable[[Iterable[Dim]], Dim] = math.prod


def ceil_div(dim: Dim, divisor: int) -> Dim:
    """`ceil(dim / divisor)` for a positive divisor."""
    return (dim + (divisor - 1)) // divisor


def window(
    size: Dim, kernel: int, stride: int, pad_before: int, pad_after: int, dilation: int = 1, ceil: bool = False
) -> Dim:
    """How many windows fit along an axis: the output size of a convolution or pool as PyTorch computes it.

    With `ceil`, one more window counts if it starts inside the input or the padding before it:
    `ceil((n + min(2p - k_eff + s, p))/s)` (ATen, `pooling_output_shape`). The result may be below 1.
    """
    key = (size, kernel, stride, pad_before, pad_after, dilation, ceil)
    known = _WINDOWS.get(key)
    if known is not None:
        return known
    # Traced numbers would spell out sizes that nobody prints.
    size = size if isinstance(size, Sym) else int(size)
    step, before = int(stride), int(pad_before)
    slack = before + int(pad_after) - int(dilation) * (int(kernel) - 1) - 1 + step
    result = ceil_div(size + min(slack, before), step) if ceil else (size + slack) // step
    _remember(_WINDOWS, key, result)
    return result


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= _MEMORY:
        memory.clear()
    memory[key] = value


def _variable(name: str) -> Atom:
    atom = Atom()
    atom.name, atom.inner, atom.divisor = name, None, 1
    atom.names, atom.atoms, atom.depth, atom.key = frozenset((name,)), 1, 0, ((name,), 0)
    return _ATOMS.setdefault(name, atom)


def _floor_atom(inner: Sym, divisor: int) -> Atom:
    known = _ATOMS.get((inner, divisor))
    if known is not None:
        return known
    atom = Atom()
    atom.name, atom.inner, atom.divisor = "", inner, divisor
    atom.names, atom.atoms, atom.depth = inner.names, inner.atoms + 1, inner.depth + 1
    if atom.depth > MAX_DEPTH or divisor.bit_length() > MAX_BITS:
        raise DimLimitError("a symbolic size has too many roundings inside each other")
    atom.key = (tuple(sorted(inner.names)), 1, divisor, inner.key)
    return _ATOMS.setdefault((inner, divisor), atom)


def _order(term: tuple[Monomial, int]) -> tuple[int, list[tuple[Any, ...]]]:
    """Terms of a higher degree first, then by their atoms."""
    return -len(term[0]), [atom.key for atom in term[0]]


def _make(constant: int, terms: Mapping[Monomial, int]) -> Dim:
    """The one size with these terms; each monomial's atoms are in order."""
    kept = tuple(sorted(((monomial, factor) for monomial, factor in terms.items() if factor), key=_order))
    if not kept:
        return constant
    known = _SYMS.get((constant, kept))
    if known is not None:
        return known
    atoms = [atom for monomial, _ in kept for atom in monomial]
    sym = Sym()
    sym.constant, sym.terms = constant, kept
    sym.names = frozenset().union(*(atom.names for atom in atoms))
    sym.atoms = sum(atom.atoms for atom in atoms)
    sym.depth = max(atom.depth for atom in atoms)
    largest = max(abs(constant), *(abs(factor) for _, factor in kept))
    if sym.atoms > MAX_ATOMS or largest.bit_length() > MAX_BITS:
        raise DimLimitError("a symbolic size has too many terms, or numbers too large")
    sym.key = (constant, tuple((factor, tuple(atom.key for atom in monomial)) for monomial, factor in kept))
    return _SYMS.setdefault((constant, kept), sym)


def _sum(left: Sym, right: Dim) -> Dim:
    terms = dict(left.terms)
    if isinstance(right, Sym):
        for monomial, factor in right.terms:
            terms[monomial] = terms.get(monomial, 0) + factor
        result = _make(left.constant + right.constant, terms)
    else:
        right = int(right)
        result = _make(left.constant + right, terms)
    _remember(_SUMS, (left, right), result)
    return result


def _product(left: Sym, right: Dim) -> Dim:
    if isinstance(right, Sym):
        if len(left.terms) * len(right.terms) > MAX_ATOMS:
            raise DimLimitError("a symbolic size has too many terms")
        terms: dict[Monomial, int] = {}
        for one, first in ((), left.constant), *left.terms:
            for two, second in ((), right.constant), *right.terms:
                monomial = tuple(sorted(one + two, key=lambda atom: atom.key))
                terms[monomial] = terms.get(monomial, 0) + first * second
        result = _make(terms.pop((), 0), terms)
    else:
        right = int(right)
        result = _make(left.constant * right, {monomial: factor * right for monomial, factor in left.terms})
    _remember(_PRODUCTS, (left, right), result)
    return result


def _quotient(left: Sym, right: int) -> Dim:
    divisor = int(right)
    if divisor == 0:
        raise ZeroDivisionError(f"the size {left} is divided by zero")
    result = _floor(left, divisor) if divisor > 0 else _floor(left * -1, -divisor)  # type: ignore[arg-type]
    _remember(_QUOTIENTS, (left, divisor), result)
    return result


def _floor(dim: Sym, divisor: int) -> Dim:
    """`floor(dim / divisor)` for a positive divisor: its multiples come out, the rest folds into one atom."""
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, factor in dim.terms:
        times, left = divmod(abs(factor), divisor)
        sign = 1 if factor > 0 else -1
        whole[monomial] = sign * times
        if left:
            rest[monomial] = sign * left
    times, constant = divmod(dim.constant, divisor)
    if not rest:
        return _make(times, whole)
    # floor((c - x)/d) = -floor((x + d - 1 - c)/d), so that what is rounded starts with a positive term.
    sign = 1
    if next(iter(rest.values())) < 0:
        sign, constant = -1, divisor - 1 - constant
        rest = {monomial: -factor for monomial, factor in rest.items()}
    common = math.gcd(divisor, *rest.values())
    rest = {monomial: factor // common for monomial, factor in rest.items()}
    constant, divisor = constant // common, divisor // common
    ((first, *others), factor), *more = rest.items()
    if not more and not others and factor == 1 and first.inner is not None:
        folded = (first.inner + first.divisor * constant) // (first.divisor * divisor)
        return _make(times, whole) + folded * sign
    inner = _make(constant, rest)
    assert isinstance(inner, Sym)
    atom = (_floor_atom(inner, divisor),)
    whole[atom] = whole.get(atom, 0) + sign
    return _make(times, whole)
