"""A compiler for network architectures written as papers print them; importing it loads no torch."""

from archdsl.compiler import Network, load, loads
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.failure import Failure, WrongUsage

__all__ = ["Diagnostic", "Failure", "Network", "SpecError", "WrongUsage", "load", "loads"]
