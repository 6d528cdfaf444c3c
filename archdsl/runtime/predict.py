"""What a network sees in image files: the most probable classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from archdsl.analysis.lint.flow import Flow, Place
from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain
from archdsl.ir import Net
from archdsl.runtime import images as image_files
from archdsl.runtime import preprocess

if TYPE_CHECKING:
    from archdsl.compiler import Network

_BATCH = 16  # images
IMAGENET = 1000  # classes


class Guess(NamedTuple):
    """A class by its number, from 0, and its name."""

    number: int
    label: str
    probability: float


class Seen(NamedTuple):
    """What is in an image, the most probable first; or why it can't be told."""

    image: Path
    guesses: tuple[Guess, ...] = ()
    failure: Failure | None = None


def predict(
    network: Network,
    paths: Sequence[str | Path],
    *,
    weights: str | Path,
    device: str = "cpu",
    top: int = 5,
    labels: str | Path | Sequence[str] | None = None,
    prepared: preprocess.Preprocess | None = None,
) -> Iterator[Seen]:
    """The `top` most probable classes of each image, in the order of the paths.

    labels: the classes' names, or a file with one a line; ImageNet's for a network of 1,000 classes without either.
    prepared: what images go through, if it isn't the spec's `preprocess`. Raises WrongUsage, Failure before the first
    image; what is wrong with one image stands in its result.
    """
    prepared = prepared or preprocess.of(network.net)
    names = _labels(labels, _classes(network.net))
    found = [Path(path) for path in paths]
    image_files.check(found)
    module = network.build(weights=weights, device=device).eval()
    for start in range(0, len(found), _BATCH):
        yield from _seen(network.net, module, found[start : start + _BATCH], prepared, names, top)


def _seen(
    net: Net, module: nn.Module, paths: Sequence[Path], prepared: preprocess.Preprocess, names: Sequence[str], top: int
) -> Iterator[Seen]:
    inputs: dict[int, Tensor] = {}
    failures: dict[int, Failure] = {}
    for place, path in enumerate(paths):
        try:
            inputs[place] = prepared(image_files.read(path, prepared.channels), path)
        except Failure as failure:
            failures[place] = failure
    told = dict(zip(inputs, _probabilities(net, module, list(inputs.values())), strict=True))
    for place, path in enumerate(paths):
        if place in failures:
            yield Seen(path, failure=failures[place])
            continue
        best = torch.topk(told[place], min(top, len(names)))
        if not told[place].isfinite().all():
            message = f"the network gives no numbers for `{path}`, but NaN: its weights can't be right"
            yield Seen(path, failure=Failure(message))
            continue
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        yield Seen(path, tuple(Guess(index, names[index], probability) for index, probability in pairs))


def _probabilities(net: Net, module: nn.Module, inputs: list[Tensor]) -> Tensor:
    """(images, classes), on the CPU."""
    if not inputs:
        return torch.empty(0)
    device = next(module.parameters()).device
    with torch.inference_mode():
        output: Any = module(torch.stack(inputs).to(device))
    live = [one for one in net.outputs if one.mode != "training"]
    scores: Tensor = output if len(live) == 1 else output[live.index(_main(net))]
    scores = scores.cpu()
    # A softmax once more changes nothing behind a logarithm of probabilities.
    return scores if _ends_in_distribution(net) and bool((scores >= 0).all()) else scores.softmax(1)


def _main(net: Net) -> Any:
    return next(one for one in net.outputs if one.result == 0)


def _ends_in_distribution(net: Net) -> bool:
    """Whether what comes out are probabilities already, or their logarithms."""
    flow = Flow()
    made = flow.producer(Place(net.scope), net.scope.results[0])
    while made is not None and made.step.facts.alias:
        made = flow.producer(made.place, made.step.inputs[0])
    return made is not None and "distribution" in made.step.op.traits


def _classes(net: Net) -> int:
    """How many classes the network tells apart. Raises WrongUsage where it tells something else."""
    shape = net.scope.shapes[net.scope.results[0]]
    classes = shape.sizes[0]
    if len(shape.sizes) != 1 or not isinstance(classes, int) or classes < 2:
        message = f"`{net.name}` gives no scores of classes: its output is {shape}"
        raise WrongUsage(message, help="`predict` is for networks that tell what a whole image shows")
    return classes


def _labels(given: str | Path | Sequence[str] | None, classes: int) -> Sequence[str]:
    """The name of each class. Raises WrongUsage where the file can't be read or has another number of them."""
    if given is None:
        return imagenet() if classes == IMAGENET else [f"class {number}" for number in range(classes)]
    if not isinstance(given, (str, Path)):
        assert len(given) == classes
        return given
    try:
        names = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise explain(error, given) from error
    except UnicodeDecodeError as error:
        raise WrongUsage(f"`{given}` isn't text in UTF-8") from error
    if len(names) != classes:
        message = f"`{given}` has {len(names):,} lines, and the network tells {classes:,} classes apart"
        raise WrongUsage(message, help="it has the name of one class on each line, in their order")
    return names


def imagenet() -> list[str]:
    """The names of ImageNet's 1,000 classes (ILSVRC 2012), in their order."""
    lines = files("archdsl.runtime").joinpath("imagenet.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]
