"""What was trained: the network of a run as it was, its weights, and what it makes of images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl import library
from archdsl.compiler import Network, load
from archdsl.dims import at
from archdsl.failure import WrongUsage
from archdsl.ir import Net
from archdsl.train.folder import SPEC, WEIGHTS, About, RunFolder

if TYPE_CHECKING:
    from archdsl.runtime.preprocess import Preprocess
    from archdsl.train.data import Getting

KEPT = ("plugin", "test_share", "skip_corrupt")  # of a Getting


class Trained(NamedTuple):
    """A network with the weights that it has learned.

    images: what they go through. classes: their names, in the order of the main output's scores.
    """

    folder: RunFolder
    about: About
    network: Network
    weights: Path
    images: Preprocess
    classes: tuple[str, ...]


class Ready(NamedTuple):
    """What a SPEC argument means: a network, its weights if there are any, what images go through.

    classes: their names, where they are known.
    """

    network: Network
    weights: str | Path | None
    images: Preprocess
    classes: tuple[str, ...] | None


def ready(spec: str, *, weights: str | None, input: str | None, params: Mapping[str, str]) -> Ready:
    """A spec's network with a file of weights, or that of a run. Raises SpecError, WrongUsage."""
    folder = run_of(spec)
    if folder is None:
        from archdsl.runtime import preprocess

        network = load(spec, input=input, **params)
        return Ready(network, weights, preprocess.of(network.net), None)
    found = trained(folder, input=input, params=params)
    return Ready(found.network, weights or found.weights, found.images, found.classes)


def run_of(spec: str) -> RunFolder | None:
    """The run that a SPEC argument means: a folder, unless a shipped network has its name. None for a spec."""
    path = Path(spec)
    if not path.is_dir() or (path.name == spec and spec in library.shipped()):
        return None
    return RunFolder(path)


def trained(folder: RunFolder, *, input: str | None = None, params: Mapping[str, str] | None = None) -> Trained:
    """What came of a run. input: another size of images than it was trained with.

    params: none, for a run has its own. Raises WrongUsage where the folder is no run or its network isn't what it was,
    and before its end.
    """
    if params:
        message = f"`{folder.path}` is a run: its parameters are what they were"
        raise WrongUsage(message, help="leave `--set` out, or give the spec and `--weights`")
    about = folder.about()
    network = reload(folder, about, input=input)
    weights = folder / WEIGHTS
    if not weights.exists():
        message = f"`{folder.path}` isn't finished: it has no `{WEIGHTS}` yet"
        help = f"`archdsl train {about.network} --folder {folder.path} --resume` goes on with it"
        raise WrongUsage(message, help=help)
    names = names_of(network.net, about.classes)
    return Trained(folder, about, network, weights, images_of(network.net), names)


def reload(folder: RunFolder, about: About, *, input: str | None = None) -> Network:
    """The network of a run, for another size if one is given. Raises WrongUsage where it isn't what it was."""
    spec = folder / SPEC / about.spec
    network = load(spec, input=about.input, **about.params)
    if digest(network) != about.source:
        message = f"`{spec}` is another network than the one that was trained"
        raise WrongUsage(message, help=f"it was trained with archdsl {about.versions['archdsl']}")
    return network if input is None else load(spec, input=input, **about.params)


def getting_of(about: About, now: Getting) -> Getting:
    """How a run's data is had again, below its own root where none is given.

    Raises WrongUsage where it is asked for in another way.
    """
    from archdsl.train.data import ROOT

    now = now.lasting()
    for name in KEPT:
        asked, had = now._asdict()[name], about.getting[name]
        if asked and asked != had:
            option = name.replace("_", "-")
            message = f"the run was begun with another `--{option}`: {had or 'none'}, not {asked}"
            raise WrongUsage(message, help=f"leave `--{option}` out")
    root = Path(about.root) if now.root == ROOT else now.root
    return now._replace(root=root, **about.getting)


def digest(network: Network) -> str:
    """Tells networks apart that compute something else."""
    return hashlib.sha256(network.source.encode()).hexdigest()


def images_of(net: Net) -> Preprocess:
    """What a network's images go through, in training too: its `preprocess`, for the size that it was compiled for.

    At another size than the section's crop, the short side becomes that of the network's input; with another number of
    channels than its mean and std have, values stay from 0 to 1. Raises WrongUsage.
    """
    from archdsl.runtime import preprocess

    section = net.preprocess
    other: set[str] = set()
    if net.concrete and "crop" in section and {at(size, net.sizes) for size in net.input.spatial} != {section["crop"]}:
        other |= {"resize", "crop"}
    if any(isinstance(section.get(key), tuple) and len(section[key]) != net.input.channels for key in ("mean", "std")):
        other |= {"mean", "std"}
    return preprocess.of(net._replace(preprocess={key: section[key] for key in section if key not in other}))


def names_of(net: Net, classes: tuple[str, ...]) -> tuple[str, ...]:
    """A name for each of the main output's scores, which may be more than there are classes."""
    count = net.scope.shapes[net.scope.results[0]].channels
    assert isinstance(count, int)
    return classes + tuple(f"output {number}" for number in range(len(classes), count))
