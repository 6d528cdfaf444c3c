"""Write docs/documents/: what four lectures print about networks, beside what archdsl tells.

The printed numbers are data, tests/reference/documents/printed.json; ours come from the summary's JSON. A test holds
the pages to both.
"""

from __future__ import annotations

import json
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import archdsl
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError

ROOT = Path(__file__).parent.parent
PRINTED = ROOT / "tests" / "reference" / "documents" / "printed.json"
PAGES = ROOT / "docs" / "documents"
FLOAT = 4  # bytes
MEGABYTE = 1e6
HOW = (
    "Each number that the document prints stands beside the one that archdsl computes. ✓ they agree; ✗ the document is "
    "wrong, and the reason stands below the table. What has no sign isn't printed there. "
    "Shapes are those of one image, channels first."
)
# The columns of torchinfo's tables, with the layer's field that answers each.
COLUMNS = {"params": "parameters", "macs": "mult-adds"}


class Cell(NamedTuple):
    """A printed number, ours, and why they differ where they do.

    what: the layer's path and field in a table of layers. printed: empty where the document doesn't say.
    """

    document: str
    what: str
    printed: str
    ours: str
    why: str

    @property
    def agrees(self) -> bool:
        return self.printed == self.ours


@cache
def printed() -> Any:
    """What the documents print, by document."""
    return json.loads(PRINTED.read_text(encoding="utf-8"))


@cache
def facts(document: str, name: str) -> Any:
    """The summary of a network, as `build --summary --full --macs torchinfo --format json` prints it."""
    own = printed()[document]["specs"].get(name)
    name, _, setting = name.partition("?")
    network = load(name, setting) if own is None else archdsl.loads(own, name=f"{name}.arch")
    return network.to_json(full=True, macs="torchinfo")


def load(name: str, setting: str = "") -> Network:
    """A shipped network, with another value of a parameter where one is given as NAME=VALUE."""
    parameter, _, value = setting.partition("=")
    return archdsl.load(name, **({parameter: value} if setting else {}))


def ours(document: str, ask: str) -> str:
    """The answer to `SPEC FIELD`, `SPEC PATH FIELD` or the ratio of two.

    SPEC may have another value of a parameter (`googlenet_cifar?classifier=yes`); a PATH that ends in `*` stands for
    the sum over all layers that begin so.
    """
    if " / " in ask:
        above, below = (ours(document, part).replace(",", "") for part in ask.split(" / "))
        return f"{int(above) / int(below):.6f}"
    name, *path, field = ask.split()
    network = facts(document, name)
    if path == ["key"]:
        return _spelled(network["state_dict"][field])
    return _spelled(_of_layer(network, path[0], field) if path else _of_network(network, field))


def _of_layer(network: Any, path: str, field: str) -> Any:
    if path.endswith("*"):
        return sum(layer[field] for layer in network["layers"] if layer["path"].startswith(path[:-1]))
    (layer,) = (layer for layer in network["layers"] if layer["path"] == path)
    positions = {"channels": 0, "height": 1}
    return layer["output"][positions[field]] if field in positions else layer[field]


def _of_network(network: Any, field: str) -> Any:
    """`passes`, `stored` and `total` are torchinfo's estimates in MB: outputs of layers with parameters, kept twice."""
    output = next(iter(network["outputs"].values()))
    passes = sum(prod(layer["output"]) for layer in network["layers"] if layer["params"]) * 2 * FLOAT
    stored = network["params"] * FLOAT
    entering = prod(network["inputs"]["input"]) * FLOAT
    keys = network["state_dict"].items()
    answers = {
        "params": network["params"],
        # In training, as torchinfo runs it: side heads included.
        "macs": network["macs"] + network["training_macs"],
        "output": output,
        "weights": sum(prod(shape) for key, shape in keys if key.endswith(".weight")),
        # Counters of batches are integers of their own, which came later.
        "bytes": sum(prod(shape) for key, shape in keys if not key.endswith("num_batches_tracked")) * FLOAT,
        "passes": passes / MEGABYTE,
        "stored": stored / MEGABYTE,
        "total": (entering + passes + stored) / MEGABYTE,
    }
    return answers[field]


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"


def cells(document: str) -> tuple[Cell, ...]:
    """Every number of a document, in its order."""
    return tuple(cell for section in printed()[document]["sections"] for cell in cells_of(document, section))


