"""The built module: PyTorch's numbers, weights drawn once and as the spec says, and all that modules are used for."""

from __future__ import annotations

import copy
import inspect
import io
import linecache
import math
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import emitted_cases
import pytest
import torch
from emitted_by_hand import by_hand
from network_facts import buffers, weights
from peers import torchvision_model
from torch import nn
from torch.overrides import TorchFunctionMode

import archdsl
from archdsl import library
from archdsl.compiler import Network
from archdsl.dims import at
from archdsl.failure import WrongUsage
from archdsl.runtime.build import _Unfilled

PEERS = ["alexnet", "densenet121", "googlenet", "resnet18", "resnet50", "vgg16"]
SMALL = ["googlenet", "lenet", "nin_cifar", "resnet18"]


def case(name: str) -> Network:
    return archdsl.loads(emitted_cases.spec(name))


def images(network: Network, count: int = 2, *, side: int | None = None) -> torch.Tensor:
    """Random input of the network's size."""
    channels, *spatial = (at(size, network.net.sizes) for size in network.net.input.sizes)
    return torch.randn(count, channels, *([side] * len(spatial) if side else spatial))


def tensors(output: Any) -> list[torch.Tensor]:
    return [output] if isinstance(output, torch.Tensor) else [value for value in output if value is not None]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# As torchvision


def peer(name: str) -> nn.Module:
    """torchvision's model, its weights on the meta device."""
    options = {"aux_logits": True, "transform_input": False, "init_weights": False} if name == "googlenet" else {}
    with _Unfilled(torch.device("meta")):
        model: nn.Module = torchvision_model(name, **options)
    return model


@pytest.mark.parametrize("name", PEERS)
def test_outputs_equal_torchvision_s_to_the_bit(name: str) -> None:
    network = archdsl.load(name)
    ours, theirs = network.build(), peer(name)
    shapes = [{key: value.shape for key, value in one.state_dict().items()} for one in (ours, theirs)]
    assert shapes[0] == shapes[1]
    theirs.load_state_dict({key: value.clone() for key, value in ours.state_dict().items()}, assign=True)
    x = images(network, side=64)
    with torch.no_grad():
        assert torch.equal(ours.eval()(x), theirs.eval()(x))
        for module in (*ours.modules(), *theirs.modules()):
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        trained, expected = ours.train()(x), theirs.train()(x)
    assert len(tensors(trained)) == len(tensors(expected)) == (3 if name == "googlenet" else 1)
    assert all(torch.equal(a, b) for a, b in zip(tensors(trained), tensors(expected), strict=True))
    for (key, value), other in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        assert name == "googlenet" or torch.equal(value, other), key


def test_side_heads_have_torchvision_s_names_and_order() -> None:
    output = archdsl.load("googlenet").build()(torch.randn(2, 3, 64, 64))
    assert output._fields == ("logits", "aux_logits2", "aux_logits1")


# As the spec


@pytest.mark.parametrize("name", [*library.names(), *emitted_cases.CASES])
def test_the_state_is_the_one_that_the_compiler_tells(name: str) -> None:
    network = case(name) if name in emitted_cases.CASES else archdsl.load(name)
    module = network.build(device="meta")
    assert {key: tuple(value.shape) for key, value in module.named_parameters()} == weights(network.net)
    assert {key: tuple(value.shape) for key, value in module.named_buffers()} == buffers(network.net)


@pytest.mark.parametrize("name", emitted_cases.CASES)
def test_outputs_have_the_shapes_that_the_compiler_tells(name: str) -> None:
    network = case(name)
    module = network.build()
    scope = network.net.scope
    for training in (True, False):
        live = [one for one in network.net.outputs if one.mode in ("always", "training" if training else "eval")]
        shapes = [scope.shapes[scope.results[one.result]] for one in live]
        expected = [(2, *(at(size, network.net.sizes) for size in shape.sizes)) for shape in shapes]
        output = module.train(training)(images(network))
        assert [tuple(value.shape) for value in tensors(output)] == expected
        assert isinstance(output, torch.Tensor) == (len(live) == 1)


@pytest.mark.parametrize(
    "name",
    [
        "taps",
        "side head in a block",
        "merges among numbers",
        "parameters",
        "upsample",
        "unused, early and evaluation outputs",
        "two training heads",
    ],
)
def test_outputs_equal_what_is_written_by_hand(name: str) -> None:
    network = case(name)
    module, x = network.build(), images(network)
    expected = by_hand(name, dict(module.state_dict()), x)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(tensors(module(x)), expected, strict=True))


