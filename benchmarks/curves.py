"""Cost curves: time and memory from a spec's text to all facts, over the size of networks that grow in one way.

Every point is a process of its own. The exponent is that of the power of the size which the larger half of the sizes
follows best: least squares in logarithms. 0 is no growth, 1 is linear.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from measure import Gone, Overtime, job, lacks
from tools import TOOLS

LIMIT = 30.0  # seconds for a process of a peer
OURS_LIMIT = 120.0
GROWTH = 12  # a further size is tried where so many times the last one's time is within the limit
LEAST = 0.1  # MB: what a process grows by in any case


class Curve(NamedTuple):
    """How a network grows, for one tool: the kind of network, what its size counts, the sizes."""

    network: str
    title: str
    unit: str
    sizes: tuple[int, ...]
    tool: str = "archdsl"


CURVES = (
    Curve("equal", "equal blocks, one after another", "blocks", (10, 100, 1_000, 10_000, 100_000, 1_000_000)),
    Curve("distinct", "distinct layers, one after another", "layers", (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)),
    Curve("variants", "one block, with other parameters each time", "variants", (10, 30, 100, 300, 1_000, 3_000)),
    Curve("blocks", "different blocks, each defined and used once", "blocks", (10, 30, 100, 300, 1_000, 3_000)),
    Curve("branches", "branches of one merge", "branches", (10, 30, 100, 300, 1_000, 3_000, 10_000)),
    Curve("nested", "containers in one another", "levels", (4, 8, 12, 16, 24, 32, 44)),
    Curve("doubling", "blocks that use the one before twice: 2^n layers", "levels", (4, 8, 12, 16, 24, 32, 44, 56)),
    Curve("equal", "equal blocks, one after another", "blocks", (10, 100, 1_000, 10_000), "torchinfo"),
    Curve("equal", "equal blocks, one after another", "blocks", (10, 100, 1_000, 10_000), "fx"),
    Curve("equal", "equal blocks, one after another", "blocks", (10, 100, 1_000, 10_000), "fvcore"),
    Curve("distinct", "distinct layers, one after another", "layers", (10, 100, 1_000, 10_000), "torchinfo"),
    Curve("distinct", "distinct layers, one after another", "layers", (10, 100, 1_000, 10_000), "fx"),
    Curve("distinct", "distinct layers, one after another", "layers", (10, 30, 100, 300), "keras"),
)


def curves(runs: int) -> dict[str, Any]:
    """All curves; a peer's points are measured in one process each."""
    return {"curves": [measured(curve, runs if curve.tool == "archdsl" else 1) for curve in CURVES]}


def measured(curve: Curve, runs: int) -> dict[str, Any]:
    """The points of a curve, up to what the limit allows, and the exponents."""
    told: dict[str, Any] = {
        "network": curve.network,
        "title": curve.title,
        "unit": curve.unit,
        "tool": TOOLS[curve.tool].title,
    }
    if why := lacks(*TOOLS[curve.tool].needs):
        return told | {"missing": why}
    points: list[dict[str, float]] = []
    stopped = ""
    limit = OURS_LIMIT if curve.tool == "archdsl" else LIMIT
    for size in curve.sizes:
        if points and points[-1]["seconds"] * GROWTH > limit:
            stopped = f"{size:,} {curve.unit} would take more than {limit:g} s"
            break
        try:
            found = [job(curve.tool, f"{curve.network}:{size}", limit) for _ in range(runs)]
        except (Overtime, Gone) as wrong:
            if curve.tool == "archdsl":
                raise
            stopped = f"{size:,} {curve.unit}: {wrong}"
            break
        points.append(_point(size, found))
    return told | {"points": points, "stopped": stopped, **exponents(points)}


def _point(size: int, found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Medians; memory is what the calls add to a process that stands ready, in MB."""
    seconds = statistics.median(one["seconds"] for one in found)
    memory = statistics.median(max(one["peak"] - one["ready"], LEAST) for one in found)
    return {"size": size, "seconds": float(f"{seconds:.4g}"), "memory": round(memory, 2)}


def exponents(points: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """Of time and of memory."""
    return {what: exponent(points, what) for what in ("seconds", "memory")}


def exponent(points: Sequence[dict[str, float]], what: str) -> float | None:
    """The slope of the larger half of the sizes in logarithms; None where there are fewer than three of them."""
    if len(points) < 3:
        return None
    middle = math.sqrt(points[0]["size"] * points[-1]["size"])
    half = [point for point in points if point["size"] >= middle * 0.999]
    if len(half) < 3:
        half = list(points[-3:])
    x = [math.log(point["size"]) for point in half]
    y = [math.log(point[what]) for point in half]
    return round(statistics.linear_regression(x, y).slope, 2)
