"""Fine-tuning: weights that are there already, a new head, and parts that stay as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from after_training import SPEC, spec_in, trained_in
from safetensors.torch import load_file
from torch import Tensor

import archdsl
from archdsl.cli import run as archdsl_
from archdsl.failure import Failure, WrongUsage
from archdsl.train.data import Getting
from archdsl.train.folder import RunFolder, Tuning
from archdsl.train.freezing import freeze, frozen
from archdsl.train.machine import Machine
from archdsl.train.plan import plan
from archdsl.train.start import start

KEYS = [
    *("layer1.0.conv1.weight", "layer1.0.bn1.weight", "layer1.0.bn1.bias", "layer1.0.bn1.running_mean"),
    *("layer10.0.conv1.weight", "layer2.0.conv1.weight", "layer2.0.bn1.weight", "fc.weight", "fc.bias"),
]


def weights(run: RunFolder) -> dict[str, Tensor]:
    return load_file(run / "weights.safetensors")


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {key for key in before if not before[key].equal(after[key])}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return trained_in(tmp_path_factory.mktemp("trained"))


# Patterns


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("layer[12].*", {key for key in KEYS if key.startswith(("layer1.", "layer2."))}),
        ("layer1", {key for key in KEYS if key.startswith("layer1.")}),
        ("layer*", {key for key in KEYS if key.startswith("layer")}),
        ("*.bn1", {key for key in KEYS if ".bn1." in key}),
        ("*.weight", {key for key in KEYS if key.endswith(".weight")}),
        ("fc.bias", {"fc.bias"}),
        ("*", set(KEYS)),
    ],
)
def test_patterns_name_keys_and_the_parts_around_them(pattern: str, named: set[str]) -> None:
    assert frozen(KEYS, [pattern]) == named


def test_several_patterns_add_up() -> None:
    assert frozen(KEYS, ["fc", "layer10"]) == {"fc.weight", "fc.bias", "layer10.0.conv1.weight"}
    assert frozen(KEYS, []) == frozenset()


@pytest.mark.parametrize(
    ("pattern", "help"),
    [("layer1.0.con1", "layer1.0.conv1"), ("fk", "fc"), ("blocks.*", "layer1, layer10, layer2, fc")],
)
def test_a_pattern_for_nothing_is_an_error_with_a_name_that_is_near(pattern: str, help: str) -> None:
    with pytest.raises(WrongUsage) as refused:
        frozen(KEYS, ["fc", pattern])
    assert pattern in refused.value.message
    assert help in refused.value.help


def test_batch_norms_stand_still_where_all_of_them_is_frozen() -> None:
    module = archdsl.loads(SPEC).build()
    keys = list(module.state_dict())
    assert freeze(module, frozen(keys, ["layer1", "layer2.bn.weight"])) == ("layer1.bn",)
    trainable = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert trainable == {"layer2.conv.weight", "layer2.conv.bias", "layer2.bn.bias", "fc.weight", "fc.bias"}


def test_something_is_left_to_train() -> None:
    module = archdsl.loads(SPEC).build()
    with pytest.raises(WrongUsage, match="nothing to train"):
        freeze(module, frozen(list(module.state_dict()), ["*"]))


# Runs


def test_what_is_frozen_stays_bit_for_bit_and_the_rest_learns(run: RunFolder, tmp_path: Path) -> None:
    file = str(run / "weights.safetensors")
    tuned = trained_in(tmp_path, tuning=Tuning(file, freeze=("layer1",)), epochs=1)
    before, after = weights(run), weights(tuned)
    assert changed(before, after) == {key for key in before if not key.startswith("layer1.")}


def test_without_a_pattern_all_of_it_learns(run: RunFolder, tmp_path: Path) -> None:
    file = str(run / "weights.safetensors")
    tuned = trained_in(tmp_path, tuning=Tuning(file), epochs=1)
    assert changed(weights(run), weights(tuned)) == set(weights(run))


def test_training_begins_with_the_file_s_weights(run: RunFolder, tmp_path: Path) -> None:
    file = str(run / "weights.safetensors")
    tuned = trained_in(tmp_path, tuning=Tuning(file), epochs=1, optimizer="sgd", lr=1e-12)
    for key, tensor in weights(run).items():
        if "running" not in key and "num_batches" not in key:
            assert torch.allclose(weights(tuned)[key], tensor, atol=1e-6), key


def test_a_new_head_for_other_classes(run: RunFolder, tmp_path: Path) -> None:
    file = str(run / "weights.safetensors")
    other: dict[str, Any] = {"data": "fake:1x8x8:4", "epochs": 1}
    with pytest.raises(Failure, match="doesn't fit") as refused:
        trained_in(tmp_path, tuning=Tuning(file), **other)
    assert "--head new" in refused.value.help
    assert not (tmp_path / "run").exists()
    tuned = trained_in(tmp_path, tuning=Tuning(file, "new", ("layer[12]",)), **other)
    before, after = weights(run), weights(tuned)
    assert after["fc.weight"].shape == (4, before["fc.weight"].shape[1])
    assert {key for key in before if before[key].equal(after[key])} == {key for key in before if key[:2] != "fc"}


def test_a_new_head_wants_weights(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="--head new"):
        plan(spec_in(tmp_path), tmp_path, tuning=Tuning(head="new"))


def resumed(spec: Path, run: RunFolder, tuning: Tuning) -> None:
    start(
        str(spec),
        getting=Getting(spec.parent),
        settings={},
        params={},
        input=None,
        run=run.path,
        resume=True,
        machine=Machine("cpu"),
        tuning=tuning,
    )


def test_a_run_keeps_what_it_began_with(run: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "begin.safetensors"
    file.write_bytes((run / "weights.safetensors").read_bytes())
    tuning = Tuning(str(file), freeze=("layer1",))
    tuned = trained_in(tmp_path, tuning=tuning)
    assert json.loads((tuned / "run.json").read_text())["tuning"] == {
        "weights": str(file),
        "head": "keep",
        "freeze": ["layer1"],
    }
    before = weights(tuned)
    file.unlink()  # what goes on doesn't begin again
    (tuned / "weights.safetensors").unlink()  # as if killed right behind the last checkpoint
    figures = (tuned / "metrics.csv").read_text()
    (tuned / "metrics.csv").unlink()
    resumed(tmp_path / "small.arch", tuned, Tuning())
    assert not changed(before, weights(tuned))
    assert (tuned / "metrics.csv").read_text() == figures
    for other, told in (
        (Tuning("other.pth"), rf"--weights.*begin\.safetensors, not {Path.cwd()}/other\.pth"),
        (Tuning(freeze=("layer2",)), "--freeze.*layer1, not layer2"),
        (Tuning(str(file), "new"), "--head.*keep, not new"),
    ):
        with pytest.raises(WrongUsage, match=told):
            resumed(tmp_path / "small.arch", tuned, other)


def test_frozen_statistics_stay_when_a_run_goes_on(run: RunFolder, tmp_path: Path, monkeypatch: Any) -> None:
    """Stopped after the first epoch and gone on with, it ends as it would have."""
    from archdsl.train.saving import Interrupted, Saving

    file = str(run / "weights.safetensors")
    tuning = Tuning(file, freeze=("layer1",))
    whole = trained_in(tmp_path, "whole", tuning=tuning)
    ended = Saving.on_train_epoch_end

    def stop(self: Saving, trainer: Any, module: Any) -> None:
        ended(self, trainer, module)
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Saving, "on_train_epoch_end", stop)
        with pytest.raises(Interrupted):
            trained_in(tmp_path, "parts", tuning=tuning)
    parts = RunFolder(tmp_path / "parts")
    resumed(tmp_path / "small.arch", parts, tuning)
    assert not changed(weights(whole), weights(parts))


def test_the_command_line_passes_them_on(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(run / "weights.safetensors")
    command = ["train", str(spec_in(tmp_path)), "--epochs", "1", "--device", "cpu", "--weights", file]
    assert archdsl_([*command, "--freeze", "layer9"]) == 2
    assert "did you mean `layer1`?" in capsys.readouterr().err
    assert archdsl_([*command, "--freeze", "layer[12]", "--freeze", "fc.bias"]) == 0
    assert changed(weights(run), weights(RunFolder(tmp_path / "runs" / "small-digits"))) == {"fc.weight"}
    assert (tmp_path / "runs" / "small-digits" / "report.html").exists()
