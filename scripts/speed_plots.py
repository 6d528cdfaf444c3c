"""The plots of docs/speed.md, drawn from benchmarks/results.json; each file tells which figures it was drawn from."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archdsl.train.plots import COLOURS

WIDTH = 7.4  # inches
FONT = 9
OURS, OTHERS = COLOURS[0], "#9A9A9A"
MARKS = "os^Dv"
# So that two runs write the same bytes, and that every browser shows the same letters.
SVG = {"svg.hashsalt": "archdsl", "svg.fonttype": "path"}
_WAYS = ("variants", "blocks", "branches")
_LEVELS = ("nested", "doubling")

Parts = dict[str, Any]


def plots(parts: Parts) -> dict[str, bytes]:
    """File name -> the SVG, of the parts that were measured."""
    made: dict[str, bytes] = {}
    for name, (needs, figure) in PLOTS.items():
        if all(need in parts for need in needs):
            made[f"{name}.svg"] = _file(figure(parts), drawn_from(parts, needs))
    return made


def drawn_from(parts: Parts, needs: Sequence[str]) -> str:
    """A digest of the figures of some parts, which stands in the file's description."""
    told = json.dumps([{key: value for key, value in parts[need].items() if key != "machine"} for need in needs])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _file(figure: Figure, digest: str) -> bytes:
    out = io.BytesIO()
    with mpl.rc_context(SVG):
        told = {"Date": None, "Creator": None, "Description": f"figures {digest}"}
        figure.savefig(out, format="svg", facecolor="white", metadata=told)
    return re.sub(rb" +\n", b"\n", out.getvalue())


def _figure(height: float) -> Figure:
    return Figure(figsize=(WIDTH, height), layout="constrained")


def _plain(axes: Axes, title: str = "") -> Axes:
    axes.set_title(title, fontsize=FONT + 1, loc="left")
    axes.tick_params(labelsize=FONT)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def peers(parts: Parts) -> Figure:
    """How many times as long the peers take, on a logarithmic axis."""
    rows = [row for name in ("cold", "warm", "pictures") for row in parts.get(name, {}).get("rows", ())]
    rows = [row for row in rows if row.get("unit") == "s" and "peer" in row][::-1]
    figure = _figure(0.7 + 0.32 * len(rows))
    axes = _plain(figure.add_subplot())
    labels = [f"{row['name']}: {row['against'].partition(',')[0]}" for row in rows]
    ratios = [row["ratio"] for row in rows]
    axes.barh(labels, ratios, color=OURS, height=0.62)
    for place, ratio in enumerate(ratios):
        axes.text(ratio * 1.06, place, f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}", va="center", fontsize=FONT)
    axes.set_xscale("log")
    axes.set_xlim(1, max(ratios) * 2)
    axes.xaxis.set_major_formatter(_number)
    axes.grid(axis="x", color="#E0E0E0", linewidth=0.6)
    axes.set_xlabel("the peer's time, in times of archdsl's", fontsize=FONT)
    return figure


def start(parts: Parts) -> Figure:
    """One bar: where a cold start goes."""
    told = [one for one in parts["start"]["start"] if one["seconds"] >= 0.0005]
    figure = _figure(2.0)
    axes = _plain(figure.add_subplot())
    left = 0.0
    for number, one in enumerate(told):
        width = one["seconds"] * 1000
        colour = (OTHERS, *COLOURS)[number % (len(COLOURS) + 1)]
        axes.barh([0], [width], left=left, color=colour, height=0.5, label=f"{one['what']}, {width:.0f} ms")
        left += width
    axes.set_yticks([])
    axes.set_ylim(-0.3, 0.3)
    axes.set_xlim(0, left)
    axes.set_xlabel("milliseconds", fontsize=FONT)
    figure.legend(loc="outside upper center", ncols=3, fontsize=FONT, frameon=False)
    return figure


