"""Published or saved weights put into a network: all of them where they belong, or none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archdsl.analysis import fit as fits
from archdsl.analysis.fit import Fit, Head
from archdsl.analysis.state import MAX_KEYS, state_dict
from archdsl.emit.fit import misfit
from archdsl.failure import Failure, WrongUsage
from archdsl.ir import Net, leaves
from archdsl.runtime.checkpoint import Checkpoint, read

if TYPE_CHECKING:
    from archdsl.compiler import Network


class Misfit(Failure):
    """The file's tensors aren't those of the network; the message is a table of what differs."""


def match(network: Network, where: str | Path | Checkpoint, *, head: Head = "keep") -> tuple[Checkpoint, Fit]:
    """The weights of a file or URL, and what of them goes where.

    head: `keep` wants every tensor; `new` leaves out the last layers where they were made for another number of
    classes, and those are drawn anew. Raises Misfit; WrongUsage, Failure where the file can't be read.
    """
    expected = state_dict(network.net)
    if expected is None:
        raise Failure(f"`{network.name}` has more than {MAX_KEYS:,} tensors")
    checkpoint = where if isinstance(where, Checkpoint) else read(where)
    held = checkpoint.held()
    found = fits.fit(expected, held, network.spare)
    scope = network.net.scope
    channels = [scope.shapes[scope.results[output.result]].channels for output in network.net.outputs]
    layers = fits.head_of(found, frozenset(size for size in channels if isinstance(size, int)))
    if head == "new" and layers:
        return checkpoint, fits.with_new_head(found, layers)
    if not found.good:
        message = f"`{checkpoint.name}` doesn't fit `{network.name}`\n{misfit(found, expected, held)}"
        raise Misfit(message, help=_way_out(network.net, found, layers, head))
    if head == "new":
        message = f"nothing in `{checkpoint.name}` is for another number of classes than `{network.name}` has"
        raise Misfit(message, help="leave `--head new` out")
    return checkpoint, found


def _way_out(net: Net, found: Fit, layers: Sequence[str], head: Head) -> str:
    if head == "new":
        return "a new head helps where nothing but the number of classes differs"
    if _serves_training(net, found):
        return "only training needs these; googlenet, for one, leaves them out with `--set aux=no`"
    if not layers:
        return ""
    classes = found.reshaped[0].theirs.shape[0]
    return f"the file has {classes:,} classes; `--head new` takes all but these"


def _serves_training(net: Net, found: Fit) -> bool:
    """Whether side heads that run in training only are all that is wrong."""
    if not found.missing or found.unexpected or found.reshaped or found.retyped:
        return False
    paths = tuple(f"{leaf.path}." for leaf in leaves(net.scope) if leaf.mode == "training")
    return all(key.startswith(paths) for key in found.missing)


def check_head(head: str, weights: object, device: torch.device) -> None:
    """Raises WrongUsage for what can't be meant."""
    if head not in get_args(Head):
        raise WrongUsage(f"there is no head {head!r}", help=f"it is one of {', '.join(get_args(Head))}")
    if head == "new" and weights is None:
        raise WrongUsage("without weights all of the network is new", help="leave `head` out, or give `weights`")
    if weights is not None and device.type == "meta":
        raise WrongUsage("the device `meta` holds no weights", help="leave out either `weights` or `device`")


def load(
    network: Network, module: nn.Module, where: str | Path | Checkpoint, *, device: torch.device, head: Head
) -> None:
    """Gives a module on the meta device the weights of a file; what the file has no weights for is drawn.

    The tensors of the file become those of the module, without a copy where type and layout agree. Raises as `match`.
    """
    checkpoint, found = match(network, where, head=head)
    _fill(module, checkpoint.tensors, found, device)


def _fill(module: nn.Module, tensors: dict[str, Tensor], found: Fit, device: torch.device) -> None:
    theirs: dict[str, Tensor] = {}
    seen: set[int] = set()
    state = module.state_dict()
    for key in found.counters:
        theirs[key] = torch.zeros_like(state[key], device=device)
    for key, name in found.taken.items():
        # Popped, so that the file's tensor goes as soon as there is another one.
        theirs[key] = _own(tensors.pop(name).to(device=device, dtype=state[key].dtype), seen)
    told = module.load_state_dict(theirs, strict=False, assign=True)
    assert not told.unexpected_keys, told
    assert set(told.missing_keys) == set(found.fresh), told
    fresh = _materialize(module, device)
    if fresh:
        drawing: Any = module.init_weights
        with _Keeping(fresh):
            drawing()


def _own(tensor: Tensor, seen: set[int]) -> Tensor:
    """The tensor with memory of its own: two names of a file may share theirs, or show a part of something larger."""
    storage = tensor.untyped_storage()
    if storage.nbytes() != tensor.nbytes or storage.data_ptr() in seen or not tensor.is_contiguous():
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        storage = tensor.untyped_storage()
    seen.add(storage.data_ptr())
    return tensor


def _materialize(module: nn.Module, device: torch.device) -> set[int]:
    """Gives memory to what is still on the meta device; the ids of these tensors."""
    fresh: set[int] = set()
    for part in module.modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        for name, tensor in own:
            if not tensor.is_meta:
                continue
            made = torch.empty_like(tensor, device=device)
            if isinstance(tensor, nn.Parameter):
                made = nn.Parameter(made, requires_grad=tensor.requires_grad)
            setattr(part, name, made)
            fresh.add(id(made))
    return fresh


class _Keeping(TorchFunctionMode):
    """Lets `init_weights` fill some tensors and no others: those that were loaded stay as they are."""

    def __init__(self, fresh: Collection[int]) -> None:
        super().__init__()
        self._fresh = fresh

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            filled = args[0] if args else kwargs["tensor"]
            if id(filled) not in self._fresh:
                return filled
        return func(*args, **kwargs)
