"""The tokens of a line: numbers, words, operators, and two marks that make the grammar LALR.

J stands between neighbouring operands (`stride 2`), CALLEE is the name that a call applies and TIMES the `x` of
`3 x block`. A token is (type, value, start, end), the positions being offsets in the text.
"""

from __future__ import annotations

import re

from archdsl.diagnostics import SpecError
from archdsl.syntax import errors
from archdsl.syntax.limits import DIGITS, LINE_CHARACTERS, LINE_TOKENS
from archdsl.syntax.text_range import Text

Token = tuple[str, str, int, int]

_BLANK = re.compile(r"(?:[ \t\n]+(?:#[^\n]*)?)*")
_TOKEN = re.compile(
    r"""
      (?P<NAME>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<SIZE>\d+(?:x\d+)+(?![A-Za-z0-9_]))
    | (?P<NUMBER>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z0-9_]))
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
_PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*|-[A-Za-z0-9_-]*")
_KEYWORDS = {word: word.upper() for word in ("if", "else", "and", "or", "not", "when", "yes", "no", "none")}
_MISSPELT = {"true": "yes", "True": "yes", "false": "no", "False": "no", "None": "none", "null": "none"}
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
        raise SpecError(errors.TooLong(text.all(), what="line", count=f"{len(text.text):,} characters", limit=f"{LINE_CHARACTERS:,}"))
    raw = _scan(text, in_path=start in _PATHS, keywords=_CONTEXTUAL.get(start, _NO_KEYWORDS))
    if len(raw) > LINE_TOKENS:
        raise SpecError(errors.TooLong(text.all(), what="line", count=f"{len(raw):,} tokens", limit=f"{LINE_TOKENS:,}"))
    if start in _CALLS:
        _mark_calls(raw)
    return _join(raw, text, is_row=start == "row")


def _scan(text: Text, *, in_path: bool, keywords: dict[str, str]) -> list[Token]:
    line = text.text
    tokens: list[Token] = []
    open_brackets: list[Token] = []
    resume: list[bool] = []  # for each open brace: whether it stands in a path
    at, end = 0, len(line)
    while True:
        if in_path:
            found = _PIECE.match(line, at)
            if found is not None:
                tokens.append(("PIECE", found[0], at, found.end()))
                at = found.end()
                continue
            if at < end and line[at] == "{":
                token = ("LBRACE", "{", at, at + 1)
                tokens.append(token)
                open_brackets.append(token)
                in_path = False
                at += 1
                continue
            if line[at : at + 1] == "." and at + 1 < end and (line[at + 1].isalnum() or line[at + 1] in "_{"):
                tokens.append(("DOT", ".", at, at + 1))
                at += 1
                continue
            in_path = False
        at = _BLANK.match(line, at).end()  # type: ignore[union-attr]
        if at == end:
            break
        found = _TOKEN.match(line, at)
        if found is None:
            raise SpecError(_unreadable(text, at))
        kind, value = found.lastgroup or "", found[0]
        token = (kind, value, at, found.end())
        if kind == "NAME":
            kind = _KEYWORDS.get(value) or keywords.get(value, "NAME")
            if value in _MISSPELT:
                raise SpecError(errors.MisspeltConstant(text.span(at, found.end()), got_word=value, word=_MISSPELT[value]))
            token = (kind, value, at, found.end())
        elif kind == "AT":
            in_path = True
        elif kind in _CLOSERS:
            open_brackets.append(token)
        elif kind in _OPENERS:
            if not open_brackets or open_brackets[-1][0] != _OPENERS[kind]:
                raise SpecError(errors.UnmatchedBracket(text.span(at, at + 1), bracket=value))
            in_path = open_brackets.pop()[0] == "LBRACE"
        elif kind == "NUMBER" and len(value) > DIGITS:
            raise SpecError(errors.TooLong(text.span(at, found.end()), what="number", count=f"{len(value)} digits", limit=DIGITS))
        tokens.append(token)
        at = found.end()
    if open_brackets:
        _, value, at, _ = open_brackets[-1]
        raise SpecError(errors.UnclosedBracket(text.span(at, at + 1), bracket=value))
    return tokens


def _unreadable(text: Text, at: int) -> errors.Unreadable | errors.UnclosedString | errors.MisspeltNumber:
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
    at = 0
    while at < len(tokens):
        times = stop = -1
        depth = 0
        for place in range(at, len(tokens)):
            kind, value, _, _ = tokens[place]
            if kind in _CLOSERS:
                depth += 1
            elif kind in _OPENERS:
                depth -= 1
            elif depth:
                continue
            elif kind == "ARROW":
                stop = place
                break
            elif kind == "NAME" and value == "x" and times < 0 and _is_times(tokens, at, place):
                times = place
            elif kind in ("COMMA", "WHEN") and times < 0:
                times = len(tokens)
        if 0 <= times < len(tokens):
            tokens[times] = ("TIMES", *tokens[times][1:])
            tokens[times + 1] = ("CALLEE", *tokens[times + 1][1:])
        elif tokens[at][0] == "NAME":
            tokens[at] = ("CALLEE", *tokens[at][1:])
        if stop < 0:
            return
        at = stop + 1


def _is_times(tokens: list[Token], first: int, place: int) -> bool:
    following = tokens[place + 1][0] if place + 1 < len(tokens) else ""
    return place > first and tokens[place - 1][0] in _ENDS and following == "NAME"


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
                    raise SpecError(errors.SpacedBracket(text.span(start, end), bracket=value, before=tokens[-1][1]))
                tokens.append(("J", "", start, start))
            elif is_row and kind == "MINUS" and start > last_end and text.text[end : end + 1] not in (" ", "\t"):
                tokens.append(("J", "", start, start))
        tokens.append(token)
        last, last_end = kind, end
    return tokens
