"""What the codes of diagnostics mean, from the classes themselves."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache

import archdsl
from archdsl.diagnostics import Diagnostic
from archdsl.failure import WrongUsage
from archdsl.suggest import did_you_mean

# Front ends of their own: they tell no mistake in a spec, and they are the ones that import torch, or extras.
_APART = ("archdsl.runtime", "archdsl.train", "archdsl.cli", "archdsl.docs", "archdsl.__main__")


@cache
def kinds() -> dict[str, tuple[type[Diagnostic], ...]]:
    """Code -> the diagnostics that have it, by code: one class, or one a stage that can tell the mistake."""
    for module in pkgutil.walk_packages(archdsl.__path__, "archdsl."):
        if not module.name.startswith(_APART):
            importlib.import_module(module.name)
    found: dict[str, tuple[type[Diagnostic], ...]] = {}
    for kind in sorted(_below(Diagnostic), key=lambda kind: (kind.code, kind.__module__)):
        found[kind.code] = (*found.get(kind.code, ()), kind)
    return found


def _below(kind: type[Diagnostic]) -> Iterator[type[Diagnostic]]:
    for sub in kind.__subclasses__():
        # What has no code of its own only lends its lines; tests have kinds that are none of ours.
        if "code" in sub.__dict__ and sub.__module__.startswith("archdsl."):
            yield sub
        yield from _below(sub)


def page(code: str) -> str:
    """What a code means, with an example and the fix; raises WrongUsage for an unknown one."""
    code = code.removeprefix("error[").removeprefix("warning[").removesuffix("]")  # as an error's first line has it
    if code not in kinds():
        near = did_you_mean(code, kinds())
        way_out = f"did you mean `{near}`?" if near else f"the codes are {', '.join(kinds())}"
        raise WrongUsage(f"no diagnostic has the code `{code}`", help=way_out)
    pages = [inspect.cleandoc(kind.__doc__ or "") for kind in kinds()[code]]
    return "\n\n".join([f"{kinds()[code][0].severity}[{code}]", *pages]) + "\n"
