"""The value of a parameter that comes nearest to a budget."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from network_facts import weights

import archdsl
from archdsl.analysis.quantities import QUANTITIES, measure
from archdsl.cli import run
from archdsl.diagnostics import SpecError
from archdsl.failure import WrongUsage
from archdsl.solve import Point, Solution, _percent, _Search, report, solve

GROUPED = """\
net grouped (width = 8, scale = 1.0, groups = 4, kernel = 3, drop = 0.1, deep = yes)
  input 8x16x16
  conv1: conv kernel, width, groups, pad same
  conv2: conv 1x1, int(64 * scale)
  dropout drop
  conv3: conv 1x1, width when deep
"""


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    """A network with parameters of which not all values are possible, or to which not all numbers react."""
    path = tmp_path / "grouped.arch"
    path.write_text(GROUPED)
    return path


@pytest.mark.parametrize(
    ("match", "width", "amount", "crossing"),
    [
        ("weights=36.7104M", 3772, 36_712_876, 3771.7),
        ("weights=45.099008M", 4634, 45_102_722, 4633.6),
        ("weights=seide_5x2k", 3772, 36_712_876, 3771.7),
        ("weights=seide_7x2k", 4634, 45_102_722, 4633.6),
        ("seide_5x2k", 3772, 36_725_952, 3772.4),
        ("macs=0.0367104G", 3772, 36_712_876, 3771.7),
        ("weights = 36_710_400", 3772, 36_712_876, 3771.7),
    ],
)
def test_the_widths_of_seide_are_found(match: str, width: int, amount: int, crossing: float) -> None:
    found = solve("seide_1x2k", "width", match)
    assert found.best == Point(width, amount)
    assert found.crossing == pytest.approx(crossing, abs=0.06)
    assert found.below is not None
    assert found.above is not None
    assert found.above.value - found.below.value == 1
    assert found.below.amount < found.target <= found.above.amount


@pytest.mark.parametrize("spec", ["seide_5x2k", "densenet121", "resnet50", "vit_like"])
def test_weights_are_parameters_without_biases(spec: str, tmp_path: Path) -> None:
    if spec == "vit_like":
        spec = str(tmp_path / "vit_like.arch")
        Path(spec).write_text(
            "net vit_like\n  input 3x8x8\n  c: conv 3x3, 8\n  p: add\n    - skip\n    - q: parameter [8, 1, 1]\n"
        )
    net = archdsl.load(spec).net
    biases = [shape for key, shape in weights(net).items() if key.endswith("bias")]
    assert biases
    assert measure(net, "weights") == measure(net, "params") - sum(shape[0] for shape in biases)


def test_memory_is_that_of_weights_and_of_what_training_keeps() -> None:
    network = archdsl.load("lenet")
    needed = network.memory()
    assert measure(network.net, "memory") == needed.weights + needed.activations
    assert needed.weights == 4 * 61_706


@pytest.mark.parametrize(
    ("spec", "param", "match"),
    [("densenet121", "growth", "macs=2.5G"), ("resnet20", "n", "params=1.7M"), ("resnet20", "n", "memory=20MB")],
)
def test_the_neighbours_are_what_the_network_has(spec: str, param: str, match: str) -> None:
    found = solve(spec, param, match)
    for point in (found.below, found.above):
        assert point is not None
        net = archdsl.load(spec, input=None, **{param: str(point.value)}).net
        assert measure(net, found.quantity) == point.amount
    assert found.best == min((found.below, found.above), key=lambda one: abs((one or found.best).amount - found.target))


def test_the_crossing_of_a_quadratic_quantity_is_exact(tmp_path: Path) -> None:
    """w*w + 8*w weights: 20*20 + 8*20 + 0.25 of the next step are met at the root."""
    path = tmp_path / "square.arch"
    path.write_text("net square (w = 4)\n  input 8\n  a: linear w, bias no\n  b: linear w, bias no\n")
    found = solve(path, "w", "weights=572")
    assert (found.below, found.above) == (Point(20, 560), Point(21, 609))
    assert found.crossing is not None
    assert found.crossing**2 + 8 * found.crossing == pytest.approx(572, rel=1e-12)


def test_an_exact_match_is_found() -> None:
    found = solve("resnet20", "n", "params=resnet56")
    assert found.best == found.above == Point(9, 853_018)
    assert "exact  nearest" in report(found)
    assert "would be met" not in report(found)


def test_numbers_with_a_point_are_tried_in_thousandths(grouped: Path) -> None:
    found = solve(grouped, "scale", "weights=1800")
    # 8*2*9 weights of conv1, and 8 of conv2 and of conv3 for each of int(64 * scale)
    assert found.below == Point(1.624, 8 * 2 * 9 + 16 * 103)
    assert found.above == Point(1.625, 8 * 2 * 9 + 16 * 104)
    assert found.best == found.below  # of two equally near ones the smaller
    assert found.crossing == pytest.approx(1.6245, abs=1e-3)


def test_values_that_the_network_refuses_are_left_out(grouped: Path) -> None:
    """The groups must divide the width: of all widths only multiples of 4 are possible."""
    found = solve(grouped, "width", "weights=2000")
    assert found.below == Point(12, 12 * 2 * 9 + 64 * 12 * 2)
    assert found.above == Point(16, 16 * 2 * 9 + 64 * 16 * 2)
    assert found.best == found.below
    assert found.crossing is None


def test_a_quantity_may_fall_with_the_parameter(grouped: Path) -> None:
    """The weights of conv1 are 8 * 8 * 9 / groups, and the others 1024."""
    found = solve(grouped, "groups", "weights=1200")
    assert (found.below, found.above) == (Point(4, 1_168), Point(2, 1_312))
    assert found.best == found.below


def test_there_may_be_no_neighbour_below() -> None:
    found = solve("resnet20", "n", "params=1k")
    assert (found.best, found.below, found.crossing) == (Point(1, 75_290), None, None)


def test_other_parameters_and_the_input_are_as_given() -> None:
    plain = solve("resnet18", "classes", "macs=2G")
    other = solve("resnet18", "classes", "macs=2G", input="3x112x112", params={"layers": [1, 1, 1, 1]})
    assert other.best.value > plain.best.value
    net = archdsl.load("resnet18", input="3x112x112", layers=[1, 1, 1, 1], classes=other.best.value).net
    assert measure(net, "macs") == other.best.amount


@pytest.mark.parametrize(
    ("spec", "param", "match", "told"),
    [
        ("seide_1x2k", "widht", "params=1M", "no parameter `widht`\n  help: did you mean `width`"),
        ("resnet20", "depth", "params=1M", "its numbers are `classes`, `n`"),
        ("resnet18", "layers", "params=1M", "`layers` of resnet18 isn't a number"),
        ("megapixel", "n", "params=1M", "it has no parameter that is a number"),
        ("resnet20", "n", "prams=1M", "did you mean `params`"),
        ("resnet20", "n", "speed=1M", "there are `weights`, `params`, `macs`, `memory`"),
        ("resnet20", "n", "params=1X", "`1X` isn't a number above 0"),
        ("resnet20", "n", "params=0", "`0` isn't a number above 0"),
        ("resnet20", "n", "params=-5", "`-5` isn't a number above 0"),
        ("resnet20", "n", "params=.5", "`.5` isn't a number above 0"),
        ("resnet20", "n", "resnet57", "no network is called `resnet57`"),
        ("resnet20", "n", "params=", "no network is called ``"),
        ("densenet121", "drop", "params=1M", "`drop` doesn't change the params of densenet121"),
    ],
)
def test_what_cannot_be_matched_is_told(spec: str, param: str, match: str, told: str) -> None:
    with pytest.raises(WrongUsage) as wrong:
        solve(spec, param, match)
    assert told in str(wrong.value)


def test_a_flag_is_no_number(grouped: Path) -> None:
    with pytest.raises(WrongUsage, match="isn't a number"):
        solve(grouped, "deep", "params=1M")


def test_what_depends_on_an_open_size_is_told() -> None:
    with pytest.raises(WrongUsage, match="leaves its input's size open"):
        solve("resnet20", "n", "macs=1G", input="3xHxW")
    assert solve("resnet20", "n", "params=resnet56", input="3xHxW").best.value == 9


def test_a_wrong_spec_is_told(grouped: Path) -> None:
    with pytest.raises(SpecError):
        solve(grouped, "width", "params=1M", params={"groups": 3})


def test_the_report_shows_the_neighbours() -> None:
    below, above = Point(3771, 36_703_143), Point(3772, 36_712_876)
    found = Solution("dnn", "width", "weights", Fraction(36_710_400), above, below, above, 3771.74561)
    assert report(found) == (
        "dnn: weights as near as possible to 36,710,400\n\n"
        "width = 3771  36,703,143  -0.02 %\n"
        "width = 3772  36,712,876  +0.0067 %  nearest\n\n"
        "It would be met at width = 3771.746."
    )


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", "seide_1x2k", "--param", "width", "--match", "weights=36.7104M"]) == 0
    told = capsys.readouterr()
    assert "width = 3772  36,712,876  +0.0067 %  nearest" in told.out
    assert told.err == ""
    assert run(["solve", "seide_1x2k", "--param", "width", "--match", "macs=2M", "--set", "senones=100"]) == 0
    assert "width = 3781" in capsys.readouterr().out
    assert run(["solve", "seide_1x2k", "--param", "wide", "--match", "params=1M"]) == 2
    assert run(["solve", "seide_1x2k", "--match", "params=1M"]) == 2


@pytest.mark.parametrize("amount", [lambda n: 7 * n, lambda n: n * n, lambda n: 3 * n * n + 5 * n, lambda n: n // 4])
@pytest.mark.parametrize("target", [1, 8, 49, 1_000, 12_345])
@pytest.mark.parametrize("start", [1, 3, 100_000])
def test_the_search_is_that_of_trying_all(amount: Callable[[int], int], target: int, start: int) -> None:
    search = _Search(amount, Fraction(target), start)
    low, high = search.run()
    tried = range(1, 60_000)
    assert high == next(n for n in tried if amount(n) >= target)
    assert low == (high - 1 if high > 1 else None)


def test_the_documentation_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(archdsl.__file__).parents[1] / "docs" / "solve.md").read_text()
    ((command, shown),) = re.findall(r"^\$ archdsl ([^\n]*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert run(command.split()) == 0
    assert capsys.readouterr().out == shown
    assert all(f"`{quantity}`" in page for quantity in QUANTITIES)


@pytest.mark.parametrize(
    ("off", "told"),
    [
        (Fraction(0), "exact"),
        (Fraction(-2, 10000), "-0.02 %"),
        (Fraction(67, 1000000), "+0.0067 %"),
        (Fraction(1, 10**10), "+0.00000001 %"),
        (Fraction(996, 1000), "+100 %"),
        (Fraction(45, 100), "+45 %"),
        (Fraction(-999, 1000), "-100 %"),
        (Fraction(5), "+500 %"),
        (Fraction(60940), "60,941 times as much"),
    ],
)
def test_how_far_off_is_told_without_exponents(off: Fraction, told: str) -> None:
    assert _percent(off) == told
