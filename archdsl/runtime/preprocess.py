"""What a spec's `preprocess` section does to an image, as torchvision.transforms does it to a PIL image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from archdsl.dims import at
from archdsl.failure import Failure, WrongUsage
from archdsl.ir import Net

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

KEYS = ("resize", "crop", "interpolation", "mean", "std")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")
# A very narrow picture would become a very long one.
_MOST_PIXELS = 100_000_000


class Preprocess(NamedTuple):
    """channels: 1 (grey) or 3. resize: the short side, in pixels. crop: height and width, from the middle.

    mean and std: of each channel, where values lie from 0 to 1; empty for none.
    """

    channels: int
    resize: int
    crop: tuple[int, int]
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: Image, name: object) -> Tensor:
        """A float32 tensor (channels, height, width) of an 8-bit image with as many channels.

        Equal to the last bit to torchvision's ImageClassification for a PIL image, which is resized with antialiasing.
        name: of the image, for messages. Raises Failure for one too narrow to be resized.
        """
        values = self.pixels(image, name).to(torch.float32) / 255
        if self.mean:
            values -= torch.tensor(self.mean)[:, None, None]
        if self.std:
            values /= torch.tensor(self.std)[:, None, None]
        return values

    def pixels(self, image: Image, name: object) -> Tensor:
        """The same before its values are scaled: uint8 (channels, height, width)."""
        return tensor_of(self._cropped(self._resized(image, name)))

    def _resized(self, image: Image, name: object) -> Image:
        """torchvision.transforms.functional.resize with one number."""
        width, height = image.size
        short, long = sorted((width, height))
        long = int(self.resize * long / short)
        if self.resize * long > _MOST_PIXELS:
            raise Failure(f"`{name}` has {width} x {height} pixels, too narrow to be resized to {self.resize}")
        size = (self.resize, long) if width <= height else (long, self.resize)
        return image if image.size == size else image.resize(size, self.resampling())

    def resampling(self) -> Resampling:
        """Pillow's name for the interpolation."""
        from PIL.Image import Resampling

        return Resampling[self.interpolation.upper()]

    def _cropped(self, image: Image) -> Image:
        """torchvision.transforms.functional.center_crop; black around an image that is too small."""
        from PIL import ImageOps

        height, width = self.crop
        more = max(0, width - image.width), max(0, height - image.height)
        if any(more):
            left, top = (size // 2 for size in more)
            image = ImageOps.expand(image, (left, top, (more[0] + 1) // 2, (more[1] + 1) // 2), fill=0)
            if image.size == (width, height):
                return image
        top, left = round((image.height - height) / 2.0), round((image.width - width) / 2.0)
        return image.crop((left, top, left + width, top + height))


def tensor_of(image: Image) -> Tensor:
    """An 8-bit image as uint8 (channels, height, width)."""
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(image.height, image.width, -1).permute(2, 0, 1).contiguous()


def of(net: Net) -> Preprocess:
    """What a network's images go through.

    Without `crop` the input's size is cut out, without `resize` the short side becomes that of the crop. Raises
    WrongUsage where the network takes no images, or the section says what this doesn't know.
    """
    if net.input.axes != ("channels", "height", "width") or net.input.channels not in (1, 3):
        message = f"`{net.name}` takes no images: its input is {net.input}"
        raise WrongUsage(message, help="images are 1xHxW (grey) or 3xHxW (red, green, blue)")
    section = net.preprocess
    if unknown := [key for key in section if key not in KEYS]:
        message = f"`preprocess` of `{net.name}` has `{unknown[0]}`, which `predict` doesn't know"
        raise WrongUsage(message, help=f"it knows {', '.join(KEYS)}")
    channels = net.input.channels
    assert isinstance(channels, int)
    crop = _crop(net)
    interpolation = section.get("interpolation", INTERPOLATIONS[0])
    if interpolation not in INTERPOLATIONS:
        message = f"`preprocess` of `{net.name}` has no interpolation `{interpolation}`"
        raise WrongUsage(message, help=f"it is one of {', '.join(INTERPOLATIONS)}")
    resize = _side(net, "resize") if "resize" in section else min(crop)
    mean, std = _numbers(net, "mean", channels), _numbers(net, "std", channels)
    return Preprocess(channels, resize, crop, interpolation, mean, std)


def _crop(net: Net) -> tuple[int, int]:
    """What is cut out of the resized image, which is what the network takes."""
    side = _side(net, "crop") if "crop" in net.preprocess else None
    if not net.concrete:
        if side is None:
            message = f"`{net.name}` takes images of any size, and its `preprocess` has no `crop`"
            raise WrongUsage(message, help="give a size with `--input`, such as `--input 3x224x224`")
        return side, side
    height, width = (at(size, net.sizes) for size in net.input.spatial)
    if side is not None and (height, width) != (side, side):
        message = f"`{net.name}` takes {height} x {width} pixels, and its `preprocess` crops to {side} x {side}"
        raise WrongUsage(message, help="give both the same size in the spec")
    return height, width


def _side(net: Net, key: str) -> int:
    value = net.preprocess[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        raise WrongUsage(f"`{key}` in `preprocess` of `{net.name}` is {value!r}", help="it is a number of pixels")
    return int(value)


def _numbers(net: Net, key: str, channels: int) -> tuple[float, ...]:
    """One number a channel; empty where the section has none."""
    section: Mapping[str, Any] = net.preprocess
    if key not in section:
        return ()
    given = section[key] if isinstance(section[key], tuple) else (section[key],) * channels
    numbers = [float(one) for one in given if isinstance(one, (int, float)) and not isinstance(one, bool)]
    if len(numbers) != channels or len(given) != channels or (key == "std" and 0 in numbers):
        message = f"`{key}` in `preprocess` of `{net.name}` is {section[key]!r}"
        raise WrongUsage(message, help=f"it is one number for each of the {channels} channels" if channels > 1 else "")
    return tuple(numbers)
