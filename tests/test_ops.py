"""Each op against the PyTorch module that it is spelled as: shape, weights, buffers, MACs, what autograd keeps."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from op_cases import CASES, REFUSALS, TOKENS, Case, cases, parameter
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archdsl.dims import at, variable
from archdsl.emit.picture.themes import KINDS
from archdsl.ops import BY_NAME, OPS
from archdsl.ops.base import (
    GLOBAL,
    POINTWISE,
    AtLeast,
    Check,
    Divides,
    Extra,
    Facts,
    Helper,
    Op,
    OpError,
    Same,
    Tiles,
    Torch,
    Window,
)
from archdsl.shape import SPATIAL, Shape, image
from archdsl.trace import source_of
from archdsl.trace import variable as traced_variable

BATCH = 2


def every_case(check: Callable[[Case], None]) -> Callable[[str], None]:
    """One test an op, over all its cases."""

    @pytest.mark.parametrize("name", CASES)
    def test(name: str) -> None:
        for case in cases(name):
            try:
                check(case)
            except AssertionError as error:
                error.add_note(repr(case))
                raise

    return test


def every_refusal(check: Callable[[Op, Shape], None]) -> Callable[[str], None]:
    """One test an op, over its settings and inputs some of which PyTorch refuses."""

    @pytest.mark.parametrize("name", REFUSALS)
    def test(name: str) -> None:
        many, shapes = REFUSALS[name]
        for settings, shape in itertools.product(many, shapes):
            try:
                check(BY_NAME[name](**settings), shape)
            except AssertionError as error:
                error.add_note(f"{name} {settings} on {shape}")
                raise

    return test


class Built(NamedTuple):
    """An op as PyTorch code: the module where it has weights or state of its own, and the function."""

    module: nn.Module
    forward: Callable[..., Tensor]


def printed(spelling: Torch, *, in_place: bool = False, full: bool = True) -> str:
    """The call; in full, or without what equals the defaults."""
    settings = {
        k: v for k, v in spelling.settings.items() if full or k not in spelling.defaults or v != spelling.defaults[k]
    }
    settings |= {"inplace": True} if in_place else {}
    arguments = [*map(repr, spelling.args), *(f"{key}={value!r}" for key, value in settings.items())]
    return f"{spelling.call}({', '.join(arguments)})"


def build(spelling: Torch, **choices: bool) -> Built:
    """Runs the source that the op's data stand for."""
    lines = ["import torch", "from torch import nn"]
    for helper in with_needs(spelling.helper):
        lines += [*helper.imports, helper.source]
    if spelling.expression:
        body = spelling.expression.replace("{inputs}", "*x")
        for k in range(4):
            body = body.replace(f"{{{k}}}", f"x[{k}]")
        lines += ["module = nn.Identity()", f"forward = lambda *x: {body}"]
    else:
        lines += [f"module = {printed(spelling, **choices)}", "forward = module"]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)  # noqa: S102 - the printed source is what is tested
    return Built(space["module"], space["forward"])


def with_needs(helper: Helper | None) -> list[Helper]:
    """A helper behind those that it uses."""
    if helper is None:
        return []
    return [*(one for other in helper.needs for one in with_needs(other)), helper]


def tensors(inputs: tuple[Shape, ...], batch: int, device: str = "cpu") -> list[Tensor]:
    sizes = (shape.sizes[1:] if shape.axes[0] == "batch" else (batch, *shape.sizes) for shape in inputs)
    return [torch.rand(tuple(map(int, one)), device=device) for one in sizes]  # type: ignore[arg-type]


def test_every_op_has_cases() -> None:
    assert set(CASES) == set(BY_NAME) == {op.name for op in OPS}
    assert len(BY_NAME) == len(OPS)
    assert all(CASES.values())


@every_case
def test_shape_weights_and_buffers_are_those_of_pytorch(case: Case) -> None:
    facts, spelling = case.op.infer(case.inputs), case.op.lower(case.inputs)
    if spelling.parameter:
        assert facts.shape.sizes[0] == 1
        stretched = torch.zeros(facts.weights[""]) + torch.zeros(BATCH, *case.inputs[0].sizes)  # type: ignore[arg-type]
        assert stretched.shape == (BATCH, *case.inputs[0].sizes)
        return
    built = build(spelling)
    given = tensors(case.inputs, BATCH)
    out = built.forward(*given)
    assert tuple(out.shape) == (BATCH, *facts.shape.sizes)
    assert [(key, tuple(w.shape)) for key, w in built.module.named_parameters()] == list(facts.weights.items())
    kept = {key: (tuple(b.shape), str(b.dtype)) for key, b in built.module.named_buffers()}
    assert kept == {key: (b.shape, f"torch.{b.dtype}") for key, b in facts.buffers.items()}
    assert set(built.module.state_dict()) == {*facts.weights, *(k for k, b in facts.buffers.items() if b.persistent)}


