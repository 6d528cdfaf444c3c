"""The speed table: each row of it measured against its peer, in turn, in one run on one machine.

    pip install -e ".[bench]" && python benchmarks/speed.py [--only cold] [--runs 5]

Each part replaces its rows in benchmarks/results.json and leaves the others; `scripts/make_speed_page.py` writes the
page from that. What counts is the ratio: machines differ, and so do hours.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import results
from analysis import cold, depth, warm
from curves import curves
from modules import modules
from optimized import optimized
from pictures import pictures
from start import start
from training import training


class Part(NamedTuple):
    """What measures it, in how many runs where nobody says otherwise."""

    measure: Callable[[int], Any]
    runs: int


# Those that import torch into this very process come last: the ones before would be slower for it.
PARTS = {
    "cold": Part(cold, 5),
    "start": Part(start, 9),
    "depth": Part(depth, 5),
    "warm": Part(warm, 3),
    "pictures": Part(pictures, 5),
    "curves": Part(curves, 3),
    "training": Part(training, 4),
    "modules": Part(modules, 3),
    "optimized": Part(optimized, 5),
}


def main() -> None:
    """Measures, prints and writes part by part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, help="of each part; less is quicker and says less")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; repeatable")
    options = parser.parse_args()
    for name in options.only or PARTS:
        measure, runs = PARTS[name]
        found = measure(options.runs or runs)
        measured = {"rows": found} if isinstance(found, list) else found
        print(f"\n{name}", *map(results.line, measured.get("rows", ())), sep="\n", flush=True)
        results.store(name, measured, tuple(PARTS))


if __name__ == "__main__":
    main()
