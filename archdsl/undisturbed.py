"""What the interpreter does on the side, held back while a network is compiled or told."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# So many objects that outlived their compilations are followed by a search for garbage among all of them: what joins
# the oldest ones right away isn't counted by the collector, which would never search them.
_MANY = 500_000
_LOCK = Lock()
_settled = 0
_BEFORE: list[tuple[int, bool]] = []


@contextmanager
def undisturbed() -> Iterator[None]:
    """A deeper stack than Python's own, for bodies and calls nest within limits of their own; no garbage collection.

    What a compilation makes lives on in its network: searching it for garbage, again and again, doubles the time. So it
    also joins the oldest objects right away, unless the program has frozen some of its own, which that would thaw.
    """
    with _LOCK:  # the first thread that comes sets both, the last that goes sets them back
        if not _BEFORE:
            _BEFORE.append((sys.getrecursionlimit(), gc.isenabled()))
            sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))
            gc.disable()
        else:
            _BEFORE.append(_BEFORE[0])
    try:
        yield
    finally:
        with _LOCK:
            limit, collecting = _BEFORE.pop()
            if not _BEFORE:
                sys.setrecursionlimit(limit)
                if gc.get_freeze_count() == 0:
                    _settle()
                if collecting:
                    gc.enable()


def _settle() -> None:
    """Makes what is there the oldest generation."""
    global _settled
    _settled += gc.get_count()[0]
    gc.freeze()
    gc.unfreeze()
    if _settled > _MANY:
        _settled = 0
        gc.collect()
