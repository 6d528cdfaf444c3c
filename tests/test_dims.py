import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.dims import Dim, DimLimitError, Sym, at, ceil_div, prod, symbolic, variable, variables, window
from archdsl.dims.equality import (
    Always,
    Never,
    Only,
    Requirement,
    Undecided,
    Where,
    equal,
    ranges,
    residue_requirement,
)
from archdsl.dims.periodic import MAX_PERIOD, Pattern, horizon, pattern, tabulate
from archdsl.trace import TracedInt, traced

H, W = variable("H"), variable("W")

# A size and the same size in plain integers.
Twin = tuple[Dim, Callable[[Mapping[str, int]], int]]


def _combine(children: st.SearchStrategy[Twin], products: bool) -> st.SearchStrategy[Twin]:
    divisors, factors = st.integers(1, 8), st.integers(-4, 4)
    ways: list[st.SearchStrategy[Twin]] = [
        st.builds(lambda x, y: (x[0] + y[0], lambda env: x[1](env) + y[1](env)), children, children),
        st.builds(lambda x, y: (x[0] - y[0], lambda env: x[1](env) - y[1](env)), children, children),
        st.builds(lambda x, k: (x[0] * k, lambda env: x[1](env) * k), children, factors),
        st.builds(lambda x, k: (k - x[0], lambda env: k - x[1](env)), children, factors),
        st.builds(lambda x, d: (x[0] // d, lambda env: x[1](env) // d), children, divisors),
        st.builds(lambda x, d: (x[0] % d, lambda env: x[1](env) % d), children, divisors),
        st.builds(lambda x, d: (ceil_div(x[0], d), lambda env: -(-x[1](env) // d)), children, divisors),
    ]
    if products:
        ways.append(st.builds(lambda x, y: (x[0] * y[0], lambda env: x[1](env) * y[1](env)), children, children))
    return st.one_of(ways)


def twins(*names: str, products: bool = False, leaves: int = 8) -> st.SearchStrategy[Twin]:
    def named(name: str) -> Twin:
        return variable(name), lambda env: env[name]

    def constant(value: int) -> Twin:
        return value, lambda env: value

    leaf = st.one_of(st.sampled_from(names).map(named), st.integers(-9, 9).map(constant))
    return st.recursive(leaf, lambda children: _combine(children, products), max_leaves=leaves)


@settings(max_examples=300, deadline=None)
@given(twins("H", "W", products=True, leaves=12), st.integers(1, 70), st.integers(1, 70))
def test_arithmetic_agrees_with_plain_integers(twin: Twin, height: int, width: int) -> None:
    dim, exact = twin
    sizes = {"H": height, "W": width}
    assert at(dim, sizes) == exact(sizes)
    assert tabulate(dim, {"H": [height, 1], "W": [width, 3]}) == [exact(sizes), exact({"H": 1, "W": 3})]
    assert variables(dim) <= {"H", "W"}
    assert not isinstance(dim, Sym) or variables(dim)


@settings(max_examples=200, deadline=None)
@given(twins("H", "W", products=True), twins("H", "W", products=True), st.integers(1, 9), st.integers(-9, 9))
def test_one_size_has_one_form(first: Twin, second: Twin, divisor: int, shift: int) -> None:
    x, y = first[0], second[0]
    assert x + y is y + x or x + y == y + x
    assert x * y is y * x or x * y == y * x
    assert equal((x + y) - y, x) == Always()
    both = [(x + y) * divisor, x * divisor + y * divisor]
    assert both[0] is both[1] or both[0] == both[1]
    shifted = [(x + shift * divisor) // divisor, x // divisor + shift]
    assert shifted[0] is shifted[1] or shifted[0] == shifted[1]


def test_nested_floors_fold_into_one() -> None:
    size: Dim = H
    for _ in range(5):
        size = window(size, 3, 2, 1, 1)
    assert size is (H + 31) // 32
    assert (H + 1) // 2 // 3 is (H + 1) // 6
    assert ((H + 3) // 4 + 5) // 6 is (H + 23) // 24
    assert 2 * (H // 2) // 2 is H // 2
    assert -(-H // 7) is ceil_div(H, 7)
    assert H + -H % 7 is 7 * ceil_div(H, 7)


def test_what_is_constant_is_an_int() -> None:
    assert [H - H, H * 0, 0 * H, (H + 3) - H, (4 * H + 6) % 4, H // 2 - H // 2] == [0, 0, 0, 3, 2, 0]
    assert all(type(size) is int for size in (H - H, 0 * H, (4 * H + 6) % 4))


def test_equal_forms_are_one_object() -> None:
    assert variable("H") is H
    assert 1 + H is H + 1
    assert +H is H
    assert {H * W: 1}[W * H] == 1
    assert H != W
    size = (H + 1) // 2 * W + 3
    assert copy.deepcopy(size) is copy.copy(size) is size
    assert pickle.loads(pickle.dumps(size)) is size


def test_traced_coefficients_become_plain() -> None:
    width = traced(4, "width", ("width",))
    assert isinstance(width, TracedInt)
    for size, plain in ((H + width, H + 4), (width * H, 4 * H), (H // width, H // 4), (width - H, 4 - H)):
        assert size is plain
    scaled = H * width + width
    assert isinstance(scaled, Sym)
    assert type(scaled.constant) is int
    assert {type(factor) for _, factor in scaled.terms} == {int}
    assert type(window(width, width, width, 0, 0)) is int


@pytest.mark.parametrize(
    "decide",
    [
        lambda size: size < 3,
        lambda size: size <= 3,
        lambda size: 3 < size,  # noqa: SIM300 (the reflected comparison is meant)
        lambda size: size >= W,
        lambda size: max(size, 3),
        lambda size: not size,
        lambda size: int(size),
    ],
)
def test_a_guard_is_never_decided_silently(decide: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        decide(H)


def test_the_text_of_a_guard_names_the_size() -> None:
    with pytest.raises(TypeError, match="the size ⌊H/2⌋ is symbolic and can't be compared with 3"):
        assert H // 2 < 3  # type: ignore[operator]
    with pytest.raises(TypeError, match="the size H is symbolic and is neither true nor false"):
        bool(H)


@pytest.mark.parametrize(
    "wrong",
    [lambda size: size + 1.0, lambda size: size * 0.5, lambda size: size // W, lambda size: 3 // size],
)
def test_only_whole_numbers_combine_with_sizes(wrong: Callable[[Any], Any]) -> None:
    assert H + 1 is not None  # a remembered sum doesn't let the float through
    with pytest.raises(TypeError):
        wrong(H)


def test_division_follows_python() -> None:
    for divisor, size in product((-7, -2, -1, 1, 5), range(1, 20)):
        assert at(H // divisor, {"H": size}) == size // divisor
        assert at(H % divisor, {"H": size}) == size % divisor
    with pytest.raises(ZeroDivisionError, match="the size H is divided by zero"):
        H // 0


def test_values() -> None:
    assert at(7, {}) == 7
    assert at((H + 1) // 2 * W, {"H": 224, "W": 3, "unused": 1}) == 336
    assert at(H * W, {"W": 5, "H": 4}) == at(H * W, {"H": 4, "W": 5}) == 20
    with pytest.raises(KeyError, match="W"):
        at(H + W, {"H": 1})
    assert variables(H // 2 + W) == {"H", "W"}
    assert variables(3) == frozenset()


def test_product() -> None:
    assert prod(()) == 1
    assert prod((3, 4, 5)) == 60
    assert prod(size for size in (3, H, 2, W)) is 6 * H * W


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (H, "H"),
        (-H, "-H"),
        (7 - H, "7 - H"),
        (H // 2, "⌊H/2⌋"),
        ((H + 1) // 2, "⌈H/2⌉"),
        ((H + 1) // 3, "⌊(H + 1)/3⌋"),
        ((H + 31) // 32, "⌈H/32⌉"),
        (-(-H // 16), "⌈H/16⌉"),
        (2 * (H // 2) + 1, "2*⌊H/2⌋ + 1"),
        (ceil_div(H, 16) * ceil_div(W, 16), "⌈H/16⌉*⌈W/16⌉"),
        ((H // 16) * (W // 16) + 1, "⌊H/16⌋*⌊W/16⌋ + 1"),
        (3 * H // 2, "H + ⌊H/2⌋"),
        (2 * H // 3, "⌊2*H/3⌋"),
        (ceil_div(H + W, 2), "⌈(H + W)/2⌉"),
        ((H - W) // 2, "⌊(H - W)/2⌋"),
        (H * H * H - 2 * H, "H³ - 2*H"),
        (W * H - 4, "H*W - 4"),
        (H - H // 2, "H - ⌊H/2⌋"),
        ((2 * (H // 3) + 1) // 5, "⌊(2*⌊H/3⌋ + 1)/5⌋"),
        (H % 8, "H - 8*⌊H/8⌋"),
    ],
)
def test_text(size: Dim, text: str) -> None:
    assert str(size) == text
    assert f"{size}" == repr(size) == text


def _torch_size(op: Callable[[], Any]) -> int:
    """The length that PyTorch computes, 0 where it refuses."""
    try:
        return int(op().shape[-1])
    except RuntimeError:
        return 0


def test_windows_are_those_of_pytorch() -> None:
    import torch
    from torch.nn import functional

    checked = 0
    for kernel, stride, dilation in product(range(1, 5), range(1, 5), (1, 2)):
        weight = torch.zeros(1, 1, kernel)
        for pad, size in product(range(kernel // 2 + 1), range(1, 16)):
            image = torch.zeros(1, 1, size)
            for ceil in (False, True):
                fits = _torch_size(lambda: functional.max_pool1d(image, kernel, stride, pad, dilation, ceil))  # noqa: B023
                pooled = window(size, kernel, stride, pad, pad, dilation, ceil)
                assert max(pooled, 0) == fits, (size, kernel, stride, pad, dilation, ceil)  # type: ignore[type-var]
                assert at(window(H, kernel, stride, pad, pad, dilation, ceil), {"H": size}) == pooled
                checked += fits > 0
            fits = _torch_size(lambda: functional.conv1d(image, weight, None, stride, pad, dilation))  # noqa: B023
            assert max(window(size, kernel, stride, pad, pad, dilation), 0) == fits  # type: ignore[type-var]
    assert checked > 1000


def test_a_window_padded_unevenly() -> None:
    import torch
    from torch.nn import functional

    for size, before, after in product(range(3, 12), range(3), range(3)):
        padded = functional.pad(torch.zeros(1, 1, size), (before, after))
        assert window(size, 3, 2, before, after) == functional.conv1d(padded, torch.zeros(1, 1, 3), stride=2).shape[-1]


def repeated(step: Callable[[Dim], Dim], times: int) -> Dim:
    size: Dim = H
    for _ in range(times):
        size = step(size)
    return size


def test_limits() -> None:
    with pytest.raises(DimLimitError):
        prod([H + W + 1] * 100)
    with pytest.raises(DimLimitError):
        prod([1 + variable(f"x{k}") for k in range(20)])
    with pytest.raises(DimLimitError):
        prod([H, *[10**9] * 200])
    with pytest.raises(DimLimitError):
        repeated(lambda size: (3 * size + 1) // 5, 200)
    with pytest.raises(DimLimitError):
        repeated(lambda size: size // 2, 5000)


def test_what_the_limits_let_through_works() -> None:
    nested = repeated(lambda size: (3 * size + 1) // 5, 99)
    assert pickle.loads(pickle.dumps(nested)) is nested
    assert str(nested).startswith("⌊(3*⌊(3*")
    assert at(nested, {"H": 10**60}) == reduce(lambda size, _: (3 * size + 1) // 5, range(99), 10**60)
    assert isinstance(equal(nested, H), Undecided)
    strided = repeated(lambda size: window(size, 3, 2, 1, 1), 1000)
    assert at(strided, {"H": 224}) == 1
    assert str(strided).startswith("⌈H/10715")


def test_memories_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "_MEMORY", 4)
    for memory in ("_SUMS", "_PRODUCTS", "_QUOTIENTS", "_VALUES", "_WINDOWS"):
        monkeypatch.setattr(symbolic, memory, {})
    for k in range(1, 30):
        size = window((H + k) * k // 3, 3, 2, 1, 1)
        assert at(size, {"H": 100}) == ((100 + k) * k // 3 - 1) // 2 + 1
        assert all(len(memory) <= 4 for memory in (symbolic._SUMS, symbolic._PRODUCTS, symbolic._QUOTIENTS))
        assert len(symbolic._VALUES) <= 4
        assert len(symbolic._WINDOWS) <= 4


def test_forgotten_sizes_are_freed() -> None:
    import gc

    size = variable("forgotten")
    symbolic._SUMS.clear()
    symbolic._PRODUCTS.clear()
    count = len(symbolic._SYMS)
    del size
    gc.collect()
    assert len(symbolic._SYMS) < count


def test_sizes_need_no_torch() -> None:
    code = "import sys, archdsl.dims, archdsl.dims.equality; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Equality


def test_unet_asks_for_a_multiple_of_16() -> None:
    size: Dim = H
    skips = []
    for _ in range(4):
        skips.append(size)
        size = window(window(size, 3, 1, 1, 1), 2, 2, 0, 0)
    texts = []
    for skip in reversed(skips):
        size = size * 2
        verdict = equal(size, skip)
        assert isinstance(verdict, Where)
        texts.append(verdict.describe())
    # A skip at a finer level is wider, so that the last one contains what the others ask.
    assert texts == [
        "H must leave a remainder of 0 to 7 when divided by 16",
        "H must leave a remainder of 0 to 3 when divided by 16",
        "H must leave a remainder of 0 or 1 when divided by 16",
        "H must be a multiple of 16",
    ]


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        (3, 3, Always()),
        (3, 4, Never({}, 3, 4)),
        (H, H, Always()),
        (H // 2 + (H + 1) // 2, H, Always()),
        (3 * H // 2 // 2, 3 * H // 4, Always()),
        ((H + W) // 2 + (H + W + 1) // 2, H + W, Always()),
        ((H // 2) * W * 2 + H % 2 * W, H * W, Always()),
        (H, H + 1, Never({"H": 1}, 1, 2)),
        (2 * H, 2 * (H // 3) * 3 + 1, Never({"H": 1}, 2, 1)),
        (H + W, W + H + 2, Never({"H": 1, "W": 1}, 2, 4)),
        (H, H // 16 * 16, Where((Requirement("H", 16, (0,)),), {"H": 1}, 1, 0)),
        (H + W, H // 2 * 2 + W, Where((Requirement("H", 2, (0,)),), {"H": 1, "W": 1}, 2, 1)),
        (H // 4 % 3, 1, Where((Requirement("H", 12, (4, 5, 6, 7)),), {"H": 1}, 0, 1)),
        ((H - 3) * (H % 2), 0, Where((Requirement("H", 2, (0,)),), {"H": 1}, -2, 0, (3,))),
        (H, 2 * H - 4, Only("H", (4,), {"H": 1}, 1, -2)),
        (H * H, 49, Only("H", (7,), {"H": 1}, 1, 49)),
        (
            H * W,
            4 * (H // 2) * (W // 2),
            Where((Requirement("H", 2, (0,)), Requirement("W", 2, (0,))), {"H": 1, "W": 1}, 1, 0),
        ),
        (H, W, Undecided("it depends on how H and W go together", {"H": 1, "W": 2})),
        ((H * W) // 4, H, Undecided("a product of variables is rounded")),
        (H * H // 4, H, Undecided("how the sizes depend on the input repeats too late to be decided")),
        (H // 1_000_003, H // 7, Undecided("how the sizes depend on the input repeats too late to be decided")),
        (
            H // 999 * (W // 998),
            H,
            Undecided("how the sizes depend on the input repeats too late to be decided"),
        ),
    ],
)
def test_verdicts(left: Dim, right: Dim, verdict: object) -> None:
    found = equal(left, right)
    assert type(found) is type(verdict)
    assert found == verdict


def test_what_is_too_large_to_compare_is_undecided() -> None:
    large = prod([H, 2**4095])
    assert isinstance(equal(large, -large), Undecided)


@settings(max_examples=300, deadline=None)
@given(twins("H"), twins("H"))
def test_verdicts_on_one_variable_are_exact(left: Twin, right: Twin) -> None:
    verdict = equal(left[0], right[0])
    same = {size: left[1]({"H": size}) == right[1]({"H": size}) for size in range(1, 500)}
    if isinstance(verdict, Always):
        assert all(same.values())
        return
    if isinstance(verdict, Undecided):
        assert verdict.reason.startswith("how the sizes")
        return
    sizes = {"H": 1} | verdict.counterexample
    assert (verdict.left, verdict.right) == (left[1](sizes), right[1](sizes))
    assert verdict.left != verdict.right
    if variables(left[0] - right[0]):
        assert next(size for size, equal_here in same.items() if not equal_here) == sizes["H"]
    for size, equal_here in same.items():
        if isinstance(verdict, Never):
            assert not equal_here
        elif isinstance(verdict, Only):
            assert equal_here == (size in verdict.values)
        else:
            assert equal_here == (verdict.requirements[0].holds(size) or size in verdict.also)


@settings(max_examples=150, deadline=None)
@given(twins("H", "W", products=True, leaves=6), twins("H", "W", products=True, leaves=4))
def test_verdicts_on_two_variables_are_right(left: Twin, right: Twin) -> None:
    verdict = equal(left[0], right[0])
    grid = [{"H": height, "W": width} for height, width in product(range(1, 26), repeat=2)]
    differing = [sizes for sizes in grid if left[1](sizes) != right[1](sizes)]
    if isinstance(verdict, Always):
        assert not differing
        return
    if isinstance(verdict, Undecided) and verdict.counterexample is None:
        return
    assert verdict.counterexample is not None
    sizes = {"H": 1, "W": 1} | verdict.counterexample
    assert left[1](sizes) != right[1](sizes)
    smallest = min((sum(sizes.values()) for sizes in differing), default=52)
    assert sum(sizes.values()) == smallest or smallest == 52
    if isinstance(verdict, Never):
        assert len(differing) == len(grid)
    if isinstance(verdict, Where):
        for sizes in differing:
            assert not all(found.holds(sizes[found.variable]) for found in verdict.requirements)


@settings(max_examples=200, deadline=None)
@given(twins("H"))
def test_patterns_repeat(twin: Twin) -> None:
    dim, exact = twin
    if not isinstance(dim, Sym):
        return
    found = pattern(dim, frozenset("H"))
    assert found is not None
    assert found.degree == 1
    steps = {exact({"H": size + found.period}) - exact({"H": size}) for size in range(1, 40)}
    assert len(steps) == 1


@pytest.mark.parametrize(
    ("requirement", "text"),
    [
        (Requirement("H", 16, (0,)), "H must be a multiple of 16"),
        (Requirement("H", 2, (1,)), "H must be odd"),
        (Requirement("H", 16, (12,)), "H must be 12 more than a multiple of 16"),
        (Requirement("H", 3, (1, 2)), "H must not be a multiple of 3"),
        (Requirement("H", 4, (0, 1, 3)), "H must not be 2 more than a multiple of 4"),
        (Requirement("H", 12, (4, 5, 6, 7)), "H must leave a remainder of 4 to 7 when divided by 12"),
        (Requirement("W", 9, (0, 1, 3, 5)), "W must leave a remainder of 0, 1, 3 or 5 when divided by 9"),
    ],
)
def test_requirements_in_words(requirement: Requirement, text: str) -> None:
    assert requirement.describe() == text


def test_requirements_of_several_variables_in_words() -> None:
    both = equal(H * W, 4 * (H // 2) * (W // 2))
    assert isinstance(both, Where)
    assert both.describe() == "H must be a multiple of 2 and W must be a multiple of 2"
    also = equal((H - 3) * (H % 2), 0)
    assert isinstance(also, Where)
    assert also.describe() == "H must be a multiple of 2, or be 3"
    only = equal((H // 16) * (H // 16), 196)
    assert isinstance(only, Only)
    assert only.describe() == "H must be 224 to 239"


def test_many_numbers_are_counted() -> None:
    assert ranges([4]) == "4"
    assert ranges([4, 5]) == "4 or 5"
    assert ranges([1, 2, 3, 7]) == "1 to 3 or 7"
    assert ranges(range(0, 40, 2)) == "one of 20 values (0, 2, 4, 6, 8, 10, ...)"


@given(st.integers(1, 60), st.sets(st.integers(0, 59), min_size=1))
def test_the_smallest_modulus_says_the_same(modulus: int, raw: set[int]) -> None:
    residues = {residue % modulus for residue in raw}
    found = residue_requirement("H", modulus, residues)
    agreeing = [m for m in range(1, modulus + 1) if modulus % m == 0 and _periodic(residues, modulus, m)]
    assert found.modulus == min(agreeing)
    assert all(found.holds(size) == (size % modulus in residues) for size in range(2 * modulus))


def _periodic(residues: set[int], modulus: int, period: int) -> bool:
    return {(residue + period) % modulus for residue in residues} == residues


def _differences(values: list[int], times: int) -> list[int]:
    for _ in range(times):
        values = [after - before for before, after in pairwise(values)]
    return values


@pytest.mark.parametrize(
    ("size", "moving", "expected"),
    [
        (H // 6, "H", Pattern(6, 1)),
        ((4 * H + 1) // 6, "H", Pattern(3, 1)),
        ((H + W) // 4, "HW", Pattern(2, 1)),
        ((3 * (H // 2) + 1) // 5, "H", Pattern(10, 1)),
        ((H + H // 2) // 3, "H", Pattern(2, 1)),
        ((H - H // 2) // 3, "H", Pattern(6, 1)),
        (H * (W // 3), "H", Pattern(1, 1)),
        (H * (W // 3), "HW", Pattern(3, 2)),
        ((H // 2) * (H // 3), "H", Pattern(6, 2)),
    ],
)
def test_a_pattern_is_the_shortest_and_of_the_lowest_degree(size: Dim, moving: str, expected: Pattern) -> None:
    """Of all periods and degrees those that the values have, seen on a hundred of them: the least of each."""
    values = [at(size, {"H": 7, "W": 7} | dict.fromkeys(moving, n)) for n in range(1, 101)]

    def follows(period: int, degree: int) -> bool:
        return not any(any(_differences(values[start::period], degree + 1)) for start in range(period))

    assert isinstance(size, Sym)
    assert pattern(size, frozenset(moving)) == expected
    assert min(period for period in range(1, 21) if follows(period, expected.degree)) == expected.period
    assert min(degree for degree in range(4) if follows(expected.period, degree)) == expected.degree


def test_what_repeats_too_late_has_no_horizon() -> None:
    """The degree counts: as many values more must be known."""
    for size in (H // 70_001 * H * H * H, H // 100_001):
        assert isinstance(size, Sym)
        assert horizon(size, frozenset("H")) is None


def test_as_many_residues_as_the_limit_are_looked_at() -> None:
    assert MAX_PERIOD == 2 * 250 * 2 * 100
    found = equal(H + W, 250 * (H // 250) + 100 * (W // 100))
    assert isinstance(found, Where)
    assert found.requirements == (Requirement("H", 250, (0,)), Requirement("W", 100, (0,)))
    assert isinstance(equal(H + W, 251 * (H // 251) + 100 * (W // 100)), Undecided)
