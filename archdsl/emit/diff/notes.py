"""What else is different: how weights are drawn, sections of the spec, which tensors of a checkpoint fit."""

from __future__ import annotations

from collections import Counter

from archdsl.analysis.state import state_dict
from archdsl.emit.diff.changes import Diff, Inside
from archdsl.emit.diff.parts import Body, Part
from archdsl.emit.diff.rows import said
from archdsl.ir import Init

# An op, its weight, and how that is drawn in the one network and in the other.
_Drawn = tuple[str, str, str, str]


def notes(diff: Diff) -> list[tuple[str, str]]:
    """Heading and text of each."""
    told = [("Weights", text) for text in (_keys(diff),) if text]
    told += [("Drawn", _sentence(drawn, count)) for drawn, count in _inits(diff).items()]
    sections = ("train", "preprocess")
    others = [f"`{name}`" for name in sections if getattr(diff.before, name) != getattr(diff.after, name)]
    return [*told, ("Spec", f"other {' and '.join(others)}")] if others else told


def _keys(diff: Diff) -> str:
    """How much of a checkpoint of the first network has a place in the second; nothing where all is as it was."""
    ours, theirs = state_dict(diff.before), state_dict(diff.after)
    if ours is None or theirs is None:
        return ""
    shapes, others = ({key: entry.shape for key, entry in state.items()} for state in (ours, theirs))
    if shapes == others:
        return ""
    kept = sum(others.get(key) == shape for key, shape in shapes.items())
    share = f"all {kept:,}" if kept == len(shapes) else f"{kept:,} of the {len(shapes):,}"
    one, other = diff.before.name, diff.after.name
    return f"{share} tensors of {one} have their key and shape in {other}, which has {len(others):,}"


def _sentence(drawn: _Drawn, count: int) -> str:
    op, weight, before, after = drawn
    return f"{weight} of {op}: {before} -> {after} ({count:,} {'times' if count > 1 else 'time'})"


def _inits(diff: Diff) -> Counter[_Drawn]:
    """What is drawn in another way, and how often."""
    return _Inits().inside(diff.whole)


class _Inits:
    """Counts what is drawn in another way, each pair of scopes once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Counter[_Drawn]] = {}

    def inside(self, inside: Inside) -> Counter[_Drawn]:
        found: Counter[_Drawn] = Counter()
        for change in inside.changes:
            if change.before is None or change.after is None:
                continue
            one = self.inside(change.inner) if change.inner else self._parts(change.before, change.after)
            for drawn, count in one.items():
                found[drawn] += count * min(change.times)
        return found

    def _parts(self, one: Part, other: Part) -> Counter[_Drawn]:
        if one.op is not None and other.op is not None:
            ours, theirs = dict(one.inits), dict(other.inits)
            keys = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
            return Counter((other.op.name, key, _scheme(ours.get(key)), _scheme(theirs.get(key))) for key in keys)
        if one.inner is None or other.inner is None or one.like != other.like:
            return Counter()
        return self._bodies(one.inner, other.inner)

    def _bodies(self, one: Body, other: Body) -> Counter[_Drawn]:
        """Of two scopes with the same structure."""
        key = id(one), id(other)
        if key not in self._known:
            found: Counter[_Drawn] = Counter()
            for part, like in zip(one.parts, other.parts, strict=True):
                for drawn, count in self._parts(part, like).items():
                    found[drawn] += count * part.times
            self._known[key] = found
        return self._known[key]


def _scheme(init: Init | None) -> str:
    if init is None:
        return "PyTorch's own"
    return f"{init.scheme}({', '.join(map(said, init.args))})" if init.args else init.scheme
