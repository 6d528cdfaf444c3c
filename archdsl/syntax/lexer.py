"""The tokens of a line: numbers, words, operators, and two marks that make the grammar LALR.

J stands between neighbouring operands (`stride 2`), CALLEE is the name that a call applies and TIMES the `x` of
`3 x block`. A token is (type, value, start, end), the positions being offsets in the text.
"""

from __future__ import annotations

import re

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Span
from archdsl.syntax import errors
from archdsl.syntax.limits import DIGITS, LINE_CHARACTERS, LINE_TOKENS
from archdsl.syntax.text_range import Text

Token = tuple[str, str, int, int]

_BLANK = re.compile(r"(?:[ \t\n]+(?:#[^\n]*)?)*")
_TOKEN = re.compile(
    r"""
      (?P<NAME>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<SIZE>\d+(?:x\d+)+(?![A-Za-z0-9_]))
    | (?P<NUMBER>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z0-9_]|\.(?![.A-Za-z_])))
    | (?P<COMMA>,)
    | (?P<ARROW>->)
    | (?P<LSQB>\[) | (?P<RSQB>\]) | (?P<LPAR>\() | (?P<RPAR>\)) | (?P<LBRACE>\{) | (?P<RBRACE>\})
    | (?P<POW>\*\*)
    | (?P<TIMESOP>\*|//|/|%)
    | (?P<PLUS>\+)
    | (?P<MINUS>-)
    | (?P<DOTDOT>\.\.)
    | (?P<DOT>\.)
    | (?P<COMPARE>==|!=|<=|>=|<|>)
    | (?P<EQ>=)
    | (?P<COLON>:)
    | (?P<STRING>"(?:[^"\\\n]|\\.)*")
    | (?P<AT>@)
    """,
    re.VERBOSE,
)
_NEXT_LEVEL = re.compile(r"\.[A-Za-z0-9_{]")
_PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*|-[A-Za-z0-9_-]*")
_KEYWORDS = {word: word.upper() for word in ("if", "else", "and", "or", "not", "when", "yes", "no", "none")}
_MISSPELT = {"true": "yes", "True": "yes", "false": "no", "False": "no", "None": "none", "null": "none"}
WORDS = frozenset((*_KEYWORDS, *_MISSPELT))  # the words that are never names
_CONTEXTUAL = {"params": {"as": "AS"}, "counted": {"as": "AS"}, "looped": {"in": "IN"}}
_NO_KEYWORDS: dict[str, str] = {}
_CLOSERS = {"LSQB": "RSQB", "LPAR": "RPAR", "LBRACE": "RBRACE"}
_OPENERS = {closer: opener for opener, closer in _CLOSERS.items()}
# Between a token that ends an operand and one that starts one there is a J.
_ENDS = frozenset(("NUMBER", "SIZE", "STRING", "NAME", "YES", "NO", "NONE", "RSQB", "RPAR", "PIECE", "RBRACE"))
_STARTS = frozenset(("NUMBER", "SIZE", "STRING", "NAME", "YES", "NO", "NONE", "AT", "NOT"))
_CALLS = frozenset(("chain", "callee"))
_PATHS = frozenset(("label", "path"))


def tokens_of(start: str, text: Text) -> list[Token]:
    """The tokens of a text that will be parsed as `start`, with their marks; raises SpecError."""
    if len(text.text) > LINE_CHARACTERS:
        raise SpecError(
            errors.TooLong(
                text.all(), what="line", count=f"{len(text.text):,} characters", limit=f"{LINE_CHARACTERS:,}"
            )
        )
    raw = _scan(text, in_path=start in _PATHS, keywords=_CONTEXTUAL.get(start, _NO_KEYWORDS))
    if len(raw) > LINE_TOKENS:
        raise SpecError(errors.TooLong(text.all(), what="line", count=f"{len(raw):,} tokens", limit=f"{LINE_TOKENS:,}"))
    if start in _CALLS:
        _mark_calls(raw)
    return _join(raw, text, is_row=start == "row")


def _scan(text: Text, *, in_path: bool, keywords: dict[str, str]) -> list[Token]:
    """The tokens without marks; in a path (`@stem.{i}`) other ones are known than elsewhere."""
    line = text.text
    tokens: list[Token] = []
    opened: list[Token] = []
    at, end = 0, len(line)
    while True:
        if in_path:
            token = _path_token(line, at)
            if token is None:
                in_path = False
                continue
            if token[0] == "LBRACE":
                opened.append(token)
                in_path = False
            tokens.append(token)
            at = token[3]
            continue
        at = _BLANK.match(line, at).end()  # type: ignore[union-attr]
        if at == end:
            break
        found = _TOKEN.match(line, at)
        if found is None:
            raise SpecError(_unreadable(text, at))
        kind, value, stop = found.lastgroup or "", found[0], found.end()
        if kind == "NAME":
            kind = _KEYWORDS.get(value) or keywords.get(value, "NAME")
        token = (kind, value, at, stop)
        if kind == "AT":
            in_path = True
        elif kind in _CLOSERS:
            opened.append(token)
        elif kind in _OPENERS:
            if not opened or opened[-1][0] != _OPENERS[kind]:
                raise SpecError(errors.UnmatchedBracket(text.span(at, stop), bracket=value))
            in_path = opened.pop()[0] == "LBRACE"
        elif value in _MISSPELT or (kind == "NUMBER" and len(value) > DIGITS):
            raise SpecError(_refused(text, token))
        tokens.append(token)
        at = stop
    if opened:
        _, value, at, stop = opened[-1]
        raise SpecError(errors.UnclosedBracket(text.span(at, stop), bracket=value))
    return tokens


