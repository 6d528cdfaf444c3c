"""Steps as outputs: what torchvision's models and the whole network compute there, and nothing else is left."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from random_checks import memory_agrees
from random_specs import Grower, wishes
from torch import nn
from zoo import image, peer, without_chance

import archdsl
from archdsl.analysis.state import key_count, state_dict
from archdsl.compiler import Network
from archdsl.ir import CallStep, LoopStep, Output, Scope
from archdsl.syntax.printer import print_text
from archdsl.taps.find import paths
from archdsl.taps.sides import without_sides

# Paths as both sides have them: stages, blocks in the middle of a run, what an in-place ReLU follows, branches.
TORCHVISION = {
    "resnet50": ("layer4", "layer2", "layer3.2", "layer1.0.bn1", "layer2.0.downsample.0", "layer4.1.conv2"),
    "googlenet": ("inception4a", "inception3b.branch3.1.conv", "conv1", "inception5b.branch4.0", "maxpool2"),
    "densenet121": ("features.denseblock2", "features.denseblock3.denselayer5.norm2", "features.transition1.conv"),
    "mobilenet_v3_large": ("features.3", "features.6", "features.12.block.1.0", "features.5.block.2.fc1"),
    "vgg16": ("features.4", "features.14", "features.30"),
}


def module_of(network: Network, other: nn.Module) -> nn.Module:
    """The network with copies of another's weights, whose keys are a subset of the other's."""
    module, theirs = network.build(), other.state_dict()
    module.load_state_dict({key: theirs[key].clone() for key in module.state_dict()})
    return module


def seen(module: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Module -> what it gives, before anything overwrites it; of those that run once."""
    given: dict[str, list[torch.Tensor]] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            given.setdefault(name, []).append((result if isinstance(result, torch.Tensor) else result[0]).clone())

        return hook

    handles = [part.register_forward_hook(note(name)) for name, part in module.named_modules() if name]
    module(x)
    for handle in handles:
        handle.remove()
    return {name: tensors[0] for name, tensors in given.items() if len(tensors) == 1}


