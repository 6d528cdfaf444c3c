"""What can be wrong with how a spec is written. Each class's docstring is its page in the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.diagnostics import Diagnostic
from archdsl.syntax.expression import Expression, Word
from archdsl.syntax.text_range import Text


class Syntax(Diagnostic):
    """The line doesn't read as the language writes it.

    Something stands where nothing like it can stand, as the second `=` in `conv 3x3, stride = = 2`. The error names
    what was found and what could have stood there.
    """

    code = "syntax"
    message = "unexpected {found}"
    expected = "{wanted}"
    help = "{help_text}"


class MissingComma(Diagnostic):
    """Two values stand side by side with no comma between them.

    `conv 3x3 8` needs a comma: `conv 3x3, 8`. Only a setting's name takes a value without one: `stride 2`.
    """

    code = "missing-comma"
    message = "expected a comma before {value!r} in {phrase!r}"
    help = "write {fixed!r}"


class SpacedBracket(Diagnostic):
    """A blank stands between a word and a bracket, and so it could mean two things.

    `pad [1, 2]` may be the setting `pad` with a list, or an element of a list called `pad`. Write
    `pad = [1, 2]` for the setting, `pad[1]` (without a blank) for the element and `max(a, b)` for a function.
    """

    code = "spaced-bracket"
    message = "a blank between {before!r} and {bracket!r}"
    help = "{help_text}"


class UnclosedBracket(Diagnostic):
    """A bracket is opened and never closed.

    `let n = [1, 2` needs its `]`. A line goes on below while a bracket is open and the next line is indented further.
    """

    code = "unclosed-bracket"
    message = "`{bracket}` is never closed"
    help = "close it on this line; lines below go on with it only where they are indented further"


class UnmatchedBracket(Diagnostic):
    """A closing bracket has no opening one of its kind, as in `conv 3x3, (a + b]`."""

    code = "unmatched-bracket"
    message = "`{bracket}` closes nothing"


class UnclosedString(Diagnostic):
    """A text has no closing quote on its line. Write `"..."`; a quote inside a text is written `\\"`."""

    code = "unclosed-string"
    message = 'the text is missing its closing `"`'


class MisspeltNumber(Diagnostic):
    """A number runs into letters or ends in a point.

    Sizes are written `3x3` without blanks, repetitions `3 x block` with them, and `1.0` or `1` instead of `1.`.
    """

    code = "misspelt-number"
    message = "{word!r} is no number"
    help = "sizes are written `3x3`, repetitions `3 x block`, fractions `0.5`"


class MisspeltConstant(Diagnostic):
    """The words for true, false and nothing are `yes`, `no` and `none`."""

    code = "misspelt-constant"
    message = "`{got_word}` is written `{word}` here"
    help = "write `{word}`"


class Unreadable(Diagnostic):
    """A character that the language has no use for, as `;` or `'`."""

    code = "unreadable"
    message = "unexpected character {character!r}"
    help = "{help_text}"


class TooLong(Diagnostic):
    """A line, a number or a file is larger than any network needs, and is refused before any work is spent on it."""

    code = "too-long"
    message = "the {what} has {count}; the limit is {limit}"


class TooDeep(Diagnostic):
    """Bodies or brackets are nested deeper than any network needs.

    Move the inner part into a block of its own.
    """

    code = "too-deep"
    message = "{what} nested more than {limit} deep"
    help = "move the inner part into a `block`"


class Tab(Diagnostic):
    """A line is indented with a tab. How wide a tab is differs from editor to editor, so indentation is blanks only."""

    code = "tab"
    message = "the line is indented with a tab"
    help = "indent with blanks; two a level are usual"


class BadIndentation(Diagnostic):
    """A line's indentation fits no line above it.

    A body is indented further than its head, and all its lines start in the same column.
    """

    code = "bad-indentation"
    message = "this line is indented by {indent}, where the lines around it are by {wanted}"
    help = "give all steps of a body the same indentation"


class NameExpected(Diagnostic):
    """A name is missing: letters, digits and `_`, not starting with a digit."""

    code = "name-expected"
    message = "expected {what}"


class ReservedName(Diagnostic):
    """The name belongs to the language and can't be given to something else.

    That holds for the words of the constructs (`repeat`, `add`, ...) and for what is always in scope: `i`, `first`,
    `last`, `row`, `rows`, `nth`, `total`, `input`, `here`, `training`.
    """

    code = "reserved-name"
    message = "`{name}` is a word of the language and can't be {what}"


class UnknownAxis(Diagnostic):
    """Branches are joined along an axis by its name: `concat along tokens`."""

    code = "unknown-axis"
    message = "there is no axis `{axis}`"
    expected = "one of {known}"


class UnknownType(Diagnostic):
    """A parameter's type is one of a few words, as in `act as op = none`."""

    code = "unknown-type"
    message = "there is no type `{type}`"
    expected = "one of {known}"


class DuplicateName(Diagnostic):
    """Two things of one kind have the same name, and one of them would be lost."""

    code = "duplicate-name"
    message = "the {what} `{name}` stands on line {line} already"


