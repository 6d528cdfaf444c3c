"""Single edits of specs: what is told of each, and whether those that still compile are run by PyTorch.

An edit drops, doubles or swaps a token, changes a number or misspells a word. Of a mutant that is refused, the first
diagnostic counts: it is `near` where it starts within one line of the edit, in the edited file; `shown` where it
starts elsewhere, but another line that it prints (its own underlined lines, or a note's) is within one line of the
edit, so that its reader sees the edit before him; else `far`. A message that names a place without printing it is far.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch

import archdsl
from archdsl.compiler import Network
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.dims import at
from archdsl.ir import Output
from archdsl.shape import Shape
from archdsl.source import Span

Told = Literal["near", "shown", "far"]

_TOKEN = re.compile(r"[A-Za-z_]+|\d+(?:\.\d+)?|[^\sA-Za-z_\d]")
# Beyond so many weights and multiply-accumulates PyTorch runs a mutant on shapes alone (its `meta` device).
_WEIGHTS = 70_000_000
_MACS = 5_000_000_000
# A span of more lines is printed with a gap.
_PRINTED = 4


class Mutant(NamedTuple):
    """A file's text with one edit: the edited line, before and after."""

    path: Path
    text: str
    line: int
    edit: str


def mutants(paths: Sequence[Path], count: int, seed: int) -> Iterator[Mutant]:
    """Edits of files drawn at random."""
    rng = random.Random(seed)
    for _ in range(count):
        path = rng.choice(paths)
        yield mutate(path, path.read_text(), rng)


def mutate(path: Path, text: str, rng: random.Random) -> Mutant:
    """A text with one edit outside its comments."""
    lines = text.split("\n")
    while True:
        number = rng.randrange(len(lines))
        line = lines[number].split("#")[0]
        tokens = list(_TOKEN.finditer(line))
        if tokens:
            break
    token = rng.choice(tokens)
    word = token[0]
    edit = rng.choice(("drop", "double", "swap", "change"))
    if edit == "drop":
        new = ""
    elif edit == "double":
        new = f"{word} {word}"
    elif edit == "swap":
        new = rng.choice(tokens)[0]
    elif word[0].isdigit():
        new = str(rng.choice([0, 1, 3, 7, 1000]))
    elif len(word) > 1:
        place = rng.randrange(len(word) - 1)
        new = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    else:
        new = rng.choice(":,-[]{}x")
    mutant = lines[number][: token.start()] + new + lines[number][token.end() :]
    told = f"{lines[number].strip()} -> {mutant.strip()}"
    return Mutant(path, "\n".join([*lines[:number], mutant, *lines[number + 1 :]]), number + 1, told)


def told_of(mutant: Mutant) -> tuple[Told, Diagnostic] | Network:
    """Where the first diagnostic points; the network of a mutant that compiles."""
    try:
        return archdsl.loads(mutant.text, name=str(mutant.path))
    except SpecError as error:
        first = error.diagnostics[0]
    if _near(first.span._replace(end_line=first.span.line), mutant):
        return "near", first
    printed = any(_near(span, mutant) for span in (first.span, *(note.span for note in first.notes)))
    return "shown" if printed else "far", first


def _near(span: Span, mutant: Mutant) -> bool:
    if span.source.name != str(mutant.path) or span.end_line - span.line >= _PRINTED:
        return False
    return span.line - 1 <= mutant.line <= span.end_line + 1


class Run(NamedTuple):
    """How PyTorch ran a mutant: on which device, at which input, and what is wrong (empty where nothing is)."""

    device: str
    input: str
    wrong: str


def run(mutant: Mutant, network: Network) -> Run:
    """Builds a mutant and sends two images through it, in evaluation and in training; shapes must be those told."""
    small = _smallest(mutant, network)
    cost = small.cost()
    weights, macs = int(cost.params), int(at(cost.macs, small.net.sizes))
    device = "cpu" if weights <= _WEIGHTS and macs <= _MACS else "meta"
    sizes = tuple(int(at(size, small.net.sizes)) for size in small.net.input.sizes)
    images = torch.zeros(2, *sizes, device=device)
    module = small.build(device=device)
    wrong = [_difference(small, module.train(training), images) for training in (False, True)]
    return Run(device, "x".join(map(str, sizes)), "; ".join(filter(None, wrong)))


def _smallest(mutant: Mutant, network: Network) -> Network:
    """The network at the smallest input that it works on, where its structure doesn't fix that."""
    channels, *spatial = network.net.input.sizes
    if not spatial:
        return network
    letters = ("L", "HW", "DHW")[len(spatial) - 1]
    try:
        open_sized = archdsl.loads(mutant.text, name=str(mutant.path), input="x".join([str(channels), *letters]))
    except SpecError:  # what follows `flatten` ties it to its input
        return network
    smallest = open_sized.requirements().smallest
    if smallest is None:
        return network
    sides = "x".join(str(smallest.get(letter, 1)) for letter in letters)
    return archdsl.loads(mutant.text, name=str(mutant.path), input=f"{channels}x{sides}")


def _difference(network: Network, module: torch.nn.Module, images: torch.Tensor) -> str:
    live = [one for one in network.net.outputs if one.mode in ("always", "training" if module.training else "eval")]
    expected = [(len(images), *_sizes(network, one)) for one in live]
    try:
        with torch.no_grad():
            result = module(images)
    except (RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    found = [tuple(one.shape) for one in ([result] if isinstance(result, torch.Tensor) else result)]
    return "" if found == expected else f"{found} instead of {expected}"


def _sizes(network: Network, output: Output) -> tuple[int, ...]:
    scope = network.net.scope
    shape: Shape = scope.shapes[scope.results[output.result]]
    return tuple(int(at(size, network.net.sizes)) for size in shape.sizes)
