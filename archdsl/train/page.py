"""The report of a run: one page with everything in it."""

from __future__ import annotations

import shlex
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor

from archdsl.recipe import Recipe
from archdsl.render import visible
from archdsl.train.data import Data
from archdsl.train.plots import History
from archdsl.train.trained import Trained

_CONFUSIONS = 10  # pairs of classes that are told
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #767676; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.about { color: var(--quiet); margin-top: .2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { text-align: left; font-weight: normal; padding: .15rem 1.2rem .15rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--quiet); } .number { text-align: right; }
.scores { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1.5rem 0; }
.scores b { display: block; font-size: 1.8rem; font-weight: 600; }
.scores span { color: var(--quiet); }
img { max-width: 100%; display: block; background: white; }
pre { overflow-x: auto; font-size: 12px; line-height: 1.35; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 0 3rem; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2, img, table { break-inside: avoid; }
  h2 { break-after: avoid; } pre { white-space: pre-wrap; font-size: 8px; } }
"""


def written(
    found: Trained,
    data: Data,
    scores: Mapping[str, float],
    counts: Tensor,
    pictures: Mapping[str, bytes],
    history: History,
) -> str:
    """The page, its pictures embedded. counts: the confusion matrix of the test images."""
    about, net = found.about, found.network.net
    title = f"{found.folder.path.resolve().name}: {about.network} on {Path(data.name).name}"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=about>{_text(net.about)}</p>" if net.about else "",
        _scores(scores, history),
        _picture("Curves", "loss and accuracy over the epochs", pictures["curves.png"]),
        "<div class=two>",
        f"<div>{_picture('What was taken for what', 'confusion matrix', pictures['confusion.png'])}</div>",
        _confusions(counts, found.classes),
        "</div>",
        _picture(_title_of_mistakes(scores), "test images with the highest loss", pictures["mistakes.png"]),
        "<div class=two>",
        _section("Data", _data(found, data)),
        _section("Network", _network(found)),
        _section("Recipe", _recipe(about.told_recipe())),
        _section("Run", _run(found)),
        "</div>",
        "<h2>Layers</h2>",
        f"<pre>{_text(found.network.summary(width=110))}</pre>",
    ]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{_text(title)}</title>"
    body = "\n".join(part for part in parts if part)
    return (
        f"<!doctype html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _scores(scores: Mapping[str, float], history: History) -> str:
    told = {
        "test accuracy": f"{scores['top1']:.2%}",
        **({"among the first five": f"{scores['top5']:.2%}"} if "top5" in scores else {}),
        "test loss": f"{scores['loss']:.4f}",
        "training accuracy": f"{history[-1]['train_accuracy']:.2%}",
        "training loss": f"{history[-1]['train_loss']:.4f}",
        "epochs": f"{len(history)}",
    }
    boxes = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in told.items())
    return f"<div class=scores>{boxes}</div>"


def _title_of_mistakes(scores: Mapping[str, float]) -> str:
    return "No mistakes: the least sure answers" if scores["top1"] == 1 else "The worst mistakes"


def _picture(title: str, alt: str, content: bytes) -> str:
    return f"<h2>{title}</h2>\n<img alt='{alt}' src='data:image/png;base64,{b64encode(content).decode()}'>"


def _confusions(counts: Tensor, classes: Sequence[str]) -> str:
    """The pairs that are confused most often."""
    wrong = counts.clone().fill_diagonal_(0).flatten()
    order = [int(pair) for pair in wrong.argsort(descending=True, stable=True)[:_CONFUSIONS] if wrong[pair]]
    if not order:
        return ""
    rows = []
    for pair in order:
        label, guess = divmod(pair, len(classes))
        total = int(counts[label].sum())
        rows.append((classes[label], classes[guess], f"{int(wrong[pair]):,} of {total:,}"))
    return f"<div><h2>Taken for another most often</h2>\n{_table(rows, head=('is', 'taken for', 'images'))}</div>"


def _data(found: Trained, data: Data) -> Iterable[tuple[str, str]]:
    yield "data set", data.name
    yield "classes", f"{len(data.classes):,}"
    yield "training images", f"{len(data.train):,}"
    yield "test images", f"{len(data.test):,}"
    size = "of any size" if data.size is None else " x ".join(map(str, data.size))
    yield "images", f"{size}, {'grey' if data.channels == 1 else 'in colours'}"
    images = found.images
    if images.mean or images.std:
        yield "mean, std", f"{_numbers(images.mean)}; {_numbers(images.std)}"


def _network(found: Trained) -> Iterable[tuple[str, str]]:
    cost = found.network.cost()
    yield "network", found.about.network
    yield "input", "x".join(map(str, (found.images.channels, *found.images.crop)))
    yield from found.about.params.items()
    yield "parameters", f"{cost.params:,}"
    yield "MACs for an image", f"{cost.macs:,}"


def _recipe(recipe: Recipe) -> Iterable[tuple[str, str]]:
    """What isn't as it is without a word, and what is always worth knowing."""
    always = ("batch", "epochs", "optimizer", "lr", "schedule", "seed")
    usual = Recipe()
    for name, value in recipe:
        if name != "data" and (name in always or value != getattr(usual, name)):
            yield name, _setting(value)


def _run(found: Trained) -> Iterable[tuple[str, str]]:
    about, tuning = found.about, found.about.told_tuning()
    yield "command", shlex.join(("archdsl", *about.command))
    if tuning.weights is not None:
        yield "began with", tuning.weights + (", its head drawn anew" if tuning.head == "new" else "")
    if tuning.freeze:
        yield "frozen", ", ".join(tuning.freeze)
    yield "threads", str(about.threads)
    yield from about.versions.items()


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return _numbers(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_setting(inner)}" for name, inner in value.items())
    if isinstance(value, (int, float, str)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    usual = type(value)()
    return ", ".join(f"{name} {_setting(inner)}" for name, inner in value if inner != getattr(usual, name))


def _numbers(values: Iterable[Any]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return f"<div><h2>{title}</h2>\n{_table(rows)}</div>"


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    lines = ["<tr>" + "".join(f"<th>{_text(cell)}</th>" for cell in head) + "</tr>"] if head else []
    for first, *others in rows:
        start = f"<td>{_text(first)}</td>" if head else f"<th>{_text(first)}</th>"
        lines.append(f"<tr>{start}" + "".join(f"<td>{_text(cell)}</td>" for cell in others) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def _text(text: str) -> str:
    """Text as a page shows it; lines stay, what steers a terminal doesn't."""
    return "\n".join(escape(visible(line)) for line in text.split("\n"))
