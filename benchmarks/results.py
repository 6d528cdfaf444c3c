"""benchmarks/results.json: a part of the measurements at a time, and the table that is written from it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILE = HERE / "results.json"
TABLE = HERE / "results.md"
HEAD = "| what | against | ours | peer | peer / ours | wanted | reached |"
_TOLD = ("torch", "torchvision", "torchinfo", "fvcore", "keras", "torchview")


def load() -> dict[str, Any]:
    """Part -> its machine and what was measured; empty where nothing was."""
    return json.loads(FILE.read_text()) if FILE.is_file() else {}


def store(part: str, measured: Mapping[str, Any], order: tuple[str, ...]) -> None:
    """Replaces one part and leaves the others; writes the table anew."""
    parts = load() | {part: {"machine": machine(), **measured}}
    parts = {name: parts[name] for name in order if name in parts}
    FILE.write_text(json.dumps(parts, indent=1) + "\n")
    TABLE.write_text("\n".join(markdown(parts)) + "\n")


def machine() -> str:
    """Processor, cores, Python, and the versions of torch and the peers."""
    threads = os.environ.get("OMP_NUM_THREADS")
    told = [_processor(), f"{os.cpu_count()} cores" + (f" ({threads} used by torch)" if threads else "")]
    told.append(f"Python {platform.python_version()}")
    for name in _TOLD:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(told)


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()


def rows(parts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of all parts in order."""
    for part in parts.values():
        yield from part.get("rows", ())


def markdown(parts: Mapping[str, Any]) -> list[str]:
    """The rows as tables, one for each kind of machine."""
    lines: list[str] = []
    machines = dict.fromkeys(part["machine"] for part in parts.values() if part.get("rows"))
    for name in machines:
        lines += [f"Measured on {name}; medians, ours and the peer's in turn.", ""]
        lines += [
            "| what | against | ours | peer | peer / ours | wanted | |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for part in parts.values():
            lines += [line(row) for row in part.get("rows", ()) if part["machine"] == name]
        lines.append("")
    return [*lines, "`benchmarks/speed.py` measures and writes this; [the page](../docs/speed.md) explains it."]


def line(row: Mapping[str, Any]) -> str:
    """One row of a table."""
    if "missing" in row:
        return f"| {row['name']} | {row['against']} | | | | {row['missing']} | |"
    unit = row["unit"]
    peer, ratio = ("", "") if "peer" not in row else (figure(row["peer"], unit), f"{row['ratio']:.2f}")
    if "ratios" in row and len(row["ratios"]) > 1:
        ratio += f" ({row['ratios'][0]:.2f} to {row['ratios'][-1]:.2f})"
    reached = {True: "yes", False: "**no**", None: ""}[row.get("reached")]
    cells = (row["name"], row["against"], figure(row["ours"], unit), peer, ratio, row["wanted"], reached)
    return f"| {' | '.join(cells)} |"


def figure(value: float, unit: str) -> str:
    """A figure with three digits: 12.3 ms, 1.23 s, 37.4 MB."""
    if unit == "s" and value < 1:
        value, unit = value * 1000, "ms"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
