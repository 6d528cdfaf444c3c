"""Blocks that training computes twice, so that less has to be kept: activation checkpointing (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import prod
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from archdsl.analysis.memory import BYTES, Activations
from archdsl.dims import Dim, at
from archdsl.failure import WrongUsage
from archdsl.ir import CallStep, LoopStep, Net, OpStep, Scope, SideStep, spell

_FLOAT = BYTES["float32"]


class Recomputed(NamedTuple):
    """blocks: the paths of the modules that are computed again. share: of what is kept without it, what still is."""

    blocks: tuple[str, ...]
    share: float


class _Block(NamedTuple):
    """A block where it stands. inside: bytes that it keeps for an image, its inputs and results not among them.

    enters: bytes of its inputs, which are all that is kept of one that is computed again.
    """

    path: str
    inside: int
    enters: int
    within: tuple[_Block, ...]


def recomputed(net: Net) -> Recomputed:
    """The blocks to compute again so that a training step keeps least, by the static estimate.

    While one is computed again, all that it keeps is there: large blocks save more, but want more room for themselves.
    So those are taken that keep at most a certain size, the outermost first, for the size that comes out best. Raises
    WrongUsage for a network without blocks that would save anything.
    """
    activations = Activations(_FLOAT, net.sizes)
    whole = _number(activations.of_network(net, 1), net.sizes)
    blocks = tuple(_blocks(net.scope, activations, net.sizes))
    best = Recomputed((), 1.0)
    for limit in sorted({block.inside for block in _every(blocks)}):
        taken = list(_taken(blocks, limit))
        if not taken:
            continue
        kept = whole - sum(block.inside - block.enters for block in taken) + max(block.inside for block in taken)
        if kept < best.share * whole:
            best = Recomputed(tuple(block.path for block in taken), kept / whole)
    if not best.blocks:
        message = f"computing parts of `{net.name}` again would save nothing: it has no blocks that are large enough"
        raise WrongUsage(message, help="leave `--recompute` out; `--recipe accumulate=4` takes a batch in parts")
    return best


def recompute(module: nn.Module, blocks: Sequence[str]) -> None:
    """Has these parts of a module computed again in each backward pass, instead of keeping what is inside.

    Gradients stay the same, as do random draws, statistics of batch norms, and the keys of the state_dict.
    """
    for path in blocks:
        part = module.get_submodule(path)
        # Its input is kept as it came in: nothing inside may write over it.
        for inner in part.modules():
            if getattr(inner, "inplace", False):
                inner.inplace = False  # type: ignore[assignment]
        part.forward = _Again(part)


class _Again:
    """A module's forward pass, done again in the backward pass."""

    def __init__(self, part: nn.Module) -> None:
        self._part = part

    def __call__(self, *inputs: Any) -> Any:
        forward = type(self._part).forward
        if not (torch.is_grad_enabled() and self._part.training):
            return forward(self._part, *inputs)
        return checkpoint(forward, self._part, *inputs, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _on_copies(self._part)


@contextmanager
def _on_copies(part: nn.Module) -> Iterator[None]:
    """While it lasts, statistics are taken in copies: batch norms have counted this batch already."""
    found = [
        (inner, name, buffer)
        for inner in part.modules()
        if inner.training
        for name, buffer in inner.named_buffers(recurse=False)
    ]
    for inner, name, buffer in found:
        setattr(inner, name, buffer.clone())
    try:
        yield
    finally:
        for inner, name, buffer in found:
            setattr(inner, name, buffer)


def _blocks(
    scope: Scope, activations: Activations, sizes: Mapping[str, int], prefix: str = "", counters: Mapping[str, int] = {}
) -> Iterator[_Block]:
    """The outermost blocks of a scope, loops unfolded."""
    for step in scope.steps:
        if isinstance(step, OpStep) or (isinstance(step, SideStep) and step.mode == "eval"):
            continue
        if isinstance(step, LoopStep):
            for k in range(step.times):
                yield from _blocks(step.scope, activations, sizes, prefix, {**counters, step.counter: k})
        elif isinstance(step, SideStep):
            yield from _blocks(step.scope, activations, sizes, prefix, counters)
        elif not step.unused:
            yield _of_call(step, scope, activations, sizes, prefix + spell(step.name, counters))


def _of_call(step: CallStep, scope: Scope, activations: Activations, sizes: Mapping[str, int], path: str) -> _Block:
    within = tuple(_blocks(step.scope, activations, sizes, f"{path}."))
    inside = _number(activations.of_scope(step.scope, (True,) * len(step.inputs)).each, sizes)
    elements = sum(prod(_number(size, sizes) for size in scope.shapes[value].sizes) for value in set(step.inputs))
    return _Block(path, inside, elements * _FLOAT, within)


def _number(size: Dim, sizes: Mapping[str, int]) -> int:
    number = at(size, sizes)
    assert isinstance(number, int), "training is for images of one size"
    return number


def _every(blocks: Sequence[_Block]) -> Iterator[_Block]:
    for block in blocks:
        yield block
        yield from _every(block.within)


def _taken(blocks: Sequence[_Block], limit: int) -> Iterator[_Block]:
    """The outermost blocks that keep no more than the limit inside, and more than what enters."""
    for block in blocks:
        if block.inside > limit:
            yield from _taken(block.within, limit)
        elif block.inside > block.enters:
            yield block
