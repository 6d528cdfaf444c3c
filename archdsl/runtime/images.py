"""Image files as 8-bit images, grey or in three colours."""

from __future__ import annotations

import struct
import warnings
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain

if TYPE_CHECKING:
    from PIL.Image import Image

# Formats that Pillow reads by itself: for some others it would start a program (Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "MPO")
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
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=known) as image:
                upright = ImageOps.exif_transpose(image)
                return _eight_bits(upright, path).convert("RGB" if channels == 3 else "L")
    except UnidentifiedImageError as error:
        raise Failure(f"`{path}` isn't an image", help=f"images are {', '.join(FORMATS[:-1])} files") from error
    except Image.DecompressionBombError as error:
        raise Failure(f"`{path}` has too many pixels", help="make it smaller first") from error
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise explain(error, path) from error
        raise Failure(f"`{path}` is broken: {str(error) or type(error).__name__}") from error


def _eight_bits(image: Image, path: Path) -> Image:
    """The same with 8 bits a channel, where grey has 16: white stays white."""
    if image.mode == "F":
        raise Failure(f"`{path}` has fractions for pixels, and nothing tells which is white")
    if not image.mode.startswith("I"):
        return image
    whole = image.convert("I")
    lowest, highest = whole.getextrema()
    if not 0 <= int(lowest) <= int(highest) <= 65_535:  # type: ignore[arg-type]
        raise Failure(f"`{path}` has 32 bits a pixel, and nothing tells which is white")
    return whole.point(lambda value: value * (1 / 257) + 0.5).convert("L")
