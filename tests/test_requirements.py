from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.analysis import requirements as module
from archdsl.analysis.requirements import Requirements, requirements
from archdsl.dims import Dim, at, prod, variable, window
from archdsl.dims.periodic import gather_atoms
from archdsl.dims.symbolic import Atom
from archdsl.ops.base import AtLeast, Check, Divides, Same

H, W = variable("H"), variable("W")


def unet(size: Dim, levels: int, kernel_pad: int) -> list[Check]:
    """The checks of a U-Net of 3x3 convolutions with this padding, whose skips are cropped when nothing is padded."""
    checks: list[Check] = []
    skips = []
    for _ in range(levels):
        for _ in range(2):
            size = window(size, 3, 1, kernel_pad, kernel_pad)
            checks.append(AtLeast(size, 1, "height"))
        skips.append(size)
        if not kernel_pad:
            checks.append(Divides(2, size, "height"))
        size = window(size, 2, 2, 0, 0)
        checks.append(AtLeast(size, 1, "height"))
    for skip in reversed(skips if kernel_pad else []):
        size = size * 2
        checks.append(Same(size, skip, "height"))
    return checks


def test_without_checks_everything_is_valid() -> None:
    assert requirements([], ["W", "H"]) == Requirements({"H": 1, "W": 1}, True, (), ())
    assert requirements([], []) == Requirements({}, True, (), ())


def test_unet_asks_for_a_multiple_of_16() -> None:
    found = requirements(unet(H, 4, 1) + unet(W, 4, 1), ["H", "W"])
    rules = ("H must be a multiple of 16", "W must be a multiple of 16")
    assert found == Requirements({"H": 16, "W": 16}, False, rules, ())


def test_unet_without_padding_takes_what_the_paper_says() -> None:
    found = requirements(unet(H, 4, 0), ["H"])
    # Ronneberger et al. 2015, section 2: 2x2 pooling applies to even sizes only; its input of 572 is one of these.
    assert found.rules == ("H must be 12 more than a multiple of 16",)
    assert found.smallest == {"H": 76}
    assert 572 % 16 == 12


def test_windows_leave_a_minimum() -> None:
    alexnet: list[Check] = []
    size: Dim = H
    for kernel, stride, pad in (
        (11, 4, 2),
        (3, 2, 0),
        (5, 1, 2),
        (3, 2, 0),
        (3, 1, 1),
        (3, 1, 1),
        (3, 1, 1),
        (3, 2, 0),
    ):
        size = window(size, kernel, stride, pad, pad)
        alexnet.append(AtLeast(size, 1, "height"))
    # torchvision's alexnet takes 63 x 63 and nothing smaller.
    assert requirements(alexnet, ["H"]) == Requirements({"H": 63}, True, (), ())


def test_variables_are_told_apart() -> None:
    found = requirements([Same(H, 224, "height"), Divides(32, W, "width")], ["H", "W"])
    assert found == Requirements({"H": 224, "W": 32}, False, ("H must be 224", "W must be a multiple of 32"), ())


