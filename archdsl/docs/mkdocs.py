"""The fence `archdsl` for MkDocs: `plugins: [archdsl]` in mkdocs.yml."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from archdsl.docs.fence import WrongFence, drawn, fences

CACHE = Path(".cache/archdsl")  # beside mkdocs.yml


class NoOptions(Config):  # type: ignore[no-untyped-call]
    """What mkdocs.yml can say of the plugin: nothing, so far all stands in the fences."""


class ArchdslPlugin(BasePlugin[NoOptions]):  # type: ignore[no-untyped-call]
    """Draws the fences before Markdown sees them, and puts the pictures in after it has gone."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}

    def on_page_markdown(self, markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """A word in the place of each fence: HTML would not survive in a list, say. Raises PluginError."""
        source = Path(page.file.abs_src_path or page.file.src_uri)
        folder = Path(config.config_file_path).parent / CACHE
        lines, kept, done = markdown.splitlines(), [], 0
        before = _lines_above(source, len(lines))
        for fence, indent, after in fences(source, markdown):
            try:
                made = drawn(fence._replace(line=fence.line + before), folder)
            except WrongFence as wrong:
                raise PluginError(str(wrong)) from wrong
            word = f"archdsl-drawn-{len(self._made)}-end"
            self._made[word] = made.html
            kept += [*lines[done : fence.line - 1], "", f"{indent}{word}", ""]
            done = after
        return "\n".join((*kept, *lines[done:]))

    def on_page_content(self, html: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """The pictures in place of the words."""
        for word, made in self._made.items():
            html = html.replace(f"<p>{word}</p>", made).replace(word, made)
        self._made.clear()
        return html


def _lines_above(source: Path, shown: int) -> int:
    """Lines of a page's settings at its top, which MkDocs has taken away."""
    return max(len(source.read_text(encoding="utf-8-sig").splitlines()) - shown, 0)
