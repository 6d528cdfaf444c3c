"""Weights that others saved: torchvision's own give its outputs, and what doesn't fit is told and never used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peers import torchvision_model
from torch import Tensor, nn

import archdsl
from archdsl import Network, WrongUsage
from archdsl.cli import run
from archdsl.emit.fit import told
from archdsl.runtime.build import construct
from archdsl.runtime.checkpoint import Checkpoint, read
from archdsl.runtime.weights import Misfit, match

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = torchvision_model("resnet18")
    return model.eval()


@pytest.fixture(scope="module")
def state(resnet: nn.Module) -> State:
    return dict(resnet.state_dict())


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def saved(content: Any, name: str = "weights.pth", **options: Any) -> Path:
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return saved


def output(module: nn.Module, side: int = 64) -> Tensor:
    torch.manual_seed(1)
    with torch.inference_mode():
        result: Tensor = module.eval()(torch.randn(2, 3, side, side))
    return result


SPEC = """\
net tiny (classes = 4, aux = no)
  input 3x8x8
  stem:
    conv1: conv 3x3, 8
    bn1:   batchnorm
  output side when training and aux
    head: conv 1x1, classes
  avgpool to 1x1
  flatten
  fc: linear classes
"""


def tiny(**params: Any) -> Network:
    return archdsl.loads(SPEC, **params)


def misfit(network: Network, weights: Path, **options: Any) -> str:
    with pytest.raises(Misfit) as caught:
        network.build(weights=weights, **options)
    assert all(len(line) <= 80 for line in str(caught.value).splitlines()[1:])
    return str(caught.value)


# What is accepted


SPELLINGS: dict[str, Callable[[State], Any]] = {
    "bare": lambda state: state,
    "under state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
    "under model": lambda state: {"model": state, "args": None},
    "under model_state_dict": lambda state: {"model_state_dict": state, "loss": 0.5},
    "DataParallel's": lambda state: {f"module.{key}": value for key, value in state.items()},
    "a compiled DataParallel's": lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
    "without counters": lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
    "in another order": lambda state: dict(reversed(state.items())),
    "parameters": lambda state: {
        key: nn.Parameter(value, requires_grad=False) if value.is_floating_point() else value
        for key, value in state.items()
    },
    "channels last": lambda state: {
        key: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value for key, value in state.items()
    },
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_torchvision_s_weights_give_its_outputs(
    spelling: str, resnet: nn.Module, state: State, file: Callable[..., Path]
) -> None:
    module = archdsl.load("resnet18").build(weights=file(SPELLINGS[spelling](state)))
    assert torch.equal(output(module), output(resnet))


@pytest.mark.parametrize("kind", [".pt", "old .pth", ".safetensors"])
def test_every_kind_of_file_gives_the_same(kind: str, resnet: nn.Module, state: State, tmp_path: Path) -> None:
    path = tmp_path / f"weights{kind.removeprefix('old ')}"
    if kind == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=not kind.startswith("old"))
    assert torch.equal(output(archdsl.load("resnet18").build(weights=str(path))), output(resnet))


def test_what_export_writes_can_be_read_again(tmp_path: Path) -> None:
    from archdsl.runtime import export

    network, path = tiny(), tmp_path / "tiny.safetensors"
    export.write(network, path, seed=5)
    assert torch.equal(output(network.build(weights=path), 8), output(network.build(seed=5), 8))
    export.write(network, tmp_path / "again.safetensors", weights=path)
    first, second = read(path).tensors, read(tmp_path / "again.safetensors").tensors
    assert first.keys() == second.keys()
    assert all(first[key].equal(second[key]) for key in first)


# What the module is like


def test_the_module_is_as_a_drawn_one_is(state: State, file: Callable[..., Path]) -> None:
    network = archdsl.load("resnet18")
    module, drawn = network.build(weights=file(state)), network.build()
    assert module.training
    for key, value in drawn.state_dict(keep_vars=True).items():
        loaded = module.state_dict(keep_vars=True)[key]
        assert (type(loaded), loaded.dtype, loaded.device, loaded.requires_grad, loaded.shape) == (
            (type(value), value.dtype, value.device, value.requires_grad, value.shape)
        ), key
    loss = nn.functional.cross_entropy(module(torch.randn(2, 3, 64, 64)), torch.tensor([1, 2]))
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(loss, list(module.parameters())))


def test_tensors_that_share_memory_in_the_file_don_t_in_the_module(file: Callable[..., Path]) -> None:
    network = archdsl.loads("net twins\n  input 3x8x8\n  a: conv 1x1, 3\n  b: conv 1x1, 3\n  c: conv 1x1, 3\n")
    large = torch.randn(100, 3, 3, 1, 1)
    one, bias = large[3], torch.zeros(3)
    held = {"a.weight": one, "b.weight": one, "c.weight": one.transpose(0, 1)}
    path = file(held | {f"{key}.bias": bias for key in "abc"})
    module: Any = network.build(weights=path)
    for key, value in held.items():
        assert torch.equal(module.state_dict()[key], value)
    storages = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    assert len(storages) == 6
    assert all(p.untyped_storage().nbytes() == p.nbytes and p.is_contiguous() for p in module.parameters())


def test_nothing_is_copied_that_fits_as_it_is(state: State) -> None:
    network = archdsl.load("resnet18")
    own = {key: value.clone() for key, value in state.items()}
    places = {value.data_ptr() for value in own.values()}
    module = construct(network, torch.device("meta"))
    from archdsl.runtime.weights import load

    load(network, module, Checkpoint("own.pth", own), device=torch.device("cpu"), head="keep")
    assert {value.data_ptr() for value in module.state_dict().values()} <= places
    assert not own  # each tensor of the file went when the module had it


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_the_network_s(dtype: torch.dtype, state: State, file: Callable[..., Path]) -> None:
    path = file({key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()})
    network = archdsl.load("resnet18")
    module = network.build(weights=path)
    for key, value in module.state_dict().items():
        expected = state[key].to(dtype).to(torch.float32) if state[key].is_floating_point() else state[key]
        assert value.dtype == expected.dtype
        assert torch.equal(value, expected)
    assert told(match(network, path)[1]) == f"  {str(dtype)[6:]} in the file, float32 in the network"


def test_random_numbers_stay_as_they_were(state: State, file: Callable[..., Path]) -> None:
    before = torch.random.get_rng_state()
    archdsl.load("resnet18").build(weights=file(state))
    archdsl.load("resnet18", classes=3).build(weights=file(state), head="new", seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)


# Surplus


def test_other_surplus_is_an_error_all_the_same(file: Callable[..., Path]) -> None:
    state = dict(tiny(aux=True).build().state_dict())
    tiny().build(weights=file(state))
    message = misfit(tiny(), file(state | {"extra.weight": torch.zeros(2)}))
    assert "not in the network: 1 tensor\n    extra.weight" in message
    assert "head" not in message


# A new head


def test_a_new_head_takes_all_but_the_head(state: State, file: Callable[..., Path]) -> None:
    path, network = file(state), archdsl.load("resnet18", classes=7)
    message = misfit(network, path)
    assert "1,000 classes" in message
    assert "`--head new`" in message
    torch.manual_seed(0)
    loaded: Any = network.build(weights=path, head="new")
    assert {key for key, value in loaded.state_dict().items() if not value.equal(state[key])} == {
        "fc.weight",
        "fc.bias",
    }
    assert loaded.fc.weight.shape == (7, 512)
    bound = 512**-0.5  # torch's own way to draw a linear layer
    assert 0.95 * bound < loaded.fc.weight.abs().max() <= bound
    assert 0 < loaded.fc.bias.abs().max() <= bound
    assert loaded.fc.weight.requires_grad
    one, two, other = (network.build(weights=path, head="new", seed=seed).state_dict() for seed in (1, 1, 2))
    assert one["fc.weight"].equal(two["fc.weight"])
    assert not one["fc.weight"].equal(other["fc.weight"])


def test_a_new_head_forgives_nothing_else(file: Callable[..., Path]) -> None:
    state = dict(tiny(classes=9).build().state_dict())
    del state["stem.bn1.weight"]
    message = misfit(tiny(), file(state), head="new")
    assert "stem.bn1.weight" in message
    assert "nothing but the number of classes" in message
    hidden = archdsl.loads("net a (n = 4)\n  input 3x8x8\n  a: conv 1x1, n\n  b: conv 1x1, 4\n")
    wider = archdsl.loads("net a (n = 6)\n  input 3x8x8\n  a: conv 1x1, n\n  b: conv 1x1, 4\n")
    assert "4x4x1x1" in misfit(hidden, file(dict(wider.build().state_dict())), head="new")


def test_a_new_head_where_the_old_one_fits_is_an_error(file: Callable[..., Path]) -> None:
    assert "another number of classes" in misfit(tiny(), file(tiny().build().state_dict()), head="new")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"head": "fresh"}, "keep, new"),
        ({"head": "new"}, "without weights"),
        ({"weights": "x.pth", "device": "meta"}, "meta"),
        ({"weights": "x.onnx"}, r"\.safetensors"),
        ({"weights": "s3://bucket/x.pth"}, "https"),
        ({"weights": "https://example.org/"}, "names no file"),
        ({"weights": "missing.pth"}, "no such file"),
        ({"weights": "missing/x.pth"}, "folder `missing` doesn't exist"),
    ],
)
def test_what_can_t_be_meant_is_wrong_usage(options: Any, told: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        tiny().build(**options)
    assert re.search(told, str(caught.value))


# What doesn't fit


def test_whole_parts_are_one_line(state: State, file: Callable[..., Path]) -> None:
    path = file({key.replace("layer3", "stage3"): value for key, value in state.items() if key != "bn1.bias"})
    lines = misfit(archdsl.load("resnet18"), path).splitlines()[1:]
    assert "\n".join(lines) in (Path(archdsl.__file__).parents[1] / "docs" / "weights.md").read_text()
    assert lines == [
        "  not in the file: 31 tensors",
        "    bn1.bias                 64",
        "    layer3.*                 30 tensors",
        "      the file has the same tensors under `stage3.`",
        "  not in the network: 30 tensors",
        "    stage3.*                 30 tensors",
    ]


def test_a_strange_prefix_is_told_and_not_guessed(state: State, file: Callable[..., Path]) -> None:
    message = misfit(archdsl.load("resnet18"), file({f"net.{key}": value for key, value in state.items()}))
    assert "everything" in message
    assert "the file has the same tensors under `net.`" in message


def test_a_misspelt_name_is_told_with_its_neighbour(file: Callable[..., Path]) -> None:
    state = dict(tiny().build().state_dict())
    state["stem.conv1.wieght"] = state.pop("stem.conv1.weight")
    message = misfit(tiny(), file(state))
    assert "stem.conv1.weight" in message
    assert "the file has `stem.conv1.wieght`" in message


def test_whole_numbers_are_no_fractions(file: Callable[..., Path]) -> None:
    state = dict(tiny().build().state_dict())
    state["fc.weight"] = state["fc.weight"].to(torch.int8)
    message = misfit(tiny(), file(state))
    assert re.search(r"of another type: 1 tensor +network +file\n    fc.weight +float32  int8", message)


# The command line


def test_weights_tells_what_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, path = tmp_path / "tiny.arch", tmp_path / "w.pth"
    spec.write_text(SPEC)
    torch.save(tiny().build().state_dict(), path)
    assert run(["weights", str(spec), str(path)]) == 0
    assert capsys.readouterr() == (f"{path} fits tiny: 9 tensors\n", "")
    assert run(["weights", str(spec), str(path), "--set", "classes=6", "--head", "new"]) == 0
    assert capsys.readouterr() == (f"{path} fits tiny: 7 tensors\n  drawn anew: fc (2 tensors)\n", "")
    assert run(["weights", str(spec), str(path), "--set", "classes=6"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "of another shape" in err


def test_build_writes_the_weights_that_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, path, made = tmp_path / "tiny.arch", tmp_path / "w.pth", tmp_path / "made.safetensors"
    spec.write_text(SPEC)
    state = dict(tiny().build().state_dict())
    torch.save(state, path)
    assert run(["build", str(spec), "--weights", str(path), "-o", str(made)]) == 0
    assert all(read(made).tensors[key].equal(value) for key, value in state.items())
    assert run(["build", str(spec), "--weights", str(path)]) == 2
    assert "-o model.onnx" in capsys.readouterr().err


def test_a_new_head_without_weights_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["build", "lenet", "--head", "new"]) == 2
    assert "--weights FILE" in capsys.readouterr().err