@pytest.mark.parametrize("name", [*emitted_cases.CASES, "resnet18", "googlenet", "nin_cifar"])
def test_running_in_place_changes_no_gradient(name: str) -> None:
    network = case(name) if name in emitted_cases.CASES else archdsl.load(name)
    module = network.build()
    module.train()
    for one in module.modules():
        if isinstance(one, (nn.Dropout, nn.Dropout2d)):
            one.p = 0.0
    other = copy.deepcopy(module)
    for one in other.modules():
        if getattr(one, "inplace", False):
            one.inplace = False  # type: ignore[assignment]
    x = images(network, side=64 if name in ("resnet18", "googlenet") else None)
    for one in (module, other):
        sum(value.square().sum() for value in tensors(one(x))).backward()  # type: ignore[union-attr]
    for (key, weight), same in zip(module.named_parameters(), other.parameters(), strict=True):
        assert (weight.grad is None) == (same.grad is None), key
        assert weight.grad is None or same.grad is None or torch.equal(weight.grad, same.grad), key


# Weights

SCHEMES: dict[str, tuple[float, float]] = {  # scheme -> mean and standard deviation for 200 inputs and 400 outputs
    "normal(0.02)": (0, 0.02),
    "trunc_normal(0.5)": (0, 0.5),
    "trunc_normal(2)": (0, 1.0798),  # cut at -2 and 2: sqrt(4 - 2 * 4 * phi(1) / (Phi(1) - Phi(-1)))
    "uniform(0.3)": (0, 0.3 / math.sqrt(3)),
    "xavier_uniform": (0, math.sqrt(2 / 600)),
    "xavier_normal": (0, math.sqrt(2 / 600)),
    "kaiming_normal(fan_in)": (0, math.sqrt(2 / 200)),
    "kaiming_normal(fan_out)": (0, math.sqrt(2 / 400)),
    "kaiming_uniform(fan_out)": (0, math.sqrt(2 / 400)),
    "kaiming_uniform": (0, math.sqrt(2 / 200)),
    "default": (0, math.sqrt(1 / 3 / 200)),
    "zeros": (0, 0),
    "ones": (1, 0),
    "0.25": (0.25, 0),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_are_drawn_by_their_scheme(scheme: str) -> None:
    text = f"init linear weight {scheme}, bias 0.5\nnet tiny\n  input 200\n  linear 400\n"
    network = archdsl.loads(text)
    mean, std = SCHEMES[scheme]
    plain: dict[str, Any] = {}
    exec(network.source, plain)  # noqa: S102 (our own text)
    for module in (network.build(), plain["Tiny"]()):  # a plain call draws alike
        weight = module.get_parameter("0.weight").detach()
        assert weight.mean().item() == pytest.approx(mean, abs=0.02 * std + 1e-9)
        assert weight.std().item() == pytest.approx(std, rel=0.02)
        assert (module.get_parameter("0.bias") == 0.5).all()


def test_a_bias_without_rule_is_drawn_as_pytorch_does() -> None:
    text = "init conv weight normal(0.01)\nnet tiny\n  input 8x9x9\n  conv 3x3, 4096\n"
    bias = archdsl.loads(text).build().get_parameter("0.bias").detach()
    bound = 1 / math.sqrt(8 * 9)
    assert bias.abs().max() <= bound
    assert bias.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_rules_of_a_place_hold_there() -> None:
    state = case("inits by place").build().state_dict()
    assert not state["b.weight"].any()
    assert not state["bn2.weight"].any()
    assert (state["bn1.weight"] == 1).all()
    assert state["c.weight"].abs().max() <= 0.2
    assert state["c.weight"].std() > 0
    assert (state["fc1.bias"] == 0.5).all()
    assert not (state["fc2.bias"] == 0.5).any()


class Draws(TorchFunctionMode):
    """Counts what fills each tensor, torch.nn.init's functions and in-place methods; what those call counts no more."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[int] = Counter()
        self.names: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__") and name != "requires_grad_":
            self.count[(args[0] if args else kwargs["tensor"]).data_ptr()] += 1
            self.names[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["lenet", "resnet18", "densenet121"])
def test_every_weight_is_drawn_once(name: str) -> None:
    network = archdsl.load(name)
    with Draws() as draws:
        module = network.build()
    found = {key: draws.count[value.data_ptr()] for key, value in module.state_dict().items()}
    assert set(found.values()) == {1}, {key: times for key, times in found.items() if times != 1}
    assert sum(draws.names.values()) == len(found)


@pytest.mark.parametrize("name", [*emitted_cases.CASES, "googlenet", "resnet18"])
def test_nothing_is_left_unset(name: str) -> None:
    module: Any = (case(name) if name in emitted_cases.CASES else archdsl.load(name)).build()
    for value in (*module.parameters(), *module.buffers()):
        value.data.fill_(float("nan") if value.is_floating_point() else -7)
    module.init_weights()
    for key, value in module.state_dict().items():
        assert torch.isfinite(value).all(), key
        assert value.is_floating_point() or not value.any(), key


def test_a_seed_decides_the_weights_and_nothing_else() -> None:
    network = archdsl.load("lenet")
    before = torch.get_rng_state()
    one, same, other = (network.build(seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["net.0.weight"], other["net.0.weight"])
    network.build()
    assert not torch.equal(torch.get_rng_state(), before)


def test_building_imports_no_compiler() -> None:
    code = (
        "import sys, archdsl\n"
        "for name in ('googlenet', 'densenet121', 'lenet'): archdsl.load(name).build(seed=0)\n"
        "archdsl.load('resnet18').build(device='meta')\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor', 'sympy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_meta_device_holds_no_numbers() -> None:
    module = archdsl.load("resnet18").build(device="meta")
    assert {value.device.type for value in module.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_isn_t_there_is_wrong_usage(device: str) -> None:
    with pytest.raises(WrongUsage, match=device):
        archdsl.load("lenet").build(device=device)


# What modules are used for


def test_the_source_can_be_looked_at() -> None:
    network = archdsl.load("resnet18")
    kind = type(network.build(device="meta"))
    assert inspect.getsource(kind).startswith("class ResNet18(nn.Module):")
    linecache.checkcache()
    assert inspect.getsource(kind) in network.source
    assert type(network.build(device="meta")) is kind


@pytest.mark.parametrize(
    "name", ["side head in a block", "taps", "parameters", "named sequences", "merges among numbers"]
)
def test_copies_are_equal_and_apart(name: str) -> None:
    network = case(name)
    module, x = network.build().eval(), images(network)
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(copied(x), module(x))
        next(iter(copied.parameters())).data.fill_(0)
        assert next(iter(module.parameters())).any()


def test_outputs_and_parts_can_be_pickled_too() -> None:
    network = case("side head in a block")
    module: Any = network.build()
    output = module(images(network))
    again = pickle.loads(pickle.dumps(output))
    assert type(again) is type(output)
    assert torch.equal(again.aux, output.aux)
    assert type(pickle.loads(pickle.dumps(module.body))) is type(module.body)


def test_a_pickle_is_loaded_in_fresh_processes(tmp_path: Path) -> None:
    network = archdsl.loads(emitted_cases.spec("taps"))
    module, x = network.build().eval(), images(network)
    file = tmp_path / "module.pt"
    torch.save((module, x, module(x), module.features), file)
    # Loads it, and hands the module to a spawned worker, which loads it too.
    code = (
        "import multiprocessing, operator, sys, torch\n"
        "if __name__ == '__main__':\n"
        f"    module, x, y, part = torch.load({str(file)!r}, weights_only=False)\n"
        "    print(torch.equal(module(x), y), type(part).__name__)\n"
        "    torch.multiprocessing.set_sharing_strategy('file_system')\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool, torch.no_grad():\n"
        "        print(torch.equal(pool.apply(operator.call, (module.requires_grad_(False), x)), y))\n"
    )
    script = tmp_path / "load.py"
    script.write_text(code)
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert ran.stdout.split() == ["True", "Features", "True"], ran.stderr


@pytest.mark.parametrize("name", [*emitted_cases.CASES, *SMALL])
def test_torch_compile_takes_it_whole(name: str) -> None:
    network = case(name) if name in emitted_cases.CASES else archdsl.load(name)
    module = network.build()
    x = images(network, side=64 if name in ("resnet18", "googlenet") else None)
    torch.compiler.reset()
    for training in (False, True):
        module.train(training)
        for one in module.modules():
            if isinstance(one, nn.Dropout):
                one.p = 0.0
        compiled: Any = torch.compile(module, backend="eager", fullgraph=True)
        with torch.no_grad():
            pairs = zip(tensors(compiled(x)), tensors(module(x)), strict=True)
            assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


# torch.fx spells `self.class.weight`, which is no Python, whoever wrote the module.
EXPORTED = [name for name in emitted_cases.CASES if name != "labels that are no attributes"]


@pytest.mark.parametrize("name", [*EXPORTED, "googlenet"])
def test_torch_export_takes_it(name: str) -> None:
    network = case(name) if name in emitted_cases.CASES else archdsl.load(name)
    module = network.build().eval()
    x = images(network, side=64 if name == "googlenet" else None)
    program = torch.export.export(module, (x,))
    assert all(torch.equal(a, b) for a, b in zip(tensors(program.module()(x)), tensors(module(x)), strict=True))


def test_state_round_trips_through_a_file() -> None:
    network = archdsl.load("lenet")
    module, other = network.build(seed=1), network.build(seed=2)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    x = images(network)
    assert torch.equal(module(x), other(x))
