"""Diagrams and interactive pages, cold and warm; torchview with Graphviz beside them."""

from __future__ import annotations

import shutil
import sys
from functools import partial

from analysis import ARCHDSL, NO_GOAL
from measure import TORCHVISION, Gone, Overtime, Row, below, job, lacks, missing, process, repeated, row

NETWORKS = {"googlenet": "GoogLeNet", "densenet201": "DenseNet-201", "swin_t": "Swin-T"}
LIMIT = 180.0  # seconds for the peer's diagram, which is drawn once

TORCHVIEW_COLD = (
    TORCHVISION
    + """
import sys, torchview, torchvision
with torch.device("meta"):
    model = torchvision.models.densenet201(weights=None)
drawn = torchview.draw_graph(model, input_size=(1, 3, 224, 224), device="meta").visual_graph
drawn.render(outfile=sys.argv[1])
"""
)


def pictures(runs: int) -> list[Row]:
    """Each network's diagram and page, cold and warm, then the peer's diagram."""
    rows: list[Row] = []
    for name, title in NETWORKS.items():
        for what, suffix in (("diagram", "svg"), ("interactive page", "html")):
            command = [*ARCHDSL, "diagram", name, "-o", f"$HOME/x.{suffix}"]
            seconds = [wall for wall, _ in repeated(runs, partial(process, command))]
            rows.append(row(f"{what} of {title}, cold", seconds, goal=below(1, "s")))
            tool = {"svg": "diagram", "html": "page"}[suffix]
            ready = [job(tool, name)["seconds"] for _ in range(runs)]
            rows.append(row(f"{what} of {title}, warm", ready, goal=below(0.3, "s")))
    return [*rows, *_torchview(min(runs, 3))]


def _torchview(runs: int) -> list[Row]:
    """The graph of DenseNet-201 alone, and the whole way to a picture."""
    graph, picture = "graph of DenseNet-201, not drawn", "diagram of DenseNet-201, cold"
    if why := lacks("torchview", "torchvision"):
        return [missing(graph, "torchview", why), missing(picture, "torchview + dot", why)]
    ours = [job("graph", "densenet201")["seconds"] for _ in range(runs)]
    peer = [job("torchview", "densenet201")["seconds"] for _ in range(runs)]
    rows = [row(graph, ours, peer, against="torchview", goal=NO_GOAL)]
    if shutil.which("dot") is None:
        return [*rows, missing(picture, "torchview + dot", "Graphviz's dot isn't installed")]
    command = [*ARCHDSL, "diagram", "densenet201", "-o", "$HOME/x.svg"]
    seconds = [wall for wall, _ in repeated(runs, partial(process, command))]
    try:
        wall, _ = process([sys.executable, "-c", TORCHVIEW_COLD, "$HOME/x.svg"], LIMIT)
    except (Overtime, Gone) as wrong:
        return [*rows, missing(picture, "torchview + dot", str(wrong))]
    return [*rows, row(picture, seconds, [wall], against="torchview + dot, once", goal=below(1, "s"))]
