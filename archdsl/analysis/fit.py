"""How the tensors of a weights file fit the state of a network: by name, shape and kind of number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from archdsl.analysis.state import Entry

Head = Literal["keep", "new"]

# What PyTorch's own wrappers put in front of every name: DataParallel and DistributedDataParallel, torch.compile.
WRAPPERS = ("module.", "_orig_mod.")
# Names that torchvision's published files have from earlier days, and today's; its own modules turn them too
# (torchvision/models/densenet.py, vision_transformer.py).
_OLD = (
    (re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\.(?:weight|bias|running_mean|running_var))"), r"\1\2"),
    (re.compile(r"(.*encoder_layer_\d+\.mlp)\.linear_1\.(weight|bias)"), r"\1.0.\2"),
    (re.compile(r"(.*encoder_layer_\d+\.mlp)\.linear_2\.(weight|bias)"), r"\1.3.\2"),
)
# Files from before PyTorch 0.4.1 lack this counter; torch's batch norm lets it start at 0 as well.
_COUNTER = "num_batches_tracked"


class Held(NamedTuple):
    """One tensor of the file."""

    shape: tuple[int, ...]
    dtype: str


class Differing(NamedTuple):
    """A tensor that both have, and that isn't the same in the two."""

    key: str
    ours: Entry
    theirs: Held


class Fit(NamedTuple):
    """What of a file goes where.

    taken: the network's key -> the file's. missing: keys of the network. unexpected: keys of the file, by the names
        that the network would have for them.
    retyped: whole numbers where the network has fractions, or the other way round.
    spare: keys of the file that belong to parts of the spec which this network doesn't build.
    counters: keys that the file lacks and that start at 0. fresh: keys of the new head.
    wrapper: what stood in front of every name in the file. old: how many names were torchvision's old ones.
    dtypes: pairs (the file's, the network's) of kinds of numbers that are converted.
    """

    taken: Mapping[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[Differing, ...]
    retyped: tuple[Differing, ...]
    spare: tuple[str, ...]
    counters: tuple[str, ...]
    fresh: tuple[str, ...]
    wrapper: str
    old: int
    dtypes: tuple[tuple[str, str], ...]

    @property
    def good(self) -> bool:
        """Nothing is left to complain about."""
        return not (self.missing or self.unexpected or self.reshaped or self.retyped)


def fit(expected: Mapping[str, Entry], held: Mapping[str, Held], spare: Callable[[str], bool]) -> Fit:
    """Compares a network's state with a file's.

    spare: whether a key that the network lacks may be in the file all the same. Names are compared as they are, but for
    what means the same for sure: `WRAPPERS`, torchvision's old names, and no `num_batches_tracked`.
    """
    wrapper = _wrapper(expected, held)
    names, old = {}, 0
    for theirs in held:
        key = theirs.removeprefix(wrapper)
        new = key if key in expected else _renamed(key)
        renamed = new != key and new in expected and wrapper + new not in held
        old += renamed
        names[new if renamed else key] = theirs
    common = [Differing(key, entry, held[names[key]]) for key, entry in expected.items() if key in names]
    reshaped = tuple([one for one in common if one.ours.shape != one.theirs.shape])
    alike = [one for one in common if one.ours.shape == one.theirs.shape]
    retyped = tuple([one for one in alike if _kind(one.ours.dtype) != _kind(one.theirs.dtype)])
    wrong = {one.key for one in (*reshaped, *retyped)}
    lacking = [key for key in expected if key not in names]
    # Of a layer that the file has nothing of, the counter is missing as all else is.
    counters = {key: None for key in lacking if _is_counter(key) and _beside(key) in names}
    surplus = [key for key in names if key not in expected]
    changed = dict.fromkeys((one.theirs.dtype, one.ours.dtype) for one in common if one.key not in wrong)
    return Fit(
        taken={one.key: names[one.key] for one in common if one.key not in wrong},
        missing=tuple([key for key in lacking if key not in counters]),
        unexpected=tuple([key for key in surplus if not spare(key)]),
        reshaped=reshaped,
        retyped=retyped,
        spare=tuple([key for key in surplus if spare(key)]),
        counters=tuple(counters),
        fresh=(),
        wrapper=wrapper,
        old=old,
        dtypes=tuple([(theirs, ours) for theirs, ours in changed if theirs != ours]),
    )


def head_of(fit: Fit, classes: frozenset[int]) -> tuple[str, ...]:
    """The layers that make the network's classes, where nothing but the number of classes differs; else none.

    classes: the channels of the network's outputs. A layer belongs to the head if its output channels, the first axis
    of its weights, are the classes of the network in the network and another number, the same for all, in the file.
    Since no layer differs in its input, nothing behind these layers was made for the other number.
    """
    if not fit.reshaped or fit.missing or fit.unexpected or fit.retyped:
        return ()
    pairs = {(one.ours.shape[:1], one.theirs.shape[:1]) for one in fit.reshaped}
    same_input = all(one.ours.shape[1:] == one.theirs.shape[1:] and one.theirs.shape for one in fit.reshaped)
    ours = fit.reshaped[0].ours.shape[:1]
    if len(pairs) > 1 or not same_input or not classes.intersection(ours):
        return ()
    return tuple(dict.fromkeys(one.key.rpartition(".")[0] for one in fit.reshaped))


def with_new_head(fit: Fit, layers: tuple[str, ...]) -> Fit:
    """The fit in which these layers are drawn anew, whatever the file has for them."""
    known = (*fit.taken, *fit.counters, *(one.key for one in fit.reshaped))
    fresh = tuple(key for key in known if key.rpartition(".")[0] in layers)
    taken = {key: theirs for key, theirs in fit.taken.items() if key not in fresh}
    counters = tuple(key for key in fit.counters if key not in fresh)
    return fit._replace(taken=taken, counters=tuple(counters), reshaped=(), fresh=fresh)


def _wrapper(expected: Mapping[str, Entry], held: Mapping[str, Held]) -> str:
    """What wrappers put in front of every name of the file, where the network has no such name itself."""
    found = ""
    while True:
        for wrapper in WRAPPERS:
            if held and all(key.startswith(found + wrapper) for key in held):
                break
        else:
            return found
        if any(key.startswith(wrapper) for key in expected):
            return found
        found += wrapper


def _renamed(key: str) -> str:
    """Today's name for an old one."""
    for pattern, today in _OLD:
        if found := pattern.fullmatch(key):
            return found.expand(today)
    return key


def _is_counter(key: str) -> bool:
    return key.rpartition(".")[2] == _COUNTER


def _beside(counter: str) -> str:
    return counter.removesuffix(_COUNTER) + "running_mean"


def _kind(dtype: str) -> str:
    """`float` for float32, bfloat16 and float16: within a kind numbers can be converted."""
    return dtype.removeprefix("b").removeprefix("u").rstrip("0123456789") if dtype != "bool" else dtype
