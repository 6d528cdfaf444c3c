"""What can be wrong with an operation: its settings, and the tensors that reach it."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic
from archdsl.expand.errors import MissingValue


class InvalidSetting(Diagnostic):
    """A setting has a value that its operation can't have, alone or on this input.

    Example: `conv 3x3, 64, groups 3`

    Fix: see the lines `expected` and `got`.
    """

    code = "invalid-setting"
    message = "{what}"
    expected = "{expected}"
    got = "{got}"
    help = "{help}"


class ShapeMismatch(Diagnostic):
    """Tensors that meet in a merge have different shapes.

    The branches of `add` and `multiply` must have equal shapes, those of `concat` must agree but for the axis along
    which they are joined.

    Example: a branch with `maxpool 3x3, pad 1`, whose stride is 3 because a pool's stride is its kernel

    Fix: mend the branch that the error underlines.
    """

    code = "shape-mismatch"
    message = "{what}"
    expected = "{expected}"
    got = "{got}"
    help = "{help}"


class SymbolicWeight(Diagnostic):
    """A weight's shape would depend on a size of the input that isn't given.

    Example: `flatten` and `linear 10` in a network with `input 3xHxW`

    Fix: give the size (`--input 3x224x224`) or pool to a fixed size first (`avgpool to 1x1`).
    """

    code = "symbolic-weight"
    message = "the weights of `{callee}` would depend on the size of the input"
    got = "`{weight}` of {shape}"
    help = "give the input a size (`--input 3x224x224`), or put `avgpool to 1x1` before it"


class BadGroups(InvalidSetting):
    """Groups must divide the channels that they part.

    Example: `conv 3x3, 64, groups 3`

    Fix: choose a number that divides input and output channels.
    """

    code = "groups"


class WindowTooLarge(InvalidSetting):
    """A window is larger than the map that it slides over, padding included, so nothing would come out.

    Example: `conv 7x7, 64` on a map of 4 x 4

    Fix: pad, pool less before, or feed a larger input.
    """

    code = "window-too-large"


class WrongRank(InvalidSetting):
    """A setting has a number for each axis of another kind of input: `3x3` on a signal, `3x3x3` on an image.

    Example: `conv 3x3, 64` with `input 3x224`, which is a signal of 224 samples

    Fix: give the network the input that it is meant for; one number, `conv 3, 64`, works on any.
    """

    code = "wrong-rank"


class LinearOnMap(InvalidSetting):
    """`linear` works on the last axis, which on a map is the width.

    Example: `linear 10` directly after a convolution

    Fix: put `flatten`, or `avgpool to 1x1` and `flatten`, before it.
    """

    code = "linear-on-map"


class WrongLayout(InvalidSetting):
    """An operation can't work on a tensor with these axes.

    Example: `conv 3x3, 64` after `flatten`

    Fix: see the line `help`.
    """

    code = "wrong-layout"


# By the codes of OpError.
OP_ERRORS: dict[str, type[Diagnostic]] = {
    kind.code: kind
    for kind in (
        InvalidSetting,
        ShapeMismatch,
        MissingValue,
        BadGroups,
        WindowTooLarge,
        WrongRank,
        LinearOnMap,
        WrongLayout,
    )
}
