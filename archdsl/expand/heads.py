"""Outputs that a spec declares and a network doesn't build: `output aux when aux`, with `aux = no`."""

from __future__ import annotations

from archdsl.ir import Net
from archdsl.syntax.spec import Group, Output, Spec, Step, Unused


def unbuilt_heads(base: Spec, net: Net) -> tuple[str, ...]:
    """The names, as in `aux1`, under which the weights of such outputs would stand at the top of the network.

    base: the file with the layers. Names that hold expressions aren't told.
    """
    built = {output.name for output in net.outputs}
    absent = [one for one in base.layers or () if isinstance(one, Output) and one.name not in built]
    labels = [one.label for output in absent for one in output.body if isinstance(one, (Group, Step, Unused))]
    texts = [label.parts for label in labels if label is not None]
    return tuple(parts[0] for parts in texts if len(parts) == 1 and isinstance(parts[0], str))
