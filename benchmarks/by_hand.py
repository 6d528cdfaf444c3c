"""The peer of `archdsl train`: torchvision's ResNet-18 in a Lightning script as one would write it.

`tuned` is tuned as ours is: channels last, and memory that is freed stays with the process. Prints a line an epoch. The
images lie in memory, the optimiser is the recipe's, each epoch ends with a test and a checkpoint, nothing is logged.
"""

from __future__ import annotations

import ctypes
import sys

from measure import TORCHVISION

exec(TORCHVISION, globals())  # noqa: S102 (our own constant)

import pytorch_lightning as lightning  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402


class Model(lightning.LightningModule):
    def __init__(self, layout: torch.memory_format) -> None:
        super().__init__()
        self.layout = layout
        self.model = torchvision.models.resnet18(num_classes=10).to(memory_format=layout)

    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        images, labels = batch
        images = images.contiguous(memory_format=self.layout)
        return torch.nn.functional.cross_entropy(self.model(images), labels)

    def validation_step(self, batch: list[torch.Tensor], number: int) -> None:
        images, labels = batch
        scores = self.model(images.contiguous(memory_format=self.layout))
        self.log("accuracy", (scores.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)

    def on_train_epoch_end(self) -> None:
        print(f"epoch {self.current_epoch + 1}", flush=True)


def main(how: str, folder: str, side: int, batch: int, images: int, epochs: int) -> None:
    if how == "tuned":
        libc = ctypes.CDLL(None)  # M_MMAP_MAX and M_TRIM_THRESHOLD of malloc.h
        libc.mallopt(-4, 0), libc.mallopt(-1, 2**31 - 1)
    train, test = (
        TensorDataset(torch.rand(count, 3, side, side), torch.randint(10, (count,))) for count in (images, images // 5)
    )
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    model = Model(torch.channels_last if how == "tuned" else torch.contiguous_format)
    trainer.fit(model, DataLoader(train, batch_size=batch, shuffle=True), DataLoader(test, batch_size=batch))


main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
