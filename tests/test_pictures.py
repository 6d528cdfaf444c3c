"""The pictures made of diagrams: nothing is missing, nothing covers anything else, and bytes are reproducible."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import time
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import archdsl
from archdsl import library
from archdsl.cli import run
from archdsl.emit.graph import READABLE, Cluster, Diagram, Edge, Node
from archdsl.emit.picture import svg
from archdsl.emit.picture.columns import Columns
from archdsl.emit.picture.compose import compose
from archdsl.emit.picture.paint import Painter
from archdsl.emit.picture.place import Placer
from archdsl.emit.picture.scene import Group, Point, Rect, Scene
from archdsl.emit.picture.themes import KINDS, THEMES, theme
from archdsl.failure import WrongUsage
from archdsl.ir import leaves

SHIPPED = sorted(path.stem for path in library.folder().rglob("*.yaml") if path.parent.name != "blocks")
EVERYTHING = 99
SVG = "{http://www.w3.org/2000/svg}"
GOLDEN = Path(__file__).parent / "golden" / "pictures"
# Each shows something that others don't.
LOOKS: dict[str, dict[str, Any]] = {
    "lenet": {},
    "vgg16": {"direction": "right"},
    "googlenet": {},
    "inception_v3": {"theme": "print"},
    "resnet18": {"numbers": True},
    "resnet50": {"theme": "dark", "fit": "column"},
    "densenet201": {},
    "unet": {},
    "deeplabv3_resnet50": {},
    "mobilenet_v3_large": {"direction": "right", "theme": "transparent"},
    "vit_b_16": {},
    "swin_t": {},
    "shufflenet_v2_x1_0": {},
}


def scene(diagram: Diagram, *, down: bool = True, numbers: bool = False, slide: bool = True) -> Scene:
    return compose(diagram, theme("light"), down=down, numbers=numbers, slide=slide)


def groups(picture: Scene, name: str) -> list[Group]:
    return [shape for shape in picture.shapes if isinstance(shape, Group) and shape.name == name]


def texts(picture: bytes | str) -> list[str]:
    root = ElementTree.fromstring(picture)
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_network_by_default(name: str) -> None:
    diagram = archdsl.load(name).diagram()
    figures = (diagram, *diagram.figures)
    assert 2 < sum(len(one.nodes) for one in figures) <= READABLE
    for down in (True, False):
        start = time.perf_counter()
        picture = scene(diagram, down=down)
        assert time.perf_counter() - start < 1.0
        assert len(groups(picture, "node")) == sum(len(one.nodes) for one in figures)
        assert len(groups(picture, "edge")) == sum(len(one.edges) for one in figures)
        assert not covered(picture)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_step_and_tensor_at_full_depth(name: str) -> None:
    network = archdsl.load(name)
    diagram = network.diagram(depth=EVERYTHING)
    steps = list(leaves(network.net.scope))
    picture = scene(diagram)
    tensors = sum(0 if leaf.step.op.name == "parameter" else len(leaf.step.inputs) for leaf in steps)
    assert len(groups(picture, "node")) == len(steps) + len(network.net.outputs) + 1
    assert len(groups(picture, "edge")) == tensors + len(network.net.outputs)


Area = tuple[float, float, float, float]


def boxes(picture: Scene) -> list[Area]:
    """The outlines of the nodes, the top sheet of a pile."""
    found = []
    for group in groups(picture, "node"):
        sheets = [shape for shape in group.shapes if isinstance(shape, Rect)]
        if sheets:
            found.append(
                (sheets[-1].x, sheets[-1].y, sheets[-1].x + sheets[-1].width, sheets[-1].y + sheets[-1].height)
            )
    return found


def covered(picture: Scene) -> list[object]:
    """Boxes that lie on each other, and lines that run over boxes."""
    areas = boxes(picture)
    wrong: list[object] = [(one, other) for k, one in enumerate(areas) for other in areas[:k] if overlap(one, other)]
    for group in groups(picture, "edge"):
        points = [points[-1] for letter, points in group.shapes[0].moves if points]  # type: ignore[union-attr]
        wrong += [(one, two) for one, two in pairwise(points) for area in areas if runs(one, two, area)]
    return wrong


def overlap(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def runs(start: Point, end: Point, area: Area) -> bool:
    """Whether a piece of a line is inside a box, further than its rim."""
    rim = 1.5
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    return left < area[2] - rim and right > area[0] + rim and top < area[3] - rim and bottom > area[1] + rim


@pytest.mark.parametrize("name", LOOKS)
def test_looks(name: str, overwrite_golden: bool) -> None:
    """`pytest --overwrite-golden` writes them anew: a change of looks is a visible diff."""
    picture = archdsl.load(name).diagram().render("svg", **LOOKS[name])
    golden = GOLDEN / f"{name}.svg"
    if overwrite_golden:
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(picture)
    assert picture == golden.read_bytes()


@pytest.mark.parametrize("name", ["lenet", "vgg16"])
def test_looks_of_volumes(name: str, overwrite_golden: bool) -> None:
    picture = archdsl.load(name).diagram().volumes("svg")
    golden = GOLDEN / f"{name}_volumes.svg"
    if overwrite_golden:
        golden.write_bytes(picture)
    assert picture == golden.read_bytes()


def test_the_svg_shows_it_all() -> None:
    diagram = archdsl.load("googlenet").diagram()
    picture = diagram.render("svg")
    shown = Counter(texts(picture))
    for node in diagram.nodes:
        assert shown[node.title] >= 1
    assert shown["512 × 14 × 14"] == 1
    assert {"convolution", "linear", "pooling", "reshaping", "block"} <= set(shown)
    tooltips = {title.text for title in ElementTree.fromstring(picture).iter(f"{SVG}title")}
    assert {node.tooltip for node in diagram.nodes} <= tooltips
    assert "maxpool1: maxpool: kernel 3×3, stride 2, ceil yes\noutput: 64 × 56 × 56" in tooltips


def test_the_inside_of_a_block_that_recurs() -> None:
    """The module of the paper's figure 2(b), by the columns of its table 1."""
    (figure,) = archdsl.load("googlenet").diagram().figures
    assert (figure.name, figure.about) == ("inception", "inception c1, c3r, c3, c5r, c5, pool")
    convolutions = sorted(text for node in figure.nodes for text in (node.title, *node.details) if "conv" in text)
    assert convolutions == [
        "conv 1×1, c1",
        "conv 1×1, c3r",
        "conv 1×1, c5r",
        "conv 1×1, pool",
        "conv 3×3, c3",
        "conv 3×3, c5",
    ]
    concat = next(node.id for node in figure.nodes if node.form == "join")
    assert sum(edge.target == concat for edge in figure.edges) == 4


