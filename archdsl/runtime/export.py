"""A network written to a file: its source, a program for torch.export or ONNX, or its weights."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.dims import at
from archdsl.failure import WrongUsage
from archdsl.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archdsl.analysis.fit import Head
    from archdsl.compiler import Network
    from archdsl.ir import Net

# In what torch says of an operation that it can't write as ONNX.
_MISSING = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
SUFFIXES = (".py", ".pt2", ".onnx", ".safetensors")


def check(path: Path) -> None:
    """Raises WrongUsage, before any work, for a path that nothing can be written to."""
    if path.suffix not in SUFFIXES:
        help = f"the name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; `archdsl diagram` draws"
        raise WrongUsage(f"can't tell what to write to `{path}`", help=help)
    if path.suffix == ".onnx" and not (find_spec("onnx") and find_spec("onnxscript")):
        raise WrongUsage("writing ONNX needs the packages `onnx` and `onnxscript`", help="pip install archdsl[onnx]")


def write(
    network: Network, *paths: Path, seed: int | None = None, weights: str | Path | None = None, head: Head = "keep"
) -> None:
    """Writes the network to each path, by its suffix; all files that carry weights carry the same.

    weights, head: those of `build`. Programs are for evaluation: of any batch size, at the network's input size. Raises
    WrongUsage, Failure.
    """
    for path in paths:
        check(path)
    module: nn.Module | None = None
    for path in paths:
        if path.suffix == ".py":
            write_atomically(path, network.source)
            continue
        if module is None:
            module = network.build(seed=seed, weights=weights, head=head).eval()
        write_atomically(path, _WRITERS[path.suffix](network.net, module))


def _weights(net: Net, module: nn.Module) -> bytes:
    from safetensors.torch import save

    return save(dict(module.state_dict()), metadata={"format": "pt", "network": net.name})


def _program(net: Net, module: nn.Module) -> bytes:
    """A torch.export program; it returns a plain tensor or tuple, and `outputs.json` in it has the names."""
    import torch

    names = [output.name for output in net.outputs if output.mode != "training"]
    with _plain(module), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (_example(net),), dynamic_shapes=(_any_batch(),))
        file = io.BytesIO()
        torch.export.save(program, file, extra_files={"outputs.json": json.dumps(names)})
    return file.getvalue()


def _onnx(net: Net, module: nn.Module) -> bytes:
    import torch

    names = [output.name for output in net.outputs if output.mode != "training"]
    try:
        with _plain(module), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (_example(net),),
                input_names=["input"],
                output_names=names,
                dynamic_shapes=(_any_batch(),),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        missing = _MISSING.search(str(error))
        if missing is None:
            raise
        message = f"`{net.name}` can't be written as ONNX: torch has no translation of its `{missing[1]}`"
        raise WrongUsage(message, help="a `.pt2` file can hold it") from error
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


_WRITERS: Mapping[str, Callable[[Net, Any], bytes]] = {".safetensors": _weights, ".pt2": _program, ".onnx": _onnx}


class _plain:  # noqa: N801 (a context manager)
    """While it lasts, a module that returns a named tuple returns a plain one, which needs no class to be loaded.

    It has no places for outputs of the other mode.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._kind = type(module)

    def __enter__(self) -> None:
        kind = self._kind

        def forward(self: Any, x: Tensor) -> Any:
            result = kind.forward(self, x)
            return tuple(one for one in result if one is not None) if isinstance(result, tuple) else result

        self._module.__class__ = type(kind.__name__, (kind,), {"forward": forward})

    def __exit__(self, *_: object) -> None:
        self._module.__class__ = self._kind


def _example(net: Net) -> Tensor:
    """Two images: a batch of one would be taken for a fixed size."""
    import torch

    if not net.concrete:
        raise WrongUsage(
            f"a program needs an input of known size, `{net.name}` has {net.input}",
            help="give one with `--input`, such as `--input 3x224x224`",
        )
    sizes = [at(size, net.sizes) for size in net.input.sizes]
    return torch.zeros(2, *sizes)


def _any_batch() -> dict[int, Any]:
    import torch

    return {0: torch.export.Dim("batch")}
