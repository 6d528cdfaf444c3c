"""The tree of a spec as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from archdsl.syntax.expression import Literal
from archdsl.syntax.printer import line
from archdsl.syntax.spec import (
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
    Settings,
    Spec,
    Statement,
    Step,
    Trivia,
    Unused,
)

Lines = list[str]

_LINE = 120  # a head longer than this is written one parameter a line


def print_text(spec: Spec) -> str:
    """The spec as a text file; reading it gives an equal tree."""
    made: Lines = [_comment(text) for text in spec.trivia.comments]
    made += _head(spec)
    for word, blocks in (("macro", spec.macros), ("block", spec.blocks)):
        for block in blocks:
            _separate(made)
            made += _definition(word, block)
    if spec.network is not None:
        _separate(made)
        made += _net(spec)
    for name, section in (("preprocess", spec.preprocess), ("train", spec.train)):
        if section is not None and spec.extends is None:
            _separate(made)
            made += _section(name, section.entries, section.trivia, "")
    if spec.closing:
        _separate(made)
        made += [_comment(text) for text in spec.closing]
    return "\n".join(made).strip("\n") + "\n"


def _separate(made: Lines) -> None:
    """A blank line, unless only comments stand above."""
    if any(text and not text.startswith("#") for text in made):
        made.append("")


def _comment(text: str) -> str:
    return f"# {text}" if text else "#"


def _line(text: str, trivia: Trivia, indent: str, *, gap: bool = True) -> Lines:
    """A line with what formatting keeps beside it."""
    made = [""] if trivia.gap and gap else []
    made += [indent + _comment(comment) for comment in trivia.comments]
    note = f"  {_comment(trivia.note)}" if trivia.note else ""
    made.append(indent + text + note)
    return made


def _head(spec: Spec) -> Lines:
    """The lines before blocks and network."""
    made: Lines = []
    if spec.format is not None:
        made.append(f"format {spec.format}")
    if spec.about is not None and spec.extends is None:
        made.append(f"about {line.expression(Literal(spec.about))}")
    if spec.use:
        made.append(f"use {', '.join(spec.use)}")
    for let in spec.lets:
        made += _line(f"let {let.name} = {line.expression(let.value)}", let.trivia, "")
    if spec.extends is None:
        made += _settings(spec.defaults, spec.inits, "")
    return made


def _settings(defaults: Sequence[Settings], inits: Sequence[Settings], indent: str) -> Lines:
    rows = [(f"default {each.op}", each) for each in defaults] + [(f"init {each.op}", each) for each in inits]
    width = max((len(head) for head, _ in rows), default=0)
    made: Lines = []
    for head, each in rows:
        made += _line(f"{head:<{width}}  {line.arguments(each.args)}", each.trivia, indent)
    return made


def _with_params(trivia: Trivia, params: Sequence[Param]) -> Trivia:
    """A head's comments with those of its parameters, which have no line of their own."""
    extra = [text for param in params for text in (*param.trivia.comments, param.trivia.note) if text]
    return trivia._replace(comments=(*trivia.comments, *extra)) if extra else trivia


def _definition(word: str, block: BlockDef) -> Lines:
    trivia = _with_params(block.trivia, block.params)
    made = _line(f"{word} {line.definition(block)}", trivia, "", gap=False)
    settings = _settings(block.defaults, block.inits, "  ")
    return [*made, *settings, *body(block.body, "  ", first=not settings)]


def _net(spec: Spec) -> Lines:
    base = "" if spec.extends is None else f" = {spec.extends}"
    head = f"net {spec.network}{base}"
    made = _line(head + _params(head, spec.params), _with_params(spec.net_trivia, spec.params), "", gap=False)
    if spec.input is not None:
        made.append(f"  input {line.expression(spec.input)}")
    if spec.extends is None:
        if spec.returns:
            made.append(f"  returns {', '.join(spec.returns)}")
        return made + body(spec.layers or (), "  ")
    if spec.about is not None:
        made.append(f"  about {line.expression(Literal(spec.about))}")
    if spec.returns:
        made.append(f"  returns {', '.join(spec.returns)}")
    made += _settings(spec.defaults, spec.inits, "  ")
    for name, section in (("preprocess", spec.preprocess), ("train", spec.train)):
        if section is not None:
            made += _section(name, section.entries, section.trivia, "  ")
    return made


def _params(head: str, params: Sequence[Param]) -> str:
    """The parameters in brackets; one a line, and long tables a row a line, where the whole doesn't fit."""
    whole = f" ({line.params(params)})" if params else ""
    if len(head + whole) <= _LINE:
        return whole
    return " (\n" + ",\n".join(f"    {_param(param)}" for param in params) + ")"


def _param(param: Param) -> str:
    whole, rows = line.params([param]), line.table(param.default)
    if len(whole) + 4 <= _LINE or not rows:
        return whole
    texts = line.bracketed([[line.expression(cell) for cell in row] for row in rows])
    return f"{line.param_name(param)} = [\n" + ",\n".join(f"      {text}" for text in texts) + "]"


