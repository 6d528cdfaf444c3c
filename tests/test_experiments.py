"""The experiments of docs/experiments.md run, quickly, and compute what they say that they do."""

from __future__ import annotations

import importlib
import io
import re
from contextlib import redirect_stdout
from itertools import product
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import archdsl
from archdsl.train.data import Getting
from archdsl.train.folder import RunFolder
from archdsl.train.machine import Machine
from archdsl.train.plan import plan
from archdsl.train.run import train

ROOT = Path(archdsl.__file__).parents[1]
EXPERIMENTS = ROOT / "examples" / "experiments"
PAGE = (ROOT / "docs" / "experiments.md").read_text()
SCRIPTS = sorted(path.stem for path in EXPERIMENTS.glob("*.py") if path.stem != "trials")


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A script of the folder by its name, as Python would run it."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    return importlib.import_module


def quick(script: Any, tmp_path: Path) -> Any:
    return script.main(["--quick", "--folder", str(tmp_path)])


def test_a_kernel_is_learned_as_the_lecture_prints_it(experiment: Any, tmp_path: Path) -> None:
    script = experiment("edge_kernel")
    ours, random = quick(script, tmp_path)
    assert [f"{loss:.3f}" for loss in ours.losses[1::2]] == ["6.779", "1.147", "0.196", "0.035", "0.006"]
    assert [f"{number:.4f}" for number in ours.end] == ["0.9900", "-0.9830"]
    torch.testing.assert_close(torch.tensor(random.end), by_algebra(random.start), rtol=0, atol=1e-5)
    assert (tmp_path / "edge_kernel-quick" / "curves.png").read_bytes().startswith(b"\x89PNG")


def by_algebra(start: list[float]) -> torch.Tensor:
    """Ten steps without autograd: with the matrix of the least squares, each is a linear map of what is still wrong."""
    matrix, wanted = torch.tensor([[18.0, 12.0], [12.0, 18.0]]), torch.tensor([1.0, -1.0])
    step = torch.eye(2) - 2 * 0.03 * matrix
    end: torch.Tensor = wanted + torch.linalg.matrix_power(step, 10) @ (torch.tensor(start) - wanted)
    return end


def test_batch_norm_learns_where_sigmoids_alone_do_not_yet(experiment: Any, tmp_path: Path) -> None:
    found = quick(experiment("batch_norm"), tmp_path)
    plain, pooled, normal = (found[name] for name in ("LeNet", "LeNet, max pooling", "LeNet, batch norm, max pooling"))
    assert [one.params for one in (plain, pooled, normal)] == [61_706, 61_706, 44_878]
    assert normal.last("train_loss")[0] < 2.3 < min(plain.last("train_loss")[0], pooled.last("train_loss")[0])
    assert (tmp_path / "batch_norm-quick" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_is_there_is_not_repeated(experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = experiment("batch_norm")
    first = quick(script, tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.ckpt")}
    assert quick(script, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_one_wide_layer_has_the_parameters_of_the_deep_ones(experiment: Any, activation: str) -> None:
    script = experiment("deep_or_wide")
    params = [archdsl.load(trial.spec, **trial.params).cost().params for trial in script.trials(activation)]
    assert params[:5] == [64 * 64 + 64 + (depth - 1) * (64 * 64 + 64) + 64 * 10 + 10 for depth in (1, 2, 3, 5, 7)]
    # A unit more or less is 64 weights in, 10 out and a bias.
    assert [abs(wide - deep) <= 75 / 2 for deep, wide in zip(params[3:5], params[5:], strict=True)] == [True, True]


@pytest.mark.slow
def test_a_deeper_plain_network_begins_worse(experiment: Any, tmp_path: Path) -> None:
    """After an epoch the plain network of 56 layers knows nothing; the residual one of the same layers knows much."""
    script = experiment("depth")
    trials = [trial for trial in script.TRIALS if trial.name.endswith("56")]
    extent = experiment("trials").Extent(1, 1, tmp_path)
    tmp_path.mkdir(exist_ok=True)
    found = experiment("trials").compare(trials, extent)
    assert found["plain56"].params == found["resnet56"].params == 853_018
    assert found["resnet56"].last("train_loss")[0] < 1.8 < found["plain56"].last("train_loss")[0]


def test_side_heads_count_or_do_not(experiment: Any, tmp_path: Path) -> None:
    """With a weight of 0 the loss is that of the main output alone, from the same weights."""
    recipes = {
        trial.name: plan(trial.spec, tmp_path, params=trial.params, settings={**trial.settings, "data": "digits"})
        for trial in experiment("side_heads").TRIALS
    }
    without, with_heads = recipes.values()
    assert without.recipe.loss == {"aux_1": 0.0, "aux_2": 0.0}
    assert with_heads.recipe.loss == {"aux_1": 0.3, "aux_2": 0.3}
    assert without.recipe.model_copy(update={"loss": {}}) == with_heads.recipe.model_copy(update={"loss": {}})
    assert without.network.source == with_heads.network.source


def test_the_page_shows_every_experiment() -> None:
    pictures = sorted(path.stem for path in (ROOT / "docs" / "pictures" / "experiments").glob("*.png"))
    assert sorted(re.findall(r"python examples/experiments/(\w+)\.py$", PAGE, re.MULTILINE)) == SCRIPTS
    assert pictures == sorted(re.findall(r"\]\(pictures/experiments/(\w+)\.png\)", PAGE))
    assert set(SCRIPTS) <= {re.sub("_(sigmoid|relu)$", "", name) for name in pictures}


def test_the_own_network_of_the_training_page_learns_from_a_folder(tmp_path: Path) -> None:
    """Black images and white ones: no network that works can fail to tell them apart."""
    page = (ROOT / "docs" / "train.md").read_text()
    (tmp_path / "mine.arch").write_text(page.split("```arch\n")[1].split("```")[0])
    for half, shade in product(("train", "val"), (0, 255)):
        folder = tmp_path / "photos" / half / f"shade{shade}"
        folder.mkdir(parents=True)
        for number in range(16):
            Image.new("RGB", (40, 36), (shade,) * 3).save(folder / f"{number}.png")
    planned = plan(tmp_path / "mine.arch", tmp_path, settings={"epochs": 2})
    assert (planned.params["classes"], planned.recipe.batch, planned.recipe.data) == ("2", 16, "photos")
    with redirect_stdout(io.StringIO()):
        result = train(planned, RunFolder(tmp_path / "run"), Machine("cpu"), Getting(tmp_path))
    assert result.train.loss < 0.6 < log(2)
