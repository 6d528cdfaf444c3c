"""Faults put into file operations, one after another, and what must hold behind each.

A scenario is a command in a folder. It runs once as it is, and its file operations in that folder are counted. Then it
runs again for each of them, and that one goes wrong: the disk is full from there on, it fails once, or the process is
killed in it (a write gets half of its bytes out before). Behind every fault

- the command has told an error, without a traceback, or has done its work all the same,
- each result is what stood there before, or a whole new one,
- nothing half-written lies beside them, save where the process was killed,
- the same command without a fault makes the same results as ever, and leaves nothing else behind.

Each run is a child of a process that has imported everything, so that a thousand of them take minutes.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

Kind = Literal["full", "broken", "readonly", "killed"]
_CRASHED = 99  # the exit code of a child that an exception came out of
_LEFT = re.compile(r"\..+\.[0-9a-f]{8}")


class Fault(NamedTuple):
    """What goes wrong at the operation of this number, from 1.

    full: no room, from there on. broken: an error of the device, once. readonly: nothing can be changed, from there on.
    killed: the process dies.
    """

    kind: Kind
    at: int


class Scenario(NamedTuple):
    """files: what lies in the folder before. run: what is done there, the exit code its result.

    results: what it makes, the same each time. growing: files that get longer line by line, until they are the same,
    too. others: what may come with it, a pattern.
    """

    name: str
    files: Mapping[str, bytes]
    run: Callable[[], int]
    results: tuple[str, ...]
    growing: tuple[str, ...] = ()
    others: str = r"(?!)"


class Injector:
    """Counts file operations in a folder, and has one of them go wrong."""

    def __init__(self, folder: Path, fault: Fault | None) -> None:
        self.count = 0
        self._folder = str(folder.resolve()) + os.sep
        self._fault = fault

    def step(self, path: Any, *, room: bool = True, first: Callable[[], Any] = lambda: None) -> None:
        """An operation on a path. room: it needs some. first: what of it still happens where it goes wrong."""
        if not isinstance(path, (str, os.PathLike)) or not self._inside(path):
            return
        self.count += 1
        if self._fault is None or self.count < self._fault.at:
            return
        kind, now = self._fault.kind, self.count == self._fault.at
        if kind == "killed":
            first()
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "broken" and now:
            first()
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        if kind == "full" and (now or room):
            first()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if kind == "readonly":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def _inside(self, path: str | os.PathLike[str]) -> bool:
        return os.path.abspath(os.fspath(path)).startswith(self._folder)  # noqa: PTH100 (links must not be followed)

    def install(self) -> None:
        """Puts itself around everything that changes files; for the rest of the process."""
        builtins.open = io.open = self._opening(io.open)
        os.open = self._os_opening(os.open)
        os.fsync = self._around_fsync(os.fsync)
        for name, place, room in (("replace", 1, True), ("rename", 1, True), ("mkdir", 0, True), ("chmod", 0, False)):
            setattr(os, name, self._around(getattr(os, name), place, room))
        os.unlink = os.remove = self._around(os.unlink, 0, False)

    def _around(self, operation: Any, place: int, room: bool) -> Any:
        def stepped(*args: Any, **options: Any) -> Any:
            self.step(args[place], room=room)
            return operation(*args, **options)

        return stepped

    def _around_fsync(self, fsync: Any) -> Any:
        def stepped(file: Any) -> None:
            number = file if isinstance(file, int) else file.fileno()
            self.step(Path(f"/proc/self/fd/{number}").readlink())
            fsync(file)

        return stepped

    def _os_opening(self, opened: Any) -> Any:
        def stepped(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR):
                self.step(path)
            return int(opened(path, flags, *args, **options))

        return stepped

    def _opening(self, opened: Any) -> Any:
        def stepped(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
            writes = set(mode) & set("wxa+")
            if not writes or not isinstance(file, (str, os.PathLike)) or not self._inside(file):
                return opened(file, mode, buffering, *args, **options)
            self.step(file)
            raw = _Raw(self, os.fspath(file), mode.replace("b", "").replace("t", ""))
            binary: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return binary if "b" in mode else io.TextIOWrapper(binary, *args, **options)

        return stepped


class _Raw(io.FileIO):
    """A file whose writes are counted; what goes wrong has got half of its bytes out."""

    def __init__(self, injector: Injector, path: str, mode: str) -> None:
        super().__init__(path, mode)
        self._injector = injector

    def write(self, data: Any) -> int:
        content = bytes(data)
        super_write = super().write
        self._injector.step(self.name, first=lambda: super_write(content[: len(content) // 2]))
        return super_write(content)


class Ended(NamedTuple):
    """How a run ended: its exit code, or the signal as a negative one; what it told, counted and imported."""

    code: int
    told: str
    operations: int
    modules: tuple[str, ...]


def cli(*args: str) -> Callable[[], int]:
    """A command line."""

    def run() -> int:
        from archdsl.cli import run as run_

        return run_(args)

    return run


def ran(scenario: Scenario, folder: Path, fault: Fault | None) -> Ended:
    """A run of a scenario in the folder, in a process of its own."""
    log, counted = folder.with_name("log"), folder.with_name("count")
    counted.write_text("0\n")
    child = os.fork()
    if not child:
        _child(scenario, folder, fault, log, counted)
    _, status = os.waitpid(child, 0)
    operations, *modules = counted.read_text().split()
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"), int(operations), tuple(modules))


def _child(scenario: Scenario, folder: Path, fault: Fault | None, log: Path, counted: Path) -> None:
    code = _CRASHED
    injector = Injector(folder, fault)
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        injector.install()
        code = scenario.run()
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 (whatever it is: it is told, and the process ends)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        counted.write_text("\n".join([str(injector.count), *sys.modules]))
        os._exit(code)


class Report(NamedTuple):
    """operations: of a run without a fault. faults: how many were tried. wrong: what did not hold."""

    operations: int
    faults: int
    wrong: list[str]


def tried(scenario: Scenario, base: Path, most: int | None = None, kinds: Sequence[Kind] | None = None) -> Report:
    """Tries the faults of a scenario in a folder below `base`: all, or so many of each kind, evenly spread."""
    folder = base / "work"
    _prepared(scenario, folder)
    ended = ran(scenario, folder, None)
    assert ended.code == 0, ended.told
    _import(ended.modules)
    expected = contents(folder)
    assert {*scenario.results, *scenario.growing} <= set(expected), sorted(expected)
    wrong = []
    faults = list(_faults(ended.operations, most, kinds or ("full", "broken", "killed", "readonly")))
    for fault in faults:
        wrong += [
            f"{scenario.name}, {fault.kind} at {fault.at}: {one}" for one in _behind(scenario, folder, fault, expected)
        ]
    return Report(ended.operations, len(faults), wrong)


def _import(modules: Sequence[str]) -> None:
    """Imports what a run did, so that those that follow needn't: ours first, which put some of the others right."""
    for name in sorted(modules, key=lambda name: not name.startswith("archdsl.")):
        if not name.startswith("torchvision"):
            with suppress(ImportError):
                import_module(name)


