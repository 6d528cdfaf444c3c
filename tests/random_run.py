"""A run of many random specs: what each is asked to have, and what has been seen."""

from __future__ import annotations

import random
import time
from collections import Counter

import torch
from interpreter import Files
from occurrences import Occurrences
from random_checks import check, text_of
from random_shrink import shrunk
from random_specs import Grower

# How many constructs and ops a spec is asked to have, chosen for the pairs that have not met.
WISHES = 6


class Tally:
    """What a run has seen."""

    def __init__(self) -> None:
        self.occurrences = Occurrences()
        self.refused = 0
        self.done: Counter[str] = Counter()
        self.began = time.monotonic()

    def one(self, seed: int, size: int, wish: tuple[str, ...]) -> None:
        """Grows and checks a spec."""
        files, sizes = grown(seed, size, wish)
        torch.manual_seed(seed)
        try:
            valid = check(files, sizes, random.Random(seed), self.done)
        except Exception as error:
            error.add_note(f"{command(seed, size, wish)}\n\n{text_of(files)}")
            raise
        if valid:
            self.occurrences.add(files)
        else:
            self.refused += 1

    def table(self) -> str:
        compared = ", ".join(f"{what} in {count}" for what, count in self.done.items())
        return (
            f"{self.occurrences.table()}\n"
            f"compared where possible: {compared}\n"
            f"{self.refused} refused for what only the compiler can tell\n"
            f"{time.monotonic() - self.began:.0f} s"
        )


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

    def checked(files: Files) -> bool:
        torch.manual_seed(seed)
        return check(files, sizes, random.Random(seed), Counter())

    try:
        checked(files)
    except Exception:
        small = shrunk(files, checked)
        print(text_of(small))
        checked(small)
        raise
    return 0


def run(specs: int, seed: int = 0) -> Tally:
    """Checks so many specs."""
    rng, tally = random.Random(seed), Tally()
    for number in range(specs):
        # Every fourth is asked for nothing, and so more like what people write.
        wish = tally.occurrences.wanted(rng, WISHES) if number % 4 else ()
        tally.one(rng.getrandbits(32), rng.randint(3, 8), wish)
    return tally
