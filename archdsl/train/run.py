"""A training run: Lightning's Trainer put together for a plan, and what goes wrong in words."""

from __future__ import annotations

import logging
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from archdsl import console
from archdsl.compiler import Network
from archdsl.failure import Failure, WrongUsage
from archdsl.recipe import Recipe
from archdsl.train import ranks
from archdsl.train.board import Board
from archdsl.train.classifier import Classifier, Score
from archdsl.train.data import Batches, Data, Getting, batches
from archdsl.train.data.plan import starts
from archdsl.train.devices import kind_of
from archdsl.train.evaluate import pipeline_of
from archdsl.train.folder import About, RunFolder
from archdsl.train.freezing import freeze, frozen
from archdsl.train.lightning import Trainer
from archdsl.train.plan import Plan
from archdsl.train.progress import Progress
from archdsl.train.recompute import Recomputed, recompute, recomputed
from archdsl.train.saving import Atomic, Saving
from archdsl.train.stream import Stream
from archdsl.train.trained import KEPT, digest, images_of
from archdsl.train.trouble import alone, no_room, out_of_memory, tight
from archdsl.version import VERSION

Precision = Literal["auto", "float32", "bfloat16", "float16"]
_PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
Strategy = Literal["auto", "ddp", "fsdp"]


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


class Result(NamedTuple):
    """folder: of the run. train, test: the scores of the last epoch."""

    folder: Path
    train: Score
    test: Score


def train(plan: Plan, folder: RunFolder, machine: Machine, getting: Getting) -> Result:
    """Trains, from the folder's checkpoint on where there is one. Raises Failure, WrongUsage; Interrupted."""
    kind = machine.kind
    data = getting.open(plan.facts.name)
    recipe = plan.recipe
    again = _recomputed(plan, machine)
    module: Any = _module(plan, folder)
    still = freeze(module, frozen(list(module.state_dict()), plan.tuning.freeze))
    with nullcontext() if ranks.rank() else folder.held():
        stream, tests = _batches(plan, data, machine, kind, skip_corrupt=getting.skip_corrupt)
        if not ranks.rank() and not folder.begun:
            folder.begin(about(plan, data, getting), spec_files(plan.network))
        _tell_of_single_images(module, stream, machine.processes)
        if not ranks.rank() and folder.checkpoint is None and (note := tight(plan, kind, machine.processes, again)):
            console.err(f"note: {note}")
        saving = Saving(folder)
        classifier = Classifier(module, recipe, main=plan.main, classes=len(data.classes), stream=stream, still=still)
        if kind == "mps":  # gradients of batch norms are wrong there for channels last (pytorch#175189)
            classifier.layout = torch.contiguous_format
        module.to(memory_format=classifier.layout)
        if machine.compile:
            module.compile()
        recompute(module, again.blocks)
        with _quiet():
            trainer = _trainer(recipe, machine, kind, [*_averaging(recipe), Board(folder), saving, Progress()])
            try:
                trainer.fit(classifier, stream, tests, ckpt_path=folder.checkpoint, weights_only=True)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                message = "a batch norm behind which images are single values can't train on one image at a time"
                raise Failure(message, help="a larger `--batch`, or a smaller `--recipe accumulate`") from error
            except (RuntimeError, MemoryError) as error:
                if out_of_memory(error):
                    raise no_room(plan, kind, machine.processes, again) from error
                if isinstance(error, RuntimeError) and (told := alone(error, machine.processes)) is not None:
                    raise told from error
                raise
        if not ranks.rank():
            saving.finish()
    last = saving.history[-1]
    scores = {split: Score(last[f"{split}_loss"], last[f"{split}_accuracy"]) for split in ("train", "test")}
    return Result(folder.path, **scores)


def _recomputed(plan: Plan, machine: Machine) -> Recomputed:
    """What is computed again, if that is wanted. Raises WrongUsage where it can't be, or would save nothing."""
    if not machine.recompute:
        return Recomputed((), 1.0)
    if machine.compile:
        message = "`--compile` and `--recompute` don't go together: torch.compile decides itself what it computes again"
        raise WrongUsage(message, help="leave one of them out")
    return recomputed(plan.network.net)