def test_two_structures_of_a_block_are_two_figures() -> None:
    projected, plain = archdsl.load("resnet50").diagram().figures
    lines = [detail for node in projected.nodes for detail in node.details]
    assert "conv 1×1, 4 · width" in lines
    assert "conv 3×3, width, stride" in lines
    assert [node.title for node in projected.nodes if node.title == "downsample"] == ["downsample"]
    assert sum(edge.skip for edge in plain.edges) == 1
    assert all(not node.macs for node in plain.nodes)  # they differ from block to block


def test_numbers() -> None:
    network = archdsl.load("resnet18")
    diagram = network.diagram(depth=1)
    cost = network.cost()
    assert sum(node.params * node.times for node in diagram.nodes) == cost.params
    assert sum(node.macs * node.times for node in diagram.nodes) == cost.macs
    shown = texts(diagram.render("svg", numbers=True))
    assert "9.54 K parameters · 118 M MACs" in shown  # 7*7*3*64 + 2*64; 7*7*3*64 * 112*112
    assert "513 K parameters · 513 K MACs" not in texts(diagram.render("svg"))


def test_a_network_that_goes_down_and_up_is_a_u() -> None:
    diagram = archdsl.load("unet").diagram()
    for down in (True, False):
        columns = Columns(diagram, Placer(diagram, down=down, numbers=False))
        (flow,) = columns.flows_near(16 / 9)
        painter = Painter(diagram, flow, theme("light"), down=down, numbers=False)
        ways = dict(painter._around())
        crossing = [
            k for k, edge in enumerate(diagram.edges) if diagram.nodes[edge.target].title == "concat" and edge.skip
        ]
        assert sorted(ways) == crossing
        assert len(crossing) == 4
        for points in ways.values():
            (x, y), (to_x, to_y) = points
            assert (y == pytest.approx(to_y)) if down else (x == pytest.approx(to_x))


@pytest.mark.parametrize("fit", ["slide", "column"])
def test_proportions(fit: Any) -> None:
    for name in ("googlenet", "resnet152", "vgg19", "densenet121"):
        root = ElementTree.fromstring(archdsl.load(name).diagram().render("svg", fit=fit))
        width, height = map(float, root.get("viewBox", "").split()[2:])
        if fit == "slide":
            assert 0.7 < width / height < 3
        else:
            assert width < 600
            assert width < height


def test_bytes_are_the_same_in_another_process() -> None:
    script = (
        "import archdsl, sys; d = archdsl.load('googlenet').diagram()\n"
        "sys.stdout.buffer.write(b'|'.join(d.render(f) for f in ('svg', 'png', 'pdf', 'dot', 'mmd')))\n"
        "sys.stdout.buffer.write(d.volumes('svg'))\n"
        "assert 'torch' not in sys.modules"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) > 10_000


