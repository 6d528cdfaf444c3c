"""Pictures of a run, for a screen, a page or a slide: matplotlib's figures, with no state that others could share."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from archdsl.failure import WrongUsage
from archdsl.render import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

DPI = 200
KINDS = ("png", "pdf", "svg")
# Told apart by nearly everybody, in this order (Okabe and Ito 2008); their yellow is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = ("", "o", "s", "^", "D")  # for runs beyond the colours
_MOST_NAMED = 40  # classes in a confusion matrix
_NUMBERED = 15  # up to as many have their counts written into the cells
_COLUMNS = 5  # of images
_LONGEST = 13  # letters of a class's name

History = Sequence[Mapping[str, float]]


class Mistake(NamedTuple):
    """An image, uint8 (channels, height, width); its class, what it was taken for, and how surely."""

    image: Tensor
    label: str
    guess: str
    sureness: float


def picture(figure: Figure, kind: str = "png") -> bytes:
    """The picture as a file; kind: one of KINDS."""
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=DPI, facecolor="white")
    return out.getvalue()


def kind_of(path: Path) -> str:
    """The kind of picture that a file's name asks for. Raises WrongUsage."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise WrongUsage(f"can't tell what picture `{path}` is to be", help=f"it ends in .{', .'.join(KINDS)}")
    return kind


def curves(history: History) -> Figure:
    """Loss and accuracy over the epochs of a run. history: a row an epoch, as in `metrics.csv`."""
    figure, (left, right) = _panels(6.4, 2.7)
    for axes, what in ((left, "loss"), (right, "accuracy")):
        for split, colour, line in (("train", COLOURS[1], "--"), ("test", COLOURS[0], "-")):
            name = {"train": "training", "test": "test"}[split]
            _line(axes, history, f"{split}_{what}", colour=colour, line=line, label=name)
    right.legend(loc="best", fontsize=9, frameon=False)
    return figure


def comparison(runs: Mapping[str, History]) -> Figure:
    """Loss and test accuracy of several runs over their epochs, by the names of the runs."""
    figure, (left, right) = _panels(6.4, 2.7 + 0.22 * ((len(runs) + 1) // 2))
    for number, (name, history) in enumerate(runs.items()):
        colour = COLOURS[number % len(COLOURS)]
        mark = _MARKERS[number // len(COLOURS) % len(_MARKERS)]
        _line(left, history, "train_loss", colour=colour, line=":", label="", mark=mark)
        _line(left, history, "test_loss", colour=colour, line="-", label="", mark=mark)
        _line(right, history, "test_accuracy", colour=colour, line="-", label=plain(name, 40), mark=mark)
    left.set_title("loss (dotted: training, solid: test)", fontsize=10, loc="left")
    right.set_title("test accuracy", fontsize=10, loc="left")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return figure


def confusion(counts: Tensor, names: Sequence[str]) -> Figure:
    """What was taken for what: a row for each class, a column for each guess, shares of the row.

    Above 40 classes those alone that are mistaken most often. counts: int64 (classes, classes).
    """
    chosen = most_mistaken(counts)
    title = "" if len(chosen) == len(names) else f"the {len(chosen)} of {len(names):,} classes with most mistakes"
    part = counts[chosen][:, chosen]
    shares = part / counts[chosen].sum(1, keepdim=True).clamp(min=1)
    side = 1.6 + max(2.4, min(5.6, 0.36 * len(chosen)))
    figure = Figure(figsize=(side + 0.7, side), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    small = 9 if len(chosen) <= _NUMBERED else 6
    labels = [plain(names[index], 18) for index in chosen]
    upright = all(len(label) <= 3 for label in labels)
    axes.set_xticks(range(len(chosen)), labels, fontsize=small, rotation=0 if upright else 90)
    axes.set_yticks(range(len(chosen)), labels, fontsize=small)
    axes.tick_params(length=0)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(title, fontsize=10, loc="left")
    if len(chosen) <= _NUMBERED:
        _write_counts(axes, part, shares)
    bar = figure.colorbar(shown, ax=axes, format=PercentFormatter(1.0), shrink=0.8)
    bar.outline.set_visible(False)
    return figure


def most_mistaken(counts: Tensor) -> list[int]:
    """The classes that a picture has room for, in their order: those with most mistakes, as row or as column."""
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    order = wrong.argsort(descending=True, stable=True)[:_MOST_NAMED]
    return sorted(int(index) for index in order)


def mistakes(found: Sequence[Mistake]) -> Figure:
    """Images with what they are, what they were taken for, and how surely."""
    rows = max(1, -(-len(found) // _COLUMNS))
    figure = Figure(figsize=(7.2, 0.2 + 1.9 * rows), layout="constrained")
    for place in range(rows * _COLUMNS):
        axes = figure.add_subplot(rows, _COLUMNS, place + 1)
        axes.set_axis_off()
        if place >= len(found):
            continue
        one = found[place]
        show(axes, one.image)
        took = "rightly seen" if one.guess == one.label else f"taken for {plain(one.guess)}"
        axes.set_title(f"{plain(one.label)}\n{took}\n{one.sureness:.0%} sure", fontsize=7.5)
    return figure


def show(axes: Axes, image: Tensor) -> None:
    """An image, uint8 (channels, height, width), grey or in colours, its pixels sharp."""
    pixels = image[0] if image.shape[0] == 1 else image.permute(1, 2, 0)
    axes.imshow(pixels.numpy(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def _panels(width: float, height: float) -> tuple[Figure, tuple[Axes, Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    for axes, title in ((left, "loss"), (right, "accuracy")):
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("epoch", fontsize=10)
        axes.tick_params(labelsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, steps=[1, 2, 5, 10]))
        axes.grid(color="#E0E0E0", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    return figure, (left, right)


def _line(axes: Axes, history: History, column: str, *, colour: str, line: str, label: str, mark: str = "") -> None:
    epochs = [row["epoch"] for row in history]
    if len(epochs) == 1:
        mark = mark or "o"  # a line through one point is none
    axes.plot(
        epochs,
        [row[column] for row in history],
        color=colour,
        linestyle=line,
        linewidth=1.6,
        marker=mark,
        markersize=4,
        markevery=max(1, len(epochs) // 8),
        label=label or None,
    )


def _write_counts(axes: Axes, counts: Tensor, shares: Tensor) -> None:
    for row, line in enumerate(counts.tolist()):
        for column, count in enumerate(line):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=colour)


def plain(name: str, longest: int = _LONGEST) -> str:
    """A name as text, its middle left out where it is long: matplotlib would read `$x$` as a formula."""
    tail = longest // 3
    short = name if len(name) <= longest else f"{name[: longest - tail - 1]}…{name[-tail:]}"
    return visible(short).replace("$", r"\$")
