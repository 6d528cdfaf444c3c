"""A process that does all with specs which runs nothing, and stops at whatever else is touched: `watched.py FOLDER`.

Prints, for each spec in the folder, its name and what `archdsl` told of it. Python tells an audit hook of each file
that is opened or listed, each program started and each connection made (PEP 578); a hook can't be taken out again.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import archdsl
from archdsl import library
from archdsl.diagnostics import SpecError
from archdsl.failure import Failure
from archdsl.render import render
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read_file

WITH_TORCH = ("archdsl.runtime", "archdsl.train", "archdsl.docs", "archdsl.__main__")
# What a spec could do harm with beside reading; by the beginnings of the events' names.
HARMFUL = (
    *(
        "subprocess.",
        "os.",
        "shutil.",
        "socket.",
        "urllib.",
        "http.",
        "ftplib.",
        "smtplib.",
        "webbrowser.",
        "tempfile.",
    ),
    *("pty.", "ctypes.", "fcntl.", "mmap.", "sqlite3.", "signal.", "glob.", "winreg.", "msvcrt.", "pickle."),
)


class Touched(BaseException):
    """What nobody may catch."""


def watch(folder: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that lets files of the folder, shipped specs and Python's own code be read, and nothing else happen."""
    readable = (folder.resolve(), library.folder().resolve(), Path(archdsl.__path__[0]).resolve())
    libraries = tuple(Path(place).resolve() for place in set(sysconfig.get_paths().values()))

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir"):
            if not (isinstance(args[0], (str, bytes)) and may_read(os.fsdecode(args[0])) and reads(event, args)):
                raise Touched(f"{event} {args}")
        elif event.startswith(HARMFUL):
            raise Touched(f"{event} {args}")

    def may_read(path: str) -> bool:
        real = Path(os.path.realpath(path))
        imported = real.suffix in (".py", ".pyc") and any(map(real.is_relative_to, libraries))
        return imported or any(map(real.is_relative_to, readable))

    return hook


def reads(event: str, args: tuple[Any, ...]) -> bool:
    """Whether a file is only read: by its mode or, where the system is asked directly, by the flags."""
    if event != "open":
        return True
    _, mode, flags = args
    return flags & os.O_ACCMODE == os.O_RDONLY if mode is None else mode in ("r", "rb")


def told_of(path: Path) -> str:
    """What is told of a spec by all that can be asked of it."""
    try:
        spec = read_file(path)
        printed = (print_text(spec), print_yaml(spec))
        network = archdsl.load(path)
        facts = (network.summary(), network.source, network.requirements(), network.cost(), network.memory())
        drawn = (network.diagram().render("svg"), network.page().html)
        return "\n".join(map(str, (render(network.check()), *printed, *facts, *drawn)))
    except SpecError as error:
        return render(error.diagnostics)
    except Failure as failure:
        return str(failure)


def main(folder: Path, planted: str = "") -> None:
    """Watches from when everything is imported; `planted` is a file to open then, which must stop the process."""
    for module in walk_packages(archdsl.__path__, "archdsl."):
        if not module.name.startswith(WITH_TORCH):
            import_module(module.name)
    told_of(library.find("resnet18_cifar"))
    sys.addaudithook(watch(folder))
    if planted:
        Path(planted).read_bytes()
    specs = sorted(path for path in folder.iterdir() if path.name.startswith("asks"))
    print(json.dumps({path.name: told_of(path) for path in specs}))


main(Path(sys.argv[1]), *sys.argv[2:])
