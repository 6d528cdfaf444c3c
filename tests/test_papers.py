"""Networks written from their papers, shipped and on a page, compute what modules written by hand do."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from test_examples_page import pieces
from torch import nn
from zoo import drawn, image

import archdsl


def conv(channels: int, out: int, kernel: int, stride: int = 1, *, act: bool = True, bias: bool = False) -> nn.Module:
    steps = [nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=bias), nn.BatchNorm2d(out)]
    return nn.Sequential(*steps, nn.ReLU()) if act else nn.Sequential(*steps)


class Bottleneck(nn.Module):
    """He et al. 2016, figure 5, right; with a gate as in Hu et al. 2018, figure 3."""

    def __init__(self, channels: int, width: int, stride: int = 1, *, gated: bool = False) -> None:
        super().__init__()
        out = 4 * width
        self.body = nn.Sequential(
            conv(channels, width, 1, stride), conv(width, width, 3), conv(width, out, 1, act=False)
        )
        self.gate: Any = nn.ModuleList([nn.Conv2d(out, out // 16, 1), nn.Conv2d(out // 16, out, 1)] if gated else [])
        self.down = conv(channels, out, 1, stride, act=False) if channels != out else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        if self.gate:
            squeeze, excite = self.gate
            y = y * excite(squeeze(y.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return nn.functional.relu(y + (x if self.down is None else self.down(x)))


class SEResNet50(nn.Module):
    """Hu et al. 2018, table 1."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 64, 7, 2)
        channels, blocks = 64, []
        for stage, count in enumerate((3, 4, 6, 3)):
            for k in range(count):
                stride = 2 if k == 0 and stage > 0 else 1
                blocks.append(Bottleneck(channels, 64 * 2**stage, stride, gated=True))
                channels = 256 * 2**stage
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(2048, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.stem(x), 3, 2, ceil_mode=True)
        return self.fc(self.blocks(x).mean((2, 3)))  # type: ignore[no-any-return]


class Separable(nn.Sequential):
    def __init__(self, channels: int, out: int) -> None:
        depthwise = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
        super().__init__(depthwise, nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out, eps=1e-3))


