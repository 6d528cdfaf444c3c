"""A spec's files, written to a folder as a user has them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from evaluator import Refused
from interpreter import Files, Interpreter

from archdsl.compiler import Network, compile_spec
from archdsl.diagnostics import SpecError
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import load, read

Sizes = tuple[int, ...]


class Written:
    """A spec's files in a folder, each in a spelling drawn by chance."""

    def __init__(self, files: Files, folder: Path, rng: random.Random) -> None:
        self.files = files
        for name, spec in {"asked": files.asked, **files.others}.items():
            yaml = rng.random() < 0.5
            path = folder / f"{name}{'.yaml' if yaml else '.arch'}"
            path.write_text(print_yaml(spec) if yaml else print_text(spec))
            if name == "asked":
                self.spec = read(load(path))

    def compiled(self, input: str | None = None) -> Network | SpecError:
        try:
            return compile_spec(self.spec, input=input)
        except SpecError as error:
            return error

    def compiled_at(self, sizes: Sizes) -> Network | SpecError:
        return self.compiled("x".join(map(str, sizes)))

    def interpreted(self, sizes: Sizes, **more: Any) -> Interpreter | Refused:
        try:
            return Interpreter(self.files, sizes, **more).run()
        except Refused as error:
            return error