def growth(parts: Parts) -> Figure:
    """Time above, memory below; equal blocks on the left, distinct layers on the right."""
    figure = _figure(5.6)
    found = parts["curves"]["curves"]
    tools = list(dict.fromkeys(one["tool"] for one in found))
    for column, network in enumerate(("equal", "distinct")):
        chosen = [one for one in found if one["network"] == network and one.get("points")]
        for line, (what, unit) in enumerate((("seconds", "seconds"), ("memory", "MB more"))):
            axes = figure.add_subplot(2, 2, 2 * line + column + 1)
            _lines(axes, chosen, what, [tools.index(one["tool"]) for one in chosen])
            _plain(axes, chosen[0]["title"] if line == 0 else "")
            axes.set_ylabel(unit if column == 0 else "", fontsize=FONT)
            axes.set_xlabel(chosen[0]["unit"] if line == 1 else "", fontsize=FONT)
    shown = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(shown.values(), shown, loc="outside lower center", ncols=5, fontsize=FONT, frameon=False)
    return figure


def ways(parts: Parts) -> Figure:
    """The other ways to grow: in number on the left, in levels on the right."""
    figure = _figure(3.4)
    found = {one["network"]: one for one in parts["curves"]["curves"] if one["tool"] == "archdsl"}
    for column, (names, title) in enumerate(((_WAYS, "number"), (_LEVELS, "levels"))):
        axes = _plain(figure.add_subplot(1, 2, column + 1))
        chosen = [found[name] for name in names]
        _lines(axes, chosen, "seconds", [column * len(_WAYS) + k for k in range(len(chosen))], "title")
        axes.set_ylabel("seconds" if column == 0 else "", fontsize=FONT)
        axes.set_xlabel(title, fontsize=FONT)
    figure.axes[1].set_xscale("linear")
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    named = [str(line.get_label()) for line in lines]
    figure.legend(lines, named, loc="outside lower center", ncols=2, fontsize=FONT, frameon=False)
    return figure


def _lines(
    axes: Axes,
    chosen: Sequence[dict[str, Any]],
    what: str,
    looks: Sequence[int],
    named: str = "tool",
) -> None:
    """Draws curves on two logarithmic axes. named: the field that labels them."""
    for one, look in zip(chosen, looks, strict=True):
        sizes = [point["size"] for point in one["points"]]
        values = [point[what] for point in one["points"]]
        colour, mark = COLOURS[look % len(COLOURS)], MARKS[look % len(MARKS)]
        axes.plot(sizes, values, color=colour, marker=mark, markersize=4, linewidth=1.4, label=one[named])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(_number)
    axes.yaxis.set_major_formatter(_number)
    axes.grid(color="#E0E0E0", linewidth=0.6)


def optimized(parts: Parts) -> Figure:
    """How many times as long the eager network and the compiled one take."""
    rows = parts["optimized"]["rows"]
    names = list(dict.fromkeys(row["name"] for row in rows))
    figure = _figure(3.0)
    axes = _plain(figure.add_subplot())
    for number, (who, colour) in enumerate((("eager", OTHERS), ("torch.compile", COLOURS[1]))):
        ratios = {row["name"]: row["ratio"] for row in rows if row["against"].startswith(who) and "ratio" in row}
        places = [names.index(name) + 0.38 * (number - 0.5) for name in ratios]
        axes.bar(places, ratios.values(), width=0.36, color=colour, label=who)
        for place, ratio in zip(places, ratios.values(), strict=True):
            axes.text(place, ratio, f"{ratio:.2f}", ha="center", va="bottom", fontsize=FONT - 1)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(range(len(names)), [name.replace(" optimised, ", "\n") for name in names], fontsize=FONT - 1)
    axes.set_ylabel("times of the optimised one's", fontsize=FONT)
    figure.legend(loc="outside upper right", ncols=2, fontsize=FONT, frameon=False)
    return figure


def _number(value: float, _: int) -> str:
    """A tick: 0.01, 10, 1k, 1M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


# File -> the parts that it shows, and what draws it.
PLOTS: dict[str, tuple[tuple[str, ...], Callable[[Parts], Figure]]] = {
    "peers": (("cold", "warm", "pictures"), peers),
    "start": (("start",), start),
    "growth": (("curves",), growth),
    "ways": (("curves",), ways),
    "optimized": (("optimized",), optimized),
}
