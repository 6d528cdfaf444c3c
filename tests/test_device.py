"""Training as a GPU does it, without one: the meta device has no numbers, so whoever asks for one is told."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from archdsl.train.classifier import Classifier
from archdsl.train.data import Getting, batches
from archdsl.train.data.plan import starts
from archdsl.train.evaluate import pipeline_of
from archdsl.train.lightning import Trainer
from archdsl.train.plan import plan
from archdsl.train.schedule import optimizer_of
from archdsl.train.stream import Stream
from archdsl.train.trained import images_of

META = torch.device("meta")


def classifier(network: str, folder: Path, **settings: Any) -> tuple[Classifier, Stream]:
    """What Lightning trains, and its batches, on the meta device; a step takes 50 of 1,000 images."""
    planned = plan(network, folder, settings={"data": "fake:3x32x32", "batch": 50, **settings})
    data = Getting(folder).open(planned.facts.name)
    image = images_of(planned.network.net)
    pipeline = pipeline_of(
        image, augment=planned.recipe.augment, batch=50, seed=0, device=META, workers=0, rank=0, world=1
    )
    stream = Stream(batches(data.train, pipeline, train=True, skip_corrupt=False), starts(1_000, pipeline), 1)
    module = planned.network.build(seed=0)
    made = Classifier(module, planned.recipe, main=planned.main, classes=10, stream=stream)
    made.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    return made.to(META), stream


@pytest.mark.parametrize(
    "augment",
    [
        {},
        {"flip": True, "crop": 4},
        {"shift": 2, "rotate": 10},
        {"scale": (0.5, 1)},
        {"color": 0.4, "erase": 0.5},
        {"policy": "randaugment"},
        {"policy": "trivialaugment"},
    ],
    ids=str,
)
def test_images_are_changed_where_they_lie(augment: dict[str, Any], tmp_path: Path) -> None:
    _, stream = classifier("resnet20", tmp_path, augment=augment)
    images, labels = next(iter(stream))
    assert images.device == labels.device == META
    assert images.shape == (50, 3, 32, 32)


@pytest.mark.parametrize("network", ["resnet20", "googlenet", "swin_t"])  # side heads; masks and tables of positions
@pytest.mark.parametrize("mixed", [{}, {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1}], ids=["plain", "mixed"])
def test_a_step_waits_for_no_number(network: str, mixed: dict[str, Any], tmp_path: Path) -> None:
    trained, stream = classifier(network, tmp_path, **mixed)
    trained.on_train_epoch_start()
    loss = trained.training_step(next(iter(stream)), 1)
    torch.autograd.backward(loss)
    assert loss.device == META
    assert all(parameter.grad is not None for parameter in trained.parameters())
    trained.on_validation_epoch_start()
    with torch.no_grad():
        trained.eval().validation_step(next(iter(stream)), 0)


def test_now_and_then_it_does_wait(tmp_path: Path) -> None:
    trained, stream = classifier("resnet20", tmp_path)
    trained.on_train_epoch_start()
    with pytest.raises(RuntimeError, match="meta tensors"):
        trained.training_step(next(iter(stream)), 0)


def test_gradients_can_be_clipped(tmp_path: Path) -> None:
    """Lightning refuses that for fused optimisers, which are for GPUs."""
    from pytorch_lightning.plugins.precision import MixedPrecision

    plugin = MixedPrecision("bf16-mixed", "cpu")
    for clip, refused in ((None, pytest.raises(RuntimeError, match="gradient clipping")), (1.0, nullcontext())):
        trained, _ = classifier("resnet20", tmp_path, optimizer="adamw", clip=clip)
        with refused:
            plugin.clip_gradients(optimizer_of(trained.recipe, [torch.nn.Parameter(torch.zeros(1))], fused=True), 1.0)
