"""What an op is: its typed settings, what can be told without running it, and how PyTorch spells it.

An op never sees a position in a file: it names the setting that is wrong, and its caller knows where that stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, dataclass_transform, get_origin, get_type_hints

from archdsl.dims import Dim, Sym, at, prod
from archdsl.ops.settings import Converter, SettingError, converter_for
from archdsl.shape import Shape

# The way out for a setting that has H or W in it.
OPEN = "it never depends on the height and width of the input: make it a parameter of the network"


class OpError(Exception):
    """The settings or inputs of an op don't work.

    `setting` names the setting at fault (None: the call as a whole), `input` the index of the input that doesn't fit
    the others of a merge, `like` those that it should be like; `code` is the diagnostic's code; `expected`, `got` and
    `help` are its lines.
    """

    def __init__(
        self,
        message: str,
        *,
        setting: str | None = None,
        code: str = "invalid-setting",
        expected: str = "",
        got: str = "",
        help: str = "",
        input: int | None = None,
        like: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.like = like
        self.setting = setting
        self.input = input
        self.code = code
        self.expected = expected
        self.got = got
        self.help = help


class Window(NamedTuple):
    """How an output position sees input positions along each spatial axis, one entry an axis.

    Output `o` sees the inputs `o*stride - pad + dilation*t` for `t < kernel`. `up` > 1 says that the op is the
    transpose: the input is first spread out by that factor.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    up: tuple[int, ...] = ()


class Tiles(NamedTuple):
    """Positions in tiles of this size, of which the second starts at `shift` (or `size`); each sees all of its tile.

    One entry an axis. Maps keep their size; a last tile may reach beyond them.
    """

    size: tuple[int, ...]
    shift: tuple[int, ...]


# How far an op sees, where it is no window: one position, or the whole map (whose stride is then undefined).
POINTWISE = "pointwise"
GLOBAL = "global"
# Different positions see differently (a concatenation of maps), so no one window tells it.
UNKNOWN = "unknown"


class AtLeast(NamedTuple):
    """A size must reach a minimum; `what` completes "the ... is": output height."""

    size: Dim
    minimum: int
    what: str


class Same(NamedTuple):
    """Two sizes must be equal; `what` names the axis, `inputs` the two inputs compared."""

    left: Dim
    right: Dim
    what: str
    inputs: tuple[int, int] = (0, 0)


class Divides(NamedTuple):
    """A size must be a multiple of a number."""

    divisor: int
    size: Dim
    what: str


Check = AtLeast | Same | Divides


class Extra(NamedTuple):
    """A tensor that autograd keeps beside input and output: its elements and bytes per element.

    `batch` is False for statistics whose size doesn't grow with the batch.
    """

    elements: Dim
    bytes: int
    batch: bool = True


def count(*sizes: Dim) -> Dim:
    """The product of sizes as a plain number: of traced ones nobody reads the source of a count."""
    return prod(int(size) if isinstance(size, int) else size for size in sizes)


class Buffer(NamedTuple):
    """State that is no parameter: its shape and torch dtype name; `persistent` ones are in the state_dict."""

    shape: tuple[Dim, ...]
    dtype: str = "float32"
    persistent: bool = True


# Shared by all that have no weights or buffers, and never changed.
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Facts(NamedTuple):
    """All that can be told about a step without running it, for one image.

    weights: parameter suffix -> shape; an empty suffix is a bare tensor under the step's own name.
    work: the factors of the multiply-accumulates of convolutions, linear layers and matrix products; no bias (design:
        half of `torch.utils.flop_counter`). None for no work; multiplied out only by those who ask.
    window: how far an output position sees: a Window, Tiles, POINTWISE, GLOBAL or UNKNOWN.
    saves: what autograd keeps for the backward pass in training: "input", "output" or an Extra. Of a merge "input" is
        each factor of a product from left to right, and the Extras are the partial products.
    saves_in_place: the same where the module runs in place, for those that can.
    saves_first: the same where the input needs no gradient, so that only weights do; None: no different.
    alias: the output is a view of the input, or (identity, dropout of 0) the input itself.
    checks: what must hold of symbolic sizes; plain numbers are checked by `infer` itself or through these.
    """

    shape: Shape
    weights: Mapping[str, tuple[Dim, ...]] = NOTHING
    buffers: Mapping[str, Buffer] = NOTHING
    work: tuple[Dim, ...] = ()
    window: Window | Tiles | str = POINTWISE
    saves: tuple[str | Extra, ...] = ()
    saves_in_place: tuple[str | Extra, ...] = ()
    saves_first: tuple[str | Extra, ...] | None = None
    alias: bool = False
    checks: tuple[Check, ...] = ()

    @property
    def macs(self) -> Dim:
        """Multiply-accumulates for one image."""
        return count(*self.work) if self.work else 0

    def macs_at(self, sizes: Mapping[str, int]) -> int:
        """Multiply-accumulates at given sizes of the input."""
        return math.prod([at(factor, sizes) for factor in self.work]) if self.work else 0


