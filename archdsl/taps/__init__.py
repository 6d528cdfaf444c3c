"""A network up to some of its steps: those become its outputs, and what they don't need is left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from archdsl.failure import WrongUsage
from archdsl.ir import CallStep, Net, Output, Scope
from archdsl.suggest import did_you_mean
from archdsl.taps.expose import expose
from archdsl.taps.find import find, paths
from archdsl.taps.prune import prune
from archdsl.taps.sides import without_sides

# Names that a misspelt one is compared with, and those that are listed where none is near.
COMPARED, LISTED = 5_000, 12


def tap(net: Net, names: Sequence[str]) -> Net:
    """The network with the named steps as its outputs, in this order and in both modes.

    A name is a step's path, `layer2` or `layer1.0.~relu`, or that of an output where no step has it. Raises WrongUsage
    for a name that isn't there, and where two outputs would have the same field.
    """
    outputs = tuple(Output(name, position, "always") for position, name in enumerate(names))
    _check_fields(outputs)
    whole = without_sides(net.scope)
    steps = tuple(name for name in names if _is_step(whole, name))
    results = {output.name: output.result for output in net.outputs}
    for name in names:
        if name not in steps and name not in results:
            raise _unknown(name, net, whole)
    results |= {name: len(whole.results) + k for k, name in enumerate(steps)}
    exposed = expose(whole, tuple(tuple(name.split(".")) for name in steps))
    scope = prune(exposed, [results[name] for name in names], names[1:])
    return net._replace(scope=scope, outputs=outputs, tapped=True)


def _is_step(scope: Scope, name: str) -> bool:
    first, _, rest = name.partition(".")
    step = find(scope, first)
    if step is None or not rest:
        return step is not None
    return isinstance(step, CallStep) and _is_step(step.scope, rest)


def _check_fields(outputs: tuple[Output, ...]) -> None:
    if not outputs:
        raise WrongUsage("no output is named", help="name a step, such as `layer2`")
    taken: dict[str, str] = {}
    for output in outputs:
        if output.field in taken:
            other = taken[output.field]
            both = f"`{other}` and `{output.name}` would both be called `{output.field}`"
            raise WrongUsage(f"the output `{other}` is asked for twice" if other == output.name else both)
        taken[output.field] = output.name


def _unknown(name: str, net: Net, scope: Scope) -> WrongUsage:
    outputs = [output.name for output in net.outputs]
    near = did_you_mean(name, islice(chain(paths(scope), outputs), COMPARED))
    top = list(islice(paths(scope, deep=False), LISTED + 1))
    listed = ", ".join(top[:LISTED]) + (", ..." if len(top) > LISTED else "")
    return WrongUsage(
        f"`{net.name}` has no step `{name}`", help=f"did you mean `{near}`?" if near else f"its steps are {listed}"
    )
