"""The YAML spelling: from the tree of its nodes to the tree of a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archdsl.diagnostics import SpecError
from archdsl.source import Source, Span
from archdsl.suggest import did_you_mean
from archdsl.syntax import errors, headers, values, yaml_errors
from archdsl.syntax.events import Mapping, Node, Scalar, Sequence, tree
from archdsl.syntax.problems import Problems
from archdsl.syntax.spec import BlockDef, Entry, Param, Section, Settings, Spec
from archdsl.syntax.yaml_steps import Steps
from archdsl.syntax.yaml_values import expression, mapping, on_one_line, scalar, sequence


def read_yaml(source: Source, problems: Problems) -> Spec | None:
    """The tree of a YAML spec; what is wrong goes to `problems`, and no tree is made of a file that is wrong."""
    root, comments = tree(source, problems)
    if root is None:
        raise SpecError(errors.EmptyFile(Span(source, 1, 1, 1, 1)))
    heading = comments.heading()
    reader = _FileReader(Steps(comments, problems))
    reader.file(root)
    if problems:
        return None
    return Spec(**{"span": root.span, **reader.fields}, trivia=heading, closing=comments.rest())


class _FileReader:
    """Reads the sections of a file, in the order in which they stand."""

    def __init__(self, steps: Steps) -> None:
        self.fields: dict[str, Any] = {}
        self._steps = steps
        self._problems = steps.problems

    def file(self, root: Node) -> None:
        for key, value in mapping(root, "a spec").pairs:
            read = self._SECTIONS.get(key.value)
            try:
                if read is None:
                    known = ", ".join(self._SECTIONS)
                    near = _OTHERS.get(key.value) or did_you_mean(key.value, self._SECTIONS)
                    raise SpecError(yaml_errors.UnknownSection(key.span, key=key.value, known=known, near=near))
                read(self, key, value)
            except SpecError as error:
                self._problems += error.diagnostics
        if "layers" in self.fields and "extends" in self.fields:
            where = next(key.span for key, _ in mapping(root, "a spec").pairs if key.value == "layers")
            self._problems.append(errors.Misplaced(where, word="layers", help_text=values.EXTENDS))
        if not self._problems:
            self._problems += values.incomplete(self.fields, root.span)

    def _format(self, key: Scalar, value: Node) -> None:
        self.fields["format"] = values.format_number(scalar(value, "`format`").text)

    def _network(self, key: Scalar, value: Node) -> None:
        text = scalar(value, "`network`").text
        name, rest = headers.new_name(text, "the network's name")
        headers.nothing(rest)
        self.fields |= {"network": name, "span": value.span}

    def _about(self, key: Scalar, value: Node) -> None:
        self.fields["about"] = about(value)

    def _extends(self, key: Scalar, value: Node) -> None:
        self.fields["net_trivia"] = self._steps.comments.claim(key.span.line)
        name, rest = values.spec_name(scalar(value, "`extends`").text)
        headers.nothing(rest)
        self.fields["extends"] = name

    def _params(self, key: Scalar, value: Node) -> None:
        found = []
        pairs = mapping(value, "`params`").pairs
        for name, default in pairs:
            named = headers.params(name.text)
            if len(named) != 1 or named[0].default is not None:
                raise SpecError(errors.NameExpected(name.span, what="a parameter's name"))
            (param,) = named
            trivia = self._steps.comments.claim(name.span.line, shared=on_one_line(pairs))
            given = None if isinstance(default, Scalar) and not default.value else expression(default)
            found.append(
                Param(name=param.name, type=param.type, default=given, span=name.span.to(default.span), trivia=trivia)
            )
        self.fields["params"] = tuple(found)

    def _input(self, key: Scalar, value: Node) -> None:
        self.fields["input"] = values.input_size(scalar(value, "`input`", "write its sizes as `input: 3x224x224`").text)

    def _names(self, key: Scalar, value: Node) -> None:
        if isinstance(value, Sequence):
            found = tuple(name for item in value.items for name in values.name_list(scalar(item, "a name").text))
        else:
            found = values.name_list(scalar(value, f"`{key.value}`").text)
        self.fields[key.value] = found

    def _let(self, key: Scalar, value: Node) -> None:
        self.fields["lets"] = self._steps.lets(value)

    def _settings(self, key: Scalar, value: Node) -> None:
        self.fields["defaults" if key.value == "defaults" else "inits"] = self._steps.settings(value)

    def _definitions(self, key: Scalar, value: Node) -> None:
        found: dict[str, BlockDef] = {}
        for head, body in mapping(value, f"`{key.value}`").pairs:
            try:
                made = self._definition(head, body, key.value.removesuffix("s"))
                if made.name in found:
                    before = found[made.name].span.line
                    raise SpecError(errors.DuplicateName(head.span, what="block", name=made.name, line=before))
                found[made.name] = made
            except SpecError as error:
                self._problems += error.diagnostics
        self.fields[key.value] = tuple(found.values())

    def _definition(self, head: Scalar, value: Node, what: str) -> BlockDef:
        trivia = self._steps.comments.claim(head.span.line)
        name, params = headers.signature(head.text, what)
        if not isinstance(value, Sequence):
            self._steps.needed(value, f"{what} {name}")
        items = sequence(value, f"the body of `{name}`", "a list of steps").items
        own: dict[str, tuple[Settings, ...]] = {"defaults": (), "init": ()}
        at = 0
        while at < len(items):
            item = items[at]
            if not isinstance(item, Mapping) or len(item.pairs) != 1 or item.pairs[0][0].value not in own:
                break
            section = item.pairs[0][0].value
            if own[section]:
                raise SpecError(
                    yaml_errors.DuplicateKey(item.pairs[0][0].span, key=section, line=own[section][0].span.line)
                )
            own[section] = self._steps.settings(item.pairs[0][1])
            at += 1
        body = self._steps.needed(Sequence(items[at:], value.span), f"{what} {name}")
        return BlockDef(
            name=name,
            params=params,
            defaults=own["defaults"],
            inits=own["init"],
            body=body,
            span=head.span,
            trivia=trivia,
        )

    def _layers(self, key: Scalar, value: Node) -> None:
        self.fields["net_trivia"] = self._steps.comments.claim(key.span.line)
        self.fields["layers"] = self._steps.needed(value, "layers")

    def _section(self, key: Scalar, value: Node) -> None:
        trivia = self._steps.comments.claim(key.span.line)
        entries = self._entries(value)
        self.fields[key.value] = Section(entries=entries, span=key.span, trivia=trivia)

    def _entries(self, value: Node) -> tuple[Entry, ...]:
        found = []
        for key, each in mapping(value, "this section").pairs:
            trivia = self._steps.comments.claim(key.span.line)
            name, rest = headers.name(key.text, "a setting's name")
            headers.nothing(rest)
            span = key.span.to(each.span)
            if isinstance(each, Mapping):
                found.append(Entry(key=name, entries=self._entries(each), span=key.span, trivia=trivia))
            elif isinstance(each, Scalar) and not each.value:
                found.append(Entry(key=name, span=span, trivia=trivia))
            else:
                found.append(Entry(key=name, value=expression(each), span=span, trivia=trivia))
        return tuple(found)

    # On the class: a reader that held its own methods would be garbage in a circle.
    _SECTIONS: ClassVar[dict[str, Callable[[_FileReader, Scalar, Node], None]]] = {
        "format": _format,
        "network": _network,
        "about": _about,
        "extends": _extends,
        "params": _params,
        "input": _input,
        "use": _names,
        "let": _let,
        "defaults": _settings,
        "init": _settings,
        "macros": _definitions,
        "blocks": _definitions,
        "layers": _layers,
        "returns": _names,
        "preprocess": _section,
        "train": _section,
    }


# What other formats call a section.
_OTHERS = {
    "name": "network",
    "model": "network",
    "net": "network",
    "steps": "layers",
    "architecture": "layers",
    "backbone": "layers",
    "variables": "let",
    "parameters": "params",
    "hyperparameters": "train",
    "output": "returns",
    "outputs": "returns",
    "input_shape": "input",
    "inputs": "input",
    "modules": "blocks",
}


def about(node: Node) -> str:
    """A text, on one line or folded over several."""
    text = node.value if isinstance(node, Scalar) else scalar(node, "`about`").value
    is_plain = isinstance(node, Scalar) and node.text.whole is None
    return " ".join(text.split()) if is_plain and "\n" in text else text.strip()
