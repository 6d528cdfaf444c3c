"""The text spelling: from an outline to the tree of a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archdsl.diagnostics import SpecError
from archdsl.source import Source, Span
from archdsl.syntax import errors, headers, line, values, words
from archdsl.syntax.expression import Literal
from archdsl.syntax.outline import Item, outline
from archdsl.syntax.problems import Problems
from archdsl.syntax.spec import BlockDef, Entry, Let, Section, Settings, Spec
from archdsl.syntax.steps import Lines, Steps
from archdsl.syntax.text_range import Text


def read_text(source: Source, problems: Problems) -> Spec | None:
    """The tree of a text spec; what is wrong goes to `problems`, and no tree is made of a file that is wrong."""
    items, comments = outline(source, problems)
    heading = comments.heading()
    reader = _FileReader(Steps(comments, problems))
    for item in items:
        reader.line(item)
    first = items[0].text.all() if items else Span(source, 1, 1, 1, 1)
    fields = reader.fields()
    if not problems:
        problems += values.incomplete(fields, first)
    if problems:
        return None
    return Spec(**{"span": first, **fields}, trivia=heading, closing=comments.rest())


# Lines with nothing under them; `let`, `default` and `init` see to that themselves, wherever they stand.
_ONE_LINE = frozenset(("format", "about", "use", "input", "returns"))


_OTHERS = {
    "//": "a comment starts with `#`",
    "def": "a piece with parameters is a `block`: `block cell (width)`",
    "class": "a piece with parameters is a `block`: `block cell (width)`",
    "import": "blocks of another file come with `use NAME`",
    "model": "a network starts with `net NAME`",
}
_YAML = "a file written as YAML has a name that ends in .yaml; as text it starts with `net NAME`"


class _FileReader:
    """Reads the lines at the left margin, and those of the net."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._problems = steps.problems
        self._lists: dict[str, list[Any]] = {
            key: [] for key in ("use", "lets", "defaults", "inits", "macros", "blocks")
        }
        self._single: dict[str, Any] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def fields(self) -> dict[str, Any]:
        return self._single | {key: tuple(value) for key, value in self._lists.items()}

    def line(self, item: Item, known: tuple[str, ...] = words.FILE_WORDS) -> None:
        """One line at the left margin, with all that is under it."""
        try:
            word = headers.first_word(item.text)
            if item.is_dash or word not in known or headers.labelled(item.text) is not None:
                found = word or item.text.text[:20]
                help = _YAML if word in ("network", "layers") else "indent steps under their `net` or `block`"
                help = _OTHERS.get(found.split(" ")[0], help)
                raise SpecError(
                    errors.UnknownLine(item.text.all(), found=found, known=", ".join(known), help_text=help)
                )
            if item.children and word in _ONE_LINE:
                self._steps.report_body(item, item.text)
            self._WORDS[word](self, item, headers.after(word, item.text))
        except SpecError as error:
            self._problems += error.diagnostics

    def _once(self, item: Item, what: str, name: str) -> None:
        line_before = self._seen.setdefault((what, name), item.line)
        if line_before != item.line:
            self._problems.append(errors.DuplicateName(item.text.all(), what=what, name=name, line=line_before))

    def _set(self, item: Item, key: str, value: Any) -> None:
        self._once(item, "line", key)
        self._single[key] = value

    def _format(self, item: Item, rest: Text) -> None:
        self._set(item, "format", values.format_number(rest))

    def _about(self, item: Item, rest: Text) -> None:
        value = line.expression(rest)
        if not isinstance(value, Literal) or not isinstance(value.value, str):
            raise SpecError(errors.Syntax(rest.all(), found=f"`{rest.text}`", wanted='a text in quotes: about "..."'))
        self._set(item, "about", value.value.strip())

    def _use(self, item: Item, rest: Text) -> None:
        self._lists["use"] += values.name_list(rest)

    def _returns(self, item: Item, rest: Text) -> None:
        self._set(item, "returns", values.name_list(rest))

    def _let(self, item: Item, rest: Text) -> None:
        found: Let = self._steps.let(item, item.text, self._steps.claim(item))
        self._once(item, "let", found.name)
        self._lists["lets"].append(found)

    def _default(self, item: Item, rest: Text) -> None:
        self._settings(item, "default", "defaults")

    def _init(self, item: Item, rest: Text) -> None:
        self._settings(item, "init", "inits")

    def _settings(self, item: Item, word: str, key: str) -> None:
        found = self._steps.settings(item, word)
        self._once(item, word, found.op)
        self._lists[key].append(found)

    def _macro(self, item: Item, rest: Text) -> None:
        self._lists["macros"].append(self._definition(item, rest, "macro"))

    def _block(self, item: Item, rest: Text) -> None:
        self._lists["blocks"].append(self._definition(item, rest, "block"))

    def _definition(self, item: Item, rest: Text, what: str) -> BlockDef:
        trivia = self._steps.claim(item)
        name, params = headers.signature(rest, what)
        self._once(item, what, name)
        if not item.children:
            raise SpecError(errors.EmptyBody(item.text.all(), what=f"{what} {name}"))
        defaults, inits, below = self._own_settings(item.children)
        if not below:
            raise SpecError(errors.EmptyBody(item.text.all(), what=f"{what} {name}"))
        return BlockDef(
            name=name,
            params=params,
            defaults=defaults,
            inits=inits,
            body=self._steps.body(below),
            span=item.text.all(),
            trivia=trivia,
        )

    def _own_settings(self, items: list[Item]) -> tuple[tuple[Settings, ...], tuple[Settings, ...], list[Item]]:
        """The `default` and `init` lines that open a block, and the lines after them."""
        found: dict[str, dict[str, Settings]] = {"default": {}, "init": {}}
        at = 0
        while at < len(items):
            item = items[at]
            word = headers.first_word(item.text)
            if word not in found or headers.labelled(item.text) is not None:
                break
            try:
                settings = self._steps.settings(item, word)
                if settings.op in found[word]:
                    before = found[word][settings.op].span.line
                    raise SpecError(errors.DuplicateName(settings.span, what=word, name=settings.op, line=before))
                found[word][settings.op] = settings
            except SpecError as error:
                self._problems += error.diagnostics
            at += 1
        return tuple(found["default"].values()), tuple(found["init"].values()), items[at:]

    def _net(self, item: Item, rest: Text) -> None:
        trivia = self._steps.claim(item)
        if "network" in self._single:  # a file holds one network, the others belong in files of their own
            first = self._single["network"]
            before = self._single["span"].line
            raise SpecError(errors.DuplicateName(item.text.all(), what="network", name=first, line=before))
        name, rest = headers.new_name(rest, "the network's name")
        extends = None
        if rest.text.startswith("="):
            extends, rest = values.spec_name(rest.part(1))
        params: tuple[Any, ...] = ()
        if rest.text:
            if not rest.text.startswith("("):
                help_text = "no colon or brace stands behind it; its body is indented under it"
                raise SpecError(
                    errors.Syntax(rest.span(0, 1), found=f"`{rest.text[0]}`", wanted="`(`", help_text=help_text)
                )
            inner, behind = headers.bracketed(rest)
            headers.nothing(behind)
            params = headers.params(inner)
        self._single |= {
            "network": name,
            "extends": extends,
            "params": params,
            "span": item.text.all(),
            "net_trivia": trivia,
        }
        self._net_body(item, extends)

    def _net_body(self, item: Item, extends: str | None) -> None:
        steps = []
        lines = Lines(item.children)
        own = words.NET_WORDS if extends else words.NET_WORDS - {"default", "init"}
        while (child := lines.take()) is not None:
            if not child.is_dash and headers.first_word(child.text) in own and headers.labelled(child.text) is None:
                self.line(child, tuple(own))
                continue
            try:
                values.refuse_colon(child.text)
                with self._steps.nesting.inside(child.text.all()):
                    steps.append(self._steps.statement(child, child.text, self._steps.claim(child), lines))
            except SpecError as error:
                self._problems += error.diagnostics
        if extends and steps:
            self._problems.append(errors.Misplaced(steps[0].span, word="a step", help_text=values.EXTENDS))
        if not extends:
            if not steps and not self._problems:
                raise SpecError(errors.EmptyBody(item.text.all(), what=item.text.text.strip()))
            self._single["layers"] = tuple(steps)

    def _input(self, item: Item, rest: Text) -> None:
        self._set(item, "input", values.input_size(rest))

    def _section(self, item: Item, rest: Text) -> None:
        headers.nothing(rest)
        trivia = self._steps.claim(item)
        entries = self._entries(item.children)
        section = Section(entries=entries, span=item.text.all(), trivia=trivia)
        self._set(item, headers.first_word(item.text), section)

    def _entries(self, items: list[Item]) -> tuple[Entry, ...]:
        found: dict[str, Entry] = {}
        for item in items:
            try:
                entry = self._entry(item)
                if entry.key in found:
                    before = found[entry.key].span.line
                    raise SpecError(errors.DuplicateName(entry.span, what="setting", name=entry.key, line=before))
                found[entry.key] = entry
            except SpecError as error:
                self._problems += error.diagnostics
        return tuple(found.values())

    def _entry(self, item: Item) -> Entry:
        trivia = self._steps.claim(item)
        key, rest = headers.name(item.text, "a setting's name")
        if rest.text.startswith("=") and not rest.text.startswith("=="):
            rest = rest.part(1)
        value = line.expression(rest) if rest.text else None
        if value is not None and item.children:
            raise SpecError(errors.BodyUnderCall(item.children[0].text.all(), callee=key))
        return Entry(key=key, value=value, entries=self._entries(item.children), span=item.text.all(), trivia=trivia)

    # On the class: a reader that held its own methods would be garbage in a circle.
    _WORDS: ClassVar[dict[str, Callable[[_FileReader, Item, Text], None]]] = {
        "format": _format,
        "about": _about,
        "use": _use,
        "let": _let,
        "default": _default,
        "init": _init,
        "macro": _macro,
        "block": _block,
        "net": _net,
        "input": _input,
        "returns": _returns,
        "preprocess": _section,
        "train": _section,
    }