NASTY = ('<b>"x"</b>', "a\\nb \\", "a&lt;b & c", "<angle>", "node", "]]>;{}|#")


@pytest.mark.parametrize("text", NASTY)
def test_labels_say_themselves(text: str) -> None:
    node = Node(0, "op", "conv", text, (text,), text)
    join = Node(1, "join", "merge", text, (), text)
    frame = Cluster(text, text, (0,))
    diagram = Diagram(text, (node, join), (Edge(0, 1, text),), (frame, 1))
    picture = diagram.render("svg")
    assert Counter(texts(picture))[text] == 5
    assert [title.text for title in ElementTree.fromstring(picture).iter(f"{SVG}title")] == [text] * 4
    quoted = "".join(f"#{ord(letter)};" if letter in '"<>#;&`\\' else letter for letter in text)
    assert f'n0["{quoted}<br/>{quoted}"]:::conv' in diagram.render("mmd").decode()


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", THEMES)
def test_letters_can_be_read(name: str) -> None:
    """A contrast of 4.5 to 1 or more, as WCAG 2 asks for."""
    colours = THEMES[name]
    assert set(colours.kinds) == set(KINDS)
    grounds = [colours.ground or "#FFFFFF", *(fill for _, fill in colours.kinds.values())]
    grounds += [frame for frame in colours.frames if frame != "none"]
    for ground in grounds:
        for ink in (colours.ink, colours.quiet):
            dark, light = sorted((luminance(ink), luminance(ground)))
            assert (light + 0.05) / (dark + 0.05) > 4.5, (ink, ground)


def test_print_is_grey() -> None:
    colours = set(re.findall(rb"#[0-9A-F]{6}", archdsl.load("googlenet").diagram().render("svg", theme="print")))
    assert len(colours) > 4
    assert all(colour[1:3] == colour[3:5] == colour[5:7] for colour in colours)
    assert b"<rect width=" not in archdsl.load("lenet").diagram().render("svg", theme="transparent")


def test_png() -> None:
    data = archdsl.load("lenet").diagram().render("png")
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) > int.from_bytes(data[20:24]) > 300


def test_a_pdf_has_what_the_svg_has() -> None:
    diagram = archdsl.load("resnet50").diagram()
    data = diagram.render("pdf")
    assert data.startswith(b"%PDF-1.4")
    table = int(data.split(b"startxref\n")[1].split()[0])
    places = [int(row.split()[0]) for row in data[table:].splitlines()[3:] if row.endswith(b" n ")]
    for number, place in enumerate(places, 1):
        assert data[place:].startswith(b"%d 0 obj" % number)
    length = int(re.search(rb"/Length (\d+)", data)[1])  # type: ignore[index]
    drawing = zlib.decompress(data.split(b"stream\n", 1)[1][:length]).decode("cp1252")
    written = [re.sub(r"\\(.)", r"\1", text) for text in re.findall(r"\(((?:\\.|[^()\\])*)\) Tj", drawing)]
    assert Counter(written) == Counter(texts(diagram.render("svg")))


def test_a_pdf_spells_what_its_font_lacks() -> None:
    assert archdsl.load("resnet50", input="3xHxW").diagram(depth=1).render("pdf")
    node = Node(0, "op", "conv", "卷积", (), "")
    with pytest.raises(WrongUsage, match=r"letter `卷`.*\n.*\.svg"):
        Diagram("net", (node,), (), (0,)).render("pdf")


def test_unknown_formats_and_looks() -> None:
    diagram = archdsl.load("lenet").diagram()
    for wrong in ("", "gif", "SVGZ"):
        with pytest.raises(WrongUsage, match=r"\.svg, \.png, \.pdf, \.dot, \.mmd"):
            diagram.render(wrong)
    wrong_looks: tuple[dict[str, Any], ...] = ({"theme": "neon"}, {"direction": "up"}, {"fit": "poster"})
    for given in wrong_looks:
        with pytest.raises(WrongUsage, match="it is one of"):
            diagram.render("svg", **given)
    with pytest.raises(WrongUsage, match=r"\.svg, \.png, \.pdf"):
        diagram.volumes("dot")


def test_no_font_to_draw_a_png_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "_pixels", lambda *_: b"the same with letters and without")
    with pytest.raises(WrongUsage, match="no font"):
        archdsl.load("lenet").diagram().render("png")


def test_a_notebook_shows_it() -> None:
    diagram = archdsl.load("lenet").diagram()
    assert diagram._repr_svg_().encode() == diagram.render("svg")