class Xception(nn.Module):
    """Chollet 2017, figure 5."""

    def __init__(self) -> None:
        super().__init__()
        self.stem: Any = nn.ModuleList()
        for channels, out, stride in ((3, 32, 2), (32, 64, 1)):
            self.stem += [nn.Conv2d(channels, out, 3, stride, bias=False), nn.BatchNorm2d(out, eps=1e-3)]
        self.blocks: Any = nn.ModuleList()
        for channels, inner, out in (
            (64, 128, 128),
            (128, 256, 256),
            (256, 728, 728),
            *[(728,) * 3] * 8,
            (728, 728, 1024),
        ):
            block = nn.ModuleList([Separable(channels, inner), Separable(inner, out)])
            if channels == out:
                block.append(Separable(out, out))
            else:
                block += [nn.Conv2d(channels, out, 1, 2, bias=False), nn.BatchNorm2d(out, eps=1e-3)]
            self.blocks.append(block)
        self.last, self.fc = nn.ModuleList([Separable(1024, 1536), Separable(1536, 2048)]), nn.Linear(2048, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for one, norm in zip(self.stem[::2], self.stem[1::2], strict=True):
            x = nn.functional.relu(norm(one(x)))
        for k, (first, second, third, *norm) in enumerate(self.blocks):
            y = second(nn.functional.relu(first(x if k == 0 else nn.functional.relu(x))))
            x = nn.functional.max_pool2d(y, 3, 2, 1) + norm[0](third(x)) if norm else third(nn.functional.relu(y)) + x
        for one in self.last:
            x = nn.functional.relu(one(x))
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


class Gate(nn.Module):
    """Oktay et al. 2018, figure 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.g, self.x = (conv(channels, inner, 1, act=False) for _ in range(2))
        self.psi = conv(inner, 1, 1, act=False)

    def forward(self, g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return x * self.psi(nn.functional.relu(self.g(g) + self.x(x))).sigmoid()  # type: ignore[no-any-return]


def twice(channels: int, out: int) -> nn.Module:
    return nn.Sequential(conv(channels, out, 3), conv(out, out, 3))


class AttentionUNet(nn.Module):
    """Oktay et al. 2018, figure 1."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(5)]
        self.down = nn.ModuleList(twice(*pair) for pair in pairwise([3, *widths]))
        self.up: Any = nn.ModuleList()
        for out, channels in reversed(list(pairwise(widths))):
            self.up.append(nn.ModuleList([conv(channels, out, 3), Gate(out), twice(2 * out, out)]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for k, one in enumerate(self.down):
            x = one(nn.functional.max_pool2d(x, 2) if k else x)
            kept.append(x)
        for other, (up, gate, merge) in zip(kept[-2::-1], self.up, strict=True):
            x = up(nn.functional.interpolate(x, scale_factor=2))
            x = merge(torch.cat([gate(x, other), x], 1))
        return self.head(x)  # type: ignore[no-any-return]


class Basic(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width, 3), conv(width, width, 3, act=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(x + self.body(x))


class Exchange(nn.Module):
    """Wang et al. 2019, figure 3: each result is the sum of all inputs, brought to its resolution and width."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.rows: Any = nn.ModuleList(
            nn.ModuleList(self.path(widths, of, to) for of in range(len(widths))) for to in range(len(widths))
        )

    def path(self, widths: tuple[int, ...], of: int, to: int) -> nn.Module:
        if of > to:
            return nn.Sequential(conv(widths[of], widths[to], 1, act=False), nn.Upsample(scale_factor=2 ** (of - to)))
        chain = [conv(widths[of], widths[of], 3, 2) for _ in range(to - of - 1)]
        return nn.Sequential(*chain, *[conv(widths[of], widths[to], 3, 2, act=False)] * (of < to))

    def forward(self, streams: list[torch.Tensor]) -> list[torch.Tensor]:
        brought = ([path(x) for path, x in zip(row, streams, strict=True)] for row in self.rows)
        return [nn.functional.relu(sum(row[1:], row[0])) for row in brought]


class HRNet(nn.Module):
    """Wang et al. 2019, figures 2 and 4 (b)."""

    def __init__(self, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 64, 3, 2), conv(64, 64, 3, 2), Bottleneck(64, 64), Bottleneck(256, 64))
        self.stages: Any = nn.ModuleList()
        begin = nn.ModuleList([conv(256, widths[0], 3), conv(256, widths[1], 3, 2)])
        for k in range(2, len(widths) + 1):
            streams = nn.ModuleList(nn.Sequential(Basic(width), Basic(width)) for width in widths[:k])
            self.stages.append(nn.ModuleList([begin, streams, Exchange(widths[:k])]))
            begin = nn.ModuleList([conv(widths[k - 1], widths[k], 3, 2)] if k < len(widths) else [])
        total = sum(widths)
        self.head = nn.Sequential(conv(total, total, 1), nn.Conv2d(total, classes, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        streams = [self.stem(x)]
        for begin, branches, exchange in self.stages:
            kept = streams if len(begin) == 1 else []
            streams = [*kept, *(one(streams[-1]) for one in begin)]
            streams = exchange([branch(one) for branch, one in zip(branches, streams, strict=True)])
        size = streams[0].shape[2:]
        head = self.head(torch.cat([nn.functional.interpolate(one, size, mode="bilinear") for one in streams], 1))
        return nn.functional.interpolate(head, x.shape[2:], mode="bilinear")


class Mixer(nn.Module):
    """Tolstikhin et al. 2021, figure 1."""

    def __init__(self, classes: int, width: int, depth: int, patches: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 16, 16)
        self.layers: Any = nn.ModuleList()
        for _ in range(depth):
            tokens = [nn.LayerNorm(width, eps=1e-6), nn.Linear(patches, width // 2), nn.Linear(width // 2, patches)]
            channels = [nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)]
            self.layers.append(nn.ModuleList([*tokens, *channels]))
        self.norm, self.fc = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).mT
        for norm1, fc1, fc2, norm2, fc3, fc4 in self.layers:
            x = x + fc2(nn.functional.gelu(fc1(norm1(x).mT))).mT
            x = x + fc4(nn.functional.gelu(fc3(norm2(x))))
        return self.fc(self.norm(x).mean(1))  # type: ignore[no-any-return]


def assert_equal(spec: str | Path, theirs: nn.Module, x: torch.Tensor, **options: Any) -> None:
    """The same weights in the same order, and with them the same output."""
    theirs, mine = drawn(theirs).eval(), archdsl.load(spec, **options).build(device="meta").eval()
    weights = [tensor.clone() for tensor in theirs.state_dict().values()]
    mine.load_state_dict(dict(zip(mine.state_dict(), weights, strict=True)), assign=True)
    with torch.no_grad():
        expected, got = theirs(x), mine(x)
    assert torch.equal(got, expected)


@pytest.mark.parametrize(("name", "theirs", "side"), [("se_resnet50", SEResNet50, 65), ("xception", Xception, 75)])
def test_a_shipped_network_is_the_papers_figure(name: str, theirs: type[nn.Module], side: int) -> None:
    assert_equal(name, theirs(), image(side))


@pytest.mark.parametrize(
    ("name", "theirs", "options"),
    [
        ("attention_unet.arch", AttentionUNet(1, 8), {"width": 8, "input": "3x48x48"}),
        ("hrnet.arch", HRNet(19, (18, 36, 72)), {"input": "3x64x64"}),
        ("mixer.arch", Mixer(10, 32, 2, 9), {"classes": 10, "width": 32, "depth": 2, "patches": 9, "input": "3x48x48"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_network_of_the_page_is_the_papers_figure(
    name: str, theirs: nn.Module, options: dict[str, Any], tmp_path: Path
) -> None:
    (text,) = [text for file, text, _ in pieces("papers", "arch") if file == name]
    (tmp_path / name).write_text(text)
    assert_equal(tmp_path / name, theirs, image(int(options["input"].split("x")[-1])), **options)
