"""From a spec's `train` section, and what the command line sets, to a recipe; mistakes are told where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, get_origin

from pydantic import BaseModel, ValidationError

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.expand.errors import BadValue, UnknownSetting
from archdsl.expand.values import Given, show
from archdsl.recipe.model import DIGITS, Recipe
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.limits import DIAGNOSTICS
from archdsl.syntax.spec import Entry, Spec

Path = tuple[str, ...]


class Place(NamedTuple):
    """Where a setting stands."""

    name: Span
    value: Span


# What stays of a spec's recipe where the digits, with a recipe of their own, take the place of its data.
_OF_ANY_DATA = ("loss", "size")


def recipe_of(
    section: Mapping[str, Any],
    specs: tuple[Spec, ...],
    given: Mapping[Path, Given] | None = None,
    *,
    digits: bool = False,
) -> Recipe:
    """The recipe of a network.

    section: the values of `train`. specs: the files it comes from, the one that was asked for first. given: what
    overrides it, by path: ("augment", "flip"). digits: the recipe for the embedded digits, unless the section is for
    them. Raises SpecError.
    """
    spans = _spans(specs)
    values = dict(section)
    if digits and values.get("data", "digits") != "digits":
        values = {**DIGITS, **{key: values[key] for key in _OF_ANY_DATA if key in values}}
    for path, item in (given or {}).items():
        _put(values, path, item.value)
        spans[path] = Place(item.span, item.span)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        last = [specs[0].span, *(place.name for path, place in spans.items() if len(path) == 1)][-1]
        raise SpecError(*islice(_diagnostics(error, values, spans, last), DIAGNOSTICS)) from None


def _put(values: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        inner = values.get(key)
        values[key] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[key]
    values[path[-1]] = value


def _spans(specs: tuple[Spec, ...]) -> dict[Path, Place]:
    """Where each setting stands, name and value; of several files the one nearest to what was asked for."""
    found: dict[Path, Place] = {}
    for spec in reversed(specs):
        if spec.train is not None:
            found.update(_inside(spec.train.entries, ()))
    return found


def _inside(entries: tuple[Entry, ...], above: Path) -> Iterator[tuple[Path, Place]]:
    for entry in entries:
        path = (*above, entry.key)
        yield path, Place(entry.span.word(entry.key), entry.span if entry.value is None else entry.value.span)
        yield from _inside(entry.entries, path)


def _diagnostics(
    error: ValidationError, values: Mapping[str, Any], spans: Mapping[Path, Place], otherwise: Span
) -> Iterator[Diagnostic]:
    told = set()
    for one in error.errors():
        path = tuple(str(part) for part in one["loc"] if isinstance(part, str) and _is_key(part, values))
        places = [spans[path[:n]] for n in range(len(path), 0, -1) if path[:n] in spans]
        unknown = one["type"] == "extra_forbidden"
        place = otherwise if not places else places[0].name if unknown else places[0].value
        if place in told:  # a value of one of two types has a mistake for each
            continue
        told.add(place)
        if unknown:
            yield _unknown(place, path)
            continue
        expected = _expected(one["msg"])
        name = ".".join(path)
        what = f"`{name}` of `train` can't be that" if name else "these settings of `train` don't agree"
        value = _at(values, path) if path else None
        near = did_you_mean(value, re.findall("`(\\w+)`", expected)) if isinstance(value, str) else None
        help = f"did you mean `{near}`?" if near else ""
        yield BadValue(place, what=what, expected=expected, got=show(value) if path else "", help=help)


# pydantic's words, where this language has others.
_WORDS = {
    "Value error, ": "",
    "Input should be ": "",
    "a valid number": "a number",
    "a valid integer": "a whole number",
    "a valid boolean": "yes or no",
    "a valid string": "a name",
    "a valid tuple": "a list",
    "a valid dictionary or instance of Augment": "settings of its own",
    "a valid dictionary": "settings of its own",
    "'": "`",
}


def _expected(message: str) -> str:
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message


def _is_key(part: str, values: Mapping[str, Any]) -> bool:
    """Whether a part of a location is a setting's name, and not pydantic's for one of a type's alternatives."""
    return (
        part in Recipe.model_fields
        or part in _NESTED
        or any(isinstance(value, Mapping) and part in value for value in (values, *values.values()))
    )


def _at(values: Mapping[str, Any], path: Path) -> Any:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else found
    return found


def _unknown(place: Span, path: Path) -> Diagnostic:
    callee = ".".join(("train", *path[:-1]))
    known = tuple(_NESTED if len(path) > 1 else Recipe.model_fields)
    near = did_you_mean(path[-1], known)
    help = f"did you mean `{near}`?" if near else "see docs/train.md"
    return UnknownSetting(place, callee=callee, name=path[-1], known=", ".join(known), help=help)


def _models() -> Iterator[type[BaseModel]]:
    for field in Recipe.model_fields.values():
        kind = field.annotation
        if get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


_NESTED = tuple(name for kind in _models() for name in kind.model_fields)
