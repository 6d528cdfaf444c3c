"""What some of the small networks compute, written with torch's functions, for test_build.py to compare with."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


def conv(state: dict[str, torch.Tensor], name: str, x: torch.Tensor, **options: Any) -> torch.Tensor:
    return functional.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **options)


def by_hand(name: str, s: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """What a case computes in training mode, written with torch's functions."""
    if name == "taps":
        a = conv(s, "features.enc.a", functional.relu(conv(s, "features.stem", x, padding=1)), padding=1)
        b = conv(s, "features.enc.b", a, stride=2, padding=1)
        up = functional.conv_transpose2d(b, s["up.weight"], s["up.bias"], stride=2)
        return [conv(s, "head", torch.cat([up, a], 1))]
    if name == "side head in a block":
        y = functional.relu(conv(s, "body.conv1", x, padding=1))
        main = functional.relu(conv(s, "body.conv2", y, padding=1)).mean((2, 3))
        return [functional.linear(main, s["fc.weight"], s["fc.bias"]), conv(s, "body.head", y)]
    if name == "merges among numbers":
        y = functional.relu(conv(s, "0", x, padding=1))
        y = y + conv(s, "3.2", functional.relu(conv(s, "3.0", conv(s, "2", y, padding=1))))
        y = torch.cat([conv(s, "4", y), functional.max_pool2d(y, 3, 1, 1), y], 1).mean((2, 3))
        return [functional.linear(y, s["7.weight"], s["7.bias"])]
    if name == "parameters":
        y = conv(s, "patch", x, stride=4).flatten(2).transpose(1, 2)
        y = torch.cat([s["cls"].expand(len(x), -1, -1), y], 1) + s["pos"]
        return [functional.linear(y[:, 0], s["head.weight"], s["head.bias"])]
    if name == "upsample":
        a = conv(s, "a", x, stride=2, padding=1)
        y = functional.interpolate(conv(s, "b", a, stride=2, padding=1), size=a.shape[2:], mode="bilinear") + a
        return [conv(s, "c", functional.interpolate(y, size=x.shape[2:], mode="bilinear"))]
    if name == "unused, early and evaluation outputs":
        a = conv(s, "a", x, padding=1)
        return [conv(s, "b", a, padding=1), conv(s, "e", a)]
    assert name == "two training heads"
    a = conv(s, "a", x, padding=1)
    return [
        conv(s, "b", functional.relu(a), padding=1),
        conv(s, "t", functional.relu(conv(s, "s", a))),
        conv(s, "u", a),
    ]
