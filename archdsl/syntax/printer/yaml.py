"""The tree of a spec as YAML, with quotes exactly where YAML needs them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archdsl.syntax import words
from archdsl.syntax.expression import Expression, Label, ListOf
from archdsl.syntax.headers import WORD
from archdsl.syntax.printer import line
from archdsl.syntax.printer.text import Lines, dashed
from archdsl.syntax.spec import (
    PLAIN,
    BlockDef,
    Body,
    Dense,
    Entry,
    For,
    From,
    Group,
    Let,
    Merge,
    Output,
    Param,
    Repeat,
    Residual,
    Section,
    Settings,
    Spec,
    Statement,
    Step,
    Trivia,
    Unused,
)

_WIDTH = 100  # a flow mapping longer than this is written one key a line
_LINE = 120  # the same for a whole line
_UNSAFE = re.compile(r"[-?:](?:\s|$)|[!&*|>@`\"'%#{}\[\],]|.*(?::(?:\s|$)|\s#|[\n\t]|\s$)|\s|$", re.DOTALL)
_FLOW = frozenset(",[]{}:?")
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
_LABELS_TO_MARK = words.CONSTRUCTS | {"label", "defaults"}


def print_yaml(spec: Spec) -> str:
    """The spec as a YAML file; reading it gives an equal tree."""
    made: Lines = [_comment(text) for text in spec.trivia.comments]
    if spec.format is not None:
        made.append(f"format: {spec.format}")
    for key, text in (("network", spec.network), ("about", spec.about)):
        if text is not None:
            made.append(f"{key}: {scalar(text)}")
    if spec.extends is not None:
        made += _line(f"extends: {scalar(spec.extends)}", spec.net_trivia, "", gap=False)
    if spec.params:
        made += _params(spec.params)
    if spec.input is not None:
        made.append(f"input: {line.expression(spec.input)}")
    if spec.use:
        made.append(f"use: [{', '.join(spec.use)}]")
    if spec.lets:
        made += _mapping("let", [(let.name, value(let.value), let.trivia) for let in spec.lets], "")
    made += _settings("defaults", spec.defaults, "")
    made += _settings("init", spec.inits, "")
    for name, blocks in (("macros", spec.macros), ("blocks", spec.blocks)):
        if blocks:
            made.append(f"{name}:")
        for at, block in enumerate(blocks):
            made += _definition(block, gap=at > 0)
    if spec.layers is not None:
        made += _line("layers:", spec.net_trivia, "", gap=False) + body(spec.layers, "  ")
    if spec.returns:
        made.append(f"returns: [{', '.join(spec.returns)}]")
    for name, section in (("preprocess", spec.preprocess), ("train", spec.train)):
        if section is not None:
            made += _section(name, section, "")
    made += [_comment(text) for text in spec.closing]
    return "\n".join(made).strip("\n") + "\n"


def scalar(text: str, *, flow: bool = False) -> str:
    """A text as a YAML scalar: plain where that is safe, else in quotes."""
    if not _UNSAFE.match(text) and not (flow and _FLOW.intersection(text)):
        return text
    if "\n" in text or "\t" in text:
        return f'"{"".join(_ESCAPED.get(character, character) for character in text)}"'
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def value(expression: Expression, *, flow: bool = False) -> str:
    """A value: lists as YAML's own, all else as one scalar."""
    if isinstance(expression, ListOf):
        return f"[{', '.join(value(item, flow=True) for item in expression.items)}]"
    return scalar(line.expression(expression), flow=flow)


def _comment(text: str) -> str:
    return f"# {text}" if text else "#"


def _line(text: str, trivia: Trivia, indent: str, *, gap: bool = True) -> Lines:
    """A line with what formatting keeps beside it."""
    made = [""] if trivia.gap and gap else []
    made += [indent + _comment(comment) for comment in trivia.comments]
    note = f"  {_comment(trivia.note)}" if trivia.note else ""
    made.append(indent + text + note)
    return made


def _mapping(key: str, pairs: Sequence[tuple[str, str, Trivia]], indent: str) -> Lines:
    """A mapping, one key a line."""
    made = [f"{indent}{key}:"]
    for name, text, trivia in pairs:
        made += _line(f"{scalar(name)}: {text}".rstrip(), trivia, indent + "  ")
    return made


def _params(params: Sequence[Param]) -> Lines:
    """On one line where it fits and nothing is lost."""
    flat = all(param.default is not None and not any(param.trivia[:2]) for param in params)
    if flat:
        inner = ", ".join(
            f"{line.param_name(each)}: {value(each.default, flow=True)}" for each in params if each.default
        )
        if len(inner) <= _WIDTH:
            return [f"params: {{{inner}}}"]
    made = ["params:"]
    for each in params:
        made += _param(each)
    return made


def _param(param: Param) -> Lines:
    """A parameter's line; a list of lists that is too long for one is laid out as a table."""
    name, default = scalar(line.param_name(param)), param.default
    whole = f"{name}: {'' if default is None else value(default)}".rstrip()
    if len(whole) + 2 > _LINE and (rows := line.table(default)):
        return [*_line(f"{name}:", param.trivia, "  "), *_rows(rows, "    ")]
    return _line(whole, param.trivia, "  ")


