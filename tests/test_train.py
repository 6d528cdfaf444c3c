"""Training: a run computes what a loop written by hand computes, goes on where it left off, and fails in words."""

from __future__ import annotations

import csv
import errno
import io
import os
import signal
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import archdsl
from archdsl.cli import run as archdsl_
from archdsl.failure import Failure, WrongUsage
from archdsl.train.classifier import Classifier
from archdsl.train.data import Getting, batches, facts, open_data
from archdsl.train.data.pipeline import Pipeline
from archdsl.train.folder import RunFolder
from archdsl.train.machine import Machine
from archdsl.train.plan import Plan, plan
from archdsl.train.run import train
from archdsl.train.saving import Interrupted
from archdsl.train.start import start
from archdsl.train.stream import seed_of
from archdsl.train.trouble import NotFinite

CPU = Machine("cpu")
SIDES = """
net sides (classes = 10)
  input 1x8x8
  conv1: conv 3x3, 4, pad same
  relu
  output early when training
    flatten
    fc_early: linear classes
  output late when training
    maxpool 2x2
    flatten
    fc_late: linear classes
  conv2: conv 3x3, 4
  relu
  flatten
  dropout 0.25
  fc: linear classes
  train
    data digits
    batch 256
    epochs 2
    optimizer sgd
    lr 0.1
    momentum 0.9
    weight_decay 0.001
    schedule constant
    loss
      early 0.3
      late 0.7
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "sides.arch"
    path.write_text(SIDES)
    return path


def planned(spec: Path, **settings: Any) -> Plan:
    return plan(spec, spec.parent / "data", settings=settings)


def run(spec: Path, name: str = "run", **settings: Any) -> RunFolder:
    """A run of the spec, to its end."""
    folder = RunFolder(spec.parent / name)
    with redirect_stdout(io.StringIO()):
        train(planned(spec, **settings), folder, CPU, Getting(spec.parent / "data"))
    return folder


def weights(folder: RunFolder) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def rows(folder: RunFolder) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def by_hand(spec: Path) -> dict[str, Tensor]:
    """The spec's recipe as a loop of one's own."""
    module = archdsl.load(spec).build(seed=0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.001)
    digits = open_data("digits", spec.parent)
    loader = batches(digits.train, Pipeline(channels=1, size=(8, 8), batch=256), train=True)
    for epoch in range(2):
        loader.set_epoch(epoch)
        for step, (images, labels) in enumerate(loader):
            torch.manual_seed(seed_of(0, epoch, step, 0))
            outputs = module(images)
            loss = functional.cross_entropy(outputs.out, labels)
            loss = loss + 0.3 * functional.cross_entropy(outputs.early, labels)
            loss = loss + 0.7 * functional.cross_entropy(outputs.late, labels)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return dict(module.state_dict())


def test_a_run_computes_what_a_loop_by_hand_computes(spec: Path) -> None:
    torch.testing.assert_close(weights(run(spec)), by_hand(spec), rtol=1e-5, atol=1e-6)


def test_the_scores_are_those_of_the_weights(spec: Path) -> None:
    folder = run(spec)
    module = archdsl.load(spec).build(weights=folder / "weights.safetensors").eval()
    digits = open_data("digits", spec.parent)
    seen = [
        (module(images), labels)
        for images, labels in batches(digits.test, Pipeline(channels=1, size=(8, 8)), train=False)
    ]
    scores, labels = (torch.cat(part) for part in zip(*seen, strict=True))
    last = rows(folder)[-1]
    assert float(last["test_accuracy"]) == pytest.approx((scores.argmax(1) == labels).double().mean().item(), abs=1e-6)
    assert float(last["test_loss"]) == pytest.approx(functional.cross_entropy(scores, labels).item(), rel=1e-5)


def test_a_batch_in_parts_is_the_same_batch(spec: Path) -> None:
    spec.write_text(SIDES.replace("  dropout 0.25\n", ""))
    whole, parts = run(spec, "whole"), run(spec, "parts", accumulate=4)
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=1e-6)


def interrupted(spec: Path, monkeypatch: pytest.MonkeyPatch, step: int, **settings: Any) -> None:
    """A run that is told to end in its `step`-th step."""
    whole_step = Classifier.training_step
    done = 0

    def counted(self: Classifier, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        nonlocal done
        done += 1
        if done == step:
            signal.raise_signal(signal.SIGINT)
        return whole_step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", counted)
        with pytest.raises(Interrupted):
            run(spec, "stopped", **settings)


@pytest.mark.parametrize("step", [3, 6, 9])  # within an epoch, at its end, within the next
@pytest.mark.parametrize(
    "how", [{}, {"ema": 0.9}, {"accumulate": 2, "mixup": 0.4, "cutmix": 1.0, "optimizer": "adamw"}]
)
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(
    spec: Path, step: int, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**how, "augment": {"shift": 1, "rotate": 10.0}, "schedule": "cosine"}
    whole = run(spec, "whole", **settings)
    interrupted(spec, monkeypatch, step, **settings)
    stopped = run(spec, "stopped", **settings)
    expected, found = weights(whole), weights(stopped)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert rows(stopped) == rows(whole)


def test_a_full_disk_costs_no_checkpoint(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(spec, epochs=1)
    before = (folder / "checkpoint.ckpt").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure, match="the disk is full"):
        run(spec, epochs=2)
    assert (folder / "checkpoint.ckpt").read_bytes() == before
    assert not list(folder.path.glob(".checkpoint*"))


def test_a_loss_that_is_no_number_tells_where_it_began(spec: Path) -> None:
    with pytest.raises(NotFinite, match=r"in epoch 1, step 2; it began in the output of `fc_early`"):
        run(spec, lr=1e30)


def test_weights_that_are_no_numbers_are_not_saved(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On GPUs a loss is looked at now and then only."""
    monkeypatch.setattr("archdsl.train.classifier._LOOK_EVERY", {"cpu": 50})
    with pytest.raises(NotFinite, match=r"in epoch 1; it began in the weights: `conv1.weight`"):
        run(spec, lr=1e30)
    assert RunFolder(spec.parent / "run").checkpoint is None


