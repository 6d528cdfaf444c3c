"""Values and names as Python text: the one place through which anything of a spec reaches the source.

The text is executed, so only `repr` of numbers, booleans, strings, None and tuples of them gets out, names are checked
identifiers, and traced arithmetic is made of nothing but names, numbers, operators and the functions listed here.
"""

from __future__ import annotations

import keyword
import math
import re
from typing import Any

from archdsl.trace import Sides, Traced

# What traced arithmetic may call.
FUNCTIONS = frozenset({"abs", "divisible", "int", "math.ceil", "math.floor", "math.sqrt", "max", "min", "round"})

_ARITHMETIC = re.compile(r"[\w \[\]().,+*/%-]+", re.ASCII)
_WORDS = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def literal(value: Any) -> str:
    """A value as Python text; raises an assertion error for anything that isn't plain data."""
    if isinstance(value, Traced):
        return _traced(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        assert math.isfinite(value), "a number that Python can't spell"
        return float.__repr__(value)
    if isinstance(value, tuple):
        inside = ", ".join(map(literal, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    assert type(value) is str, f"{type(value).__name__} can't be in emitted source"
    return _quoted(value)


def _quoted(text: str) -> str:
    """A string in double quotes where that is what formatters prefer."""
    spelled = repr(text)
    return f'"{spelled[1:-1]}"' if spelled[0] == "'" and '"' not in text else spelled


def _traced(value: Any) -> str:
    source: str = value.source
    assert _ARITHMETIC.fullmatch(source), source
    for word in _WORDS.findall(source):
        assert word in FUNCTIONS or word in value.names, source
    for name in value.names:
        identifier(name)
    return source


def identifier(name: str) -> str:
    """The name, which must be an identifier; an assertion error otherwise."""
    assert _IDENTIFIER.fullmatch(name), name
    assert not keyword.iskeyword(name), name
    return name


def is_identifier(name: str) -> bool:
    """Whether a label can be an attribute as it stands."""
    return _IDENTIFIER.fullmatch(name) is not None and not keyword.iskeyword(name)


def hint(value: Any) -> str:
    """The type of a constructor's argument, as an annotation."""
    if isinstance(value, Sides) and len(set(value)) > 1:
        return f"tuple[{', '.join(['int'] * len(value))}]"
    return "float" if isinstance(value, float) else "int"


def class_name(name: str, about: str = "") -> str:
    """A name of the language in the spelling of classes; `about` may tell the capitals (ResNet-50)."""
    for word in about.replace(",", " ").split():
        plain = re.sub(r"[^A-Za-z0-9]", "", word)
        if plain.lower() == re.sub(r"[^a-z0-9]", "", name.lower()) and is_identifier(plain) and plain != plain.lower():
            return plain
    parts = re.split(r"[^A-Za-z0-9]+", name)
    spelled = "".join(part[:1].upper() + part[1:] for part in parts)
    return spelled if is_identifier(spelled) else f"Group{spelled}"


def docstring(text: str) -> str:
    """Free text made fit for a docstring: one line, no quote or backslash that could end it."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.replace("\\", "/").replace('"', "'").split())
