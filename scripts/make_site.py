"""Build the documentation site in build/site: pages made from the code, Sphinx in strict mode, links looked after.

`make docs` runs it. The pages that it writes, docs/gallery and docs/reference, are not kept in git. A warning of Sphinx
ends it, and so does a link of the finished site that leads nowhere, or a page that loads something from elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import site_gallery
import site_links
import site_reference
from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SITE = ROOT / "build" / "site"


def write(path: Path, content: str | bytes) -> None:
    """A file where it has changed: Sphinx reads what is newer than its last run."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def generate(folder: Path, made: dict[str, str | bytes]) -> None:
    """The files of a folder, and no others: what is no longer made goes."""
    for name, content in made.items():
        write(folder / name, content)
    for old in folder.glob("*"):
        if old.is_file() and old.name not in made:
            old.unlink()


def main() -> int:
    """The exit code: 0, that of Sphinx, or 1 for a dead link."""
    generate(DOCS / "reference", site_reference.files())
    generate(DOCS / "gallery", site_gallery.files())
    wrong = build_main(["-q", "-W", "--keep-going", "-j", "2", "-b", "html", str(DOCS), str(SITE)])
    if wrong:
        return wrong
    generate(SITE / "gallery" / "explore", site_gallery.explorers())
    dead = site_links.dead(SITE)
    for line in dead:
        print(line, file=sys.stderr)
    print(f"{SITE}/index.html: {len(list(SITE.rglob('*.html')))} pages, {len(dead)} dead links")
    return int(bool(dead))


if __name__ == "__main__":
    raise SystemExit(main())
