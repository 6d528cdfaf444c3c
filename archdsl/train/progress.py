"""How a run is told while it goes on: a line an epoch, and on a terminal a bar below them."""

from __future__ import annotations

import sys
import time
from typing import Any

import torch

from archdsl import console
from archdsl.train.classifier import Classifier
from archdsl.train.lightning import Callback, LightningModule, Trainer

_HEAD = (
    f"{'epoch':>7}  {'loss':>8}  {'accuracy':>8}  {'test loss':>9}  {'test accuracy':>13}  {'images/s':>8}  {'time':>7}"
)


class Progress(Callback):
    """A line an epoch on standard output; a bar with throughput, time to go and memory where somebody watches."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._start = 0.0
        self._images = 0
        self._took = 0.0  # seconds of training in this epoch, the test after it not among them

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start, self._images = time.monotonic(), 0  # an epoch that goes on doesn't start
        if not trainer.is_global_zero:
            return
        console.out(_HEAD)
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[now]}"),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            total = (trainer.max_epochs or 0) * int(trainer.num_training_batches)
            done = trainer.current_epoch * int(trainer.num_training_batches)
            self._task = self._bar.add_task("training", total=total, completed=done, now="")
            self._bar.start()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start, self._images = time.monotonic(), 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(batch[1]) * trainer.world_size
        self._took = time.monotonic() - self._start
        if self._bar is not None:
            speed = self._images / max(self._took, 1e-9)
            now = f"{speed:,.0f} images/s{_memory(pl_module)}"
            self._bar.update(self._task, advance=1, description=f"epoch {trainer.current_epoch + 1}", now=now)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        if not trainer.is_global_zero:
            return
        took = time.monotonic() - self._start
        train, test = pl_module.scores["train"], pl_module.scores["test"]
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        line = (
            f"{epoch:>7}  {train.loss:8.4f}  {train.accuracy:8.2%}  {test.loss:9.4f}  {test.accuracy:13.2%}"
            f"  {self._images / max(self._took, 1e-9):8,.0f}  {took:6.1f}s"
        )
        if self._bar is None:
            console.out(line)
        else:
            self._bar.console.print(line, highlight=False)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()


def _memory(module: LightningModule) -> str:
    """The most that was taken so far, on the GPU or by this process; nothing on Windows, which doesn't tell."""
    if module.device.type == "cuda":
        return f", {torch.cuda.max_memory_allocated(module.device) / 1e9:.1f} GB"
    try:
        import resource
    except ImportError:
        return ""
    unit = 1 if sys.platform == "darwin" else 1024
    return f", {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9:.1f} GB"
