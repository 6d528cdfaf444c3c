"""Parts of a network that training leaves as they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from archdsl.compiler import Network
from archdsl.dims import at
from archdsl.failure import WrongUsage
from archdsl.ir import OpStep, Scope, SideStep
from archdsl.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import nn

_LISTED = 12  # names that are listed where none is near


def frozen(keys: Sequence[str], patterns: Sequence[str]) -> frozenset[str]:
    """The keys of a state_dict that patterns name, as file names are: `layer[12].*`, `*.bn1`, `features`.

    A pattern names a tensor by its key, or a part with all in it by its path. Raises WrongUsage for one that names
    nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        fits = re.compile(translate(pattern)).match
        named = [key for key in keys if any(fits(path) for path in _paths(key))]
        if not named:
            raise _nothing(pattern, keys)
        found.update(named)
    return frozenset(found)


def idle(network: Network) -> frozenset[str]:
    """The keys of the parameters that no gradient reaches: nobody reads what they make, or only in evaluation.

    Several processes wait for the gradients of every parameter that could have one.
    """
    if not _may_be_idle(network.net.scope):
        return frozenset()
    import torch

    from archdsl.runtime.build import construct

    meta = torch.device("meta")
    module: Any = construct(network, meta).train()
    sizes = (int(at(size, network.net.sizes)) for size in network.net.input.sizes)
    outputs = module(torch.empty(2, *sizes, device=meta))
    live = [output.sum() for output in (outputs if isinstance(outputs, tuple) else [outputs]) if output is not None]
    torch.autograd.backward(torch.stack(live).sum())
    return frozenset(name for name, parameter in module.named_parameters() if parameter.grad is None)


def _may_be_idle(scope: Scope) -> bool:
    for step in scope.steps:
        if getattr(step, "unused", False) or (isinstance(step, SideStep) and step.mode == "eval"):
            return True
        if not isinstance(step, OpStep) and _may_be_idle(step.scope):
            return True
    return False


def freeze(module: nn.Module, keys: Collection[str]) -> tuple[str, ...]:
    """Lets no gradient reach the parameters with these keys.

    The result are the paths of the modules with statistics, batch norms as a rule, all of whose tensors are among the
    keys: those are to be kept in eval mode. Raises WrongUsage where nothing is left to train.
    """
    for name, parameter in module.named_parameters():
        if name in keys:
            parameter.requires_grad_(False)
    if keys and not any(parameter.requires_grad for parameter in module.parameters()):
        raise WrongUsage("`--freeze` leaves nothing to train")
    known = {name for name, _ in module.named_buffers()}
    own: dict[str, list[str]] = {}
    for key in module.state_dict():
        own.setdefault(key.rpartition(".")[0], []).append(key)
    return tuple(
        path for path, tensors in own.items() if not known.isdisjoint(tensors) and all(key in keys for key in tensors)
    )


def _paths(key: str) -> Iterator[str]:
    """The key, and the paths of the parts around it."""
    parts = key.split(".")
    for count in range(len(parts), 0, -1):
        yield ".".join(parts[:count])


def _nothing(pattern: str, keys: Sequence[str]) -> WrongUsage:
    near = did_you_mean(pattern, dict.fromkeys(path for key in keys for path in _paths(key)))
    top = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    listed = ", ".join(top[:_LISTED]) + (", ..." if len(top) > _LISTED else "")
    help = f"did you mean `{near}`?" if near else f"its parts are {listed}"
    return WrongUsage(f"`--freeze {pattern}` names nothing in the network", help=help)
