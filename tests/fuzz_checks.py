"""What holds for every input, whatever somebody wrote: a network or diagnostics, soon, and nothing else.

An input is bytes. The first tells the spelling (`y` is YAML, anything else text), the rest is the file. Behind a line
`%%%` stands a second file, which the first may extend or use as `base`.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

from archdsl import library
from archdsl.analysis.state import state_dict
from archdsl.compiler import Format, Macs, Network
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.dims import at
from archdsl.expand.files import Loader
from archdsl.expand.origins import nodes_of
from archdsl.failure import Failure
from archdsl.render import Format as Style
from archdsl.render import render, visible
from archdsl.source import Source, Span
from archdsl.syntax import words
from archdsl.syntax.limits import DIAGNOSTICS
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import decode, load, read
from archdsl.syntax.spec import Call, Spec

SECONDS = 10.0  # of processor time, for one input
LONGEST = 20_000  # characters that one diagnostic has in any rendering
SEPARATOR = b"\n%%%\n"
BASE = "base"
FOLDER = Path("fuzzed")  # which isn't there
SUFFIXES = (".arch", ".yaml")
# What emitted source may read beside its own names.
IMPORTS = frozenset(("collections", "math", "torch", "typing"))
BUILTINS = frozenset(
    "bool float getattr int isinstance len list max min range reversed round self str sum super tuple zip".split()
)


def check(data: bytes, *, all_facts: bool = False) -> str:
    """`ok`, or the codes of what is told. Raises what an input must not bring about: that is always a bug.

    Of what can be told of a network, each input gets a part, by its bytes; with `all_facts` everything.
    """
    began = time.process_time()
    outcome = _outcome(data, all_facts=all_facts)
    spent = time.process_time() - began
    assert spent < SECONDS, f"it took {spent:.1f} s"
    return outcome


def spelled(text: str, suffix: str, base: str | None = None) -> bytes:
    """The input for a file's text."""
    texts = [text] if base is None else [text, base]
    return (b"y" if suffix == ".yaml" else b"a") + SEPARATOR.join(
        one.encode("utf-8", "surrogateescape") for one in texts
    )


def files_of(data: bytes) -> dict[Path, bytes]:
    """The files of an input by name, the one that is asked for first."""
    suffix = ".yaml" if data[:1] == b"y" else ".arch"
    first, separator, second = data[1:].partition(SEPARATOR)
    files = {FOLDER / f"spec{suffix}": first}
    return {**files, FOLDER / f"{BASE}{suffix}": second} if separator else files


