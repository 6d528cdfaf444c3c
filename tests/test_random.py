"""Random specs over all constructs and ops: the compiler against a slow reading of the language in PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from bare import bare
from interpreter import Files, Interpreter
from random_checks import agrees, memory_agrees, outputs_agree, the_built_module_agrees
from random_requirements import read_rule
from random_run import command, grown, run, told
from torch import nn

import archdsl
from archdsl.diagnostics import SpecError
from archdsl.dims import at
from archdsl.source import Source
from archdsl.syntax.read import read

# More of them by `scripts/random_specs N`.
SPECS = int(os.environ.get("ARCHDSL_RANDOM_SPECS", "100"))
# Of how many specs that the interpreter accepts the compiler may refuse one, for what only it can tell.
VALID_OF_ALL = 0.95
# What can't be compared in every spec, and must be in some.
COMPARED = (
    "other ways to write it", "activation memory", "receptive fields", "smallest inputs", "open inputs", ".pt2",
    ".onnx",
)  # fmt: skip


def test_random_specs() -> None:
    tally = run(SPECS)
    print(tally.table())
    assert not tally.failed, told(tally.failed)
    assert not tally.occurrences.missing()
    assert min(tally.done[what] for what in COMPARED) > 0
    assert tally.occurrences.specs >= VALID_OF_ALL * (tally.occurrences.specs + tally.refused)


def test_a_run_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bool:
        raise RuntimeError("wrong")

    monkeypatch.setattr("random_run.check", fails)
    both = run(2, seed=1) + run(1, seed=2)
    assert len(both.failed) == 3
    assert "3 failed" in both.table()
    first = both.failed[0]
    assert first.line() == f"{first.place}: wrong\n  {command(*first.grown)}"
    assert told(both.failed).count("scripts/random_specs --again") == 3


def test_a_source_that_needs_archdsl_fails_alone(tmp_path: Path) -> None:
    """A test of the test."""
    file, image = tmp_path / "net.py", torch.zeros(1, 4)
    for start, fails in (("", False), ("import archdsl\n", True)):
        file.write_text(f"{start}from torch import nn\n\n\nclass Net(nn.Sequential):\n    pass\n")
        if not fails:
            assert torch.equal(bare().results(file, "Net", nn.Sequential(), image)[0], image)  # type: ignore[arg-type]
            continue
        with pytest.raises(AssertionError, match="import of archdsl halted"):
            bare().results(file, "Net", nn.Sequential(), image)


@pytest.mark.parametrize(
    ("text", "period", "holding"),
    [
        ("H must be a multiple of 16", 16, [16, 32]),
        ("H must be 12 more than a multiple of 16", 16, [12, 28]),
        ("H must be odd", 2, list(range(1, 33, 2))),
        ("H must not be 5 or 8", 1, [size for size in range(1, 33) if size not in (5, 8)]),
        ("H must not be a multiple of 2", 2, list(range(1, 33, 2))),
        ("H must be 9 to 12", 1, [9, 10, 11, 12]),
        ("H must leave a remainder of 0, 1 or 5 to 7 when divided by 16", 16, [1, 5, 6, 7, 16, 17, 21, 22, 23, 32]),
    ],
)
def test_rules_are_read_as_they_are_written(text: str, period: int, holding: list[int]) -> None:
    rule = read_rule(text)
    assert rule is not None
    assert (rule.variable, rule.period) == ("H", period)
    assert [size for size in range(1, 33) if rule.holds(size)] == holding


def test_a_spec_can_be_grown_again() -> None:
    wish = ("`conv`", "returns")
    assert grown(7, 5, wish)[0] == grown(7, 5, wish)[0]
    assert command(7, 5, wish) == "scripts/random_specs --again 7 5 '`conv`, returns'"


# What random specs have found, each a bug that was mended.
FOUND = {
    "group norm of a flattened map": ("input 4x8x8\n flatten\n groupnorm 2", "4x9x7"),
    "sum of channels that are the input's": (
        "input 4x8x8\n concat\n  - skip\n  - concat\n     - relu\n     - skip\n    glu\n glu",
        "4x5x5",
    ),
    "a product of which one factor needs no gradient": (
        "input 4x8x8\n multiply\n  - skip\n  - conv 1, 4\n  - skip",
        "4x3x3",
    ),
    "an RMS norm of the input": ("input 8\n rmsnorm\n rmsnorm", "9"),
    "a side head in evaluation only": ("input 4x8x8\n conv 1, 4\n output aux when not training\n  softmin", "4x3x3"),
    "an input that is also the result": ("input 4x8x8\n output aux\n  batchnorm", "4x3x3"),
    "a relu6 beside the sixth relu": ("input 4x8x8\n a: relu6\n relu6\n repeat 7\n  relu\n  relu6", "4x3x3"),
    "a branch that is a side head": (
        "input 4x8x8\n concat\n  - skip\n  - output aux when training\n     conv 1, 5",
        "4x3x3",
    ),
    "weights of some layer norms only": ("input 8\n layernorm init_weight 0.5\n layernorm affine no", "8"),
}

BLOCKS = {
    "the sixth relu beside a relu6": """
net n
  input 4x8x8
  residual
    relu6
    repeat 6
      selu
      relu
  mean
  fc: linear 8
""",
    "two side heads of a block in one mode": """
block unit
  output one when not training
    relu
  output two when not training
    tanh
  sigmoid

net n
  input 4x8x8
  a: tanh
  b: unit
""",
    "a step whose channels are a parameter of the caller": """
block joined (inner as step)
  concat
    - skip
    - from inner

net n (classes = 10)
  input 8x12x12
  a: conv 1, classes
  b: conv 1, 8
  c: joined @a
  d: conv 1, 4
""",
    "a step handed on in a block": """
block joined (inner as step)
  concat
    - skip
    - from inner

block twice
  conv 3, 5
  joined @0
  joined @1

net n
  input 4x8x8
  a: twice
  b: conv 1, 3
""",
}


@pytest.mark.parametrize("name", BLOCKS)
def test_found_in_blocks(name: str) -> None:
    network = archdsl.loads(BLOCKS[name])
    sizes = tuple(int(at(size, network.net.sizes)) for size in network.net.input.sizes)
    files = Files(read(Source("n.arch", BLOCKS[name])))
    run = Interpreter(files, sizes).run()
    agrees(network, run)
    the_built_module_agrees(network, run)
    outputs_agree(network, files, sizes)


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    body, other = FOUND[name]
    for input in (None, other):
        network = archdsl.loads(f"net n\n {body}\n", input=input)
        sizes = tuple(int(at(size, network.net.sizes)) for size in network.net.input.sizes)
        files = Files(read(Source("n.arch", f"net n\n {body}\n")))
        run = Interpreter(files, sizes).run()
        agrees(network, run)
        the_built_module_agrees(network, run)
        outputs_agree(network, files, sizes)
        memory_agrees(network)


def test_nothing_continues_from_an_unused_step() -> None:
    with pytest.raises(SpecError, match="unknown-step"):
        archdsl.loads("net n\n input 4\n a: linear 3\n unused b: linear 2\n from b\n")
