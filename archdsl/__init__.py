"""A compiler for network architectures written as papers print them; importing it loads no torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archdsl.compiler import Network, load, loads
    from archdsl.diagnostics import Diagnostic, SpecError
    from archdsl.failure import Failure, WrongUsage

__all__ = ["Diagnostic", "Failure", "Network", "SpecError", "WrongUsage", "load", "loads"]

_HOME = {
    "Diagnostic": "diagnostics",
    "Failure": "failure",
    "Network": "compiler",
    "SpecError": "diagnostics",
    "WrongUsage": "failure",
    "load": "compiler",
    "loads": "compiler",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: the command line sets its process up before that."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
