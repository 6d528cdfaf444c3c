"""Lightning; its metrics import torchvision wherever that is installed, so that has to be prepared first."""

from __future__ import annotations

from archdsl.train import vision

vision.prepare()

from lightning_fabric.plugins.environments.lightning import LightningEnvironment  # noqa: E402
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment  # noqa: E402
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment  # noqa: E402
from pytorch_lightning import LightningModule, Trainer  # noqa: E402
from pytorch_lightning.callbacks import Callback, WeightAveraging  # noqa: E402
from pytorch_lightning.plugins.io import TorchCheckpointIO  # noqa: E402
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy  # noqa: E402
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher as Launcher  # noqa: E402

__all__ = [
    "Callback",
    "DDPStrategy",
    "Launcher",
    "LightningEnvironment",
    "LightningModule",
    "ModelParallelStrategy",
    "SLURMEnvironment",
    "TorchCheckpointIO",
    "TorchElasticEnvironment",
    "Trainer",
    "WeightAveraging",
]
