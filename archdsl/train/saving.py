"""Checkpoints and figures on the disk: whole or not at all, whenever the process dies."""

from __future__ import annotations

import csv
import io
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import torch
from safetensors.torch import save

from archdsl.files import write_atomically, writing
from archdsl.train.classifier import Classifier
from archdsl.train.folder import CHECKPOINT, METRICS, WEIGHTS, RunFolder
from archdsl.train.lightning import Callback, LightningModule, TorchCheckpointIO, Trainer

EVERY = 600  # seconds between checkpoints within an epoch
_SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGUSR1") if (number := getattr(signal, name, None))]
_ASK_OTHERS = 20  # steps after which processes ask each other: each time a GPU waits for the answer


@contextmanager
def own_signals() -> Iterator[None]:
    """Once it is over, signals do again what they did before: Lightning and `Saving` both change that."""
    before = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) is not None}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupted(Exception):
    """Somebody wants the run to end; its checkpoint is written."""


class Atomic(TorchCheckpointIO):
    """Writes a checkpoint beside the old one, and puts it in its place when it is complete."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with writing(Path(path)) as file:
            watched: Any = _Watched(file)
            try:
                torch.save(checkpoint, watched)
            except RuntimeError as error:
                raise watched.trouble or error from None


class _Watched:
    """A file that remembers what went wrong with it: behind a failed write, torch.save tells another error."""

    def __init__(self, file: BinaryIO) -> None:
        self.trouble: OSError | None = None
        self._file = file

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.trouble = error
            raise

    def flush(self) -> None:
        self._file.flush()


class Saving(Callback):
    """A checkpoint after each epoch, every ten minutes within one, and when the run is interrupted.

    history: a row an epoch, from the first one on, also those before a run was resumed.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.history: list[dict[str, float]] = []
        self._folder = folder
        self._saved = time.monotonic()
        self._asked_to_end = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for number in _SIGNALS:  # not before: Lightning puts its own handlers up first
            signal.signal(number, self._ask_to_end)

    def _ask_to_end(self, number: int, frame: FrameType | None) -> None:
        if self._asked_to_end:  # a second time: at once
            raise KeyboardInterrupt
        self._asked_to_end = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        done = batch_idx + 1
        if done == trainer.num_training_batches or done % trainer.accumulate_grad_batches:
            return  # the epoch's own checkpoint comes in a moment; in the middle of a step there is nothing to save
        if trainer.world_size > 1 and done // trainer.accumulate_grad_batches % _ASK_OTHERS:
            return
        ending = self._decided(trainer, self._asked_to_end)
        if ending or self._decided(trainer, time.monotonic() - self._saved > EVERY):
            self._save(trainer)
        if ending:
            raise Interrupted

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        self.history.append(_row(trainer, pl_module))
        self._save(trainer)
        if trainer.is_global_zero:
            write_atomically(self._folder / METRICS, told(self.history))
        if trainer.current_epoch + 1 < (trainer.max_epochs or 0) and self._decided(trainer, self._asked_to_end):
            raise Interrupted

    def finish(self) -> None:
        """Writes out the figures and the weights of the last checkpoint, also if a run was killed right behind it."""
        state = torch.load(self._folder / CHECKPOINT, map_location="cpu", weights_only=True)["state_dict"]
        tensors = {key.removeprefix("module."): tensor.contiguous() for key, tensor in state.items()}
        write_atomically(self._folder / METRICS, told(self.history))
        write_atomically(self._folder / WEIGHTS, save(tensors))

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])

    def _decided(self, trainer: Trainer, wish: bool) -> bool:
        """Whether any process wishes it."""
        if trainer.world_size == 1:
            return wish
        return bool(trainer.strategy.reduce_boolean_decision(wish, all=False))

    def _save(self, trainer: Trainer) -> None:
        assert isinstance(trainer.lightning_module, Classifier)
        trainer.lightning_module.check_loss()
        trainer.save_checkpoint(self._folder / CHECKPOINT)
        self._saved = time.monotonic()


def _row(trainer: Trainer, module: Classifier) -> dict[str, float]:
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    row: dict[str, float] = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "lr": rate}
    for split, score in module.scores.items():
        row |= {f"{split}_loss": score.loss, f"{split}_accuracy": score.accuracy}
    return row


def told(history: list[dict[str, float]]) -> str:
    """The history as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
