"""Write docs/pictures: what the commands on the page about diagrams draw."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from archdsl.cli import run

DOCS = Path(__file__).resolve().parent.parent / "docs"


def commands() -> list[list[str]]:
    """The arguments of each command on the page that writes a picture."""
    lines = re.findall(r"^archdsl (diagram .* -o pictures/.*)$", (DOCS / "diagrams.md").read_text(), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def draw(folder: Path) -> list[Path]:
    """Runs them all; the pictures are written to a folder."""
    written = []
    for *arguments, picture in commands():
        path = folder / Path(picture).name
        code = run([*arguments, str(path)])
        if code:
            raise SystemExit(code)
        written.append(path)
    return written


if __name__ == "__main__":
    (DOCS / "pictures").mkdir(exist_ok=True)
    draw(DOCS / "pictures")