# What warnings and optimisation ask of an op, instead of its name.
Trait = Literal["linear map", "per channel", "centres", "elementwise", "rectifies", "distribution"]


class Helper(NamedTuple):
    """Python source of a class or function that the emitted file needs once.

    imports: whole lines. needs: the helpers that it uses itself.
    """

    name: str
    source: str
    imports: tuple[str, ...] = ()
    needs: tuple[Helper, ...] = ()


class Torch(NamedTuple):
    """How PyTorch spells an op, as data.

    Either a module, `call(*args, **settings)` where settings equal to `defaults` may be left out (`nn.Conv2d`), or
    an `expression` over the inputs, a template with {0}, {1}, ... or {inputs} (`torch.cat([{inputs}], 1)`).
    Values are int, float, bool, str, None, or tuples of them; nothing else ever reaches the text.
    parameter: the op is a bare `nn.Parameter` of its one weight; the expression gets it as {weight}.
    parts: modules inside the op's own that hold weights, by the name in front of the suffix: {"qkv": "nn.Linear"}.
        A module with buffers of its own that aren't running statistics computes them in `reset_buffers`.
    """

    call: str = ""
    args: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = NOTHING
    defaults: Mapping[str, Any] = NOTHING
    expression: str = ""
    parameter: bool = False
    helper: Helper | None = None
    parts: Mapping[str, str] = NOTHING


class Field(NamedTuple):
    """One setting of an op: its converter, and its default or `REQUIRED`."""

    name: str
    convert: Converter
    default: Any


