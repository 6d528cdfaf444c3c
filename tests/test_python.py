"""The emitted source: what a reviewer would see, and what nobody can smuggle into it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import emitted_cases
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl import library
from archdsl.emit.python.values import class_name, docstring, identifier, literal
from archdsl.failure import Failure, WrongUsage
from archdsl.trace import Sides, traced, variable

GOLDEN = Path(__file__).parent / "golden" / "python"
RULES = "E,F,I,UP,B,SIM,RUF"


def sources() -> dict[str, str]:
    """Every shipped network and every case, by the name of a file."""
    shipped = {name: archdsl.load(name).source for name in library.names()}
    cases = {f"case_{k}": archdsl.loads(emitted_cases.spec(name)).source for k, name in enumerate(emitted_cases.CASES)}
    return shipped | cases


def test_ruff_finds_nothing_and_would_lay_nothing_out_anew(tmp_path: Path) -> None:
    for name, source in sources().items():
        (tmp_path / f"{name}.py").write_text(source)
    common = ["--isolated", "--line-length", "120", "--target-version", "py311", str(tmp_path)]
    ruff = [sys.executable, "-m", "ruff"]
    checked = subprocess.run([*ruff, "check", "--select", RULES, *common], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    formatted = subprocess.run([*ruff, "format", "--diff", *common], capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.parametrize(("name", "limit"), [("resnet50", 150), ("googlenet", 180)])
def test_the_source_is_as_short_as_one_would_write_it(name: str, limit: int) -> None:
    assert len(archdsl.load(name).source.splitlines()) <= limit


def test_a_stream_that_begins_with_from_takes_that_tensor_only() -> None:
    spec = "net streams\n  input 3x16x16\n  stem: conv 1x1, 8\n  high:\n    conv 1x1, 8\n    relu\n"
    spec += "  low:\n    from stem\n    conv 1x1, 8\n    relu\n  add\n    - from high\n    - skip\n"
    source = archdsl.loads(spec).source
    assert "self.low = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True))" in source
    assert source.count("def forward(self, x: torch.Tensor) -> torch.Tensor:") == source.count("def forward") == 1


def test_the_sizes_that_enter_a_block_are_no_names_of_its_caller() -> None:
    """Both blocks have `in_channels`; the inner one's is 4 here, and the length that it hands on is the outer one's."""
    spec = "block inner (n)\n  linear n\nblock outer\n  reshape [4, input.channels]\n  layout NLC\n  inner 5\n"
    network = archdsl.loads(f"{spec}  reshape [5, input.channels]\nnet outermost\n  input 8x2x2\n  outer\n")
    assert network.to_json()["outputs"]["out"] == [5, 8]
    assert network.build()(torch.zeros(2, 8, 2, 2)).shape == (2, 5, 8)


@pytest.mark.parametrize(
    ("streams", "last"), [(2, "self, x: torch.Tensor, skip: torch.Tensor"), (5, "skip4: torch.Tensor")]
)
def test_a_long_head_of_a_forward_is_laid_out_as_ruff_does_it(streams: int, last: str, tmp_path: Path) -> None:
    steps = "".join(f"  begin{k}: conv 1x1, 8\n" for k in range(streams))
    inner = "".join(f"    s{k}:\n      from begin{k}\n      conv 1x1, 8\n      relu\n" for k in range(streams))
    read = "".join(f"    - from stage.s{k}\n" for k in range(streams))
    source = archdsl.loads(f"net streams\n  input 3x16x16\n{steps}  stage:\n{inner}  add\n{read}").source
    assert last in source
    file = tmp_path / "streams.py"
    file.write_text(source)
    ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--isolated", "--line-length", "120", str(file)]
    assert subprocess.run(ruff, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "unet"])
def test_the_source_reads_as_agreed(name: str, overwrite_golden: bool) -> None:
    file = GOLDEN / f"{name}.txt"
    if overwrite_golden:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(archdsl.load(name).source)
    assert archdsl.load(name).source == file.read_text()


def test_the_same_network_has_the_same_source_in_every_process() -> None:
    code = "import archdsl; print(archdsl.load('googlenet').source, end='')"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] == archdsl.load("googlenet").source.encode()


def test_the_source_needs_nothing_but_torch(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(archdsl.load("resnet18", classes=7).source)
    code = (
        "import runpy, sys, torch\n"
        f"model = runpy.run_path({str(file)!r})['ResNet18']().eval()\n"
        "print(tuple(model(torch.zeros(1, 3, 64, 64)).shape), any(n.startswith('archdsl') for n in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[0] == "(1, 7) False"


def test_equal_blocks_are_one_class_and_guards_make_variants() -> None:
    tree = ast.parse(archdsl.load("resnet50").source)
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == [
        "BottleneckDownsample",
        "Bottleneck",
        "ResNet50",
    ]
    tree = ast.parse(archdsl.load("googlenet").source)
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert names == ["ConvBn", "Inception", "SideHead", "GoogLeNetOutput", "GoogLeNet"]


def test_equal_neighbours_are_one_comprehension() -> None:
    source = archdsl.loads(emitted_cases.spec("loops")).source
    assert "nn.Sequential(*[B(8, 8) for _ in range(5)])" in source


def test_channels_are_told_in_the_words_of_the_spec() -> None:
    source = archdsl.load("densenet121").source
    assert "self.denselayer3 = DenseLayer(in_channels + 2 * growth, growth)" in source
    assert "self.classifier = nn.Linear(32 * growth, classes)" in source


def test_what_decides_the_structure_is_no_argument() -> None:
    text = "net tiny (n = 2, out = 4)\n  input 3x8x8\n  repeat n\n    conv 3x3, out, pad 1\n"
    assert "def __init__(self, out: int = 4) -> None:" in archdsl.loads(text).source


INSIDE = """block {inner} (n)
  conv 1x1, n
  relu when {guard}
