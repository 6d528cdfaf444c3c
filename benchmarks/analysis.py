"""What archdsl tells of a network without running it, against what others do for it."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from measure import (
    TORCHVISION,
    Goal,
    Gone,
    Overtime,
    Row,
    alternating,
    below,
    faster,
    job,
    lacks,
    missing,
    process,
    repeated,
    row,
)
from tools import TOOLS

ARCHDSL = (sys.executable, "-m", "archdsl")
NO_GOAL = Goal()

TORCHINFO_COLD = (
    TORCHVISION
    + """
import torchinfo, torchvision
model = torchvision.models.googlenet(weights=None, init_weights=False)
torchinfo.summary(model, (1, 3, 224, 224), verbose=1)
"""
)
KERAS_COLD = """
import os
os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
keras.applications.DenseNet201(weights=None).summary()
"""


def cold(runs: int) -> list[Row]:
    """Whole commands from nothing: a fresh process, a fresh home."""
    return [*_summary(runs), _keras(min(runs, 3)), *_check(runs)]


def _summary(runs: int) -> list[Row]:
    """`archdsl build specs/googlenet.yaml --summary` against torchvision and torchinfo."""
    name, memory = "cold summary of GoogLeNet", "its peak memory"
    ours = partial(process, [*ARCHDSL, "build", "specs/googlenet.yaml", "--summary"])
    if why := lacks("torchinfo", "torchvision"):
        return [missing(name, "torchinfo", why)]
    own, peer = alternating(runs, ours, partial(process, [sys.executable, "-c", TORCHINFO_COLD]))
    return [
        row(name, [a for a, _ in own], [b for b, _ in peer], against="torchvision + torchinfo", goal=faster(12)),
        row(
            memory,
            [a for _, a in own],
            [b for _, b in peer],
            unit="MB",
            against="torchvision + torchinfo",
            goal=below(60, "MB"),
        ),
    ]


def _keras(runs: int) -> Row:
    name = "cold summary of DenseNet-201"
    if why := lacks("keras"):
        return missing(name, "Keras", why)
    ours = partial(process, [*ARCHDSL, "build", "specs/densenet201.yaml", "--summary"])
    own, peer = alternating(runs, ours, partial(process, [sys.executable, "-c", KERAS_COLD]))
    return row(name, [a for a, _ in own], [b for b, _ in peer], against="Keras, building too", goal=NO_GOAL)


def _check(runs: int) -> list[Row]:
    """`archdsl check`, of one spec and of all that are shipped."""
    from archdsl import library

    one = repeated(runs, partial(process, [*ARCHDSL, "check", "specs/googlenet.yaml"]))
    specs = sorted(path for path in library.folder().rglob("*.yaml") if path.parent.name != "blocks")
    every = repeated(min(runs, 3), partial(process, [*ARCHDSL, "check", *specs]))
    return [
        row("cold check of GoogLeNet", [wall for wall, _ in one], goal=NO_GOAL),
        row(f"cold check of all {len(specs)} shipped specs", [wall for wall, _ in every], goal=NO_GOAL),
    ]


def warm(runs: int) -> list[Row]:
    """DenseNet-201 from its text to all facts, against peers on a model that stands ready; each in its own process."""
    name = "all facts of DenseNet-201"
    peers = ("torchinfo", "fvcore", "fx", "flop_counter", "keras")
    reasons = {tool: lacks(*TOOLS[tool].needs) for tool in peers}
    found: dict[str, list[float]] = {tool: [] for tool in ("archdsl", *peers)}
    for _ in range(runs):
        for tool, seconds in found.items():
            if not reasons.get(tool):
                _take(tool, seconds, reasons)
    rows = []
    for tool in peers:
        title = TOOLS[tool].title
        if reasons[tool]:
            rows.append(missing(name, title, reasons[tool]))
            continue
        goal = faster(20) if tool == "torchinfo" else NO_GOAL
        rows.append(row(name, found["archdsl"], found[tool], against=title, goal=goal))
    return rows


def _take(tool: str, seconds: list[float], reasons: dict[str, str]) -> None:
    """One more figure of a tool, or why there is none."""
    try:
        seconds.append(job(tool, "densenet201")["seconds"])
    except (Overtime, Gone) as wrong:
        if tool == "archdsl":
            raise
        reasons[tool] = str(wrong)


def depth(runs: int) -> list[Row]:
    """A block repeated a million times against ten times; ten thousand distinct layers against a thousand."""
    pairs: tuple[tuple[Any, ...], ...] = (
        ("1,000,000 equal blocks", "10 of them", "equal:1000000", "equal:10", Goal("at most 2 times", ratio=0.5)),
        ("10,000 distinct layers", "1,000 of them", "distinct:10000", "distinct:1000", below(1, "s")),
    )
    rows = []
    for name, against, many, some, goal in pairs:
        ours, peer = alternating(
            runs, lambda n=many: job("archdsl", n)["seconds"], lambda n=some: job("archdsl", n)["seconds"]
        )
        rows.append(row(name, ours, peer, against=against, goal=goal))
    return rows
