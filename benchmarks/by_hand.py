"""The peer of `archdsl train`: torchvision's ResNet-18 in a Lightning script as one would write it, equally tuned.

Prints the images a second of each epoch. The images lie in memory, channels last as in ours; the optimiser is the
recipe's, nothing is logged.
"""

from __future__ import annotations

import sys
import time

from measure import TORCHVISION

exec(TORCHVISION, globals())  # noqa: S102 (our own constant)

import pytorch_lightning as lightning  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402


class Model(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        model = torchvision.models.resnet18(num_classes=10)
        self.model = model.to(memory_format=torch.channels_last)

    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        images, labels = batch
        images = images.contiguous(memory_format=torch.channels_last)
        return torch.nn.functional.cross_entropy(self.model(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def on_train_epoch_start(self) -> None:
        self.start = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        print(f"{len(self.trainer.train_dataloader.dataset) / (time.perf_counter() - self.start):.2f}", flush=True)


def main(images: int, side: int, batch: int, epochs: int) -> None:
    data = TensorDataset(torch.rand(images, 3, side, side), torch.randint(10, (images,)))
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Model(), DataLoader(data, batch_size=batch, shuffle=True))


main(*map(int, sys.argv[1:]))
