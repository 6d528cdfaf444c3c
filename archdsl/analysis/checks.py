"""What a whole network asks of its input, and whether any input can do."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.analysis.errors import ImpossibleInput
from archdsl.analysis.requirements import Requirements, requirements
from archdsl.diagnostics import SpecError
from archdsl.dims import at, variables
from archdsl.ir import CallStep, Net, OpStep, Scope, spell
from archdsl.ops.base import AtLeast, Check, Divides


class _Asked(NamedTuple):
    """A check, and the step that makes it, first met under this path."""

    check: Check
    step: OpStep
    path: tuple[str, ...]


def network_requirements(net: Net) -> Requirements:
    """What all steps ask of the network's input."""
    return requirements((asked.check for asked in _everything(net)), _names(net))


def check_possible(net: Net) -> None:
    """Raises SpecError where no size of the input works; it underlines the first step that can't be satisfied."""
    everything = _everything(net)
    if not _impossible(net, everything):
        return
    # The fewest first checks that can't all hold: the last of them is the one to blame.
    low, high = 1, len(everything)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _impossible(net, everything[:middle]) else (middle + 1, high)
    blamed = everything[low - 1]
    what, got = _told(net, blamed)
    raise SpecError(ImpossibleInput(blamed.step.span, path=blamed.path, op=blamed.step.op.name, what=what, got=got))


def _everything(net: Net) -> list[_Asked]:
    """The checks of all steps in the order of the text; what the same scope asks again isn't repeated."""
    found: list[_Asked] = []
    _ask(net.scope, (), set(), found)
    return found


def _ask(scope: Scope, path: tuple[str, ...], seen: set[Scope | int], found: list[_Asked]) -> None:
    """seen: the scopes, and the identities of the checks, which ops on maps of one size share."""
    if scope in seen:
        return
    seen.add(scope)
    for step in scope.steps:
        if isinstance(step, OpStep):
            checks = step.facts.checks
            if checks and id(checks) not in seen:
                seen.add(id(checks))
                found += [_Asked(check, step, path) for check in checks]
        else:
            _ask(step.scope, (*path, spell(step.name)) if isinstance(step, CallStep) else path, seen, found)


def _names(net: Net) -> frozenset[str]:
    return frozenset().union(*(variables(size) for size in net.input.sizes))


def _impossible(net: Net, asked: list[_Asked]) -> bool:
    found = requirements((item.check for item in asked), _names(net))
    return found.smallest is None and not found.undecided


def _told(net: Net, blamed: _Asked) -> tuple[str, str]:
    """What never holds, and the sizes for an example."""
    check = blamed.check
    example = dict.fromkeys(sorted(_names(net)), 224)
    given = "x".join(str(at(size, example)) for size in net.input.sizes)
    if isinstance(check, AtLeast):
        size = at(check.size, example)
        return f"its {check.what} is never at least {check.minimum}", f"{size} from an input of {given}"
    if isinstance(check, Divides):
        size = at(check.size, example)
        return f"the {check.what} is never a multiple of {check.divisor}", f"{size} from an input of {given}"
    sizes = f"{at(check.left, example)} and {at(check.right, example)}"
    return f"the {check.what} of its inputs never agrees", f"{sizes} from an input of {given}"
