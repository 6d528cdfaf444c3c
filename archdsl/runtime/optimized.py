"""The weights of a network as those of its optimised module: norms folded into linear maps, neighbours joined."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.optimize.line import Part
from archdsl.optimize.plan import Made, Plan

_LISTED = 5  # tensors in a message


def converted(state: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """The state_dict of the optimised module from that of the network. Raises KeyError for a tensor that lacks."""
    own = {key: state[source] for key, source in plan.kept.items()}
    for made in plan.made:
        own |= _made(state, made)
    return own


def take_published_weights(module: Any, plan: Plan, keys: frozenset[str]) -> None:
    """Lets `load_state_dict` take the tensors of the network as it was written, `keys`, as well as the module's own."""
    module.register_load_state_dict_pre_hook(partial(_convert, plan=plan, keys=keys))


def _convert(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any, plan: Plan, keys: frozenset[str]) -> None:
    """Puts the module's own tensors in the place of the network's, if those are what is given.

    Raises RuntimeError, as torch does, where some of them are missing: nothing can be computed from a part.
    """
    given = {key: state[prefix + key] for key in keys if prefix + key in state}
    missing = [key for key in _sources(plan) if key not in given]
    if missing and all(prefix + key in state for key in _own(plan)):
        return
    if missing:
        listed = ", ".join(missing[:_LISTED]) + (", ..." if len(missing) > _LISTED else "")
        kind = type(module).__name__
        raise RuntimeError(f"{kind} takes its own tensors or all of the network's; of those are missing: {listed}")
    for key in given:
        del state[prefix + key]
    state.update({prefix + key: tensor for key, tensor in converted(given, plan).items()})


def _own(plan: Plan) -> list[str]:
    return [*plan.kept, *(key for made in plan.made for key in (made.weight, made.bias) if key)]


def _sources(plan: Plan) -> list[str]:
    """The tensors of the network that the module's are made of."""
    return [*plan.kept.values(), *(key for made in plan.made for part in made.parts for key in part.keys)]


def _made(state: Mapping[str, Tensor], made: Made) -> dict[str, Tensor]:
    """A linear map's weight and bias. In double precision: the outputs change by rounding only."""
    pieces = [_folded(state, part) for part in made.parts]
    dtype = state[f"{made.parts[0].path}.weight"].dtype
    own = {made.weight: torch.cat([weight for weight, _ in pieces], made.axis).to(dtype)}
    if made.bias:
        own[made.bias] = torch.cat([bias for _, bias in pieces]).to(dtype)
    return own


def _folded(state: Mapping[str, Tensor], part: Part) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear map followed by a norm with fixed statistics: scale (Wx + b - mean) + shift."""
    weight = state[f"{part.path}.weight"].double()
    channels = weight.shape[part.axis]
    bias = state[f"{part.path}.bias"].double() if part.bias else weight.new_zeros(channels)
    if not part.norm:
        return weight, bias
    scale = torch.rsqrt(state[f"{part.norm}.running_var"].double() + part.eps)
    shift: Tensor | float = 0.0
    if part.affine:
        scale = scale * state[f"{part.norm}.weight"].double()
        shift = state[f"{part.norm}.bias"].double()
    along = [-1 if axis == part.axis else 1 for axis in range(weight.ndim)]
    mean = state[f"{part.norm}.running_mean"].double()
    return weight * scale.view(along), (bias - mean) * scale + shift