REQUIRED: Any = object()


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Op:
    """An operation. Subclasses are final; annotated attributes are their settings.

    Those without a default are the op's values, given in order; those with one are settings, given by name.

    kind: what colours a diagram: conv, linear, pool, norm, activation, dropout, shape, merge, attention, other.
    symbol: how a diagram shows it where that isn't its name.
    aliases: how to write it here, and what others call that, in small letters.
    optional: settings with a default that calls may also give in order, after the values (`dropout 0.2`).
    inputs: how many tensors it takes; (2, None) means two or more. Ops with several inputs are spelled as merges.
    axes: the layouts it accepts, as tuples of axis names; empty means any. `axes_help` is the way out for others.
    traits: `linear map`: weights times the input, plus a bias if there is one; `per channel`: each channel scaled and
        shifted at most, so that the linear maps before and behind it are still one; `centres`: takes the mean out of
        each channel; `elementwise`: a function of each number alone; `rectifies`: cuts off what is negative;
        `distribution`: scores become probabilities.
    training_only: in evaluation it does nothing, and hands on its input itself.
    out_axis: of a linear map: the axis of its weight along which the output channels lie.
    family: the op whose `default` it follows; init_family the op whose `init` it follows (own name if empty).
    weights: the names by which `init` reaches its weights: their suffixes, `weight` where that is empty, `_` for dots.
    weight_init: weight suffix -> the op whose `init` it follows too, by the last part: `linear` for "qkv.weight".
    draws: weight suffix -> scheme and its numbers, for those that PyTorch's modules don't draw by themselves.
    """

    # Settings live in the instance's dict; its hash beside them, for ops are keys of the compiler's hottest caches.
    __slots__ = ("__dict__", "_hash")

    name: ClassVar[str]
    kind: ClassVar[str] = "other"
    traits: ClassVar[tuple[Trait, ...]] = ()
    training_only: ClassVar[bool] = False
    out_axis: ClassVar[int] = 0
    symbol: ClassVar[str] = ""
    aliases: ClassVar[tuple[tuple[str, str], ...]] = ()
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    optional: ClassVar[tuple[str, ...]] = ()
    axes: ClassVar[tuple[tuple[str, ...], ...]] = ()
    axes_help: ClassVar[str] = ""
    family: ClassVar[str] = ""
    init_family: ClassVar[str] = ""
    weights: ClassVar[tuple[str, ...]] = ("weight", "bias")
    weight_init: ClassVar[Mapping[str, str]] = {}
    draws: ClassVar[Mapping[str, tuple[str, tuple[float, ...]]]] = {}
    fields: ClassVar[dict[str, Field]]

    def __init__(self, **settings: Any) -> None:
        """From raw values; raises OpError for a wrong, missing or unknown setting."""
        fields = type(self).settings()
        values = self.__dict__
        for key, value in settings.items():
            if key not in fields:
                raise OpError(f"`{self.name}` has no setting `{key}`", setting=key, code="unknown-setting")
            try:
                values[key] = fields[key].convert(value, key)
            except SettingError as error:
                message = f"`{key}` of `{self.name}` can't be {error.got}"
                help = OPEN if isinstance(value, Sym) else ""
                raise OpError(message, setting=key, expected=error.expected, got=error.got, help=help) from None
        for key, spec in fields.items():
            if key not in values:
                if spec.default is REQUIRED:
                    raise OpError(f"`{self.name}` needs a value for `{key}`", setting=key, code="missing-value")
                values[key] = spec.default
        self.validate()
        # In the order of declaration: equal ops have one hash, in whatever order a call gave their settings.
        self._hash = hash((self.name, *map(values.__getitem__, fields)))

    @classmethod
    def settings(cls) -> dict[str, Field]:
        """The settings in order, read from the annotations of the class and its bases once."""
        if "fields" not in cls.__dict__:
            bases = [base for base in reversed(cls.__mro__) if issubclass(base, Op) and base is not Op]
            hints = {key: hint for base in bases for key, hint in base.__annotations__.items()}
            if any(isinstance(hint, str) for hint in hints.values()):
                # A plugin whose file postpones annotations; reading those costs too much for our own.
                hints = {key: hint for key, hint in get_type_hints(cls, include_extras=True).items() if key in hints}
            cls.fields = {
                key: Field(key, converter_for(hint), getattr(cls, key, REQUIRED))
                for key, hint in hints.items()
                if get_origin(hint) is not ClassVar
            }
        return cls.fields

    @classmethod
    def values(cls) -> tuple[str, ...]:
        """The names of what calls give in order: the settings without default, then the optional ones."""
        required = tuple(key for key, spec in cls.settings().items() if spec.default is REQUIRED)
        return required + cls.optional

    def validate(self) -> None:
        """Checks that need no input; raises OpError."""

    def infer(self, inputs: tuple[Shape, ...]) -> Facts:
        """Facts for these input shapes; raises OpError."""
        raise NotImplementedError

    def lower(self, inputs: tuple[Shape, ...]) -> Torch:
        """How PyTorch spells this op on these inputs, which `infer` has accepted."""
        raise NotImplementedError

    def hint(self) -> str:
        """What is easily overlooked in this op's settings, told where its output has an unexpected size."""
        return ""

    def only(self, inputs: tuple[Shape, ...]) -> Shape:
        """The one input; raises OpError for a layout that the op doesn't accept."""
        (shape,) = inputs
        if self.axes and shape.axes not in self.axes:
            raise OpError(
                f"`{self.name}` can't work on {' x '.join(shape.axes)}",
                code="wrong-layout",
                expected=" or ".join(" x ".join(axes) for axes in self.axes),
                got=f"{shape} ({' x '.join(shape.axes)})",
                help=self.axes_help,
            )
        return shape

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.__dict__.items())})"
