"""Emitted source as a live module: registered so that tracebacks show it, and picklable by its text."""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType
from typing import Any

from torch import nn


def module_of(source: str, name: str) -> ModuleType:
    """The module that a network's source makes; the same module for the same source."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    title = f"archdsl_{name}_{digest}"
    known = sys.modules.get(title)
    if known is not None:
        return known
    file = f"<archdsl {name} {digest}>"
    made = ModuleType(title)
    made.__file__ = file
    # Without a time of change, linecache never drops the entry.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), vars(made))  # noqa: S102 (the printer is the security boundary)
    for kind in vars(made).values():
        if isinstance(kind, type) and kind.__module__ == title:
            _by_source(kind, source, name)
    sys.modules[title] = made
    return made


def _by_source(kind: type, source: str, name: str) -> None:
    """Lets instances of a class be pickled with the source that it comes from."""
    reduce = _reduce_module if issubclass(kind, nn.Module) else _reduce_tuple

    def by_source(self: Any, _: object) -> Any:
        return reduce(self, (source, name, kind.__qualname__))

    kind.__reduce_ex__ = by_source  # type: ignore[assignment, method-assign]


def _reduce_module(module: nn.Module, origin: tuple[str, str, str]) -> Any:
    return blank, origin, dict(vars(module))


def _reduce_tuple(values: Any, origin: tuple[str, str, str]) -> Any:
    return filled, (*origin, tuple(values))


def blank(source: str, name: str, kind: str) -> Any:
    """An instance of a class of the source, without its state: what unpickling starts from."""
    found = getattr(module_of(source, name), kind)
    return found.__new__(found)


def filled(source: str, name: str, kind: str, values: tuple[Any, ...]) -> Any:
    """A named tuple of the source."""
    return getattr(module_of(source, name), kind)(*values)
