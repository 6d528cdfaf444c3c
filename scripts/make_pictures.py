"""Write docs/pictures: what the commands on the pages about diagrams and comparisons draw."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

from archdsl.cli import run

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ("diagrams.md", "compare.md")


def commands() -> list[list[str]]:
    """The arguments of each command on the pages that writes a picture."""
    text = "\n".join((DOCS / page).read_text() for page in PAGES)
    lines = re.findall(r"^archdsl ((?:diagram|compare|diff) .* -o pictures/.*)$", text, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def draw(folder: Path) -> list[Path]:
    """Runs them all; the pictures are written to a folder."""
    written = []
    for *arguments, picture in commands():
        path = folder / Path(picture).name
        with redirect_stdout(io.StringIO()):  # what they tell beside the picture
            code = run([*arguments, str(path)])
        if code:
            raise SystemExit(code)
        written.append(path)
    return written


if __name__ == "__main__":
    (DOCS / "pictures").mkdir(exist_ok=True)
    draw(DOCS / "pictures")
