"""What a network consists of: a table to read, and JSON and CSV for other programs."""

from __future__ import annotations

from typing import Any, Literal

from archdsl.analysis.cost import Convention
from archdsl.emit.summary.interface import MAX_ROWS, csv_text, to_json
from archdsl.emit.summary.table import table
from archdsl.ir import Net

__all__ = ["MAX_ROWS", "render", "to_json"]


def render(
    net: Net,
    depth: int | None = None,
    full: bool = False,
    macs: Convention = "exact",
    format: Literal["table", "json", "csv"] = "table",
    width: int = 80,
) -> str:
    """The summary as text, without a newline at the end.

    depth: levels of names shown in the table; None: as many as fit on about a screen and a half. full: equal
    neighbours one by one. Raises Failure where that is too much to print.
    """
    if format == "csv":
        return csv_text(net, full=full, macs=macs)
    if format == "table":
        return table(net, depth=depth, full=full, macs=macs, width=width)
    import json

    made: dict[str, Any] = to_json(net, full=full, macs=macs)
    return json.dumps(made, ensure_ascii=False, indent=1)
