"""With the same weights and input the shipped networks give what torchvision's give, to the last bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peers import torchvision_model
from torch import nn
from zoo import CLASSIFICATION, assert_same_gradients, image, ours, peer, side

import archdsl

# Where outputs differ in the last bits, by how much of the largest, and why.
RELATIVE: dict[str, float] = {}


def tensors(output: Any) -> dict[str, torch.Tensor]:
    """The outputs by name."""
    return {"out": output} if isinstance(output, torch.Tensor) else output._asdict()


def assert_same(name: str, got: Any, expected: Any) -> None:
    mine, theirs = ({key: one.detach() for key, one in tensors(output).items()} for output in (got, expected))
    assert list(mine) == list(theirs)
    for key, known in theirs.items():
        assert known.abs().max() > 0.01
        largest = float((mine[key] - known).abs().max() / known.abs().max())
        assert largest <= RELATIVE.get(name, 0), f"{key} differs by {largest:.1e}"


def trained(model: nn.Module, x: torch.Tensor) -> Any:
    """The output in training mode; what chance drops is the same for all models that drop the same."""
    torch.manual_seed(2)
    return model.train()(x)


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_outputs_and_gradients_are_those_of_torchvision(name: str) -> None:
    theirs = peer(name).eval()
    mine = ours(name, theirs).eval()
    x = image(side(name))
    with torch.no_grad():
        assert_same(name, mine(x), theirs(x))
    x = image(299) if name == "inception_v3" else x  # its side head needs the whole image
    got, expected = trained(mine, x), trained(theirs, x)
    assert_same(name, got, expected)
    for one in (got, expected):
        total = torch.stack([tensor.square().sum() for tensor in tensors(one).values()]).sum()
        torch.autograd.backward(total)
    assert_same_gradients(mine, theirs)
    statistics = dict(theirs.named_buffers())
    for key, buffer in mine.named_buffers():
        assert torch.equal(buffer, statistics[key]), key


@pytest.mark.parametrize("name", [name for name in CLASSIFICATION if not name.startswith("vit_")])
def test_the_smallest_input_is_torchvisions(name: str) -> None:
    """Nothing smaller works there either. A ViT has weights for one size only (see test_attention.py)."""
    smallest = archdsl.load(name, input="3xHxW").requirements().smallest
    assert smallest is not None
    assert set(smallest.values()) == {smallest["H"]}
    with_training_head = name == "inception_v3"  # what it can't do at smaller sizes is its side head
    model = peer(name).train(with_training_head)
    with torch.no_grad():
        model(image(smallest["H"]))
        if smallest["H"] > 1:
            with pytest.raises(Exception):  # noqa: B017, PT011 -- whatever kind they raise
                model(image(smallest["H"] - 1))


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_fresh_weights_are_spread_as_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    theirs = torchvision_model(name, **({"init_weights": True} if name in ("googlenet", "inception_v3") else {}))
    mine = archdsl.load(name).build(seed=0)
    known = dict(theirs.state_dict())
    for key, weight in mine.state_dict().items():
        assert_same_spread(key, weight, known.pop(key))
    assert not known


def assert_same_spread(key: str, weight: torch.Tensor, known: torch.Tensor) -> None:
    """Mean, spread and reach of two draws agree within what chance allows; constants are equal."""
    if not known.is_floating_point() or bool((known == known.flatten()[0]).all()):
        assert torch.equal(weight, known), key
        return
    n, spread = known.numel(), float(known.std())
    assert float((weight.mean() - known.mean()).abs()) <= 6 * spread * (2 / n) ** 0.5, key
    assert float(weight.std()) == pytest.approx(spread, rel=min(0.9, 6 / n**0.5)), key
    if n >= 2000:  # normal and uniform draws of one spread differ in it: 3 and 1.8, each up to (24/n)^0.5
        assert kurtosis(weight) == pytest.approx(kurtosis(known), abs=6 * (48 / n) ** 0.5), key


def kurtosis(draw: torch.Tensor) -> float:
    """The mean of the fourth power, the spread being 1."""
    return float(((draw - draw.mean()) / draw.std()).pow(4).mean())


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_the_source_runs_with_nothing_but_torch(name: str, tmp_path: Path) -> None:
    """In a bare process, which compiles it in one graph and exports it as well."""
    file = tmp_path / "model.py"
    file.write_text(archdsl.load(name).source)
    done = subprocess.run(
        [sys.executable, "-I", "-c", BARE, str(file), str(side(name))],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["(2,", "1000)", "True", "True", "False"]


BARE = """
import sys, runpy, torch
from torch import nn
classes = [one for one in runpy.run_path(sys.argv[1]).values() if isinstance(one, type) and issubclass(one, nn.Module)]
torch.manual_seed(0)
model = classes[-1]().eval()
x = torch.randn(2, 3, int(sys.argv[2]), int(sys.argv[2]))
with torch.no_grad():
    y = model(x)
    compiled = torch.compile(model, fullgraph=True, backend="eager")(x)
    exported = torch.export.export(model, (x,)).module()(x)
print(tuple(y.shape), torch.equal(y, compiled), torch.equal(y, exported), "archdsl" in sys.modules)
"""
