"""The text spelling's colours, for Pygments."""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

from archdsl.ops import OPS
from archdsl.syntax.words import CONSTRUCTS, EXPRESSION_WORDS, FILE_WORDS, NET_WORDS

_WORD = r"(?<![\w-])", r"(?![\w-])"
_KEPT = sorted({*CONSTRUCTS, *FILE_WORDS, *NET_WORDS})


class ArchLexer(RegexLexer):
    """archdsl's text spelling: whole files and parts of them."""

    name = "archdsl"
    aliases: ClassVar[list[str]] = ["arch"]
    filenames: ClassVar[list[str]] = ["*.arch"]
    url = ""

    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            (r"(?:(?<=\s)|^)#.*", Comment.Single),
            (r'"[^"\n]*"', String),
            (r"[\w{}+*/-]+(?=:(?:\s|$))", Name.Label),  # what stands before a colon
            (words(_KEPT, *_WORD), Keyword),
            (words(sorted(EXPRESSION_WORDS), *_WORD), Operator.Word),
            (words(sorted(kind.name for kind in OPS), *_WORD), Name.Builtin),
            (r"\d+(?:x(?:\d+|[A-Z]))+", Number.Integer),
            (r"\d+(?:\.\d+)?(?:e-?\d+)?", Number),
            (r"@?[A-Za-z_][\w-]*", Name),
            (r"->|[-+*/%<>=!]+|\.\.", Operator),
            (r"[\s]+", Text.Whitespace),
            (r".", Punctuation),
        ],
    }
