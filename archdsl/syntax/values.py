"""The few values that stand outside the line's grammar: inputs, formats, names of files."""

from __future__ import annotations

import re
from typing import Any

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.source import Span
from archdsl.syntax import errors, words
from archdsl.syntax.expression import SizeLiteral
from archdsl.syntax.text_range import Text

EXTENDS = "a network that extends another changes its parameters and settings, never its steps"
_SPEC_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_INPUT = re.compile(r"(?:\d{1,9}|[A-Z])(?:x(?:\d{1,9}|[A-Z])){0,3}")


def spec_name(text: Text) -> tuple[str, Text]:
    """The name of another spec, and what follows it."""
    found = _SPEC_NAME.match(text.text)
    if not found:
        raise SpecError(errors.NameExpected(text.all(), what="the name of a spec"))
    return found[0], text.part(found.end())


def name_list(text: Text) -> tuple[str, ...]:
    """`a, b`."""
    names = []
    while True:
        name, text = spec_name(text)
        names.append(name)
        if not text.text:
            return tuple(names)
        if not text.text.startswith(","):
            raise SpecError(errors.Syntax(text.all(), found=f"`{text.text}`", wanted="`,`"))
        text = text.part(1)


def input_size(text: Text) -> SizeLiteral:
    """`3x224x224` or `3xHxW`."""
    written = text.text.strip()
    if not _INPUT.fullmatch(written):
        numbers = re.findall(r"\d+", written)
        spelled = "x".join(numbers) if re.fullmatch(r"[\d\s,;*×X()]+", written) and len(numbers) <= 4 else ""
        why = _no_input(written)
        raise SpecError(errors.InputExpected(text.all(), found=written or "(nothing)", why=why, spelled=spelled))
    return SizeLiteral(tuple(int(side) if side.isdigit() else side for side in written.split("x")), text.all())


def _no_input(written: str) -> str:
    sides = written.split("x")
    if not all(re.fullmatch(r"\d+|[A-Z]", side) for side in sides):
        return "it isn't numbers and capital letters joined by x"
    return f"it has {len(sides)} sizes" if len(sides) > 4 else "sizes have at most nine digits"


def refuse_colon(text: Text) -> None:
    """Raise SpecError for `input: 3x32x32` among the steps: YAML's way to write it, which text takes for a label."""
    word, colon, rest = text.text.partition(":")
    if colon and word.strip() == "input" and _INPUT.fullmatch(rest.strip()):
        raise SpecError(
            errors.Syntax(
                text.span(len(word), len(word) + 1), found="`:`", help_text=f"without a colon: `input {rest.strip()}`"
            )
        )


def format_number(text: Text) -> int:
    """The file's format, not newer than what this reader knows."""
    written = text.text.strip()
    if not written.isdigit() or len(written) > 9:
        raise SpecError(errors.Syntax(text.all(), found=f"`{written}`", wanted="a whole number: format 1"))
    if int(written) > words.FORMAT:
        raise SpecError(errors.NewerFormat(text.all(), format=int(written), known=words.FORMAT))
    return int(written)


# What only a network has.
_NETWORKS = ("layers", "extends", "params", "input", "returns", "preprocess", "train")
_CONTENT = ("lets", "defaults", "inits", "macros", "blocks", "use")


def incomplete(fields: dict[str, Any], where: Span) -> list[Diagnostic]:
    """What a file as a whole lacks: a name where there is a network, layers where there is a name."""
    if fields.get("network") is not None:
        if fields.get("layers") is None and fields.get("extends") is None:
            return [errors.MissingLayers(where, name=fields["network"])]
        return []
    owned = next((key for key in _NETWORKS if fields.get(key)), None)
    if owned is not None:
        return [errors.MissingNetwork(where, key=owned)]
    if not any(fields.get(key) for key in _CONTENT):
        return [errors.EmptyFile(where)]
    return []
