"""Blocks that are computed again: the same training bit for bit, with less kept in memory."""

from __future__ import annotations

import io
import re
import signal
import weakref
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.failure import WrongUsage
from archdsl.train.classifier import Classifier
from archdsl.train.data import Getting
from archdsl.train.folder import RunFolder
from archdsl.train.machine import Machine
from archdsl.train.plan import plan
from archdsl.train.recompute import recompute, recomputed
from archdsl.train.run import train
from archdsl.train.saving import Interrupted

DROPPING = """
block part (width)
  relu
  conv: conv 3x3, width, pad same
  bn: batchnorm
  silu
  dropout 0.3

net dropping (classes = 10)
  input 3x16x16
  one: part 8
  output early when training
    avgpool to 1x1
    flatten
    fc_early: linear classes
  two: part 12
  flatten
  fc: linear classes
"""


class Live(TorchDispatchMode):
    """The most bytes of tensors that were there at once, of those that are made while it lasts."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._known = {one.untyped_storage()._cdata for one in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        for one in results if isinstance(results, (tuple, list)) else (results,):
            if isinstance(one, Tensor):
                self._note(one.untyped_storage())
        return results

    def _note(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place in self._known:
            return
        self._known.add(place)
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, place, storage.nbytes())

    def _gone(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._now -= size


def network_of(name: str, input: str | None) -> archdsl.Network:
    return archdsl.loads(DROPPING) if name == "dropping" else archdsl.load(name, input=input)


def images_for(network: archdsl.Network, batch: int) -> Tensor:
    return torch.randn(batch, *(int(str(network.net.at(size))) for size in network.net.input.sizes))


def steps(network: archdsl.Network, *, again: bool, batch: int = 4) -> tuple[nn.Module, list[float]]:
    """The module after three steps of training, and the losses."""
    module = network.build(seed=0)
    if again:
        recompute(module, recomputed(network.net).blocks)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for step in range(3):
        torch.manual_seed(step)
        images = images_for(network, batch)
        outputs: Any = module(images)
        values = (outputs,) if isinstance(outputs, Tensor) else outputs
        loss = torch.stack([value.square().mean() for value in values]).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return module, losses


@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("dropping", None),
        ("resnet20", None),
        ("googlenet", "3x64x64"),
        ("densenet121", "3x32x32"),
        ("efficientnet_b0", "3x32x32"),
        ("swin_t", "3x64x64"),
        ("shufflenet_v2_x1_0", "3x32x32"),
    ],
)
def test_it_computes_the_same(name: str, input: str | None) -> None:
    network = network_of(name, input)
    plain, losses = steps(network, again=False)
    other, again = steps(network, again=True)
    assert again == losses
    expected, found = plain.state_dict(), other.state_dict()  # gradients show in the weights, and statistics are there
    assert list(found) == list(expected)
    assert all(found[key].equal(expected[key]) for key in expected)
    gradients = dict(plain.named_parameters())
    assert all(
        torch.equal(parameter.grad, gradients[key].grad)  # type: ignore[arg-type]
        for key, parameter in other.named_parameters()
        if parameter.grad is not None
    )


def peak(network: archdsl.Network, *, again: bool) -> int:
    module = network.build(seed=0)
    if again:
        recompute(module, recomputed(network.net).blocks)
    images = images_for(network, 2)
    parameters = list(module.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    live = Live([*parameters, *gradients, images])
    with live:
        torch.autograd.backward(module(images).square().mean())
    return live.peak


@pytest.mark.parametrize(
    ("name", "input", "share"),
    [
        ("resnet20", None, 0.75),
        ("resnet50", "3x64x64", 0.75),
        ("vit_b_16", None, 0.5),
        ("mobilenet_v2", "3x64x64", 0.6),
    ],
)
def test_less_is_there_at_once(name: str, input: str | None, share: float) -> None:
    network = network_of(name, input)
    whole, less = peak(network, again=False), peak(network, again=True)
    assert less < share * whole


def trained(folder: Path, name: str, machine: Machine) -> dict[str, Tensor]:
    """The weights at the end of a run, which goes on where it was broken off."""
    spec = folder / "dropping.arch"
    spec.write_text(DROPPING)
    run = RunFolder(folder / name)
    planned = plan(spec, folder, settings={"data": "digits", "epochs": 2, "batch": 256})
    with redirect_stdout(io.StringIO()):
        train(planned, run, machine, Getting(folder))
    return load_file(run / "weights.safetensors")


def test_a_run_is_the_same_also_where_only_its_end_computes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, plain = Machine("cpu", recompute=True), Machine("cpu")
    expected = trained(tmp_path, "plain", plain)
    assert all(trained(tmp_path, "again", again)[key].equal(expected[key]) for key in expected)

    step = Classifier.training_step

    def stopping(self: Classifier, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        if self.trainer.global_step == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", stopping)
        with pytest.raises(Interrupted):
            trained(tmp_path, "stopped", plain)
    found = trained(tmp_path, "stopped", again)
    assert all(found[key].equal(expected[key]) for key in expected)


def test_frozen_statistics_stay() -> None:
    network = archdsl.loads(DROPPING)
    module = network.build(seed=0)
    recompute(module, ["one"])
    module.one.bn.eval()  # type: ignore[union-attr]
    before = {key: value.clone() for key, value in module.state_dict().items() if "one.bn" in key}
    torch.autograd.backward(module(torch.randn(2, 3, 16, 16))[0].sum())
    assert all(module.state_dict()[key].equal(before[key]) for key in before)


@pytest.mark.parametrize("name", ["vgg11", "lenet"])
def test_a_chain_has_nothing_to_compute_again(name: str) -> None:
    with pytest.raises(WrongUsage, match="would save nothing"):
        recomputed(archdsl.load(name).net)


def test_torch_compile_decides_by_itself(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="don't go together"):
        trained(tmp_path, "run", Machine("cpu", compile=True, recompute=True))
    assert not (tmp_path / "run").exists()


def test_the_page_tells_these_shares() -> None:
    page = (Path(__file__).parent.parent / "docs/train.md").read_text()
    rows = dict(re.findall(r"^\| ([\w/-]+) \| (\d+) % \|$", page, re.MULTILINE))
    names = {title.lower().replace("mobilenetv2", "mobilenet_v2"): title for title in rows}
    spelled = {"vit-b/16": "vit_b_16", "efficientnet-b0": "efficientnet_b0", "swin-t": "swin_t"}
    assert len(rows) == 8
    for name, title in names.items():
        share = recomputed(archdsl.load(spelled.get(name, name.replace("-", ""))).net).share
        assert round(100 * share) == int(rows[title])
