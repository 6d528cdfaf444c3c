"""A user's own data: a function of theirs, named on the command line, never by a spec."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Subset

from archdsl.failure import Failure, WrongUsage
from archdsl.runtime import images
from archdsl.train.data.folder import Seen
from archdsl.train.data.items import THEIRS, Items, Listed, told
from archdsl.train.data.split import Data

_FORM = "give `--plugin file.py:function` or `--plugin module:function`"
_GIVES = "it takes the folder of the data sets and gives two torch data sets, for training and for the test"
_GLANCES = 16


def open_plugin(name: str, root: Path, plugin: str) -> Data:
    """What the function `module_or_file.py:function` gives. Raises WrongUsage and Failure; runs the user's code."""
    images.check([])
    function = _function(plugin)
    try:
        given = function(root)
    except THEIRS as error:
        raise Failure(f"the plugin `{plugin}` stopped: {told(error)}") from error
    match given:
        case (Listed() as train, Listed() as test):
            classes = _classes(train, plugin)
        case _:
            raise WrongUsage(f"the plugin `{plugin}` gives {type(given).__name__}", help=_GIVES)
    halves = [
        _Plugged(half, f"the plugin's {title} images", len(classes), plugin)
        for half, title in ((train, "training"), (test, "test"))
    ]
    if not all(len(half) for half in halves):
        raise WrongUsage(f"the plugin `{plugin}` gives a half without images")
    seen = glance(halves[0])
    return Data(name, classes, seen.channels, seen.size, *halves)


@dataclass(frozen=True, slots=True, eq=False)
class _Plugged(Items):
    """Those of a plugin, which a process that has to be sent them loads first."""

    plugin: str

    def __reduce__(self) -> Any:
        return _sent, (self.plugin, pickle.dumps((self.dataset, self.title, self.classes)))


def _sent(plugin: str, content: bytes) -> _Plugged:
    _function(plugin)
    dataset, title, classes = pickle.loads(content)
    return _Plugged(dataset, title, classes, plugin)


def glance(items: Items) -> Seen:
    """What some of the images are, evenly among all. Raises Failure."""
    step = max(1, len(items) // _GLANCES)
    seen = [items.size(index) for index in range(0, len(items), step)[:_GLANCES]]
    sizes = {size for size, _ in seen}
    return Seen(max(channels for _, channels in seen), sizes.pop() if len(sizes) == 1 else None)


def _function(plugin: str) -> Callable[[Path], Any]:
    place, colon, name = plugin.rpartition(":")
    if not (place and colon and name.isidentifier()):
        raise WrongUsage(f"`{plugin}` names no function", help=_FORM)
    try:
        module = _of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except THEIRS as error:
        raise WrongUsage(f"the plugin `{plugin}` can't be loaded: {told(error)}", help=_FORM) from error
    function = vars(module).get(name)
    if not callable(function):
        raise WrongUsage(f"the plugin's file has no function `{name}`", help=_FORM)
    found: Callable[[Path], Any] = function
    return found


def _of_file(path: Path) -> Any:
    name = f"archdsl_plugin_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # so that what its classes make can be sent to worker processes
    found.loader.exec_module(module)
    return module


def _classes(train: Any, plugin: str) -> tuple[str, ...]:
    """The names of the classes: the data set's `classes`, as torchvision's have them."""
    while isinstance(train, Subset):
        train = train.dataset
    names = getattr(train, "classes", None)
    if not isinstance(names, (list, tuple)) or not names:
        help = "give it an attribute `classes`, a list of their names in the order of their numbers"
        raise WrongUsage(f"the training images of the plugin `{plugin}` don't name their classes", help=help)
    return tuple(str(one) for one in names)
