"""Random specs over all constructs and ops: the compiler against a slow reading of the language in PyTorch."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreter import Interpreter
from occurrences import CONSTRUCTS, OPS, Occurrences
from random_checks import agrees, check, memory_agrees, the_built_module_agrees
from random_specs import Grower, wishes

import archdsl
from archdsl.diagnostics import SpecError
from archdsl.dims import at
from archdsl.source import Source
from archdsl.syntax.printer import print_text
from archdsl.syntax.read import read

# More of them by `scripts/random_specs N`.
SPECS = int(os.environ.get("ARCHDSL_RANDOM_SPECS", "150"))
# Of how many specs that the interpreter accepts the compiler may refuse one, for what only it can tell.
VALID_OF_ALL = 0.95


class Tally:
    """What a run has seen."""

    def __init__(self) -> None:
        self.occurrences = Occurrences()
        self.refused = 0

    def one(self, seed: int, size: int, wish: tuple[str, ...]) -> None:
        """Grows and checks a spec."""
        grower = Grower(seed, size, wish)
        spec = grower.spec()
        try:
            valid = check(spec, grower.sizes, random.Random(seed))
        except Exception as error:
            error.add_note(f"seed {seed}, size {size}, wish {wish}\n\n{print_text(spec)}")
            raise
        if valid:
            self.occurrences.add(spec)
        else:
            self.refused += 1


def run(specs: int) -> Tally:
    """Checks so many specs, and then more for what is missing."""
    tally = Tally()

    @settings(max_examples=specs, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), st.integers(4, 10), st.lists(st.sampled_from(wishes()), max_size=5))
    def every(seed: int, size: int, wish: list[str]) -> None:
        tally.one(seed, size, tuple(wish))

    every()
    for seed in range(4 * len(tally.occurrences.missing())):
        if missing := tally.occurrences.missing():
            tally.one(seed, 8, tuple(name.strip("`") for name in missing[:2]))
    return tally


def test_random_specs() -> None:
    tally = run(SPECS)
    print(tally.occurrences.table())
    assert not tally.occurrences.missing()
    assert tally.occurrences.specs >= VALID_OF_ALL * (tally.occurrences.specs + tally.refused)


def test_every_construct_and_op_can_be_wished_for() -> None:
    assert {f"`{op}`" for op in OPS} <= {f"`{wish}`" for wish in wishes()}
    assert {wish for wish in wishes() if wish not in OPS} <= set(CONSTRUCTS)


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
    "weights of some layer norms only": ("input 8\n layernorm init_weight 0.5\n layernorm affine no", "8"),
}

BLOCKS = {
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
    run = Interpreter(read(Source("n.arch", BLOCKS[name])), sizes).run()
    agrees(network, run)
    the_built_module_agrees(network, run)


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    body, other = FOUND[name]
    for input in (None, other):
        network = archdsl.loads(f"net n\n {body}\n", input=input)
        sizes = tuple(int(at(size, network.net.sizes)) for size in network.net.input.sizes)
        run = Interpreter(read(Source("n.arch", f"net n\n {body}\n")), sizes).run()
        agrees(network, run)
        the_built_module_agrees(network, run)
        memory_agrees(network)


def test_nothing_continues_from_an_unused_step() -> None:
    with pytest.raises(SpecError, match="unknown-step"):
        archdsl.loads("net n\n input 4\n a: linear 3\n unused b: linear 2\n from b\n")
