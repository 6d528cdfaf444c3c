"""CIFAR's pickled batches, read without running what a pickle may ask for.

A pickle names functions to be called. Here the four names that arrays are pickled with mean stand-ins, which keep what
they are given; any other name is an error.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

_BYTES = ("u1", "|u1")


class _Array:
    """What stands for a numpy array: its state as pickled, `(version, shape, dtype, in Fortran's order, data)`."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype:
    """What stands for a numpy dtype."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Of one byte there is nothing more to know."""


def _encoded(text: Any, encoding: Any) -> bytes:
    """How bytes are written for Python 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes that aren't written as such")
    return text.encode("latin1")


def _array(*_: Any) -> _Array:
    return _Array()


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encoded,
}
# What unpickling raises for bytes that are no pickle, or another one.
_WRONG = (
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    MemoryError,
)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for `{module}.{name}`, which no batch of CIFAR does")
        return _ADMITTED[module, name]


def batch(content: bytes, key: str) -> tuple[bytes, list[int]]:
    """The values of a batch's images, one after another, and their labels under a key. Raises UnpicklingError."""
    entries = _entries(content)
    array, labels = entries.get("data"), entries.get(key)
    if not isinstance(array, _Array) or not isinstance(labels, list) or not all(type(one) is int for one in labels):
        raise pickle.UnpicklingError(f"it has no `data` with `{key}`")
    match array.state:
        case (int(), (int(), int()), _Dtype(code=code), False, (bytes() | str()) as data) if code in _BYTES:
            return data if isinstance(data, bytes) else data.encode("latin1"), labels
    raise pickle.UnpicklingError("its `data` isn't an array of bytes")


def names(content: bytes, key: str) -> tuple[str, ...]:
    """The names of the classes. Raises UnpicklingError."""
    found = _entries(content).get(key)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise pickle.UnpicklingError(f"it has no `{key}`")
    return tuple(found)


def _entries(content: bytes) -> dict[Any, Any]:
    try:
        found = _Reader(io.BytesIO(content), encoding="latin1").load()
    except pickle.UnpicklingError:
        raise
    except _WRONG as error:
        raise pickle.UnpicklingError(str(error) or type(error).__name__) from error
    if not isinstance(found, dict):
        raise pickle.UnpicklingError("it isn't a dictionary")
    return found