def test_several_divisors_make_one_rule() -> None:
    found = requirements([Divides(6, H, ""), Divides(4, H, ""), AtLeast(H // 2, 7, "")], ["H"])
    assert found == Requirements({"H": 24}, False, ("H must be a multiple of 12",), ())


def test_a_rule_leaves_gaps_above_however_large_the_minimum() -> None:
    found = requirements([AtLeast(2 * H, 11, ""), Divides(2, H + 1, "")], ["H"])
    assert found == Requirements({"H": 7}, False, ("H must be odd",), ())


def test_checks_that_come_apart_are_decided() -> None:
    found = requirements([Same(H * W, 4 * (H // 2) * (W // 2), "tokens")], ["H", "W"])
    rules = ("H must be a multiple of 2", "W must be a multiple of 2")
    assert found == Requirements({"H": 2, "W": 2}, False, rules, ())
    always = Same((H + W) // 2 + (H + W + 1) // 2, H + W, "")
    assert requirements([always], ["H", "W"]) == Requirements({"H": 1, "W": 1}, True, (), ())


def test_checks_that_tie_variables_are_tried_on_the_diagonal() -> None:
    tokens = Same((H // 16) * (W // 16), 196, "tokens")
    assert requirements([tokens], ["H", "W"]) == Requirements(
        {"H": 224, "W": 224}, False, ("H = W must be 224 to 239",), (tokens,)
    )
    square = Same(H, W, "")
    assert requirements([square], ["H", "W"]) == Requirements({"H": 1, "W": 1}, None, (), (square,))
    found = requirements(
        [square, Divides(8, H, ""), Divides(12, W, ""), Divides(5, variable("D"), "")], ["D", "H", "W"]
    )
    assert found.smallest == {"D": 5, "H": 24, "W": 24}
    assert found.rules == ("D must be a multiple of 5", "H = W must be a multiple of 24")
    assert found.all_above is False


def test_what_no_input_satisfies() -> None:
    assert requirements([Same(H, H + 1, "")], ["H"]) == Requirements(None, False, (), ())
    assert requirements([Divides(2, H, ""), Divides(2, H + 1, "")], ["H"]).smallest is None
    assert requirements([AtLeast(-H, 0, "")], ["H"]).smallest is None
    assert requirements([Same(3, 4, "")], ["H"]) == Requirements(None, False, (), ())
    assert requirements([Divides(3, 4, "")], ["H"]) == Requirements(None, False, (), ())
    assert requirements([AtLeast(0, 1, ""), AtLeast(H, 1, "")], ["H"]) == Requirements(None, False, (), ())
    assert requirements([Same(4, 4, ""), Divides(2, 4, ""), AtLeast(2, 1, "")], ["H"]).smallest == {"H": 1}


def test_finitely_many_exceptions_are_named() -> None:
    assert requirements([AtLeast((H - 5) * (H - 5), 1, "")], ["H"]).rules == ("H must not be 5",)
    assert requirements([AtLeast((H - 5) * (H - 9), 0, ""), Divides(2, H, "")], ["H"]).rules == (
        "H must be a multiple of 2",
        "H must not be 6 or 8",
    )
    assert requirements([AtLeast(100 - H, 1, "")], ["H"]).rules == ("H must be 1 to 99",)


def test_what_is_not_understood_is_tried_and_said() -> None:
    odd = AtLeast(H * H // 7, 3, "")
    found = requirements([odd, Divides(3, H, "")], ["H"])
    assert found == Requirements({"H": 6}, None, ("H must be a multiple of 3",), (odd,))
    late = AtLeast(H * H // 7, 7_000_000, "")
    assert requirements([late], ["H"]) == Requirements(None, None, (), (late,))
    large = Same(prod([H, 2**4095]), prod([H, -(2**4095)]), "")
    assert requirements([large, Divides(5, H, "")], ["H"]) == Requirements(
        {"H": 5}, False, ("H must be a multiple of 5",), (large,)
    )


def test_late_repetition_takes_no_other_check_with_it() -> None:
    late = Same(H // 90_001 % 2, 0, "")
    found = requirements([late, Divides(32, H, ""), Same(H // 99_991 % 2, 0, "")], ["H"])
    assert found.smallest == {"H": 32}
    assert found.rules == ("H must be a multiple of 32",)
    assert late in found.undecided


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUES", 50)
    checks: list[Check] = [Divides(divisor, H, "") for divisor in (2, 3, 4, 30)]
    found = requirements(checks, ["H"])
    assert found.smallest == {"H": 60}
    assert found.rules == ("H must be a multiple of 12",)
    assert found.undecided == (checks[3],)


def _holds(check: Check, sizes: dict[str, int]) -> bool:
    if isinstance(check, AtLeast):
        return at(check.size - check.minimum, sizes) >= 0
    if isinstance(check, Divides):
        return at(check.size, sizes) % check.divisor == 0
    return at(check.left, sizes) == at(check.right, sizes)


def _sizes(name: str) -> st.SearchStrategy[Dim]:
    """What layers make of a size: windows, upsampling, cropping and joining."""

    def layers(children: st.SearchStrategy[Dim]) -> st.SearchStrategy[Dim]:
        slide = st.builds(window, children, st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))
        grow = st.builds(lambda size, factor: size * factor, children, st.integers(2, 3))
        join = st.builds(lambda one, other: one + other, children, children)
        return st.one_of(slide, slide, grow, join)

    return st.recursive(st.just(variable(name)), layers, max_leaves=4)


def _checks(name: str) -> st.SearchStrategy[Check]:
    size = _sizes(name)
    at_least = st.builds(lambda dim, minimum: AtLeast(dim, minimum, ""), size, st.integers(-3, 20))
    divides = st.builds(lambda divisor, dim: Divides(divisor, dim, ""), st.integers(1, 6), size)
    same = st.builds(lambda left, right: Same(left, right, ""), size, st.one_of(size, st.integers(1, 20)))
    return st.one_of(at_least, divides, same)


@settings(max_examples=200, deadline=None)
@given(st.lists(_checks("H"), max_size=4))
def test_one_variable_agrees_with_trying(checks: list[Check]) -> None:
    found = requirements(checks, ["H"])
    valid = [size for size in range(1, 700) if all(_holds(check, {"H": size}) for check in checks)]
    assert not found.undecided
    if not valid:
        assert found.smallest is None or found.smallest["H"] >= 700
        assert found.all_above is not True or found.smallest is not None
        return
    assert found.smallest == {"H": valid[0]}
    gapless = valid == list(range(valid[0], 700))
    # A gap may lie beyond what is tried here, as for `100 - H`.
    assert found.all_above is gapless or (gapless and found.all_above is False)
    if found.all_above:
        assert found.rules == ()
    else:
        assert found.rules


@settings(max_examples=60, deadline=None)
@given(_checks("H"), _checks("W"))
def test_two_variables_agree_with_trying(first: Check, second: Check) -> None:
    found = requirements([first, second], ["H", "W"])
    valid = [
        (height, width)
        for height, width in product(range(1, 60), repeat=2)
        if _holds(first, {"H": height}) and _holds(second, {"W": width})
    ]
    if valid:
        assert found.smallest == dict(zip("HW", valid[0], strict=True))


def test_what_deep_sizes_share_is_found_once() -> None:
    """A chain of strides and enlargements asks a size at each step, each made of the one before."""
    size: Dim = H
    checks: list[Check] = []
    for _ in range(12):
        size = 3 * ((size + 6) // 7)
        checks.append(AtLeast(size, 1, "height"))
    found: set[Atom] = set()
    for check in checks:
        assert isinstance(check, AtLeast)
        gather_atoms(check.size, found)
    assert len(found) == len(checks) + 1
    assert requirements(checks, ["H"]).smallest == {"H": 1}
