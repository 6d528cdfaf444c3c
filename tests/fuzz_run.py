"""Fuzzing runs: the seeds, the processes that libFuzzer drives, what they count, and the corpus that stays."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import fuzz_checks
from fuzz_failures import failure_of, shrunk
from fuzz_mutate import VALUES

from archdsl import library
from archdsl.diagnostics import SpecError
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read_file

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "fuzz"
WORKING, FAILURES = BUILD / "corpus", BUILD / "failures"
# Each line an input. FOUND: which together take all branches that were found. FAILED: those that once failed.
CORPUS = HERE / "corpus"
FOUND, FAILED = CORPUS / "found.jsonl", CORPUS / "failed.jsonl"
LENGTH = 2_500  # bytes of an input
SLOW = 0.06  # seconds, for a seed
# Inputs that a process takes before the next one begins, from the corpus as it is then: few of them guided by the
# branches that are taken, which finds the corpus, then many that are made of it blindly, several times as fast.
GUIDED, BLIND = 10_000, 90_000
INSTALL = "scripts/fuzz needs Atheris, for Linux and macOS: pip install atheris"
# libFuzzer's: seconds and MB at which it stops a process, beyond what a check allows.
_LIBFUZZER = ("-timeout=120", "-rss_limit_mb=3000", f"-max_len={LENGTH}", "-len_control=0", "-print_final_stats=1")
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_STATE = re.compile(r"^#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)


class Counted(NamedTuple):
    """What a process told. inputs: made and checked, those of the corpus left out; branches: that were taken so far."""

    inputs: int
    branches: int
    corpus: int
    code: int


# The corpus


def packed(data: bytes) -> str:
    """An input as a line of the corpus."""
    suffix = "yaml" if data[:1] == b"y" else "arch"
    return json.dumps({suffix: data[1:].decode("utf-8", "surrogateescape")}) + "\n"


def unpacked(path: Path) -> list[bytes]:
    """The inputs of a corpus file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [fuzz_checks.spelled(text, f".{suffix}") for line in lines for suffix, text in json.loads(line).items()]


def seeds() -> Iterator[bytes]:
    """What fuzzing starts from: shipped specs in both spellings, specs with mistakes, and what was found before."""
    for path in library.with_libraries().values():
        spec = read_file(path)
        for suffix, text in ((".yaml", path.read_text()), (".yaml", print_yaml(spec)), (".arch", print_text(spec))):
            yield fuzz_checks.spelled("\n".join(text.split("\n")[:70]), suffix)
    for path in sorted((HERE / "errors").iterdir()):
        if path.suffix not in library.SUFFIXES:
            continue
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        yield fuzz_checks.spelled(text, path.suffix)
        try:
            spec = read_file(path)
        except SpecError:
            continue
        yield fuzz_checks.spelled(print_text(spec), ".arch")
    for value in VALUES:
        yield fuzz_checks.spelled(f"net n\n  input 3x32x32\n  conv1: conv 3x3, 4\n  conv 3x3, {value}\n", ".arch")
    yield from (*unpacked(FOUND), *unpacked(FAILED))


def sow(folder: Path) -> None:
    """Writes the seeds into a folder, each once; without the long and the slow ones, of which runs would be full."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(sorted({seed for seed in seeds() if len(seed) <= LENGTH})):
        began = time.process_time()
        if not failure_of(data) and time.process_time() - began < SLOW:
            (folder / f"seed{number:05}").write_bytes(data)


def write_corpus(folder: Path) -> int:
    """The inputs of a folder as the corpus that stays, those that fail left out; how many bytes it has."""
    good = sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda data: (len(data), data))
    CORPUS.mkdir(exist_ok=True)
    FOUND.write_text("".join(packed(data) for data in good if not failure_of(data)))
    return FOUND.stat().st_size


# Runs


def fuzz(count: int, seed: int) -> int:
    """Makes and checks so many inputs, in processes one after the other; the exit code: 1 where some failed."""
    if not WORKING.exists():
        sow(WORKING)
    done, began, guided = 0, time.monotonic(), True
    while done < count:
        at_once = min(GUIDED if guided else BLIND, count - done)
        told = _process([str(WORKING)], f"-runs={at_once}", f"-seed={seed + done + 1}", guided=guided)
        done += told.inputs
        if told.code and not _stopped():
            print(f"the process ended with {told.code}; see {BUILD / 'log.txt'}", file=sys.stderr)
            return 1
        each = done / (time.monotonic() - began)
        seen = f"{told.branches:,} branches, corpus {told.corpus:,}" if guided else "blind"
        print(f"{done:,} inputs ({each:,.0f}/s), {seen}, {len(list(FAILURES.glob('*.input')))} failures", flush=True)
        guided = not guided
    for path in sorted(FAILURES.glob("*.txt")):
        print(f"\n{path.with_suffix('.input')}\n{path.read_text().splitlines()[-1]}")
    return 1 if any(FAILURES.glob("*.input")) else 0


def _stopped() -> bool:
    """Whether libFuzzer stopped at an input, for its time or memory: it is kept as one that failed."""
    found = [path for kind in ("timeout", "oom", "crash") for path in BUILD.glob(f"{kind}-*")]
    FAILURES.mkdir(parents=True, exist_ok=True)
    for path in found:
        kept = path.rename(FAILURES / f"{path.name[:20]}.input")
        kept.with_suffix(".txt").write_text(f"libFuzzer stopped: {path.name.partition('-')[0]}\n")
    return bool(found)


def minimise() -> int:
    """Writes the corpus that stays: the fewest inputs of the working one that take all its branches."""
    smaller = BUILD / "minimised"
    smaller.mkdir(parents=True, exist_ok=True)
    for path in smaller.iterdir():
        path.unlink()
    told = _process([str(smaller), str(WORKING)], "-merge=1", "-use_counters=0", guided=True)
    print(f"{len(list(smaller.iterdir())):,} inputs, {write_corpus(smaller):,} bytes")
    return told.code


def again(path: Path, seconds: float) -> int:
    """Checks one input, made smaller first if it fails."""
    data = path.read_bytes()
    if failure_of(data):
        data = shrunk(data, seconds)
        path.write_bytes(data)
        print(packed(data))
    print(fuzz_checks.check(data))
    return 0


def _process(folders: Iterable[str], *arguments: str, guided: bool) -> Counted:
    """A process that libFuzzer drives; what it says goes to a file, what fails to the screen too."""
    way = "GUIDED" if guided else "BLIND"
    kept = f"-artifact_prefix={BUILD}/"
    command = [
        sys.executable,
        str(HERE / "fuzz_target.py"),
        str(FAILURES),
        way,
        *_LIBFUZZER,
        kept,
        *arguments,
        *folders,
    ]
    with (BUILD / "log.txt").open("w+", encoding="utf-8", errors="replace") as log:
        code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
        log.seek(0)
        text = log.read()
    executed, states = _EXECUTED.search(text), _STATE.findall(text)
    begun = next((int(number) for number, what, *_ in states if what == "INITED"), 0)
    last = states[-1] if states else ("0", "", "0", "0", "0")
    return Counted(int(executed[1]) - begun if executed else 0, int(last[2]), int(last[4]), code)


def installed() -> bool:
    """Whether Atheris is there."""
    return find_spec("atheris") is not None
