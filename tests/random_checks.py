"""What must hold of every random spec: the compiler against the interpreter, and against the module that it builds."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

import torch
from equal_networks import other_ways_agree
from evaluator import BATCH, Refused
from interpreter import Files, Interpreter
from random_built import copies_agree, drawn, exports_agree, optimized_agrees
from random_fields import fields_agree
from random_requirements import samples, too_small
from test_memory import image_for, saved_bytes
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from written import Sizes, Written

from archdsl.analysis.checks import network_requirements
from archdsl.analysis.cost import Costs
from archdsl.analysis.memory import memory
from archdsl.analysis.state import state_dict
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError
from archdsl.dims import at
from archdsl.ir import Init, Net, OpStep, leaves
from archdsl.shape import Shape
from archdsl.source import Source
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read
from archdsl.syntax.spec import Spec

# What only a reader of H and W as unknowns can tell: structure that would depend on them.
BEYOND_THE_INTERPRETER = frozenset(("symbolic-structure", "unknown-stride"))
# Why a network may refuse an input whose sizes are open: its weights would depend on them.
TIED_TO_ITS_INPUT = frozenset(("symbolic-weight",))
# Trying a size of the input is compiling it. Some are run as well: how many that work, how many that don't, how large.
RUN, LARGEST = 2, 64
# Of how many specs one is exported, which takes seconds.
EXPORTED = 60

_VIEWS = frozenset(("layout", "tokens", "transpose", "reshape"))


def check(files: Files, sizes: Sizes, rng: random.Random, done: Counter[str]) -> bool:
    """All of it; False where only the compiler can tell that the spec is wrong. done: what could be compared."""
    exported = rng.randrange(EXPORTED) == 0
    for spec in (files.asked, *files.others.values()):
        both_spellings_say_the_same(spec)
    with tempfile.TemporaryDirectory() as folder:
        written = Written(files, Path(folder), rng)
        network, run = written.compiled(), written.interpreted(sizes)
        if isinstance(network, SpecError):
            assert isinstance(run, Refused) or _beyond(network), network
            return False
        assert isinstance(run, Interpreter), run
        agrees(network, run)
        the_built_module_agrees(network, run)
        outputs_agree(network, written.files, sizes)
        copies_agree(network, sizes, Path(folder))
        optimized_agrees(network, sizes)
        if exported:
            exports_agree(network, sizes, done)
        done["other ways to write it"] += other_ways_agree(network, written.files, sizes, rng)
        done["activation memory"] += memory_agrees(network)
        done["receptive fields"] += fields_agree(network)
        done["smallest inputs"] += requirements_hold(written, network.net, rng)
        for other in _other_sizes(sizes, rng):
            other_sizes_agree(written, other)
        done["open inputs"] += an_open_input_agrees(written, network.net, rng)
    return True


def text_of(files: Files) -> str:
    """All files as a person reads them."""
    parts = {"asked": files.asked, **files.others}
    return "\n".join(f"# {name}.arch\n{print_text(spec)}" for name, spec in parts.items())


def _looks_broadcast(run: Interpreter | Refused, sizes: Sizes) -> bool:
    """The interpreter takes a map of 1x1 for one that is broadcast; the compiler decides with H and W unknown."""
    return isinstance(run, Refused) and "a stride that no op declares" in str(run) and 1 in sizes[1:]


def _beyond(error: SpecError) -> bool:
    return all(
        diagnostic.code in BEYOND_THE_INTERPRETER
        or "of the input" in str(diagnostic.values.get("what"))
        or "at every input" in str(diagnostic.values.get("expected"))
        for diagnostic in error.diagnostics
    )


def both_spellings_say_the_same(spec: Spec) -> None:
    text = print_text(spec)
    again = read(Source("x.arch", text))
    assert again == spec
    yaml = print_yaml(again)
    from_yaml = read(Source("x.yaml", yaml))
    assert from_yaml == spec
    assert print_yaml(from_yaml) == yaml
    assert print_text(from_yaml) == text


def agrees(network: Network, run: Interpreter) -> None:
    """Shapes, state and MACs."""
    net = network.net
    expected = state_dict(net)
    assert expected is not None
    assert {key: entry.shape for key, entry in expected.items()} == run.state()
    assert list(expected) == list(run.state())
    assert {key for key, entry in expected.items() if entry.parameter} == {
        key for key, _ in run.root.module.named_parameters()
    }
    assert sizes_of(net, net.scope.shapes[net.scope.results[0]]) == run.result.shape.sizes
    assert net.scope.shapes[net.scope.results[0]].axes == run.result.shape.axes
    for output in net.outputs:
        if output.result:
            mode, value = run.outputs[output.name]
            assert mode == output.mode
            assert sizes_of(net, net.scope.shapes[net.scope.results[output.result]]) == value.shape.sizes
    assert at(Costs(net).of_scope(net.scope).macs, net.sizes) == run.macs
    assert (
        sum(
            at(leaf.step.facts.macs, net.sizes)
            for leaf in leaves(net.scope)
            if leaf.mode != "training" and not leaf.step.unused
        )
        == run.macs
    )


def sizes_of(net: Net, shape: Shape) -> Sizes:
    return tuple(int(at(size, net.sizes)) for size in shape.sizes)


def the_built_module_agrees(network: Network, run: Interpreter) -> None:
    net = network.net
    module = network.build(device="meta")
    assert {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()} == run.state()
    assert list(module.state_dict()) == list(run.state())
    assert flops(module, sizes_of(net, net.input)) == 2 * run.macs


def flops(module: nn.Module, sizes: Sizes) -> int:
    """Of one image; told by two and three where a norm needs more than one number a channel."""
    module.eval()
    try:
        return _flops_of(module, (1, *sizes))
    except ValueError:
        two, three = (_flops_of(module, (batch, *sizes)) for batch in (2, 3))
    # Window attention makes its position bias once, for however many images.
    once = two - 2 * (three - two)
    return three - two + once


def _flops_of(module: nn.Module, sizes: Sizes) -> int:
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(sizes, device="meta"))
    return int(counter.get_total_flops())


def initial_values_agree(network: Network, module: nn.Module) -> None:
    """Weights that are all of one value: by an `init`, or as PyTorch's norms have them."""
    state = module.state_dict()
    for leaf in leaves(network.net.scope):
        inits = dict(leaf.step.inits)
        for suffix in leaf.step.facts.weights:
            init = inits.get(suffix, Init("default"))
            constant = init.args[0] if init.scheme == "constant" else None
            value: float | None = {"zeros": 0.0, "ones": 1.0}.get(init.scheme, constant)
            if init.scheme == "default" and leaf.step.op.kind == "norm":
                value = {"weight": 1.0, "bias": 0.0}[suffix]
            if value is not None:
                key = f"{leaf.path}.{suffix}" if suffix else leaf.path
                assert (state[key] == torch.tensor(value)).all(), (key, value)


