"""The gallery: a page for each shipped network: picture, numbers, spec in both spellings, emitted source."""

from __future__ import annotations

import json
from functools import cache
from itertools import takewhile
from pathlib import Path

import make_document_pages as documents
from site_reference import escaped

import archdsl
from archdsl import library
from archdsl.compiler import Network
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read_file

ROOT = Path(__file__).resolve().parent.parent
TORCHVISION = frozenset(json.loads((ROOT / "tests" / "reference" / "torchvision.json").read_text(encoding="utf-8")))
# The folders of the shipped networks, and what is in them.
FOLDERS = {
    "specs": "Networks of torchvision, and other well-known ones",
    "originals": "As the papers have them",
    "cifar": "For CIFAR-10",
    "d2l": "Dive into Deep Learning",
    "lectures": "Small examples of lectures",
    "speech": "Speech recognition",
}
IMAGE = """\
```{{image}} {file}
:alt: {alt}
:class: only-{theme}
:target: {target}
```
"""


def files() -> dict[str, str | bytes]:
    """File name -> content of the gallery's pages and pictures."""
    made: dict[str, str | bytes] = {"index.md": _index()}
    for name in networks():
        diagram = _load(name).diagram()
        made[f"{name}.md"] = page(name)
        for theme in ("light", "dark"):
            made[f"{name}_{theme}.svg"] = diagram.render("svg", theme=theme)
    return made


def explorers() -> dict[str, str | bytes]:
    """File name -> content of the interactive pages."""
    return {f"{name}.html": _load(name).page().html for name in networks()}


@cache
def networks() -> tuple[str, ...]:
    """The shipped networks, without the libraries that only lend blocks."""
    return tuple(name for name, path in library.shipped().items() if read_file(path).network is not None)


@cache
def _load(name: str) -> Network:
    return archdsl.load(name)


def _index() -> str:
    lines = [
        "# Gallery",
        "",
        "All shipped networks, each with its picture, a page to explore it, its numbers, its spec in both spellings,",
        "and the PyTorch that archdsl writes. All of it is made anew whenever this site is built.",
        "",
    ]
    for folder, title in FOLDERS.items():
        lines += [f"## {title}", "", "| network | what it is | parameters | MACs |", "|---|---|---:|---:|"]
        lines += [_row(name) for name in networks() if library.find(name).parent.name == folder]
        lines += [""]
    lines += ["```{toctree}", ":hidden:", "", *networks(), "```", ""]
    return "\n".join(lines)


def _row(name: str) -> str:
    cost = _load(name).cost()
    return f"| [{name}]({name}.md) | {_load(name).net.about or ''} | {cost.params:,} | {cost.macs:,} |"


def page(name: str) -> str:
    """A network's page."""
    network, target = _load(name), f"explore/{name}.html"
    about = f"{network.net.about}." if network.net.about else ""
    pictures = [
        IMAGE.format(file=f"{name}_{theme}.svg", alt=f"Diagram of {name}", theme=theme, target=target)
        for theme in ("light", "dark")
    ]
    parts = [f"# {name}\n", f"{about}\n", _notes(name), _numbers(name), *pictures]
    parts += [f'<p><a href="{target}">Explore {name}</a>: a page of its own, with blocks to open and close.</p>\n']
    parts += [_documents(name), _specs(name), _source(name)]
    return "\n".join(part for part in parts if part.strip())


def _numbers(name: str) -> str:
    network = _load(name)
    facts = network.to_json()
    memory = network.memory()
    rows = [
        ("input", ", ".join("x".join(map(str, shape)) for shape in facts["inputs"].values())),
        ("output", _outputs(facts["outputs"])),
        ("parameters", f"{facts['params']:,}"),
        ("MACs, for one image", f"{facts['macs']:,}"),
        ("memory of the activations, training, one image", f"{memory.activations / 1e6:,.1f} MB"),
    ]
    lines = ["| | |", "|---|---:|", *(f"| {what} | {value} |" for what, value in rows), ""]
    if name in TORCHVISION:
        lines += [
            "Keys, shapes and numbers are those of torchvision's model, whose weights load",
            "[without a mapping](../weights.md); where both leave the paper, [the decisions](../decisions.md) say so.",
            "",
        ]
    return "\n".join(lines)


def _outputs(shapes: dict[str, list[int]]) -> str:
    """Shapes, with the names where there are several."""
    told = {name: "x".join(map(str, shape)) for name, shape in shapes.items()}
    return ", ".join(told.values() if len(told) == 1 else (f"{name}: {shape}" for name, shape in told.items()))


def _notes(name: str) -> str:
    """The comment at the top of the spec: where it comes from, and where it leaves the paper."""
    lines = library.find(name).read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), lines))
    return f"> {escaped(comment)}\n" if comment else ""


def _documents(name: str) -> str:
    """What lectures print of the network, and where they are wrong."""
    lines: list[str] = []
    for document, about in documents.printed().items():
        for section in about["sections"]:
            if name not in _told(section):
                continue
            every = [cell for cell in documents.cells_of(document, section) if cell.printed]
            if not every:
                continue
            wrong = [cell for cell in every if not cell.agrees]
            where = f"[{about['title']}](../documents/{document}.md), “{section['heading'].strip(chr(34))}”"
            lines += [f"- {where}: {len(every) - len(wrong)} of {len(every)} printed numbers agree."]
            told = "  - {}: {} is printed, {} is right. {}"
            lines += [told.format(escaped(one.what), one.printed, one.ours, escaped(one.why)) for one in wrong]
    return "\n".join(("## In the documents", "", *lines, "")) if lines else ""


def _told(section: dict[str, object]) -> set[str]:
    """The networks that a section's numbers are of."""
    values = section["values"]
    assert isinstance(values, list)
    asks = [str(value["ours"]) for value in values] + [str(section.get("spec", ""))]
    return {part.split()[0].partition("?")[0] for ask in asks for part in ask.split(" / ") if part}


def _specs(name: str) -> str:
    path = library.find(name)
    spec = read_file(path)
    texts = {"yaml": print_yaml(spec), "arch": print_text(spec)}
    texts[path.suffix.removeprefix(".")] = path.read_text(encoding="utf-8")
    lines = ["## The spec", ""]
    for base in (spec.extends, *spec.use):
        if base in networks():
            lines += [f"It builds on [{base}]({base}.md).", ""]
    for title, spelling in (("As text", "arch"), ("As YAML", "yaml")):
        lines += [f"### {title}", "", f"````{spelling}", texts[spelling].rstrip(), "````", ""]
    return "\n".join(lines)


def _source(name: str) -> str:
    return f"## In PyTorch\n\n`archdsl build {name} -o {name}.py` writes\n\n````python\n{_load(name).source}````\n"
