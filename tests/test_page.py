"""The interactive page, as far as it can be looked at without a browser: its data, its markup, its size."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl import library
from archdsl.cli import run
from archdsl.emit.page.parts import TOGETHER
from archdsl.ir import leaves

LARGEST = 1_500_000  # bytes of a page
VOID = frozenset(("meta", "link", "input", "br"))
FRAMES = ("loop", "side", "range")


@cache
def made(name: str) -> str:
    return archdsl.load(name).page().html


def embedded(page: str) -> dict[str, Any]:
    """The data in a page."""
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(found)
    return data


def paths(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every box with its path."""
    around: list[tuple[int, str]] = []
    for place, box in enumerate(data["boxes"]):
        while around and around[-1][0] <= place:
            around.pop()
        above = around[-1][1] if around else ""
        named = place > 0 and box["k"] not in FRAMES
        path = ".".join(filter(None, (above, box["n"]))) if named else above
        if "e" in box:
            around.append((box["e"], path))
        yield path, box


class Markup(HTMLParser):
    """Checks that every element is closed where it should be, and collects the attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        self.ids += [value or "" for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", library.names())
def test_the_boxes_are_the_layers_of_the_summary(name: str) -> None:
    """Each layer of the JSON interface once, in order, with its numbers."""
    network = archdsl.load(name)
    data, told = embedded(made(name)), network.to_json()
    ops = [(path, box) for path, box in paths(data) if "f" not in box]
    assert [path for path, _ in ops] == [layer["path"] for layer in told["layers"]]
    for (_, box), layer in zip(ops, told["layers"], strict=True):
        numbers = [box.get(key, 0) for key in ("p", "b", "m", "t")]
        assert numbers == [layer[key] for key in ("params", "buffers", "macs", "training_macs")]
        assert box.get("c", 1) == layer["count"]
        assert data["shapes"][box["o"]][0] == "x".join(map(str, layer["output"]))
        assert data["fields"][box["r"]][0] == layer["receptive_field"]
    assert sum(box.get("c", 1) for _, box in ops) == sum(1 for _ in leaves(network.net.scope))
    assert sum(box.get("p", 0) * box.get("c", 1) for _, box in ops) == data["params"] == told["params"]
    assert sum(box.get("m", 0) * box.get("c", 1) for _, box in ops) == data["macs"] == told["macs"]


@pytest.mark.parametrize("name", library.names())
def test_a_page_is_small_whole_and_asks_for_nothing(name: str) -> None:
    start = time.process_time()
    page = archdsl.load(name).page().html
    assert time.process_time() - start < 1
    assert len(page.encode()) < LARGEST
    markup = Markup()
    markup.feed(page)
    assert not markup.open
    assert len(markup.ids) == len(set(markup.ids))
    for tag, key, value in markup.attributes:
        assert key not in ("src", "style")
        assert not key.startswith("on")
        assert key != "href" or value == "data:,"
        assert key != "http-equiv" or (tag, value) == ("meta", "Content-Security-Policy")
    for style in re.findall(r"<style>(.*?)</style>", page, re.DOTALL):
        assert "url(" not in style
        assert "@import" not in style


def test_the_policy_allows_this_script_and_style_alone() -> None:
    page = made("lenet")
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    for kind in ("style", "script"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {"img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


HOSTILE = """\
# </script><script>alert(1)</script> <!-- {{script}}
net odd
  about "</title><img src=x onerror=alert(1)> & {{data}}"
  input 3x32x32
  conv1: conv 3x3, 8
"""


def test_what_a_spec_says_stays_text() -> None:
    page = archdsl.loads(HOSTILE, name="</script><b>.arch").page().html
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert "<!--" not in page
    assert "{{title}}" not in page
    data = embedded(page)
    assert data["files"] == [{"name": "script><b>.arch", "text": HOSTILE}]
    assert data["about"] == "</title><img src=x onerror=alert(1)> & {{data}}"


def test_a_page_names_no_folder() -> None:
    data = embedded(made("densenet201"))
    assert [file["name"] for file in data["files"]] == ["densenet201.yaml", "densenet121.yaml"]
    assert str(library.folder()) not in made("densenet201")


def test_a_box_knows_its_line() -> None:
    data = embedded(made("googlenet"))
    lines = library.find("googlenet").read_text().splitlines()
    found = {path: lines[box["l"][1] - 1].strip() for path, box in paths(data)}
    assert found["inception3a"] == "- inception3a: inception 64, 96, 128, 16, 32, 32"
    assert found["inception3a.branch4.0"] == "- branch4: maxpool 3x3, stride 1, pad 1 -> conv_bn 1x1, pool"
    assert found["fc"] == "- fc: linear classes"


def test_side_heads_are_marked() -> None:
    boxes = [box for _, box in paths(embedded(made("googlenet")))]
    sides = [(box["n"], box["d"]) for box in boxes if box["k"] == "side"]
    assert sides == [("aux_logits1", "training"), ("aux_logits2", "training")]


LOOP = """\
block cell
  conv1: conv 3x3, 8, pad same
  relu
