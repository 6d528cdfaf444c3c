"""What must hold of every random spec: the compiler against the interpreter, and against the module that it builds."""

from __future__ import annotations

import random

import torch
from evaluator import BATCH, Refused
from interpreter import Interpreter
from test_memory import image_for, saved_bytes
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.checks import network_requirements
from archdsl.analysis.cost import Costs
from archdsl.analysis.memory import memory
from archdsl.analysis.state import state_dict
from archdsl.compiler import Network
from archdsl.diagnostics import SpecError
from archdsl.dims import at
from archdsl.ir import Net, OpStep, leaves
from archdsl.shape import Shape
from archdsl.source import Source
from archdsl.syntax.printer import print_text, print_yaml
from archdsl.syntax.read import read
from archdsl.syntax.spec import Spec

Sizes = tuple[int, ...]
# What only a reader of H and W as unknowns can tell: structure that would depend on them.
BEYOND_THE_INTERPRETER = frozenset(("symbolic-structure", "unknown-stride"))

_VIEWS = frozenset(("layout", "tokens", "reshape"))


def compiled(text: str, sizes: Sizes | None = None) -> Network | SpecError:
    try:
        return archdsl.loads(text, input=None if sizes is None else "x".join(map(str, sizes)))
    except SpecError as error:
        return error


def interpreted(spec: Spec, sizes: Sizes) -> Interpreter | Refused:
    try:
        return Interpreter(spec, sizes).run()
    except Refused as error:
        return error


def _looks_broadcast(run: Interpreter | Refused, sizes: Sizes) -> bool:
    """The interpreter takes a map of 1x1 for one that is broadcast; the compiler decides with H and W unknown."""
    return isinstance(run, Refused) and "a stride that no op declares" in str(run) and 1 in sizes[1:]


def check(spec: Spec, sizes: Sizes, rng: random.Random) -> bool:
    """All of it; False where only the compiler can tell that the spec is wrong."""
    text = print_text(spec)
    both_spellings_say_the_same(spec, text)
    network, run = compiled(text), interpreted(spec, sizes)
    if isinstance(network, SpecError):
        assert isinstance(run, Refused) or _beyond(network), network
        return False
    assert isinstance(run, Interpreter), run
    agrees(network, run)
    the_built_module_agrees(network, run)
    memory_agrees(network)
    requirements_hold(spec, text, network.net, rng)
    for other in _other_sizes(sizes, rng):
        other_sizes_agree(spec, text, other)
    return True


def _beyond(error: SpecError) -> bool:
    return all(
        diagnostic.code in BEYOND_THE_INTERPRETER or "of the input" in str(diagnostic.values.get("what"))
        for diagnostic in error.diagnostics
    )


def both_spellings_say_the_same(spec: Spec, text: str) -> None:
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
    inputs = sizes_of(net, net.input)
    for training in (True, False):
        module.train(training)
        result = module(torch.empty(2, *inputs, device="meta"))
        live = [output for output in net.outputs if output.mode in ("always", "training" if training else "eval")]
        for output in net.outputs:
            tensor = result if len(live) == 1 and output in live else getattr(result, output.name, None)
            if output not in live:
                assert tensor is None
                continue
            value = run.outputs[output.name][1] if output.result else run.result
            assert tensor is not None
            assert tuple(tensor.shape) == (2, *value.shape.sizes), output
    assert flops(module, inputs) == 2 * run.macs


def flops(module: torch.nn.Module, sizes: Sizes) -> int:
    """Of one image; of two where a norm needs more than one number a channel."""
    for batch in (1, 2):
        with FlopCounterMode(display=False) as counter:
            try:
                module(torch.empty(batch, *sizes, device="meta"))
            except ValueError:
                continue
        return int(counter.get_total_flops()) // batch
    raise AssertionError("no batch will do")


def _other_sizes(sizes: Sizes, rng: random.Random) -> list[Sizes]:
    return [
        (sizes[0], *(rng.randint(max(1, size // 3), 2 * size) for size in sizes[1:]))
        for _ in range(2 if len(sizes) > 1 else 0)
    ]


def other_sizes_agree(spec: Spec, text: str, sizes: Sizes) -> None:
    """At another size the compiler accepts what the interpreter accepts, with the same shapes."""
    network, run = compiled(text, sizes), interpreted(spec, sizes)
    if _looks_broadcast(run, sizes):
        return
    assert isinstance(network, SpecError) == isinstance(run, Refused), (sizes, network, run)
    if isinstance(network, Network) and isinstance(run, Interpreter):
        agrees(network, run)


def _permutes(step: OpStep) -> bool:
    """Layer norm of a map with the channels first permutes as well."""
    return step.op.name in _VIEWS or (step.op.name == "layernorm" and bool(step.facts.shape.spatial))


def memory_agrees(network: Network) -> None:
    """What a training step keeps are the storages that autograd saves.

    Not asked behind views whose axes are in another order: of these some kernels keep a copy, others the original.
    """
    if any(_permutes(leaf.step) for leaf in leaves(network.net.scope)):
        return
    told, kept = memory(network.net, BATCH).activations, saved_bytes(network.build(), image_for(network))
    assert told == kept, (told, kept)


def requirements_hold(spec: Spec, text: str, net: Net, rng: random.Random) -> None:
    """The smallest valid input is valid, what is smaller isn't, and all above is where it is said to be."""
    asked = network_requirements(net)
    if asked.undecided or asked.smallest is None or not asked.smallest:
        return
    smallest = asked.smallest
    tried = [(smallest, True)]
    for name, size in smallest.items():
        if size > 1:
            tried.append((smallest | {name: rng.choice([size - 1, rng.randint(1, size - 1)])}, False))
    if asked.all_above:
        tried.append(({name: size + rng.randint(0, 9) for name, size in smallest.items()}, True))
    for sizes, valid in tried:
        at_sizes = tuple(int(at(size, sizes)) for size in net.input.sizes)
        if any(size > 64 for size in at_sizes):
            continue
        assert isinstance(compiled(text, at_sizes), Network) == valid, (asked, at_sizes)
        run = interpreted(spec, at_sizes)
        assert isinstance(run, Interpreter) == valid or _looks_broadcast(run, at_sizes), (asked, at_sizes)
