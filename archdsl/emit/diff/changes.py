"""What changed between two networks: a tree of parts that are the same, changed, removed or added."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from archdsl.emit.diff.align import align
from archdsl.emit.diff.parts import Body, Numbers, Part, Reader, chained, inlined, settings
from archdsl.emit.labels import telling
from archdsl.ir import Net
from archdsl.shape import Shape

Mark = Literal["same", "changed", "removed", "added"]
OTHERS: tuple[Mark, ...] = ("changed", "removed", "added")


class Word(NamedTuple):
    """One thing that changed: a setting by its name, `times`, `in` (channels), `at` (spatial sizes), ...

    before, after: values of the language, shapes, or text.
    """

    key: str
    before: Any
    after: Any


class Change(NamedTuple):
    """A part of the one network, of the other, or of both.

    times: how many of it are meant, in each. words: what changed about the part itself. inner: what changed inside,
    where that is told one by one. resized: the same but for its sizes, and no more work for it.
    """

    mark: Mark
    before: Part | None
    after: Part | None
    times: tuple[int, int]
    words: tuple[Word, ...] = ()
    inner: Inside | None = None
    resized: bool = False

    @property
    def part(self) -> Part:
        """The part as it is, or was."""
        part = self.after or self.before
        assert part is not None
        return part

    def more(self, quantity: Literal["params", "macs", "training_macs"]) -> Any:
        """By how much the second network has more of it, all of `times` together; symbolic where sizes are."""
        after = getattr(self.after, quantity) * self.times[1] if self.after else 0
        return after - (getattr(self.before, quantity) * self.times[0] if self.before else 0)


class Inside(NamedTuple):
    """The changes between two scopes in order, and the parts that they are told of."""

    changes: tuple[Change, ...]
    before: Series
    after: Series


class Series(NamedTuple):
    """Parts of a scope with the places that its results come from."""

    parts: tuple[Part, ...]
    results: tuple[int, ...]


class Diff(NamedTuple):
    """Two networks and what changed from the first to the second; same: they compute the same in the same layers."""

    before: Net
    after: Net
    whole: Inside
    same: bool

    @property
    def words(self) -> tuple[Word, ...]:
        """What changed about inputs and outputs: shapes, and outputs that are called otherwise, in their order."""
        ours, theirs = _outputs(self.before), _outputs(self.after)
        gone, new = ([name for name in one if name not in other] for one, other in ((ours, theirs), (theirs, ours)))
        pairs: list[tuple[str | None, str | None]] = [(name, name) for name in ours if name in theirs]
        pairs += zip_longest(gone, new)
        told = [Word("input", known(self.before, self.before.input), known(self.after, self.after.input))]
        for name, other in pairs:
            shapes = ours.get(name or ""), theirs.get(other or "")
            if name == other:
                told.append(Word(f"output {name}", *shapes))
            elif shapes[0] == shapes[1]:
                told.append(Word("output", name, other))
            else:
                told.append(Word("output", _shaped(name, shapes[0]), _shaped(other, shapes[1])))
        return tuple(word for word in told if word.before != word.after)


def diff(before: Net, after: Net) -> Diff:
    """What changed from one network to another."""
    numbers = Numbers()
    one, other = (Reader(net, numbers).body() for net in (before, after))
    return Diff(before, after, _Comparison(numbers).inside(one, other), one.same == other.same)


def _outputs(net: Net) -> dict[str, Shape]:
    """The shapes of a network's outputs."""
    return {output.name: known(net, net.scope.shapes[net.scope.results[output.result]]) for output in net.outputs}


def known(net: Net, shape: Shape) -> Shape:
    """A shape at the network's input."""
    return Shape(shape.axes, tuple(map(net.at, shape.sizes)))


def _shaped(name: str | None, shape: Shape | None) -> str | None:
    return None if shape is None else f"{name} {'x'.join(map(str, shape.sizes))}"


