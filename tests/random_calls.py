"""Random calls of every op: arguments that fit a shape, or nothing where the op has no place there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from op_cases import cases

from archdsl.ops import BY_NAME
from archdsl.ops.spatial import MAPS
from archdsl.shape import Shape
from archdsl.syntax.expression import Apply, Arg, Attribute, Expression, ListOf, Literal, SizeLiteral, Unary, Word
from archdsl.trace import Sides

Args = tuple[Arg, ...]

# The ops that a call can name, and those with weights, which need a name among named steps.
CALLED = tuple(name for name, op in BY_NAME.items() if op.inputs[0] == 1)
MERGES = tuple(name for name, op in BY_NAME.items() if op.inputs[0] > 1)
WEIGHTED = frozenset(
    name for name in BY_NAME if any(case.op.infer(case.inputs).weights for case in cases(name) if len(case.inputs) == 1)
)
ACTIVATIONS = tuple(name for name in CALLED if BY_NAME[name].kind == "activation")


def lit(value: Any) -> Expression:
    return (
        Unary("-", Literal(-value))
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0
        else Literal(value)
    )


def written(value: Any) -> Expression:
    """A setting's value as a spec has it."""
    if isinstance(value, Sides):
        return SizeLiteral(tuple(value))
    if isinstance(value, tuple):
        return ListOf(tuple(map(written, value)))
    return Word(value) if isinstance(value, str) else lit(value)


def flat(shape: Shape) -> bool:
    return shape.axes == ("channels",)


def last(shape: Shape) -> bool:
    return shape.axes[-1] == "channels"


def is_map(shape: Shape) -> bool:
    return shape.axes in MAPS


