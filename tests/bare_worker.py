"""Runs emitted sources in a process that has torch and nothing of archdsl: a request a line, an answer a line.

A request is a JSON object of paths and a name: `source`, the file as `build -o` writes it; `name`, the class;
`given`, its state and an image; `made`, where the results go. Started with `python -I`; it ends at the first mistake.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType

import torch
from torch import nn


def emitted(path: str) -> ModuleType:
    """The file as a module, which nobody keeps."""
    spec = importlib.util.spec_from_file_location("emitted", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def results(module: nn.Module, image: torch.Tensor) -> list[torch.Tensor | None]:
    """What a module gives in evaluation, then in training with a seed, and the state that this leaves it in."""
    made: list[torch.Tensor | None] = []
    for training in (False, True):
        module.train(training)
        torch.manual_seed(0)
        with torch.no_grad():
            output = module(image)
        made += [output] if isinstance(output, torch.Tensor) else output
    return [*made, *module.state_dict().values()]


def answer(request: dict[str, str]) -> None:
    module = getattr(emitted(request["source"]), request["name"])()
    state, image = torch.load(request["given"])
    module.load_state_dict(state)
    torch.save(results(module, image), request["made"])
    loaded = [name for name in sys.modules if name.startswith("archdsl.")]
    assert not loaded, loaded


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.modules["archdsl"] = None  # type: ignore[assignment] # importing it fails
    torch.set_num_threads(int(sys.argv[1]))
    for line in sys.stdin:
        answer(json.loads(line))
        print("done", flush=True)
