"""Whether the tests notice a mutant: which of them run a line, and those run in a process of its own.

A process that has imported PyTorch and pytest, but nothing of archdsl, is forked for each mutant: the child reads the
package anew, with the mutant's file in the place of the real one, in a copy of the checkout. So nothing that was
computed by the real code (interned sizes, remembered sums, cached networks) is there to hide a mutant, and commands
that a test starts see it too.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

Status = Literal["killed", "timeout", "survived"]

# What tests import that is not ours: read once, before the fork.
_PRELOADED = (
    "torch torch.nn.functional torch.fx hypothesis hypothesis.strategies numpy yaml pydantic typer typer.testing"
    " safetensors.torch PIL.Image"
).split()
_QUIET = ["-x", "-q", "--no-header", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow"]
# The test files of these packages; that others would notice more isn't counted.
_TESTS = (
    "attention channels compare cost diagnostics dims errors expand expand_names expand_values extends fit memory nth"
    " op_errors ops receptive requirements solve specs stochastic_depth summary taken_names taps trace warnings"
).split()
# Tests of a trial: first a few, then those that take so many seconds, then all that a trial may take.
_FIRST = 12
_SECOND = 2.0
# Beyond the time that the tests took on the real code.
_PATIENCE = 60.0
_MEMORY = 16 << 30


class Cover(NamedTuple):
    """Which tests run which lines. seconds: test -> for how long it keeps a core busy. lines: file -> line -> tests.

    hashes: test file -> of its text when it was looked at.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]
    hashes: dict[str, str]


class Trial(NamedTuple):
    """How a mutant fared, and the first test that failed."""

    status: Status
    killer: str


def cover(root: Path, store: Path, packages: list[str]) -> Cover:
    """The cover of the test files as they are; only those that are new or have changed are run."""
    known = Cover(*json.loads(store.read_text())) if store.exists() else Cover({}, {}, {})
    files = [root / "tests" / f"test_{name}.py" for name in _TESTS]
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    changed = sorted(name for name, found in hashes.items() if known.hashes.get(name) != found)
    if changed:
        part = store.with_suffix(".part")
        status = _in_child(lambda: _measure(root, part, packages, changed), 3600, store.with_suffix(".txt"))
        if status:
            raise SystemExit(f"the tests fail on the code as it is: see {store.with_suffix('.txt')}")
        known = _joined(known, Cover(*json.loads(part.read_text())), hashes, set(changed))
        store.write_text(json.dumps(known))
        part.unlink()
    return known


def _joined(old: Cover, new: Cover, hashes: dict[str, str], changed: set[str]) -> Cover:
    def kept(test: str) -> bool:
        name = test.split("::")[0].removeprefix("tests/")
        return name in hashes and name not in changed

    seconds = {test: took for test, took in old.seconds.items() if kept(test)} | new.seconds
    lines = {path: {line: list(filter(kept, tests)) for line, tests in of.items()} for path, of in old.lines.items()}
    for path, of in new.lines.items():
        mine = lines.setdefault(path, {})
        for line, tests in of.items():
            mine[line] = mine.get(line, []) + tests
    return Cover(seconds, lines, hashes)


def _measure(root: Path, store: Path, packages: list[str], files: list[str]) -> int:
    import coverage

    measured = coverage.Coverage(data_file=None, config_file=False, source=[f"archdsl/{one}" for one in packages])
    contexts = _Contexts(measured)
    measured.start()
    status = pytest.main([*_QUIET, *(f"tests/{name}" for name in files)], [contexts])
    measured.stop()
    data = measured.get_data()
    lines = {
        str(Path(path).relative_to(root)): {
            str(line): [test for test in tests if test] for line, tests in data.contexts_by_lineno(path).items()
        }
        for path in sorted(data.measured_files())
    }
    store.write_text(json.dumps(Cover(contexts.seconds, lines, {})))
    return int(status)


class _Contexts:
    """A plugin of pytest that tells coverage which test runs, and notes how long each keeps a core busy."""

    def __init__(self, measured: Any) -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        begin = time.process_time()
        self._measured.switch_context(item.nodeid)
        yield
        self._measured.switch_context("")
        self.seconds[item.nodeid] = time.process_time() - begin


