"""A run of many random specs: what each is asked to have, what has been seen, and which failed."""

from __future__ import annotations

import linecache
import multiprocessing
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch
from interpreter import Files
from occurrences import Occurrences
from random_checks import check, text_of
from random_shrink import place_of, shrunk
from random_specs import Grower

# How many constructs and ops a spec is asked to have, chosen for the pairs that have not met.
WISHES = 6
# After how many specs a long run says how far it is.
TOLD = 500
MEMORY = 6 << 30  # bytes of a process

Grown = tuple[int, int, tuple[str, ...]]  # a seed, a size, and what is wished for


class Failed(NamedTuple):
    """A spec that failed: where, the whole of what was said, and how it is grown again."""

    place: str
    told: str
    grown: Grown

    def line(self) -> str:
        """In one line, with the first that was said."""
        first = next((line for line in self.told.splitlines() if line.strip()), "")
        return f"{self.place}: {first.strip()}\n  {command(*self.grown)}"


class Tally:
    """What a run has seen."""

    def __init__(self) -> None:
        self.occurrences = Occurrences()
        self.refused = 0
        self.done: Counter[str] = Counter()
        self.failed: list[Failed] = []
        self.seconds = 0.0

    def one(self, *grown_from: *Grown) -> None:
        """Grows and checks a spec; what fails is kept."""
        began, seed = time.monotonic(), grown_from[0]
        try:
            files, sizes = grown(*grown_from)
            torch.manual_seed(seed)
            if check(files, sizes, random.Random(seed), self.done):
                self.occurrences.add(files)
            else:
                self.refused += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the end
            self._failed(error, grown_from)
        _forget()
        self.seconds += time.monotonic() - began

    def _failed(self, error: Exception, grown_from: Grown) -> None:
        told = str(error)
        if len(self.failed) < TOLD:  # where everything fails, the first ones say it
            told += f"\n{''.join(traceback.format_exception(error))}"
        self.failed.append(Failed(place_of(error), told, grown_from))

    def __add__(self, other: Tally) -> Tally:
        both = Tally()
        both.occurrences = self.occurrences + other.occurrences
        both.refused = self.refused + other.refused
        both.done = self.done + other.done
        both.failed = self.failed + other.failed
        both.seconds = self.seconds + other.seconds
        return both

    def table(self) -> str:
        compared = ", ".join(f"{what} in {count}" for what, count in self.done.items())
        return (
            f"{self.occurrences.table()}\n"
            f"compared where possible: {compared}\n"
            f"{self.refused} refused for what only the compiler can tell\n"
            f"{len(self.failed)} failed\n"
            f"{self.seconds:.0f} s"
        )


def _forget() -> None:
    """Lets go of the sources' modules, which are kept for tracebacks and pickles: thousands of them fill the memory."""
    for name in [name for name in sys.modules if name.startswith("archdsl_")]:
        del sys.modules[name]
    linecache.clearcache()


def grown(seed: int, size: int, wish: tuple[str, ...]) -> tuple[Files, tuple[int, ...]]:
    """The files of a spec and the sizes of its input; the same for the same seed, size and wishes."""
    torch.manual_seed(seed)
    grower = Grower(seed, size, wish)
    return grower.files(), grower.sizes


def command(seed: int, size: int, wish: tuple[str, ...]) -> str:
    """What checks one spec of a run again."""
    return f"scripts/random_specs --again {seed} {size} '{', '.join(wish)}'"


def again(seed: int, size: int, wish: tuple[str, ...]) -> int:
    """Checks one spec of a run; where it fails prints a smaller one that fails alike. How many failed."""
    files, sizes = grown(seed, size, wish)

    def checked(files: Files) -> None:
        torch.manual_seed(seed)
        check(files, sizes, random.Random(seed), Counter())

    try:
        checked(files)
    except Exception:
        small = shrunk(files, checked)
        print(text_of(small), flush=True)
        checked(small)
        raise
    return 0


def run(specs: int, seed: int = 0, *, telling: bool = False) -> Tally:
    """Checks so many specs, whatever fails. telling: failures and progress are printed on the way."""
    rng, tally = random.Random(seed), Tally()
    for number in range(1, specs + 1):
        # Every fourth is asked for nothing, and so more like what people write.
        wish = tally.occurrences.wanted(rng, WISHES) if number % 4 != 1 else ()
        before = len(tally.failed)
        tally.one(rng.getrandbits(32), rng.randint(3, 8), wish)
        if telling and len(tally.failed) > before:
            print(tally.failed[-1].line(), flush=True)
        if telling and number % TOLD == 0:
            print(f"{number} specs, {len(tally.failed)} failed, {tally.seconds:.0f} s", flush=True)
    return tally


def run_in(processes: int, specs: int, seed: int) -> Tally:
    """The same by several processes, each with a seed of its own; one table of all."""
    shares = [specs // processes + (number < specs % processes) for number in range(processes)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin) as pool:
        return sum(pool.map(_share, shares, range(seed, seed + processes)), Tally())


def _begin() -> None:
    """Of each process: one thread, and so much memory that a spec which takes more fails, and nothing else does."""
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _share(specs: int, seed: int) -> Tally:
    return run(specs, seed, telling=True)


def told(failed: Sequence[Failed]) -> str:
    """The failures by where they are, the most frequent first: the first of each in full, and how to see the others."""
    places: dict[str, list[Failed]] = {}
    for one in failed:
        places.setdefault(one.place, []).append(one)
    ordered = sorted(places.values(), key=len, reverse=True)
    return "\n\n".join(
        f"{len(alike)} x {alike[0].told.rstrip()}\n" + "\n".join(command(*one.grown) for one in alike[:5])
        for alike in ordered
    )