def outputs_agree(network: Network, files: Files, sizes: Sizes) -> None:
    """In both modes the module gives what the interpreter gives with the same weights and the same chance."""
    module = network.build().double()
    initial_values_agree(network, module)
    drawn(module)
    image = torch.randn(BATCH, *sizes, dtype=torch.float64)
    state = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    for training in (False, True):
        torch.manual_seed(0)
        run = Interpreter(files, sizes, image=image, state=state, training=training).run()
        module.train(training)
        for part in module.modules():
            if training and isinstance(part, nn.RReLU | nn.modules.dropout._DropoutNd):
                # They take their chances in the order of the numbers in memory, in which they leave them in place.
                part.inplace = False
                part.register_forward_pre_hook(lambda _, images: tuple(image.contiguous() for image in images))
        torch.manual_seed(0)
        with torch.no_grad():
            given = _results(network, module, image, training)
        expected = {name: value for name, (mode, value) in run.outputs.items() if _lives(mode, training)}
        expected[next(output.name for output in network.net.outputs if not output.result)] = run.result
        assert given.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(given[name], value.data, rtol=1e-6, atol=1e-9, equal_nan=True)


def _lives(mode: str, training: bool) -> bool:
    return mode in ("always", "training" if training else "eval")


def _results(network: Network, module: nn.Module, image: torch.Tensor, training: bool) -> dict[str, torch.Tensor]:
    result = module(image)
    live = [output.name for output in network.net.outputs if _lives(output.mode, training)]
    if len(live) == 1:
        return {live[0]: result}
    assert all(getattr(result, output.name) is None for output in network.net.outputs if output.name not in live)
    return {name: getattr(result, name) for name in live}


