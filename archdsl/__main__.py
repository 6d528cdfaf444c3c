"""Where the command line begins, also as `python -m archdsl`: set up before anything that is slow to import is."""

from __future__ import annotations

import gc
import os
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line and exits with its code."""
    # A command lives for a fifth of a second; looking for garbage, at the end once more among all there is, would take
    # half as long again.
    gc.set_threshold(100_000)
    # Looking for plugins, pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from archdsl.cli import main as run

    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
