"""Where the time of a cold `archdsl build specs/googlenet.yaml --summary` goes: Python, imports, the work itself."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from measure import ROOT, process

COMMAND = ("-m", "archdsl", "build", "specs/googlenet.yaml", "--summary")
OURS = "archdsl"
LIBRARY = "standard library"
SHOWN = ("typer", "pydantic", "yaml")  # others count as "other packages"


def start(runs: int) -> dict[str, Any]:
    """Seconds of each part, the medians of some runs, in the order in which they come."""
    found = [_one() for _ in range(runs + 1)][1:]
    alone = statistics.median(process([sys.executable, "-c", "pass"])[0] for _ in range(runs))
    names = ("typer", "pydantic", "yaml", LIBRARY, "other packages", OURS)
    parts = [{"what": name, "seconds": round(statistics.median(one[name] for one in found), 4)} for name in names]
    work = statistics.median(one["wall"] - sum(one[name] for name in names) for one in found) - alone
    whole = statistics.median(one["wall"] for one in found)
    return {
        "whole": round(whole, 4),
        "start": [
            {"what": "Python itself", "seconds": round(alone, 4)},
            *parts,
            {"what": "compiling and printing", "seconds": round(work, 4)},
        ],
    }


def _one() -> Counter[str]:
    """Seconds of imports in one run, by part; `wall` is the whole run's."""
    with tempfile.TemporaryFile("w+") as told:
        begun = time.perf_counter()
        command = [sys.executable, "-X", "importtime", *COMMAND]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=told, check=True)
        wall = time.perf_counter() - begun
        told.seek(0)
        found = imports(told.read())
    found["wall"] = wall
    return found


def imports(told: str) -> Counter[str]:
    """Seconds by part, from what `-X importtime` prints: what the standard library takes counts for who asked for it.

    What comes up to `site` is Python's own start and left out.
    """
    lines = [line.split("|") for line in told.splitlines() if line.startswith("import time:") and "self" not in line]
    first = next(k for k, line in enumerate(lines) if line[2].strip() == "site") + 1
    found: Counter[str] = Counter()
    above: list[tuple[int, str]] = []  # the importers of a line, which come after it: so from the end
    for self_us, _, name in reversed(lines[first:]):
        depth = len(name) - len(name.lstrip())
        while above and above[-1][0] >= depth:
            above.pop()
        part = _part(name.strip().partition(".")[0], above[-1][1] if above else OURS)
        above.append((depth, part))
        found[part] += float(self_us.partition(":")[2]) / 1e6
    return found


def _part(package: str, importer: str) -> str:
    if package == OURS or package in SHOWN:
        return package
    if package.removeprefix("_") in SHOWN or package.partition("_")[0] in SHOWN:  # _yaml, pydantic_core
        return package.removeprefix("_").partition("_")[0]
    if package in sys.stdlib_module_names:
        return LIBRARY if importer == OURS else importer
    return importer if importer in SHOWN else "other packages"
