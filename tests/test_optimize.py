"""A network made ready for inference gives what it gave, from fewer steps."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from random_built import drawn
from random_checks import sizes_of
from torch import Tensor, nn

import archdsl
from archdsl.cli import run
from archdsl.ops import BY_NAME, OPS
from archdsl.shape import Shape

NETWORKS = (
    "lenet",
    "googlenet",
    "inception_v3",
    "densenet121",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "swin_t",
)


def both(network: archdsl.Network) -> tuple[nn.Module, nn.Module, Tensor]:
    """The module, the optimised one with its weights, and images; in double precision, with statistics at random."""
    written, optimized = network.build(seed=0).double().eval(), network.build(optimize=True).double()
    drawn(written)
    optimized.load_state_dict(written.state_dict())
    sizes = sizes_of(network.net, network.net.input)
    return written, optimized, torch.randn(2, *sizes, dtype=torch.float64)


def outputs(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [value for value in result if value is not None]


def same(one: Any, other: Any, rtol: float = 1e-9) -> None:
    for mine, theirs in zip(outputs(one), outputs(other), strict=True):
        assert mine.abs().max() > 0, "images that no step has wiped out"
        torch.testing.assert_close(mine, theirs, rtol=rtol, atol=rtol * float(theirs.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_the_same(name: str) -> None:
    written, optimized, x = both(archdsl.load(name))
    with torch.inference_mode():
        same(optimized(x), written(x))


def count(module: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(part, kind) for part in module.modules())


def test_no_batch_norm_is_left_where_a_convolution_stands_before_each() -> None:
    net = archdsl.load("resnet50")
    assert count(net.build(device="meta"), nn.BatchNorm2d) == 53
    optimized = net.optimized().build()
    assert count(optimized, nn.BatchNorm2d) == 0
    assert count(optimized, nn.Conv2d) == 53
    assert all(part.bias is not None for part in optimized.modules() if isinstance(part, nn.Conv2d))


def test_three_convolutions_that_begin_an_inception_module_are_one() -> None:
    net = archdsl.load("googlenet")
    before = count(net.build(device="meta", outputs=["logits"]), nn.Conv2d)
    assert count(net.build(optimize=True), nn.Conv2d) == before - 9 * 2


def test_a_dense_block_is_written_into_one_tensor() -> None:
    source = archdsl.load("densenet121").optimized().source
    assert source.count(".new_empty(") == 4
    assert "torch.cat" not in source


def test_what_works_in_training_only_is_gone() -> None:
    optimized = archdsl.load("googlenet").build(optimize=True)
    assert not any("aux" in key for key in optimized.state_dict())
    assert count(optimized, nn.Dropout) == 0
    assert not optimized.training
    assert not any(weight.requires_grad for weight in optimized.parameters())


def test_weights_load_from_a_file(tmp_path: Path) -> None:
    net = archdsl.load("resnet18")
    written = net.build(seed=3).eval()
    drawn(written)
    torch.save(written.state_dict(), tmp_path / "weights.pth")
    optimized = net.build(optimize=True, weights=tmp_path / "weights.pth")
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        same(optimized(x), written(x), rtol=1e-5)


def test_equal_seeds_give_the_weights_of_the_network_as_written() -> None:
    net = archdsl.load("resnet18")
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        same(net.build(optimize=True, seed=5)(x), net.build(seed=5).eval()(x), rtol=1e-5)


def test_published_names_load_inside_a_larger_module() -> None:
    written, optimized, x = both(archdsl.load("resnet18", input="3x64x64"))
    whole, theirs = nn.Sequential(optimized, nn.ReLU()), nn.Sequential(written, nn.ReLU())
    for weight in optimized.parameters():
        weight.zero_()
    whole.load_state_dict(theirs.state_dict())
    with torch.inference_mode():
        same(whole(x), theirs(x))


def test_its_own_state_loads_too() -> None:
    _, optimized, x = both(archdsl.load("resnet18", input="3x64x64"))
    again = archdsl.load("resnet18", input="3x64x64").build(optimize=True).double()
    again.load_state_dict(optimized.state_dict())
    assert torch.equal(again(x), optimized(x))


def test_a_state_that_lacks_something_is_refused() -> None:
    net = archdsl.load("resnet18")
    state = net.build().state_dict()
    del state["layer1.0.bn1.running_var"]
    with pytest.raises(RuntimeError, match=r"missing: layer1\.0\.bn1\.running_var"):
        net.build(optimize=True).load_state_dict(state)


def test_it_is_copied_pickled_and_exported() -> None:
    written, optimized, x = both(archdsl.load("resnet18", input="3x64x64"))
    copied = copy.deepcopy(optimized)
    copied.load_state_dict(written.state_dict())
    assert torch.equal(copied(x), optimized(x))
    again = pickle.loads(pickle.dumps(optimized))
    again.load_state_dict(written.state_dict())
    assert torch.equal(again(x), optimized(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(optimized, (x,))
    assert torch.equal(program.module()(x), optimized(x))


def test_the_network_is_pickled_as_it_is() -> None:
    net = archdsl.load("resnet18").optimized()
    assert pickle.loads(pickle.dumps(net)).source == net.source


def test_steps_asked_for_are_outputs_of_the_optimised_network_too() -> None:
    net = archdsl.load("resnet18", input="3x64x64").at("layer2", "layer4.0.~relu")
    written, optimized, x = both(net)
    with torch.inference_mode():
        given = optimized(x)
        same(given, written(x))
    assert given._fields == ("layer2", "layer4_0_relu")


LAYERS = {
    "conv_transpose": "conv_transpose 2, 6, stride 2 -> batchnorm",
    "dwconv": "dwconv 3x3, pad 1 -> batchnorm",
    "groups": "conv 3x3, 8, groups 2, bias no -> batchnorm eps 1e-3, affine no",
    "transposed groups": "conv_transpose 2, 8, groups 2, stride 2 -> batchnorm",
    "linear": "flatten -> linear 7 -> batchnorm -> relu",
    "without statistics": "conv 3x3, 8 -> batchnorm track no",
    "instance norm with statistics": "conv 3x3, 8 -> instancenorm track yes, affine yes",
    "two norms": "conv 1x1, 8 -> batchnorm -> batchnorm",
    "norm first": "batchnorm -> conv 3x3, 8, pad 1",
}


@pytest.mark.parametrize("line", LAYERS.values(), ids=LAYERS)
def test_a_linear_map_and_its_norm(line: str) -> None:
    written, optimized, x = both(archdsl.loads(f"net one\n  input 4x6x6\n  {line}\n"))
    with torch.inference_mode():
        same(optimized(x), written(x))


def test_a_norm_stays_where_others_read_what_it_reads() -> None:
    text = "net shared\n  input 4x6x6\n  c: conv 1x1, 8\n  residual\n    n: batchnorm\n    relu\n"
    written, optimized, x = both(archdsl.loads(text))
    with torch.inference_mode():
        same(optimized(x), written(x))
    assert count(optimized, nn.BatchNorm2d) == 1


def test_neighbours_are_joined_where_the_same_follows() -> None:
    text = """
