"""Image files as 8-bit images, grey or in three colours."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain

if TYPE_CHECKING:
    from PIL.Image import Image

# Formats that Pillow reads by itself: for some others it would start a program (Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "MPO")
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, rows are columns
_FIRST_LYING = 5
# What Pillow raises for broken files, besides OSError.
_BROKEN = (
    struct.error,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def check(paths: list[Path]) -> None:
    """Raises WrongUsage, before any work, where Pillow is missing or a file can't be opened."""
    if find_spec("PIL") is None:
        raise WrongUsage("reading images needs the package `pillow`", help="pip install archdsl[predict]")
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as error:
            raise explain(error, path) from error


def read(path: Path, channels: int) -> Image:
    """The first picture of a file, upright, grey (1 channel) or red, green and blue (3). Raises Failure.

    What is transparent counts as opaque, as in torchvision's image folders.
    """
    from PIL import ImageOps

    with _opened(path) as image:
        return converted(ImageOps.exif_transpose(image), path, channels)


def glance(path: Path) -> tuple[tuple[int, int], int]:
    """Height and width of a file's picture, upright, and its channels (1 or 3), by its header. Raises Failure."""
    with _opened(path) as image:
        width, height = image.size
        lies = image.getexif().get(_ORIENTATION, 1) >= _FIRST_LYING
        return (width, height) if lies else (height, width), channels_of(image)


def channels_of(image: Image) -> int:
    """1 for a picture in grey, 3 for one in colours."""
    return 1 if image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I") else 3


def converted(image: Image, name: object, channels: int) -> Image:
    """A picture with 8 bits a channel, grey or in three colours. name: for messages. Raises Failure."""
    return _eight_bits(image, name).convert("RGB" if channels == 3 else "L")


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """A file's picture, whose pixels aren't read yet; what is wrong with it, then or later, is a Failure."""
    from PIL import Image, UnidentifiedImageError

    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=known) as image:
                yield image
    except UnidentifiedImageError as error:
        raise Failure(f"`{path}` isn't an image", help=f"images are {', '.join(FORMATS[:-1])} files") from error
    except Image.DecompressionBombError as error:
        raise Failure(f"`{path}` has too many pixels", help="make it smaller first") from error
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise explain(error, path) from error
        raise Failure(f"`{path}` is broken: {str(error) or type(error).__name__}") from error


def _eight_bits(image: Image, name: object) -> Image:
    """The same with 8 bits a channel, where grey has 16: white stays white."""
    if image.mode == "F":
        raise Failure(f"`{name}` has fractions for pixels, and nothing tells which is white")
    if not image.mode.startswith("I"):
        return image
    whole = image.convert("I")
    lowest, highest = whole.getextrema()
    if not 0 <= int(lowest) <= int(highest) <= 65_535:  # type: ignore[arg-type]
        raise Failure(f"`{name}` has 32 bits a pixel, and nothing tells which is white")
    return whole.point(lambda value: value * (1 / 257) + 0.5).convert("L")
