"""What is going to be trained, on what and how: decided and checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.analysis.state import state_dict
from archdsl.compiler import Network, load
from archdsl.dims import at
from archdsl.failure import WrongUsage
from archdsl.recipe import Recipe
from archdsl.train.data import Facts, facts, open_data
from archdsl.train.folder import Tuning
from archdsl.train.freezing import frozen

FRESH = Tuning()
CLASSES = "classes"  # the parameter that a network has where it can be for any number of them


class Plan(NamedTuple):
    """A network compiled for a data set, and the recipe.

    spec: as it was asked for. input, params: what it was compiled with. main: the output that is the answer. notes:
    what was adapted, in words. tuning: what it begins with.
    """

    spec: str
    network: Network
    recipe: Recipe
    facts: Facts
    input: str | None
    params: Mapping[str, str]
    main: str
    notes: tuple[str, ...] = ()
    tuning: Tuning = FRESH

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that images get."""
        height, width = (int(at(size, self.network.net.sizes)) for size in self.network.net.input.spatial)
        return height, width


def plan(
    spec: str | Path,
    root: Path,
    *,
    input: str | None = None,
    params: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    download: bool = False,
    plugin: str | None = None,
    tuning: Tuning = FRESH,
) -> Plan:
    """A spec with its recipe, fitted to the data.

    root: the folder that data sets lie in. params: of the network. settings: what overrides the recipe. Where the
    recipe's data isn't there, and `settings` names none, the embedded digits take its place, with their own recipe.
    Raises SpecError, WrongUsage and Failure.
    """
    params, settings = dict(params or {}), dict(settings or {})
    network = load(str(spec), input=input, **params)
    recipe = network.recipe(**settings)
    found = facts(recipe.data, root) if plugin is None else _facts_of_plugin(recipe.data, root, plugin)
    notes: list[str] = []
    if not found.present and "data" not in settings and not download:
        notes += [
            f"{recipe.data}, which the recipe is for, isn't in `{root}`: trained on the embedded digits instead",
            f"for {recipe.data}: archdsl train {spec} --data {recipe.data} --download",
            f"for a folder of images, ImageNet's among them: archdsl train {spec} --data FOLDER",
        ]
        found = facts("digits", root)
    if found.name == "digits" and plugin is None:
        recipe = network.recipe(digits=True, **settings)
    classes = _classes(network, params, found)
    if classes is not None:
        params[CLASSES] = classes
        notes.append(f"{CLASSES} is {classes}, as in {found.name}")
    size = _input(network, recipe, found, asked=input)
    if size is not None:
        notes.append(f"the input is {size}")
    if classes is not None or size is not None:
        network = load(str(spec), input=size or input, **params)
    main = _main(network, found, asked=CLASSES in params and classes is None)
    _check_sides(network, found)
    _check_channels(network, found)
    if (surplus := _surplus(network, found, main)) is not None:
        notes.append(surplus)
    _check_tuning(network, tuning)
    return Plan(str(spec), network, recipe, found, size or input, params, main, tuple(notes), tuning)


def _facts_of_plugin(name: str, root: Path, plugin: str) -> Facts:
    """What is known of a plugin's data, which it has to be opened for."""
    data = open_data(name, root, plugin=plugin)
    return Facts(name, data.channels, data.size, len(data.classes), present=True, download=0, how=f"comes of {plugin}")


def _check_tuning(network: Network, tuning: Tuning) -> None:
    """Raises WrongUsage for what can't be meant."""
    if tuning.head == "new" and tuning.weights is None:
        raise WrongUsage("`--head new` is for weights", help="give them with `--weights FILE`")
    frozen(list(state_dict(network.net) or ()), tuning.freeze)


def _classes(network: Network, params: Mapping[str, str], found: Facts) -> str | None:
    """The number of classes to compile the network for, where it leaves that open and has another."""
    has = dict(network.net.params).get(CLASSES)
    if CLASSES in params or has is None or has == found.classes:
        return None
    return str(found.classes)


def _input(network: Network, recipe: Recipe, found: Facts, *, asked: str | None) -> str | None:
    """The input to compile the network for, where it isn't the one that it has. Raises WrongUsage."""
    shape = network.net.input
    if shape.axes != ("channels", "height", "width"):
        message = f"`{network.name}` takes no images: its input is {shape}"
        raise WrongUsage(message, help="`train` teaches networks to tell what images show")
    if asked is not None and network.net.concrete:
        return None
    sides = recipe.sides or (None if network.net.concrete else found.size)
    if sides is None and not network.net.concrete:
        message = f"`{network.name}` takes images of any size, and those of {found.name} differ in theirs"
        raise WrongUsage(message, help="give the size that they get: `--input 3x224x224`")
    if sides is None or sides == tuple(network.net.at(size) for size in shape.spatial):
        return None
    return f"{shape.channels}x{sides[0]}x{sides[1]}"


def _check_channels(network: Network, found: Facts) -> None:
    channels = network.net.input.channels
    if channels == found.channels or (channels, found.channels) == (3, 1):  # grey three times is a grey picture
        return
    sizes = "x".join(str(network.net.at(size)) for size in network.net.input.spatial)
    message = f"`{network.name}` takes {channels} channels, and the images of {found.name} have {found.channels}"
    raise WrongUsage(message, help=f"`--input {found.channels}x{sizes}`")


def _main(network: Network, found: Facts, *, asked: bool) -> str:
    """The output that has a score for each class. Raises WrongUsage where there is none."""
    net = network.net
    main = next(output for output in net.outputs if not output.result)
    shape = net.scope.shapes[net.scope.results[0]]
    if shape.axes != ("channels",):
        message = f"`{network.name}` gives {shape} for an image, not a score for each class"
        raise WrongUsage(message, help="`train` teaches networks to tell what images show")
    if shape.channels == found.classes:
        return main.name
    assert isinstance(shape.channels, int)
    if asked or shape.channels < found.classes:
        message = f"`{network.name}` has {shape.channels:,} outputs, and {found.name} has {found.classes:,} classes"
        raise WrongUsage(message, help=_way_to_classes(network, found.classes))
    return main.name


def _check_sides(network: Network, found: Facts) -> None:
    """Raises WrongUsage for a side head without a score for each class."""
    net = network.net
    for output in net.outputs:
        shape = net.scope.shapes[net.scope.results[output.result]]
        if output.mode == "eval" or (
            shape.axes == ("channels",) and int(at(shape.channels, net.sizes)) >= found.classes
        ):
            continue
        gives = f"the output `{output.name}` of `{network.name}` gives {shape}"
        message = f"{gives}, not a score for each of {found.classes:,} classes"
        raise WrongUsage(message, help="every output that runs in training takes part in the loss")


def _way_to_classes(network: Network, classes: int) -> str:
    if CLASSES in dict(network.net.params):
        return f"`--set {CLASSES}={classes}`, or leave `--set {CLASSES}` out"
    return f"give the spec's last layer {classes:,} outputs, or a parameter `{CLASSES}`"


def _surplus(network: Network, found: Facts, main: str) -> str | None:
    outputs = network.net.scope.shapes[network.net.scope.results[0]].channels
    if outputs == found.classes:
        return None
    return f"{outputs:,} outputs for {found.classes:,} classes: the rest is never right"
