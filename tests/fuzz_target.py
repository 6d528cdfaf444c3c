"""The process that libFuzzer drives, through Atheris: `fuzz_target.py FAILURES GUIDED|BLIND [libFuzzer's arguments]`.

An input that fails stops nothing: it is kept in the folder FAILURES, the shortest of each kind, and told on standard
error. GUIDED measures which branches of archdsl an input takes, and keeps those that take new ones. BLIND doesn't,
which is several times as fast: it changes inputs of the corpus, short ones rather than long ones.
"""

from __future__ import annotations

import random
import shlex
import sys
import traceback
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import atheris

FAILURES, WAY, *ARGUMENTS = sys.argv[1:]
TORCHES = ("archdsl.runtime", "archdsl.train", "archdsl.docs", "archdsl.__main__")
# How often libFuzzer's own changes, of bytes, come in place of those of lines and tokens.
BYTES = 0.1


def import_all() -> None:
    """Imports all of archdsl that runs without torch: what is imported later wouldn't be measured."""
    import archdsl

    for module in walk_packages(archdsl.__path__, "archdsl."):
        if not module.name.startswith(TORCHES):
            import_module(module.name)


if WAY == "GUIDED":
    with atheris.instrument_imports(include=["archdsl"]):
        import_all()

from fuzz_checks import check  # noqa: E402 (which import archdsl)
from fuzz_failures import keep  # noqa: E402
from fuzz_mutate import Mutator  # noqa: E402


def one(data: bytes) -> None:
    """Checks an input."""
    try:
        check(data)
    except Exception as error:  # noqa: BLE001 (it is what is looked for)
        if keep(data, error, Path(FAILURES)):
            traceback.print_exc()


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """What libFuzzer calls for another input made of this one."""
    draw = random.Random(seed)
    if WAY == "BLIND":  # libFuzzer, which sees nothing new, would stay at one input
        data = min(draw.choices(POOL, k=2), key=len)
    if draw.random() < BYTES or len(data) < 2:
        return bytes(atheris.Mutate(data, most))
    return MUTATOR(data, draw)[:most]


FOLDERS = [name for name in ARGUMENTS if not name.startswith("-")]
POOL = [path.read_bytes() for name in FOLDERS for path in sorted(Path(name).iterdir())]
MUTATOR = Mutator(POOL)
given = ARGUMENTS if WAY == "GUIDED" else [name for name in ARGUMENTS if name not in FOLDERS]
# A command, since libFuzzer starts itself anew to merge: not this script, which would begin with its own arguments.
command = shlex.join([sys.executable, sys.argv[0], FAILURES, WAY])
atheris.Setup([command, *given], one, custom_mutator=mutate)
atheris.Fuzz()
