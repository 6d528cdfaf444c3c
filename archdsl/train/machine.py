"""What a run runs on: the device, how many processes share it, and in which numbers they compute."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch

from archdsl.failure import WrongUsage
from archdsl.recipe import Recipe
from archdsl.train import ranks
from archdsl.train.devices import kind_of
from archdsl.train.lightning import (
    DDPStrategy,
    LightningEnvironment,
    ModelParallelStrategy,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Strategy = Literal["auto", "ddp", "fsdp"]
_PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


class Machine(NamedTuple):
    """What a run runs on.

    device: one of devices.DEVICES. devices: of each node. workers: processes that read images. recompute: blocks are
    computed again in the backward pass, so that less is kept.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: Strategy = "auto"
    precision: Precision = "auto"
    compile: bool = False
    workers: int = 0
    recompute: bool = False

    @property
    def kind(self) -> str:
        """The kind of device. Raises WrongUsage for one that isn't there."""
        return kind_of(self.device)

    @property
    def processes(self) -> int:
        """Over all nodes."""
        return self.devices * self.nodes

    @property
    def sharded(self) -> bool:
        """Whether weights are shared out among processes."""
        return self.strategy == "fsdp" and self.processes > 1

    @property
    def layout(self) -> torch.memory_format:
        """Of weights and images: channels last, with which convolutions are fastest, on CPUs too.

        Not on mps, where the gradients of batch norms are then wrong (pytorch#175189), and not where weights are shared
        out, which FSDP2 does with contiguous ones only.
        """
        return torch.contiguous_format if self.kind == "mps" or self.sharded else torch.channels_last

    def check(self) -> None:
        """Raises WrongUsage and Failure for what this machine or this start of the run can't be."""
        kind = self.kind
        there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(kind, self.devices)
        if self.devices > there:
            message = f"this process sees {there} `{kind}` device{'s' if there > 1 else ''}, not {self.devices}"
            raise WrongUsage(message, help=f"`--devices {there}`")
        if kind == "cpu" and self.precision == "float16":
            message = "CPUs don't train in float16"
            raise WrongUsage(message, help="`--precision bfloat16` is as short, and works there")
        if self.sharded and self.precision == "float16":
            message = "`--strategy fsdp` and `--precision float16` don't go together"
            raise WrongUsage(message, help="`--precision bfloat16`")
        ranks.check(self.devices, self.nodes)

    def check_recipe(self, recipe: Recipe) -> None:
        """Raises WrongUsage for a recipe that can't be trained so."""
        if not self.sharded:
            return
        if recipe.ema is not None:
            message = "`--strategy fsdp` shares the weights out, and the recipe's `ema` averages whole ones"
            raise WrongUsage(message, help="`--strategy ddp`")
        if recipe.optimizer == "sgd" and not recipe.momentum:  # Lightning can't load the state of one that has none
            message = "with `--strategy fsdp` a run of `sgd` without momentum couldn't be resumed"
            raise WrongUsage(message, help="`--strategy ddp`, or a `--recipe momentum=...`")

    def lightning_precision(self) -> Any:
        """As Lightning's Trainer calls it."""
        asked = self.precision
        if asked == "auto":
            fast = self.kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            asked = "bfloat16" if fast else "float32"
        return _PRECISIONS[asked]

    def lightning_strategy(self) -> Any:
        """How Lightning's Trainer has several processes share the work."""
        if self.processes == 1:
            return "auto"
        if not self.sharded:
            return DDPStrategy()
        return ModelParallelStrategy(self.processes, 1, save_distributed_checkpoint=False)


def environment() -> Any:
    """Who tells Lightning which process this one is: the same as tells `ranks`."""
    match ranks.launcher():
        case "torchrun":
            return TorchElasticEnvironment()
        case "SLURM":
            return SLURMEnvironment(auto_requeue=False)  # its checkpoints would lie beside ours
        case "":
            return LightningEnvironment()
