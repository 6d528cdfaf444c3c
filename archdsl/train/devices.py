"""The devices that torch can use here."""

from __future__ import annotations

import torch
from torch import Tensor

from archdsl.failure import Failure, WrongUsage

DEVICES = ("auto", "cpu", "cuda", "mps")


def kind_of(device: str) -> str:
    """cpu, cuda or mps; `auto` takes the best that is there. Raises WrongUsage for a name that is none, Failure for a
    device that isn't there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if device not in there:
        raise WrongUsage(f"there is no device `{device}`", help=f"it is one of {', '.join(DEVICES)}")
    if not there[device]:
        message = f"there is no `{device}` device on this machine that torch {torch.__version__} can use"
        raise Failure(message, help="`--device auto` takes what is there")
    return device


def put(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device. Only cuda goes on meanwhile: elsewhere the tensor may be gone too soon (pytorch#189690)."""
    return tensor.to(device, non_blocking=device.type == "cuda")