def heights(picture: bytes) -> list[float]:
    """Of the front faces, from left to right."""
    found = []
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):
        if group.get("class") == "volume":
            front = group.findall(f"{SVG}path")[-1].get("d", "")
            ys = [float(pair.split(",")[1]) for pair in re.findall(r"[\d.-]+,[\d.-]+", front)]
            found.append(max(ys) - min(ys))
    return found


def test_volumes_of_lenet() -> None:
    """The feature maps of LeNet-5's figure, with 28x28 images: 6, 16 channels; 120, 84, 10 units."""
    picture = archdsl.load("lenet").diagram().volumes("svg")
    shown = texts(picture)
    sizes = [text for text in shown if re.fullmatch(r"[\d × ]+", text)]
    assert sizes == [
        *("1 × 28 × 28", "6 × 28 × 28", "6 × 14 × 14", "16 × 10 × 10", "16 × 5 × 5"),
        *("400", "120", "84", "10"),
    ]
    maps = heights(picture)[:5]
    # Heights go by the square root: 28 : 14 : 10 : 5.
    assert [side / maps[0] for side in maps] == pytest.approx(
        [(size / 28) ** 0.5 for size in (28, 28, 14, 10, 5)], abs=0.01
    )
    assert not any("main line" in text for text in shown)


def test_volumes_say_what_they_leave_out() -> None:
    shown = texts(archdsl.load("googlenet").diagram().volumes("svg"))
    assert "The main line of googlenet, without 2 boxes beside it." in shown
    shown = texts(archdsl.load("unet").diagram().volumes("svg"))
    assert "The main line of unet, without 4 tensors that pass by." in shown


def test_volumes_need_sizes() -> None:
    with pytest.raises(WrongUsage, match="--input 3x224x224"):
        archdsl.load("vgg16", input="3xHxH").diagram().volumes("svg")


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "one_hidden_layer", "seide_5x2k"])
def test_volumes_of_tokens_and_vectors(name: str) -> None:
    assert len(heights(archdsl.load(name).diagram().volumes("svg"))) > 2


def test_the_pictures_on_the_pages_are_current(tmp_path: Path) -> None:
    docs = Path(archdsl.__file__).parents[1] / "docs"
    draw = runpy.run_path(str(docs.parent / "scripts" / "make_pictures.py"))["draw"]
    drawn = draw(tmp_path)
    pages = "".join((docs / page).read_text() for page in ("diagrams.md", "compare.md"))
    shown = re.findall(r"!\[.+\]\(pictures/(.+)\)", pages)
    assert sorted(path.name for path in drawn) == sorted(shown)
    for path in drawn:
        assert path.read_bytes() == (docs / "pictures" / path.name).read_bytes(), "run scripts/make_pictures.py"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "net.svg"
    assert run(["diagram", "resnet18", "--direction", "right", "--theme", "dark", "--numbers", "-o", str(picture)]) == 0
    expected = archdsl.load("resnet18").diagram().render("svg", direction="right", theme="dark", numbers=True)
    assert picture.read_bytes() == expected
    assert run(["diagram", "lenet", "--style", "volumes", "-o", str(picture)]) == 0
    assert picture.read_bytes() == archdsl.load("lenet").diagram().volumes("svg")
    assert run(["diagram", "lenet", "--style", "volumes", "--numbers", "-o", str(picture)]) == 2
    assert "leave --numbers, --direction and --fit out" in capsys.readouterr().err


def test_taking_turns_is_drawn_once() -> None:
    """Swin-B has 18 blocks in its third stage, of which every second one shifts its windows (table 7)."""
    frames = [frame for frame in archdsl.load("swin_b").diagram().clusters() if frame.times > 1]
    assert [(frame.times, len(frame.members)) for frame in frames] == [(9, 2)]


def test_blocks_that_differ_in_drop_rate_alone_are_one() -> None:
    """ConvNeXt-T has 3, 3, 9, 3 blocks, whose stochastic depth grows."""
    nodes = archdsl.load("convnext_tiny").diagram().nodes
    assert [node.times for node in nodes if node.form == "block"] == [3, 3, 9, 3]


def test_a_side_head_that_reads_inside_and_outside_its_frame() -> None:
    nodes = (
        Node(0, "input", "input", "in", (), ""),
        Node(1, "op", "conv", "main", (), ""),
        Node(2, "op", "conv", "side", (), ""),
        Node(3, "output", "output", "out", (), ""),
    )
    edges = (Edge(0, 1, ""), Edge(1, 2, ""), Edge(0, 2, ""), Edge(1, 3, ""))
    picture = scene(Diagram("net", nodes, edges, (0, Cluster("frame", "", (1, 2)), 3)))
    assert len(groups(picture, "edge")) == len(edges)