def _path_token(line: str, at: int) -> Token | None:
    """The next token of a path, None behind its end."""
    found = _PIECE.match(line, at)
    if found is not None:
        return ("PIECE", found[0], at, found.end())
    if line[at : at + 1] == "{":
        return ("LBRACE", "{", at, at + 1)
    if _NEXT_LEVEL.match(line, at):
        return ("DOT", ".", at, at + 1)
    return None


def _refused(text: Text, token: Token) -> Diagnostic:
    """For a token that reads well and isn't meant to be there."""
    kind, value, start, end = token
    if kind == "NUMBER":
        return errors.TooLong(text.span(start, end), what="number", count=f"{len(value)} digits", limit=DIGITS)
    return errors.MisspeltConstant(text.span(start, end), got_word=value, word=_MISSPELT[value])


def _spaced(where: Span, bracket: str, before: str) -> errors.SpacedBracket:
    help_text = f"write `{before}{bracket}...` for a function"
    if bracket == "[":
        help_text = f"write `{before} = [...` to give a setting its value, `{before}[...` for an element"
    return errors.SpacedBracket(where, bracket=bracket, before=before, help_text=help_text)


def _unreadable(text: Text, at: int) -> Diagnostic:
    line = text.text
    if line[at] == '"':
        stop = line.find("\n", at)
        return errors.UnclosedString(text.span(at, len(line) if stop < 0 else stop))
    if line[at].isdigit():
        word = re.compile(r"[\w.]+").match(line, at)
        assert word is not None
        return errors.MisspeltNumber(text.span(at, word.end()), word=word[0])
    return errors.Unreadable(text.span(at, at + 1), character=line[at], help_text=_HELP_CHARACTERS.get(line[at]))


_HELP_CHARACTERS = {
    "→": "calls on one line are joined by `->`",
    ";": "a step ends with its line; several on one line are joined by `->`",
    "×": "sizes are written with the letter x: `3x3`",
    "'": 'texts stand in double quotes: "..."',
    "{": "braces stand in labels only: `layer{i + 1}`",
    "#": "a comment needs a blank before its `#`",
    "!": "`not` negates",
    "&": "the word is `and`",
    "|": "the word is `or`",
    "^": "a power is written `**`",
}


def _mark_calls(tokens: list[Token]) -> None:
    """Turn the name that each link applies into CALLEE, and the `x` of a repetition into TIMES."""
    depth = 0
    first = 0  # where the link starts
    in_head = True  # before its first comma
    callee = 0  # where its CALLEE stands, unless a TIMES comes
    for at, (kind, value, _, _) in enumerate(tokens):
        if kind in _CLOSERS:
            depth += 1
        elif kind in _OPENERS:
            depth -= 1
        elif depth:
            continue
        elif kind == "ARROW":
            _mark(tokens, callee, "CALLEE")
            first = callee = at + 1
            in_head = True
        elif kind in ("COMMA", "WHEN"):
            in_head = False
        elif value == "x" and in_head and at > first and _is_times(tokens, at):
            _mark(tokens, at, "TIMES")
            callee = at + 1
            in_head = False
    _mark(tokens, callee, "CALLEE")


def _mark(tokens: list[Token], at: int, kind: str) -> None:
    if at < len(tokens) and tokens[at][0] == "NAME":
        tokens[at] = (kind, *tokens[at][1:])


def _is_times(tokens: list[Token], at: int) -> bool:
    """Whether an `x` stands between an operand and a name: `3 x block`."""
    return at + 1 < len(tokens) and tokens[at - 1][0] in _ENDS and tokens[at + 1][0] == "NAME"


def _join(raw: list[Token], text: Text, *, is_row: bool) -> list[Token]:
    """Put a J between neighbouring operands."""
    tokens: list[Token] = []
    last = ""
    last_end = -1
    for token in raw:
        kind, value, start, end = token
        if last in _ENDS:
            if kind in _STARTS:
                tokens.append(("J", "", start, start))
            elif start > last_end and (kind == "LSQB" or kind == "LPAR"):
                if not is_row:
                    raise SpecError(_spaced(text.span(start, end), value, tokens[-1][1]))
                tokens.append(("J", "", start, start))
            elif is_row and kind == "MINUS" and start > last_end and text.text[end : end + 1] not in (" ", "\t"):
                tokens.append(("J", "", start, start))
        tokens.append(token)
        last, last_end = kind, end
    return tokens
