"""`build(optimize=True)` against the network as it is written and against torch.compile, in evaluation."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Any

from measure import Goal, Row, alternating, missing, row, share, timed

NETWORKS = ("resnet50", "googlenet", "densenet121", "mobilenet_v2")
BATCHES = (1, 8)
NO_GOAL = Goal()


def optimized(runs: int) -> list[Row]:
    """Each network at each size of a batch: equal weights, whose norms have seen data."""
    import torch._inductor.config

    torch._inductor.config.force_disable_caches = True  # what compiling takes is told, too
    rows = []
    for name in NETWORKS:
        eager, quick = models(name)
        rows += _of_network(name, eager, quick, runs)
    return rows


def models(name: str) -> tuple[Any, Any]:
    """The network as it is written and the optimised one, with the same weights."""
    import torch

    import archdsl

    network = archdsl.load(name)
    eager = network.build(seed=0).eval()
    with torch.no_grad():  # fresh norms would change nothing
        for key, buffer in eager.named_buffers():
            if key.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
            elif key.endswith("running_mean"):
                buffer.uniform_(-0.5, 0.5)
    quick = network.build(optimize=True)
    quick.load_state_dict(eager.state_dict())
    return eager, quick


def _of_network(name: str, eager: Any, quick: Any, runs: int) -> list[Row]:
    import torch

    rows = []
    for batch in BATCHES:
        what = f"{name} optimised, {batch} image" + ("s" if batch > 1 else "")
        x = torch.randn(batch, 3, 224, 224)
        ours, theirs = _run(quick, x), _run(eager, x)
        error = _difference(quick, eager, x)
        times = alternating(runs, lambda f=ours: timed(f, 3), lambda f=theirs: timed(f, 3))
        rows.append(row(what, *times, against="eager", goal=share(1)) | {"error": error})
        if shutil.which("c++") is None and shutil.which("g++") is None:
            rows.append(missing(what, "torch.compile", "a C++ compiler isn't installed"))
            continue
        torch._dynamo.reset()
        compiled = torch.compile(eager, dynamic=False)
        start = time.perf_counter()
        _run(compiled, x)()
        waited = round(time.perf_counter() - start, 1)
        theirs = _run(compiled, x)
        times = alternating(runs, lambda f=ours: timed(f, 3), lambda f=theirs: timed(f, 3))
        rows.append(row(what, *times, against=f"torch.compile, after {waited} s", goal=NO_GOAL))
    return rows


def _run(model: Any, x: Any) -> Callable[[], Any]:
    import torch

    def run() -> None:
        with torch.inference_mode():
            model(x)

    return run


def _difference(quick: Any, eager: Any, x: Any) -> float:
    """The largest difference of the outputs, as a part of the largest output."""
    import torch

    with torch.inference_mode():
        a, b = eager(x), quick(x)
    return float(f"{float((a - b).abs().max() / a.abs().max()):.1e}")
