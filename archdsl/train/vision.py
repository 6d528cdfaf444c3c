"""torchvision, where its compiled ops fit this build of torch and where they don't."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from types import ModuleType
from typing import Any

import torch

from archdsl.failure import WrongUsage

# What torchvision's Python code says more about when it is imported; its data sets and transforms use neither.
_OPS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: list[Any] = []  # what it defines goes when it goes


def prepare() -> None:
    """Lets torchvision be imported, if it is installed at all: Lightning's metrics import it wherever it is.

    A torchvision that was built for another torch can't load its compiled ops, and stops at the first mention of one.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it can't load its image codecs, either
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if "does not exist" not in str(error):
                raise
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            fragment: Any = torch.library.Library  # untyped
            _library.append(fragment("torchvision", "FRAGMENT"))
            for schema in _OPS:
                _library[0].define(schema)
            importlib.import_module("torchvision")


def torchvision(what: str) -> ModuleType:
    """torchvision's datasets. what: wants it, for the message. Raises WrongUsage where it isn't installed."""
    prepare()
    try:
        return importlib.import_module("torchvision.datasets")
    except ImportError as error:
        raise WrongUsage(f"{what} needs torchvision", help="pip install 'archdsl[train]'") from error
