"""The same network written in another way: what each way does to a small spec, and shipped ones in all ways."""

from __future__ import annotations

import random
from pathlib import Path
from textwrap import dedent

import pytest
from equal_networks import same_facts, same_network
from interpreter import Files
from metamorphic import (
    EXACT,
    Copied,
    Inlined,
    Lines,
    Merged,
    Permuted,
    Renamed,
    Repeated,
    Rewriter,
    original,
    rewritten,
)
from written import Sizes, Written

import archdsl
from archdsl import library
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError
from archdsl.source import Source
from archdsl.syntax.printer import print_text
from archdsl.syntax.read import load, read

# Way -> definitions, a body, and the body written in that way.
WAYS: dict[type[Rewriter], tuple[str, str, str]] = {
    Lines: (
        "",
        "a: conv 1, 8 -> relu\nb: tanh -> identity when no",
        "a:\n  conv 1, 8\n  relu\nb:\n  tanh\n  identity when no",
    ),
    Repeated: ("", "a: 3 x conv 1, 8", "a:\n  repeat 3\n    conv 1, 8"),
    Copied: (
        "",
        "for n in [4, 8]\n  repeat 2\n    a{n}_{i}: conv 1, n if first else 2 * n + row",
        "\n".join(
            f"a{{{n}}}_{{{i}}}: conv 1, {n} if {'yes' if i == 0 else 'no'} else 2 * {n} + {row}"
            for row, n in enumerate((4, 8))
            for i in range(2)
        ),
    ),
    Merged: (
        "",
        "residual\n  a: conv 1, 8\ndense 2\n  b{i}: conv 1, 4",
        "add\n  - a: conv 1, 8\n  - skip\n" + "\n".join(f"concat\n  - skip\n  - b{{{i}}}: conv 1, 4" for i in range(2)),
    ),
    Inlined: (
        """
        block unit (width, other as step, act = relu, bias = yes)
          let half = input.channels // 2
          conv: conv 1, width, bias
          act
          add
            - from other
            - fit: conv 1, 2 * half
        macro tail (width)
          last: conv 1, width
        """,
        "a: conv 1, 8\nb: unit 2 * here.channels, @a, bias = here.channels > 9\nb2: tanh\ntail 3",
        """
        a: conv 1, 8
        b:
          let width_w0 = 2 * here.channels
          let bias_w1 = here.channels > 9
          let channels_w2 = here.channels
          let half_w3 = channels_w2 // 2
          conv: conv 1, width_w0, bias = bias_w1
          relu
          add
            - from a
            - fit: conv 1, 2 * half_w3
        b2: tanh
        last: conv 1, 3
        """,
    ),
    Renamed: (
        "",
        "a:\n  conv 1, 4\n  relu\nb: conv 1, @a.0.channels\nfrom a.0",
        "zza:\n  conv 1, 4\n  relu\nzzb: conv 1, @zza.0.channels\nfrom zza.0",
    ),
    Permuted: ("", "add\n  - a: conv 1, 8\n  - skip", "add\n  - skip\n  - a: conv 1, 8"),
}
# What must stay as it is, since it would say something else.
KEPT: dict[type[Rewriter], tuple[str, str]] = {
    Copied: ("", "repeat 2\n  a{i}: conv 1, 4 + nth"),
    Merged: ("", "residual\n  relu when no"),
    Inlined: ("block unit (width)\n  default conv  bias no\n  conv 1, width", "a: unit 4"),
    Permuted: ("", "add\n  - conv 1, 4\n  - skip"),
}
# Of every family one, all of its files; their inputs are small where weights are to be run.
SHIPPED = (
    "alexnet", "convnext_tiny", "deeplabv3_resnet50", "densenet121", "efficientnet_b0", "efficientnet_v2_s",
    "googlenet", "googlenet_2014", "inception_v3", "maxvit_t", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_small",
    "nin_cifar", "regnet_y_400mf", "resnet18", "resnet20", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_1",
    "swin_t", "swin_v2_t", "unet", "vgg11_bn", "vit_b_32",
)  # fmt: skip
RUN: dict[str, Sizes] = {
    "efficientnet_b0": (3, 32, 32), "mobilenet_v3_small": (3, 32, 32), "resnet20": (3, 32, 32), "swin_t": (3, 32, 32),
    "shufflenet_v2_x1_0": (3, 32, 32), "squeezenet1_1": (3, 33, 33), "d2l_densenet": (1, 32, 32),
}  # fmt: skip


def small(definitions: str, body: str) -> Files:
    lines = "\n".join(f"  {line}" for line in dedent(body).strip().splitlines())
    return Files(read(Source("n.arch", f"{dedent(definitions)}\nnet n\n  input 8x4x4\n{lines}\n")))


def shipped(name: str) -> Files:
    """A shipped network with all files that it extends or uses."""
    asked = read(load(library.find(name)))
    others, open_names = {}, [asked]
    while open_names:
        spec = open_names.pop()
        for other in filter(None, (spec.extends, *spec.use)):
            others[other] = read(load(library.with_libraries()[other]))
            open_names.append(others[other])
    return Files(asked, others)


def compiled(files: Files, folder: Path, input: str | None = None) -> Network:
    network = Written(files, folder, random.Random(0)).compiled(input)
    assert not isinstance(network, SpecError), network
    return network


@pytest.mark.parametrize("way", WAYS)
def test_what_a_way_does(way: type[Rewriter], tmp_path: Path) -> None:
    definitions, body, expected = WAYS[way]
    files = small(definitions, body)
    other = rewritten(files, [way], random.Random(1))
    assert print_text(other.asked) == print_text(small(definitions, expected).asked)
    network = archdsl.loads(print_text(files.asked))
    same_network(network, compiled(other, tmp_path), (8, 4, 4), [way])


@pytest.mark.parametrize("way", KEPT)
def test_what_it_leaves(way: type[Rewriter]) -> None:
    files = small(*KEPT[way])
    assert rewritten(files, [way], random.Random(1)) == files


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_in_other_ways(name: str, tmp_path: Path) -> None:
    files, network, changed = shipped(name), archdsl.load(name), 0
    for number, ways in enumerate([[way] for way in (*EXACT, Renamed, Permuted)] + [[*EXACT, *EXACT]]):
        other = rewritten(files, ways, random.Random(number))
        if other == files:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        made = compiled(other, folder)
        same_facts(network, made, original if Renamed in ways else str, ordered=Permuted not in ways)
        changed += 1
    assert changed


@pytest.mark.parametrize("name", RUN)
def test_shipped_networks_in_all_other_ways_at_once(name: str, tmp_path: Path) -> None:
    input = "x".join(map(str, RUN[name]))
    files, network = shipped(name), archdsl.load(name, input=input)
    ways = [*EXACT, *EXACT, Renamed]
    same_network(network, compiled(rewritten(files, ways, random.Random(0)), tmp_path, input), RUN[name], ways)


def test_what_differs_is_seen() -> None:
    """A test of the test."""
    one, other = (archdsl.loads(f"net n\n input 4x8x8\n a: conv 1, {width}\n") for width in (4, 8))
    with pytest.raises(AssertionError):
        same_facts(one, other)
