"""torchvision as a whole, to compare with, in a process where others may have put stand-ins for parts of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from archdsl.train import vision

_real: dict[str, ModuleType] = {}


@contextmanager
def whole_torchvision() -> Iterator[None]:
    """torchvision's own modules; what was there before comes back in the end."""
    before = _modules()
    if "torchvision" in before and "__file__" in vars(before["torchvision"]):  # not a stand-in
        yield
        return
    _put(_real)
    vision.prepare()
    try:
        yield
    finally:
        _real.update(_modules())
        _put(before)


def _modules() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "torchvision"}


def _put(modules: dict[str, ModuleType]) -> None:
    for name in _modules():
        del sys.modules[name]
    sys.modules.update(modules)
