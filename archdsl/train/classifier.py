"""The network as Lightning trains it: what a step computes, and what is counted on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.recipe import Recipe
from archdsl.train.lightning import LightningModule
from archdsl.train.mixing import mix
from archdsl.train.schedule import optimizer_of, schedule_of
from archdsl.train.sharding import shard
from archdsl.train.stream import Stream, seed_of
from archdsl.train.trouble import not_finite

# Steps after which a device is asked whether the loss is still a number: a GPU would have to wait for each answer.
_LOOK_EVERY = {"cpu": 1}
_LOOK_SELDOM = 50
SIDE_LOSS = 0.3  # GoogLeNet's (Szegedy et al. 2015, section 5), where a recipe doesn't say


class Score(NamedTuple):
    """loss: the mean over the images. accuracy: of the main output, from 0 to 1."""

    loss: float
    accuracy: float


class Classifier(LightningModule):
    """A network and its recipe.

    module: returns the scores of the classes, or a named tuple whose field `main` has them and whose other fields are
    those of the side heads. stream: the batches, which tell how many images a step has over all devices. layout: how
    images lie in memory. still: paths of the modules that stay in eval mode.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        *,
        main: str,
        classes: int,
        stream: Stream,
        layout: torch.memory_format = torch.channels_last,
        still: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.module = module
        self.recipe = recipe
        self.scores: dict[str, Score] = {}
        self._layout = layout
        self._main = main
        self._classes = classes
        self._stream = stream
        self._still = still
        self._counts = {"train": torch.zeros(3), "test": torch.zeros(3)}  # loss, right answers, images
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Training mode or eval mode, as ever, but for what is frozen with its statistics."""
        super().train(mode)
        for path in self._still:
            self.module.get_submodule(path).eval()
        return self

    def configure_model(self) -> None:
        """Shares the weights out, where the strategy wants that."""
        if self._device_mesh is None:
            return
        if self.device.type == "cuda":
            convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm
            self.module = convert(self.module)
        shard(self.module, self._device_mesh["data_parallel"])

    def configure_optimizers(self) -> Any:
        wanted = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = optimizer_of(self.recipe, wanted, fused=self.device.type == "cuda")
        schedule = schedule_of(self.recipe, optimizer, self._stream.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def loss(self, outputs: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The recipe's loss for each image, side heads included, and the main output's scores.

        targets: the classes' numbers, or a probability for each.
        """
        main, sides = self.parted(outputs)
        total = self._cross_entropy(main, targets)
        for name, scores in sides.items():
            total = total + self.recipe.loss.get(name, SIDE_LOSS) * self._cross_entropy(scores, targets)
        return total, main

    def parted(self, outputs: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The main output's scores, and those of the side heads by name."""
        if isinstance(outputs, Tensor):
            return outputs, {}
        values = outputs._asdict()
        main = values.pop(self._main)
        return main, {name: scores for name, scores in values.items() if scores is not None}

    def _cross_entropy(self, scores: Tensor, targets: Tensor) -> Tensor:
        smoothing = self.recipe.label_smoothing
        if targets.is_floating_point():  # outputs that stand for no class have no share
            targets = functional.pad(targets, (0, scores.shape[1] - targets.shape[1]))
        return functional.cross_entropy(scores.float(), targets, reduction="none", label_smoothing=smoothing)

    def on_train_start(self) -> None:
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        for group in optimizer.param_groups:  # a checkpoint brings how its device took a step
            if "fused" in group:
                group["fused"] = optimizer.defaults["fused"]

    def on_train_epoch_start(self) -> None:
        self._stream.go_to(self.current_epoch)
        self._counts["train"] = torch.zeros(3, device=self.device)

    def on_validation_epoch_start(self) -> None:
        self._counts["test"] = torch.zeros(3, device=self.device)

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        # Dropout and its like: a function of where training is, so that a resumed run draws what it would have drawn.
        seed = seed_of(self.recipe.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes a millisecond for devices that aren't used
        if self.device.type != "cpu":
            getattr(torch, self.device.type).manual_seed(seed)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        targets = labels
        if self.recipe.mixup or self.recipe.cutmix:
            # The same on every device: their shares are mixed as one process would mix the whole batch.
            seed = seed_of(self.recipe.seed, self.current_epoch, batch_idx)
            generator = torch.Generator().manual_seed(seed)
            images, targets = mix(
                images, labels, self._classes, mixup=self.recipe.mixup, cutmix=self.recipe.cutmix, generator=generator
            )
        losses, scores = self.loss(self.module(self._laid_out(images)), targets)
        self._count("train", losses, scores, labels)
        if batch_idx % _LOOK_EVERY.get(self.device.type, _LOOK_SELDOM) == 0 and not torch.isfinite(losses).all():
            where = f"epoch {self.current_epoch + 1}, step {batch_idx // self.recipe.accumulate + 1}"
            raise not_finite(self.module, where, self._laid_out(images))
        # The mean over the step's images, however they are shared out among devices and parts.
        parts = self.recipe.accumulate * self.trainer.world_size
        return losses.sum() * (parts / self._stream.images_of(batch_idx))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        scores, _ = self.parted(self.module(self._laid_out(images)))
        losses = functional.cross_entropy(scores.float(), labels, reduction="none")
        self._count("test", losses, scores, labels)

    def on_validation_epoch_end(self) -> None:
        self.scores = {split: self._score(split) for split in self._counts}

    def check_loss(self) -> None:
        """Raises NotFinite where a loss of this epoch, on any device, was no number. All of them have to ask."""
        if not math.isfinite(self._score("train").loss):
            raise not_finite(self.module, f"epoch {self.current_epoch + 1}")

    def _laid_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=self._layout)

    def _count(self, split: str, losses: Tensor, scores: Tensor, labels: Tensor) -> None:
        right = (scores.detach().argmax(1) == labels).sum()
        images = torch.full_like(right, len(labels))  # made on the device: a copy would have to be waited for
        seen = torch.stack([losses.detach().sum().float(), right.float(), images.float()])
        self._counts[split] = self._counts[split].to(seen.device) + seen

    def _score(self, split: str) -> Score:
        loss, right, images = self._total(split).tolist()
        return Score(loss / max(images, 1), right / max(images, 1))

    def _total(self, split: str) -> Tensor:
        """The counts of all devices together."""
        total: Any = self.trainer.strategy.reduce(self._counts[split].clone(), reduce_op="sum")
        return total.cpu()  # type: ignore[no-any-return]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["counts"] = self._total("train")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.global_rank == 0:  # they are everybody's
            self._counts["train"] = checkpoint["counts"]
