"""The words that the language keeps for itself."""

from __future__ import annotations

FORMAT = 1  # the newest version of the format that this reader knows

MERGES = ("add", "multiply", "concat")
# The first words of constructs; as labels they need the colon (text) or `label` (YAML).
CONSTRUCTS = frozenset(
    (*MERGES, "group", "repeat", "for", "do", "residual", "shortcut", "dense", "output", "from", "let", "unused")
) | {"default", "init", "again"}
# The first words of a file's own lines.
FILE_WORDS = (
    "format",
    "about",
    "use",
    "let",
    "default",
    "init",
    "macro",
    "block",
    "net",
    "returns",
    "preprocess",
    "train",
)
EXPRESSION_WORDS = frozenset(("if", "else", "and", "or", "not", "when", "yes", "no", "none"))
# What an expression sees without anybody having named it.
GIVEN = frozenset(("i", "first", "last", "row", "rows", "nth", "total", "input", "here", "training"))
TYPES = ("int", "number", "bool", "size", "word", "list", "op", "block", "step")
AXES = ("channels", "length", "depth", "height", "width", "tokens")
# The first words of the lines of a `net` that are no steps.
NET_WORDS = frozenset(("input", "returns", "about", "preprocess", "train", "default", "init"))
# What no step begins with unless a label stands before it.
BEGINNINGS = CONSTRUCTS.union(FILE_WORDS, NET_WORDS)
