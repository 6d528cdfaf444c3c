"""Diagrams: what is in them, against the network itself, and the pictures made of them."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

import archdsl
from archdsl.emit.graph import READABLE
from archdsl.failure import WrongUsage
from archdsl.ir import Leaf, leaves

SHIPPED = (
    "alexnet",
    "densenet121",
    "densenet201",
    "googlenet",
    "lenet",
    "nin_cifar",
    "resnet18",
    "resnet50",
    "unet",
    "vgg16",
)
EVERYTHING = 99
SVG = "{http://www.w3.org/2000/svg}"

LOOPS = """
block cell (out)
  residual
    conv1: conv 3x3, out, pad same
    relu
    conv2: conv 3x3, out, pad same

net loops (times = 7)
  input 3x32x32
  stem: conv 3x3, 8, pad same
  body:
    repeat times
      cell 8
      relu
  gate:
    multiply
      - skip
      - scale: parameter [8, 1, 1]
  output early when training
    side: conv 1x1, 2
  head: conv 1x1, 4
"""


def loops(times: int = 7) -> archdsl.Network:
    return archdsl.loads(LOOPS, times=times)


def reads(leaf: Leaf) -> int:
    """How many tensors a step really takes: a parameter takes none."""
    return 0 if leaf.step.op.name == "parameter" else len(leaf.step.inputs)


@pytest.mark.parametrize("name", [*SHIPPED, "loops"])
def test_full_depth_has_every_step_and_tensor(name: str) -> None:
    network = loops() if name == "loops" else archdsl.load(name)
    diagram = network.diagram(depth=EVERYTHING)
    steps = list(leaves(network.net.scope))
    paths = [node.tooltip.partition(":")[0] for node in diagram.nodes if node.form in ("op", "join")]
    assert paths == [leaf.path for leaf in steps]
    assert len(diagram.edges) == sum(map(reads, steps)) + len(network.net.outputs)
    into = Counter(edge.target for edge in diagram.edges)
    taken = [into[node.id] for node in diagram.nodes if node.form in ("op", "join")]
    assert taken == [reads(leaf) for leaf in steps]


@pytest.mark.parametrize("name", [*SHIPPED, "loops"])
@pytest.mark.parametrize("depth", [None, 0, 1, 2, 3, EVERYTHING])
def test_drawn_once_and_in_order(name: str, depth: int | None) -> None:
    diagram = (loops() if name == "loops" else archdsl.load(name)).diagram(depth=depth)
    drawn = [member for member in diagram.members if isinstance(member, int)]
    drawn += [member for frame in diagram.clusters() for member in frame.members if isinstance(member, int)]
    assert sorted(drawn) == [node.id for node in diagram.nodes] == list(range(len(diagram.nodes)))
    assert all(edge.source < edge.target for edge in diagram.edges)
    leaving = {edge.source for edge in diagram.edges}
    assert all(node.id in leaving for node in diagram.nodes if node.form != "output")


@pytest.mark.parametrize("name", SHIPPED)
def test_default_is_readable(name: str) -> None:
    diagram = archdsl.load(name).diagram()
    assert 3 < len(diagram.nodes) <= READABLE


def test_a_long_flat_network_is_shown_while_it_is_readable() -> None:
    for layers, nodes in ((25, 52), (29, 60), (30, 3)):
        body = "    conv 3x3, 8\n    maxpool 1x1\n" * layers
        network = archdsl.loads(f"net flat\n  input 3x99x99\n  features:\n{body}".replace("3x3, 8", "3x3, 8, pad 1"))
        assert len(network.diagram().nodes) == nodes


def test_edges_of_resnet_go_where_tensors_go() -> None:
    diagram = archdsl.load("resnet18").diagram(depth=EVERYTHING)
    names = {node.id: node.tooltip.partition(":")[0] for node in diagram.nodes}
    into = {(names[edge.source], names[edge.target]): edge for edge in diagram.edges}
    assert into["layer1.0.bn2", "layer1.0.~add"].skip is False
    assert into["~maxpool", "layer1.0.~add"].skip is True
    assert into["layer1.0.~relu2", "layer1.1.~add"].skip is True
    assert into["layer2.0.downsample.1", "layer2.0.~add"].skip is False
    assert into["layer1.1.~relu2", "layer2.0.downsample.0"].skip is False
    assert sum(edge.skip for edge in diagram.edges) == 5  # eight blocks, three of them with a convolution


STREAMS = """
net streams
  input 3x16x16
  stem: conv 3x3, 8, pad same
  high:
    conv 3x3, 8, pad same
    maxpool 1x1
    conv 3x3, 8, pad same
  low:
    from stem
    conv 3x3, 8, pad same
    maxpool 1x1
    conv 3x3, 8, pad same
  add
    - from high
    - from low