class _Comparison:
    """Compares scopes, each pair once."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._known: dict[tuple[int, int], Inside] = {}

    def inside(self, one: Body, other: Body) -> Inside:
        """What changed between two scopes."""
        key = id(one), id(other)
        if key not in self._known:
            self._known[key] = self._compared(one, other)
        return self._known[key]

    def _compared(self, one: Body, other: Body) -> Inside:
        before, after = Series(one.parts, one.results), Series(other.parts, other.results)
        if any(map(chained, before.parts)) != any(map(chained, after.parts)):
            # What is a block here and its ops there is compared op by op.
            before, after = Series(*inlined(*before)), Series(*inlined(*after))
        pairs = align(before.parts, after.parts)
        wires = _Wires(before, after, pairs)
        changes: list[Change] = []
        for i, j in pairs:
            left = None if i is None else before.parts[i]
            right = None if j is None else after.parts[j]
            changes += self._of(left, right, wires.words(i, j))
        return Inside(tuple(changes), before, after)

    def _of(self, one: Part | None, other: Part | None, wires: tuple[Word, ...]) -> Iterator[Change]:
        if one is None or other is None or self._nothing_in_common(one, other):
            if one is not None:
                yield Change("removed", one, None, (one.times, 0))
            if other is not None:
                yield Change("added", None, other, (0, other.times))
            return
        words = (*_about(one, other), *wires)
        if one.same == other.same:
            both = one.times, other.times
            words = (*words, *((Word("times", *both),) if one.times != other.times else ()))
            yield Change("changed" if words else "same", one, other, both, words)
            return
        count = min(one.times, other.times)
        yield self._changed(one, other, count, words)
        if one.times > count:
            yield Change("removed", one, None, (one.times - count, 0))
        if other.times > count:
            yield Change("added", None, other, (0, other.times - count))

    def _nothing_in_common(self, one: Part, other: Part) -> bool:
        """Whether all that is inside one is gone, and all inside the other new."""
        if one.inner is None or other.inner is None or one.like == other.like or one.bare != other.bare:
            return False
        changes = self.inside(one.inner, other.inner).changes
        return all(change.before is None or change.after is None for change in changes)

    def _changed(self, one: Part, other: Part, count: int, words: tuple[Word, ...]) -> Change:
        both = count, count
        if one.like == other.like:
            sizes = (*words, *_sizes(one, other))
            change = Change("changed", one, other, both, sizes)
            costs = [change.more("params"), change.more("macs"), change.more("training_macs")]
            if not words and all(isinstance(cost, int) and not cost for cost in costs):
                return change._replace(mark="same", resized=True)
            return change
        if one.op is not None and other.op is not None:
            return Change("changed", one, other, both, (*_settings(one, other), *words, *_sizes(one, other)))
        if one.inner is not None and other.inner is not None and one.bare == other.bare:
            inside = self.inside(one.inner, other.inner)
            if all(change.mark == "same" for change in inside.changes):  # its results alone come from elsewhere
                results = (_names(inside.before, inside.before.results), _names(inside.after, inside.after.results))
                words = (*words, Word("gives", *results))
            return Change("changed", one, other, both, words, inside)
        return Change("changed", one, other, both, (Word("", one.what, other.what), *words))


def _about(one: Part, other: Part) -> Iterator[Word]:
    """What changed about a part as a whole: its name, when it runs."""
    plain = "." not in f"{one.name}{other.name}" and one.times == other.times
    if one.name != other.name and telling(one.name) and telling(other.name) and plain:
        yield Word("name", one.name, other.name)
    if one.mode != other.mode:
        yield Word("mode", one.mode, other.mode)
    if one.unused != other.unused:
        yield Word("unused", one.unused, other.unused)


def _settings(one: Part, other: Part) -> Iterator[Word]:
    assert one.op is not None
    assert other.op is not None
    if one.op.name != other.op.name:
        yield Word("", one.what, other.what)
        return
    ours, theirs = settings(one.op), settings(other.op)
    pairs = {key: (getattr(one.op, key), getattr(other.op, key)) for key in ours if ours[key] != theirs[key]}
    words = [Word(key, *pair) for key, pair in pairs.items()]
    if any(None in (word.before, word.after) for word in words):  # `none` isn't what one would write
        yield Word("", one.what, other.what)
    else:
        yield from words


def _sizes(one: Part, other: Part) -> Iterator[Word]:
    """What changed about what enters a part; of its output what no setting tells."""
    if len(one.inputs) != len(other.inputs):
        yield Word("inputs", len(one.inputs), len(other.inputs))
        return
    for left, right in dict.fromkeys(zip(one.inputs, other.inputs, strict=True)):
        if left == right:
            continue
        if left.axes != right.axes or "channels" not in left.axes:
            yield Word("input", left, right)
            continue
        if left.channels != right.channels:
            yield Word("in", left.channels, right.channels)
        rest = [Shape(("positions",), _positions(shape)) for shape in (left, right)]
        if rest[0] != rest[1]:
            yield Word("at", *rest)


def _positions(shape: Shape) -> tuple[Any, ...]:
    return tuple(size for axis, size in zip(shape.axes, shape.sizes, strict=True) if axis != "channels")


class _Wires:
    """Whether paired parts still read what they read before; what was put in or taken out between is looked through."""

    def __init__(self, before: Series, after: Series, pairs: list[tuple[int | None, int | None]]) -> None:
        self._before, self._after = before, after
        self._kept = {i: j for i, j in pairs if i is not None and j is not None}
        self._taken = set(self._kept.values())

    def words(self, i: int | None, j: int | None) -> tuple[Word, ...]:
        """What two paired parts read, where that isn't the same."""
        if i is None or j is None:
            return ()
        one, other = self._before.parts[i], self._after.parts[j]
        if len(one.sources) != len(other.sources):
            return ()  # told as their number
        left = [self._kept.get(source, source) for source in map(self._seen_before, one.sources)]
        right = [self._seen_after(source) for source in other.sources]
        if left == right:
            return ()
        names = [_names(self._before, one.sources), _names(self._after, other.sources)]
        return (Word("from", *names),) if names[0] != names[1] else ()

    def _seen_before(self, source: int) -> int:
        while source >= 0 and source not in self._kept:
            source = self._before.parts[source].sources[0]
        return source

    def _seen_after(self, source: int) -> int:
        while source >= 0 and source not in self._taken:
            source = self._after.parts[source].sources[0]
        return source


def _names(series: Series, sources: tuple[int, ...]) -> str:
    return ", ".join("the input" if source < 0 else title(series.parts[source]) for source in sources)


def title(part: Part) -> str:
    """A part's name, or what it is where it has none of its own."""
    if named(part):
        return part.name
    return part.op.name if part.op else part.what


def named(part: Part) -> bool:
    """Whether a part has a name in the text, a number among others, as its weights' keys do."""
    return bool(part.name) and not part.name.rpartition(".")[2].startswith("~")
