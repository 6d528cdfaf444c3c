"""Several processes that train one network: the same result as one, whoever starts them and whatever ends one."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from archdsl.failure import WrongUsage
from archdsl.train import ranks
from archdsl.train.machine import Machine
from archdsl.train.plan import plan

# `late` is there in evaluation only, and nobody reads `aside`: neither gets gradients. `large` is a shard for itself.
NET = """
net shared (classes = 10)
  input 1x8x8
  conv1: conv 3x3, 8, pad same
  relu
  unused aside: conv 1x1, 4
  conv2: conv 3x3, 8
  relu
  output late when not training
    flatten
    fc_late: linear classes
  flatten
  wide: linear 1024
  relu
  large: linear 1024
  relu
  fc: linear classes
  train
    data digits
    batch 256
    epochs 3
    optimizer sgd
    lr 0.1
    momentum 0.9
    schedule constant
    augment
      shift 1
"""
SETTINGS = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
CLUSTERS = ("SLURM_", "TORCHELASTIC_", "RANK", "LOCAL_", "WORLD_SIZE", "GROUP_", "NODE_RANK", "MASTER_")


def started(folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """`archdsl` with a command, or another program, in a group of processes of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(CLUSTERS)}
    program = [sys.executable, "-m", *(("archdsl",) if command[0] == "train" else ()), *command]
    return subprocess.Popen(
        program,
        cwd=folder,
        env={**inherited, **SETTINGS, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(child: subprocess.Popen[str], code: int = 0) -> str:
    """What it told on standard error."""
    _, told = child.communicate(timeout=240)
    assert child.returncode == code, told
    return told


def train(*more: str, net: str = "shared.arch", folder: str = "run") -> tuple[str, ...]:
    return ("train", net, "--device", "cpu", "--folder", folder, *more)


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def same(left: Path, right: Path) -> None:
    """Sums in another order, no more."""
    one, other = weights(left), weights(right)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "shared.arch").write_text(NET)
    ended(started(folder, *train()))
    return folder / "run"


@pytest.fixture(autouse=True)
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "shared.arch"
    path.write_text(NET)
    return path


def until(path: Path) -> None:
    """Waits for a file."""
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def session(leader: int) -> list[int]:
    """A process and those that it has started, and theirs, which are still there; of Linux only."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has gone meanwhile
            state, _, _, of, *_ = path.read_text().rpartition(")")[2].split()
            if int(of) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_train_as_one_also_when_they_are_ended_and_go_on(
    strategy: str, alone: Path, tmp_path: Path
) -> None:
    shared = train("--devices", "2", "--strategy", strategy)
    child = started(tmp_path, *shared)
    until(tmp_path / "run" / "checkpoint.ckpt")
    os.killpg(child.pid, signal.SIGTERM)
    child.communicate(timeout=120)
    assert child.returncode in (0, 130)  # 0: it was at its end already
    ended(started(tmp_path, *shared, "--resume"))
    same(tmp_path / "run", alone)


def test_torchrun_starts_a_run_again_that_lost_a_process(alone: Path, tmp_path: Path) -> None:
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "2"]
    (tmp_path / "loses.py").write_text(LOSES)
    # Without it torch's processes may take what those before told each other for news (pytorch#135712).
    own = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    child = started(tmp_path, *launch, "loses.py", *train("--devices", "2", "--resume"), **own)
    told = ended(child)
    assert (tmp_path / "lost").exists(), told
    same(tmp_path / "run", alone)


# The second process dies at once, without a word, when the first checkpoint is there.
LOSES = """
import os, signal, sys
from pathlib import Path
from archdsl.cli import main
from archdsl.train.saving import Saving

def lost(self, trainer, module, outputs, batch, number):
    if trainer.global_rank == 1 and Path("run/checkpoint.ckpt").exists() and not Path("lost").exists():
        Path("lost").touch()
        os.kill(os.getpid(), signal.SIGKILL)

Saving.on_train_batch_end = lost
main()
"""


def test_a_job_of_one_task_starts_its_processes_itself(alone: Path, tmp_path: Path) -> None:
    slurm = {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_ID": "1"}
    ended(started(tmp_path, *train("--devices", "2"), **slurm))
    same(tmp_path / "run", alone)


def test_processes_that_read_images_end_with_the_run(tmp_path: Path) -> None:
    """After it, whoever ends it; not before, where the signal comes to all of them."""
    large = io.BytesIO()  # so that the run waits for them
    Image.new("L", (3000, 3000)).save(large, "PNG")
    for half, count in (("train", 12), ("val", 1)):
        for name in ("cats", "dogs"):
            (tmp_path / "photos" / half / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "photos" / half / name / f"{number}.png").write_bytes(large.getvalue())
    # Random parts of images are read anew in each epoch.
    more = (
        "--data",
        "photos",
        "--workers",
        "2",
        "--epochs",
        "1000",
        "--batch",
        "8",
        "--recipe",
        "augment.scale=[0.5, 1]",
    )
    child = started(tmp_path, *train(*more))
    checkpoint = tmp_path / "run" / "checkpoint.ckpt"
    until(checkpoint)
    readers = [number for number in session(child.pid) if number != child.pid]
    os.kill(readers[0], signal.SIGKILL)
    assert "error: a process that reads images ended" in ended(child, 3)
    checkpoint.unlink()
    child = started(tmp_path, *train(*more, "--resume"))
    until(checkpoint)
    child.kill()
    child.communicate(timeout=60)
    time.sleep(1)
    assert not session(child.pid)
    checkpoint.rename(tmp_path / "run" / "before")
    child = started(tmp_path, *train(*more, "--resume"))
    until(checkpoint)
    os.killpg(child.pid, signal.SIGTERM)
    assert "to go on" in ended(child, 130)


def test_a_bug_is_told_when_several_processes_run(tmp_path: Path) -> None:
    """torch puts standard error away while an excepthook runs."""
    (tmp_path / "odd.py").write_text(ODD)
    assert "internal error: ZeroDivisionError" in ended(started(tmp_path, "odd"), 70)


ODD = """
import torch.distributed as dist
from archdsl.cli import process

def odd(arguments):
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    return 1 // 0

process.run = odd
process.main()
"""

SRUN = {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "3", "SLURM_LOCALID": "1"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "3", "LOCAL_RANK": "1"}


class TestWhoStarts:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in os.environ:
            if name.startswith(CLUSTERS):
                monkeypatch.delenv(name)

    @pytest.mark.parametrize(
        ("environment", "place"),
        [
            ({}, ("", 0, 0)),
            ({"LOCAL_RANK": "1"}, ("", 1, 1)),  # a process that Lightning started
            (SRUN | {"SLURM_STEP_ID": "0"}, ("SLURM", 3, 1)),
            (SRUN | {"SLURM_JOB_NAME": "bash", "LOCAL_RANK": "1"}, ("", 1, 1)),
            ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "LOCAL_RANK": "1"}, ("", 1, 1)),
            (TORCHRUN, ("torchrun", 3, 1)),
            (SRUN | TORCHRUN | {"SLURM_PROCID": "0"}, ("torchrun", 3, 1)),
        ],
    )
    def test_each_process_knows_its_place(
        self, environment: dict[str, str], place: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert (ranks.launcher(), ranks.rank(), ranks.local_rank()) == place

    @pytest.mark.parametrize(
        ("environment", "devices", "nodes", "message"),
        [
            (TORCHRUN, 4, 1, "torchrun started 4 processes, 2 on each node, and not `--devices 4 --nodes 1`"),
            (TORCHRUN, 1, 1, "torchrun started 4 processes"),
            (SRUN | {"SLURM_STEP_ID": "0"}, 1, 4, "SLURM started 4 processes, 2 on each node"),
            (SRUN, 2, 2, "SLURM gave this job 4 tasks, and only one was started"),
            ({"SLURM_NTASKS": "8", "SLURM_STEP_ID": "0"}, 8, 1, "doesn't tell how many tasks each node has"),
            ({}, 8, 2, "`--nodes 2` needs somebody who starts the processes"),
        ],
    )
    def test_others_than_are_asked_for_are_told(
        self, environment: dict[str, str], devices: int, nodes: int, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(WrongUsage, match=message):
            Machine("cpu", devices, nodes).check()

    def test_those_that_are_asked_for_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in TORCHRUN.items():
            monkeypatch.setenv(name, value)
        Machine("cpu", 2, 2).check()


class TestMachines:
    def test_half_numbers_are_for_gpus(self) -> None:
        with pytest.raises(WrongUsage, match="float16"):
            Machine("cpu", precision="float16").check()

    @pytest.mark.parametrize("settings", [{"ema": 0.9}, {"momentum": 0}], ids=str)
    def test_what_sharing_can_not_do_is_told(self, settings: dict[str, Any], spec: Path) -> None:
        recipe = plan(spec, spec.parent, settings=settings).recipe
        Machine("cpu", 2).check_recipe(recipe)
        with pytest.raises(WrongUsage, match="`--strategy fsdp`"):
            Machine("cpu", 2, strategy="fsdp").check_recipe(recipe)