def _faults(operations: int, most: int | None, kinds: Sequence[Kind]) -> Iterator[Fault]:
    every = range(1, operations + 1)
    step = 1 if most is None else max(1, -(-operations // most))
    for offset, kind in enumerate(kinds):
        places = range(1, 2) if kind == "readonly" else every[offset % step :: step]  # each kind at other places
        yield from (Fault(kind, at) for at in places)


def _prepared(scenario: Scenario, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in scenario.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _behind(scenario: Scenario, folder: Path, fault: Fault, expected: Mapping[str, bytes]) -> Iterator[str]:
    """What does not hold behind a fault."""
    _prepared(scenario, folder)
    before = contents(folder)
    ended = ran(scenario, folder, fault)
    found = contents(folder)
    if "Traceback" in ended.told or "internal error" in ended.told or ended.code not in (0, 2, 3, -signal.SIGKILL):
        yield f"exit code {ended.code}:\n{ended.told}"
    if ended.code in (2, 3) and not re.search("^error: ", ended.told, re.MULTILINE):
        yield f"no error is told:\n{ended.told}"
    for name in scenario.results:
        if found.get(name) not in (before.get(name), expected[name]):
            yield f"`{name}` is neither what it was nor what it was to be"
        if ended.code == 0 and found.get(name) != expected[name]:
            yield f"it ended well, but `{name}` isn't what it was to be"
    for name in scenario.growing:
        part = found.get(name, b"")
        if not (expected[name].startswith(part) and part[-1:] in (b"", b"\n")):
            yield f"`{name}` isn't a part of what it was to be"
    if ended.code != -signal.SIGKILL:
        yield from _surplus(scenario, found, before, expected)
    again = ran(scenario, folder, None)
    if again.code:
        yield f"afterwards it fails:\n{again.told}"
        return
    found = contents(folder)
    ends = (*scenario.results, *scenario.growing)
    yield from (f"afterwards `{name}` is another" for name in ends if found.get(name) != expected[name])
    yield from (f"afterwards {one}" for one in _surplus(scenario, found, before, expected))


def _surplus(
    scenario: Scenario, found: Mapping[str, bytes], before: Mapping[str, bytes], expected: Mapping[str, bytes]
) -> Iterator[str]:
    for name in found:
        known = name in before or name in expected or re.fullmatch(scenario.others, name)
        if not known or _LEFT.fullmatch(Path(name).name):
            yield f"`{name}` is left"