def _other_sizes(sizes: Sizes, rng: random.Random) -> list[Sizes]:
    return [
        (sizes[0], *(rng.randint(max(1, size // 3), 2 * size) for size in sizes[1:]))
        for _ in range(2 if len(sizes) > 1 else 0)
    ]


def other_sizes_agree(spec: Written, sizes: Sizes) -> None:
    """At another size the compiler accepts what the interpreter accepts, with the same shapes."""
    network, run = spec.compiled_at(sizes), spec.interpreted(sizes)
    if _looks_broadcast(run, sizes) or (isinstance(network, SpecError) and _beyond(network)):
        return
    assert isinstance(network, SpecError) == isinstance(run, Refused), (sizes, network, run)
    if isinstance(network, Network) and isinstance(run, Interpreter):
        agrees(network, run)


def an_open_input_agrees(spec: Written, net: Net, rng: random.Random) -> bool:
    """With its sizes left open the network has the formulas of what it has at given sizes."""
    first, *spatial = net.input.sizes
    names = [str(size) for size in spatial]
    if not names:
        return False
    network = spec.compiled("x".join([str(first), *names]))
    if isinstance(network, SpecError):
        assert {one.code for one in network.diagnostics} <= TIED_TO_ITS_INPUT, network
        return False
    given = {name: max(1, net.sizes[name] + rng.randint(-3, 9)) for name in names}
    concrete = spec.compiled_at((int(str(first)), *given.values()))
    if isinstance(concrete, SpecError):
        return False
    mine, theirs = network.net, concrete.net
    for one, other in zip(leaves(mine.scope), leaves(theirs.scope), strict=True):
        assert one.path == other.path
        assert [at(size, given) for size in one.step.facts.shape.sizes] == list(
            sizes_of(theirs, other.step.facts.shape)
        )
        assert at(one.step.facts.macs, given) == at(other.step.facts.macs, theirs.sizes)
    assert at(Costs(mine).of_scope(mine.scope).macs, given) == at(Costs(theirs).of_scope(theirs.scope).macs, given)
    for open_bytes, bytes_ in zip(memory(mine, BATCH), memory(theirs, BATCH), strict=True):
        assert at(open_bytes, given) == bytes_
    return True


def _permutes(step: OpStep) -> bool:
    """Layer norm of a map with the channels first permutes as well."""
    return step.op.name in _VIEWS or (step.op.name == "layernorm" and bool(step.facts.shape.spatial))


def _copies_parts(ops: set[str]) -> bool:
    """A group norm of some of the channels keeps a copy of them, and not what they are a part of."""
    return {"chunk", "groupnorm"} <= ops


def _is_a_mean(step: OpStep, net: Net) -> bool:
    """An area upsampling by a factor that happens to end at one position, of which nothing is kept."""
    settings = vars(step.op)
    by_factor = step.op.name == "upsample" and settings["mode"] == "area" and settings["scale"] is not None
    return by_factor and all(at(size, net.sizes) == 1 for size in step.facts.shape.spatial)


def memory_agrees(network: Network) -> bool:
    """What a training step keeps are the storages that autograd saves.

    Not asked behind views that are not in the order of their axes: of these some kernels keep a copy, others the
    original.
    """
    steps = [leaf.step for leaf in leaves(network.net.scope)]
    if any(map(_permutes, steps)) or _copies_parts({step.op.name for step in steps}):
        return False
    if any(_is_a_mean(step, network.net) for step in steps):
        return False
    told, kept = memory(network.net, BATCH).activations, saved_bytes(network.build(), image_for(network))
    assert told == kept, (told, kept)
    return True


def requirements_hold(spec: Written, net: Net, rng: random.Random) -> bool:
    """The smallest valid input is valid, what is smaller isn't, and above it what is said to be, and nothing else."""
    asked = network_requirements(net)
    if asked.undecided or not asked.smallest:
        return False
    tried = [*too_small(asked.smallest, rng), *(samples(asked, rng) or ())]
    left = {True: RUN, False: RUN}
    for sizes, valid in [(asked.smallest, True), *rng.sample(tried, len(tried))]:
        at_sizes = tuple(int(at(size, sizes)) for size in net.input.sizes)
        network = spec.compiled_at(at_sizes)
        assert isinstance(network, Network) == valid, (asked, sizes)
        beyond = isinstance(network, SpecError) and _beyond(network)
        if beyond or max(at_sizes) > LARGEST or not left[valid]:
            continue
        left[valid] -= 1
        run = spec.interpreted(at_sizes)
        assert isinstance(run, Interpreter) == valid or _looks_broadcast(run, at_sizes), (asked, sizes)
    return True