@every_case
def test_what_equals_the_defaults_can_be_left_out(case: Case) -> None:
    spelling = case.op.lower(case.inputs)
    if spelling.call:
        short, full = (build(spelling, full=full).module for full in (False, True))
        assert vars_of(short) == vars_of(full)


def vars_of(module: nn.Module) -> dict[str, Any]:
    return {key: value for key, value in vars(module).items() if not key.startswith("_")}


@every_case
def test_macs_are_half_of_pytorchs_flops(case: Case) -> None:
    spelling = case.op.lower(case.inputs)
    if spelling.parameter:
        return
    built = build(spelling)
    built.module.to("meta").eval()
    with FlopCounterMode(display=False) as counter:
        # Without running statistics a batch norm of single numbers needs two images.
        batch = 2 if case.name == "batchnorm" else 1
        built.forward(*(tensor.to("meta") for tensor in tensors(case.inputs, batch)))
    assert counter.get_total_flops() == 2 * batch * case.op.infer(case.inputs).macs


class Kept(NamedTuple):
    """What autograd keeps beside weights and buffers: which inputs, the output, and further bytes; the aliasing."""

    inputs: tuple[bool, ...]
    output: bool
    extra: int
    alias: bool


def measured(case: Case, *, in_place: bool) -> Kept:
    built = build(case.op.lower(case.inputs), in_place=in_place)
    built.module.train()
    leaves = [tensor.requires_grad_() for tensor in tensors(case.inputs, BATCH)]
    given = [leaf * 1 for leaf in leaves]
    ours = {t.untyped_storage().data_ptr() for t in (*built.module.parameters(), *built.module.buffers())}
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = built.forward(*given)
    places = [tensor.untyped_storage().data_ptr() for tensor in given]
    alias = out.untyped_storage().data_ptr() in places
    extra = [t for place, t in saved.items() if place not in (*places, *ours, out.untyped_storage().data_ptr())]
    found = Kept(
        tuple(place in saved for place in places),
        out.untyped_storage().data_ptr() in saved,
        sum(tensor.untyped_storage().nbytes() for tensor in extra),
        alias,
    )
    torch.autograd.backward(out.sum())
    return found


def stated(saves: tuple[Any, ...], facts: Facts, inputs: tuple[Shape, ...], *, alias: bool) -> Kept:
    extra = sum(one.elements * one.bytes * (BATCH if one.batch else 1) for one in saves if not isinstance(one, str))
    output = "output" in saves
    kept_inputs = "input" in saves or (alias and output)
    return Kept((kept_inputs,) * len(inputs), output or (alias and kept_inputs), extra, alias)


@every_case
def test_autograd_keeps_what_saves_says(case: Case) -> None:
    spelling, facts = case.op.lower(case.inputs), case.op.infer(case.inputs)
    if spelling.parameter or (case.name == "upsample" and len(case.inputs) > 1):
        return
    if case.name == "flatten" and len(case.inputs[0].axes) == 1:
        assert facts.alias
        return
    assert measured(case, in_place=False) == stated(facts.saves, facts, case.inputs, alias=facts.alias)
    if facts.saves_in_place:
        assert measured(case, in_place=True) == stated(facts.saves_in_place, facts, case.inputs, alias=True)