class Caller:
    """Draws arguments. `keep`: the spatial sizes, or all sizes, stay as they are.

    channels: makes an expression for a number of output channels.
    """

    def __init__(self, rng: random.Random, shape: Shape, keep: bool, channels: Callable[[], Expression]) -> None:
        self.rng = rng
        self.shape: Any = shape  # all of plain numbers
        self.keep = keep
        self.channels = channels

    def call(self, op: str) -> Args | None:
        """Arguments for an op on the shape; None where it can't stand there."""
        make = getattr(self, f"_{op}", None)
        if make is not None:
            made: Args | None = make()
            return made
        return self.some(*_SETTINGS[op]) if op in _SETTINGS else self._as_tested(op)

    def _as_tested(self, op: str) -> Args | None:
        """Settings that the op's own tests have for this layout; whether they fit the sizes is seen by trying."""
        fitting = [case for case in cases(op) if len(case.inputs) == 1 and case.inputs[0].axes == self.shape.axes]
        if not fitting:
            return None
        case = self.rng.choice(fitting)
        if self.keep and case.op.infer(case.inputs).shape.spatial != case.inputs[0].spatial:
            return None
        return tuple(self.setting(name, written(value)) for name, value in case.settings.items())

    def setting(self, name: str, value: Expression) -> Arg:
        """`name value` or `name = value`."""
        simple = isinstance(value, (SizeLiteral, Word)) or (isinstance(value, Literal) and value.value is not None)
        if simple and self.rng.random() < 0.85:
            return Arg(None, (Word(name), value))
        return Arg(name, (value,))

    def flag(self, name: str) -> Arg:
        return self.rng.choice(
            [Arg(None, (Word(name),)), self.setting(name, Literal(True)), self.setting(name, Literal(False))]
        )

    def some(self, *choices: tuple[str, tuple[Any, ...]]) -> Args:
        """Each setting with a third of a chance; a choice of `()` is a flag."""
        found = []
        for name, values in choices:
            if self.rng.random() < 0.35:
                found.append(self.setting(name, lit(self.rng.choice(values))) if values else self.flag(name))
        self.rng.shuffle(found)
        return tuple(found)

    def value(self, node: Expression) -> Arg:
        return Arg(None, (node,))

    def size(self, value: int) -> Expression:
        """A number, or with a side for each axis."""
        rank = len(self.shape.spatial)
        if rank < 2 or self.rng.random() < 0.5:
            return Literal(value)
        return SizeLiteral((value,) * rank)

    def _window(self) -> tuple[int, Args]:
        """A kernel, with stride and padding."""
        sizes = [size for size in self.shape.spatial if isinstance(size, int)]
        kernel = self.rng.choice([1, 3, 3, 3, 5] if self.keep else [1, 2, 3, 3, 3, 5])
        if self.keep:
            kept: Expression = Word("same") if self.rng.random() < 0.5 else Literal(kernel // 2)
            return kernel, (self.setting("pad", kept),)
        stride = self.rng.choice([1, 1, 2, 2, 3] if min(sizes, default=1) > 4 else [1])
        pad: Expression = (
            Word("same") if kernel % 2 and self.rng.random() < 0.5 else Literal(self.rng.randint(0, kernel // 2))
        )
        more = (self.setting("stride", self.size(stride)),) if stride > 1 or self.rng.random() < 0.2 else ()
        return kernel, (*more, self.setting("pad", pad))

    def _conv(self) -> Args | None:
        if not is_map(self.shape):
            return None
        kernel, window = self._window()
        groups = self.rng.choice([group for group in (2, 4) if self.shape.channels % group == 0] or [1])
        dilated = (
            ()
            if self.keep and kernel > 1 and not any("same" in str(arg) for arg in window)
            else (("dilation", (1, 2)),)
        )
        sides = self.size(kernel)
        if len(self.shape.spatial) == 2 and self.keep is False and self.rng.random() < 0.15:
            sides = SizeLiteral((1, kernel))
            window = (self.setting("pad", SizeLiteral((0, kernel // 2))),)
        more = self.some(("groups", (groups,)), ("bias", ()), *dilated)
        return self.value(sides), self.value(self.channels()), *window, *more

    def _dwconv(self) -> Args | None:
        if not is_map(self.shape):
            return None
        kernel, window = self._window()
        return (self.value(self.size(kernel)), *window, *self.some(("bias", ())))

    def _conv_transpose(self) -> Args | None:
        if not is_map(self.shape):
            return None
        stride = 1 if self.keep else self.rng.choice([1, 2, 2, 3])
        kernel = self.rng.choice([1, 3]) if self.keep else self.rng.randint(stride, 4)
        pad = kernel // 2 if self.keep else self.rng.randint(0, kernel // 2)
        more = [self.setting("stride", Literal(stride))] if stride > 1 else []
        if pad:
            more.append(self.setting("pad", Literal(pad)))
        if stride > 1 and self.rng.random() < 0.3:
            more.append(self.setting("output_pad", Literal(1)))
        return (
            self.value(Literal(kernel)),
            self.value(self.channels()),
            *more,
            *self.some(("bias", ()), ("groups", (1, 2))),
        )

    def _linear(self) -> Args | None:
        if not last(self.shape):
            return None
        return (self.value(self.channels()), *self.some(("bias", ())))

    def _pool(self, *more: tuple[str, tuple[Any, ...]]) -> Args | None:
        if not is_map(self.shape):
            return None
        if not self.keep and self.rng.random() < 0.25:
            return (self.setting("to", self.size(self.rng.choice([1, 1, 2, 3]))),)
        kernel, window = self._window()
        if self.keep:
            window = (*window, self.setting("stride", Literal(1)))
        first = self.setting("kernel", self.size(kernel)) if self.rng.random() < 0.1 else self.value(self.size(kernel))
        return (first, *window, *self.some(*(() if self.keep else (("ceil", ()),)), *more))

    def _maxpool(self) -> Args | None:
        return self._pool()

    def _avgpool(self) -> Args | None:
        return self._pool(("count_pad", ()))

    def _mean(self) -> Args | None:
        return None if self.keep or len(self.shape.axes) < 2 else ()

    def _batchnorm(self) -> Args | None:
        if not (is_map(self.shape) or flat(self.shape)):
            return None
        return self.some(("eps", (1e-3, 1e-6)), ("momentum", (0.2, 0.01)), ("affine", ()), ("track", ()))

    def _groupnorm(self) -> Args | None:
        if not (is_map(self.shape) or flat(self.shape)):
            return None
        groups = self.rng.choice([group for group in (1, 2, 4) if self.shape.channels % group == 0])
        return (self.value(Literal(groups)), *self.some(("eps", (1e-6,)), ("affine", ())))

    def _instancenorm(self) -> Args | None:
        return self.some(("eps", (1e-3,)), ("affine", ()), ("track", ())) if is_map(self.shape) else None

    def _lrn(self) -> Args | None:
        if not is_map(self.shape):
            return None
        return (
            self.value(Literal(self.rng.choice([2, 3, 5]))),
            *self.some(("alpha", (1e-3,)), ("beta", (0.5,)), ("k", (2.0,))),
        )

    def _rmsnorm(self) -> Args | None:
        return self.some(("eps", (1e-6,)), ("affine", ())) if last(self.shape) else None

    def _prelu(self) -> Args | None:
        return self.some(("per_channel", ())) if self.shape.channels_first else ()

    def _glu(self) -> Args | None:
        return () if self.shape.channels % 2 == 0 and self.shape.channels > 2 else None

    def _threshold(self) -> Args:
        return self.value(Literal(0.1)), self.value(Literal(0.5))

    def _gelu(self) -> Args:
        return (self.setting("approximate", Word("tanh")),) if self.rng.random() < 0.4 else ()

    def _spatial_dropout(self) -> Args | None:
        return self._dropout() if is_map(self.shape) else None

    def _dropout(self) -> Args:
        return self.rng.choice(
            [(), (self.value(Literal(self.rng.choice([0, 0.1, 0.5]))),), (self.setting("p", Literal(0.2)),)]
        )

    _alpha_dropout = _dropout

    def _flatten(self) -> Args | None:
        return None if self.keep or self.shape.elements > 3000 else ()

    def _reshape(self) -> Args | None:
        elements = self.shape.elements
        if self.keep or not isinstance(elements, int) or elements > 4096:
            return None
        goal = self.rng.choice([1, 2, 3, 3, 3, 4])
        sides: list[int] = []
        for _ in range(goal - 1):
            left = elements
            for side in sides:
                left //= side
            sides.append(max(side for side in range(1, min(left, 12) + 1) if left % side == 0))
        rest = elements
        for side in sides:
            rest //= side
        if rest > 400:
            return None
        sizes = (rest, *sides)
        written = ListOf(tuple(map(lit, sizes))) if goal == 1 or self.rng.random() < 0.5 else SizeLiteral(sizes)
        return (self.value(written),)

    def _layout(self) -> Args | None:
        orders = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}.get(len(self.shape.spatial))
        if self.keep or not orders:
            return None
        return (self.value(Word(orders[self.shape.channels_first])),)

    def _tokens(self) -> Args | None:
        return () if self.shape.spatial and not self.keep else None

    def _transpose(self) -> Args | None:
        return () if self.shape.axes == ("tokens", "channels") and not self.keep else None

    def _take(self) -> Args | None:
        if self.shape.axes != ("tokens", "channels") or self.keep:
            return None
        token = self.rng.choice([0, 0, -1])
        return (self.setting("token", lit(token)) if self.rng.random() < 0.5 else self.value(lit(token)),)

    def _pad(self) -> Args | None:
        if self.keep:
            return None
        first = (self.value(Literal(self.rng.choice([0, 1, 1, 2]))), *self.rng.choice([(), (self.value(Literal(1)),)]))
        axes = [axis for axis in self.shape.axes if axis != "batch"]
        if is_map(self.shape) and self.rng.random() < 0.6:
            return (*first, *self._mode())
        return (*first, self.setting("along", Word(self.rng.choice(axes))))

    def _mode(self) -> Args:
        return (self.setting("mode", Word(self.rng.choice(["zeros", "reflect", "replicate", "circular"]))),)

    def _upsample(self) -> Args | None:
        if not is_map(self.shape):
            return None
        if self.keep:
            target = self.rng.choice([(self.setting("to", Word("here")),), (self.setting("scale", Literal(1)),)])
        elif max(self.shape.spatial) > 16:
            target = (self.setting("scale", Literal(0.5)),)
        else:
            target = self.rng.choice(
                [(self.setting("scale", Literal(s)),) for s in (2, 3, 1.5)] + [(self.setting("to", self.size(6)),)]
            )
        modes = ["nearest", "bilinear", "area"] + (["bicubic"] if len(self.shape.spatial) == 2 else [])
        mode = self.rng.choice(modes)
        corners = self.some(("align_corners", ())) if mode in ("bilinear", "bicubic") else ()
        return (*target, self.setting("mode", Word(mode)), *corners)

    def _pixel_shuffle(self) -> Args | None:
        fits = len(self.shape.spatial) == 2 and is_map(self.shape) and self.shape.channels % 4 == 0
        return (self.value(Literal(2)),) if fits and not self.keep and max(self.shape.spatial) < 24 else None

    def _pixel_unshuffle(self) -> Args | None:
        fits = len(self.shape.spatial) == 2 and is_map(self.shape) and all(size % 2 == 0 for size in self.shape.spatial)
        return (self.value(Literal(2)),) if fits and not self.keep and self.shape.channels <= 32 else None

    def _chunk(self) -> Args | None:
        number = self.rng.choice([2, 2, 3, 4])
        if self.keep or self.shape.channels % number or self.shape.channels == number:
            return None
        index = self.value(Literal(self.rng.randint(1, number)))
        return (index,) if number == 2 and self.rng.random() < 0.5 else (index, self.setting("of", Literal(number)))

    def _channel_shuffle(self) -> Args | None:
        groups = [number for number in range(1, 9) if self.shape.channels % number == 0]
        return (self.value(Literal(self.rng.choice(groups))),)

    def _channel_affine(self) -> Args | None:
        if not is_map(self.shape) or self.shape.channels > 12:
            return None
        lists = [
            ListOf(tuple(lit(self.rng.choice([0.5, 1, -2.0, 0.0])) for _ in range(self.shape.channels)))
            for _ in range(2)
        ]
        if self.rng.random() < 0.5:
            return Arg("scale", (lists[0],)), Arg("shift", (lists[1],))
        return tuple(map(self.value, lists))

    def _parameter(self) -> Args | None:
        return None  # it only makes sense as a branch

    def parameter(self, gate: bool) -> Args:
        """The shape of a `parameter` that joins the current tensor."""
        sizes: list[Expression] = [Attribute(Word("here"), axis) for axis in self.shape.axes]
        if gate and self.shape.channels_first:
            sizes = [sizes[0], *(Literal(1) for _ in sizes[1:])]
        elif gate:
            sizes = [sizes[-1]]
        elif self.rng.random() < 0.5:
            sizes = [Literal(1), *sizes]
        init = self.rng.choice([(), (Arg("init", (Apply("normal", (self.value(Literal(0.02)),)),)),)])
        return (self.value(ListOf(tuple(sizes))), *init)


_SETTINGS: dict[str, tuple[tuple[str, tuple[Any, ...]], ...]] = {
    "layernorm": (("eps", (1e-6,)), ("affine", ()), ("bias", ())),
    "leaky_relu": (("negative_slope", (0.2, 0.0)),),
    "rrelu": (("low", (0.1,)), ("high", (0.4,))),
    "elu": (("alpha", (0.5,)),),
    "celu": (("alpha", (0.5,)),),
    "softplus": (("beta", (2,)), ("threshold", (10,))),
    "hardtanh": (("min_val", (-2,)), ("max_val", (0.5,))),
    "hardshrink": (("lambd", (0.1,)),),
    "softshrink": (("lambd", (0.1,)),),
}
