"""What must hold of what is built from a random spec: copies, the source in a process of its own, files for others."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch
from bare import bare, results
from evaluator import BATCH
from ruff.__main__ import find_ruff_bin  # type: ignore[import-untyped]
from test_python import RULES
from torch import nn
from written import Sizes

from archdsl.compiler import Network
from archdsl.failure import WrongUsage
from archdsl.runtime import export

# How near a program's numbers are, of the largest (it adds in another order); how near those of float32 must be to
# exact ones to be compared at all.
NEAR, STEADY = 1e-4, 1e-6


def drawn(module: nn.Module) -> None:
    """All weights and statistics at random, so that none can stand for another."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(std=weight[0].numel() ** -0.5 if weight.ndim > 1 else 1.0)
        for name, statistic in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                statistic.uniform_(0.5, 1.5)


def copies_agree(network: Network, sizes: Sizes, folder: Path) -> None:
    """A copy, a pickle and the file in a process without archdsl compute the very same numbers, and share none.

    The network's own pickle makes the same source, which is tidy; the image stays as it was.
    """
    assert pickle.loads(pickle.dumps(network)).source == network.source
    module = network.build()
    drawn(module)
    image = torch.randn(BATCH, *sizes)
    before = image.clone()
    copies = [copy.deepcopy(module), pickled(module)]
    for one in copies:
        assert type(one) is type(module)
        assert not _storages(one) & _storages(module)
    file = folder / "emitted.py"
    export.write(network, file)
    is_tidy(file)
    alone = bare().results(file, type(module).__name__, module, image)
    expected = results(module, image)
    assert torch.equal(image, before)
    for found in (*(results(one, image) for one in copies), alone):
        same(found, expected)


def is_tidy(file: Path) -> None:
    """Ruff finds nothing, but results that nobody reads, which a spec may have; it would lay nothing out anew."""
    common = ["--quiet", "--isolated", "--no-cache", "--line-length", "120", "--target-version", "py311", str(file)]
    for command in (["check", "--select", RULES, "--ignore", "F841,RUF059"], ["format", "--diff"]):
        ran = subprocess.run([find_ruff_bin(), *command, *common], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def pickled(module: nn.Module) -> nn.Module:
    """What torch.load gives of what torch.save has written."""
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    found: nn.Module = torch.load(file, weights_only=False)
    return found


def same(found: list[Any], expected: list[Any]) -> None:
    """Equal to the last bit."""
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if other is not None:
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def _storages(module: nn.Module) -> set[int]:
    return {tensor.data_ptr() for tensor in module.state_dict().values() if tensor.numel()}


def optimized_agrees(network: Network, sizes: Sizes) -> None:
    """The module for inference gives the numbers of evaluation, in double precision nearly all digits of them."""
    module = network.build().double().eval()
    drawn(module)
    optimized = network.build(optimize=True).double()
    optimized.load_state_dict(module.state_dict())
    image = torch.randn(BATCH, *sizes, dtype=torch.float64)
    expected = _computed(module, image)
    assert expected is not None
    found = _several(optimized(image))
    assert all(_distance(one, other) < STEADY for one, other in zip(found, expected, strict=True))


def exports_agree(network: Network, sizes: Sizes, done: Counter[str]) -> None:
    """A .pt2 and an .onnx file give the module's numbers at any batch size, nearly.

    done: what could be compared, and what archdsl told that it can't write.
    """
    module = network.build()
    drawn(module)
    module.eval()
    with TemporaryDirectory() as name:
        weights, program, onnx = (Path(name, file) for file in ("weights.pt", "net.pt2", "net.onnx"))
        torch.save(module.state_dict(), weights)
        given = weights if module.state_dict() else None  # a file without tensors is none of weights
        export.write(network, program, weights=given)
        try:
            export.write(network, onnx, weights=given)
        except WrongUsage as refusal:
            if "as ONNX" not in refusal.message:
                raise
            done["refused as .onnx"] += 1
        for batch in (1, 3):
            image = torch.randn(batch, *sizes)
            expected = _computed(module, image)
            if expected is None:
                continue
            if not _steady(module, image, expected):
                continue
            with torch.no_grad():
                near(_several(torch.export.load(program).module()(image)), expected)
            done[".pt2"] += 1
            if onnx.exists():
                session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
                near([torch.from_numpy(one) for one in session.run(None, {"input": image.numpy()})], expected)
                done[".onnx"] += 1


def _computed(module: nn.Module, image: torch.Tensor) -> list[torch.Tensor] | None:
    """What the module gives; None where a norm needs more numbers than an image of this batch has."""
    try:
        with torch.no_grad():
            return [one for one in _several(module(image)) if one is not None]
    except ValueError as error:
        if "Expected more than 1" not in str(error):
            raise
        return None


def _several(output: Any) -> list[Any]:
    return [output] if isinstance(output, torch.Tensor) else list(output)


def _steady(module: nn.Module, image: torch.Tensor, expected: list[torch.Tensor]) -> bool:
    """Whether rounding to float32 leaves the numbers what they are; a threshold or a norm of almost nothing don't."""
    exact = _computed(copy.deepcopy(module).double(), image.double())
    assert exact is not None
    return all(_distance(one, other) < STEADY for one, other in zip(expected, exact, strict=True))


def near(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert _distance(one, other) < NEAR


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, as a part of the largest number; infinite where one isn't finite and the other is."""
    finite = other.isfinite()
    if not torch.equal(finite, one.isfinite()):
        return float("inf")
    if not finite.any():
        return 0.0
    other = other[finite].double()
    return float((one[finite].double() - other).abs().max() / other.abs().max().clamp(min=1e-30))
