"""What ops say of wrong settings and of inputs that don't fit."""

from __future__ import annotations

import pytest
from op_cases import FLAT, GATE, LAST, MAP, SIGNAL, TOKENS, Settings, parameter

from archdsl.dims import variable
from archdsl.ops import BY_NAME
from archdsl.ops.base import OpError, Same
from archdsl.shape import Shape, image
from archdsl.trace import Sides


def error_of(name: str, settings: Settings, *inputs: Shape) -> OpError:
    with pytest.raises(OpError) as caught:
        BY_NAME[name](**settings).infer(inputs)
    return caught.value


@pytest.mark.parametrize(
    ("name", "settings", "inputs", "setting", "message"),
    [
        ("conv", {"kernel": 7, "out": 8}, (image(3, 4, 4),), "kernel", "`conv` has a 7x7 window on a 4 x 4 map"),
        ("conv", {"kernel": 4, "out": 8, "pad": "same"}, (MAP,), "pad", "`pad same` needs an odd kernel, `conv` has 4"),
        (
            "conv",
            {"kernel": 3, "out": 8, "groups": 3},
            (MAP,),
            "groups",
            "3 groups don't divide the 8 input and 8 output",
        ),
        ("conv", {"kernel": Sides((3, 3)), "out": 8}, (SIGNAL,), "kernel", "`kernel` of `conv` has 2 numbers"),
        ("conv", {"kernel": 3, "out": 8.5}, (MAP,), "out", "`out` of `conv` can't be 8.5"),
        ("conv", {"kernel": 3, "out": 8, "strid": 2}, (MAP,), "strid", "`conv` has no setting `strid`"),
        ("conv", {"kernel": 3}, (MAP,), "out", "`conv` needs a value for `out`"),
        ("conv", {"kernel": 3, "out": 8}, (FLAT,), None, "`conv` can't work on channels"),
        ("linear", {"out": 8}, (MAP,), None, "`linear` on a 8 x 9 x 12 map"),
        ("maxpool", {}, (MAP,), None, "`maxpool` needs a kernel, or a size with `to`"),
        ("maxpool", {"to": 1, "stride": 2}, (MAP,), "stride", "`stride` has no meaning in `maxpool to`"),
        ("avgpool", {"kernel": 2, "pad": 2}, (MAP,), "pad", "the padding of `avgpool` is more than half of its window"),
        ("dropout", {"p": 1.5}, (MAP,), "p", "`p` of `dropout` can't be 1.5"),
        ("layout", {"order": "NLC"}, (MAP,), "order", "`layout NLC` doesn't fit channels x height x width"),
        ("reshape", {"shape": (3, 3)}, (MAP,), "shape", "`reshape` to 3 x 3 from 8 x 9 x 12"),
        ("upsample", {}, (MAP,), None, "`upsample` needs either `to` or `scale`"),
        ("upsample", {"scale": 0.1}, (MAP,), "scale", "`scale` of `upsample` must be"),
        (
            "channel_affine",
            {"scale": (1,), "shift": (1,)},
            (MAP,),
            "scale",
            "`scale` of `channel_affine` has 1 numbers",
        ),
        ("parameter", {"shape": (2, 1, 8, 9, 12)}, (MAP,), "shape", "`parameter` has 5 sizes"),
    ],
)
def test_errors_say_what_is_wrong(
    name: str, settings: Settings, inputs: tuple[Shape, ...], setting: str | None, message: str
) -> None:
    error = error_of(name, settings, *inputs)
    assert str(error).startswith(message)
    assert error.setting == setting


def test_merges_name_the_input_that_differs() -> None:
    error = error_of("concat", {}, image(64, 28, 28), image(128, 28, 28), image(32, 28, 28), image(32, 10, 10))
    assert (error.code, error.input) == ("shape-mismatch", 3)
    assert (error.expected, error.got) == ("28 x 28", "10 x 10")
    assert str(error) == "the inputs of `concat` differ in height and width"
    assert error_of("add", {}, MAP, GATE).got == "1 x 1"
    assert error_of("add", {}, MAP, FLAT).expected == "channels x height x width"
    assert error_of("concat", {"along": "tokens"}, MAP, MAP).setting == "along"


def test_merges_of_symbolic_sizes_leave_equations() -> None:
    height, width = variable("H"), variable("W")
    up = height // 2 * 2
    facts = BY_NAME["concat"]().infer((image(4, height, width), image(8, up, width)))
    assert facts.checks == (Same(height, up, "height", (0, 1)),)
    assert facts.shape == image(12, height, width)
    facts = BY_NAME["add"]().infer((image(4, height, width), image(4, 7, width)))
    assert facts.shape == image(4, 7, width)
    assert facts.checks == (Same(7, height, "height", (1, 0)),)


