"""Two networks that should be one: equal steps, numbers and requirements, and equal results with equal weights."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from interpreter import Files
from metamorphic import EXACT, Permuted, Renamed, Rewriter, original, rewritten
from random_built import drawn
from torch import nn
from written import Sizes, Written

from archdsl.analysis.state import state_dict
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError
from archdsl.dims import at
from archdsl.ir import Leaf, leaves

Key = Callable[[str], str]


def other_ways_agree(network: Network, files: Files, sizes: Sizes, rng: random.Random) -> bool:
    """The same written in some of the other ways is the same network; False where that changes nothing."""
    ways = rng.sample(EXACT, rng.randint(1, len(EXACT)))
    ways += rng.choice([[], [Renamed], [Permuted]])
    new = rewritten(files, ways, rng)
    if new == files:
        return False
    with TemporaryDirectory() as folder:
        same_network(network, Written(new, Path(folder), rng).compiled(), sizes, ways)
    return True


def same_network(one: Network, other: Network | SpecError, sizes: Sizes, ways: Sequence[type[Rewriter]]) -> None:
    """The other one, written in these ways, is this one."""
    if isinstance(other, SpecError):
        raise other
    same_facts(one, other, key_of(ways), ordered=Permuted not in ways)
    same_results(one, other, sizes, key_of(ways), modes=(False,) if Permuted in ways else (False, True))


def key_of(ways: Sequence[type[Rewriter]]) -> Key:
    return original if Renamed in ways else str


def same_facts(one: Network, other: Network, key: Key = str, *, ordered: bool = True) -> None:
    """Steps, keys, costs, memory, requirements and outputs.

    key: what a key of the other one is in this one. ordered: whether the steps come in the same order; where they
    don't, those without weights may have other numbers (`~relu2`).
    """
    mine = [_told(one, leaf, leaf.path) for leaf in leaves(one.net.scope)]
    theirs = [_told(other, leaf, key(leaf.path)) for leaf in leaves(other.net.scope)]
    if ordered:
        assert theirs == mine
    else:
        assert Counter(map(_nameless, theirs)) == Counter(map(_nameless, mine))
    keys, others = state_dict(one.net), state_dict(other.net)
    assert keys is not None
    assert others is not None
    entries = {key(name): entry for name, entry in others.items()}
    assert entries == keys
    assert not ordered or list(entries) == list(keys)
    assert other.cost() == one.cost()
    assert other.memory().weights == one.memory().weights
    asked, told = one.requirements(), other.requirements()
    assert (told.smallest, told.all_above, told.rules) == (asked.smallest, asked.all_above, asked.rules)
    assert [output.name for output in other.net.outputs] == [output.name for output in one.net.outputs]


def _told(network: Network, leaf: Leaf, path: str) -> tuple[Any, ...]:
    step, sizes = leaf.step, network.net.sizes
    shape = [(axis, at(size, sizes)) for axis, size in zip(step.facts.shape.axes, step.facts.shape.sizes, strict=True)]
    return path, leaf.mode, step.unused, repr(step.op), str(step.inits), str(shape), at(step.facts.macs, sizes)


def _nameless(told: tuple[Any, ...]) -> tuple[Any, ...]:
    return told[1:] if "~" in told[0] else told


def same_results(
    one: Network, other: Network, sizes: Sizes, key: Key = str, *, modes: tuple[bool, ...] = (False, True)
) -> None:
    """With equal weights and, in training, equal chance the outputs are equal. key: as for `same_facts`."""
    module, second = (network.build().double() for network in (one, other))
    drawn(module)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    second.load_state_dict({name: state[key(name)] for name in second.state_dict()})
    image = torch.randn(2, *sizes, dtype=torch.float64)
    for training in modes:
        for made, expected in zip(_results(second, image, training), _results(module, image, training), strict=True):
            torch.testing.assert_close(made, expected, rtol=1e-9, atol=1e-12, equal_nan=True)


def _results(module: nn.Module, image: torch.Tensor, training: bool) -> list[torch.Tensor]:
    module.train(training)
    for part in module.modules():
        if isinstance(part, nn.RReLU):
            # In place it leaves the numbers in another order in memory, in which later steps take their chances.
            part.inplace = False
    torch.manual_seed(0)
    with torch.no_grad():
        output = module(image)
    return [output] if isinstance(output, torch.Tensor) else [one for one in output if one is not None]
