"""What ops say of wrong settings and of inputs that don't fit."""

from __future__ import annotations

import pytest
from op_cases import FLAT, GATE, MAP, SIGNAL, Settings

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
