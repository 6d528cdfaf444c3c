"""What can be wrong with a spec as YAML. Each class's docstring is its page in the documentation."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic


class YamlSyntax(Diagnostic):
    """The file isn't the YAML that a spec is written in.

    Steps are one-line texts. Put quotes around a line that holds `: ` or ` #`, that starts with one of
    `{ [ * & ! | > % @` or a backtick, and, inside a list with brackets, around every line that holds a comma.
    """

    code = "yaml-syntax"
    message = "{problem}"
    help = "{help_text}"


class YamlAnchor(Diagnostic):
    """Anchors (`&`), aliases (`*`) and merge keys (`<<`) are refused: a small file could stand for a huge one.

    What is used several times is a block, a macro or a `let`.
    """

    code = "yaml-anchor"
    message = "anchors, aliases and merge keys (`{sign}`) aren't part of the language"
    help = 'use a block, a macro or a `let`; quote a line that starts with `{sign}`: "..."'


class YamlTag(Diagnostic):
    """Tags (`!name`) are refused; a spec holds texts, lists and mappings only."""

    code = "yaml-tag"
    message = "tags (`{tag}`) aren't part of the language"
    help = 'quote a line that starts with `!`: "..."'


class DuplicateKey(Diagnostic):
    """A mapping has the same key twice. YAML's own readers drop one of the two silently."""

    code = "duplicate-key"
    message = "the key `{key}` stands on line {line} already"
    help = "keep one of them; what may repeat is an item of a list: `- {key}: ...`"


class YamlComma(Diagnostic):
    """Inside brackets or braces a comma separates items, so `[conv 1x1, 64]` is a list of two.

    Quote the step, `["conv 1x1, 64"]`, or write the list as lines that start with `- `.
    """

    code = "yaml-comma"
    message = "`{item}` is an item of its own here: in brackets a comma separates items"
    help = "put quotes around a line that holds a comma, or write the list as lines that start with `- `"


class UnknownSection(Diagnostic):
    """The file has a key that a spec doesn't have."""

    code = "unknown-section"
    message = "there is no section `{key}`"
    expected = "one of {known}"
    help = "did you mean `{near}`?"


class WrongNode(Diagnostic):
    """A list stands where a mapping or a line is needed, or the other way round."""

    code = "wrong-node"
    message = "{what} must be {wanted}"
    got = "{found}"
    help = "{help_text}"


class SecondKey(Diagnostic):
    """A step of a YAML spec is a mapping with one key; this one has more.

    Each step is an item of its own and starts with `- `. Only `do`, `in` and `shortcut` stand beside another key.
    """

    code = "second-key"
    message = "`{key}` stands in the same step as `{first}`"
    help = "{help_text}"


class QuotedLabel(Diagnostic):
    """A label stands inside the quotes; it is the key, and only what follows its colon is quoted."""

    code = "quoted-label"
    message = "the label is part of the quoted line"
    help = 'write `- conv1: "conv 3x3, 64"`: the quotes start after the colon'


class GuardInValue(Diagnostic):
    """In YAML the guard of a construct stands in its key: `- repeat when C: 12`."""

    code = "guard-in-value"
    message = "the guard of `{word}` stands behind its value"
    help = "write it in the key: `- {word} when C: ...`"


class MissingDo(Diagnostic):
    """A loop has no steps: its second key, `do`, is missing."""

    code = "missing-do"
    message = "`{word}` has no `do`"
    help = "write `do:` with a list of steps in the column of `{word}`"