net deep (times = 5)
  input 3x32x32
  stem: conv 3x3, 8, pad same
  body:
    repeat times
      cell
      conv 1x1, 8
  tail:
    times x cell
"""


def test_loops_stay_folded() -> None:
    data = embedded(archdsl.loads(LOOP).page().html)
    loop = next(box for box in data["boxes"] if box["k"] == "loop")
    assert (loop["x"], loop["p"]) == (5, 8 * 8 * 9 + 8 + 8 * 8 + 8)
    assert [box["x"] for path, box in paths(data) if path == "tail.{0..4}"] == [5]
    million = embedded(archdsl.loads(LOOP, times=1_000_000).page().html)
    assert len(million["boxes"]) == len(data["boxes"])
    assert million["params"] == archdsl.loads(LOOP, times=1_000_000).cost().params


def test_many_layers_stand_in_ranges() -> None:
    rows = "\n".join(f"  c{k}: conv 1x1, {8 + k % 5}" for k in range(30_000))
    network = archdsl.loads(f"net long\n  input 3x8x8\n{rows}\n")
    start = time.process_time()
    page = network.page().html
    assert time.process_time() - start < 6
    data = embedded(page)
    assert all(len(flow["i"]) <= TOGETHER for flow in data["flows"])
    outer = [box["n"] for box in data["boxes"] if box["k"] == "range" and box["e"] - data["boxes"].index(box) > 1000]
    assert outer == ["1 to 10,000", "10,001 to 20,000", "20,001 to 30,000"]
    assert [path for path, box in paths(data) if "f" not in box] == [f"c{k}" for k in range(30_000)]


def test_boxes_beyond_all_bounds_are_left_out_by_levels() -> None:
    blocks = ["block b0\n  conv 1x1, 8\n  relu"]
    blocks += [f"block b{k}\n  b{k - 1}\n  relu\n  b{k - 1}" for k in range(1, 25)]
    text = "\n".join([*blocks, "net wide", "  input 8x8x8", "  b24"])
    network = archdsl.loads(text)
    data = embedded(network.page().html)
    assert data["left_out"]
    assert 10_000 < len(data["boxes"]) < 70_000
    assert sum(box.get("p", 0) for box in data["boxes"] if "f" not in box) == network.cost().params


def test_an_open_input_is_told_in_letters() -> None:
    data = embedded(archdsl.load("resnet18", input="3xHxW").page().html)
    assert data["shapes"][data["input"]] == ["3xHxW", None]
    assert data["macs"].startswith("≈")
    assert any(words.startswith("512x") and "H" in words for words, _ in data["shapes"])


def test_a_notebook_shows_the_page_in_a_frame() -> None:
    page = archdsl.load("lenet").page()
    (inner,) = re.findall(r'<iframe srcdoc="([^"]*)"', page._repr_html_())
    assert html.unescape(inner) == page.html
    assert 'sandbox="allow-scripts"' in page._repr_html_()


def test_a_notebook_shows_a_network_as_its_diagram() -> None:
    network = archdsl.load("lenet")
    shown = network._repr_mimebundle_()
    assert shown["image/svg+xml"].lstrip().startswith("<")
    assert "<svg" in shown["image/svg+xml"]
    assert "<script" not in shown["image/svg+xml"]
    assert shown["text/plain"] == network.summary()
    assert network.diagram()._repr_svg_() == shown["image/svg+xml"]


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "net.html"
    assert run(["diagram", "lenet", "-o", str(target)]) == 0
    assert target.read_text(encoding="utf-8") == made("lenet")
    assert run(["diagram", "lenet", "-o", str(target), "--depth", "1"]) == 2
    assert "a page is made in one way" in capsys.readouterr().err


def test_a_cut_network_shows_its_outputs() -> None:
    data = embedded(archdsl.load("resnet18").at("layer2", "layer4").page().html)
    names = [box["n"] for _, box in paths(data) if "e" in box]
    assert {"layer2", "layer4"} <= set(names)
    assert sorted(data["boxes"][0]["outputs"].values()) == ["layer2", "layer4"]
    assert [output["name"] for output in data["outputs"]] == ["layer2", "layer4"]