def _outcome(data: bytes, *, all_facts: bool) -> str:
    files, turn = files_of(data), sum(data)
    path = next(iter(files))
    try:
        spec = read(decode(str(path), files[path]))
        _prints_alike(spec)
        network = Network(spec, _loader(files), None, {})
        warnings = network.check()
    except SpecError as error:
        return _told(error.diagnostics, files, turn)
    _told(warnings, files, turn)
    facts = _facts(network)
    for fact in facts if all_facts else (facts[turn % len(facts)], facts[turn // 7 % len(facts)]):
        _tell(fact)
    return "ok"


def _loader(files: dict[Path, bytes]) -> Loader:
    """Finds the second file of an input beside the shipped specs, whose trees are made once."""
    others = {path.stem: path for path in files if path.stem == BASE}

    def load_one(path: Path) -> Source:
        return decode(str(path), files[path]) if path in files else load(path)

    return Loader(_read, load_one, lambda: _shipped() | others)


@cache
def _shipped() -> dict[str, Path]:
    return library.with_libraries()


@cache
def _shipped_names() -> frozenset[str]:
    return frozenset(map(str, _shipped().values()))


@lru_cache(maxsize=200)
def _known(source: Source) -> Spec:
    return read(source)


def _read(source: Source) -> Spec:
    return read(source) if source.name.startswith(str(FOLDER)) else _known(source)


# What is told


def _told(diagnostics: Iterable[Diagnostic], files: Iterable[Path], turn: int) -> str:
    """The codes; each diagnostic points into a file that was read, and can be shown."""
    found = tuple(diagnostics)
    assert len(found) <= DIAGNOSTICS
    names = {*map(str, files), *_shipped_names()}
    for one in found:
        for span in (one.span, *(note.span for note in one.notes)):
            assert span.source.name in names, span
            _inside(span)
    shown = render(found, get_args(Style)[turn % 4])
    assert shown.strip() or not found
    assert len(shown) < LONGEST * max(1, len(found)), f"{len(shown)} characters"
    _printable(shown)
    return " ".join(one.code for one in found)


def _inside(span: Span) -> None:
    """It starts at a character of the text or right behind the last of a line, where it is one column wide."""
    lines = span.source.text.split("\n")
    assert (span.line, span.column) <= (span.end_line, span.end_column), span
    for line, column, more in ((span.line, span.column, 1), (span.end_line, span.end_column, 2)):
        assert 1 <= line <= len(lines), span
        assert 1 <= column <= len(lines[line - 1]) + more, span


def _printable(text: str) -> None:
    """Nothing in a text steers the terminal or can't be written to a file."""
    for line in text.split("\n"):
        assert visible(line) == line, line


# What parses


def _prints_alike(spec: Spec) -> None:
    """Printed in either spelling and read again, a tree is the same, and so is its print.

    YAML has `fc: dense 10` for a call of what isn't there, which is told later; in text it is a loop.
    """
    if any(isinstance(node, Call) and node.callee in words.CONSTRUCTS for node in nodes_of((spec,))):
        return
    for suffix, printed in ((".arch", print_text), (".yaml", print_yaml)):
        text = printed(spec)
        try:
            again = read(Source(f"{FOLDER}/printed{suffix}", text))
        except SpecError as error:
            raise AssertionError(f"{error.diagnostics[0].code} in what is printed as {suffix}: {error}") from error
        assert again == spec, f"printed as {suffix} it is another tree:\n{text}"
        assert printed(again) == text, f"printed as {suffix} twice it differs:\n{text}"


# What compiles


def _facts(network: Network) -> tuple[Callable[[], Any], ...]:
    """All that is told without running anything."""
    return (
        lambda: network.outputs,
        lambda: network.memory(batch=2),
        network.requirements,
        lambda: _counts(network),
        lambda: _source(network),
        *(partial(network.cost, macs) for macs in get_args(Macs)),
        *(partial(_table, network, format) for format in get_args(Format)),
        *(partial(_drawn, network, format) for format in ("dot", "mmd", "svg", "page")),
    )


def _tell(fact: Callable[[], Any]) -> None:
    """It is told, or refused as too much."""
    try:
        fact()
    except Failure as failure:
        _printable(str(failure))


def _table(network: Network, format: Format) -> None:
    _printable(network.summary(format=format))


def _counts(network: Network) -> None:
    """The parameters that are told are those of the keys."""
    state = state_dict(network.net)
    if state is not None:
        counted = sum(prod(entry.shape) for entry in state.values() if entry.parameter)
        assert at(network.cost().params, network.net.sizes) == counted


def _source(network: Network) -> None:
    tree = ast.parse(network.source)
    compile(tree, "<emitted>", "exec")
    foreign = foreign_names(tree)
    assert not foreign, foreign


def foreign_names(tree: ast.Module) -> set[str]:
    """What a source reads that is neither its own nor one of the few names that we print: what a spec smuggled in.

    Also the names of values that hide a module or what is called beside them.
    """
    nodes = list(ast.walk(tree))
    own = {node.name for node in nodes if isinstance(node, (ast.ClassDef, ast.FunctionDef))} | _values_of(nodes)
    modules: set[str] = set()
    imported: set[str] = set()
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported |= {alias.asname or alias.name for alias in node.names}
            modules |= {node.module or ""} if isinstance(node, ast.ImportFrom) else {one.name for one in node.names}
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    inner = {node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr.startswith("__")}
    hidden: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            inside = list(ast.walk(node))
            calls = {one.func.id for one in inside if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
            hidden |= _values_of(inside) & (calls | imported)
    top = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    statements = {type(node).__name__ for node in tree.body[1:] if not isinstance(node, top)}
    foreign = {module for module in modules if module.partition(".")[0] not in IMPORTS}
    return foreign | (read - own - imported - BUILTINS) | (inner - {"__init__"}) | hidden | statements


def _values_of(nodes: list[ast.AST]) -> set[str]:
    """The names that a source gives to values."""
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.arg for node in nodes if isinstance(node, ast.arg)}


def _drawn(network: Network, format: str) -> None:
    """Pictures as text, and as SVG: well-formed, and with no script in it but the page's own."""
    if format == "page":
        page = network.page().html
        assert page.count("<script") == page.count("</script>") == 2
        return
    picture = network.diagram().render(format)
    if format == "svg":
        root = ElementTree.fromstring(picture)
        assert not [one for one in root.iter() if one.tag.endswith("script")]
