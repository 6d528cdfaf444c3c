"""How much a spec may hold; checked before the work that would grow with it."""

from __future__ import annotations

FILE_BYTES = 1_000_000
FILE_LINES = 50_000
LINE_CHARACTERS = 20_000
LINE_TOKENS = 2_000
NESTED_BODIES = 50  # each level costs the readers, printers and passes a few frames of Python's stack
NESTED_EXPRESSIONS = 100
FILES = 100  # that one network is made of, beside the one that was asked for
DIGITS = 18
DIAGNOSTICS = 100  # reading stops when so many mistakes are found