class Bench:
    """Where mutants are tried, one after the other; which tests killed others of the same file only sets the order."""

    def __init__(self, root: Path, cover: Cover, seconds: float) -> None:
        """`seconds`: what the tests of one trial may take on the real code."""
        # The bytecode of a mutant would be taken for that of the next one.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        self._root = root
        self._cover = cover
        self._seconds = seconds
        self._kills: Counter[tuple[str, str]] = Counter()
        self.output = root.parent / "output.txt"

    def trial(self, path: str, lines: tuple[int, int], text: str) -> Trial:
        """Runs the tests of these lines on a mutant, until one fails."""
        tests = self._in_order(path, lines)
        with _in_place(self._root / path, text):
            begin = 0
            for end in self._ends(tests):
                status, killer = self._run(tests[begin:end])
                if status != "survived":
                    self._kills[path, _function(killer)] += 1
                    return Trial(status, killer)
                begin = end
        return Trial("survived", f"{begin} of {len(tests)} tests ran")

    def control(self, tests: list[str]) -> Trial:
        """The same of the real code: that tests which killed mutants pass on it."""
        return Trial(*self._run(tests))

    def _in_order(self, path: str, lines: tuple[int, int]) -> list[str]:
        """The tests of these lines: first one of each kind, then a second; the quick ones first.

        Of one kind are those that run the same lines of the file. What runs when a file is imported may show in any
        test: those of the file come first.
        """
        known = self._cover.lines.get(path, {})
        of_test: dict[str, list[str]] = {}
        for line, found in known.items():
            for test in found:
                of_test.setdefault(test, []).append(line)
        tests = {test for line in range(lines[0], lines[1] + 1) for test in known.get(str(line), ())} or of_test.keys()
        others = [] if any(lines) else [test for test in self._cover.seconds if test not in tests]
        seconds, kinds = self._cover.seconds, Counter[tuple[str, ...]]()
        ranked: list[tuple[int, int, float, str]] = []
        for test in sorted(tests, key=lambda test: (seconds[test], test)):
            kind = tuple(of_test[test])
            ranked.append((kinds[kind], -self._kills[path, _function(test)], seconds[test], test))
            kinds[kind] += 1
        return [test for *_, test in sorted(ranked)] + others

    def _ends(self, tests: list[str]) -> list[int]:
        """Where the portions of a trial end."""
        ends = [min(_FIRST, len(tests))]
        for limit in (_SECOND, self._seconds):
            total, end = 0.0, 0
            while end < len(tests) and total < limit:
                total += self._cover.seconds[tests[end]]
                end += 1
            if end > ends[-1]:
                ends.append(end)
        return ends

    def _run(self, tests: list[str]) -> tuple[Status, str]:
        if not tests:
            return "survived", ""
        limit = _PATIENCE + 20 * sum(self._cover.seconds[test] for test in tests)
        status = _in_child(lambda: int(pytest.main([*_QUIET, *tests])), limit, self.output)
        if status in (4, 5):  # a test's name holds what has changed
            files = sorted({test.split("::")[0] for test in tests})
            status = _in_child(lambda: int(pytest.main([*_QUIET, *files])), limit + 300, self.output)
        if status == 0:
            return "survived", ""
        lines = self.output.read_text(errors="replace").splitlines()
        told = [line.split(" ", 1)[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
        # A test's name may hold what stands between it and the message.
        names = [test for test in tests if told and told[0].startswith(test)]
        killer = max(names, key=len) if names else (told or [f"exit code {status}"])[0]
        return ("timeout" if status == -signal.SIGKILL else "killed"), killer


def _function(test: str) -> str:
    return test.split("[")[0]


@contextmanager
def _in_place(path: Path, text: str) -> Iterator[None]:
    """The file with another text, and with another time, by which Python tells that its bytecode is of no use."""
    before, times = path.read_bytes(), path.stat()
    path.write_text(text)
    os.utime(path, (times.st_atime, times.st_mtime + 1000))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def preload(root: Path) -> None:
    """Makes this process the one that is forked, in the copy of the checkout."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    os.environ["PYTHONPATH"] = str(root)
    for name in _PRELOADED:
        importlib.import_module(name)
    # That a property fails is enough: no smaller example is looked for. The tests' own profile inherits this.
    from hypothesis import Phase, settings

    settings.register_profile("quick", phases=(Phase.explicit, Phase.generate))
    settings.load_profile("quick")
    assert not any(name.split(".")[0] == "archdsl" for name in sys.modules)


def _in_child(work: Callable[[], int], limit: float, output: Path) -> int:
    """The exit status of a forked process that does the work; below 0 for a signal, -9 after so many seconds."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            for number in (1, 2):
                os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644), number)
            status = work()
        finally:
            os._exit(status)
    end = time.monotonic() + limit
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL
        time.sleep(0.01)
