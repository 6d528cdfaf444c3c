"""The speed table: each row of it measured against its peer, in turn, in one run on one machine.

    pip install -e ".[bench]" && python benchmarks/speed.py [--runs 5] [--only cold]

Writes benchmarks/results.json and benchmarks/results.md. What counts is the ratio: machines differ, and so do hours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import ROOT, TORCHVISION, Row, alternating, process, row, timed
from modules import modules
from training import training

HERE = Path(__file__).parent

TORCHINFO_COLD = (
    TORCHVISION
    + """
import torchinfo, torchvision
model = torchvision.models.googlenet(weights=None, init_weights=False)
torchinfo.summary(model, (1, 3, 224, 224), verbose=1)
"""
)


def cold_summary(runs: int) -> list[Row]:
    """`archdsl build specs/googlenet.yaml --summary` against torchvision and torchinfo, both from nothing."""
    archdsl = [sys.executable, "-m", "archdsl", "build", "specs/googlenet.yaml", "--summary"]
    ours, peer = alternating(runs, lambda: process(archdsl), lambda: process([sys.executable, "-c", TORCHINFO_COLD]))
    start = statistics.median(process([sys.executable, "-c", "pass"])[0] for _ in range(runs))
    wall = row("cold summary of GoogLeNet", [a for a, _ in ours], [b for b, _ in peer], "s", "at least 12 times faster")
    wall["python alone"] = round(start, 3)
    memory = row("its peak memory", [a for _, a in ours], [b for _, b in peer], "MB", "at most 60 MB")
    return [wall, memory]


def all_facts(text: str, name: str) -> Callable[[], Any]:
    """From text to shapes, weights, MACs, memory, receptive fields, the smallest input and the totals."""
    import archdsl
    from archdsl.analysis.receptive import Fields

    def facts() -> None:
        network = archdsl.loads(text, name=name)
        network.cost(), network.memory(), network.requirements()
        fields = Fields(network.net)
        fields.inside(network.net.scope, (fields.input,))

    return facts


def warm_analysis(runs: int) -> list[Row]:
    """DenseNet-201 from its text to all facts, against torchinfo on a model that stands ready on the meta device."""
    exec(TORCHVISION, globals())  # noqa: S102 (our own constant)
    import torch
    import torchinfo
    import torchvision

    text = "\n".join(
        line
        if not line.startswith("params:")
        else "params: {classes: 1000, growth: 32, layers: [6, 12, 48, 32], drop: 0.0}"
        for line in (ROOT / "specs" / "densenet121.yaml").read_text().splitlines()
    )
    with torch.device("meta"):
        model = torchvision.models.densenet201(weights=None)
    facts = all_facts(text, "densenet201.yaml")
    ours, peer = alternating(
        runs,
        lambda: timed(facts, 5),
        lambda: timed(lambda: torchinfo.summary(model, (1, 3, 224, 224), device="meta", verbose=0), 2),
    )
    return [row("warm analysis of DenseNet-201", ours, peer, "s", "at least 20 times faster")]


REPEATED = """
block bottleneck (width)
  residual
    conv1: conv 1x1, width
    conv2: conv 3x3, width, pad 1
    conv3: conv 1x1, 4*width
  relu
net repeated
  input 3x64x64
  stem: conv 3x3, 256, pad 1
  body:
    repeat {count}
      bottleneck 64
"""

DISTINCT = """
net distinct
  input 3x32x32
  repeat {count}
    conv 3x3, 8 + i, pad 1
"""


def depth(runs: int) -> list[Row]:
    """A block repeated a million times against ten times; ten thousand distinct layers against a thousand."""
    million, ten = (all_facts(REPEATED.format(count=count), "repeated.arch") for count in (1_000_000, 10))
    ours, peer = alternating(runs, lambda: timed(million, 5), lambda: timed(ten, 5))
    repeated = row("1,000,000 equal blocks, against 10", ours, peer, "s", "at most 2 times")
    many, some = (all_facts(DISTINCT.format(count=count), "distinct.arch") for count in (10_000, 1_000))
    ours, peer = alternating(min(runs, 3), lambda: timed(many, 1), lambda: timed(some, 2))
    distinct = row("10,000 distinct layers, against 1,000", ours, peer, "s", "under 1 s, linear (10 times)")
    return [repeated, distinct]


# The last two import torch, whose objects slow every garbage collection after it.
PARTS: dict[str, Callable[[int], list[Row]]] = {
    "cold": cold_summary,
    "depth": depth,
    "warm": warm_analysis,
    "modules": modules,
    "training": training,
}


def main() -> None:
    """Measures, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    rows = [row for part in options.only or PARTS for row in PARTS[part](options.runs)]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [f"Measured on {machine}; medians of {options.runs} pairs, ours and the peer's in turn.", ""]
    lines += ["| what | ours | peer | peer / ours | wanted |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {r['name']} | {r['ours']} {r['unit']} | {r['peer']} {r['unit']} | {r['ratio']} | {r['wanted']} |"
        for r in rows
    ]
    print("\n".join(lines))
    if not options.only:
        (HERE / "results.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
        (HERE / "results.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
