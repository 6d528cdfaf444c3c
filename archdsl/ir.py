"""The compiled network: a tree of scopes over values in single assignment, frozen.

Equal scopes are one object, so that everything told of a network is a fold with one result a distinct scope.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from archdsl.dims import Dim, at
from archdsl.ops.base import Facts, Op
from archdsl.shape import Shape
from archdsl.source import Span

# A step's name is one level of the state_dict key: literal pieces and, inside a loop, the loop's counter.
Name = tuple[str | Dim, ...]
Mode = Literal["always", "training", "eval"]
Kind = Literal["net", "block", "container", "loop", "side"]


# What every torch module has of its own (a test holds this to the real class), and `init_weights` of the emitted one:
# no step can be called so.
MODULE_ATTRIBUTES = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval"
    " extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half init_weights ipu"
    " load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters"
    " register_backward_hook register_buffer register_forward_hook register_forward_pre_hook"
    " register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook"
    " register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook"
    " register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty"
    " train training type xpu zero_grad".split()
)


def spell(name: Name, counters: Mapping[str, int] = {}) -> str:
    """A name as text, with the counters of the loops around it; `layer{k}` where a counter isn't given."""
    return "".join(
        part
        if isinstance(part, str)
        else str(at(part, counters))
        if counters or isinstance(part, int)
        else f"{{{part}}}"
        for part in name
    )


class Init(NamedTuple):
    """How a weight is drawn: a scheme of the language and its numbers (`trunc_normal`, (0.01,))."""

    scheme: str
    args: tuple[Any, ...] = ()


class OpStep(NamedTuple):
    """One op applied. `inputs` and `outputs` are value numbers of the scope; an unused step has no reader.

    inits: weight suffix -> how it is drawn, for the weights that don't keep PyTorch's own way.
    """

    name: Name
    op: Op
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    facts: Facts
    inits: tuple[tuple[str, Init], ...]
    span: Span
    unused: bool = False


class CallStep(NamedTuple):
    """A scope entered: a block called or a container; one level of names.

    arguments: what the scope's class is constructed with, in the caller's terms (traced when source is wanted).
    """

    name: Name
    scope: Scope
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arguments: tuple[tuple[str, Any], ...]
    span: Span
    unused: bool = False


class LoopStep(NamedTuple):
    """A body repeated `times` times on its own result, transparent for names.

    The counter runs from 0 and stands in the names of the body's steps; values other than the first are the same in
    each iteration.
    """

    scope: Scope
    times: int
    counter: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    span: Span


class SideStep(NamedTuple):
    """Steps that run in one mode only (a training-only head), transparent for names."""

    scope: Scope
    mode: Mode
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    span: Span


Step = OpStep | CallStep | LoopStep | SideStep


class Side(NamedTuple):
    """A named output beside the main one: its position among the scope's results, and when it exists."""

    name: str
    mode: Mode


class Scope:
    """A block's body, a container, a loop's body or a side head.

    name: the block's name, or the container's label.
    inputs: the value numbers that enter; the first is the tensor, further ones are what `from` brings in.
    shapes: the shape of each value, by number.
    steps: in the order of execution.
    results: value numbers: the main result, then those that others reach into the scope for, then the sides'.
    taps: the paths of the inner steps that the middle results are.
    sides: the last results are named outputs of the network.
    jump: total stride per spatial axis from input to main result; None where an op declares none.
    labelled: the steps have names of their own; otherwise they are numbered.
    params: the constructor's parameters of a block with their default source (None: no default).
    """

    __slots__ = (
        "inputs",
        "jump",
        "kind",
        "labelled",
        "name",
        "params",
        "results",
        "shapes",
        "sides",
        "span",
        "steps",
        "taps",
    )

    def __init__(
        self,
        *,
        kind: Kind,
        name: str,
        inputs: tuple[int, ...],
        shapes: tuple[Shape, ...],
        steps: tuple[Step, ...],
        results: tuple[int, ...],
        span: Span,
        sides: tuple[Side, ...] = (),
        jump: tuple[Any, ...] | None = None,
        labelled: bool = False,
        params: tuple[tuple[str, str | None], ...] = (),
        taps: tuple[str, ...] = (),
    ) -> None:
        self.kind: Kind = kind
        self.name = name
        self.inputs = inputs
        self.shapes = shapes
        self.steps = steps
        self.results = results
        self.span = span
        self.sides = sides
        self.jump = jump
        self.labelled = labelled
        self.params = params
        self.taps = taps

    def key(self) -> tuple[Any, ...]:
        """What makes two scopes the same: everything but where they stand."""
        return (
            self.kind,
            self.name,
            self.inputs,
            self.shapes,
            self.results,
            self.sides,
            self.taps,
            tuple(_step_key(step) for step in self.steps),
        )

    def replaced(self, **fields: Any) -> Scope:
        """The scope with other values for some of its fields."""
        return Scope(**({slot: getattr(self, slot) for slot in self.__slots__} | fields))

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}: {len(self.steps)} steps>"


