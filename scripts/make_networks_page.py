"""Write docs/networks.md: what each shipped network asks and costs, and how long it is, here and in torchvision."""

from __future__ import annotations

import ast
import io
import json
import sys
import tokenize
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import archdsl
from archdsl import library

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "networks.md"
sys.path.insert(0, str(ROOT / "tests"))

from peers import FILES  # noqa: E402 -- the tests know which file of torchvision builds which family
from zoo import REFERENCE  # noqa: E402

HEAD = """\
# The shipped networks

`archdsl build NAME --summary` shows the layers of each, `archdsl list` those of textbooks and lectures as well.

The state_dict keys, weight shapes and totals of those marked * equal torchvision's, and so do their outputs for equal
weights: its published weights load [without a mapping](weights.md).

- *smallest*: the smallest square image that works, and what its sides must be where more is asked.
- *MACs*: multiply-accumulates of convolutions, linear layers and matrix products, for one image in evaluation.
- *memory*: what one training step keeps for the backward pass, for one image in float32.
- *sees*: the largest receptive field before something (a pool, a gate, attention) looks at the whole image.
- *lines*: of the spec, and in brackets of torchvision's Python for the family, without its tables of published weights
  and its functions that build one network each; comments, blank lines and docstrings are not counted.

| network | paper | input | smallest | parameters | MACs | memory | sees | lines |
|---|---|---|---|---:|---:|---:|---:|---:|
"""


def row(name: str) -> str:
    """One line of the table."""
    network = archdsl.load(name)
    facts = json.loads(network.summary(format="json"))
    about = str(network.net.about).split(", ", 1)[1]
    size = "x".join(map(str, facts["inputs"]["input"]))
    cells = (
        f"`{name}`" + ("*" if name in REFERENCE else ""),
        about,
        size,
        smallest(name),
        f"{facts['params']:,}",
        f"{facts['macs']:,}",
        f"{network.memory().activations / 1e6:,.1f} MB",
        sees(facts["layers"]),
        lines(name),
    )
    return f"| {' | '.join(cells)} |\n"


def smallest(name: str) -> str:
    """The smallest square input, found with its sides left open; a network that is fixed to one says so."""
    channels = archdsl.load(name).net.input.channels
    try:
        asked = archdsl.load(name, input=f"{channels}xHxW").requirements()
    except archdsl.SpecError:
        return "this only"
    assert asked.smallest is not None
    side = str(asked.smallest["H"])
    divisors = {rule.removeprefix("H must be ") for rule in asked.rules if rule.startswith("H must be ")}
    return f"{side}, {', '.join(sorted(divisors))}" if divisors else side


def sees(layers: list[dict[str, Any]]) -> str:
    """The largest receptive field before one is the whole input."""
    fields = [layer["receptive_field"] for layer in layers if layer["effective_stride"]]
    return str(max(field[0] for field in fields)) if fields else "all"


def lines(name: str) -> str:
    """Lines of the spec, and of torchvision's family."""
    text = library.find(name).read_text().splitlines()
    ours = sum(1 for line in text if line.strip() and not line.lstrip().startswith("#"))
    return f"{ours} ({python_lines(name)})" if name in REFERENCE else str(ours)


def python_lines(name: str) -> int:
    """Lines of code in torchvision's file, without what only names published weights or builds one network."""
    found = find_spec("torchvision")
    assert found is not None
    assert found.origin is not None
    module = next(file for prefix, file in FILES.items() if name.startswith(prefix))
    source = Path(found.origin).parent.joinpath("models", *module.split(".")).with_suffix(".py").read_text()
    left_out: set[int] = set()
    for node in ast.parse(source).body:
        if _names_weights(node) or (isinstance(node, ast.FunctionDef) and node.name in REFERENCE):
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
            left_out |= set(range(first, (node.end_lineno or first) + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(_code_lines(source) - left_out)


def _names_weights(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") == "WeightsEnum" for base in node.bases)


def _code_lines(source: str) -> set[int]:
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent:
            found |= set(range(token.start[0], token.end[0] + 1))
    return found


def page() -> str:
    """The page, in alphabetical order."""
    return HEAD + "".join(row(path.stem) for path in sorted(library.folder().glob("*.yaml")))


if __name__ == "__main__":
    PAGE.write_text(page())