def _module(plan: Plan, folder: RunFolder) -> torch.nn.Module:
    """The network as training begins; where a checkpoint has its weights already, those of a file aren't read again."""
    tuning, seed = plan.tuning, plan.recipe.seed
    if tuning.weights is None or folder.checkpoint is not None:
        return plan.network.build(seed=seed)
    return plan.network.build(seed=seed, weights=tuning.weights, head=tuning.head)


def about(plan: Plan, data: Data, getting: Getting) -> About:
    """What a run of a plan is."""
    return About(
        spec=next(iter(spec_files(plan.network))),
        network=plan.network.name,
        source=digest(plan.network),
        input=plan.input,
        params=plan.params,
        recipe=plan.recipe.model_dump(),
        tuning=plan.tuning._asdict(),
        data=plan.facts.name,
        root=str(getting.root.resolve()),
        getting={key: getting._asdict()[key] for key in KEPT},
        classes=data.classes,
        main=plan.main,
        versions=versions(),
        command=tuple(sys.argv[1:]),
        threads=torch.get_num_threads(),
    )


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    return {
        "archdsl": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pytorch-lightning": version("pytorch-lightning"),
    }


def spec_files(network: Network) -> dict[str, str]:
    """The spec and the files that it builds on, by names that lie in one folder; the spec first."""
    first, *others = network.files
    base = Path(first.name).parent
    found = {Path(first.name).name: first.text}
    for source in others:
        path = Path(source.name)
        found[path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name] = source.text
    return found


def _batches(plan: Plan, data: Data, machine: Machine, kind: str, *, skip_corrupt: bool) -> tuple[Stream, Batches]:
    pipeline = pipeline_of(
        images_of(plan.network.net),
        augment=plan.recipe.augment,
        batch=plan.recipe.batch // plan.recipe.accumulate,
        seed=plan.recipe.seed,
        device=torch.device(kind, ranks.local_rank()) if kind == "cuda" else torch.device(kind),
        workers=machine.workers,
        rank=ranks.rank(),
        world=machine.processes,
    )
    shown = batches(data.train, pipeline, train=True, skip_corrupt=skip_corrupt)
    tests = batches(data.test, pipeline, train=False, skip_corrupt=skip_corrupt)
    for message in (*shown.skipped, *tests.skipped) if not ranks.rank() else ():
        console.err(f"skipped: {message}")
    edges = starts(len(data.train) - len(shown.skipped), pipeline)
    return Stream(shown, edges, plan.recipe.accumulate), tests


def _tell_of_single_images(module: torch.nn.Module, stream: Stream, processes: int) -> None:
    """A batch norm that sees one image at a time learns statistics that are no use in evaluation."""
    norms = [part for part in module.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    if norms and stream.fewest // processes < 2 and not ranks.rank():
        console.err("note: batch norms get one image at a time, whose statistics tell little; a larger `--batch` helps")


def _trainer(recipe: Recipe, machine: Machine, kind: str, callbacks: list[Any]) -> Trainer:
    several = machine.processes > 1
    return Trainer(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy=machine.strategy if several else "auto",
        precision=_precision(machine.precision, kind),
        sync_batchnorm=several and kind == "cuda",
        max_epochs=recipe.epochs,
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=recipe.clip,
        callbacks=callbacks,
        plugins=[Atomic()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        benchmark=kind == "cuda",
    )


def _precision(asked: Precision, kind: str) -> Any:
    if asked == "auto":
        asked = "bfloat16" if kind == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return _PRECISIONS[asked]


def _averaging(recipe: Recipe) -> list[Any]:
    if recipe.ema is None:
        return []
    from archdsl.train.lightning import EMAWeightAveraging

    return [EMAWeightAveraging(decay=recipe.ema)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advice: it tells what it was told, and asks for what a run here has in another form."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
