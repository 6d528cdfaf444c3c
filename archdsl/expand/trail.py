"""The sizes that led to a map too small for its window, `28 -> 14 -> 7 -> 4`, and the step that took most of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.expand import op_errors
from archdsl.expand.builder import Builder
from archdsl.expand.environment import Env
from archdsl.expand.sizes import known
from archdsl.ir import CallStep, OpStep, Step
from archdsl.shape import Shape
from archdsl.source import Span

# A step that leaves less than this of a side is shown: two halvings at once are usual in a network's first layers.
_MUCH = 4


class _Change(NamedTuple):
    """What a step made of the sizes before it."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    span: Span
    name: str


def along_the_way(error: SpecError, env: Env) -> SpecError:
    """The error with the sizes from the network's input on, where it is about a window that doesn't fit."""
    return SpecError(*(_told(diagnostic, env) for diagnostic in error.diagnostics))


def _told(diagnostic: Diagnostic, env: Env) -> Diagnostic:
    if not isinstance(diagnostic, op_errors.WindowTooLarge):
        return diagnostic
    changes = [change for change in _changes(env.builder, env.session.sizes) if change.before != change.after][::-1]
    if not changes:
        return diagnostic
    sizes = [changes[0].before, *(change.after for change in changes)]
    told = f"{diagnostic.values['got']}, on the way {' -> '.join(map(_spell, sizes))}"
    notes = [
        Note(change.span, f"`{change.name}` makes {_spell(change.after)} of {_spell(change.before)} here")
        for change in changes
        if any(a * _MUCH < b for a, b in zip(change.after, change.before, strict=True))
    ]
    kind = type(diagnostic)
    return kind(
        diagnostic.span, path=diagnostic.path, notes=diagnostic.notes, **{**diagnostic.values, "got": told}
    ).with_notes(*notes)


def _changes(builder: Builder | None, sizes: Mapping[str, int]) -> Iterator[_Change]:
    """What the steps before this place did to the map that is here, the last first."""
    while builder is not None:
        yield from _back(builder.steps, builder.shapes, builder.current, sizes)
        builder = builder.caller


def _back(steps: Sequence[Step], shapes: Sequence[Shape], value: int, sizes: Mapping[str, int]) -> Iterator[_Change]:
    """The same from one value of a scope back to what enters it, inner scopes step by step."""
    made = {output: step for step in steps for output in step.outputs}
    while value in made:
        step = made[value]
        before, after = _spatial(shapes[step.inputs[0]], sizes), _spatial(shapes[value], sizes)
        if len(before) != len(after) or not before:
            return
        if isinstance(step, CallStep) and value == step.outputs[0]:
            yield from _back(step.scope.steps, step.scope.shapes, step.scope.results[0], sizes)
        else:
            yield _Change(before, after, step.span, _name(step))
        value = step.inputs[0]


def _name(step: Step) -> str:
    return step.op.name if isinstance(step, OpStep) else step.scope.name


def _spatial(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The spatial sizes as numbers; empty where one is open."""
    found = tuple(known(size, sizes) for size in shape.spatial)
    return tuple(size for size in found if size is not None) if None not in found else ()


def _spell(sizes: tuple[int, ...]) -> str:
    """`28` for a square or a signal, else `28x14`."""
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))
