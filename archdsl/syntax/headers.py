"""The first lines of constructs, for text and YAML alike: what follows the construct's word."""

from __future__ import annotations

import re
from typing import NamedTuple

from archdsl.diagnostics import SpecError
from archdsl.source import Span
from archdsl.syntax import errors, line, words
from archdsl.syntax.expression import Expression, Label
from archdsl.syntax.spec import Call, Let, Param
from archdsl.syntax.text_range import Text

WORD = re.compile(r"[A-Za-z_]\w*(?![\w{-])")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PIECE = re.compile(r"[A-Za-z0-9_-]+")
_BRACES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[()\[\]{}]')
_COLON = re.compile(r"[ ]*:")


class Labelled(NamedTuple):
    """A label and what stands after its colon."""

    label: Label
    rest: Text


class Signature(NamedTuple):
    """`bottleneck (width, stride = 1)`."""

    name: str
    params: tuple[Param, ...]


def labelled(text: Text) -> Labelled | None:
    """The label that a line of text starts with, if it does. Raises SpecError for one that YAML takes for a guard."""
    if ":" not in text.text:
        return None
    end = _label_end(text.text)
    colon = _COLON.match(text.text, end)
    if not end or not colon:
        return None
    if first_word(text) == "when":
        raise SpecError(errors.ReservedName(text.part(0, end).all(), name="when", what="a label, or its beginning"))
    return Labelled(line.label(text.part(0, end)), text.part(colon.end()))


def _label_end(text: str) -> int:
    """Where the label that a text starts with ends: letters, digits, `_`, `-` and expressions in braces."""
    at = 0
    while at < len(text) and (at or text[0] != "-"):
        if text[at] == "{":
            end = _closing(text, at)
        else:
            found = _PIECE.match(text, at)
            end = found.end() if found else at
        if end == at:
            break
        at = end
    return at


def _closing(text: str, start: int) -> int:
    """The place behind the brace that closes the one at `start`; `start` if none does."""
    depth = 0
    for found in _BRACES.finditer(text, start):
        depth += (found[0] == "{") - (found[0] == "}")
        if not depth:
            return found.end()
    return start


def first_word(text: Text) -> str:
    """The word that a line starts with, empty if it starts with none."""
    found = WORD.match(text.text)
    return found[0] if found else ""


def after(word: str, text: Text) -> Text:
    """What follows the word that a line starts with."""
    return text.part(len(word))


def name(text: Text, what: str) -> tuple[str, Text]:
    """A name and what follows it."""
    found = _NAME.match(text.text)
    if not found:
        raise SpecError(errors.NameExpected(text.all(), what=what))
    return found[0], text.part(found.end())


def new_name(text: Text, what: str) -> tuple[str, Text]:
    """A name that the spec gives to something of its own, and what follows it."""
    given, rest = name(text, what)
    whole = _PIECE.match(text.text)
    if whole and whole[0] != given:  # a label or a file may be called so
        fixed = whole[0].replace("-", "_")
        raise SpecError(errors.NameExpected(text.span(0, whole.end()), what=f"{what} without hyphens: `{fixed}`"))
    check_name(given, text.part(0, len(given)), what)
    return given, rest


def check_name(given: str, text: Text, what: str) -> None:
    """Raise SpecError for a name that the language keeps for itself."""
    if given in words.CONSTRUCTS or given in words.GIVEN or given in words.EXPRESSION_WORDS:
        raise SpecError(errors.ReservedName(text.all().word(given), name=given, what=what))


def nothing(text: Text) -> None:
    """Nothing may follow."""
    if text.text.strip():
        help_text = "no colon stands here" if text.text.strip() == ":" else ""
        found = f"`{text.text.strip().splitlines()[0]}`"
        raise SpecError(errors.Syntax(text.all(), found=found, wanted="the end of the line", help_text=help_text))


def merge(text: Text) -> tuple[str | None, Expression | None]:
    """`along tokens when C`: the axis and the guard."""
    along = None
    if first_word(text) in ("dim", "axis"):
        word = first_word(text)
        help_text = "an axis has a name, and channels are joined unless another is given: `along width`"
        written = text.span(0, len(word))
        raise SpecError(errors.Syntax(written, found=f"`{word}`", wanted="`along`", help_text=help_text))
    if first_word(text) == "along":
        where = after("along", text)
        along, text = name(where, "an axis")
        if along not in words.AXES:
            raise SpecError(errors.UnknownAxis(where.span(0, len(along)), axis=along, known=", ".join(words.AXES)))
    return along, line.guard(text)


