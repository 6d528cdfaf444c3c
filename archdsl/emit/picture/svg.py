"""A scene as SVG with real text, and as PNG."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from archdsl.emit.picture.scene import Group, Path, Rect, Scene, Shape, Text, number
from archdsl.failure import WrongUsage

NAMESPACE = "http://www.w3.org/2000/svg"
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
# Of a PNG: the enlargement that is sharp on a projector, and the side that viewers still open.
ZOOM, LARGEST = 2.0, 16_000


def svg(scene: Scene) -> str:
    """The picture as text; the same scene gives the same bytes."""
    width, height = number(scene.width), number(scene.height)
    size = f'width="{width}pt" height="{height}pt" viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="{NAMESPACE}" {size} font-family="{FONTS}" role="img">',
        f"<title>{escape(scene.title)}</title>",
    ]
    if scene.ground:
        lines.append(f'<rect width="{width}" height="{height}" fill="{scene.ground}"/>')
    for shape in scene.shapes:
        lines += _shape(shape)
    return "\n".join((*lines, "</svg>")) + "\n"


def _shape(shape: Shape) -> list[str]:
    if isinstance(shape, Group):
        inner = [line for part in shape.shapes for line in _shape(part)]
        title = [f"<title>{escape(shape.title)}</title>"] if shape.title else []
        return [f"<g class={quoteattr(shape.name)}>", *title, *inner, "</g>"]
    if isinstance(shape, Text):
        return [_text(shape)]
    if isinstance(shape, Rect):
        place = f'x="{number(shape.x)}" y="{number(shape.y)}" width="{number(shape.width)}"'
        round_ = f' rx="{number(shape.radius)}"' if shape.radius else ""
        look = _look(shape.fill, shape.stroke, shape.line, shape.dash)
        return [f'<rect {place} height="{number(shape.height)}"{round_}{look}/>']
    return [f'<path d="{_moves(shape)}"{_look(shape.fill, shape.stroke, shape.width, shape.dash)}/>']


def _moves(path: Path) -> str:
    return "".join(letter + " ".join(f"{number(x)},{number(y)}" for x, y in points) for letter, points in path.moves)


def _look(fill: str, stroke: str, width: float, dash: tuple[float, ...]) -> str:
    line = f' stroke="{stroke}"' if stroke else ""
    if stroke and width != 1:
        line += f' stroke-width="{number(width)}"'
    if dash:
        line += f' stroke-dasharray="{" ".join(map(number, dash))}"'
    return f' fill="{fill or "none"}"{line}'


def _text(text: Text) -> str:
    look = f'font-size="{number(text.size)}" fill="{text.colour}"'
    if text.bold:
        look += ' font-weight="bold"'
    if text.anchor != "start":
        look += f' text-anchor="{text.anchor}"'
    # With its length given, the text fits where it was laid out for Helvetica, whatever font stands in for that.
    look += f' textLength="{number(text.long)}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{number(text.x)}" y="{number(text.y)}" {look}>{escape(text.text)}</text>'


def png(scene: Scene) -> bytes:
    """The picture in pixels. Raises WrongUsage where there is no font to write with."""
    import resvg_py

    letter = f'<svg xmlns="{NAMESPACE}" width="9" height="9" font-family="{FONTS}">{{}}</svg>'
    if _pixels(resvg_py, letter.format("<text y='9'>H</text>"), 1.0) == _pixels(resvg_py, letter.format(""), 1.0):
        raise WrongUsage("there is no font to write on a PNG with", help="install DejaVu Sans, say, or write .svg")
    return _pixels(resvg_py, svg(scene), min(ZOOM, LARGEST / scene.height, LARGEST / scene.width))


def _pixels(resvg: Any, picture: str, zoom: float) -> bytes:
    return bytes(resvg.svg_to_bytes(svg_string=picture, zoom=zoom, dpi=72))