# What stands beside the message, and the way out where one is named.
LINES: list[tuple[str, Settings, tuple[Shape, ...], str, str, str]] = [
    ("glu", {}, (image(7),), "an even number of channels", "7", ""),
    ("chunk", {"index": 3, "of": 2}, (MAP,), "1 to 2", "3", "parts are counted from 1; `of` says how many there are"),
    (
        "chunk",
        {"index": 1, "of": 3},
        (MAP,),
        "a number that divides 8",
        "3",
        "a `conv 1x1` before it can give 9 channels",
    ),
    ("conv", {"kernel": 3, "out": 8, "groups": 3}, (MAP,), "a number that divides both 8 and 8", "3", ""),
    ("conv", {"kernel": Sides((3, 3)), "out": 8}, (SIGNAL,), "one number", "3x3 on 8 x 9 (channels x length)", ""),
    ("conv_transpose", {"kernel": 3, "out": 4, "output_pad": 1}, (MAP,), "less than 1", "1", ""),
    ("conv_transpose", {"kernel": 1, "out": 4, "pad": 9}, (MAP,), "", "", "a smaller `pad`, or a larger kernel"),
    ("flatten", {}, (parameter(MAP),), "", "1 x 8 x 9 x 12", ""),
    ("reshape", {"shape": (1, 2, 3, 4, 5)}, (MAP,), "C; C,L; C,H,W; or C,D,H,W", "5 sizes", ""),
    ("reshape", {"shape": (3, 3)}, (MAP,), "864 numbers, as in 8 x 9 x 12", "9 numbers, 3 x 3", ""),
    ("layout", {"order": "NLC"}, (MAP,), "NCHW or NHWC", "NLC on 8 x 9 x 12 (channels x height x width)", ""),
    (
        "layout",
        {"order": "NHWC"},
        (FLAT,),
        "a map, with spatial axes",
        "NHWC on 8 (channels)",
        "`reshape` gives it such axes",
    ),
    ("tokens", {}, (TOKENS,), "channels and spatial axes", "6 x 8 (tokens x channels)", ""),
    ("take", {"token": 9}, (TOKENS,), "-6 to 5", "9", ""),
    (
        "take",
        {"token": 0},
        (MAP,),
        "tokens x channels",
        "8 x 9 x 12 (channels x height x width)",
        "put `tokens` before it",
    ),
    ("channel_affine", {"scale": (1,), "shift": (1,)}, (MAP,), "8 numbers", "1 numbers", ""),
    (
        "parameter",
        {"shape": (2, 1, 8, 9, 12)},
        (MAP,),
        "at most 3 sizes, after a leading 1 for the batch if you like",
        "2 x 1 x 8 x 9 x 12",
        "",
    ),
    (
        "concat",
        {"along": "tokens"},
        (MAP, MAP),
        "one of channels, height, width",
        "8 x 9 x 12 (channels x height x width)",
        "",
    ),
    ("concat", {}, (MAP, FLAT), "channels x height x width", "channels (8)", ""),
    ("rmsnorm", {}, (MAP,), "", "8 x 9 x 12 (channels x height x width)", "put `layout NHWC` or `tokens` before it"),
    ("groupnorm", {"groups": 3}, (MAP,), "a number that divides 8", "3", ""),
    ("instancenorm", {}, (GATE,), "a map larger than 1 x 1", "8 x 1 x 1", ""),
    ("maxpool", {}, (MAP,), "", "", "`maxpool 2x2`, or `maxpool to 1x1` for one value a channel"),
    ("avgpool", {"kernel": 2, "pad": 2}, (MAP,), "at most 1", "2", ""),
    ("mean", {}, (FLAT,), "", "8 (channels)", ""),
    (
        "pad",
        {"before": 1, "along": "length"},
        (MAP,),
        "one of channels, height, width",
        "8 x 9 x 12 (channels x height x width)",
        "",
    ),
    ("pad", {"before": 20, "mode": "reflect"}, (MAP,), "at most 8", "20", ""),
    (
        "upsample",
        {"scale": 0.1},
        (MAP,),
        "a positive fraction with a power of two below it",
        "0.1",
        "give the size with `to`",
    ),
    ("upsample", {"to": FLAT}, (MAP,), "2 spatial axes, as 8 x 9 x 12 has", "8 (channels)", ""),
    ("upsample", {"scale": 2, "mode": "bicubic"}, (SIGNAL,), "", "1 spatial axes", ""),
    ("pixel_shuffle", {"scale": 3}, (MAP,), "a multiple of 9 channels", "8 channels", ""),
    ("pixel_unshuffle", {"scale": 5}, (MAP,), "a multiple of 5", "9 x 12", ""),
    ("attention", {"heads": 3}, (TOKENS,), "a number that divides 8", "3", ""),
    ("window_attention", {"window": 3, "heads": 2, "shift": 3}, (LAST,), "at most 2x2", "3x3", ""),
]


@pytest.mark.parametrize(("name", "settings", "inputs", "expected", "got", "help"), LINES)
def test_errors_tell_what_was_expected_and_given(
    name: str, settings: Settings, inputs: tuple[Shape, ...], expected: str, got: str, help: str
) -> None:
    error = error_of(name, settings, *inputs)
    assert (error.expected, error.got, error.help) == (expected, got, help)


def test_a_window_that_is_too_large_is_told_with_its_padding_and_dilation() -> None:
    error = error_of("conv", {"kernel": 9, "out": 8, "pad": 1, "dilation": 2}, MAP)
    assert str(error) == "`conv` has a 9x9 window, dilated to 17x17 on a 9 x 12 map"
    assert (error.expected, error.got) == ("an input of at least 15x15", "9 x 12 with pad 1")
    error = error_of("maxpool", {"kernel": 10}, SIGNAL)
    assert str(error) == "`maxpool` has a 10 window on a 9 signal"
    assert (error.expected, error.got) == ("an input of at least 10", "9")
