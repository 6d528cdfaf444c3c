"""Links of a built site: each leads to a file and a place in it, and no page loads anything from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself, in contrast to links that a reader may follow.
LOADED = {"script", "link", "img", "iframe", "source", "object", "video"}


class Page(HTMLParser):
    """The links of a page and the places that links can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[tuple[str, str]] = set()  # element, address
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("id", "name"):
                self.places.add(value)
            if value and name in ("href", "src", "data"):
                self.links.add((tag, value))


def dead(site: Path) -> list[str]:
    """A line for each link that is dead, and for each that makes the site need a network."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {tag} {link}: {why}"
        for path, page in pages.items()
        for tag, link in sorted(page.links)
        if (why := _wrong(path, tag, link, pages))
    ]


def _wrong(path: Path, tag: str, link: str, pages: dict[Path, Page]) -> str:
    """Why a link is bad; empty where it is good."""
    parts = urlsplit(link)
    if parts.scheme == "data":
        return ""
    if parts.scheme or parts.netloc:
        return "is loaded from elsewhere" if tag in LOADED else ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "no such file"
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].places:
        return "no such place"
    return ""
