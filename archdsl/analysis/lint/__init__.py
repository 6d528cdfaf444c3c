"""What compiles but may not be meant: `archdsl check` tells it, nothing else pays for it."""

from __future__ import annotations

from archdsl.analysis.lint.layers import layer_warnings
from archdsl.analysis.lint.names import name_warnings
from archdsl.analysis.lint.outputs import output_warnings
from archdsl.diagnostics import Diagnostic
from archdsl.ir import Net
from archdsl.syntax.spec import Spec

__all__ = ["warnings"]


def warnings(net: Net, files: tuple[Spec, ...]) -> tuple[Diagnostic, ...]:
    """Warnings about a network, each kind once a place: a block's line is told once, however often the block is used.

    files: the network's own and those it extends, the one with the layers last.
    """
    found: dict[object, Diagnostic] = {}
    for one in (*name_warnings(files), *layer_warnings(net), *output_warnings(net)):
        found.setdefault((one.code, one.span), one)
    return tuple(found.values())
