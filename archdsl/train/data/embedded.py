"""Data that needs no download: scikit-learn's digits, and noise."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from archdsl.failure import WrongUsage
from archdsl.train.data import draws
from archdsl.train.data.split import Data, Pixels
from archdsl.train.data.stratify import stratified

_FAKE = re.compile(
    r"fake(?::(?P<channels>[13])x(?P<height>\d{1,5})x(?P<width>\d{1,5})(?::(?P<classes>\d{1,6})(?::(?P<images>\d{1,8}))?)?)?"
)
_FAKE_IMAGES = 1_000  # for training, where the name doesn't say; the test has a fifth of them


def digits() -> Data:
    """Handwritten digits, 8x8 grey, 1,797 of them (Alpaydin and Kaynak, 1998), split by class into four fifths and one.

    Raises WrongUsage where scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise WrongUsage("`digits` come with scikit-learn", help="pip install 'archdsl[train]'") from error
    images, targets = load_digits(return_X_y=True)
    # 17 shades of grey; the middle one, 127.5, becomes 128.
    pixels = (torch.from_numpy(images) * (255 / 16)).round().to(torch.uint8).view(-1, 1, 8, 8)
    labels = torch.from_numpy(targets).long()
    train, test = (Pixels(pixels[half], labels[half]) for half in stratified(labels))
    return Data("digits", tuple("0123456789"), 1, (8, 8), train, test)


def is_fake(name: str) -> bool:
    """Whether a name asks for noise: `fake`, `fake:3x64x64`, `fake:3x64x64:100`, `fake:3x64x64:100:5000`."""
    return name.partition(":")[0] == "fake"


def fake_facts(name: str) -> tuple[int, tuple[int, int], int]:
    """Channels, size and classes of the noise that a name asks for. Raises WrongUsage."""
    found = _asked(name)
    channels, height, width, classes = (int(found[part] or 0) for part in ("channels", "height", "width", "classes"))
    if not channels:
        channels, height, width = 3, 32, 32
    return channels, (height, width), classes or 10


def _asked(name: str) -> re.Match[str]:
    found = _FAKE.fullmatch(name)
    if found is None:
        help = "it is `fake`, or with a size, a number of classes and one of images: `fake:3x64x64:100:5000`"
        raise WrongUsage(f"`{name}` names no data set", help=help)
    if any(number is not None and not int(number) for number in found.groups()):
        raise WrongUsage(f"`{name}` has nothing in it", help="sizes and numbers are at least 1")
    return found


def fake(name: str) -> Data:
    """Noise with labels that mean nothing, to measure speed with: always the same for a name."""
    channels, size, classes = fake_facts(name)
    count = int(_asked(name)["images"] or _FAKE_IMAGES)
    counts = (count, -(-count // 5))
    train, test = (_noise(half, count, channels, size, classes) for half, count in enumerate(counts))
    return Data(name, tuple(str(number) for number in range(classes)), channels, size, train, test)


def _noise(half: int, count: int, channels: int, size: tuple[int, int], classes: int) -> Pixels:
    chance = draws.generator(half)
    pixels = torch.randint(256, (count, channels, *size), dtype=torch.uint8, generator=chance)
    labels: Tensor = torch.arange(count) % classes
    return Pixels(pixels, labels)