def cells_of(document: str, section: Any) -> tuple[Cell, ...]:
    """The numbers of a section: the rows of its table, then the single ones."""
    found = []
    for row in section.get("rows", ()):
        for field in ("output", *COLUMNS):
            answer = ours(document, f"{section['spec']} {row['path']} {field}")
            found.append(Cell(document, f"{row['path']} {field}", row[field], answer, ""))
    for value in section["values"]:
        answer = ours(document, value["ours"])
        found.append(Cell(document, value["what"], value["printed"], answer, value.get("why", "")))
    return tuple(found)


def page(document: str) -> str:
    """A document's page."""
    about = printed()[document]
    every = [cell for cell in cells(document) if cell.printed]
    wrong = sum(not cell.agrees for cell in every)
    lines = [f"# {about['title']}", "", about["text"], "", HOW, ""]
    lines += [f"Of {len(every)} numbers {len(every) - wrong} agree" + (f" and {wrong} don't." if wrong else "."), ""]
    for section in about["sections"]:
        lines += [f"## {section['heading']}", ""]
        if section.get("text"):
            lines += [section["text"], ""]
        lines += _specs(document, section)
        lines += _rows(document, section)
        lines += _values(document, section)
        if "error" in section:
            lines += ["```", refusal(section["error"]), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _specs(document: str, section: Any) -> list[str]:
    """The small networks that a section's numbers are of, each once."""
    own = printed()[document]["specs"]
    names = dict.fromkeys(value["ours"].split()[0] for value in section["values"])
    return [line for name in names if name in own for line in ("```arch", own[name].rstrip(), "```", "")]


def _rows(document: str, section: Any) -> list[str]:
    """A table of layers as torchinfo prints it, with our numbers beside."""
    if "rows" not in section:
        return []
    lines = [
        "| layer | | output | parameters | ours | mult-adds | ours | |",
        "|---|---|---|---:|---:|---:|---:|---|",
    ]
    for row in section["rows"]:
        found = {field: ours(document, f"{section['spec']} {row['path']} {field}") for field in ("output", *COLUMNS)}
        sign = _sign(all(found[field] == row[field] for field in found))
        numbers = " | ".join(f"{row[field]} | {found[field]}" for field in COLUMNS)
        lines.append(f"| `{row['path']}` | {row['op']} | {row['output']} | {numbers} | {sign} |")
    return [*lines, ""]


def _values(document: str, section: Any) -> list[str]:
    single = cells_of(document, section)[len(section.get("rows", ())) * (1 + len(COLUMNS)) :]
    if not single:
        return []
    lines = ["| | printed | archdsl | |", "|---|---:|---:|---|"]
    lines += [
        f"| {cell.what} | {cell.printed} | {cell.ours} | {_sign(cell.agrees) if cell.printed else ''} |"
        for cell in single
    ]
    reasons: dict[str, list[str]] = {}
    for cell in single:
        if cell.why:
            reasons.setdefault(cell.why, []).append(cell.printed)
    notes = [f"- ✗ {', '.join(numbers)}: {why}" for why, numbers in reasons.items()]
    return [*lines, "", *notes, *([""] if notes else [])]


def _sign(agrees: bool) -> str:
    return "✓" if agrees else "✗"


def refusal(asked: str) -> str:
    """What is told of a network that can't be: message, what was expected, what came, and the help."""
    name, setting = asked.split()
    try:
        load(name, setting)
    except SpecError as error:
        first = error.diagnostics[0]
        lines = [f"{first.severity}[{first.code}]: {first.text(first.message)}"]
        for heading in ("expected", "got", "help"):
            text = first.text(getattr(first, heading))
            lines += [f"  {heading + ':':<10}{text}"] if text else []
        return "\n".join(lines)
    raise AssertionError(f"{name} compiles with {setting}")


def pages() -> dict[str, str]:
    """File name -> text of all pages."""
    made = {f"{document}.md": page(document) for document in printed()}
    titles = [f"- [{about['title']}]({document}.md)" for document, about in printed().items()]
    text = "archdsl began with four lectures. What they print of networks can be built, seen and checked:"
    return {"index.md": "\n".join(["# The documents", "", text, "", *titles]) + "\n", **made}


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
