"""The bodies of a text spec: from the lines of an outline to the statements of the tree."""

from __future__ import annotations

from collections.abc import Callable

from archdsl.diagnostics import SpecError
from archdsl.syntax import errors, headers, line, words
from archdsl.syntax.comments import Comments
from archdsl.syntax.expression import Expression, Label
from archdsl.syntax.nesting import Nesting
from archdsl.syntax.outline import Item
from archdsl.syntax.problems import Problems
from archdsl.syntax.spec import (
    Body,
    Dense,
    For,
    From,
    Group,
    Let,
    Merge,
    Output,
    Repeat,
    Residual,
    Settings,
    Shortcut,
    Statement,
    Step,
    Trivia,
    Unused,
)
from archdsl.syntax.text_range import Text

# The constructs that may stand behind a label, which names the container around them.
_LABELLED = frozenset((*words.MERGES, "group", "repeat", "for", "residual", "dense"))


class Lines:
    """The lines of one body, read one after the other."""

    def __init__(self, items: list[Item]) -> None:
        self._items = items
        self._next = 0

    def take(self) -> Item | None:
        if self._next == len(self._items):
            return None
        self._next += 1
        return self._items[self._next - 1]

    def take_if(self, word: str) -> Item | None:
        """The next line if it starts with a word that is no label."""
        if self._next < len(self._items):
            item = self._items[self._next]
            if not item.is_dash and headers.first_word(item.text) == word and headers.labelled(item.text) is None:
                return self.take()
        return None


