"""Write the figures and plots of docs/speed.md from benchmarks/results.json, which benchmarks/speed.py measures.

What stands on the page between `<!-- rows: cold warm -->` and `<!-- end -->` is written here, the rest by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "speed.md"
PICTURES = ROOT / "docs" / "pictures" / "speed"
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "scripts")]

from results import HEAD, figure, line, load, rows  # noqa: E402

Parts = Mapping[str, Any]
_BLOCK = re.compile(r"(<!-- (\w+)(?:: ([\w ]+))? -->\n).*?(<!-- end -->)", re.DOTALL)
_LONGEST = 60  # letters of a reason


def page(text: str, parts: Parts) -> str:
    """The page with its figures. Raises KeyError for a block that nobody knows."""

    def filled(block: re.Match[str]) -> str:
        head, kind, names, end = block.groups()
        return f"{head}{BLOCKS[kind](parts, (names or '').split())}{end}"

    return _BLOCK.sub(filled, text)


def _machines(parts: Parts, _: list[str]) -> str:
    """The machines, each with the parts that were measured on it."""
    found: dict[str, list[str]] = {}
    for name, part in parts.items():
        found.setdefault(part["machine"], []).append(f"`{name}`")
    if len(found) == 1:
        return f"- {next(iter(found))}\n"
    return "".join(f"- {machine}: {', '.join(names)}\n" for machine, names in found.items())


def _rows(parts: Parts, names: list[str]) -> str:
    found = [row for name in names if name in parts for row in parts[name]["rows"]]
    return _table(HEAD, "| --- | --- | --: | --: | --: | --- | --- |", [line(row) for row in found])


def _start(parts: Parts, _: list[str]) -> str:
    """Where a cold start goes."""
    told, whole = parts["start"]["start"], parts["start"]["whole"]
    floor = sum(one["seconds"] for one in told if one["what"] in ("Python itself", "typer", "pydantic"))
    cells = [(one["what"], one["seconds"]) for one in told if one["seconds"] >= 0.0005]
    cells += [("*Python, typer and pydantic*", floor), ("*all*", whole)]
    lines = [f"| {name} | {figure(value, 's')} | {value / whole:.0%} |" for name, value in cells]
    return _table("| what | time | share |", "| --- | --: | --: |", lines)


def _curves(parts: Parts, _: list[str]) -> str:
    """The last point of each curve, and the exponents."""
    head = "| what grows | tool | up to | time there | exponent | memory there | exponent |"
    lines = [_curve(one) for one in parts["curves"]["curves"]]
    return _table(head, "| --- | --- | --: | --: | --: | --: | --: |", lines)


def _curve(one: Mapping[str, Any]) -> str:
    if not one.get("points"):
        return f"| {one['title']} | {one['tool']} | {_short(one.get('missing') or one['stopped'])} | | | | |"
    last = one["points"][-1]
    up_to = f"{last['size']:,} {one['unit']}" + (f"; {_short(one['stopped'])}" if one["stopped"] else "")
    time, memory = figure(last["seconds"], "s"), figure(last["memory"], "MB")
    slopes = ["" if one[what] is None else f"{one[what]:.2f}" for what in ("seconds", "memory")]
    return f"| {one['title']} | {one['tool']} | {up_to} | {time} | {slopes[0]} | {memory} | {slopes[1]} |"


def _short(reason: str) -> str:
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"


def _unreached(parts: Parts, _: list[str]) -> str:
    """The rows that miss their goal."""
    missed = [row for row in rows(parts) if row.get("reached") is False]
    return "".join(f"- {row['name']}: {_got(row)}, wanted {row['wanted']}\n" for row in missed) or "- none\n"


def _difference(parts: Parts, _: list[str]) -> str:
    """How far the outputs of the optimised networks are from those of the networks as written."""
    found = [row["error"] for row in parts.get("optimized", {}).get("rows", ()) if "error" in row]
    return f"The outputs differ by at most {max(found, default=0):.0e} of the largest.\n"


def _got(row: Mapping[str, Any]) -> str:
    own = figure(row["ours"], row["unit"])
    if "peer" not in row:
        return own
    return f"{own} against {figure(row['peer'], row['unit'])} of {row['against']} (peer / ours {row['ratio']:.2f})"


def _table(head: str, rule: str, lines: Iterable[str]) -> str:
    """A table, with the empty lines that it needs around it."""
    return "".join(f"{one}\n" for one in ("", head, rule, *lines, ""))


BLOCKS: dict[str, Callable[[Parts, list[str]], str]] = {
    "machines": _machines,
    "rows": _rows,
    "start": _start,
    "curves": _curves,
    "difference": _difference,
    "unreached": _unreached,
}


def main() -> None:
    """Writes the page and its plots."""
    from speed_plots import plots

    parts = load()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), parts), encoding="utf-8")
    PICTURES.mkdir(exist_ok=True)
    for name, content in plots(parts).items():
        (PICTURES / name).write_bytes(content)


if __name__ == "__main__":
    main()