def output(text: Text) -> tuple[str, Expression | None]:
    """`aux1 when training`: the output's name and its guard."""
    given, rest = name(text, "the output's name")
    if given in words.EXPRESSION_WORDS:
        raise SpecError(errors.NameExpected(text.part(0, len(given)).all(), what="the output's name"))
    return given, line.guard(rest)


def guarded_label(text: Text) -> tuple[Label | None, Expression | None]:
    """`downsample when C`: a label, if any, and the guard."""
    if not text.text or first_word(text) == "when":
        return None, line.guard(text)
    end = _label_end(text.text)
    if not end:
        raise SpecError(
            errors.NameExpected(text.all(), what="a label: letters, digits, `_`, `-`, expressions in braces")
        )
    return line.label(text.part(0, end)), line.guard(text.part(end))


def bracketed(text: Text) -> tuple[Text, Text]:
    """What stands in the round brackets that a text starts with, and what follows them."""
    depth = 0
    for found in _BRACKETS.finditer(text.text):
        depth += (found[0] in "([{") - (found[0] in ")]}")
        if depth == 0 and not found[0].startswith('"'):
            return text.part(1, found.start()), text.part(found.end())
    raise SpecError(errors.UnclosedBracket(text.span(0, 1), bracket=text.text[0]))


def signature(text: Text, what: str) -> Signature:
    """A name and its parameters in brackets, which may be left out."""
    given, rest = new_name(text, f"the {what}'s name")
    if not rest.text:
        return Signature(given, ())
    if rest.text[0] != "(":
        help_text = "no colon stands behind it" if rest.text.strip() == ":" else ""
        found = rest.text.split("\n", 1)[0][:1]
        raise SpecError(errors.Syntax(rest.span(0, 1), found=f"`{found}`", wanted="`(`", help_text=help_text))
    inner, behind = bracketed(rest)
    nothing(behind)
    return Signature(given, params(inner))


def params(text: Text) -> tuple[Param, ...]:
    """Parameters, their names and types checked."""
    found = line.params(text)
    seen: dict[str, Param] = {}
    for param in found:
        check_param(param, text)
        if param.name in seen:
            raise SpecError(
                errors.DuplicateName(param.span, name=param.name, what="parameter", line=seen[param.name].span.line)
            )
        seen[param.name] = param
    return found


def check_param(param: Param, text: Text) -> None:
    """Raise SpecError for a reserved name or an unknown type."""
    if param.name in words.CONSTRUCTS or param.name in words.GIVEN:
        raise SpecError(errors.ReservedName(param.span, name=param.name, what="a parameter"))
    if param.type is not None and param.type not in words.TYPES:
        raise SpecError(errors.UnknownType(param.span.word(param.type), type=param.type, known=", ".join(words.TYPES)))


def looped(text: Text) -> line.Looped:
    """What follows `for`, its names checked."""
    found = line.looped(text)
    for each in found.names:
        check_name(each, text, "a loop's variable")
    return found


def let(text: Text) -> Let:
    """`wide = 2 * width`, what follows `let`."""
    found = line.let(text)
    check_name(found.name, text.part(0, len(found.name)), "a `let`")
    return found


def shortcut(text: Text) -> tuple[Label | None, Expression | None]:
    """`downsample: when C`, what follows `shortcut` in a text spec."""
    if not text.text or first_word(text) == "when":
        return None, line.guard(text)
    found = labelled(text)
    if found is None:
        raise SpecError(
            errors.Syntax(text.all(), found=f"`{text.text.strip()}`", wanted="a name with a colon, or `when`")
        )
    if found.rest.text and first_word(found.rest) != "when":
        raise SpecError(errors.InlineShortcut(found.rest.all()))
    return found.label, line.guard(found.rest)


def unused(text: Text) -> tuple[Label, Call]:
    """`linear: linear classes`, what follows `unused`."""
    found = labelled(text)
    if found is None:
        raise SpecError(errors.NameExpected(text.all(), what="a name with a colon, as in `unused fc: linear 10`"))
    return found.label, single(found.rest)


def single(text: Text) -> Call:
    """One call, where a chain has no meaning."""
    links = line.chain(text)
    if len(links) > 1:
        raise SpecError(errors.Misplaced(text.all(), word="->", help_text="one call only may stand here"))
    return links[0]


def row_length(where: Span, cells: tuple[Expression, ...], names: tuple[str, ...]) -> errors.TableRowLength:
    """For a row with another number of cells than the heading."""
    return errors.TableRowLength(where, count=len(cells), columns=len(names), heading=" ".join(names))
