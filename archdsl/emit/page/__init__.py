"""The network as one interactive page: boxes to open, a table, the spec; a single file that asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from archdsl.emit.page.data import data
from archdsl.emit.picture.themes import THEMES
from archdsl.ir import Net
from archdsl.source import Source

_HERE = Path(__file__).parent
_STYLES = ("page.css", "diagram.css", "panel.css")
_SCRIPTS = ("model.js", "diagram.js", "details.js", "table.js", "spec.js", "search.js", "main.js")
# In a notebook's cell.
_HEIGHT = 640  # pixels


class Page(NamedTuple):
    """An interactive page; html: the whole file."""

    name: str
    html: str

    def __repr__(self) -> str:
        return f"<Page {self.name}>"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, where its scripts reach nothing of the notebook."""
        look = f"width: 100%; height: {_HEIGHT}px; border: 1px solid #b8bcc4; border-radius: 6px"
        inner, title = html.escape(self.html), html.escape(self.name)
        return f'<iframe srcdoc="{inner}" title="{title}" sandbox="allow-scripts" style="{look}"></iframe>'


def page(net: Net, files: Sequence[Source]) -> Page:
    """The page of a network; files: those of its spec, the one that was asked for first."""
    style = _palette() + "".join(map(_read, _STYLES))
    script = '"use strict";\n{\n' + "".join(map(_read, _SCRIPTS)) + "}\n"
    parts = {
        "title": html.escape(net.name),
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:;"
        " base-uri 'none'; form-action 'none'",
        "style": style,
        "data": _escaped(json.dumps(data(net, files), ensure_ascii=False, separators=(",", ":"))),
        "script": script,
    }
    # In one go: what is put in may itself look like a place to fill.
    return Page(net.name, re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _read("page.html")))


def _palette() -> str:
    """The colours of the kinds of op, those of the pictures, as variables: `--conv` and `--conv-fill`."""
    rules = []
    for theme, where in (("light", ":root"), ("dark", '@media screen { :root[data-theme="dark"]')):
        kinds = THEMES[theme].kinds.items()
        colours = "".join(f" --{kind}: {line}; --{kind}-fill: {fill};" for kind, (line, fill) in kinds)
        rules.append(f"{where} {{{colours} }}{' }' if where.startswith('@') else ''}\n")
    return "".join(rules)


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A text as the policy names it, so that this script and style run and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _escaped(text: str) -> str:
    """JSON that can't end the element it stands in, whatever is in its strings."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
