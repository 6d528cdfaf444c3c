"""A scene as a PDF of one page: vector outlines, and text in Helvetica, which every reader of PDFs has."""

from __future__ import annotations

import zlib

from archdsl.emit.picture.metrics import width
from archdsl.emit.picture.scene import Group, Path, Point, Rect, Scene, Shape, Text, number
from archdsl.failure import WrongUsage

# What Helvetica's encoding lacks, spelled with what it has.
_SPELLED = {"⌈": "ceil(", "⌉": ")", "⌊": "floor(", "⌋": ")", "→": "->"}
_KAPPA = 0.5523  # how far the control points of a quarter of a circle are from its ends


def pdf(scene: Scene) -> bytes:
    """The picture; the same scene gives the same bytes. Raises WrongUsage for letters that Helvetica doesn't have."""
    drawing = [f"1 0 0 -1 0 {number(scene.height)} cm 1 j"]
    if scene.ground:
        drawing.append(f"{_colour(scene.ground)} rg 0 0 {number(scene.width)} {number(scene.height)} re f")
    for shape in scene.shapes:
        drawing += _shape(shape)
    content = zlib.compress("\n".join(drawing).encode("cp1252"), 9)
    page = f"/MediaBox [0 0 {number(scene.width)} {number(scene.height)}] /Contents 4 0 R"
    fonts = "/Resources << /Font << /F0 5 0 R /F1 6 0 R >> >>"
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R {page} {fonts} >>".encode(),
            f"<< /Length {len(content)} /Filter /FlateDecode >>\nstream\n".encode() + content + b"\nendstream",
            font.format("Helvetica").encode(),
            font.format("Helvetica-Bold").encode(),
            b"<< /Title " + _string(scene.title) + b" /Producer (archdsl) >>",
        ]
    )


def _file(objects: list[bytes]) -> bytes:
    """Numbered objects with the table that finds them; the first is the catalogue, the last tells about the file."""
    made = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for k, one in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (k, one)
    table = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects))
    return bytes(made + b"startxref\n%d\n%%%%EOF\n" % table)


def _string(text: str) -> bytes:
    return b"<" + (b"\xfe\xff" + text.encode("utf-16-be")).hex().encode() + b">"


def _shape(shape: Shape) -> list[str]:
    if isinstance(shape, Group):
        return [line for part in shape.shapes for line in _shape(part)]
    if isinstance(shape, Text):
        return [_text(shape)]
    if isinstance(shape, Rect):
        return [_painted(_rectangle(shape), shape.fill, shape.stroke, shape.line, shape.dash)]
    return [_painted(_outline(shape), shape.fill, shape.stroke, shape.width, shape.dash)]


def _painted(outline: str, fill: str, stroke: str, line: float, dash: tuple[float, ...]) -> str:
    """An outline, filled and drawn; nothing of that stays for the next."""
    look = f"{_colour(fill)} rg " if fill else ""
    if stroke:
        look += f"{_colour(stroke)} RG {number(line)} w [{' '.join(map(number, dash))}] 0 d "
    paint = "B" if fill and stroke else "f" if fill else "S" if stroke else "n"
    return f"{look}{outline} {paint}"


def _outline(path: Path) -> str:
    words = {"M": "m", "L": "l", "C": "c", "Z": "h"}
    return " ".join(f"{_points(points)} {words[letter]}".strip() for letter, points in path.moves)


def _rectangle(rect: Rect) -> str:
    left, top, right, bottom = rect.x, rect.y, rect.x + rect.width, rect.y + rect.height
    if not rect.radius:
        return f"{number(left)} {number(top)} {number(rect.width)} {number(rect.height)} re"
    r, k = rect.radius, rect.radius * (1 - _KAPPA)
    corners: tuple[tuple[Point, Point, Point, Point], ...] = (
        ((right - r, top), (right - k, top), (right, top + k), (right, top + r)),
        ((right, bottom - r), (right, bottom - k), (right - k, bottom), (right - r, bottom)),
        ((left + r, bottom), (left + k, bottom), (left, bottom - k), (left, bottom - r)),
        ((left, top + r), (left, top + k), (left + k, top), (left + r, top)),
    )
    sides = " ".join(f"{_points((start,))} l {_points(curve)} c" for start, *curve in corners)
    return f"{_points(((left + r, top),))} m {sides} h"


def _points(points: tuple[Point, ...] | list[Point]) -> str:
    return " ".join(f"{number(x)} {number(y)}" for x, y in points)


def _text(text: Text) -> str:
    written = "".join(_SPELLED.get(letter, letter) for letter in text.text)
    long = width(written, text.size, bold=text.bold)
    shift = {"start": 0.0, "middle": text.long / 2, "end": text.long}[text.anchor]
    try:
        written.encode("cp1252")
    except UnicodeEncodeError as error:
        help = "write .svg or .png"
        raise WrongUsage(f"a PDF can't show the letter `{written[error.start]}` in Helvetica", help=help) from None
    escaped = written.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    squeezed = f" {number(100 * text.long / long)} Tz" if long and written != text.text else " 100 Tz"
    place = f"1 0 0 -1 {number(text.x - shift)} {number(text.y)} Tm"
    return f"BT {_colour(text.colour)} rg /F{int(text.bold)} {number(text.size)} Tf{squeezed} {place} ({escaped}) Tj ET"


def _colour(colour: str) -> str:
    """`#0072B2` as three numbers from 0 to 1."""
    return " ".join(number(int(colour[k : k + 2], 16) / 255) for k in (1, 3, 5))