class UnknownLine(Diagnostic):
    """A line outside every block and network starts with none of the words that can stand there.

    Steps stand in the body of a `net`, `block` or `macro`, indented under it.
    """

    code = "unknown-line"
    message = "{found!r} can't stand at the left margin"
    expected = "one of {known}"
    help = "{help_text}"


class EmptyBody(Diagnostic):
    """A construct has no steps: its body is missing or isn't indented."""

    code = "empty-body"
    message = "`{what}` has no steps"
    help = "indent its steps under it"


class BodyUnderCall(Diagnostic):
    """Lines are indented under a line that can't have a body: a single call, or one such as `input` or `let`.

    Write `name:` with nothing behind it for a container, or move the lines out.
    """

    code = "body-under-call"
    message = "nothing can be indented under `{callee}`"
    help = "start the line in the same column, or put it under a container: a name and a colon alone on their line"


class BranchWithoutDash(Diagnostic):
    """Every branch of a merge starts with `- `; its further steps are aligned with the first."""

    code = "branch-without-dash"
    message = "a branch of `{kind}` starts with `-`"
    help = "write `- {line}`; a branch's further steps stand under its first"


class DashOutsideMerge(Diagnostic):
    """A line starts with `-` outside `add`, `multiply` and `concat`; only their branches do."""

    code = "dash-outside-merge"
    message = "only the branches of `add`, `multiply` and `concat` start with `-`"
    help = "the word stands above its branches, alone and without a colon: `concat`"


class TableWithoutDo(Diagnostic):
    """After the rows of a table comes `do` with the steps that each row makes.

    It stands in the column of its `for`.
    """

    code = "table-without-do"
    message = "the table has no `do`"
    help = "after the rows write `do` in the column of `for`, and the steps behind or under it"


class TableRowLength(Diagnostic):
    """A row has another number of cells than the table's heading has columns."""

    code = "table-row-length"
    message = "this row has {count} cells, the heading has {columns} columns"
    expected = "{heading}"


class Misplaced(Diagnostic):
    """A word of the language stands where it has no meaning, as a `shortcut` that follows no `residual`."""

    code = "misplaced"
    message = "`{word}` can't stand here"
    help = "{help_text}"


class NewerFormat(Diagnostic):
    """The file says that it needs a newer version of the language than this archdsl knows."""

    code = "newer-format"
    message = "the file is of format {format}, this archdsl reads up to format {known}"
    help = "install a newer archdsl"


class InputExpected(Diagnostic):
    """An input is its sizes without the batch, as `3x224x224`; capital letters stand for any size: `3xHxW`."""

    code = "input-expected"
    message = "`{found}` is no input: {why}"
    expected = "one to four sizes, the number of channels first, such as 3x224x224 or 3xHxW"
    help = "write `{spelled}`"


class EmptyTable(Diagnostic):
    """A `for` with a heading of columns has no rows under it.

    A loop over a list or range says `in`: `for s in 0..3`.
    """

    code = "empty-table"
    message = "the table has no rows"
    help = "indent the rows under `for`; a loop over a list or range is written `for s in 0..3`"


class InlineShortcut(Diagnostic):
    """The steps of a `shortcut` stand on lines of their own under it."""

    code = "inline-shortcut"
    message = "a step stands on the line of its `shortcut`"
    help = "indent the steps of the shortcut under it"


class EmptyFile(Diagnostic):
    """The file holds nothing but blanks and comments."""

    code = "empty-file"
    message = "the file holds no network and no blocks"


class MissingNetwork(Diagnostic):
    """A file with layers, an input or a recipe is a network and needs a name.

    As YAML `network: resnet18`, as text `net resnet18` with the steps indented under it.
    """

    code = "missing-network"
    message = "the file has `{key}` but no network"
    help = "name the network: `network: NAME` in YAML, `net NAME` in text"


class MissingLayers(Diagnostic):
    """A network has neither steps of its own nor another that it extends."""

    code = "missing-layers"
    message = "the network `{name}` has no layers"
    help = "list its steps under `layers`, or name the network that it changes with `extends`"


class Encoding(Diagnostic):
    """A spec is UTF-8 text without control characters."""

    code = "encoding"
    message = "{problem}"
    help = "save the file as UTF-8 text"


class FileTooLarge(Diagnostic):
    """The file is larger than any spec needs to be, and isn't read."""

    code = "file-too-large"
    message = "the file has {size:,} bytes; the limit is {limit:,}"


def missing_comma(text: Text, parts: Sequence[Expression]) -> MissingComma:
    """For a phrase of several values that is no setting with its value."""
    from archdsl.syntax.printer.line import expression  # only a mistake needs the printer

    at = 2 if isinstance(parts[0], Word) else 1
    left, right = expression(parts[at - 1]), expression(parts[at])
    return MissingComma(parts[at].span, value=right, phrase=text.text.strip(), fixed=f"{left}, {right}")
