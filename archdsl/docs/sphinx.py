"""The directive `archdsl` for Sphinx: `extensions = ["archdsl.docs.sphinx"]` in conf.py.

Under MyST, `myst_fence_as_directive = ["archdsl"]` makes the plain fence one, as MkDocs and code hosts spell it.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from archdsl.docs.fence import Fence, WrongFence, drawn
from archdsl.docs.lexer import ArchLexer
from archdsl.version import VERSION


class SpecRefused(SphinxError):
    """Ends the build: a spec on a page is wrong."""

    category = "archdsl"


class ArchdslDirective(SphinxDirective):
    """A network as a picture, a table or a page; formats other than HTML get the table."""

    has_content: ClassVar[bool] = True
    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        page, line = self.get_source_info()
        fence = Fence(Path(page), line, " ".join(self.arguments), "\n".join(self.content))
        try:
            made = drawn(fence, Path(self.env.app.doctreedir) / "archdsl")
        except WrongFence as wrong:
            raise SpecRefused(str(wrong)) from wrong
        for file in made.files:
            self.env.note_dependency(str(file))
        elsewhere = addnodes.only("", nodes.literal_block(made.text, made.text, language="text"), expr="not html")
        return [nodes.raw("", made.html, format="html"), elsewhere]


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls."""
    app.add_directive("archdsl", ArchdslDirective)
    app.add_lexer("arch", ArchLexer)
    return {"version": VERSION, "parallel_read_safe": True, "parallel_write_safe": True}
