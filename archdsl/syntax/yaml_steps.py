"""The bodies of a YAML spec: from lists and mappings to the statements of the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax import errors, headers, line, words, yaml_errors
from archdsl.syntax.comments import Comments
from archdsl.syntax.events import Mapping, Node, Scalar, Sequence
from archdsl.syntax.expression import Arg, Expression
from archdsl.syntax.nesting import Nesting
from archdsl.syntax.problems import Problems
from archdsl.syntax.spec import (
    Body,
    Call,
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
from archdsl.syntax.yaml_values import argument, expression, mapping, named, on_one_line, refuse_torn, scalar, sequence


class Steps:
    """Reads bodies; what is wrong goes to `problems` and reading goes on with the next item."""

    def __init__(self, comments: Comments, problems: Problems) -> None:
        self.comments = comments
        self.problems = problems
        self._nesting = Nesting()

    def body(self, node: Node, what: str) -> Body:
        """The statements of a list, without those that are wrong."""
        found: list[Statement] = []
        items = sequence(node, what, "a list of steps").items
        with self._nesting.inside(node.span):
            for item in items:
                try:
                    found += self.item(item)
                except SpecError as error:
                    self.problems += error.diagnostics
        return tuple(found)

    def needed(self, node: Node, what: str) -> Body:
        """The body of a construct, which must have one."""
        if (isinstance(node, Sequence) and not node.items) or (isinstance(node, Scalar) and not node.value):
            raise SpecError(errors.EmptyBody(node.span, what=what))
        return self.body(node, f"the body of `{what}`")

    def item(self, item: Node) -> list[Statement]:
        """An item of a body: one statement, or the several of a `let`."""
        trivia = self.comments.claim(item.span.line)
        if isinstance(item, Sequence):
            raise SpecError(
                yaml_errors.WrongNode(item.span, what="a step", wanted="a line", found="a list", help_text=_LIST)
            )
        if isinstance(item, Scalar):
            return [self._line(item, trivia)]
        if not item.pairs:
            raise SpecError(yaml_errors.WrongNode(item.span, what="a step", wanted="a line", found="an empty mapping"))
        key, value = item.pairs[0]
        word = headers.first_word(key.text)
        if word == "label" and key.value != "label":
            self._only(item)
            return [self._labelled(headers.after("label", key.text), key, value, trivia)]
        if word in self._CONSTRUCTS:
            if word not in ("repeat", "dense", "for", "residual"):
                self._only(item)
            return self._CONSTRUCTS[word](self, key.text, value, item, trivia)
        if word in words.CONSTRUCTS or word == "defaults":
            raise SpecError(errors.Misplaced(key.span, word=word, help_text=_PLACES.get(word)))
        self._only(item)
        return [self._labelled(key.text, key, value, trivia)]

    def _only(self, item: Mapping, *also: str) -> None:
        """A step's mapping has one key, and those that its construct knows."""
        for key, value in item.pairs[1:]:
            word = headers.first_word(key.text)
            if word in also:
                continue
            if key.in_flow and isinstance(value, Scalar) and not value.value:
                raise SpecError(yaml_errors.YamlComma(key.span, item=key.value))
            first = item.pairs[0][0]
            if owners := _OWNERS.get(word):
                raise SpecError(_without_owner(first, key, word, owners))
            told = key.value
            if first.value in ("type", "op", "kind", "layer", "name"):
                help_text = "a step is its label and its call: `- conv1: conv 3x3, 64, stride 2`"
            elif isinstance(value, Scalar) and value.value:
                help_text = f"start each step with `- `: `- {told}: {value.value}`"
            else:
                help_text = "start each step with `- `"
            raise SpecError(yaml_errors.SecondKey(key.span, key=told, first=first.value, help_text=help_text))

    def _line(self, item: Scalar, trivia: Trivia) -> Statement:
        """A step without label: `relu`, `conv 3x3, 64 -> relu`; or `output logits`."""
        text = item.text
        word = headers.first_word(text)
        if word == "output":
            name, when = headers.output(headers.after(word, text))
            return Output(name=name, when=when, span=item.span, trivia=trivia)
        if word in words.BEGINNINGS and headers.labelled(text) is None:
            raise SpecError(_no_step(item.span, word))
        links = self._chain(item)
        if links[0].callee in words.BEGINNINGS and links[0].count is None:  # `repeat-3`, which would print as another
            raise SpecError(_no_step(item.span, links[0].callee))
        return Step(links=links, span=item.span, trivia=trivia)

    def _chain(self, item: Scalar) -> tuple[Call, ...]:
        if headers.labelled(item.text) is not None:
            raise SpecError(yaml_errors.QuotedLabel(item.span))
        try:
            return line.chain(item.text)
        except SpecError:
            if item.in_flow and not headers.first_word(item.text):
                raise SpecError(yaml_errors.YamlComma(item.span, item=item.value)) from None
            refuse_torn(item)
            raise

    def _labelled(self, name: Text, key: Scalar, value: Node, trivia: Trivia) -> Statement:
        """`conv1: conv 3x3, 64`, `conv1: {conv: [3x3, 64]}` or `features: [...]`."""
        label, when = headers.guarded_label(name)
        if label is None:
            raise SpecError(errors.NameExpected(key.span, what="a label"))
        if isinstance(value, Scalar):
            if not value.value:
                raise SpecError(errors.EmptyBody(key.span, what=key.value))
            if when is not None:
                help_text = "the guard of a call stands behind it: `conv 3x3, 64 when C`"
                raise SpecError(errors.Misplaced(key.span, word="when", help_text=help_text))
            return Step(label=label, links=self._chain(value), span=key.span.to(value.span), trivia=trivia)
        if isinstance(value, Mapping):
            links = (self.structured(value, when),)
            return Step(label=label, links=links, span=key.span, trivia=trivia)
        return Group(label=label, when=when, body=self.needed(value, key.value), span=key.span, trivia=trivia)

    def structured(self, value: Mapping, when: Expression | None) -> Call:
        """`{conv: [7x7, 64], stride: 2}`."""
        if not value.pairs:
            raise SpecError(yaml_errors.WrongNode(value.span, what="a call", wanted="a mapping", found="an empty one"))
        key, values = value.pairs[0]
        called = line.called(key.text)
        if called.callee in words.CONSTRUCTS:
            help_text = f"a labelled construct is a list that holds it: `- {called.callee}: ...`"
            raise SpecError(errors.Misplaced(key.span, word=called.callee, help_text=help_text))
        args: list[Arg] = []
        if isinstance(values, Scalar):
            args += line.arguments(values.text) if values.value else ()
        else:
            for item in sequence(values, f"the values of `{called.callee}`", "a list").items:
                args += argument(item)
        for name, setting in value.pairs[1:]:
            if key.in_flow and isinstance(setting, Scalar) and not setting.value:
                raise SpecError(yaml_errors.YamlComma(name.span, item=name.value))
            args.append(named(name, setting))
        return Call(callee=called.callee, count=called.times, args=tuple(args), when=when, span=value.span)

    def settings(self, node: Node) -> tuple[Settings, ...]:
        """`defaults` or `init`: a mapping from operations to what their calls leave out."""
        found = []
        pairs = mapping(node, "a section of settings").pairs
        for key, value in pairs:
            try:
                trivia = self.comments.claim(key.span.line, shared=on_one_line(pairs))
                op, rest = headers.name(key.text, "an operation's name")
                headers.nothing(rest)
                if isinstance(value, Scalar):
                    args = line.arguments(value.text)
                else:
                    args = tuple(named(*pair) for pair in mapping(value, f"the settings of `{op}`").pairs)
                found.append(Settings(op=op, args=args, span=key.span.to(value.span), trivia=trivia))
            except SpecError as error:
                self.problems += error.diagnostics
        return tuple(found)

    def _group(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        when = line.guard(headers.after("group", head))
        return [Group(when=when, body=self.needed(value, "group"), span=head.all(), trivia=trivia)]

    def _repeat(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        word = headers.first_word(head)
        self._only(item, "do")
        behind = headers.after(word, head)
        if behind.text[:1].isalnum() and headers.first_word(behind) != "when":
            raise SpecError(_in_key(word, behind))
        when = line.guard(behind)
        header = scalar(value, f"the count of `{word}`")
        count, index, inner = line.counted(header.text)
        if inner is not None:
            raise SpecError(yaml_errors.GuardInValue(value.span, word=word))
        body = self._do(item, word)
        made = Repeat if word == "repeat" else Dense
        span = head.all().to(value.span)
        return [made(count=count, index=index, when=when, body=body, span=span, trivia=trivia)]

    def _do(self, item: Mapping, word: str) -> Body:
        for key, value in item.pairs[1:]:
            if key.value == "do":
                return self.needed(value, word)
        raise SpecError(yaml_errors.MissingDo(item.pairs[0][0].span, word=word))

    def _for(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        self._only(item, "do", "in")
        behind = headers.after("for", head)
        if behind.text[:1].isalnum() and headers.first_word(behind) != "when":
            raise SpecError(_in_key("for", behind))
        when = line.guard(behind)
        names, over, inner = headers.looped(scalar(value, "the heading of `for`").text)
        if inner is not None:
            raise SpecError(yaml_errors.GuardInValue(value.span, word="for"))
        span = head.all().to(value.span)
        rows = None
        table = next((below for key, below in item.pairs[1:] if key.value == "in"), None)
        if table is not None and over is not None:
            raise SpecError(errors.Misplaced(table.span, word="in", help_text="the line of `for` has its `in` already"))
        if isinstance(table, Sequence) and any(isinstance(row, Sequence) for row in table.items):
            rows = self._rows(table, names)
        elif table is not None:
            over = expression(table)
        elif over is None:
            raise SpecError(errors.EmptyTable(value.span))
        body = self._do(item, "for")
        return [For(names=names, rows=rows, over=over, when=when, body=body, span=span, trivia=trivia)]

    def _rows(self, table: Sequence, names: tuple[str, ...]) -> tuple[tuple[Expression, ...], ...]:
        found = []
        for row in table.items:
            try:
                cells = tuple(expression(cell) for cell in sequence(row, "a row", "a list").items)
                if len(cells) != len(names):
                    raise SpecError(headers.row_length(row.span, cells, names))
                found.append(cells)
            except SpecError as error:
                self.problems += error.diagnostics
        return tuple(found)

    def _merge(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        kind: Any = headers.first_word(head)
        along, when = headers.merge(headers.after(kind, head))
        branches = []
        for branch in sequence(value, f"the branches of `{kind}`", "a list").items:
            alone = Sequence([branch], branch.span)
            branches.append(self.body(branch if isinstance(branch, Sequence) else alone, "a branch"))
        if not branches and not self.problems:
            raise SpecError(errors.EmptyBody(head.all(), what=kind))
        return [Merge(kind=kind, along=along, when=when, branches=tuple(branches), span=head.all(), trivia=trivia)]

    def _residual(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        self._only(item, "shortcut")
        when = line.guard(headers.after("residual", head))
        body = self.needed(value, "residual")
        shortcuts = [self._shortcut(*pair) for pair in item.pairs[1:]]
        if len(shortcuts) > 1:
            raise SpecError(
                errors.Misplaced(shortcuts[1].span, word="shortcut", help_text="a residual has one shortcut")
            )
        shortcut = shortcuts[0] if shortcuts else None
        return [Residual(when=when, body=body, shortcut=shortcut, span=head.all(), trivia=trivia)]

    def _shortcut(self, key: Scalar, value: Node) -> Shortcut:
        trivia = self.comments.claim(key.span.line)
        label, when = headers.guarded_label(headers.after("shortcut", key.text))
        if not isinstance(value, Scalar):
            body = self.needed(value, key.value)
            return Shortcut(label=label, when=when, body=body, span=key.span, trivia=trivia)
        if headers.first_word(value.text) != "when":
            raise SpecError(errors.InlineShortcut(key.span.to(value.span)))
        if when is not None or label is not None:
            raise SpecError(errors.EmptyBody(key.span, what=key.value))
        return Shortcut(when=line.guard(value.text), span=key.span.to(value.span), trivia=trivia)

    def _output(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        name, when = headers.output(headers.after("output", head))
        body = self.needed(value, f"output {name}")
        return [Output(name=name, when=when, body=body, span=head.all(), trivia=trivia)]

    def _from(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        when = line.guard(headers.after("from", head))
        labels, inner = line.path(scalar(value, "what `from` names").text)
        if inner is not None:
            raise SpecError(yaml_errors.GuardInValue(value.span, word="from"))
        return [From(path=labels, when=when, span=head.all().to(value.span), trivia=trivia)]

    def _let(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        headers.nothing(headers.after("let", head))
        found = self.lets(value)
        if found and trivia != found[0].trivia:
            first = found[0].trivia
            both = Trivia((*trivia.comments, *first.comments), trivia.note or first.note, trivia.gap)
            if len(found) > 1 and both.note:  # it stands beside all of them
                both = Trivia((*both.comments, both.note), "", both.gap)
            found = (found[0].model_copy(update={"trivia": both}), *found[1:])
        return list(found)

    def lets(self, value: Node) -> tuple[Let, ...]:
        """`{wide: expand * input.channels}`."""
        found = []
        pairs = mapping(value, "`let`").pairs
        for key, each in pairs:
            trivia = self.comments.claim(key.span.line, shared=on_one_line(pairs))
            name, rest = headers.new_name(key.text, "a `let`")
            headers.nothing(rest)
            found.append(Let(name=name, value=expression(each), span=key.span.to(each.span), trivia=trivia))
        return tuple(found)

    def _unused(self, head: Text, value: Node, item: Mapping, trivia: Trivia) -> list[Statement]:
        label = line.label(headers.after("unused", head))
        if isinstance(value, Mapping):
            call = self.structured(value, None)
        else:
            call = headers.single(scalar(value, "what is unused").text)
        return [Unused(label=label, call=call, span=head.all().to(value.span), trivia=trivia)]

    # On the class: a reader that held its own methods would be garbage in a circle.
    _CONSTRUCTS: ClassVar[dict[str, Callable[[Steps, Text, Node, Mapping, Trivia], list[Statement]]]] = {
        "group": _group,
        "repeat": _repeat,
        "for": _for,
        "residual": _residual,
        "dense": _repeat,
        "output": _output,
        "from": _from,
        "let": _let,
        "unused": _unused,
        **dict.fromkeys(words.MERGES, _merge),
    }


def _in_key(word: str, behind: Text) -> Diagnostic:
    """For `- repeat 3: [...]`, text's order with YAML's colon."""
    help_text = f"write `- {word}: {behind.text}`, and the steps under a second key, `do:`, in the same column"
    return errors.Syntax(behind.all(), found=f"`{behind.text}`", wanted="the colon", help_text=help_text)


def _without_owner(first: Scalar, key: Scalar, word: str, owners: tuple[str, ...]) -> Diagnostic:
    """For a key that only some constructs have beside them: it is the other one that is likely misspelt."""
    near = did_you_mean(headers.first_word(first.text), owners)
    note = Note(key.span, f"`{word}` stands beside {' or '.join(f'`{owner}`' for owner in owners)} only")
    help_text = f"did you mean `{near}`?" if near else _PLACES.get(word, "start each step with `- `")
    if near:
        return errors.Misplaced(first.span, notes=(note,), word=first.value, help_text=help_text)
    return errors.Misplaced(
        key.span, notes=(Note(first.span, "the key that it stands beside"),), word=key.value, help_text=help_text
    )


def _no_step(span: Span, word: str) -> Diagnostic:
    """A line that begins with a word of the language."""
    help_text = f"`{word}` stands at the left margin; a block of that name is called behind a label"
    if word in words.CONSTRUCTS:
        help_text = _AS_LINES.get(word, f"write it as a key: `- {word}: ...`")
    return errors.Misplaced(span, word=word, help_text=help_text)


# Second key -> the constructs that have it.
_OWNERS = {"shortcut": ("residual",), "do": ("repeat", "for", "dense"), "in": ("for",)}
_BRANCHES = "it is a key with its branches as a list below: `- {word}:`, then `- skip`, `- a: conv 1x1, 64`, ..."
_AS_LINES = {
    "dense": "a fully connected layer is `linear`; `- dense: 4` with `do:` repeats and concatenates, as DenseNet does",
    **{word: _BRANCHES.replace("{word}", word) for word in words.MERGES},
}
_LIST = "only a branch of a merge is a list of its own; a container is `- group: [...]`"
_PLACES = {
    "shortcut": "`shortcut` is a second key of its `residual`, in the same column",
    "do": "`do` is a second key of its `repeat`, `for` or `dense`, in the same column",
    "defaults": "`defaults` stands at the left margin, or first in a block",
    "default": "it is `defaults` in YAML, at the left margin or first in a block",
    "init": "`init` stands at the left margin, or first in a block",
    "again": "the word is kept for later versions",
}
