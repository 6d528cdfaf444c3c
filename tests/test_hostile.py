"""Specs that mean harm, and slips of the hand: each ends as a network or as a diagnostic, soon and small."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fuzz_mutate import VALUES
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl import Failure, SpecError, library
from archdsl.render import render
from archdsl.syntax.printer import print_text
from archdsl.syntax.read import read_file

NET = "net tiny\n  input 3x32x32\n"
MEGABYTES = 200

# A command of its own measures, for a child inherits the peak of the process that starts it.
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, errors="replace")
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
print(done.stderr)
"""


def _check(path: Path) -> tuple[int, str]:
    """Exit code and diagnostics of `archdsl check`, which must stay small."""
    command = [sys.executable, "-m", "archdsl", "check", "--format", "concise", str(path)]
    done = subprocess.run([sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True)
    numbers, _, told = done.stdout.partition("\n")
    code, peak = map(int, numbers.split())
    assert peak < MEGABYTES
    return code, told


def _doubling(kind: str) -> str:
    """2^49 steps in 150 lines: each block or macro calls the one before it twice."""
    calls = "".join(f"{kind} b{k}\n  b{k - 1}\n  b{k - 1}\n" for k in range(1, 50))
    return f"{kind} b0\n  conv 3x3, 3, pad 1\n{calls}{NET}  b49\n"


def _doubling_lists() -> str:
    lets = "".join(f"let a{k} = [a{k - 1}, a{k - 1}]\n" for k in range(1, 40))
    return f"let a0 = [1, 1]\n{lets}{NET}  conv a39, 8\n"


def _tables() -> str:
    """Tables in tables, all in one column: behind `do` stands the next."""
    return NET + "  " + "".join(f"for a{k}\n    1\n  do " for k in range(60)) + "relu\n"


def _labelled_merges() -> str:
    """A line of text for two bodies: a container, and the merge in it."""
    return f"{NET}  a: add\n" + "".join("    " * k + "- a: add\n" for k in range(1, 40)) + "    " * 40 + "- relu\n"


def _yaml_groups() -> str:
    groups = "".join("  " * k + "- group:\n" for k in range(60))
    return f"network: n\ninput: 3x8x8\nlayers:\n{groups}{'  ' * 60}- relu\n"


BOMB = "a: &a [x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True))

REFUSED = {
    "distinct.arch": (f"{NET}  repeat 1000000000\n    conv 1x1, i + 1\n", "too-many-steps"),
    "loops.arch": (
        NET + "".join("  " * k + f"repeat 1000 as k{k}\n" for k in range(1, 6)) + "  " * 6 + "conv 1x1, k1 + k5 + 1\n",
        "too-many-steps",
    ),
    "range.arch": (f"{NET}  for s in 0..99999999999999999\n    relu\n", "too-many-steps"),
    "dense.arch": (f"{NET}  dense 1000000\n    conv 3x3, 8, pad 1\n", "too-many-steps"),
    "macros.arch": (_doubling("macro"), "too-many-steps"),
    "large.yaml": ("#" + "x" * 50_000_000, "file-too-large"),
    "large.arch": (NET + "  relu\n" * 8_000_000, "file-too-large"),
    "lists.yaml": ("layers: " + "[" * 1_000_000, "file-too-large"),
    "nested.yaml": ("layers: " + "[" * 900_000, "too-deep"),
    "mappings.yaml": ("layers: " + "{a: " * 200_000, "too-deep"),
    "nested.arch": ("net tiny\n" + "".join(" " * k + "group\n" for k in range(1, 1300)), "too-deep"),
    "tables.arch": (_tables(), "too-deep"),
    "merges.arch": (_labelled_merges(), "too-deep"),
    "groups.yaml": (_yaml_groups(), "too-deep"),
    "lines.arch": (NET + "\n" * 50_000 + "  relu\n", "too-long"),
    "brackets.arch": (f"{NET}  conv 3x3, " + "(" * 900_000, "too-long"),
    "nots.arch": (f"{NET}  relu when " + "not " * 1900 + "yes\n", "too-deep"),
    "powers.arch": (f"{NET}  conv 3x3, " + "**".join("2" * 900) + "\n", "too-deep"),
    "terms.arch": (f"{NET}  conv 3x3, " + " + ".join("1" * 10_000) + "\n", "too-long"),
    "tower.arch": (f"{NET}  conv 3x3, 9**9**9\n", "number-too-large"),
    "digits.arch": (f"{NET}  conv 3x3, " + "9" * 10_000 + "\n", "too-long"),
    "aliases.yaml": (BOMB, "yaml-anchor"),
    "list_bomb.arch": (_doubling_lists(), "bad-value"),
    "items.arch": (f"let a = 0..200000\n{NET}  conv 1x1, len(a)\n", "bad-value"),
    "sums.arch": (f"{NET}  repeat 20000\n    conv 1x1, sum(0..99999) // 99999 + i\n", "too-many-steps"),
    "lookups.arch": (f"let a = 0..99999\n{NET}  repeat 20000\n    conv 1x1, a[i] + 1\n", "too-many-steps"),
    "roundings.arch": (
        "net tiny\n  input 3xHxW\n  let x0 = here.height\n"
        + "".join(f"  let x{k} = (x{k - 1} * 2 + 1) // 3\n" for k in range(1, 102))
        + "  conv 1x1, x101\n",
        "bad-value",
    ),
    "calls.arch": (
        "block b0\n  relu\n" + "".join(f"block b{k}\n  b{k - 1}\n" for k in range(1, 200)) + f"{NET}  b199\n",
        "too-deep",
    ),
    "products.arch": (
        "net tiny\n  input 3xHxW\n  let x0 = here.height * here.width\n"
        + "".join(f"  let x{k} = x{k - 1} * x{k - 1} + here.width\n" for k in range(1, 40)),
        "bad-value",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_spec_that_asks_for_too_much_is_refused(name: str, tmp_path: Path) -> None:
    text, code = REFUSED[name]
    path = tmp_path / name
    path.write_text(text)
    exit_code, told = _check(path)
    assert exit_code == 1
    assert f"error[{code}]" in told
    assert len(told) < 10_000


def test_any_number_of_mistakes_is_told_in_part(tmp_path: Path) -> None:
    path = tmp_path / "mistakes.arch"
    path.write_text(NET + "".join(f"  c{k}: cnv 3x3, 8\n" for k in range(5_000)))
    exit_code, told = _check(path)
    assert exit_code == 1
    assert told.count("error[unknown-op]") == 100


@pytest.mark.parametrize("body", ["skip", "1000 x skip", "repeat 5000\n    skip"])
def test_a_network_without_steps_has_a_summary(body: str) -> None:
    network = archdsl.loads(f"{NET}  {body}\n")
    assert network.summary()
    assert network.to_json()["layers"] == []


@pytest.mark.parametrize("body", ["2147483648 x relu", "a: conv 1x1, 3\n  repeat 2147483648\n    relu"])
def test_billions_of_steps_without_weights_are_no_work(body: str) -> None:
    network = archdsl.loads(f"{NET}  {body}\n")
    assert network.cost().params in (0, 12)
    assert len(network.to_json()["state_dict"]) in (0, 2)
    assert network.summary()


@pytest.mark.parametrize("body", ["1000000 x cell", "repeat 1000000\n    cell\n    relu"])
def test_a_million_equal_blocks_are_no_work(body: str, tmp_path: Path) -> None:
    path = tmp_path / "million.arch"
    path.write_text(f"block cell\n  conv 3x3, 3, pad 1\n  batchnorm\n{NET}  {body}\n")
    assert _check(path)[0] == 0


def test_a_million_layers_are_neither_listed_nor_written() -> None:
    network = archdsl.loads(f"{NET}  1000000 x conv 1x1, 3\n")
    assert len(network.summary()) < 2_000
    told: tuple[Callable[[], object], ...] = (
        lambda: network.to_json(full=True),
        lambda: network.summary(full=True, format="csv"),
        lambda: network.source,
    )
    for tell in told:
        with pytest.raises(Failure, match="100,000"):
            tell()


def test_blocks_that_double_are_no_work(tmp_path: Path) -> None:
    path = tmp_path / "doubling.arch"
    path.write_text(_doubling("block"))
    assert _check(path)[0] == 0


def _settings(count: int) -> str:
    return f"{NET}  relu\ntrain\n" + "".join(f"  k{k} 1\n" for k in range(count))


def test_no_text_steers_the_terminal() -> None:
    """Escapes of YAML's could bring in what the bytes of a file may not hold; direction marks are shown as such."""
    spec = 'network: n\nabout: "{}"\ninput: 3x8x8\nlayers: [relu]\n'
    for escape in ("\\x1b[31m", "\\e", "\\0", "\\u2028", "\\a"):
        with pytest.raises(SpecError, match="encoding"):
            archdsl.loads(spec.format(escape), name="n.yaml")
    network = archdsl.loads(spec.format("a\\u202eb\\tc\\nd"), name="n.yaml")
    assert network.summary().startswith("n: 3x8x8 -> 3x8x8   a\ufffdb c d\n")


def test_any_number_of_wrong_settings_is_told_in_part() -> None:
    with pytest.raises(SpecError) as refused:
        archdsl.loads(_settings(300)).check()
    assert len(refused.value.diagnostics) == 100


def test_an_open_input_with_too_many_terms_is_told() -> None:
    """Each line has a size of its own."""
    lines = "".join(f"  conv {k % 5 + 1}, 3, stride {k % 2 + 1}, pad {k % 3}\n" for k in range(2_100))
    network = archdsl.loads(f"net n\n  input 3xL\n{lines}")
    for tell in (network.cost, network.to_json):
        with pytest.raises(Failure, match="give the input a size"):
            tell()


def _lines(line: str) -> Callable[[int], str]:
    """A network of so many lines (or pairs of them); `{k}` is their number."""
    return lambda count: NET + "".join(line.replace("{k}", str(k + 1)) for k in range(count))


def _branches(count: int) -> str:
    return f"{NET}  concat\n" + "    - conv 1x1, 2\n" * count


def _definitions(count: int) -> str:
    return "".join(f"let a{k} = {k}\nblock b{k}\n  relu\n" for k in range(count)) + f"{NET}  relu\n"


def _yaml_lines(count: int) -> str:
    return "network: n\ninput: 3x8x8\nlayers:\n" + "".join(f"  - a{k}: conv 1x1, {k + 1}\n" for k in range(count))


MANY: dict[str, Callable[[int], str]] = {
    "steps": _lines("  relu\n"),
    "labels": _lines("  a{k}: conv 1x1, {k}\n"),
    "loops": _lines("  repeat 9\n    relu\n"),
    "containers": _lines("  a{k}:\n    relu\n"),
    "rows": lambda count: f"{NET}  for a\n" + "".join(f"    {k + 1}\n" for k in range(count)) + "  do conv 1x1, a\n",
    "residuals": _lines("  residual\n    a{k}: conv 1x1, {k}\n  shortcut s{k}:\n    conv 1x1, {k}\n"),
    "reaching back": _lines("  a{k}: relu\n  from a1\n"),
    "side heads": _lines("  output o{k}\n    relu\n"),
    "branches": _branches,
    "dense": lambda count: f"{NET}  dense {count}\n    conv 1x1, 2\n",
    "rates": lambda count: f"{NET}  {count} x stochastic_depth 0.1 * nth / (total - 1)\n",
    "definitions": _definitions,
    "lets": lambda count: _lines("  let a{k} = {k}\n")(count) + "  relu\n",
    "comments": _lines("  relu  # {k}\n\n  # {k}\n"),
    "lines.yaml": _yaml_lines,
}


def _calls(text: str, name: str) -> int:
    """How many functions of Python are called, and generators resumed, while all is told of a spec."""
    called = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal called
        called += event == "call"

    sys.setprofile(count)
    try:
        network = archdsl.loads(text, name=name)
        for told in (network.summary, network.check, network.requirements, network.cost, network.memory):
            told()
        assert network.outputs
        assert network.source
        assert network.diagram()
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.parametrize("kind", MANY)
def test_work_grows_with_the_text_alone(kind: str) -> None:
    """Twice as many lines make no more than twice as many calls: counted, for times differ from run to run."""
    name = kind if "." in kind else "many.arch"
    first, second = (_calls(MANY[kind](count), name) for count in (200, 400))
    assert second < 2.3 * first


def _outcome(text: str, name: str) -> str:
    """`ok`, or the codes of what is wrong; anything but a diagnostic is our bug."""
    try:
        archdsl.loads(text, name=name)
    except SpecError as error:
        if not render(error.diagnostics, width=80):
            raise AssertionError("an error without a text") from error
        return " ".join(diagnostic.code for diagnostic in error.diagnostics)
    return "ok"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for suffix in (".arch", ".yaml"):
        path = tmp_path_factory.mktemp("bytes") / f"spec{suffix}"
        path.write_bytes(data)
        with pytest.raises(SpecError):
            archdsl.load(path)


PLACES = [
    "conv {}, 8",
    "conv 3x3, {}",
    "conv 3x3, 8, stride = {}",
    "conv 3x3, 8, pad = {}",
    "conv 3x3, 8, dilation = {}, groups = {}",
    "conv 3x3, 8, bias = {}",
    "conv 3x3, 8, init_weight = {}",
    "maxpool {}, pad = {}",
    "avgpool to {}",
    "batchnorm eps = {}, momentum = {}",
    "groupnorm {}",
    "dropout {}",
    "flatten -> linear {}",
    "reshape {}",
    "upsample scale = {}",
    "upsample to = {}",
    "pixel_shuffle {}",
    "conv_transpose 3x3, 8, stride = {}, output_pad = {}",
    "pad {}, {}",
    "parameter {}",
    "cell {}",
    "cell 3, act = {}",
    "{} x cell 3",
    "relu when {}",
    "a{{{}}}: relu",
    "repeat {}\n    relu",
    "dense {}\n    relu",
    "for a in {}\n    conv 1x1, a",
    "for a, b in {}\n    conv 1x1, a",
    "let v = {}\n  conv 3x3, v",
    "let v = {}\n  v 3x3, 8",
]


@pytest.mark.parametrize("place", PLACES)
def test_any_value_anywhere_is_taken_or_refused(place: str) -> None:
    block = "block cell (width, act as op = relu)\n  conv 1x1, width\n  act\n"
    for value in VALUES:
        step = place.format(value, value)
        _outcome(f"{block}{NET}  conv1: conv 3x3, 4\n  {step}\n", "specs/value.arch")
        step = place.format("width", "width")
        _outcome(f"{block}net tiny (width = {value})\n  input 3xHxW\n  {step}\n", "specs/value.arch")


TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


def _slip(text: str, draw: random.Random) -> str:
    """The text with one token dropped, doubled, swapped, misspelt or replaced, or one line moved."""
    tokens = TOKEN.findall(text)
    solid = [place for place, token in enumerate(tokens) if not token.isspace()]
    place, other = draw.choice(solid), draw.choice(solid)
    how = draw.randrange(7)
    if how == 0:
        tokens[place] = ""
    elif how == 1:
        tokens[place] += " " + tokens[place]
    elif how == 2:
        tokens[place], tokens[other] = tokens[other], tokens[place]
    elif how == 3:
        at = draw.randrange(len(tokens[place]))
        tokens[place] = tokens[place][:at] + draw.choice("abx0_ ") + tokens[place][at + draw.randrange(2) :]
    elif how == 4:
        numbers = [place for place in solid if tokens[place][0].isdigit()]
        tokens[draw.choice(numbers or solid)] = draw.choice(VALUES)
    elif how == 5:
        tokens[place] = draw.choice(VALUES)
    else:
        lines = text.split("\n")
        lines.insert(draw.randrange(len(lines)), "  " * draw.randrange(4) + draw.choice(lines).strip())
        return "\n".join(lines)
    return "".join(tokens)


@pytest.mark.parametrize("name", library.names())
def test_a_slip_of_the_hand_is_a_network_or_a_diagnostic(name: str) -> None:
    path = library.shipped()[name]
    spellings = {".yaml": path.read_text(), ".arch": print_text(read_file(path))}
    outcomes = set()
    for suffix, text in spellings.items():
        draw = random.Random(f"{name}{suffix}")
        for _ in range(25):
            outcomes.add(_outcome(_slip(text, draw), str(path.with_name(f"slipped{suffix}"))))
    assert len(outcomes) > 5


def test_every_shipped_spec_is_free_of_mistakes() -> None:
    for name in library.names():
        assert not [one for one in archdsl.load(name).check() if one.severity == "error"], name