block outer (m)
  {inner} m
net tiny (w = 8, out = 4)
  input 3x8x8
  a: outer w
  b: outer w
  c: conv 3x3, out
"""


@pytest.mark.parametrize("guard", ["n > 4", "here.channels > 4"])
def test_what_decides_the_structure_of_a_block_inside_is_no_argument_either(guard: str) -> None:
    """Else the class for another `w` would be another network than the spec for it."""
    source = archdsl.loads(INSIDE.format(inner="inner", guard=guard)).source
    assert "def __init__(self, out: int = 4) -> None:" in source


def test_what_decides_on_the_input_of_a_block_is_no_argument() -> None:
    text = """block twice
  residual when input.channels > 4
    conv 1x1, input.channels
net tiny (w = 8, out = 4)
  input 3x8x8
  a: conv 1x1, w
  b: twice
  c: conv 3x3, out
"""
    assert "def __init__(self, out: int = 4) -> None:" in archdsl.loads(text).source


def test_in_place_only_where_nobody_needs_the_value() -> None:
    text = """net tiny
  input 3x8x8
  a: conv 3x3, 4, pad 1
  relu
  sigmoid
  relu
  residual
    relu
  b: conv 3x3, 4, pad 1
  hardswish
"""
    lines = [line.strip() for line in archdsl.loads(text).source.splitlines() if "= nn." in line]
    assert "self.relu = nn.ReLU(inplace=True)" in lines  # a convolution keeps its input only
    assert "self.relu2 = nn.ReLU()" in lines  # a sigmoid keeps its output
    assert "self.relu3 = nn.ReLU()" in lines  # the shortcut reads the value too
    assert "self.hardswish = nn.Hardswish(inplace=True)" in lines


def test_a_million_modules_are_refused_at_once() -> None:
    text = "net deep\n  input 3x8x8\n  repeat 1000000\n    conv 3x3, 3, pad 1\n    relu\n"
    with pytest.raises(Failure, match="2,000,000 modules") as failure:
        _ = archdsl.loads(text).source
    assert "--summary" in failure.value.help


def test_an_open_size_that_the_source_needs_is_asked_for() -> None:
    text = "net tiny\n  input 3xHxW\n  tokens\n  pos: parameter [here.tokens, 3]\n"
    with pytest.raises((WrongUsage, archdsl.SpecError)):
        _ = archdsl.loads(text).source


def test_free_text_stays_text() -> None:
    about = 'x\\"\\"\\" + __import__(\\"os\\").system(\\"id\\") #'
    text = f'about "{about}"\nnet tiny\n  input 3x8x8\n  conv 3x3, 4\n'
    source = archdsl.loads(text).source
    tree = ast.parse(source)
    assert isinstance(tree.body[0], ast.Expr)
    assert not any(isinstance(node, ast.Name) and node.id == "__import__" for node in ast.walk(tree))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(plain)
def test_literals_mean_what_they_were(value: Any) -> None:
    read = ast.literal_eval(literal(value))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        float("inf"),
        float("nan"),
        object(),
        [1],
        {"a": 1},
        b"x",
        lambda: 1,
        traced(1, "__import__('os')", ("x",)),
        traced(1, "open(x)", ("x",)),
        traced(1, "x.__class__", ("x",)),
        traced(1, "x; y", ("x", "y")),
        traced(1, "lambda", ("lambda",)),
    ],
)
def test_nothing_else_gets_into_the_source(value: Any) -> None:
    with pytest.raises(AssertionError):
        literal(value)


def test_a_size_and_arithmetic_get_into_it() -> None:
    width = variable(64, "width")
    assert literal(4 * width) == "4 * width"
    assert literal(Sides((1, 7))) == "(1, 7)"
    assert literal(variable(Sides((1, 7)), "kernel")) == "kernel"


@pytest.mark.parametrize("name", ["class", "a b", "", "é", "1a", "a.b", "x\n"])
def test_names_are_identifiers(name: str) -> None:
    with pytest.raises(AssertionError):
        identifier(name)


def test_class_names_follow_the_paper_where_it_tells() -> None:
    assert class_name("resnet50", "ResNet-50, He et al. 2016") == "ResNet50"
    assert class_name("conv_bn") == "ConvBn"
    assert class_name("1x1") == "Group1x1"
    assert docstring('a "b"\n\\c') == "a 'b' /c"


def test_a_long_line_with_a_name_that_is_no_attribute_breaks_as_ruff_breaks_it() -> None:
    norm = "batchnorm eps 1e-06, momentum 0.01, affine no, track no"
    source = archdsl.loads(f"net n\n input 3x8x8\n conv: conv 1, 3\n norm-of-a-map: {norm}\n").source
    settings = "3, eps=1e-06, momentum=0.01, affine=False, track_running_stats=False"
    assert (
        f"""
        self.add_module(
            "norm-of-a-map", nn.BatchNorm2d({settings})
        )
"""
        in source
    )
