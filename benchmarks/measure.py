"""What measurements share: processes, pairs taken in turn, and the rows of the table."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent

# torchvision's wheel asks for a CUDA torch; beside a CPU torch two of its operators must be declared first.
TORCHVISION = """
import torch
library = torch.library.Library("torchvision", "FRAGMENT")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


class Row(dict[str, Any]):
    """One measured row: its name, whom it is measured against, both medians, their ratio, what was wanted."""


class Goal(NamedTuple):
    """What a row is to reach: our own figure below a limit, and the peer's divided by ours at least so much."""

    text: str = ""
    below: float = math.inf
    ratio: float = 0.0


def faster(times: float) -> Goal:
    """So many times faster than the peer."""
    return Goal(f"at least {times:g} times faster", ratio=times)


def share(part: float, what: str = "time") -> Goal:
    """At most so much of the peer's time or memory."""
    return Goal(f"at most {part:g} of its {what}" if part != 1 else f"at most its {what}", ratio=1 / part)


def below(limit: float, unit: str) -> Goal:
    """At most so many seconds or MB."""
    return Goal(f"at most {limit:g} {unit}", below=limit)


class Overtime(Exception):
    """A measurement took longer than it may."""


class Gone(Exception):
    """A child ended with an error; the message is its last line."""


def process(command: Sequence[str | Path], limit: float | None = None) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a fresh process with a fresh home. Raises Overtime and Gone.

    A file that it is to write is named `$HOME/...`.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": home}
        arguments = [str(part).replace("$HOME", home) for part in command]
        with tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            child = subprocess.Popen(
                arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
            status, usage = _waited(child, start, limit)
            wall = time.perf_counter() - start
            errors.seek(0)
            told = errors.read().decode(errors="replace").strip()
    if status != 0:
        raise Gone(f"{Path(arguments[0]).name} {' '.join(arguments[1:3])}: {told[-300:]}")
    return wall, usage.ru_maxrss / 1024


def _waited(child: subprocess.Popen[bytes], start: float, limit: float | None) -> tuple[int, Any]:
    """Exit status and resource usage of a child, which is ended at the limit. Raises Overtime."""
    try:
        pid = 0
        while pid == 0:
            if limit is not None and time.perf_counter() - start > limit:
                raise Overtime(f"more than {limit:g} s")
            if limit is not None:
                time.sleep(0.01)
            pid, status, usage = os.wait4(child.pid, 0 if limit is None else os.WNOHANG)
        child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode, usage
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)  # the programs that it has started, too
            child.wait()


def job(tool: str, network: str, limit: float = 120.0) -> dict[str, float]:
    """What one tool needs for one network, in a process of its own (see tools.py). Raises Overtime and Gone."""
    command = [sys.executable, str(ROOT / "benchmarks" / "tools.py"), tool, network]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise Overtime(f"more than {limit:g} s") from None
    if done.returncode:
        raise Gone((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def lacks(*modules: str) -> str:
    """Which of these modules isn't installed, as the table says it; empty if all are."""
    return next((f"{module} isn't installed" for module in modules if find_spec(module) is None), "")


def alternating(runs: int, ours: Callable[[], Any], peer: Callable[[], Any]) -> tuple[list[Any], list[Any]]:
    """Results of two measurements taken in turn, after a warm-up of each."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def in_turn(ours: Sequence[str], peer: Sequence[str], slice: float = 0.7) -> tuple[list[float], list[float]]:
    """Seconds between the lines that two programs print, each in its own time: they run in turn, a slice each.

    A machine that is slower for a while is slower for both. Raises Gone.
    """
    sides = [_Side(command) for command in (ours, peer)]
    try:
        while going := [side for side in sides if side.runs]:
            for side in going:
                side.turn(slice)
    finally:
        for side in sides:
            side.end()
    return sides[0].between, sides[1].between


class _Side:
    """A program that stands still but for its turns."""

    def __init__(self, command: Sequence[str]) -> None:
        self.runs = True
        self._took = 0.0
        self._lines: list[float] = []
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._child = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        os.killpg(self._child.pid, signal.SIGSTOP)

    def turn(self, slice: float) -> None:
        assert self._child.stdout is not None
        start = time.perf_counter()
        os.killpg(self._child.pid, signal.SIGCONT)
        while self.runs and (left := start + slice - time.perf_counter()) > 0:
            if select.select([self._child.stdout], [], [], left)[0]:
                told = self._child.stdout.read(65536)
                self._lines += [self._took + time.perf_counter() - start] * told.count(b"\n")
                self.runs = bool(told)
        if self.runs:
            os.killpg(self._child.pid, signal.SIGSTOP)
        elif self._child.wait():
            raise Gone(f"exit code {self._child.returncode}")
        self._took += time.perf_counter() - start

    def end(self) -> None:
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    @property
    def between(self) -> list[float]:
        return [after - before for before, after in pairwise(self._lines)]


def repeated(runs: int, ours: Callable[[], Any]) -> list[Any]:
    """Results of a measurement, after a warm-up."""
    ours()
    return [ours() for _ in range(runs)]


def timed(function: Callable[[], Any], repeat: int) -> float:
    """Seconds a call, the fastest of some."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def row(
    name: str, ours: Sequence[float], peer: Sequence[float] = (), *, unit: str = "s", against: str = "", goal: Goal
) -> Row:
    """Medians, and the ratio pair by pair; a peer that was measured once stands against all of ours."""
    if len(peer) == 1:
        peer = [peer[0]] * len(ours)
    ratios = sorted(b / a for a, b in zip(ours, peer, strict=True)) if peer else []
    own = statistics.median(ours)
    ratio = statistics.median(ratios) if ratios else None
    made = Row(name=name, against=against, ours=round(own, 5), unit=unit, wanted=goal.text)
    if ratio is not None:
        made |= {"peer": round(statistics.median(peer), 5), "ratio": round(ratio, 2)}
        made["ratios"] = [round(one, 2) for one in ratios]
    if goal.text:
        made["reached"] = own <= goal.below and (ratio is None or ratio >= goal.ratio)
    return made


def missing(name: str, against: str, why: str) -> Row:
    """The row of a peer that can't be measured."""
    return Row(name=name, against=against, missing=why)
