"""Inputs made of others: lines and tokens of specs dropped, doubled, moved, swapped and exchanged for others."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from archdsl import library
from archdsl.expand.environment import SCHEMES
from archdsl.expand.functions import FUNCTIONS
from archdsl.ops import BY_NAME
from archdsl.recipe import Augment, Recipe
from archdsl.syntax import words

# What a hand, or a joker, may write where a network wants a number.
VALUES = re.split(
    r"\s\|\s+",
    """0 | -1 | -0 | 1 | 2.5 | -0.0 | 1e400 | 1e308 | 1e-400 | 0x0 | 1x2x3 | 3x3 | 9223372036854775807 |
    9223372036854775808 | 99999999999999999999 | 10**10 | 9**9**9 | (1/3) | 0/0 | 1 % 0 | none | yes | no | [] |
    [1, 2] | [[1], 2] | word | "text" | "" | same | H | input | here | training | i | first | input.height |
    here.tokens | @conv1 | @conv1.channels | min() | max(1) | len(3) | sqrt(-1) | 1..3 | 3..1 | 0..9**9 |
    2 if yes else none | layernorm(eps = 1) | layernorm(1, 2, 3) | relu | conv | not 3 | -word | [1][3] | int(1e300) |
    sum([]) | divisible(8, 0) | round(none) | (-8) ** 0.5 | 0 ** -1 | [1, 2][0.5] | word.x""",
)
SIGNS = (
    *": , -> - ( ) [ ] { } = == @ . .. # \" ' x * ** / // % + < >= | > & * ! ? \\".split(" "),
    *("\t", "\r", "\x00", "\ufeff", "é", "漢", "\u202e", "\\x1b", "\\u202e", "\\n"),
)
KINDS = (
    "network",
    "params",
    "defaults",
    "blocks",
    "macros",
    "layers",
    "extends",
    "use",
    "base",
    "label",
    "along",
    "in",
)
SECTIONS = ("lr", "epochs", "data", "resize", "crop", "mean", "std", "interpolation", "flip", "rescale")
WRAPS = ("residual", "repeat 2", "group", "dense 2", "a:", "output aux", "for k in 1..2", "shortcut s:", "- residual:")
TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|\s+|.", re.DOTALL)

Lines = list[str]
Way = Callable[[Lines, random.Random], Lines]


def _dictionary() -> tuple[str, ...]:
    settings = {name for op in BY_NAME.values() for name in op.settings()}
    kept = {*words.CONSTRUCTS, *words.FILE_WORDS, *words.EXPRESSION_WORDS, *words.GIVEN, *words.TYPES, *words.AXES}
    recipe = {*Recipe.model_fields, *Augment.model_fields, *SECTIONS}
    names = {*BY_NAME, *FUNCTIONS, *SCHEMES, *library.with_libraries(), *KINDS, *settings, *kept, *recipe}
    return tuple(sorted(names))


WORDS = _dictionary()


class Mutator:
    """Changes inputs, and crosses them with those of a pool; the same for the same numbers drawn."""

    def __init__(self, pool: Sequence[bytes]) -> None:
        self._ways = {
            spelling: _ways([_lines(one) for one in pool if one[:1] == spelling]) for spelling in (b"a", b"y")
        }

    def __call__(self, data: bytes, draw: random.Random, most: int = 3) -> bytes:
        """An input changed in one to `most` ways."""
        spelling, lines = b"y" if data[:1] == b"y" else b"a", _lines(data)
        ways, weights = self._ways[spelling]
        for way in draw.choices(ways, weights, k=draw.randint(1, most)):
            lines = way(lines, draw) or [""]
        return spelling + "\n".join(lines).encode("utf-8", "surrogateescape")


def _ways(pool: list[Lines]) -> tuple[list[Way], list[int]]:
    """The ways to change an input, with how often each is taken."""
    pool = pool or [["net n", "  input 3x8x8", "  relu"]]
    ways: list[tuple[Way, int]] = [
        (_exchanged, 6),
        (_renumbered, 3),
        (_swapped, 2),
        (_inserted, 3),
        (_without_token, 2),
        (_without_lines, 3),
        (_doubled, 2),
        (_moved, 2),
        (_indented, 2),
        (_wrapped, 1),
        (lambda lines, draw: _crossed(lines, draw.choice(pool), draw), 4),
        (lambda lines, draw: _spliced(lines, draw.choice(pool), draw), 1),
        (lambda lines, draw: [*lines[:40], "%%%", *draw.choice(pool)[:40]], 1),  # a file to build on
    ]
    return [way for way, _ in ways], [weight for _, weight in ways]


def _lines(data: bytes) -> Lines:
    """The lines behind the letter of the spelling."""
    return data[1:].decode("utf-8", "surrogateescape").split("\n")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _shifted(lines: Lines, by: int) -> Lines:
    return [" " * max(0, _indent(line) + by) + line.lstrip(" ") for line in lines]


def _piece(lines: Lines, draw: random.Random) -> tuple[int, int]:
    """A line and what stands under it, or some lines."""
    start = draw.randrange(len(lines))
    end = start + 1
    if draw.random() < 0.5:
        while end < len(lines) and _indent(lines[end]) > _indent(lines[start]):
            end += 1
        return start, end
    return start, min(len(lines), end + draw.choice((0, 0, 0, 1, 2, 5)))


def _at_token(lines: Lines, draw: random.Random, change: Callable[[list[str], int], str]) -> Lines:
    """The lines with one token of one line changed."""
    at = draw.randrange(len(lines))
    tokens = TOKEN.findall(lines[at])
    solid = [place for place, token in enumerate(tokens) if not token.isspace()]
    if not solid:
        return lines
    place = draw.choice(solid)
    tokens[place] = change(tokens, place)
    return [*lines[:at], "".join(tokens), *lines[at + 1 :]]


def _any(draw: random.Random) -> str:
    return draw.choice(draw.choice((WORDS, WORDS, VALUES, SIGNS)))


def _exchanged(lines: Lines, draw: random.Random) -> Lines:
    def other(tokens: list[str], place: int) -> str:
        if tokens[place][0].isdigit():
            return draw.choice(VALUES)
        return draw.choice(WORDS) if tokens[place][0].isalpha() else _any(draw)

    return _at_token(lines, draw, other)


def _renumbered(lines: Lines, draw: random.Random) -> Lines:
    """Another number, near or far."""
    text = "\n".join(lines)
    numbers = list(re.finditer(r"\d+(?:\.\d+)?", text))
    if not numbers:
        return lines
    found = draw.choice(numbers)
    new = draw.choice((0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 255, 1000, 65536, 10**6, 2**31, 0.5, 1e-5))
    return f"{text[: found.start()]}{new}{text[found.end() :]}".split("\n")


def _swapped(lines: Lines, draw: random.Random) -> Lines:
    solid = [token for token in TOKEN.findall("\n".join(lines)) if not token.isspace()]
    return _at_token(lines, draw, lambda tokens, place: draw.choice(solid)) if solid else lines


def _inserted(lines: Lines, draw: random.Random) -> Lines:
    blank = draw.choice((" ", " ", "", ", "))
    return _at_token(lines, draw, lambda tokens, place: f"{tokens[place]}{blank}{_any(draw)}")


def _without_token(lines: Lines, draw: random.Random) -> Lines:
    return _at_token(lines, draw, lambda tokens, place: "")


def _without_lines(lines: Lines, draw: random.Random) -> Lines:
    start, end = _piece(lines, draw)
    return lines[:start] + lines[end:]


def _doubled(lines: Lines, draw: random.Random) -> Lines:
    start, end = _piece(lines, draw)
    return lines[:end] + lines[start:end] * draw.choice((1, 1, 1, 2, 7)) + lines[end:]


def _moved(lines: Lines, draw: random.Random) -> Lines:
    start, end = _piece(lines, draw)
    rest = lines[:start] + lines[end:]
    at = draw.randrange(len(rest) + 1)
    return rest[:at] + lines[start:end] + rest[at:]


def _indented(lines: Lines, draw: random.Random) -> Lines:
    start, end = _piece(lines, draw)
    return lines[:start] + _shifted(lines[start:end], draw.choice((-4, -2, -1, 1, 2, 4))) + lines[end:]


def _wrapped(lines: Lines, draw: random.Random) -> Lines:
    start, end = _piece(lines, draw)
    head = " " * _indent(lines[start]) + draw.choice(WRAPS)
    return [*lines[:start], head, *_shifted(lines[start:end], 2), *lines[end:]]


def _crossed(lines: Lines, other: Lines, draw: random.Random) -> Lines:
    """With a piece of another input, in its place's column."""
    start, end = _piece(other, draw)
    at = draw.randrange(len(lines) + 1)
    near = lines[min(at, len(lines) - 1)]
    return [*lines[:at], *_shifted(other[start:end], _indent(near) - _indent(other[start])), *lines[at:]]


def _spliced(lines: Lines, other: Lines, draw: random.Random) -> Lines:
    """The head of this one, the tail of another."""
    return lines[: draw.randrange(len(lines)) + 1] + other[draw.randrange(len(other)) :]