def seen_along(window: Window | Tiles, axis: int, position: int, size: int) -> set[int]:
    """The input positions that an output position sees along an axis."""
    if isinstance(window, Tiles):
        tile, shift = window.size[axis], window.shift[axis]
        return {place for place in range(size) if size <= tile or (place - shift) // tile == (position - shift) // tile}
    up = window.up[axis] if window.up else 1
    first = position * window.stride[axis] - window.pad[axis]
    spread = (first + window.dilation[axis] * k for k in range(window.kernel[axis]))
    return {place // up for place in spread if place % up == 0 and 0 <= place // up < size}


def dependencies(case: Case) -> list[tuple[tuple[int, ...], tuple[set[int], ...]]]:
    """For some output positions the input positions along each axis with a gradient, all weights being equal."""
    built, shape = build(case.op.lower(case.inputs)), case.op.infer(case.inputs).shape
    built.module.eval().double()
    for weight in built.module.parameters():
        nn.init.constant_(weight, 0.1)
    places = [k for k, axis in enumerate(shape.axes, 1) if axis in SPATIAL]
    found = []
    sizes = [size for size in shape.spatial if isinstance(size, int)]
    for spot in itertools.product(*(sorted({0, 1, n // 2, n - 1} & set(range(n))) for n in sizes)):
        leaf = tensors(case.inputs, 1)[0].double().requires_grad_()
        out = built.forward(leaf)
        for place, position in zip(places, spot, strict=True):
            out = out.narrow(place, position, 1)
        (grad,) = torch.autograd.grad(out.sum(), leaf)
        index = (grad.abs() > 1e-9).nonzero()
        found.append((spot, tuple(set(index[:, place].tolist()) for place in places)))
    return found


@every_case
def test_outputs_depend_on_what_the_window_says(case: Case) -> None:
    facts, shape = case.op.infer(case.inputs), case.inputs[0]
    if len(case.inputs) > 1 or case.op.kind == "norm" or not shape.spatial or facts.shape.axes != shape.axes:
        return
    ones = (1,) * len(shape.spatial)
    window = Window(ones, ones, (0,) * len(ones), ones) if facts.window == POINTWISE else facts.window
    if isinstance(window, str) or case.settings.get("mode") in ("reflect", "replicate", "circular"):
        return
    for spot, seen in dependencies(case):
        for axis, size in enumerate(shape.spatial):
            allowed = seen_along(window, axis, spot[axis], int(size))  # type: ignore[arg-type]
            # A map's every position has a weight in a convolution, and none if another axis sees only padding.
            exact = case.op.kind in ("conv", "attention") and all(seen)
            assert seen[axis] == allowed if exact else seen[axis] <= allowed


def torch_accepts(op: Op, shape: Shape) -> bool:
    """Whether PyTorch makes the module of these settings and runs it on an image of this shape."""
    try:
        out = build(op.lower((shape,))).forward(*tensors((shape,), BATCH))
    except (RuntimeError, ValueError, IndexError):
        return False
    return out.numel() > 0


def accepts(op: Op, shape: Shape) -> bool:
    try:
        op.infer((shape,))
    except OpError:
        return False
    return True


@every_refusal
def test_infer_refuses_exactly_what_pytorch_refuses(op: Op, shape: Shape) -> None:
    assert accepts(op, shape) == torch_accepts(op, shape)


NAMES = {"length": "H", "height": "H", "width": "W", "depth": "D", "tokens": "T"}


def symbolic(shape: Shape) -> tuple[Shape, dict[str, int]]:
    """The shape with a variable for each size but the channels, and the values of these."""
    sizes = tuple(variable(NAMES[axis]) if axis in NAMES else size for axis, size in zip(*shape, strict=True))
    return Shape(shape.axes, sizes), {NAMES[a]: int(s) for a, s in zip(*shape, strict=True) if a in NAMES}  # type: ignore[arg-type]


def valued(value: Any, sizes: dict[str, int]) -> Any:
    """The same data with numbers for symbolic sizes."""
    if isinstance(value, dict):
        return {key: valued(one, sizes) for key, one in value.items()}
    if isinstance(value, tuple):
        parts = (valued(one, sizes) for one in value)
        return type(value)(*parts) if isinstance(value, (Shape, Extra)) else tuple(parts)
    return value if isinstance(value, (str, float)) or value is None else at(value, sizes)


def holds(check: Check, sizes: dict[str, int]) -> bool:
    match check:
        case AtLeast(size, minimum, _):
            return at(size, sizes) >= minimum
        case Same(left, right, _, _):
            return at(left, sizes) == at(right, sizes)
        case Divides(divisor, size, _):
            return at(size, sizes) % divisor == 0


@every_case
def test_symbolic_sizes_give_what_concrete_ones_give(case: Case) -> None:
    if any(shape.axes[0] == "batch" or 1 in shape.sizes for shape in case.inputs) or case.name == "reshape":
        return
    pairs = [symbolic(shape) for shape in case.inputs]
    sizes = {key: value for _, one in pairs for key, value in one.items()}
    if len({tuple(one.items()) for _, one in pairs}) > 1:
        return
    facts, truth = case.op.infer(tuple(shape for shape, _ in pairs)), case.op.infer(case.inputs)
    assert valued(facts.shape, sizes) == truth.shape
    assert valued(facts.weights, sizes) == dict(truth.weights)
    assert at(facts.macs, sizes) == truth.macs
    assert valued(facts.saves, sizes) == truth.saves
    assert facts.window == truth.window or facts.window == "global"
    assert facts.alias == truth.alias
    assert all(holds(check, sizes) for check in facts.checks)


@every_refusal
def test_symbolic_checks_fail_where_concrete_sizes_are_refused(op: Op, shape: Shape) -> None:
    unknown, sizes = symbolic(shape)
    try:
        facts = op.infer((unknown,))
    except OpError:
        assert not accepts(op, shape)
        return
    assert all(holds(check, sizes) for check in facts.checks) == accepts(op, shape)


def test_traced_numbers_reach_the_source() -> None:
    settings = {"kernel": traced_variable(3, "kernel"), "out": traced_variable(64, "width")}
    conv = BY_NAME["conv"](**settings, stride=traced_variable(2, "stride"), pad="same")
    spelling = conv.lower((image(traced_variable(16, "in_channels"), 8, 8),))
    assert [source_of(value) for value in spelling.args] == ["in_channels", "width", "kernel"]
    assert source_of(spelling.settings["stride"]) == "stride"
    assert source_of(spelling.settings["padding"]) == "(kernel - 1) // 2"
    flat = BY_NAME["flatten"]().infer((image(traced_variable(16, "in_channels"), 7, 7),)).shape
    assert source_of(BY_NAME["linear"](out=4).lower((flat,)).args[0]) == "49 * in_channels"


def test_a_class_token_is_expanded_and_a_position_embedding_is_not() -> None:
    token = BY_NAME["parameter"](shape=(1, 1, 8)).infer((TOKENS,)).shape
    assert token == parameter(Shape(TOKENS.axes, (1, 8)))
    joined = BY_NAME["concat"](along="tokens").lower((token, TOKENS))
    assert joined.expression == "torch.cat([{0}.expand({1}.shape[0], -1, -1), {1}], 1)"
    assert BY_NAME["add"]().lower((TOKENS, token)).expression == "{0} + {1}"


def helpers() -> dict[str, set[Helper]]:
    found: dict[str, set[Helper]] = {}
    for case in (case for name in CASES for case in cases(name)):
        helper = case.op.lower(case.inputs).helper
        for one in with_needs(helper):
            found.setdefault(one.name, set()).add(one)
    return found


def test_a_helper_is_one_documented_class_of_its_name() -> None:
    for name, (helper, *others) in helpers().items():
        assert not others
        assert helper.source.startswith((f"class {name}(", f"def {name}("))
        assert helper.source.splitlines()[1].startswith('    """')
        assert max(map(len, helper.source.splitlines())) <= 120
        assert build(Torch("nn.Identity", helper=helper))


def test_counts_are_plain_numbers() -> None:
    shape = image(traced_variable(16, "in_channels"), 8, 8)
    facts = BY_NAME["conv"](kernel=traced_variable(3, "kernel"), out=traced_variable(4, "width")).infer((shape,))
    assert type(facts.macs) is int
    assert {type(side) for side in facts.window[0]} == {int}
    (_, extra) = BY_NAME["batchnorm"]().infer((shape,)).saves
    assert isinstance(extra, Extra)
    assert type(extra.elements) is int


def test_pooling_to_a_size_that_divides_the_map_sees_what_a_plain_window_sees() -> None:
    """torch.nn.AdaptiveAvgPool1d is AvgPool1d there; where it doesn't divide, windows differ in size."""
    signal = torch.arange(8.0).reshape(1, 1, 8)
    assert torch.equal(torch.nn.AdaptiveAvgPool1d(4)(signal), torch.nn.AvgPool1d(2)(signal))
    pooled, plain = BY_NAME["avgpool"](to=4).infer((image(3, 8),)), BY_NAME["avgpool"](kernel=2).infer((image(3, 8),))
    assert (pooled.shape, pooled.window) == (plain.shape, plain.window)
    assert BY_NAME["avgpool"](to=3).infer((image(3, 8),)).window == GLOBAL
    assert BY_NAME["avgpool"](to=1).infer((image(3, 8),)).window == GLOBAL
    assert BY_NAME["avgpool"](to=4).infer((image(3, variable("L")),)).window == GLOBAL


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_an_ops_kind_has_a_colour(op: type[Op]) -> None:
    assert op.kind in KINDS


@every_case
def test_a_setting_that_may_be_left_out_is_a_parameter_of_the_module(case: Case) -> None:
    spelling = case.op.lower(case.inputs)
    if not spelling.call.startswith("nn."):
        return
    known = inspect.signature(getattr(nn, spelling.call.removeprefix("nn."))).parameters
    assert spelling.settings.keys() <= known.keys()
    assert spelling.defaults.keys() <= known.keys()
    assert dict(spelling.defaults) == {key: known[key].default for key in spelling.defaults}


@every_case
def test_what_is_no_view_never_shares_its_input_s_memory(case: Case) -> None:
    """However the input lies in memory: a step behind it may run in place, and others may read the input."""
    shape = case.inputs[0]
    views = case.op.infer(case.inputs).alias or case.op.training_only  # these hand on the input itself, and say so
    if views or shape.axes[0] == "batch" or case.name == "parameter":
        return
    forward = build(case.op.lower(case.inputs)).forward
    for order in itertools.permutations(range(1, len(shape.sizes) + 1)):
        images = tensors(case.inputs, BATCH)
        back = [0, *(order.index(axis) + 1 for axis in range(1, len(order) + 1))]
        images[0] = images[0].permute(0, *order).contiguous().permute(back)
        made = forward(*images)
        assert made.untyped_storage().data_ptr() not in {one.untyped_storage().data_ptr() for one in images}, order