class Steps:
    """Reads bodies; what is wrong goes to `problems` and reading goes on with the next line."""

    def __init__(self, comments: Comments, problems: Problems) -> None:
        self.comments = comments
        self.problems = problems
        self.nesting = Nesting()
        self._constructs: dict[str, Callable[[Item, Text, Trivia, Lines], Statement]] = {
            "group": self._group,
            "repeat": self._repeat,
            "for": self._for,
            "residual": self._residual,
            "dense": self._dense,
            "output": self._output,
            "from": self._from,
            "let": self._let,
            "unused": self._unused,
            **dict.fromkeys(words.MERGES, self._merge),
        }

    def body(self, items: list[Item]) -> Body:
        """The statements of a body, without those that are wrong."""
        if not items:
            return ()
        lines = Lines(items)
        found = []
        with self.nesting.inside(items[0].text.all()):
            while (item := lines.take()) is not None:
                try:
                    found.append(self.statement(item, item.text, self.claim(item), lines))
                except SpecError as error:
                    self.problems += error.diagnostics
        return tuple(found)

    def claim(self, item: Item) -> Trivia:
        return self.comments.claim(item.line, item.end_line)

    def statement(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Statement:
        """One statement, `text` being what its line says (behind `do`, where one stands before it)."""
        if item.is_dash:
            self.body(item.children)
            raise SpecError(errors.DashOutsideMerge(text.all()))
        label = headers.labelled(text)
        if label is not None:
            return self._labelled(item, text, label, trivia, lines)
        word = headers.first_word(text)
        if word in self._constructs:
            return self._constructs[word](item, text, trivia, lines)
        if word in words.BEGINNINGS:
            raise SpecError(errors.Misplaced(text.part(0, len(word)).all(), word=word, help_text=_PLACES.get(word)))
        return self._step(item, text, text, None, trivia)

    def _labelled(self, item: Item, text: Text, label: headers.Labelled, trivia: Trivia, lines: Lines) -> Statement:
        name, rest = label
        if not rest.text:
            return Group(label=name, body=self._needed(item, text), span=text.all(), trivia=trivia)
        word = headers.first_word(rest)
        if word == "when":
            when = line.guard(rest)
            return Group(label=name, when=when, body=self._needed(item, text), span=text.all(), trivia=trivia)
        if word in _LABELLED:
            with self.nesting.inside(rest.all()):
                inner = self._constructs[word](item, rest, Trivia(), lines)
            return Group(label=name, body=(inner,), span=text.all(), trivia=trivia)
        if word in words.CONSTRUCTS:
            raise SpecError(errors.Misplaced(rest.part(0, len(word)).all(), word=word, help_text="it takes no label"))
        return self._step(item, text, rest, name, trivia)

    def _step(self, item: Item, text: Text, links: Text, label: Label | None, trivia: Trivia) -> Step:
        if item.children:
            self.report_body(item, links)
        calls = line.chain(links)
        callee, kept = calls[0].callee, words.BEGINNINGS if label is None else words.CONSTRUCTS
        if callee in kept and calls[0].count is None:  # `repeat-3`, which would be printed as a construct
            raise SpecError(errors.Misplaced(links.all().word(callee), word=callee, help_text=_PLACES.get(callee)))
        return Step(label=label, links=calls, span=text.all(), trivia=trivia)

    def report_body(self, item: Item, text: Text) -> None:
        """Tell that nothing may be indented under a line, and what is wrong with what is."""
        word = headers.first_word(text)
        self.problems.append(errors.BodyUnderCall(item.children[0].text.all(), callee=word or text.text))
        if not any(child.is_dash for child in item.children):
            self.body(item.children)

    def _needed(self, item: Item, text: Text) -> Body:
        """The body of a construct, which must have one."""
        if not item.children:
            raise SpecError(errors.EmptyBody(text.all(), what=text.text.strip()))
        return self.body(item.children)

    def _group(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Group:
        when = line.guard(headers.after("group", text))
        return Group(when=when, body=self._needed(item, text), span=text.all(), trivia=trivia)

    def _repeat(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Repeat:
        count, index, when = line.counted(headers.after("repeat", text))
        body = self._needed(item, text)
        return Repeat(count=count, index=index, when=when, body=body, span=text.all(), trivia=trivia)

    def _dense(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Dense:
        count, index, when = line.counted(headers.after("dense", text))
        body = self._needed(item, text)
        return Dense(count=count, index=index, when=when, body=body, span=text.all(), trivia=trivia)

    def _for(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> For:
        head = headers.looped(headers.after("for", text))
        if head.over is not None:
            body = self._needed(item, text)
            return For(names=head.names, over=head.over, when=head.when, body=body, span=text.all(), trivia=trivia)
        inside = next((child for child in item.children if headers.first_word(child.text) == "do"), None)
        if inside is not None:
            raise SpecError(errors.Misplaced(inside.text.all().word("do"), word="do", help_text=_PLACES["do"]))
        do = lines.take_if("do")
        rows = self._rows(item, head.names)
        if do is None:
            raise SpecError(errors.TableWithoutDo(text.all()))
        body = self._do(do, lines)
        return For(names=head.names, rows=rows, when=head.when, body=body, span=text.all(), trivia=trivia)

    def _rows(self, item: Item, names: tuple[str, ...]) -> tuple[tuple[Expression, ...], ...]:
        found = []
        for child in item.children:
            text = child.text
            try:
                cells = line.row(text)
                if len(cells) != len(names):
                    raise SpecError(headers.row_length(text.all(), cells, names))
                found.append(cells)
            except SpecError as error:
                self.problems += error.diagnostics
        if not item.children:
            raise SpecError(errors.EmptyTable(item.text.all()))
        return tuple(found)

    def _do(self, item: Item, lines: Lines) -> Body:
        trivia = self.claim(item)
        text = headers.after("do", item.text)
        if not text.text:
            return self._needed(item, item.text)
        with self.nesting.inside(text.all()):
            return (self.statement(item, text, trivia, lines),)

    def _merge(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Merge:
        kind = headers.first_word(text)
        along, when = headers.merge(headers.after(kind, text))
        if not item.children:
            raise SpecError(errors.EmptyBody(text.all(), what=text.text.strip()))
        branches = []
        for child in item.children:
            if child.is_dash:
                branches.append(self.body(child.children))
            else:
                where = child.text.all()
                self.problems.append(errors.BranchWithoutDash(where, kind=kind, line=child.text.text.strip()))
        return Merge.model_validate(
            {
                "kind": kind,
                "along": along,
                "when": when,
                "branches": tuple(branches),
                "span": text.all(),
                "trivia": trivia,
            }
        )

    def _residual(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Residual:
        when = line.guard(headers.after("residual", text))
        body = self._needed(item, text)
        below = lines.take_if("shortcut")
        shortcut = self._shortcut(below) if below is not None else None
        return Residual(when=when, body=body, shortcut=shortcut, span=text.all(), trivia=trivia)

    def _shortcut(self, item: Item) -> Shortcut:
        trivia = self.claim(item)
        text = item.text
        label, when = headers.shortcut(headers.after("shortcut", text))
        body = self.body(item.children)
        if (not body and when is None) or (label is not None and not body):
            raise SpecError(errors.EmptyBody(text.all(), what=text.text.strip()))
        return Shortcut(label=label, when=when, body=body, span=text.all(), trivia=trivia)

    def _output(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Output:
        name, when = headers.output(headers.after("output", text))
        return Output(name=name, when=when, body=self.body(item.children), span=text.all(), trivia=trivia)

    def _from(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> From:
        self._childless(item, text)
        found = line.path(headers.after("from", text))
        return From(path=found.labels, when=found.when, span=text.all(), trivia=trivia)

    def _let(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Let:
        return self.let(item, text, trivia)

    def let(self, item: Item, text: Text, trivia: Trivia) -> Let:
        self._childless(item, text)
        return headers.let(headers.after("let", text)).model_copy(update={"span": text.all(), "trivia": trivia})

    def _unused(self, item: Item, text: Text, trivia: Trivia, lines: Lines) -> Unused:
        rest = headers.after("unused", text)
        label, call = headers.unused(rest)
        self._childless(item, rest)
        return Unused(label=label, call=call, span=text.all(), trivia=trivia)

    def settings(self, item: Item, word: str) -> Settings:
        """`default conv  pad same, bias no` or an `init` line."""
        trivia = self.claim(item)
        self._childless(item, item.text)
        op, rest = headers.name(headers.after(word, item.text), "an operation's name")
        return Settings(op=op, args=line.arguments(rest), span=item.text.all(), trivia=trivia)

    def _childless(self, item: Item, text: Text) -> None:
        if item.children:
            self.report_body(item, text)


_MARGIN = "it stands at the left margin"
_PLACES = {
    "shortcut": "a `shortcut` stands right under its `residual`, in the same column",
    "do": "`do` follows the rows of a table, in the column of its `for`",
    "default": "`default` stands at the left margin, or first in a block",
    "init": "`init` stands at the left margin, or first in a block",
    "block": _MARGIN,
    "macro": _MARGIN,
    "net": _MARGIN,
    "use": _MARGIN,
    "input": "`input` stands in the body of a `net`, before its steps",
    "again": "the word is kept for later versions",
}
