"""A file of weights, read: named tensors and nothing else, whatever the file holds."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archdsl.analysis.fit import Held
from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain
from archdsl.runtime.download import local

# Under which names training programs keep a model's state beside the optimizer's and other things.
WRAPPED = ("state_dict", "model", "model_state_dict")
# What reading broken bytes raises, in torch's unpickler and zip reader.
_BROKEN = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
_CODE = re.compile(r"Unsupported (?:global: GLOBAL|class|operand) ([\w.]+)")


class Checkpoint(NamedTuple):
    """name: of the file, as the user knows it. tensors: in the order of the file, on the CPU."""

    name: str
    tensors: dict[str, Tensor]

    def held(self) -> dict[str, Held]:
        """What is told of the tensors without reading their numbers."""
        return {key: Held(tuple(one.shape), str(one.dtype)[6:]) for key, one in self.tensors.items()}


def read(where: str | Path) -> Checkpoint:
    """The tensors of a .pth, .pt or .safetensors file, or of one behind a URL, which is kept where torch.hub keeps it.

    No code in a file is ever run. Raises WrongUsage where there is no such file, Failure where it isn't one of weights.
    """
    path, name = local(where)
    read_as = _READERS.get(path.suffix.lower())
    if path.is_dir():
        raise WrongUsage(f"`{name}` is a folder, not a file of weights")
    if read_as is None:
        raise WrongUsage(f"can't tell what `{name}` holds", help="weights are in .pth, .pt or .safetensors files")
    try:
        _check_start(path, name)
        tensors = read_as(path, name)
    except OSError as error:
        raise explain(error, name) from error
    return Checkpoint(name, tensors)


def _check_start(path: Path, name: str) -> None:
    """Raises Failure for what is often found in place of weights."""
    with path.open("rb") as file:
        start = file.read(200)
    if not start:
        raise Failure(f"`{name}` is empty", help="download or copy it again")
    if start.startswith(b"version https://git-lfs"):
        message = f"`{name}` is a pointer of Git LFS: the weights themselves aren't here"
        raise Failure(message, help="`git lfs pull` gets them")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Failure(f"`{name}` is a web page, not weights", help="download the file that the page links to")


def _safetensors(path: Path, name: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            # Copies: what the library gives shows the file itself, and would change or break with it.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 (it has no other way)
    except SafetensorError as error:
        raise _broken(name, error) from error
    return _checked(tensors, name)


def _pickled(path: Path, name: str) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        code = _CODE.search(str(error))
        if code is None:
            raise _broken(name, error) from error
        message = f"`{name}` holds more than tensors: `{code[1]}`, and reading that could run code"
        raise Failure(message, help="save the weights alone: torch.save(model.state_dict(), ...)") from error
    return _checked(_state(content, name), name)


_READERS: Mapping[str, Callable[[Path, str], dict[str, Tensor]]] = {
    ".pth": _pickled,
    ".pt": _pickled,
    ".safetensors": _safetensors,
}


def _broken(name: str, error: BaseException) -> Failure:
    reason = str(error).strip().partition("\n")[0].partition(". ")[0]
    message = f"`{name}` can't be read as weights, it is broken or something else"
    return Failure(message, help=f"download or copy it again ({type(error).__name__}: {_short(reason)})")


def _state(content: Any, name: str) -> Mapping[Any, Any]:
    """The state_dict in what was pickled: all of it, or what lies under one of the usual names. Raises Failure."""
    if isinstance(content, Mapping):
        inside = [key for key in WRAPPED if isinstance(content.get(key), Mapping)]
        if len(inside) == 1:
            found = content[inside[0]]
            assert isinstance(found, Mapping)
            return found
        if len(inside) > 1:
            names = " and ".join(f"`{key}`" for key in inside)
            raise Failure(f"`{name}` holds {names}: it isn't clear which are the weights", help=_SAVE)
        return content
    raise Failure(f"`{name}` holds no weights by name, but {_a(content)}", help=_SAVE)


_SAVE = "save the weights alone: torch.save(model.state_dict(), ...)"


def _checked(state: Mapping[Any, Any], name: str) -> dict[str, Tensor]:
    """The same as plain tensors by name. Raises Failure."""
    if not state:
        raise Failure(f"`{name}` holds no tensors", help=_SAVE)
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            usual = ", ".join(f"`{one}`" for one in WRAPPED)
            message = f"`{name}` isn't a state_dict: under `{_short(str(key))}` it has {_a(value)}, not a tensor"
            raise Failure(message, help=f"{_SAVE}; weights under {usual} are found too")
        if value.layout != torch.strided or value.is_quantized or value.is_meta or value.is_nested:
            raise Failure(
                f"`{key}` in `{name}` isn't a plain tensor", help="sparse and quantised weights can't be used"
            )
    return {key: value.detach() for key, value in state.items()}


def _a(value: Any) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} `{kind}`"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
