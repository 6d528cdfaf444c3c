"""Lightning; its metrics import torchvision wherever that is installed, so that has to be prepared first."""

from __future__ import annotations

from archdsl.train import vision

vision.prepare()

from pytorch_lightning import LightningModule, Trainer  # noqa: E402
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging  # noqa: E402
from pytorch_lightning.plugins.io import TorchCheckpointIO  # noqa: E402

__all__ = ["Callback", "EMAWeightAveraging", "LightningModule", "TorchCheckpointIO", "Trainer"]