"""


@pytest.mark.parametrize("depth", [1, 2, EVERYTHING])
def test_what_begins_with_from_has_no_edge_from_the_step_in_front_of_it(depth: int) -> None:
    diagram = archdsl.loads(STREAMS).diagram(depth=depth)
    names = {node.id: node.tooltip.partition(":")[0].partition(",")[0].partition(".")[0] for node in diagram.nodes}
    edges = {(names[edge.source], names[edge.target]): edge.skip for edge in diagram.edges}
    assert ("high", "low") not in edges
    assert edges["stem", "high"] is edges["stem", "low"] is False
    assert {("high", "~add"), ("low", "~add")} <= edges.keys()


def test_a_network_of_blocks_that_recur_shows_its_own_steps_at_least() -> None:
    block = "block cell\n  conv 3x3, 8, pad same\n  maxpool 1x1\n  conv 3x3, 8, pad same\n"
    steps = "".join(f"  a{k}: cell\n  b{k}: maxpool 1x1\n" for k in range(14))
    diagram = archdsl.loads(f"{block}net long\n  input 8x16x16\n{steps}").diagram()
    assert len(diagram.nodes) == 30
    assert [figure.name for figure in diagram.figures] == ["cell"]


def test_equal_neighbours_are_one_node() -> None:
    nodes = archdsl.load("resnet152").diagram(depth=2).nodes
    blocks = [(node.title, node.times) for node in nodes if node.form == "block"]
    assert blocks == [
        ("bottleneck 64", 1),
        ("bottleneck 64", 2),
        ("bottleneck 128, stride 2", 1),
        ("bottleneck 128", 7),
        ("bottleneck 256, stride 2", 1),
        ("bottleneck 256", 35),
        ("bottleneck 512, stride 2", 1),
        ("bottleneck 512", 2),
    ]


def test_an_opened_repetition_is_drawn_once() -> None:
    diagram = archdsl.load("resnet152").diagram(depth=3)
    assert ("bottleneck 256", 35) in [(frame.title, frame.times) for frame in diagram.clusters()]
    assert len(diagram.nodes) < READABLE


def test_a_million_repetitions_cost_nothing() -> None:
    network = loops(1_000_000)
    start = time.perf_counter()
    for depth in (None, 1, EVERYTHING):
        diagram = network.diagram(depth=depth)
        assert len(diagram.nodes) < READABLE
    assert time.perf_counter() - start < 0.5
    assert 999_998 in [frame.times for frame in diagram.clusters()]


def test_convolution_norm_and_activation_are_one_box() -> None:
    first = archdsl.load("resnet50").diagram(depth=1).nodes[1]
    assert (first.kind, first.title) == ("conv", "conv1")
    assert first.details == ("conv 7×7, 64, stride 2", "batchnorm · relu")


def test_shapes_are_on_edges_where_they_change() -> None:
    edges = archdsl.load("resnet50").diagram(depth=1).edges
    assert [edge.label for edge in edges] == [
        "",
        "64 × 112 × 112",
        "64 × 56 × 56",
        "256 × 56 × 56",
        "512 × 28 × 28",
        "1024 × 14 × 14",
        "2048 × 7 × 7",
        "2048 × 1 × 1",
        "2048",
        "",  # the output tells its own
    ]


def test_symbolic_shapes() -> None:
    diagram = archdsl.load("resnet50", input="3xHxW").diagram(depth=1)
    assert diagram.nodes[0].details == ("3 × H × W",)
    assert "2048 × ⌈H/32⌉ × ⌈W/32⌉" in [edge.label for edge in diagram.edges]


def test_side_heads_are_aside() -> None:
    diagram = archdsl.load("googlenet").diagram(depth=1)
    aside = {node.title for node in diagram.nodes if node.aside}
    assert aside == {"aux1", "aux2", "aux_logits1", "aux_logits2"}
    assert {diagram.nodes[edge.target].title for edge in diagram.edges if edge.aside} == aside
    after = {diagram.nodes[edge.target].title: edge.label for edge in diagram.edges}
    assert (after["aux1"], after["inception4b"]) == ("", "512 × 14 × 14")  # told on the main line


def test_a_block_by_itself() -> None:
    diagram = archdsl.load("googlenet").diagram(block="inception")
    assert diagram.name == "inception (inception3a of googlenet)"
    concat = next(node for node in diagram.nodes if node.form == "join")
    into = [edge for edge in diagram.edges if edge.target == concat.id]
    assert [edge.label for edge in into] == [f"{n} × 28 × 28" for n in (64, 128, 32, 32)]
    assert diagram.nodes[0].details == ("192 × 28 × 28",)
    assert diagram.nodes[-1].details == ("256 × 28 × 28",)


TAPS = """
block stage (c)
  a: conv 3x3, c, pad same
  b: conv 3x3, c, pad same

