"""What only the whole network shows to be wrong."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic


class ImpossibleInput(Diagnostic):
    """No input fits the network, whatever its height and width: what meets never agrees, or nothing is left over.

    Example: `input 3xHxW` and an `add` of `conv 3x3, 8, stride 2` and `conv 5x5, 8, stride 2`, neither padded

    Fix: pad, pool or stride alike in all branches; a window must fit into what reaches it.
    """

    code = "impossible-input"
    message = "no input fits `{op}`: {what}"
    got = "{got}"
    help = "with a concrete input, as `--input 3x224x224`, the sizes are told at each step"


class KeyClash(Diagnostic):
    """A step in a loop has, in some iteration, the name of another step, so their weights would share a key.

    Example: `a{2*i}: conv 3x3, 8` and `a{i+5}: conv 3x3, 8` in `repeat 9`

    Fix: rename one, so that no number makes them equal.
    """

    code = "key-clash"
    message = "two steps of one container are called `{name}`, in different iterations"
