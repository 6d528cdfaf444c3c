"""Image files of every kind, read as Pillow's own conversions say, and upright; what is none is told."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import photo
from PIL import Image

from archdsl.failure import Failure
from archdsl.runtime import images


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(image: Image.Image, name: str, **options: Any) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def pixels(path: Path, channels: int = 3) -> np.ndarray[Any, Any]:
    return np.asarray(images.read(path, channels))


LOSSLESS = {
    "grey": ("L", "a.png"),
    "grey with transparency": ("LA", "a.png"),
    "transparent": ("RGBA", "a.png"),
    "palette": ("P", "a.png"),
    "GIF": ("P", "a.gif"),
    "black and white": ("1", "a.png"),
    "BMP": ("RGB", "a.bmp"),
    "TIFF": ("RGB", "a.tiff"),
    "CMYK": ("CMYK", "a.tiff"),
    "PPM": ("RGB", "a.ppm"),
    "without its suffix": ("RGB", "a.jpg"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read_as_pillow_converts_it(kind: str, channels: int, saved: Callable[..., Path]) -> None:
    mode, name = LOSSLESS[kind]
    image = photo(mode=mode)
    path = saved(image, name, **({"format": "PNG"} if kind == "without its suffix" else {}))
    expected = image.convert("RGB" if channels == 3 else "L")
    assert np.array_equal(pixels(path, channels), np.asarray(expected))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_sixteen_bits_keep_black_and_white(dtype: Any, saved: Callable[..., Path]) -> None:
    levels = np.array([[0, 128, 129, 257, 32_896, 65_278, 65_535]], dtype)
    path = saved(Image.fromarray(levels), "a.tiff")
    expected = np.round(levels / 257).astype(np.uint8)
    assert np.array_equal(pixels(path, 1), expected)
    assert np.array_equal(pixels(path, 3), np.repeat(expected[..., None], 3, 2))


@pytest.mark.parametrize("values", [np.array([[-1, 5]], np.int32), np.array([[0, 70_000]], np.int32)])
def test_pixels_of_unknown_range_are_refused(values: Any, saved: Callable[..., Path]) -> None:
    with pytest.raises(Failure, match="which is white"):
        pixels(saved(Image.fromarray(values), "a.tiff"))
    with pytest.raises(Failure, match="fractions"):
        pixels(saved(Image.fromarray(values.astype(np.float32)), "b.tiff"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int, saved: Callable[..., Path]) -> None:
    image = photo()
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What a camera stores, by the definition of the tag (Exif 2.3, 4.6.4): undone, it is the picture.
    stored = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    for turn in stored:
        image = image.transpose(turn)
    assert np.array_equal(pixels(saved(image, "a.png", exif=exif)), np.asarray(photo()))


def test_a_picture_of_too_many_pixels_is_refused(saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(photo(), "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Failure, match="too many pixels"):
        images.read(path, 3)


def test_no_bytes_do_anything_but_fail(tmp_path: Path) -> None:
    generator = random.Random(0)
    for kind, options in (("PNG", {}), ("JPEG", {}), ("GIF", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        whole = io.BytesIO()
        photo(20, 20).save(whole, kind, **options)
        for _ in range(60):
            content = bytearray(whole.getvalue())
            for _ in range(generator.choice([1, 3, 20])):
                content[generator.randrange(len(content))] = generator.randrange(256)
            path = tmp_path / "a"
            path.write_bytes(content[: generator.choice([len(content), generator.randrange(1, len(content))])])
            with suppress(Failure):
                assert images.read(path, 3).mode == "RGB"
