"""What can be wrong with a spec that is well written: names, values, shapes."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic


class UnknownCallee(Diagnostic):
    """A step names an operation, block or macro that doesn't exist.

    `archdsl ops` lists the operations; blocks and macros are those of the file and of the files that it uses.

    Example: `conv1: cnv 3x3, 64`

    Fix: correct the name, or define the block.
    """

    code = "unknown-op"
    message = "there is no operation, block or macro called `{name}`"
    help = "{help}"


class UnknownSetting(Diagnostic):
    """A call gives a setting that its operation or block doesn't have.

    Example: `conv 3x3, 64, strides 2`

    Fix: `archdsl ops conv` lists the settings.
    """

    code = "unknown-setting"
    message = "`{callee}` has no setting `{name}`"
    expected = "{known}"
    help = "{help}"


class UnknownName(Diagnostic):
    """An expression uses a name that isn't defined here.

    A block sees its own parameters, its lets and loop variables, and the lets of the file; nothing of its caller.

    Example: `conv 3x3, 2 * widht`

    Fix: correct the name, or pass the value as a parameter.
    """

    code = "unknown-name"
    message = "`{name}` is not defined here"
    help = "{help}"


class UnknownFunction(Diagnostic):
    """An expression calls a function that the language doesn't have.

    Example: `conv 1x1, exp(3)`

    Fix: the functions are min, max, sum, len, int, round, ceil, floor, sqrt, abs and divisible.
    """

    code = "unknown-function"
    message = "there is no function `{name}`"
    expected = "one of {known}"
    help = "did you mean `{near}`?"


class MissingValue(Diagnostic):
    """A call leaves out a value that its operation or block needs.

    Example: `conv 3x3` (how many output channels?)

    Fix: give the values in order, or by name.
    """

    code = "missing-value"
    message = "{what}"
    expected = "{expected}"
    help = "{help}"


class SurplusValue(Diagnostic):
    """A call gives more values than its operation or block takes.

    Example: `conv 3x3, 64, 2`

    Fix: settings are given by name: `conv 3x3, 64, stride 2`.
    """

    code = "surplus-value"
    message = "`{callee}` takes no further value here: `{value}`"
    expected = "{signature}"
    help = "{help}"


class RepeatedSetting(Diagnostic):
    """A call gives the same setting twice.

    Example: `conv 3x3, 64, stride 2, stride 1`

    Fix: keep one.
    """

    code = "repeated-setting"
    message = "`{name}` of `{callee}` is given twice"


class FlagNeedsValue(Diagnostic):
    """A setting stands alone, as a flag, but it isn't one that is switched on or off.

    Example: `conv 3x3, 64, stride`

    Fix: give it a value, `stride 2`; alone it passes on a variable of that name, and there is none here.
    """

    code = "flag-needs-value"
    message = "`{name}` of `{callee}` needs a value"
    help = "write `{name} VALUE`, or define a variable `{name}` to be passed on"


class SymbolicStructure(Diagnostic):
    """The structure of a network would depend on the height or width of its input.

    Guards, counts, names and settings are decided with H and W unknown, so that one spec means one network.

    Example: `dropout 0.5 when input.height > 100`

    Fix: decide by a parameter.
    """

    code = "symbolic-structure"
    message = "{what} depends on the size of the input (`{value}`)"
    help = "let a parameter of the network decide: structure never depends on H or W"


class BadValue(Diagnostic):
    """An expression has a value of the wrong type, or one that can't be computed.

    Example: `conv 3x3, 64 / 0`

    Fix: see the lines `expected` and `got`.
    """

    code = "bad-value"
    message = "{what}"
    expected = "{expected}"
    got = "{got}"
    help = "{help}"


class WrongType(Diagnostic):
    """A parameter is given a value of another type.

    Example: `conv_bn 3x3, yes` where `out` is an int

    Fix: see the lines `expected` and `got`.
    """

    code = "wrong-type"
    message = "`{name}` of `{callee}` is of type {type}"
    expected = "{type}"
    got = "{got}"


class UntypedParameter(Diagnostic):
    """A parameter whose default is `none` needs its type stated.

    Example: `block conv_bn (kernel, out, act = none)`

    Fix: `act as op = none`.
    """

    code = "untyped-parameter"
    message = "the type of `{name}` can't be told from its default `none`"
    help = "state it: `{name} as op = none` (or {types})"


class NumberTooLarge(Diagnostic):
    """Arithmetic leaves the range of numbers that a network can use.

    Example: `conv 3x3, 9**9**9`

    Fix: numbers stay below 2**63.
    """

    code = "number-too-large"
    message = "the result of `{operator}` is too large"
    expected = "a number below 2**63"


class TooLarge(Diagnostic):
    """A spec asks for more distinct steps than the compiler is willing to expand.

    A repetition of equal steps costs nothing, however long; steps that differ from each other are limited.

    Example: `repeat 1000000000` around `conv 3x3, i`

    Fix: check the counts.
    """

    code = "too-many-steps"
    message = "{what}"
    expected = "at most {limit}"
    help = "equal repetitions are free: the body here differs in each (it reads `{variable}`)"


class UncountedLoop(Diagnostic):
    """`nth` and `total` go over loops one of which can't be counted ahead, mostly because it depends on a shape.

    How many iterations there will be is told before the first of them, when the shapes inside aren't known yet.

    Example: `for c in [16, 32]` around `repeat here.channels // 8` around `dropout 0.1 * nth / total`

    Fix: let parameters or loop variables decide how often and whether the loop runs.
    """

    code = "uncounted-loop"
    message = "`nth` and `total` can't be counted ahead: {what} depends on {reason}"
    help = "let parameters or loop variables decide it"


class Recursion(Diagnostic):
    """A block, macro or file contains itself.

    Example: block a calls b, and b calls a

    Fix: `repeat` repeats.
    """

    code = "recursion"
    message = "`{name}` contains itself"
    got = "{chain}"


class NeedsName(Diagnostic):
    """A step with weights has no name, but its neighbours have.

    In a container all steps are numbered, or those with weights are named.

    Example: `conv1: conv 3x3, 64` followed by `batchnorm`

    Fix: name it: `bn1: batchnorm`.
    """

    code = "needs-name"
    message = "`{callee}` has weights, so it needs a name (its neighbours have names)"
    help = "write `NAME: {callee} ...`"


class InvalidName(Diagnostic):
    """A name can't be used: it is malformed, or would hide something else.

    Example: `let first = 3`

    Fix: choose another name.
    """

    code = "invalid-name"
    message = "{what}"
    help = "{help}"


class UnknownStep(Diagnostic):
    """A `from` or `@path` refers to a step that doesn't exist, or not yet.

    Example: `from backbone.layer5`

    Fix: paths are those of the weights: names joined with dots, seen from the block outward.
    """

    code = "unknown-step"
    message = "there is no earlier step `{step}` here"
    expected = "one of {known}"
    help = "{help}"


class UnknownStride(Diagnostic):
    """Whether a residual needs its shortcut can't be told, for an operation in its body declares no stride.

    Example: `avgpool to 7x7` within a residual

    Fix: give the shortcut a condition, `shortcut when C`.
    """

    code = "unknown-stride"
    message = "the stride of this residual's body isn't known, so its shortcut needs a condition"
    help = "write `shortcut when CONDITION`"


class NoInput(Diagnostic):
    """The network doesn't say what shape enters it.

    Fix: write `input 3x224x224`, or give `--input 3x224x224`.
    """

    code = "no-input"
    message = "`{network}` has no input"
    help = "write `input 3x224x224` (channels, then the spatial sizes; letters are sizes left open: `3xHxW`)"


class NotANetwork(Diagnostic):
    """A file of blocks alone was given where a network is wanted, or the other way round.

    Fix: `use` brings in the blocks of a library; `extends` and the command line take networks.
    """

    code = "not-a-network"
    message = "`{name}` {what}"
    help = "{help}"


class UnknownFile(Diagnostic):
    """A file named by `extends` or `use` isn't there.

    Names are looked up in the file's own folder, then among the shipped specs; nothing else is read.
    """

    code = "unknown-spec"
    message = "there is no spec `{name}`"
    help = "did you mean `{near}`?"


class UnknownParameter(Diagnostic):
    """A value is given for a parameter that the network doesn't have.

    Example: `--set class=10`

    Fix: see the parameters in the spec's first lines.
    """

    code = "unknown-parameter"
    message = "`{network}` has no parameter `{name}`"
    expected = "one of {known}"
    help = "did you mean `{near}`?"


class UnknownScheme(Diagnostic):
    """An initialisation names a scheme or a weight that doesn't exist.

    Example: `init conv weight kaiming(fan_out)`

    Fix: the schemes are default, normal, trunc_normal, uniform, xavier_uniform, kaiming_normal, kaiming_uniform,
    zeros, ones and a number.
    """

    code = "unknown-scheme"
    message = "{what}"
    expected = "one of {known}"
    help = "did you mean `{near}`?"


class DuplicateOutput(Diagnostic):
    """Two outputs of the network have the same name, or `returns` doesn't name them all.

    Fix: rename one; list each output once in `returns`.
    """

    code = "outputs"
    message = "{what}"
    expected = "{expected}"
