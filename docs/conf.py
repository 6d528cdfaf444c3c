"""The documentation site: `make docs` writes the pages that are made from the code, then runs Sphinx with this."""

from __future__ import annotations

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from archdsl.version import VERSION

# The sidebar. A page that stands in none of these lists ends a strict build.
NAVIGATION = {
    "Begin": ("tutorial", "tour", "language", "decisions", "papers", "examples"),
    "Use": (
        *("diagrams", "page", "publish", "features", "weights", "data", "train", "after-training", "experiments"),
        *("compare", "solve", "optimize"),
    ),
    "Networks": ("gallery/index", "networks", "documents/index"),
    "Reference": (
        *("reference/ops", "reference/words", "reference/commands", "reference/python", "interface", "errors"),
    ),
    "About": ("inside", "security", "limits", "speed", "comparison"),
}
DOCUMENTS = ("001", "002", "003", "004")

project = "archdsl"
copyright = "the archdsl authors"
release = VERSION
extensions = ["myst_parser", "archdsl.docs.sphinx"]
exclude_patterns = ["pictures"]
nitpicky = True
highlight_language = "text"

myst_heading_anchors = 4  # levels whose headings links can lead to, as on code hosts
myst_fence_as_directive = ["archdsl"]
myst_enable_extensions = ["html_image"]

html_theme = "furo"
html_title = "archdsl"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Puts the sidebar's lists under the pages that lead to others: they are read on code hosts too, as they stand."""
    if page == "index":
        source[0] += "".join(_toctree(pages, title) for title, pages in NAVIGATION.items())
    if page == "documents/index":
        source[0] += _toctree(DOCUMENTS)


def _toctree(pages: tuple[str, ...], title: str = "") -> str:
    caption = f":caption: {title}\n" if title else ""
    return "\n```{toctree}\n:hidden:\n" + caption + "\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", add_navigation)
    for name in ("keys", "output"):  # what snippets give
        app.add_lexer(name, TextLexer)
