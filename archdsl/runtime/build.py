"""A network as a torch module: the emitted source executed, its weights drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from archdsl.analysis.fit import Head
from archdsl.failure import Failure, WrongUsage
from archdsl.runtime.module import module_of
from archdsl.runtime.optimized import converted, take_published_weights
from archdsl.runtime.weights import check_head, load

if TYPE_CHECKING:
    from archdsl.compiler import Network
    from archdsl.optimize.plan import Plan

_FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.full, torch.tensor, torch.arange, torch.linspace})


def build(
    network: Network,
    *,
    device: str = "cpu",
    seed: int | None = None,
    weights: str | Path | None = None,
    head: Head = "keep",
) -> nn.Module:
    """The network as a module, in training mode as torch's own: its weights drawn, or those of a file.

    Equal seeds give equal weights on one kind of device, and leave the generator as it was. Raises Failure above
    100,000 modules, where the weights have no room and where a file's don't fit, WrongUsage for a device that isn't
    there.
    """
    target = _device(device)
    if network.plan is not None:
        return _optimized(
            network, network.plan, build(network.written, device=device, seed=seed, weights=weights, head=head)
        )
    check_head(head, weights, target)
    try:
        if weights is not None:
            module = construct(network, torch.device("meta"))
            with _seeded(seed, target):
                load(network, module, weights, device=target, head=head)
            return module
        module = construct(network, target)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            size = network.memory().weights
            assert isinstance(size, int), "weights never depend on an open size"
            message = f"no room on `{device}` for {size / 1e9:,.1f} GB of weights"
            raise Failure(message, help='`device="meta"` needs none') from error
        raise
    if target.type == "meta":
        return module
    drawing = getattr(module, "init_weights", None)  # a network without weights has none
    if drawing is not None:
        with _seeded(seed, target):
            drawing()
    return module


def _optimized(network: Network, plan: Plan, written: nn.Module) -> nn.Module:
    """The module of an optimised network, in evaluation mode, with the weights of the network as it was written."""
    module = construct(network, torch.device("meta"))
    state = written.state_dict()
    module.load_state_dict(converted(state, plan), assign=True)
    take_published_weights(module, plan, frozenset(state))
    return module.eval().requires_grad_(False)


def construct(network: Network, device: torch.device) -> nn.Module:
    """The network with memory for its weights and nothing in it; on the meta device not even memory."""
    found = class_of(module_of(network.source, network.name))
    # Its weights are drawn when all of them are there: without numbers some ways to draw would never come to an end.
    undrawn = type(found.__name__, (found,), {"init_weights": lambda self: None})
    with _Unfilled(device):
        module: nn.Module = undrawn()
    module.__class__ = found
    return module


def class_of(module: ModuleType) -> type[nn.Module]:
    """The network's class: the last one of its source."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, nn.Module)]
    return [kind for kind in kinds if kind.__module__ == module.__name__][-1]


class _Unfilled(TorchFunctionMode):
    """Makes tensors on a device and skips what would fill them: constructors draw weights that are drawn again later.

    Skipping matters most on the meta device, where random calls would have torch import its compiler: a second.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__") and name != "requires_grad_":
            return args[0] if args else kwargs["tensor"]  # torch.nn.init's own functions name it
        if func in _FACTORIES and kwargs.get("device") is None:
            kwargs["device"] = self._device
        return func(*args, **kwargs)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise WrongUsage(f"there is no device `{name}`", help="such as `cpu`, `cuda`, `cuda:1` or `mps`") from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise WrongUsage(f"can't use the device `{name}`: {str(error).splitlines()[0]}") from error
    return device


@contextmanager
def _seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Random numbers from a seed, and the generators as they were afterwards; without a seed nothing changes."""
    if seed is None:
        yield
        return
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(seed)
        yield
