"""Specs that build on others: `extends` and `use`, looked up in the file's folder and among the shipped specs only."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.expand import errors
from archdsl.source import Source, Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.errors import TooLong
from archdsl.syntax.limits import FILES
from archdsl.syntax.spec import Spec

Read = Callable[[Source], Spec]
SUFFIXES = (".yaml", ".yml", ".arch")


class Loader:
    """Reads specs by name, each once; `shipped` gives the path of a packaged spec."""

    def __init__(self, read: Read, load: Callable[[Path], Source], shipped: Callable[[], dict[str, Path]]) -> None:
        self._read = read
        self._load = load
        self._shipped = shipped
        self._known: dict[Path, Spec] = {}

    def named(self, name: str, beside: Span) -> Spec:
        """The spec that a file calls by a name; raises SpecError at the place where it does."""
        path = self._find(name, beside)
        if path not in self._known:
            if len(self._known) == FILES:
                raise SpecError(TooLong(beside, what="network", count=f"more than {FILES} files", limit=FILES))
            self._known[path] = self._read(self._load(path))
        return self._known[path]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files that were read so far, but the first one."""
        return tuple(spec.span.source for spec in self._known.values())

    def _find(self, name: str, beside: Span) -> Path:
        folder = Path(beside.source.name).parent
        here = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
        if len(here) > 1:
            what = f"is two files, `{here[0].name}` and `{here[1].name}`"
            raise SpecError(errors.NotANetwork(beside, name=name, what=what, help="remove or rename one"))
        if here:
            return _inside(here[0], name, beside)
        shipped = self._shipped()
        if name not in shipped:
            near = did_you_mean(name, tuple(shipped))
            raise SpecError(errors.UnknownFile(beside, name=name, near=near))
        return shipped[name]


def _inside(path: Path, name: str, beside: Span) -> Path:
    """A file of the folder; raises SpecError for a symbolic link that leads out of it."""
    asking = Path(beside.source.name)
    real = path.resolve()
    # The folder by its name, and where the asking file really is: a store of files may link both to one place.
    if any(real.is_relative_to(folder) for folder in (asking.parent.resolve(), asking.resolve().parent)):
        return path
    what = f"is a link to a file outside of the folder, `{path.name}`"
    raise SpecError(errors.NotANetwork(beside, name=name, what=what, help="copy the file into the folder"))


class Chain(NamedTuple):
    """A network's files: the one that was asked for first, the one with the layers last."""

    specs: tuple[Spec, ...]

    @property
    def base(self) -> Spec:
        return self.specs[-1]


def chain_of(spec: Spec, loader: Loader) -> Chain:
    """The file and those that it extends. Raises SpecError."""
    specs = [spec]
    while specs[-1].extends is not None:
        last = specs[-1]
        assert last.extends is not None
        parent = loader.named(last.extends, mention(last.span, last.extends, "extends", "net"))
        if any(parent is known or parent.span.source.name == known.span.source.name for known in specs):
            names = " -> ".join(str(known.network) for known in (*specs, parent))
            raise SpecError(errors.Recursion(last.span, name=str(last.network), chain=names))
        if parent.network is None:
            what = "has no network, only blocks"
            raise SpecError(
                errors.NotANetwork(
                    mention(last.span, last.extends, "extends", "net"),
                    name=last.extends,
                    what=what,
                    help="bring blocks in with `use`",
                )
            )
        specs.append(parent)
    if specs[-1].network is None:
        what = "has no network, only blocks"
        raise SpecError(
            errors.NotANetwork(spec.span, name=spec.span.source.name, what=what, help="other specs `use` it")
        )
    return Chain(tuple(specs))


def mention(span: Span, name: str, *words: str) -> Span:
    """Where a file names another file or an output behind one of these words; the tree keeps no place for it."""
    source, found = span.source, False
    pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    for number, line in enumerate(source.text.splitlines(), 1):
        found = found or re.split(r"[\s:]", line.lstrip(), maxsplit=1)[0] in words
        place = pattern.search(line) if found else None
        if place is not None:
            return Span(source, number, place.start() + 1, number, place.end() + 1)
    return span
