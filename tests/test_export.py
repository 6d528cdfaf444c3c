"""Files that others load: each holds the module that was built, checked by the library that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import emitted_cases
import pytest
import torch

import archdsl
from archdsl.compiler import Network
from archdsl.failure import WrongUsage
from archdsl.runtime import export

NETWORKS = ["lenet", "unused, early and evaluation outputs"]


def network(name: str) -> Network:
    return archdsl.loads(emitted_cases.spec(name)) if name in emitted_cases.CASES else archdsl.load(name)


def expected(net: Network, x: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        output = net.build(seed=3).eval()(x)
    return [output] if isinstance(output, torch.Tensor) else list(output)


def image(net: Network, count: int) -> torch.Tensor:
    channels = net.net.input.sizes[0]
    assert isinstance(channels, int)
    return torch.randn(count, channels, *net.net.sizes.values())


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_program_computes_what_the_module_does(name: str, count: int, tmp_path: Path) -> None:
    net, file = network(name), tmp_path / "model.pt2"
    export.write(net, file, seed=3)
    names: dict[str, Any] = {"outputs.json": ""}
    program = torch.export.load(file, extra_files=names).module()
    x = image(net, count)
    told = program(x)
    told = [told] if isinstance(told, torch.Tensor) else told
    assert type(told) in (list, tuple)
    assert all(torch.equal(a, b) for a, b in zip(told, expected(net, x), strict=True))
    assert names["outputs.json"] == ('["out"]' if name == "lenet" else '["logits", "early", "only"]')


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_computes_what_the_module_does(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net, file = network(name), tmp_path / "model.onnx"
    export.write(net, file, seed=3)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    x = image(net, 3)
    told = session.run(None, {"input": x.numpy()})
    for found, wanted in zip(told, expected(net, x), strict=True):
        assert torch.allclose(torch.from_numpy(found), wanted, atol=1e-5)
    names = [output.name for output in session.get_outputs()]
    assert names == (["out"] if name == "lenet" else ["logits", "early", "only"])


@pytest.mark.parametrize("count", [1, 3])
def test_a_map_put_together_from_parts_is_of_any_batch(count: int, tmp_path: Path) -> None:
    net = archdsl.loads("net n\n input 4x8x8\n partition grid, 2\n unpartition grid, 2, input\n conv 1, 2\n")
    file = tmp_path / "model.pt2"
    export.write(net, file, seed=3)
    x = image(net, count)
    assert torch.equal(torch.export.load(file).module()(x), *expected(net, x))


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_an_output_in_training_only_has_no_place_in_a_program(suffix: str, tmp_path: Path) -> None:
    body = " relu\n output aux when training\n  conv 1, 3\n output side\n  tanh\n conv 1, 2\n returns aux, side, out\n"
    net, file = archdsl.loads(f"net n\n input 4x8x8\n{body}"), tmp_path / f"model{suffix}"
    export.write(net, file, seed=3)
    x = image(net, 2)
    with torch.no_grad():
        wanted = net.build(seed=3).eval()(x)
    assert wanted.aux is None
    if suffix == ".pt2":
        side, out = torch.export.load(file).module()(x)
    else:
        session = pytest.importorskip("onnxruntime").InferenceSession(str(file), providers=["CPUExecutionProvider"])
        assert [output.name for output in session.get_outputs()] == ["side", "out"]
        side, out = map(torch.from_numpy, session.run(None, {"input": x.numpy()}))
    torch.testing.assert_close((side, out), (wanted.side, wanted.out))


def test_what_onnx_cannot_say_is_told(tmp_path: Path) -> None:
    net = archdsl.loads("net n\n input 4x8x8\n rrelu\n")
    with pytest.raises(WrongUsage, match=r"`n` can't be written as ONNX: .*`aten.rrelu_with_noise") as wrong:
        export.write(net, tmp_path / "model.onnx")
    assert ".pt2" in wrong.value.help
    export.write(net, tmp_path / "model.pt2")


def test_safetensors_hold_the_state(tmp_path: Path) -> None:
    from safetensors import safe_open

    net, file = archdsl.load("lenet"), tmp_path / "weights.safetensors"
    export.write(net, file, seed=3)
    state = net.build(seed=3).state_dict()
    with safe_open(file, framework="pt") as held:
        assert set(held.keys()) == state.keys()
        assert all(torch.equal(held.get_tensor(key), state[key]) for key in state)
        assert held.metadata() == {"format": "pt", "network": "lenet"}


def test_files_written_together_hold_the_same_weights(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    net = archdsl.load("lenet")
    files = [tmp_path / name for name in ("model.py", "weights.safetensors", "model.pt2")]
    export.write(net, *files)
    scope: dict[str, Any] = {}
    exec(files[0].read_text(), scope)  # noqa: S102 (our own text)
    module = scope["Lenet"]().eval()
    module.load_state_dict(load_file(files[1]))
    x = image(net, 2)
    with torch.no_grad():
        assert torch.equal(torch.export.load(files[2]).module()(x), module(x))


def test_other_suffixes_are_refused_before_any_work() -> None:
    with pytest.raises(WrongUsage, match=r"model\.exe"):
        export.check(Path("model.exe"))


def test_onnx_without_its_packages_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(WrongUsage) as wrong:
        export.check(Path("model.onnx"))
    assert "archdsl[onnx]" in wrong.value.help


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_a_program_needs_an_input_of_known_size(suffix: str, tmp_path: Path) -> None:
    net = archdsl.load("nin_cifar", input="3xHxW")
    with pytest.raises(WrongUsage, match="known size"):
        export.write(net, tmp_path / f"model{suffix}")
    assert not list(tmp_path.iterdir())
