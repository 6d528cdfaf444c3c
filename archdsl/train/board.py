"""The figures of a run for TensorBoard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.train.classifier import Classifier
from archdsl.train.folder import RunFolder
from archdsl.train.lightning import Callback, LightningModule, Trainer

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

BOARD = "tensorboard"


class Board(Callback):
    """Event files in the run's folder: loss, accuracy and learning rate after each epoch, over the steps.

    It comes before what saves: an epoch whose checkpoint was never written is told again, and counts once.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        from torch.utils.tensorboard import SummaryWriter

        # A run that goes on leaves no point behind its checkpoint standing.
        purge = trainer.global_step + 1 if trainer.global_step else None
        self._writer = SummaryWriter(str(self._folder / BOARD), purge_step=purge)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        if self._writer is None:
            return
        step = trainer.global_step
        for split, score in pl_module.scores.items():
            self._writer.add_scalar(f"loss/{split}", score.loss, step)
            self._writer.add_scalar(f"accuracy/{split}", score.accuracy, step)
        self._writer.add_scalar("lr", trainer.optimizers[0].param_groups[0]["lr"], step)
        self._writer.flush()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._writer is not None:
            self._writer.close()