def results(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    given = module(x)
    return (given,) if isinstance(given, torch.Tensor) else tuple(given)


def assert_equal(names: tuple[str, ...], given: tuple[torch.Tensor, ...], expected: dict[str, torch.Tensor]) -> None:
    assert len(names) == len(given)
    for name, tensor in zip(names, given, strict=True):
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize("training", [False, True])
def test_steps_are_what_torchvision_computes_there(name: str, training: bool) -> None:
    theirs = without_chance(peer(name)).train(training)
    x, names = image(64), TORCHVISION[name]
    mine = without_chance(module_of(archdsl.load(name).at(*names), theirs)).train(training)
    assert_equal(names, results(mine, x), seen(theirs, x))
    assert set(mine.state_dict()) < set(theirs.state_dict())


@pytest.mark.parametrize("name", TORCHVISION)
def test_one_step_alone_is_a_bare_tensor(name: str) -> None:
    theirs = peer(name).eval()
    expected = seen(theirs, image(64))
    for path in TORCHVISION[name]:
        mine = module_of(archdsl.load(name).at(path), theirs).eval()
        assert torch.equal(mine(image(64)), expected[path]), path


def test_outputs_come_in_the_order_asked_under_names_of_python() -> None:
    given = archdsl.load("resnet18").build(outputs=["layer4", "layer1.0.~relu", "layer1.0"], device="meta")(
        torch.empty(1, 3, 64, 64, device="meta")
    )
    assert given._fields == ("layer4", "layer1_0_relu", "layer1_0")
    assert [tuple(tensor.shape[1:]) for tensor in given] == [(512, 2, 2), (64, 16, 16), (64, 16, 16)]


@pytest.mark.parametrize(
    ("label", "field"),
    [("0.1", "output_0_1"), ("a-b", "a_b"), ("~add2", "add2"), ("_x", "x"), ("None", "None_"), ("x.~relu", "x_relu")],
)
def test_fields(label: str, field: str) -> None:
    assert Output(label, 0, "always").field == field


EVERYTHING = """
block unit (width, other as step)
  residual
    conv1: conv 3x3, width, pad same
    relu
    conv2: conv 3x3, width, pad same
  shortcut down:
    conv 1x1, width
  concat
    - skip
    - from other
  mix: conv 1x1, width
  relu

block twice (width)
  a: conv 3x3, width, pad same
  relu
  b: conv 1x1, width

net everything
  input 3x16x16
  stem: conv 3x3, 8, pad same -> batchnorm -> relu
  repeat 7
    same{i}: conv 1x1, 8
    relu
  outer:
    repeat 5 as k
      repeat 4 as j
        n{k}_{j}: conv 1x1, 8
      relu
  numbered:
    repeat 3
      repeat 4
        conv 1x1, 8
        relu
      batchnorm
  one: twice 8
  two: twice 8
  unit: unit 12, @numbered
  unused spare: conv 1x1, 3
  output aux when training
    head: conv 1x1, 4
    end: twice 4
  output other
    far: conv 1x1, 5
  branches:
    concat
      - conv 1x1, 4
      - conv 3x3, 4, pad same -> relu
      - maxpool 3x3, stride 1, pad 1 -> conv 1x1, 4
  dense 3
    layer{i}: conv 3x3, 2, pad same
  tail: 6 x twice 18
  last: conv 1x1, 2
  flatten
  fc: linear 10
"""


def everything() -> Network:
    return archdsl.loads(EVERYTHING)


def named(network: Network, module: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """As `seen`, for the steps that have names: the modules of others have names that the source alone knows."""
    known = set(paths(without_sides(network.net.scope)))
    return {name: tensor for name, tensor in seen(module, x).items() if name in known}


def test_all_steps_at_once() -> None:
    whole = everything().build(seed=0)
    x = torch.randn(2, 3, 16, 16)
    expected = named(everything(), whole.train(), x)
    names = tuple(expected)
    assert {"same5", "outer.n3_2", "numbered.21", "unit.down.0", "branches.2", "layer1", "tail.4.b", "end.a"} <= {
        *names
    }
    names = tuple(random.Random(0).sample(names, len(names)))
    tapped = everything().at(*names)
    mine = module_of(tapped, whole).train()
    assert_equal(names, results(mine, x), expected)
    assert {*whole.state_dict()} - {*mine.state_dict()} == {"spare.weight", "spare.bias"}
    memory_agrees(tapped)


def test_each_step_alone() -> None:
    """What is left computes the step, and everything of it: each weight has a gradient."""
    whole = everything().build(seed=0).train()
    x = torch.randn(2, 3, 16, 16)
    for name, tensor in named(everything(), whole, x).items():
        network = everything().at(name)
        mine = module_of(network, whole).train()
        result = mine(x)
        assert torch.equal(result, tensor), name
        result.sum().backward()
        assert all(weight.grad is not None for weight in mine.parameters()), name
        assert {key: entry.shape for key, entry in (state_dict(network.net) or {}).items()} == {
            key: tuple(value.shape) for key, value in mine.state_dict().items()
        }
        (output,) = network.outputs
        assert (2, *output.shape) == tuple(tensor.shape)


@pytest.mark.parametrize("seed", range(60))
def test_random_steps_of_random_specs(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    grower = Grower(seed, rng.randint(4, 10), tuple(rng.sample(wishes(), 4)))
    files = grower.files()
    for name, spec in {**files.others, "asked": files.asked}.items():
        (tmp_path / f"{name}.arch").write_text(print_text(spec))
    try:
        network = archdsl.load(tmp_path / "asked.arch")
    except archdsl.SpecError:
        return  # what only the compiler can tell
    whole = network.build(seed=0).eval()
    x = torch.randn(2, *grower.sizes)
    expected = named(network, whole, x)
    for count in (1, 3):
        names = tuple(rng.sample(sorted(expected), min(count, len(expected))))
        if names:
            tapped = network.at(*names)
            assert_equal(names, results(module_of(tapped, whole).eval(), x), expected)
            memory_agrees(tapped)


def scopes(scope: Scope) -> set[Scope]:
    inner = (step.scope for step in scope.steps if isinstance(step, (CallStep, LoopStep)))
    return {scope}.union(*map(scopes, inner))


def test_a_step_in_a_million_unfolds_its_own_iteration_only() -> None:
    text = "net n\n input 4x8x8\n body: 1000000 x unit\nblock unit\n conv: conv 1x1, 4\n relu\n"
    network = archdsl.loads(text)
    tapped = network.at("body.500000.conv", "body.999999")
    assert key_count(tapped.net.scope) == 2_000_000
    assert len(scopes(tapped.net.scope)) < 10
    assert [output.shape for output in tapped.outputs] == [(4, 8, 8), (4, 8, 8)]
    assert key_count(network.at("body.10").net.scope) == 22
    with pytest.raises(archdsl.WrongUsage, match=r"no step `body.1000000`"):
        network.at("body.1000000")


@pytest.mark.parametrize("names", [("n.17",), ("n.4", "n.11", "n.24"), ("n.0", "n.1"), ("n.23.a", "n.23")])
def test_steps_of_loops_in_loops(names: tuple[str, ...]) -> None:
    body = "block unit\n a: conv 1x1, 4\n relu\nnet n\n input 4x8x8\n n:\n  repeat 5\n   repeat 4\n    unit\n   relu\n"
    whole = archdsl.loads(body).build(seed=0)
    x = torch.randn(2, 4, 8, 8)
    mine = module_of(archdsl.loads(body).at(*names), whole)
    assert_equal(names, results(mine, x), seen(whole, x))


SIDES = """
net n
  input 3x8x8
  stem: conv 3x3, 4
  output aux when training
    head: conv 1x1, 5
    dropout 0.1
  output late when not training
    other: conv 1x1, 6
  last: conv 1x1, 7
  output logits
"""


def test_side_heads_are_left_out_unless_asked_for() -> None:
    network = archdsl.loads(SIDES)
    x = torch.randn(1, 3, 8, 8)
    assert list(network.build(outputs=["last"]).state_dict()) == [
        "stem.weight",
        "stem.bias",
        "last.weight",
        "last.bias",
    ]
    asked = network.build(outputs=["late", "aux", "logits"])
    for training in (True, False):
        given = asked.train(training)(x)
        assert given._fields == ("late", "aux", "logits")
        assert [tensor.shape[1] for tensor in given] == [6, 5, 7]
    head = network.build(outputs=["head"])
    assert [key for key in head.state_dict() if key.endswith("weight")] == ["stem.weight", "head.weight"]
    assert head.eval()(x).shape[1] == 5


def test_a_step_comes_before_an_output_of_its_name() -> None:
    network = archdsl.loads("net n\n input 3\n out: linear 4\n linear2: linear 5\n")
    assert network.at("out").outputs[0].channels == 4
    assert archdsl.loads("net n\n input 3\n a: linear 4\n b: linear 5\n").at("out").outputs[0].channels == 5
