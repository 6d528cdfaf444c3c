"""How good a trained network is on images with known classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.compiler import Network, load
from archdsl.failure import Failure, WrongUsage
from archdsl.runtime.preprocess import Preprocess
from archdsl.train.data import Data, Getting, Pipeline, batches
from archdsl.train.devices import kind_of
from archdsl.train.plan import plan
from archdsl.train.trained import getting_of, images_of, names_of, run_of, trained

_FEW = 5  # up to as many classes the first five are all there are


class Outcome(NamedTuple):
    """What a network made of each image, in their order, on the CPU.

    labels, guesses: int64, numbers of classes. losses: cross-entropy. sureness: the guess's probability. above: int64,
    how many classes have a higher score than the right one.
    """

    labels: Tensor
    guesses: Tensor
    losses: Tensor
    sureness: Tensor
    above: Tensor

    @property
    def loss(self) -> float:
        """The mean over the images."""
        return float(self.losses.double().mean())

    @property
    def accuracy(self) -> float:
        """The share of right guesses."""
        return float((self.guesses == self.labels).double().mean())

    def top(self, count: int) -> float:
        """The share of images whose class is among the `count` with the highest scores."""
        return float((self.above < count).double().mean())

    def confusion(self, classes: int) -> Tensor:
        """How many images of the class of a row were taken for that of a column: int64 (classes, classes)."""
        return torch.bincount(self.labels * classes + self.guesses, minlength=classes**2).view(classes, classes)

    def worst(self, most: int) -> list[int]:
        """The images with the highest loss among those taken for something else; among all, where none was."""
        wrong = (self.guesses != self.labels).nonzero().flatten()
        chosen = wrong if len(wrong) else torch.arange(len(self.labels))
        order = self.losses[chosen].argsort(descending=True, stable=True)[:most]
        return [int(index) for index in chosen[order]]


class Scored(NamedTuple):
    """What was scored: a run or a spec by its name, on what, and what came of it."""

    name: str
    data: str
    classes: tuple[str, ...]
    outcome: Outcome


class _Subject(NamedTuple):
    """A network with weights, and what it is to be tried on. classes: those that it has learned, if that is known."""

    name: str
    network: Network
    weights: str | Path
    main: str
    data: str
    getting: Getting
    batch: int
    classes: tuple[str, ...] | None


def evaluate(
    spec: str,
    *,
    weights: str | None = None,
    data: str | None = None,
    getting: Getting,
    batch: int | None = None,
    device: str = "auto",
    workers: int = 0,
    input: str | None = None,
    params: Mapping[str, str] | None = None,
) -> Scored:
    """The scores of a run, or of a spec with a file of weights, on the test images of a data set.

    data: the run's or the recipe's own without it. batch: the recipe's without it. Raises SpecError, WrongUsage and
    Failure.
    """
    kind = kind_of(device)
    subject = _subject(spec, weights, data, getting, input, params or {})
    opened = subject.getting.open(subject.data)
    _check_classes(subject, opened)
    images = images_of(subject.network.net)
    module = subject.network.build(weights=subject.weights, device=kind)
    pipeline = pipeline_of(images, batch=batch or subject.batch, device=torch.device(kind), workers=workers)
    tests = batches(opened.test, pipeline, train=False, skip_corrupt=subject.getting.skip_corrupt)
    outcome = judge(module, tests, main=subject.main)
    return Scored(subject.name, opened.name, names_of(subject.network.net, opened.classes), outcome)


def scores(outcome: Outcome, classes: tuple[str, ...]) -> dict[str, float]:
    """The scores by name: loss, top-1 and, where there are more than five classes, top-5."""
    told = {"loss": outcome.loss, "top1": outcome.accuracy}
    return told | {"top5": outcome.top(_FEW)} if len(classes) > _FEW else told


def pipeline_of(images: Preprocess, **others: Any) -> Pipeline:
    """How images get to a network that takes them so; others: the further settings of the pipeline."""
    return Pipeline(
        channels=images.channels,
        size=images.crop,
        resize=images.resize,
        interpolation=images.interpolation,
        mean=images.mean,
        std=images.std,
        **others,
    )


def judge(module: nn.Module, tests: Iterable[tuple[Tensor, Tensor]], *, main: str) -> Outcome:
    """What a module makes of batches of images and labels; main: its output that has the scores of the classes.

    Raises Failure where the scores are no numbers.
    """
    module.eval()
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for images, labels in tests:
            outputs: Any = module(images)
            scores = (outputs if isinstance(outputs, Tensor) else outputs._asdict()[main]).float()
            sureness, guesses = scores.softmax(1).max(1)
            above = (scores > scores.gather(1, labels[:, None])).sum(1)
            losses = functional.cross_entropy(scores, labels, reduction="none")
            parts.append(tuple(part.cpu() for part in (labels, guesses, losses, sureness, above)))
    outcome = Outcome(*(torch.cat(column) for column in zip(*parts, strict=True)))
    if outcome.losses.isnan().any():
        raise Failure("the network gives no numbers, but NaN: its weights can't be right")
    return outcome


def _subject(
    spec: str, weights: str | None, data: str | None, getting: Getting, input: str | None, params: Mapping[str, str]
) -> _Subject:
    folder = run_of(spec)
    if folder is not None:
        found = trained(folder, input=input, params=params)
        about = found.about
        if data is None:
            data, getting = about.data, getting_of(about, getting)
        batch = about.told_recipe().batch
        file = weights or found.weights
        return _Subject(spec, found.network, file, about.main, data, getting, batch, about.classes)
    if weights is None:
        message = "without trained weights a network's answers are chance"
        raise WrongUsage(message, help="`--weights FILE`, or a run's folder in place of the spec")
    chosen = data or load(spec, input=input, **params).recipe().data
    settings = {"data": chosen}
    planned = plan(spec, getting.root, input=input, params=params, settings=settings, plugin=getting.plugin)
    return _Subject(spec, planned.network, weights, planned.main, chosen, getting, planned.recipe.batch, None)


def _check_classes(subject: _Subject, data: Data) -> None:
    """Raises WrongUsage where a run has learned other classes than the data set's."""
    learned = subject.classes
    if learned is None or learned == data.classes:
        return
    message = f"`{subject.name}` has learned {len(learned):,} classes, and {data.name} has {len(data.classes):,}"
    if len(learned) == len(data.classes):
        mine, theirs = next(pair for pair in zip(learned, data.classes, strict=True) if pair[0] != pair[1])
        message = f"`{subject.name}` has learned other classes than those of {data.name}: `{mine}`, not `{theirs}`"
    raise WrongUsage(message, help="a run is tried on the classes that it has learned, in their order")
