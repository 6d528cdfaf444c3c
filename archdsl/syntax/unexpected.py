"""From a token that the grammar can't place to a diagnostic that says what to write."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.diagnostics import Diagnostic
from archdsl.syntax import errors
from archdsl.syntax.lexer import Token
from archdsl.syntax.text_range import Text

_OPERANDS = frozenset(("NUMBER", "SIZE", "STRING", "NAME", "YES", "NO", "NONE"))
# Named to the reader, in this order; operators are never suggested, there would be a dozen each time.
_WANTED = {
    "CALLEE": "an operation",
    "NAME": "a name",
    "PIECE": "a label",
    "COMMA": "`,`",
    "EQ": "`=`",
    "ELSE": "`else`",
    "IN": "`in`",
    "COLON": "`:`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "RBRACE": "`}`",
    "$END": "the end of the line",
}


def unexpected(text: Text, tokens: list[Token], token: Token, wanted: Iterable[str]) -> Diagnostic:
    """The diagnostic for a token where the grammar allows only those `wanted`."""
    kind, value, start, end = token
    if kind == "J" and "COMMA" in wanted:
        return _two_values(text, tokens, token)
    if kind == "J":
        return unexpected(text, tokens, tokens[tokens.index(token) + 1], wanted)
    if fraction := _leading_point(text, tokens, token):
        return fraction
    found = "end of the line" if kind == "$END" else f"`{value.splitlines()[0]}`"
    if kind == "$END":
        end = max(len(text.text.rstrip()), 1)
        start = end - 1
    return errors.Syntax(text.span(start, end), found=found, wanted=_spell(set(wanted)), help_text=_help(tokens, token))


def _two_values(text: Text, tokens: list[Token], token: Token) -> Diagnostic:
    """Two operands side by side where a list or brackets need a comma."""
    at = tokens.index(token)
    before, after = tokens[at - 1], tokens[at + 1]
    phrase = text.text[before[2] : after[3]]
    fixed = f"{before[1]}, {after[1]}"
    return errors.MissingComma(text.span(after[2], after[3]), value=after[1], phrase=phrase, fixed=fixed)


def _leading_point(text: Text, tokens: list[Token], token: Token) -> Diagnostic | None:
    """A fraction without its zero: `.5`."""
    at = tokens.index(token) + 1 if token[0] == "DOT" else len(tokens)
    if at >= len(tokens) or tokens[at][0] != "NUMBER" or tokens[at][2] != token[3]:
        return None
    start, end = token[2], tokens[at][3]
    return errors.MisspeltNumber(text.span(start, end), word=text.text[start:end])


def _spell(wanted: set[str]) -> str:
    names = [spelling for kind, spelling in _WANTED.items() if kind in wanted]
    if wanted >= _OPERANDS:
        names = ["a value", *(name for name in names if name != "a name")]
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else "".join(names)


_CALLS = (
    "what a call is given follows without brackets, and what enters is never written: `conv 3x3, 64` (kernel, output"
    " channels), `linear 10`; `archdsl ops` lists all operations"
)


def _help(tokens: list[Token], token: Token) -> str:
    kind = token[0]
    before = tokens[tokens.index(token) - 1][0] if token in tokens and tokens[0] != token else ""
    if kind == "EQ" and len(tokens) > 2 and tokens[1] == token:
        return f"a label ends in a colon: `{tokens[0][1]}: ...`"
    if kind == "EQ":
        return "`==` compares; `name = value` gives a setting its value"
    if kind == "COMPARE":
        return "comparisons don't chain: write `a < b and b < c`"
    if kind in ("WHEN", "ARROW"):
        return "a guard follows a call, a chain joins two calls: `conv 1x1, 64 -> relu when C`"
    if kind == "IF" or before == "IF" or kind == "ELSE":
        return "a choice is written `1 if first else 2`"
    called = [one[0] for one in tokens[:2]] == ["CALLEE", "LPAR"]
    if kind == "RPAR" and called and tokens.index(token) == 2:
        return f"a call without values is its name alone: `{tokens[0][1]}`"
    if kind == "COMMA" and called:
        return _CALLS
    if kind == "COMMA" and "RPAR" in [one[0] for one in tokens[tokens.index(token) :]]:
        return "sizes are joined by x: `3x3`, `stride 2x2`; a list stands in square brackets"
    if kind == "DOT" and before == "CALLEE":
        return _CALLS
    if token[1] == "/" and before == "COMMA":
        return "settings are given by name: `stride 2`"
    if kind == "COLON":
        return "a label stands first on its line: `conv1: conv 3x3, 64`"
    return ""