net taps
  input 3x32x32
  s1: stage 8
  unused lost: conv 1x1, 5
  s2: stage 8
  add
    - from s1.a
    - skip
"""


def test_a_tensor_from_inside_a_block() -> None:
    network = archdsl.loads(TAPS)
    for depth, source in ((1, "s1"), (2, "a")):
        nodes, edges = (diagram := network.diagram(depth=depth)).nodes, diagram.edges
        (add,) = (node.id for node in nodes if node.form == "join")
        assert next((nodes[edge.source].title, edge.skip) for edge in edges if edge.target == add) == (source, True)
        assert [node.title for node in nodes if node.aside] == ["lost"]
    inside = network.diagram(block="stage")
    assert [node.title for node in inside.nodes if node.form == "output"] == ["output", "a"]


def test_an_unknown_block() -> None:
    with pytest.raises(WrongUsage, match=r"no block `incepton`\n.*did you mean `inception`"):
        archdsl.load("googlenet").diagram(block="incepton")
    with pytest.raises(WrongUsage, match="blocks are conv_bn, inception"):
        archdsl.load("googlenet").diagram(block="transformer")
    with pytest.raises(WrongUsage, match="without blocks"):
        archdsl.load("lenet").diagram(block="x")


def test_mermaid() -> None:
    diagram = archdsl.load("googlenet").diagram(depth=2)
    lines = diagram.render("mmd").decode().splitlines()
    assert lines[0] == "flowchart TD"
    assert sum(bool(re.match(r"\s*n\d+ (-->|-\.->|==>)", line)) for line in lines) == len(diagram.edges)
    assert sum(line.strip().startswith("subgraph") for line in lines) == len(list(diagram.clusters()))
    assert sum(line.strip() == "end" for line in lines) == len(list(diagram.clusters()))


def test_dot_text() -> None:
    diagram = archdsl.load("resnet18").diagram()
    source = diagram.render("dot").decode()
    assert source.startswith("digraph network {")
    assert source.count(" -> ") == len(diagram.edges)


def test_unknown_formats() -> None:
    diagram = archdsl.load("lenet").diagram()
    for wrong in ("", "gif", "SVGZ"):
        with pytest.raises(WrongUsage, match=r"\.svg, \.png, \.pdf, \.dot, \.mmd"):
            diagram.render(wrong)
