"""What test_ops.py runs: settings and input shapes of every op, and settings that PyTorch refuses on some inputs."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from archdsl.ops import BY_NAME
from archdsl.ops.base import Op
from archdsl.shape import Shape, image
from archdsl.trace import Sides

FLAT, SIGNAL, MAP, VOLUME = image(8), image(8, 9), image(8, 9, 12), image(8, 5, 6, 7)
RANKED = (SIGNAL, MAP, VOLUME)
ANY_RANK = (FLAT, *RANKED)
TOKENS = Shape(("tokens", "channels"), (6, 8))
LAST = Shape(("height", "width", "channels"), (5, 7, 8))
EVERY = (*ANY_RANK, TOKENS, LAST)
PARTS = Shape(("windows", "tokens", "channels"), (12, 9, 8))

Settings = dict[str, Any]


class Case(NamedTuple):
    """An op with settings on input shapes."""

    name: str
    settings: Settings
    inputs: tuple[Shape, ...]

    @property
    def op(self) -> Op:
        return BY_NAME[self.name](**self.settings)


def grid(**choices: tuple[Any, ...]) -> list[Settings]:
    """All combinations; a choice `...` leaves the setting out."""
    combined = (dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values()))
    return [{key: value for key, value in one.items() if value is not ...} for one in combined]


def on(shapes: tuple[Shape, ...], *settings: Settings) -> list[tuple[Settings, tuple[Shape, ...]]]:
    return [(one, (shape,)) for shape in shapes for one in settings or ({},)]


def parameter(shape: Shape) -> Shape:
    """The shape that a `parameter` with these axes gives."""
    return Shape(("batch", *shape.axes), (1, *shape.sizes))


GATE = image(8, 1, 1)
CASES: dict[str, list[tuple[Settings, tuple[Shape, ...]]]] = {
    "conv": on(
        RANKED,
        *grid(kernel=(1, 3), out=(4,), stride=(..., 2), pad=(..., 1, "same"), dilation=(..., 2), groups=(..., 4)),
        {"kernel": 2, "out": 6, "bias": False},
        {"kernel": 5, "out": 8, "pad": 2, "groups": 8},
    )
    + on((MAP,), {"kernel": Sides((1, 7)), "out": 4, "pad": "same"}, {"kernel": Sides((3, 3)), "out": 4})
    + on((MAP,), {"kernel": Sides((5, 2)), "out": 4, "pad": Sides((0, 1)), "stride": Sides((1, 3))})
    + on((MAP,), {"kernel": 3, "out": 4, "pad": "same", "dilation": Sides((1, 2))}),
    "dwconv": on(RANKED, *grid(kernel=(3, 5), stride=(..., 2), pad=("same", 2), dilation=(..., 2), bias=(..., False))),
    "conv_transpose": on(
        RANKED, *grid(kernel=(2, 3), out=(4,), stride=(..., 2, 3), pad=(..., 1), dilation=(..., 2), groups=(..., 4))
    )
    + on(RANKED, *grid(kernel=(3,), out=(4,), stride=(2, 3), output_pad=(1,), pad=(..., 1), bias=(..., False))),
    "linear": on((FLAT, TOKENS, LAST), {"out": 5}, {"out": 5, "bias": False}),
    "maxpool": on(RANKED, *grid(kernel=(2, 3), stride=(..., 1, 2), pad=(..., 1), ceil=(..., True), dilation=(..., 2)))
    + on(RANKED, {"to": 1}, {"to": 2})
    + on((MAP,), {"to": Sides((3, 4))}, {"kernel": Sides((3, 2)), "pad": Sides((1, 0))}),
    "avgpool": on(
        RANKED, *grid(kernel=(2, 3), stride=(..., 1, 2), pad=(..., 1), ceil=(..., True), count_pad=(..., False))
    )
    + on(RANKED, {"to": 1}, {"to": 2}, {"kernel": 3, "pad": "same", "stride": 1})
    + on((MAP,), {"to": Sides((3, 4))}),
    "mean": on((*RANKED, TOKENS, LAST)),
    "batchnorm": on(ANY_RANK, *grid(eps=(..., 1e-3), affine=(..., False)), {"track": False}, {"momentum": None}),
    "layernorm": on(EVERY, {}, {"eps": 1e-6}, {"affine": False}, {"bias": False}),
    "rmsnorm": on((FLAT, TOKENS, LAST), {}, {"eps": 1e-6}, {"affine": False}),
    "groupnorm": on(ANY_RANK, {"groups": 1}, {"groups": 4, "eps": 1e-6}, {"groups": 2, "affine": False}),
    "instancenorm": on(RANKED, *grid(affine=(..., True), track=(..., True)), {"momentum": 0.2, "eps": 1e-3}),
    "lrn": on(RANKED, {"size": 5}, {"size": 2, "alpha": 1e-3, "beta": 0.5, "k": 2.0}, {"size": 1}),
    "relu": on(EVERY),
    "relu6": on(EVERY),
    "leaky_relu": on(EVERY, {}, {"negative_slope": 0.2}, {"negative_slope": 0.0}),
    "prelu": on(EVERY) + on(ANY_RANK, {"per_channel": True}),
    "rrelu": on((MAP,), {}, {"low": 0.2, "high": 0.4}, {"low": 0.0}),
    "elu": on((MAP,), {}, {"alpha": 0.5}, {"alpha": -0.5}),
    "selu": on(EVERY),
    "celu": on((MAP,), {}, {"alpha": 0.5}),
    "gelu": on(EVERY, {}, {"approximate": "tanh"}),
    "silu": on(EVERY),
    "mish": on(EVERY),
    "sigmoid": on(EVERY),
    "logsigmoid": on(EVERY),
    "tanh": on(EVERY),
    "softplus": on((MAP,), {}, {"beta": 2, "threshold": 10}),
    "softsign": on(EVERY),
    "hardswish": on(EVERY),
    "hardsigmoid": on(EVERY),
    "hardtanh": on((MAP,), {}, {"min_val": -2, "max_val": 0.5}),
    "hardshrink": on((MAP,), {}, {"lambd": 0.1}),
    "softshrink": on((MAP,), {}, {"lambd": 0.1}),
    "tanhshrink": on(EVERY),
    "threshold": on((MAP,), {"threshold": 0.1, "value": 0.2}),
    "glu": on(EVERY),
    "softmax": on(EVERY),
    "softmin": on(EVERY),
    "log_softmax": on(EVERY),
    "dropout": on(EVERY, {}, {"p": 0.2}, {"p": 0}, {"p": 1}),
    "spatial_dropout": on(RANKED, {}, {"p": 0.2}, {"p": 0}, {"p": 1}),
    "alpha_dropout": on(EVERY, {}, {"p": 0.0}, {"p": 1}),
    "stochastic_depth": on(EVERY, {"p": 0.2}, {"p": 0}, {"p": 1}),
    "flatten": on(EVERY),
    "reshape": on(
        (MAP,), {"shape": (864,)}, {"shape": (9, 96)}, {"shape": Sides((4, 9, 24))}, {"shape": (2, 4, 9, 12)}
    ),
    "layout": on((SIGNAL,), {"order": "NLC"}, {"order": "NCL"})
    + on((MAP, LAST), {"order": "NHWC"}, {"order": "NCHW"})
    + on((VOLUME,), {"order": "NDHWC"}, {"order": "NCDHW"}),
    "tokens": on((*RANKED, LAST)),
    "transpose": on((TOKENS,)),
    "take": on((TOKENS,), {"token": 0}, {"token": 5}, {"token": -1}),
    "pad": on(RANKED, *grid(before=(2,), after=(..., 1), mode=("zeros", "reflect", "replicate", "circular")))
    + on((MAP,), *grid(before=(1,), after=(..., 3), along=("height", "width"), mode=("zeros", "reflect", "circular")))
    + on((*ANY_RANK, TOKENS, LAST), {"before": 1, "after": 2, "along": "channels"})
    + on((TOKENS,), {"before": 1, "after": 0, "along": "tokens"})
    + on((LAST,), {"before": 1}, {"before": 1, "after": 2, "along": "height"}),
    "upsample": on(
        RANKED,
        *grid(scale=(2, 3, 1.5, 0.5), mode=(..., "nearest", "area")),
        {"to": 4},
        {"scale": 2, "align_corners": True},
    )
    + on((MAP,), *grid(scale=(2, 3), mode=("bicubic",)), {"to": Sides((18, 36))}, {"to": Sides((7, 30))})
    + [({"to": image(3, 20, 30)}, (MAP, image(3, 20, 30))), ({"to": LAST, "mode": "nearest"}, (MAP, LAST))],
    "pixel_shuffle": on((MAP,), {"scale": 2}, {"scale": 1}),
    "pixel_unshuffle": on((MAP,), {"scale": 3}),
    "attention": on((TOKENS,), *grid(heads=(1, 2, 8), drop=(..., 0.1))),
    "window_attention": on((LAST,), *grid(heads=(1, 4), window=(2, 3, 7), shift=(..., 1)))
    + on((LAST,), {"heads": 2, "window": Sides((3, 2)), "shift": Sides((0, 1))}, {"heads": 2, "window": 9, "shift": 4}),
    "window_attention_v2": on((LAST,), *grid(heads=(1, 4), window=(2, 3, 7), shift=(..., 1)))
    + on((LAST,), {"heads": 2, "window": Sides((3, 2)), "shift": Sides((0, 1))}, {"heads": 2, "window": 4, "shift": 2}),
    "relative_attention": on((PARTS,), {"head_dim": 8, "size": 3}, {"head_dim": 2, "size": Sides((1, 9))}),
    "partition": on((MAP,), *grid(parts=("window", "grid"), size=(1, 3, Sides((9, 2)), Sides((9, 12))))),
    "unpartition": [({"parts": parts, "size": 3, "like": MAP}, (PARTS, MAP)) for parts in ("window", "grid")]
    + [({"parts": "window", "size": Sides((9, 12)), "like": MAP}, (Shape(PARTS.axes, (1, 108, 8)), MAP))],
    "patch_merge": on((LAST, Shape(LAST.axes, (4, 6, 3)), Shape(LAST.axes, (1, 1, 2)))),
    "chunk": on(EVERY, {"index": 1}, {"index": 2}, {"index": 3, "of": 4}, {"index": 1, "of": 1}),
    "channel_shuffle": on(EVERY, *grid(groups=(1, 2, 4, 8))),
    "channel_affine": on((image(3, 4, 5), image(3, 6)), {"scale": (0.5, 1, 2.0), "shift": (0.0, -1, 1.5)}),
    "parameter": [
        ({"shape": (1, 6, 8)}, (TOKENS,)),
        ({"shape": (1, 1, 8)}, (TOKENS,)),
        ({"shape": (8,)}, (TOKENS,)),
        ({"shape": (8, 1, 1)}, (MAP,)),
        ({"shape": (1, 8)}, (FLAT,)),
    ],
    "identity": on(EVERY),
    "add": [({}, (shape,) * count) for shape in EVERY for count in (2, 3)]
    + [({}, (TOKENS, parameter(TOKENS))), ({}, (TOKENS, parameter(FLAT))), ({}, (parameter(GATE), MAP))],
    "multiply": [({}, (shape,) * count) for shape in EVERY for count in (2, 3)]
    + [({}, (GATE, MAP)), ({}, (MAP, GATE)), ({}, (GATE, image(1, 9, 12))), ({}, (parameter(GATE), MAP))],
    "concat": [({}, (shape,) * count) for shape in EVERY for count in (2, 3)]
    + [({"along": axis}, (MAP, MAP)) for axis in ("height", "width")]
    + [({"along": "tokens"}, (Shape(TOKENS.axes, (3, 8)), TOKENS))]
    + [({"along": "tokens"}, (parameter(Shape(TOKENS.axes, (1, 8))), TOKENS))]
    + [({}, (MAP, parameter(image(2, 1, 1)))), ({}, (image(3, 9, 12), MAP))],
}


def cases(name: str) -> list[Case]:
    return [Case(name, settings, inputs) for settings, inputs in CASES[name]]


REFUSALS: dict[str, tuple[list[Settings], tuple[Shape, ...]]] = {
    "conv": (
        grid(kernel=(1, 2, 4), out=(4, 6), stride=(1, 3), pad=(0, 1), dilation=(1, 2), groups=(1, 2, 3)),
        (image(6, 1), image(6, 3), image(6, 2, 5), image(4, 3, 3), image(4, 2, 2, 2)),
    ),
    "dwconv": (grid(kernel=(1, 3, 4), pad=(0, 1), dilation=(1, 2)), (image(3, 2), image(3, 2, 4), image(3, 1, 1, 3))),
    "conv_transpose": (
        grid(
            kernel=(1, 2), out=(4,), stride=(1, 2), pad=(0, 1, 2), output_pad=(0, 1, 2), dilation=(1, 2), groups=(1, 3)
        ),
        (image(6, 1), image(6, 3), image(6, 2, 1), image(4, 1, 2, 1)),
    ),
    "maxpool": (
        grid(kernel=(1, 2, 3), stride=(..., 2), pad=(0, 1, 2), dilation=(1, 2), ceil=(False, True)),
        (image(3, 1), image(3, 3), image(3, 2, 4), image(3, 2, 2, 3)),
    ),
    "avgpool": (
        grid(kernel=(1, 2, 3), stride=(..., 2), pad=(0, 1, 2), ceil=(False, True)),
        (image(3, 1), image(3, 3), image(3, 2, 4), image(3, 2, 2, 3)),
    ),
    "groupnorm": (grid(groups=(1, 2, 3, 4)), (image(6, 2), image(4, 2, 2))),
    "instancenorm": ([{}], (image(6, 1), image(6, 2), image(4, 1, 1), image(4, 1, 2), image(4, 1, 1, 1))),
    "glu": ([{}], (image(3), image(4), image(5, 2, 2))),
    "pad": (
        grid(before=(1, 2, 3), after=(..., 0), mode=("zeros", "reflect", "replicate", "circular")),
        (image(2, 1), image(2, 2), image(2, 3, 2), image(2, 2, 3, 2)),
    ),
    "pixel_shuffle": (grid(scale=(1, 2, 3)), (image(4, 2, 2), image(9, 2, 2), image(8, 1, 1))),
    "pixel_unshuffle": (grid(scale=(1, 2, 3)), (image(1, 2, 2), image(1, 3, 3), image(1, 6, 2))),
    "channel_shuffle": (grid(groups=(1, 2, 3, 5)), (image(6, 2), image(4, 2, 3), image(5, 1, 2, 1), TOKENS)),
    "take": (grid(token=(-7, -6, 5, 6)), (TOKENS,)),
    "upsample": (grid(scale=(0.25, 0.5, 2)), (image(1, 1), image(1, 3), image(1, 2, 4), image(1, 4, 1, 4))),
    "batchnorm": ([{}], (image(3), image(3, 1), image(3, 1, 1), image(3, 1, 1, 1))),
}
