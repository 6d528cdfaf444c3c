"""Where archdsl's own code can be changed at one place, and how: mutmut's operators and a few more, applied by libcst.

A place is a node of the code that at least one operator changes. Left out is what no test could notice or what fails at
once whoever looks: annotations and type aliases, docstrings, imports, decorators and assertions (`strict=` among them);
and wording, that is files of diagnostics and strings with three words in a row: how messages read is held by
`tests/errors`.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

_DIAGNOSTICS = ("errors.py", "kinds.py")
_WORDING = re.compile(r"[\w`{}]+[,:;]? [\w`{}]+[,:;]? [\w`{}]+")
_NO_CALLS = m.Call(func=m.Name("len") | m.Name("isinstance") | m.Name("cast"))
_TYPE_CHECKING = m.Name("TYPE_CHECKING") | m.UnaryOperation(expression=m.Name("TYPE_CHECKING"))
_DOCSTRING = m.SimpleStatementLine(body=[m.Expr(value=m.SimpleString() | m.ConcatenatedString())])
# `Dim = int | Sym`: a name in CapWords.
_ALIAS = m.Assign(targets=[m.AssignTarget(target=m.Name(m.MatchRegex(r"_?[A-Z]\w*[a-z]\w*")))])
_STRICT = m.Arg(keyword=m.Name("strict"))
_LISTS_OF_NAMES = m.Assign(targets=[m.AssignTarget(target=m.Name("__all__") | m.Name("__slots__"))])
_LEFT_OUT = (
    m.Annotation()
    | _STRICT
    | m.Decorator()
    | m.Import()
    | m.ImportFrom()
    | m.Assert()
    | _NO_CALLS
    | _TYPE_CHECKING
    | _DOCSTRING
    | _ALIAS
    | _LISTS_OF_NAMES
)


class Place(NamedTuple):
    """A node that can be changed.

    path: from the root of the checkout. number: which of the file's nodes, in order. changes: how many ways there are.
    lines: first and last line of its statement, or of the head of its compound statement; (0, 0) outside of functions,
        where code runs when the file is imported, in whatever test that happens first.
    """

    path: str
    number: int
    changes: int
    lines: tuple[int, int]


class Mutant(NamedTuple):
    """A file with one change: its text, the place, and the lines that differ as people read them."""

    place: Place
    change: int
    text: str
    diff: str


def draw(root: Path, package: str, count: int, seed: int) -> list[Mutant]:
    """Up to `count` mutants of a package: places drawn at random, each at most once, and of each one of its changes."""
    rng = random.Random(f"{seed} {package}")
    places = all_places(root, package)
    rng.shuffle(places)
    drawn: list[Mutant] = []
    for place in places:
        made = mutant(root, place.path, place.number, rng.randrange(place.changes))
        if made is not None:
            drawn.append(made)
        if len(drawn) == count:
            break
    return drawn


def all_places(root: Path, package: str) -> list[Place]:
    """Every place of a package."""
    files = sorted(path for path in (root / "archdsl" / package).rglob("*.py") if path.name not in _DIAGNOSTICS)
    return [place for path in files for place, _, _ in _changes(root, str(path.relative_to(root)))]


def mutant(root: Path, path: str, number: int, change: int) -> Mutant | None:
    """One change of one place; None where there is no such place, or Python wouldn't read it."""
    found = _changes(root, path)
    if number >= len(found) or change >= found[number][0].changes:
        return None
    before = (root / path).read_text()
    place, node, changed = found[number]
    module = _module(root, path).module.deep_replace(node, changed[change])
    assert isinstance(module, cst.Module)
    text = module.code
    try:
        compile(text, path, "exec")
    except (SyntaxError, ValueError):
        return None
    lines = list(difflib.unified_diff(before.splitlines(), text.splitlines(), n=0, lineterm=""))[2:]
    return Mutant(place, change, text, "\n".join(lines)) if lines else None


@cache
def _module(root: Path, path: str) -> MetadataWrapper:
    return MetadataWrapper(cst.parse_module((root / path).read_text()))


@cache
def _changes(root: Path, path: str) -> list[tuple[Place, cst.CSTNode, list[cst.CSTNode]]]:
    finder = _Finder(path)
    _module(root, path).visit(finder)
    return finder.found


class _Finder(cst.CSTVisitor):
    """Collects the places of a file, each with its node and what that may become."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: str) -> None:
        super().__init__()
        self.found: list[tuple[Place, cst.CSTNode, list[cst.CSTNode]]] = []
        self._path = path
        self._statements = [(0, 0)]
        self._functions = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self._statements.append(self._head(node) if self._functions else (0, 0))
        self._functions += isinstance(node, cst.FunctionDef)
        if m.matches(node, _LEFT_OUT):
            return False
        changed = list(_changed(node))
        if changed:
            place = Place(self._path, len(self.found), len(changed), self._statements[-1])
            self.found.append((place, node, changed))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self._statements.pop()
        self._functions -= isinstance(original_node, cst.FunctionDef)

    def _head(self, node: cst.SimpleStatementLine | cst.BaseCompoundStatement) -> tuple[int, int]:
        span: Any = self.get_metadata(PositionProvider, node)
        if isinstance(node, cst.SimpleStatementLine):
            return span.start.line, span.end.line
        body: Any = self.get_metadata(PositionProvider, node.body)
        return span.start.line, max(span.start.line, body.start.line - 1)


def _changed(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.SimpleString):
        # One string that is another is enough; mutmut also turns small letters into capitals and back.
        if not _WORDING.search(node.value):
            yield from next(([one] for one in _OF_STRINGS(node)), [])
        return
    for kind, operator in (*mutation_operators, *_MORE):
        if isinstance(node, kind):
            # A call keeps the arguments that are left out of all this.
            yield from (one for one in operator(node) if _stricts(one) == _stricts(node))


def _stricts(node: cst.CSTNode) -> int:
    return sum(m.matches(arg, _STRICT) for arg in node.args) if isinstance(node, cst.Call) else 0


_OF_STRINGS: Callable[[Any], Iterable[cst.CSTNode]] = next(
    of for kind, of in mutation_operators if kind is cst.BaseString
)


def _forced(node: cst.If | cst.CompIf) -> Iterator[cst.CSTNode]:
    """A condition that always or never holds; mutmut does so to those inside expressions."""
    if not m.matches(node.test, _TYPE_CHECKING):
        yield from (node.with_changes(test=cst.Name(always)) for always in ("True", "False"))


def _one_less(node: cst.Integer) -> Iterator[cst.CSTNode]:
    """A number less by one; mutmut makes it greater."""
    value = node.evaluated_value - 1
    minus = cst.UnaryOperation(operator=cst.Minus(), expression=cst.Integer(str(abs(value))))
    yield cst.Integer(str(value)) if value >= 0 else minus


def _nothing_returned(node: cst.Return) -> Iterator[cst.CSTNode]:
    """`return None` for what is returned."""
    if node.value is not None and not m.matches(node.value, m.Name("None")):
        yield node.with_changes(value=cst.Name("None"), whitespace_after_return=cst.SimpleWhitespace(" "))


def _not_called(node: cst.Expr) -> Iterator[cst.CSTNode]:
    """A call that is a statement, left out."""
    if isinstance(node.value, cst.Call):
        yield node.with_changes(value=cst.Ellipsis())


_MORE: tuple[tuple[Any, Callable[[Any], Iterator[cst.CSTNode]]], ...] = (
    ((cst.If, cst.CompIf), _forced),
    (cst.Integer, _one_less),
    (cst.Return, _nothing_returned),
    (cst.Expr, _not_called),
)
