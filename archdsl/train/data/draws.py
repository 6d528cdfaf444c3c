"""Random numbers as functions of what they are for: of a seed, an epoch and a sample's index, and of nothing before.

A hash of those numbers takes the place of a generator's state. So a batch is the same in whichever process, on
whichever device and after whichever batches it is made, and no generator of the program moves.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BITS = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27, 31)


def key(*parts: int) -> int:
    """One 63-bit number of several whole ones, in this order."""
    state = 0
    for part in parts:
        state = _mixed((state + _GAMMA ^ (part & _BITS)) & _BITS)
    return state >> 1


def order(parts: tuple[int, ...], count: int) -> Tensor:
    """A permutation of 0 .. count - 1, drawn by the parts; int64 on the CPU."""
    return torch.argsort(_hashes(parts, torch.arange(count)), stable=True)


def uniforms(parts: tuple[int, ...], indices: Tensor, count: int) -> Tensor:
    """Numbers from 0 to below 1, `count` for each index: float32 (indices, count).

    Row i depends on the parts and indices[i] alone.
    """
    each = torch.arange(1, count + 1) * _signed(_GAMMA)
    bits = _mixed_tensor(_hashes(parts, indices)[:, None] + each)
    return _shifted(bits, 40).to(torch.float32) / (1 << 24)


def generator(*parts: int) -> torch.Generator:
    """A generator on the CPU for those who need one, started by the parts."""
    return torch.Generator().manual_seed(key(*parts))


def _hashes(parts: tuple[int, ...], indices: Tensor) -> Tensor:
    return _mixed_tensor(indices * _signed(_GAMMA) + key(*parts))


def _mixed(value: int) -> int:
    """The output function of SplitMix64 (Steele, Lea and Flood, 2014)."""
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        value = (value ^ value >> shift) * factor & _BITS
    return value ^ value >> _SHIFTS[-1]


def _mixed_tensor(values: Tensor) -> Tensor:
    """The same for each 64-bit number of a tensor, whose products wrap as unsigned ones do."""
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        values = (values ^ _shifted(values, shift)) * _signed(factor)
    return values ^ _shifted(values, _SHIFTS[-1])


def _shifted(values: Tensor, by: int) -> Tensor:
    """Shifted to the right with zeros coming in: torch repeats the sign."""
    return (values >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
