"""Weights that processes share out among them, and gather part by part when they are wanted: PyTorch's FSDP2."""

from __future__ import annotations

from typing import Any

from torch import nn

_PART = 1_000_000  # weights that are worth a gathering of their own


def shard(module: nn.Module, mesh: Any) -> None:
    """Shares a module out over a device mesh of one axis: each large part for itself, and what remains together.

    Optimisers made behind that keep as much of their state in each process as it has weights.
    """
    _parts(module, mesh)
    _own(module, mesh)


def _parts(module: nn.Module, mesh: Any) -> int:
    """Shares the large parts inside a module out; how many weights are in none of them."""
    rest = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    for part in module.children():
        left = _parts(part, mesh)
        if left >= _PART and not isinstance(part, nn.ModuleList):  # a list is never called, so it gathers nothing
            _own(part, mesh)
            left = 0
        rest += left
    return rest


def _own(part: nn.Module, mesh: Any) -> None:
    from torch.distributed.fsdp import fully_shard

    fully_shard(part, mesh=mesh)
