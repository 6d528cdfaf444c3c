"""Write docs/errors.md: every code of a diagnostic with its meaning, an example and the fix, from its class."""

from __future__ import annotations

import inspect
from pathlib import Path

from archdsl.explain import kinds

CASES = Path(__file__).parent.parent / "tests" / "errors"
PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
HEAD = """\
# Errors and warnings

What each code means, as `archdsl explain CODE` tells it. An error leaves the exit code at 1; a warning at 0, unless
`archdsl check --strict` is asked, and `# archdsl: ignore CODE` at the end of a line silences one there.
"""


def told(code: str) -> str:
    """A diagnostic with the code as users see it, from the tests' golden files; empty where none has it."""
    files = sorted(CASES.glob("*.err"), key=lambda path: (path.stem != code, not path.stem.startswith(code), path.name))
    for path in files:
        for block in path.read_text().split("\n\n"):
            if f"[{code}]" in block.splitlines()[0]:
                return f"\n```\n{block.strip()}\n```\n"
    return ""


def page() -> str:
    """The page, errors first."""
    parts = [HEAD]
    for severity, title in (("error", "Errors"), ("warning", "Warnings")):
        parts.append(f"## {title}\n")
        for code, (kind, *_) in kinds().items():
            if kind.severity == severity:
                parts.append(f"### `{code}`\n\n{inspect.cleandoc(kind.__doc__ or '')}\n{told(code)}")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
