"""The torch data sets of others: torchvision's, and what a plugin gives."""

from __future__ import annotations

import traceback
from collections.abc import Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch

from archdsl.failure import Failure
from archdsl.runtime import images
from archdsl.train.data.split import Pictures

if TYPE_CHECKING:
    from PIL.Image import Image


@runtime_checkable
class Listed(Sized, Protocol):
    """A torch data set of the kind that is read by index."""

    def __getitem__(self, index: int) -> Any: ...


# What stops the code of others: to be told, not to be taken for a mistake of ours.
THEIRS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def told(error: BaseException) -> str:
    """What stopped the code of others, and in which line of it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


@dataclass(frozen=True, slots=True, eq=False)
class Items(Pictures):
    """A torch data set of pairs: a picture (Pillow's, or an array) and the number of its class."""

    dataset: Listed
    title: str
    classes: int

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        return f"image {index} of {self.title}"

    def read(self, index: int, channels: int) -> tuple[Image, int]:
        content, number = self._pair(index)
        if not 0 <= number < self.classes:
            raise Failure(f"{self.name(index)} has the class {number}, and there are {self.classes}")
        return images.converted(self._picture(content, index), self.name(index), channels), number

    def size(self, index: int) -> tuple[tuple[int, int], int]:
        """Height and width of a picture, and its channels. Raises Failure."""
        picture = self._picture(self._pair(index)[0], index)
        return (picture.height, picture.width), images.channels_of(picture)

    def _pair(self, index: int) -> tuple[Any, int]:
        try:
            content, label = self.dataset[index]
            return content, int(label)
        except THEIRS as error:
            raise Failure(f"{self.name(index)} can't be read: {told(error)}") from error

    def _picture(self, content: Any, index: int) -> Image:
        from PIL import Image

        if isinstance(content, Image.Image):
            return content
        values = torch.as_tensor(content)
        if values.dim() == 2:
            values = values[None]
        if values.dim() != 3:
            raise Failure(
                f"{self.name(index)} is no image: {type(content).__name__} of {values.dim()} axes", help=_KINDS
            )
        if values.is_floating_point():
            if not 0 <= float(values.min()) <= float(values.max()) <= 1:
                raise Failure(f"{self.name(index)} has values outside of 0 to 1", help=_KINDS)
            values = (values * 255).round().to(torch.uint8)
        if values.dtype != torch.uint8 or values.shape[0] not in (1, 3):
            shape = "x".join(map(str, values.shape))
            raise Failure(f"{self.name(index)} is {shape} of {values.dtype}", help=_KINDS)
        array = values.permute(1, 2, 0).contiguous().numpy()
        return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


_KINDS = "an image is Pillow's, or a tensor of 1 or 3 channels, height and width: bytes, or fractions from 0 to 1"
