"""Whether a weights file fits a network, as a person reads it: what is wrong where, whole parts in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from archdsl.analysis.fit import Differing, Fit, Held
from archdsl.analysis.state import Entry
from archdsl.suggest import did_you_mean

_ROWS = 12  # of each kind; below that, whole parts are told instead
_WIDTH = 79
_EVERYTHING = "everything"


def told(fit: Fit) -> str:
    """What was done with a file that fits, a line each; empty where it fits as it is."""
    lines = []
    if fit.fresh:
        layers = dict.fromkeys(key.rpartition(".")[0] for key in fit.fresh)
        lines.append(f"drawn anew: {', '.join(layers)} ({_count(len(fit.fresh), 'tensor')})")
    if fit.wrapper:
        lines.append(f"`{fit.wrapper}` in front of every name is left out")
    if fit.old:
        lines.append(f"{_count(fit.old, 'old name')} of torchvision's read as today's")
    lines += [f"{theirs} in the file, {ours} in the network" for theirs, ours in fit.dtypes]
    if fit.counters:
        lines.append(f"{_count(len(fit.counters), 'counter')} `num_batches_tracked` not in the file: they start at 0")
    if fit.spare:
        parts = dict.fromkeys(f"{key.partition('.')[0]}.*" for key in fit.spare)
        lines.append(f"not needed here: {', '.join(parts)} ({_count(len(fit.spare), 'tensor')})")
    return "\n".join(f"  {line}" for line in lines)


def misfit(fit: Fit, expected: Mapping[str, Entry], held: Mapping[str, Held]) -> str:
    """What doesn't fit, in tables of few lines that are at most 79 columns wide."""
    names = _names(fit, held)
    parts = []
    if fit.missing:
        hints = _Hints(fit, expected, names)
        parts.append(_table("not in the file", fit.missing, expected, expected, hints))
    if fit.unexpected:
        parts.append(_table("not in the network", fit.unexpected, names, names, None))
    if fit.reshaped:
        parts.append(_comparison("of another shape", fit.reshaped, expected, _shapes))
    if fit.retyped:
        parts.append(_comparison("of another type", fit.retyped, expected, _types))
    return "\n".join(parts)


def _names(fit: Fit, held: Mapping[str, Held]) -> dict[str, Held]:
    """The file's tensors by the names that the network would have for them."""
    ours = {theirs: key for key, theirs in fit.taken.items()}
    return {ours.get(theirs, theirs.removeprefix(fit.wrapper)): one for theirs, one in held.items()}


def _table(
    what: str, keys: Sequence[str], of: Collection[str], shapes: Mapping[str, Entry | Held], hints: _Hints | None
) -> str:
    lines = [f"  {what}: {_count(len(keys), 'tensor')}"]
    rows = _rows(keys, of, _ROWS)
    width = _name_width(rows, 22)
    for name, inside in _shown(rows):
        lines.append(f"    {_cut(name, width):<{width}}  {_amount(name, inside, of, shapes)}".rstrip())
        hint = hints.of(name, inside) if hints else ""
        lines += [f"      {hint}"] if hint else []
    return _closed(lines, rows)


def _comparison(
    what: str, differing: Sequence[Differing], of: Collection[str], pair: Callable[[Differing], tuple[str, str]]
) -> str:
    found = {one.key: one for one in differing}
    rows = _rows(tuple(found), of, _ROWS)
    shown = list(_shown(rows))
    # Of a whole part the first tensor stands for all.
    first = [pair(found[inside[0]]) for _, inside in shown]
    left = max(len("network"), *(len(ours) for ours, _ in first))
    right = max(len("file"), *(len(theirs) for _, theirs in first))
    width = _name_width(rows, left + right + 2)
    heading = f"  {what}: {_count(len(differing), 'tensor')}"
    lines = [f"{heading:<{width + 4}}  {'network':<{left}}  file"]
    for (name, inside), (ours, theirs) in zip(shown, first, strict=True):
        if len(inside) > 1:
            lines.append(f"    {_cut(name, width)}: {_some(name, inside, of)}, such as")
            name = f"  {inside[0]}"
        lines.append(f"    {_cut(name, width):<{width}}  {ours:<{left}}  {theirs}")
    return _closed(lines, rows)


def _shapes(one: Differing) -> tuple[str, str]:
    return _sides(one.ours.shape), _sides(one.theirs.shape)


