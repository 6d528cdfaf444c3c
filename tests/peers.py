"""torchvision's own models, to compare with, also beside a torch that its compiled ops weren't built for."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

# The files that build each family of models.
FILES = {
    "alexnet": "alexnet",
    "convnext": "convnext",
    "deeplabv3": "segmentation.deeplabv3",
    "densenet": "densenet",
    "efficientnet": "efficientnet",
    "fcn": "segmentation.fcn",
    "googlenet": "googlenet",
    "inception": "inception",
    "lraspp": "segmentation.lraspp",
    "maxvit": "maxvit",
    "mnasnet": "mnasnet",
    "mobilenet_v2": "mobilenetv2",
    "mobilenet_v3": "mobilenetv3",
    "regnet": "regnet",
    "resnet": "resnet",
    "resnext": "resnet",
    "shufflenet": "shufflenetv2",
    "squeezenet": "squeezenet",
    "swin": "swin_transformer",
    "vgg": "vgg",
    "vit": "vision_transformer",
    "wide_resnet": "resnet",
}


def torchvision_model(name: str, **arguments: Any) -> Any:
    """A model of torchvision by its builder's name, such as `resnet50`, with fresh weights."""
    family = next(file for family, file in FILES.items() if name.startswith(family))
    _install()
    builder: Callable[..., Any] = getattr(import_module(f"torchvision.models.{family}"), name)
    return builder(weights=None, **arguments)


@cache
def _install() -> None:
    """Registers empty packages with the real paths: `import torchvision` itself loads compiled ops that may not fit."""
    found = find_spec("torchvision")
    assert found is not None
    assert found.origin is not None
    root = Path(found.origin).parent
    for package in ("", ".models", ".models.segmentation", ".ops", ".transforms"):
        name = f"torchvision{package}"
        made = ModuleType(name)
        made.__path__ = [str(root.joinpath(*package.split(".")))]
        made.__spec__ = None if package else found  # others ask where torchvision is, too
        sys.modules.setdefault(name, made)
    _stub("torchvision.transforms._presets", ImageClassification=object, SemanticSegmentation=object)
    _stub("torchvision.transforms._presets", InterpolationMode=enum.Enum("InterpolationMode", "BILINEAR BICUBIC"))
    _stub("torchvision.utils", _log_api_usage_once=_nothing, _make_ntuple=_repeated)
    _stub("torchvision._internally_replaced_utils", load_state_dict_from_url=_nothing)
    _stub("torchvision.ops", StochasticDepth=import_module("torchvision.ops.stochastic_depth").StochasticDepth)


def _stub(name: str, **contents: Any) -> None:
    module = sys.modules.setdefault(name, ModuleType(name))
    vars(module).update(contents)


def _nothing(*_: Any, **__: Any) -> None:
    """Stands in for logging and downloads, which no test wants."""


def _repeated(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * count