def _settings(key: str, settings: Sequence[Settings], indent: str) -> Lines:
    if not settings:
        return []
    return _mapping(key, [(each.op, scalar(line.arguments(each.args)), each.trivia) for each in settings], indent)


def _definition(block: BlockDef, *, gap: bool) -> Lines:
    extra = [text for param in block.params for text in (*param.trivia.comments, param.trivia.note) if text]
    trivia = block.trivia._replace(comments=(*block.trivia.comments, *extra))
    made = _line(f"{scalar(line.definition(block))}:", trivia, "  ", gap=gap)
    for key, settings in (("defaults", block.defaults), ("init", block.inits)):
        made += dashed(_settings(key, settings, "      "), "    ") if settings else []
    return made + body(block.body, "    ")


def _section(key: str, section: Section | Entry, indent: str) -> Lines:
    if not section.entries:
        return _line(f"{key}:" if isinstance(section, Entry) else f"{key}: {{}}", section.trivia, indent)
    if (flat := _flat(section)) is not None and len(f"{indent}{key}: {flat}") <= _LINE:
        return _line(f"{key}: {flat}", section.trivia, indent)
    made = _line(f"{key}:", section.trivia, indent)
    for entry in section.entries:
        if entry.value is None:
            made += _section(entry.key, entry, indent + "  ")
        else:
            made += _line(f"{entry.key}: {value(entry.value)}", entry.trivia, indent + "  ")
    return made


def _flat(section: Section | Entry) -> str | None:
    """A section as a flow mapping; None where that would lose a comment or an empty line."""
    pairs = []
    for entry in section.entries:
        inner = _flat(entry) if entry.value is None else value(entry.value, flow=True)
        if inner is None or entry.trivia != PLAIN:
            return None
        pairs.append(f"{entry.key}: {inner}")
    return f"{{{', '.join(pairs)}}}" if pairs else None


def body(statements: Body, indent: str) -> Lines:
    """The items of a list of steps."""
    made: Lines = []
    for statement in statements:
        made += _statement(statement, indent, gap=bool(made))
    return made


def _statement(statement: Statement, indent: str, *, gap: bool) -> Lines:
    inner = indent + "    "

    def item(key: str, text: str = "") -> Lines:
        return _line(f"- {scalar(key)}: {text}".rstrip(), statement.trivia, indent, gap=gap)

    match statement:
        case Step():
            chain = scalar(line.chain(statement.links))
            if statement.label is None:
                return _line(f"- {chain}", statement.trivia, indent, gap=gap)
            return item(_label(statement.label), chain)
        case Group():
            name = "group" if statement.label is None else _label(statement.label)
            return item(name + line.guard(statement.when)) + body(statement.body, inner)
        case Repeat() | Dense():
            word = "repeat" if isinstance(statement, Repeat) else "dense"
            head = item(word + line.guard(statement.when), scalar(line.times(statement)))
            return [*head, f"{indent}  do:", *body(statement.body, inner)]
        case For():
            head = item("for" + line.guard(statement.when), scalar(line.over(statement)))
            return [*head, *_table(statement, indent), f"{indent}  do:", *body(statement.body, inner)]
        case Merge():
            made = item(line.merge(statement))
            for branch in statement.branches:
                made += _branch(branch, inner)
            return made
        case Residual():
            made = item("residual" + line.guard(statement.when)) + body(statement.body, inner)
            return made + _shortcut(statement, indent + "  ")
        case Output():
            head_text = f"output {statement.name}{line.guard(statement.when)}"
            if not statement.body:
                return _line(f"- {scalar(head_text)}", statement.trivia, indent, gap=gap)
            return item(head_text) + body(statement.body, inner)
        case From():
            return item("from" + line.guard(statement.when), scalar(line.path(statement.path)))
        case Let():
            return item("let", f"{{{statement.name}: {value(statement.value, flow=True)}}}")
        case Unused():
            return item(f"unused {line.label(statement.label)}", scalar(line.call(statement.call)))


def _label(label: Label) -> str:
    """A label as a key; a word of the language is marked as one."""
    text = line.label(label)
    word = WORD.match(text)
    return f"label {text}" if word and word[0] in _LABELS_TO_MARK else text


def _branch(branch: Body, indent: str) -> Lines:
    if len(branch) == 1:
        return body(branch, indent)
    if not branch:
        return [f"{indent}- []"]
    return dashed(body(branch, indent + "  "), indent)


def _shortcut(residual: Residual, indent: str) -> Lines:
    shortcut = residual.shortcut
    if shortcut is None:
        return []
    if not shortcut.body:
        text = f"shortcut: {scalar(line.guard(shortcut.when).strip())}"
        return _line(text, shortcut.trivia, indent)
    name = "" if shortcut.label is None else f" {line.label(shortcut.label)}"
    key = scalar(f"shortcut{name}{line.guard(shortcut.when)}")
    return _line(f"{key}:", shortcut.trivia, indent) + body(shortcut.body, indent + "  ")


def _table(statement: For, indent: str) -> Lines:
    if statement.rows is None:
        return []
    return [f"{indent}  in:", *_rows(statement.rows, indent + "    ")]


def _rows(rows: Sequence[Sequence[Expression]], indent: str) -> Lines:
    """Lists below each other, their columns lined up."""
    return [f"{indent}- {row}" for row in line.bracketed([[value(cell, flow=True) for cell in row] for row in rows])]
