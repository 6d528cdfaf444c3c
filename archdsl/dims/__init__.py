"""Sizes, known or symbolic: arithmetic and the windows of convolutions; whether two are equal is told by `equality`."""

from archdsl.dims.symbolic import Dim, DimLimitError, Sym, at, ceil_div, prod, variable, variables, window

__all__ = ["Dim", "DimLimitError", "Sym", "at", "ceil_div", "prod", "variable", "variables", "window"]