def test_outputs_that_stand_for_no_class_are_mixed_in_with_no_share(spec: Path) -> None:
    spec.write_text(SIDES.replace("linear classes", "linear 12"))
    folder = run(spec, mixup=0.2, epochs=1)
    assert weights(folder)["fc.bias"].shape == (12,)


def test_averaging_leaves_tables_of_positions_alone(tmp_path: Path) -> None:
    """Averages of whole numbers, cut off, would be other positions."""
    spec = tmp_path / "windows.arch"
    spec.write_text(WINDOWS)
    table = archdsl.load(spec).build().state_dict()["attn.relative_position_index"]
    assert not table.is_floating_point()
    assert torch.equal(weights(run(spec))["attn.relative_position_index"], table)


WINDOWS = """
net windows (classes = 10)
  input 1x8x8
  conv: conv 1x1, 8
  layout NHWC
  attn: window_attention 2, 4
  layout NCHW
  mean
  fc: linear classes
  train
    data digits
    batch 256
    epochs 3
    ema 0.9999
"""


def test_two_runs_share_no_folder(spec: Path) -> None:
    folder = RunFolder(spec.parent / "run")
    with folder.held(), pytest.raises(WrongUsage, match="another process is training"):
        run(spec)


class TestPlans:
    def test_classes_and_grey_images_adapt(self, tmp_path: Path) -> None:
        made = plan("resnet18", tmp_path, settings={"data": "digits"})
        assert dict(made.network.net.params)["classes"] == 10
        assert made.size == (64, 64)
        assert made.recipe.schedule == "onecycle"  # the digits' own recipe

    def test_data_that_is_not_there_is_told_and_digits_take_its_place(self, tmp_path: Path) -> None:
        made = plan("resnet18", tmp_path)
        assert made.facts.name == "digits"
        assert any("--data cifar10 --download" in note for note in made.notes)

    def test_data_that_was_asked_for_is_an_error(self, spec: Path) -> None:
        made = planned(spec, data="mnist")
        with pytest.raises(Failure, match="--download"):
            train(made, RunFolder(spec.parent / "run"), CPU, Getting(spec.parent / "data"))
        assert not (spec.parent / "run").exists()

    @pytest.mark.parametrize(
        ("name", "options", "message", "help"),
        [
            ("lenet", {"settings": {"data": "cifar10"}}, "takes 1 channels", "--input 3x28x28"),
            ("resnet18", {"params": {"classes": "7"}}, "7 outputs", "--set classes=10"),
            ("unet", {}, "not a score for each class", "tell what images show"),
            ("seide_1x2k", {}, "takes no images", "tell what images show"),
        ],
    )
    def test_what_does_not_fit(
        self, name: str, options: dict[str, Any], message: str, help: str, tmp_path: Path
    ) -> None:
        with pytest.raises(WrongUsage) as caught:
            plan(name, tmp_path, **options)
        assert message in str(caught.value)
        assert help in str(caught.value)


def test_a_side_head_that_has_no_score_for_each_class_is_told(spec: Path) -> None:
    spec.write_text(SIDES.replace("fc_early: linear classes", "fc_early: linear 9"))
    with pytest.raises(WrongUsage, match="the output `early` of `sides` gives 9, not a score for each of 10 classes"):
        planned(spec)


def begun(spec: Path, **more: Any) -> Any:
    asked: dict[str, Any] = {
        "getting": Getting(spec.parent / "data"),
        "settings": {"epochs": 1},
        "params": {},
        "input": None,
        "run": spec.parent / "run",
        "resume": False,
        "machine": CPU,
    }
    with redirect_stdout(io.StringIO()):
        return start(str(spec), **{**asked, **more})


def test_a_run_goes_on_only_as_it_was_begun(spec: Path) -> None:
    begun(spec)
    with pytest.raises(WrongUsage, match="has a run in it"):
        begun(spec)
    with pytest.raises(WrongUsage, match="begun with another `lr`"):
        begun(spec, settings={"lr": 0.5}, resume=True)
    again = begun(spec, settings={}, resume=True)
    assert again.test.accuracy == pytest.approx(float(rows(RunFolder(spec.parent / "run"))[-1]["test_accuracy"]))
    spec.write_text(SIDES.replace("conv 3x3, 4\n", "conv 3x3, 5\n"))
    with pytest.raises(WrongUsage, match="another network"):
        begun(spec, settings={}, resume=True)