def _types(one: Differing) -> tuple[str, str]:
    return one.ours.dtype, one.theirs.dtype


def _rows(keys: Sequence[str], of: Collection[str], limit: int) -> dict[str, list[str]]:
    """The keys in groups, `layer3.*` for all below a name: as deep as possible with at most `limit` groups.

    of: all keys there are. What lies wholly in `keys` is one group at any depth.
    """
    totals: dict[str, int] = {}
    for key in of:
        for prefix in _prefixes(key):
            totals[prefix] = totals.get(prefix, 0) + 1
    counts: dict[str, int] = {}
    for key in keys:
        for prefix in _prefixes(key):
            counts[prefix] = counts.get(prefix, 0) + 1
    rows: dict[str, list[str]] = {}
    for depth in range(max(key.count(".") for key in keys) + 1, 0, -1):
        rows = {}
        for key in keys:
            levels = _prefixes(key)
            whole = next((prefix for prefix in levels if counts[prefix] == totals[prefix]), key)
            place = min(whole, levels[depth], key=len) if depth < len(levels) else whole
            rows.setdefault(place, []).append(key)
        if len(rows) <= limit:
            break
    return {_title(place, inside): inside for place, inside in rows.items()}


def _title(place: str, inside: Sequence[str]) -> str:
    if len(inside) == 1:
        return inside[0]
    return f"{place}.*" if place else _EVERYTHING


def _prefixes(key: str) -> list[str]:
    """`["", "layer1", "layer1.0"]` of `layer1.0.weight`."""
    levels = key.split(".")
    return ["", *(".".join(levels[:k]) for k in range(1, len(levels)))]


def _shown(rows: Mapping[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """The rows, the first of them where names without levels make too many."""
    yield from list(rows.items())[: 2 * _ROWS]


def _closed(lines: list[str], rows: Mapping[str, list[str]]) -> str:
    more = len(rows) - 2 * _ROWS
    return "\n".join([*lines, *([f"    and {more:,} more"] if more > 0 else [])])


def _amount(name: str, inside: Sequence[str], of: Collection[str], shapes: Mapping[str, Entry | Held]) -> str:
    return _sides(shapes[name].shape) if len(inside) == 1 else _some(name, inside, of)


def _some(name: str, inside: Sequence[str], of: Collection[str]) -> str:
    prefix = "" if name == _EVERYTHING else name.removesuffix("*")
    total = sum(key.startswith(prefix) for key in of)
    return _count(total, "tensor") if total == len(inside) else f"{len(inside):,} of {_count(total, 'tensor')}"


class _Hints:
    """What the file has in place of something that it lacks: the same tensors under another name."""

    def __init__(self, fit: Fit, expected: Mapping[str, Entry], names: Mapping[str, Held]) -> None:
        self._expected = expected
        self._unexpected = {key: names[key].shape for key in fit.unexpected}
        self._below: dict[str, dict[str, tuple[int, ...]]] = {}
        for key, shape in self._unexpected.items():
            for prefix in _prefixes(key):
                self._below.setdefault(prefix, {})[key[len(prefix) :].removeprefix(".")] = shape

    def of(self, name: str, inside: Sequence[str]) -> str:
        """`the file has it as ...`, empty where nothing is near."""
        if len(inside) == 1:
            shape = self._expected[name].shape
            alike = [key for key, other in self._unexpected.items() if other == shape]
            near = did_you_mean(name, alike)
            return f"the file has `{near}`" if near else ""
        place = "" if name == _EVERYTHING else name.removesuffix(".*")
        wanted = {key[len(place) :].removeprefix("."): self._expected[key].shape for key in inside}
        same = [prefix for prefix, below in self._below.items() if below == wanted]
        if len(same) != 1:
            return ""
        return f"the file has the same tensors under `{same[0]}.`" if same[0] else "the file has just these"


def _name_width(rows: Mapping[str, list[str]], beside: int) -> int:
    longest = max(len(name) + 2 * (len(inside) > 1) for name, inside in rows.items())
    longest = max(longest, *(len(inside[0]) + 2 for inside in rows.values() if len(inside) > 1), 0)
    return max(20, min(longest, _WIDTH - 6 - beside))


def _cut(name: str, width: int) -> str:
    """A long name without its middle."""
    if len(name) <= width:
        return name
    return f"{name[: width // 3]}...{name[-(width - width // 3 - 3) :]}"


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1 number"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
