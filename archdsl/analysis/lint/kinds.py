"""The warnings: what compiles but may not be meant. The docstrings are their pages."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic


class Warning(Diagnostic):
    """Something that compiles; a comment `# archdsl: ignore CODE` on its line silences it."""

    severity = "warning"


class UnusedModule(Warning):
    """A module's weights are in the state_dict and in the totals, but the network never uses them.

    Example: `unused linear: linear classes`

    Fix: none is needed where a published checkpoint has the weights; otherwise remove the line.
    """

    code = "unused-module"
    message = "the weights of `{name}` are never used"
    help = "they are there for a checkpoint's sake? `# archdsl: ignore unused-module` on the line says so"


class DeadLayer(Warning):
    """A layer runs and nobody reads what it gives, because a `from` goes on from somewhere else.

    Example: `up: conv 3x3, 8` and, right below it, `from stem`

    Fix: join its result to the rest (`concat`, `add`), make it an `output`, or remove it.
    """

    code = "dead-layer"
    message = "nobody reads what `{name}` gives"
    help = "the steps below continue from elsewhere: join it to them with `concat` or `add`, or remove it"


class UnusedBlock(Warning):
    """A block or macro is defined and the network never comes to it.

    Example: `block bottleneck (width)` in a network that calls `basic` only

    Fix: call it, or remove it. A block for other files stands in a file of its own without a network.
    """

    code = "unused-block"
    message = "the {what} `{name}` is never used"


class UnusedParameter(Warning):
    """A parameter is declared and nothing reads it, so that its value changes nothing.

    Example: `block basic (width, stride = 1)` whose convolutions say `stride 1`, or nothing of a stride

    Fix: pass it on where it is meant (`conv 3x3, width, stride`), or remove it.
    """

    code = "unused-parameter"
    message = "nothing in `{owner}` reads its parameter `{name}`"
    help = "its value changes nothing: pass it on where it is meant, or remove it"


class UnusedLet(Warning):
    """A value is named and nothing below reads the name.

    Example: `let wide = 4 * width` in a body that says `conv 1x1, 4*width`

    Fix: use the name, or remove the line.
    """

    code = "unused-let"
    message = "nothing reads `{name}`"


class UnusedVariable(Warning):
    """A loop names something that its body doesn't read: often a column of a table that was forgotten.

    Example: `for c s`, a table, and `do conv 3x3, c`: the column `s` changes nothing

    Fix: read it in the body, or remove it; a name that starts with `_` says that it isn't read. `repeat 4` repeats
    without a variable.
    """

    code = "unused-variable"
    message = "the loop's body doesn't read `{name}`"
    help = "{help_text}"


class ConstructAsName(Warning):
    """In a text spec a colon makes a name: `residual:` is a container called residual, and nothing is added.

    Example: `residual:` with a body, as YAML has it

    Fix: `residual` without the colon. If the container is to have that name, silence the warning.
    """

    code = "construct-as-name"
    message = "`{word}:` is a container with the name {word}"
    help = "did you mean `{word}`, without the colon?"


class LostBias(Warning):
    """A convolution or linear layer has a bias, and the normalisation behind it takes each channel's mean out.

    The bias is a parameter that changes nothing; the normalisation has a shift of its own.

    Example: `conv 3x3, 64` and, right below it, `batchnorm`

    Fix: `bias no`, or `default conv  bias no` for all. Some published networks have such biases, and their checkpoints
    need them.
    """

    code = "lost-bias"
    message = "the bias of `{op}` is lost in the `{norm}` behind it"
    help = "`bias no` saves the parameters and changes nothing else"


class DropoutBeforeNorm(Warning):
    """Dropout stands right before a batch normalisation, which then learns the variance of thinned-out activations.

    In evaluation nothing is dropped and the variance is another one (Li et al. 2019, arXiv:1801.05134).

    Example: `dropout 0.5` and, right below it, `batchnorm`

    Fix: put the dropout behind the last normalisation, usually before the last linear layer.
    """

    code = "dropout-before-norm"
    message = "`{norm}` learns the statistics of what `{op}` leaves over"
    help = "in evaluation these are others: put the dropout behind the last normalisation"


class NoNonlinearity(Warning):
    """Two convolutions or two linear layers stand behind each other with nothing between them that isn't linear.

    Together they can't do more than one layer could. A batch normalisation and a dropout between them change nothing of
    that. Two that go through fewer channels are told nothing of: such a factorisation saves weights.

    Example: `linear 256` and, right below it, `linear 10`

    Fix: an activation between them.
    """

    code = "no-nonlinearity"
    message = "no activation stands between `{first}` and this `{op}`"
    help = "all between them is linear, so together they do what one layer could: is a `relu` missing?"


class LonelyWindow(Warning):
    """A window larger than 1 slides over a map that has shrunk to one position: all but its middle sees padding.

    Most of the weights never meet a number. This happens where a network for large images is given a small one.

    Example: five times `conv 3x3, 64, pad same` and `maxpool 2x2` on 32x32, and then `conv 3x3, 64, pad same`

    Fix: a larger input, fewer strides and pools before it, or a 1x1 kernel.
    """

    code = "lonely-window"
    message = "`{op}` slides a window of {kernel} over a map of {size}"
    help = "all but one position of the window see padding: a larger input, fewer strides before it, or a 1x1 kernel"


class SkippedPositions(Warning):
    """The stride is larger than the window, so that some positions of the map are never seen.

    A 1x1 window with a stride is told nothing of: shortcuts are made so.

    Example: `maxpool 2x2, stride 3`

    Fix: a stride no larger than the kernel.
    """

    code = "skipped-positions"
    message = "`{op}` moves by {stride} and sees {kernel}: positions between its windows are never seen"
    help = "a stride no larger than the kernel sees them all"


class RectifiedScores(Warning):
    """The scores of the classes pass a ReLU: all that are negative become equal, and have no gradient.

    Example: `linear 10`, `relu` and nothing behind it, or `softmax`

    Fix: remove the ReLU. Network in Network and SqueezeNet are published with one.
    """

    code = "rectified-scores"
    message = "`{op}` {where} makes all negative scores equal"
    help = "the last layer's scores need no activation"


class SoftmaxBeforeLoss(Warning):
    """A network that has a `train` section ends in softmax, and the cross entropy that training minimises has its own.

    Taken twice, softmax flattens the probabilities and training slows down or stops.

    Example: `linear 10`, `softmax` and `train`

    Fix: end with the scores.
    """

    code = "softmax-before-loss"
    message = "`{op}` at the end, and the loss takes a softmax of its own"
    help = "remove it: cross entropy wants the scores; the order of the classes stays the same"


class RectifiedResidual(Warning):
    """The body of a residual ends in a ReLU, so that it can only add to its input and never take away.

    He et al. 2016 (arXiv:1603.05027, figure 4c) find it worse than the ReLU behind the sum.

    Example: `residual` with the body `conv 3x3, 64`, `batchnorm`, `relu`

    Fix: move the ReLU below the residual.
    """

    code = "rectified-residual"
    message = "the body of `residual` ends in `{op}`, so it can only add"
    help = "the usual place of the activation is behind the sum, in the column of `residual`"