net neighbours
  input 4x6x6
  concat
    - conv 1x1, 3 -> relu
    - conv 1x1, 5 -> sigmoid
    - conv 1x1, 7 -> relu
    - conv 1x1, 2, bias no -> softmax
    - conv 1x1, 4, bias no
    - conv 3x3, 2, pad 1 -> relu
"""
    written, optimized, x = both(archdsl.loads(text))
    with torch.inference_mode():
        same(optimized(x), written(x))
    assert [part.out_channels for part in optimized.modules() if isinstance(part, nn.Conv2d)] == [10, 5, 6, 2]


@pytest.mark.parametrize("op", [op for op in OPS if "elementwise" in op.traits], ids=lambda op: op.name)
def test_an_elementwise_op_acts_on_each_number_alone(op: type[Any]) -> None:
    """Which siblings rely on: of part of the channels it gives that part."""
    settings = {"threshold": {"threshold": 0.1, "value": 20.0}}.get(op.name, {})
    lowered = BY_NAME[op.name](**settings).lower((Shape(("channels", "height", "width"), (6, 4, 4)),))
    module: nn.Module = getattr(nn, lowered.call.removeprefix("nn."))(*lowered.args, **lowered.settings)
    x = torch.randn(2, 6, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(module.eval()(x)[:, 2:5], module(x[:, 2:5]))


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "net.py"
    assert not run(["build", "resnet18", "--optimize", "-o", str(written), "-o", str(tmp_path / "net.safetensors")])
    assert "BatchNorm" not in written.read_text()
    assert written.read_text() == archdsl.load("resnet18").optimized().source
    capsys.readouterr()
    assert not run(["build", "resnet18", "--optimize"])
    told = capsys.readouterr().out
    assert "batchnorm" not in told
    assert "optimised for inference" in told


def test_a_bias_that_lacks_is_no_zero() -> None:
    net = archdsl.loads("net one\n  input 4x6x6\n  c: conv 1x1, 8\n  n: batchnorm\n")
    state = net.build().state_dict()
    del state["c.bias"]
    with pytest.raises(RuntimeError, match=r"missing: c\.bias"):
        net.build(optimize=True).load_state_dict(state)