def test_a_device_that_is_not_there_names_auto(spec: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(Failure, match="--device auto"):
        begun(spec, machine=Machine("cuda"))


def test_weights_of_an_average_are_the_average(spec: Path) -> None:
    """Against torch's own AveragedModel in a loop by hand."""
    from torch.optim import swa_utils

    averaging: Any = swa_utils.get_ema_multi_avg_fn
    found = weights(run(spec, ema=0.5, momentum=0.0, weight_decay=0.0, epochs=1, loss={"early": 0, "late": 0}))
    module = archdsl.load(spec).build(seed=0)
    average = swa_utils.AveragedModel(module, multi_avg_fn=averaging(0.5), use_buffers=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    digits = open_data("digits", spec.parent)
    for step, (images, labels) in enumerate(
        batches(digits.train, Pipeline(channels=1, size=(8, 8), batch=256), train=True)
    ):
        torch.manual_seed(seed_of(0, 0, step, 0))
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(module(images).out, labels))
        optimizer.step()
        average.update_parameters(module)
    assert isinstance(average.module, nn.Module)
    torch.testing.assert_close(found, dict(average.module.state_dict()), rtol=1e-5, atol=1e-6)


MINE = """
net mine (classes = 10)
  input 1x8x8
  conv: conv 3x3, 4
  bn: batchnorm
  relu
  avgpool to 1x1
  flatten
  fc: linear classes
  train
    data photos
    batch 4
    epochs 1
"""

PLUGIN = """
from PIL import Image

class Half:
    classes = ["cat", "dog"]

    def __init__(self, folder):
        self.files = sorted(folder.glob("*/*.png"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return Image.open(self.files[index]).convert("L"), self.classes.index(self.files[index].parent.name)

def given(root):
    return Half(root / "train"), Half(root / "val")
"""


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `photos` has images of two classes, three to train with and one for the test in each."""
    for half, count in (("train", 3), ("val", 1)):
        for name in ("cat", "dog"):
            (tmp_path / "photos" / half / name).mkdir(parents=True)
            for number in range(count):
                Image.new("L", (8, 8), 60 * number).save(tmp_path / "photos" / half / name / f"{number}.png")
    (tmp_path / "mine.arch").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_finds_its_folder_of_images_from_anywhere(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert archdsl_(["train", "mine.arch", "--device", "cpu"]) == 0
    (photos / "elsewhere").mkdir()
    monkeypatch.chdir(photos / "elsewhere")
    capsys.readouterr()
    assert archdsl_(["eval", "../runs/mine-photos", "--device", "cpu"]) == 0
    assert f"on {photos / 'photos'}: 2 test images" in capsys.readouterr().out
    assert archdsl_(["predict", "../runs/mine-photos", "../photos/val/cat/0.png"]) == 0
    again = ["train", "../mine.arch", "--folder", "../runs/mine-photos", "--resume", "--device", "cpu"]
    assert archdsl_(again) == 0
    assert archdsl_([*again, "--data", "../photos"]) == 0
    assert archdsl_([*again, "--data", "digits"]) == 2


def test_a_run_finds_its_plugin_and_the_place_of_data_sets_from_anywhere(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "given.py").write_text(PLUGIN)
    told = ["--plugin", "given.py:given", "--root", "photos", "--folder", "run", "--device", "cpu"]
    assert archdsl_(["train", "mine.arch", *told]) == 0
    (photos / "elsewhere").mkdir()
    monkeypatch.chdir(photos / "elsewhere")
    assert archdsl_(["eval", "../run", "--device", "cpu"]) == 0
    assert archdsl_(["eval", "../run", "--plugin", "../given.py:given", "--device", "cpu"]) == 0


@pytest.mark.parametrize("name", ["photo", "fotos", "./photo", "Photos/"])
def test_a_folder_that_is_nearly_there_is_told(name: str, photos: Path) -> None:
    with pytest.raises(WrongUsage) as told:
        facts(name, Path("data"))
    assert "did you mean `photos`?" in told.value.help


def test_batch_norms_that_see_one_image_are_told(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert archdsl_(["train", "mine.arch", "--batch", "1", "--device", "cpu"]) == 0
    assert "batch norms get one image at a time" in capsys.readouterr().err
    # Of six images, five and one: the single one joins the others.
    assert archdsl_(["train", "mine.arch", "--batch", "5", "--device", "cpu"]) == 0
    assert "batch norms" not in capsys.readouterr().err
    (photos / "mine.arch").write_text(MINE.replace("  bn: batchnorm\n", "").replace("  fc:", "  bn: batchnorm\n  fc:"))
    assert archdsl_(["train", "mine.arch", "--batch", "1", "--device", "cpu"]) == 3
    assert "can't train on one image at a time" in capsys.readouterr().err
