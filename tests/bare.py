"""Emitted sources in a process of their own, which is started once and asked many times."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from bare_worker import results
from torch import nn

__all__ = ["Bare", "bare", "results"]


class Bare:
    """A process with torch and without archdsl."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self._errors = Path(self._folder.name, "errors.txt")
        self._process: subprocess.Popen[str] | None = None

    def results(self, source: Path, name: str, module: nn.Module, image: torch.Tensor) -> list[torch.Tensor | None]:
        """`bare_worker.results` of a source's class with a module's state. Fails with what went wrong there."""
        given, made = Path(self._folder.name, "given.pt"), Path(self._folder.name, "made.pt")
        torch.save((module.state_dict(), image), given)
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"source": str(source), "name": name, "given": str(given), "made": str(made)}
        process.stdin.write(f"{json.dumps(request)}\n")
        process.stdin.flush()
        if process.stdout.readline() != "done\n":
            self.close()
            raise AssertionError(f"in a process without archdsl:\n{self._errors.read_text()}")
        found: list[torch.Tensor | None] = torch.load(made)
        return found

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [
                sys.executable,
                "-I",
                str(Path(__file__).with_name("bare_worker.py")),
                str(torch.get_num_threads()),
            ]
            with self._errors.open("w") as errors:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
                )
        return self._process

    def close(self) -> None:
        """Ends the process, if it runs; asked again, another one starts."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


@cache
def bare() -> Bare:
    """The one of this process; it ends with it."""
    made = Bare()
    atexit.register(made.close)
    return made
