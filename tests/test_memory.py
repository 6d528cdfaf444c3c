"""Memory equals the storages that autograd saves in a training step, and steps in place change no result."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.analysis.liveness import in_place
from archdsl.analysis.memory import BYTES, memory
from archdsl.compiler import Network
from archdsl.dims import at
from archdsl.ir import CallStep, OpStep

BATCH = 2


class _Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """How many bytes of each storage the tensors of a forward pass reach.

    That is less than its size where a kernel asks for too much: the native transposed convolution of volumes starts
    from `empty_like(input)` (aten/src/ATen/native/NaiveConvolutionTranspose3d.cpp), and whether it runs or oneDNN's
    depends on the number of threads.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.reach: dict[int, int] = {}
        self._alive: list[torch.Tensor] = []  # so that no two storages have the same place

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        for tensor in results if isinstance(results, (tuple, list)) else (results,):
            if isinstance(tensor, torch.Tensor):
                self.note(tensor)
        return results

    def note(self, tensor: torch.Tensor) -> None:
        """A tensor reaches as far as its last number."""
        self._alive.append(tensor)
        last = sum((int(size) - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
        numbers = int(tensor.storage_offset()) + last + 1 if tensor.numel() else 0
        place = tensor.untyped_storage().data_ptr()
        self.reach[place] = max(self.reach.get(place, 0), numbers * tensor.element_size())


def saved_bytes(module: Any, image: torch.Tensor) -> int:
    """The bytes of the distinct storages that autograd saves, the module's own tensors left out."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    kept: set[int] = set()
    seen = _Seen()
    seen.note(image)

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        seen.note(tensor)
        kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    module.train()
    with seen, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        _output = module(image)
    return sum(seen.reach[place] for place in kept - own)


def image_for(network: Network, batch: int = BATCH) -> torch.Tensor:
    return torch.randn(batch, *(at(size, network.net.sizes) for size in network.net.input.sizes))


def agree(network: Network) -> None:
    module = network.build()
    needed = memory(network.net, BATCH)
    assert needed.activations == saved_bytes(module, image_for(network))
    tensors = (*module.parameters(), *module.buffers())
    assert needed.weights == sum(tensor.untyped_storage().nbytes() for tensor in tensors)


@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("alexnet", "3x96x96"),
        ("densenet121", "3x64x64"),
        ("googlenet", "3x96x96"),
        ("lenet", None),
        ("nin_cifar", None),
        ("resnet18", "3x64x64"),
        ("resnet50", "3x64x64"),
        ("unet", "3x32x32"),
        ("vgg16", "3x64x64"),
    ],
)
def test_shipped_networks(name: str, input: str | None) -> None:
    torch.manual_seed(0)
    agree(archdsl.load(name, input=input))


BODIES = {
    "relu in place behind a norm": "conv 3x3, 4\n batchnorm\n relu\n conv 1x1, 4",
    "relu behind a convolution": "conv 3x3, 4\n relu\n conv 1x1, 4\n relu",
    "relu on the input": "relu\n conv 3x3, 4\n relu",
    "relu behind a saved output": "conv 3x3, 4\n sigmoid\n relu\n conv 1x1, 4",
    "relu that others read past": "conv 3x3, 4\n residual\n  relu\n  conv 1x1, 4\n relu",
    "silu keeps a copy": "conv 3x3, 4\n silu\n conv 1x1, 4\n hardswish",
    "dropout": "conv 3x3, 4\n relu\n dropout 0.5\n conv 1x1, 4\n dropout 0.2\n flatten\n linear 3",
    "dropout of nothing": "conv 3x3, 4\n relu\n dropout 0.0\n conv 1x1, 4",
    "pools": "conv 3x3, 4\n maxpool 2x2\n relu\n avgpool 2x2\n conv 1x1, 2\n avgpool to 1x1\n flatten\n linear 3",
    "views": "conv 3x3, 4\n flatten\n relu\n linear 4\n relu",
    "a gate": "conv 3x3, 4\n multiply\n  - skip\n  - avgpool to 1x1 -> conv 1x1, 4 -> sigmoid\n relu",
    "loop": "conv 3x3, 4\n group\n  repeat 9\n   residual\n    conv 3x3, 4, pad 1\n    batchnorm\n    relu\n relu",
    "loop without a residual": "conv 3x3, 4\n group\n  repeat 9\n   conv 3x3, 4, pad 1\n   relu",
    "loop that starts on the input": "repeat 5\n  conv 3x3, 3, pad 1",
    "loop of activations": "conv 3x3, 4\n repeat 5\n  sigmoid",
    "loop of nothing kept": "repeat 5\n  relu\n conv 1x1, 2",
    "in place behind a container": "a: conv 1x1, 4 -> batchnorm\n relu\n b: conv 1x1, 4 -> sigmoid\n relu",
    "areas": "conv 3x3, 4\n upsample to 5x5, mode area\n upsample to 1x1, mode area\n conv 1x1, 4\n relu",
    "unused": "a: conv 1x1, 4\n unused b: conv 1x1, 9",
    "a learnt tensor": "a: conv 1x1, 4\n add\n  - skip\n  - e: parameter [4, 1, 1]\n relu",
    "a volume that shrinks": "reshape 4x3x6x6\n conv_transpose 1, 2\n gelu\n conv 1, 4",
    "a learnt factor": "a: conv 1x1, 4\n multiply\n  - skip\n  - f: parameter [4, 1, 1]\n relu",
}


@pytest.mark.parametrize("body", BODIES)
def test_small_networks(body: str) -> None:
    lines = "".join(f"  {line}\n" for line in BODIES[body].replace("\n ", "\n").split("\n"))
    torch.manual_seed(0)
    agree(archdsl.loads(f"net small\n  input 3x12x12\n{lines}"))


def test_side_heads_are_kept_in_training_only() -> None:
    text = """
net heads
  input 3x12x12
  a: conv 3x3, 4
  relu
  output one when training
    b: conv 3x3, 5
    c: conv 3x3, 5
  output two when not training
    d: conv 3x3, 6
    e: conv 3x3, 6
  f: conv 3x3, 2
"""
    agree(archdsl.loads(text))


def test_memory_grows_with_batch_and_type() -> None:
    net = archdsl.loads("net small\n  input 3x8x8\n  conv 3x3, 4\n  batchnorm\n").net
    one, three = memory(net), memory(net, batch=3)
    statistics = 2 * 4 * 4
    assert one.activations == 4 * (3 * 64 + 4 * 36) + statistics
    assert three.activations == 3 * 4 * (3 * 64 + 4 * 36) + statistics
    half = memory(net, dtype="bfloat16")
    assert half.weights == 2 * (3 * 9 * 4 + 4 + 8 + 8) + 8


def test_a_million_iterations_in_closed_form() -> None:
    text = "net deep\n  input 4x8x8\n  group\n    repeat {n}\n      conv 3x3, 4, pad 1\n      relu\n"
    assert memory(archdsl.loads(text.format(n=1_000_000)).net).activations == 4 * 4 * 64 * 1_000_001


def test_a_symbolic_input_gives_a_symbolic_size() -> None:
    net = archdsl.loads("net small\n  input 3xHxW\n  conv 3x3, 4, pad 1\n  relu\n").net
    assert str(memory(net).activations) == "28*H*W"


def names_in_place(text: str) -> list[str]:
    """The steps of the net's own scope, and of containers in it, that run in place."""
    found: list[str] = []

    def visit(scope: Any, prefix: str) -> None:
        chosen = in_place(scope, {})
        for index, step in enumerate(scope.steps):
            if isinstance(step, OpStep) and index in chosen:
                found.append(prefix + "".join(map(str, step.name)))
            elif isinstance(step, CallStep):
                visit(step.scope, prefix + "".join(map(str, step.name)) + ".")

    visit(archdsl.loads(text).net.scope, "")
    return found


def test_in_place_only_where_nobody_is_hurt() -> None:
    head = "net small\n  input 3x8x8\n"
    assert names_in_place(head + "  conv 1x1, 4\n  relu\n  relu6\n") == ["1"]
    assert names_in_place(head + "  relu\n  conv 1x1, 4\n") == []
    assert names_in_place(head + "  a: conv 1x1, 4 -> batchnorm\n  relu\n") == ["~relu"]
    assert names_in_place(head + "  a: conv 1x1, 4 -> relu\n  relu\n") == ["a.1"]
    assert names_in_place(head + "  conv 1x1, 4\n  flatten\n  relu\n") == []
    assert names_in_place(head + "  conv 1x1, 3\n  residual\n    relu\n    conv 1x1, 3\n") == []
    assert names_in_place(head + "  conv 1x1, 3\n  output side\n    conv 1x1, 3\n  relu\n") == []
    assert names_in_place(head + "  conv 1x1, 3\n  gelu\n") == []


def test_in_place_hurts_nobody_in_evaluation_either() -> None:
    # In evaluation dropout hands on the very tensor that the shortcut reads.
    text = "net small\n  input 3x8x8\n  conv 1x1, 4\n  residual\n    dropout 0.5\n    relu\n    conv 1x1, 4\n"
    assert names_in_place(text) == []


def test_numbers_take_as_many_bytes_as_in_torch() -> None:
    assert {name: torch.empty(0, dtype=getattr(torch, name)).element_size() for name in BYTES} == BYTES
