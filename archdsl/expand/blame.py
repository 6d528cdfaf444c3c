"""Mistakes that a value from outside brings about: told at that value, not in the file that it was given to.

A network that is right by itself and wrong with one of the values that an extending file or the command line gives to
its parameters is wrong by that value. Which one it is, is found by leaving them out one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.expand.files import Chain
from archdsl.expand.values import Given
from archdsl.source import Span

# Each value left out is an expansion of its own.
_MOST = 20


class _Without(NamedTuple):
    """What is left where one value isn't given, and where that was written."""

    span: Span
    chain: Chain
    given: Mapping[str, Any]


def at_its_value(
    error: SpecError, chain: Chain, given: Mapping[str, Any], attempt: Callable[[Chain, Mapping[str, Any]], object]
) -> SpecError:
    """The error, moved to the value without which it doesn't occur; as it was where no single value is to blame."""
    base = chain.base.span.source.name
    if any(diagnostic.span.source.name != base for diagnostic in error.diagnostics):
        return error
    for count, (span, without, rest) in enumerate(_all_but_one(chain, given)):
        if count == _MOST:
            break
        try:
            attempt(without, rest)
        except SpecError as other:
            if any(_alike(one, diagnostic) for one in other.diagnostics for diagnostic in error.diagnostics):
                continue
        return SpecError(*(_moved(diagnostic, span) for diagnostic in error.diagnostics))
    return error


def _alike(one: Diagnostic, other: Diagnostic) -> bool:
    return (type(one), one.span) == (type(other), other.span)


def _all_but_one(chain: Chain, given: Mapping[str, Any]) -> Iterator[_Without]:
    for name, value in given.items():
        if isinstance(value, Given):
            yield _Without(value.span, chain, {key: one for key, one in given.items() if key != name})
    for position, spec in enumerate(chain.specs[:-1]):
        for param in spec.params:
            rest = spec.model_copy(update={"params": tuple(one for one in spec.params if one is not param)})
            specs = (*chain.specs[:position], rest, *chain.specs[position + 1 :])
            yield _Without(param.span, Chain(specs), given)


def _moved(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    """At the value; of a long one, at the item that a note tells."""
    notes = (note.span for note in diagnostic.notes if note.span.source.name == span.source.name)
    item = next((note for note in notes if span.line <= note.line and note.end_line <= span.end_line), span)
    return diagnostic.moved(item, Note(diagnostic.span, "it goes wrong here"))