def _section(name: str, entries: Sequence[Entry], trivia: Trivia, indent: str) -> Lines:
    made = _line(name, trivia, indent, gap=bool(indent))
    for entry in entries:
        if entry.value is None:
            made += _section(entry.key, entry.entries, entry.trivia, indent + "  ")
        else:
            made += _line(f"{entry.key} {line.expression(entry.value)}", entry.trivia, indent + "  ")
    return made


def body(statements: Body, indent: str, *, first: bool = True) -> Lines:
    """The lines of a body; labels of its one-line steps are padded to one width."""
    labels = [line.label(each.label) for each in statements if isinstance(each, Step) and each.label is not None]
    width = max(map(len, labels), default=0) + 2
    made: Lines = []
    for (_, callee), run in groupby(enumerate(statements), lambda pair: _run_of(*pair)):
        group = [statement for _, statement in run]
        calls = _calls(group) if callee and len(group) > 1 else None
        for at, statement in enumerate(group):
            written = calls[at] if calls else ""
            made += _statement(statement, indent, width, written, gap=bool(made) or not first)
    return made


def _run_of(place: int, statement: Statement) -> tuple[int, str]:
    """What neighbours must share for their values to stand in columns: one call of the same op with as many numbers."""
    if not isinstance(statement, Step) or len(statement.links) != 1:
        return place, ""
    call = statement.links[0]
    numbers = all(arg.name is None and len(arg.parts) == 1 and _is_number(arg) for arg in call.args)
    if not numbers or not call.args or call.count is not None or call.when is not None:
        return place, ""
    return len(call.args), call.callee


def _is_number(arg: object) -> bool:
    part = arg.parts[0]  # type: ignore[attr-defined]
    return isinstance(part, Literal) and isinstance(part.value, (int, float)) and not isinstance(part.value, bool)


def _calls(run: list[Statement]) -> list[str]:
    steps = [statement for statement in run if isinstance(statement, Step)]
    rows = line.columns([[line.argument(arg) for arg in step.links[0].args] for step in steps])
    return [f"{step.links[0].callee} {', '.join(row)}" for step, row in zip(steps, rows, strict=True)]


def _statement(statement: Statement, indent: str, width: int, written: str, *, gap: bool) -> Lines:
    """A statement; `written` is its call where that has been laid out with its neighbours."""

    def head(text: str) -> Lines:
        return _line(text, statement.trivia, indent, gap=gap)

    inner = indent + "  "
    match statement:
        case Step():
            name = "" if statement.label is None else f"{line.label(statement.label)}:".ljust(width)
            return head(name + (written or line.chain(statement.links)))
        case Group():
            if statement.label is None:
                return head(f"group{line.guard(statement.when)}") + body(statement.body, inner)
            return head(f"{line.label(statement.label)}:{line.guard(statement.when)}") + body(statement.body, inner)
        case Repeat() | Dense():
            word = "repeat" if isinstance(statement, Repeat) else "dense"
            return head(f"{word} {line.times(statement)}{line.guard(statement.when)}") + body(statement.body, inner)
        case For():
            return _for(statement, indent, gap)
        case Merge():
            made = head(line.merge(statement))
            for branch in statement.branches:
                made += dashed(body(branch, inner + "  "), inner)
            return made
        case Residual():
            return (
                head(f"residual{line.guard(statement.when)}")
                + body(statement.body, inner)
                + _shortcut(statement, indent)
            )
        case Output():
            return head(f"output {statement.name}{line.guard(statement.when)}") + body(statement.body, inner)
        case From():
            return head(f"from {line.path(statement.path)}{line.guard(statement.when)}")
        case Let():
            return head(f"let {statement.name} = {line.expression(statement.value)}")
        case Unused():
            return head(f"unused {line.label(statement.label)}: {line.call(statement.call)}")


def dashed(lines: Lines, indent: str) -> Lines:
    """The lines of a branch, its first step behind a dash; comments above that step stand above the dash."""
    if not lines:
        return [f"{indent}-"]
    first = next(at for at, text in enumerate(lines) if text and not text.lstrip().startswith("#"))
    above = [indent + text.lstrip() if text else "" for text in lines[:first]]
    return [*above, f"{indent}- {lines[first].lstrip()}", *lines[first + 1 :]]


def _shortcut(residual: Residual, indent: str) -> Lines:
    shortcut = residual.shortcut
    if shortcut is None:
        return []
    name = "" if shortcut.label is None else f" {line.label(shortcut.label)}:"
    head = _line(f"shortcut{name}{line.guard(shortcut.when)}", shortcut.trivia, indent)
    return head + body(shortcut.body, indent + "  ")


def _for(statement: For, indent: str, gap: bool) -> Lines:
    guard = line.guard(statement.when)
    if statement.rows is None:
        head = _line(f"for {line.over(statement)}{guard}", statement.trivia, indent, gap=gap)
        return head + body(statement.body, indent + "  ")
    heading, *rows = line.columns([list(statement.names), *line.cells(statement)])
    made = _line(f"for {'  '.join(heading).rstrip()}{guard}", statement.trivia, indent, gap=gap)
    made += [f"{indent}    {'  '.join(row).rstrip()}" for row in rows]
    below = body(statement.body, indent + "  ")
    if len(below) == 1:
        return [*made, f"{indent}do {below[0].lstrip()}"]
    return [*made, f"{indent}do", *below]
