"""What a data set is made of: images that lie in memory, or pictures that are read one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from archdsl.runtime import images

if TYPE_CHECKING:
    from PIL.Image import Image


class Split(ABC):
    """The images of one half, training or test, each with the number of its class."""

    @abstractmethod
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Pixels(Split):
    """Images of one size: uint8 (images, channels, height, width), and int64 labels."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Pictures(Split):
    """Images of any size, read when they are wanted."""

    @abstractmethod
    def read(self, index: int, channels: int) -> tuple[Image, int]:
        """An 8-bit picture, grey (1 channel) or red, green and blue (3), and its class. Raises Failure."""

    @abstractmethod
    def name(self, index: int) -> str:
        """What messages call the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Files(Pictures):
    """Image files, each with the number of its class."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int, channels: int) -> tuple[Image, int]:
        return images.read(Path(self.paths[index]), channels), self.labels[index]

    def name(self, index: int) -> str:
        return self.paths[index]

    def chosen(self, indices: Sequence[int]) -> Files:
        """Some of the files."""
        return Files(tuple(self.paths[index] for index in indices), tuple(self.labels[index] for index in indices))


@dataclass(frozen=True, slots=True, eq=False)
class Chosen(Pictures):
    """Some pictures of a split."""

    split: Pictures
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int, channels: int) -> tuple[Image, int]:
        return self.split.read(self.indices[index], channels)

    def name(self, index: int) -> str:
        return self.split.name(self.indices[index])


@dataclass(frozen=True, slots=True)
class Data:
    """A data set: its classes in the order of their numbers, and its two halves.

    channels: 1 (grey) or 3. size: height and width in pixels, None where images differ.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    size: tuple[int, int] | None
    train: Split
    test: Split