def _step_key(step: Step) -> tuple[Any, ...]:
    if isinstance(step, OpStep):
        return (step.name, step.op, step.inputs, step.outputs, step.inits, step.unused)
    if isinstance(step, CallStep):
        return (step.name, id(step.scope), step.inputs, step.outputs, step.unused)
    return (id(step.scope), step.inputs, step.outputs, step.times if isinstance(step, LoopStep) else step.mode)


class Output(NamedTuple):
    """An output of the network: its name, the position among the net scope's results, and when it exists."""

    name: str
    result: int
    mode: Mode

    @property
    def field(self) -> str:
        """Its name in the tuple that a module with several outputs returns: `layer1.0.~relu` is `layer1_0_relu`.

        A field starts with a letter: what starts with a digit has `output_` before it.
        """
        spelled = re.sub(r"[^A-Za-z0-9_]+", "_", self.name).lstrip("_") or "output"
        if spelled[0].isdigit():
            return f"output_{spelled}"
        return f"{spelled}_" if keyword.iskeyword(spelled) else spelled


class Net(NamedTuple):
    """A compiled network.

    input: the shape that enters, spatial sizes as variables (`H`, `W`); `sizes` gives their values where the input is
        concrete.
    outputs: in the order in which they are returned; the main output is the one with result 0.
    tapped: the outputs are steps that were asked for, and what they don't need is left out.
    """

    name: str
    about: str
    scope: Scope
    input: Shape
    sizes: Mapping[str, int]
    outputs: tuple[Output, ...]
    params: tuple[tuple[str, Any], ...]
    train: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    tapped: bool = False

    @property
    def concrete(self) -> bool:
        """Every size of the input is a number."""
        return not {name for size in self.input.sizes for name in _variables(size)} - set(self.sizes)

    def at(self, size: Dim) -> Dim:
        """A size at the network's input; still symbolic where the input is."""
        return at(size, self.sizes) if self.concrete else size


def _variables(size: Dim) -> frozenset[str]:
    from archdsl.dims import variables

    return variables(size)


class Leaf(NamedTuple):
    """An op step with its place in the whole network."""

    path: str
    step: OpStep
    scope: Scope
    mode: Mode


def leaves(scope: Scope, prefix: str = "", mode: Mode = "always", counters: Mapping[str, int] = {}) -> Iterator[Leaf]:
    """Every op step with its full path, loops unfolded, in the order of execution."""
    for step in scope.steps:
        if isinstance(step, OpStep):
            yield Leaf(prefix + spell(step.name, counters), step, scope, mode)
        elif isinstance(step, CallStep):
            yield from leaves(step.scope, f"{prefix}{spell(step.name, counters)}.", mode)
        elif isinstance(step, SideStep):
            yield from leaves(step.scope, prefix, step.mode, counters)
        else:
            for k in range(step.times):
                yield from leaves(step.scope, prefix, mode, {**counters, step.counter: k})
