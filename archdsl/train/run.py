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
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_avg_fn

from archdsl import console
from archdsl.compiler import Network
from archdsl.failure import WrongUsage
from archdsl.recipe import Recipe
from archdsl.train import ranks
from archdsl.train.board import Board
from archdsl.train.classifier import Classifier, Score
from archdsl.train.data import Batches, Data, Getting, batches
from archdsl.train.data.plan import starts
from archdsl.train.evaluate import pipeline_of
from archdsl.train.folder import About, RunFolder
from archdsl.train.freezing import freeze, frozen, idle
from archdsl.train.heap import keep_freed
from archdsl.train.lightning import Launcher, Trainer, WeightAveraging
from archdsl.train.machine import Machine, environment
from archdsl.train.plan import Plan
from archdsl.train.progress import Progress
from archdsl.train.recompute import Recomputed, recompute, recomputed
from archdsl.train.saving import Atomic, Saving, own_signals
from archdsl.train.stream import Stream
from archdsl.train.trained import KEPT, digest, images_of
from archdsl.train.trouble import explained, roomy, tight
from archdsl.version import VERSION


class Result(NamedTuple):
    """folder: of the run. train, test: the scores of the last epoch."""

    folder: Path
    train: Score
    test: Score


def train(plan: Plan, folder: RunFolder, machine: Machine, getting: Getting) -> Result:
    """Trains, from the folder's checkpoint on where there is one. Raises Failure, WrongUsage; Interrupted."""
    kind = machine.kind
    recipe = plan.recipe
    machine.check_recipe(recipe)
    data = getting.open(plan.facts.name)
    again = _recomputed(plan, machine)
    if kind == "cuda":
        torch.cuda.set_device(ranks.local_rank())
    elif kind == "cpu" and roomy(plan, machine, again):
        keep_freed()
    module: Any = _module(plan, folder)
    still = freeze(module, frozen(list(module.state_dict()), plan.tuning.freeze) | idle(plan.network))
    with nullcontext() if ranks.rank() else folder.held():
        with explained(plan, machine, again):
            stream, tests = _batches(plan, data, machine, kind, skip_corrupt=getting.skip_corrupt)
        if not ranks.rank() and not folder.begun:
            folder.begin(about(plan, data, getting), spec_files(plan.network))
        _tell_of_single_images(module, stream, machine.processes)
        if not ranks.rank() and folder.checkpoint is None and (note := tight(plan, machine, again)):
            console.err(f"note: {note}")
        saving = Saving(folder)
        layout = machine.layout
        classifier = Classifier(
            module, recipe, main=plan.main, classes=len(data.classes), stream=stream, layout=layout, still=still
        )
        module.to(memory_format=layout)
        if machine.compile:
            module.compile()
        recompute(module, again.blocks)
        with _quiet(), own_signals(), explained(plan, machine, again):
            trainer = _trainer(plan, machine, folder, [*_averaging(recipe), Board(folder), saving, Progress()])
            _fit(trainer, classifier, stream, tests, ckpt_path=folder.checkpoint, weights_only=True)
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


def _trainer(plan: Plan, machine: Machine, folder: RunFolder, callbacks: list[Any]) -> Trainer:
    kind, recipe = machine.kind, plan.recipe
    return Trainer(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy=machine.lightning_strategy(),
        precision=machine.lightning_precision(),
        sync_batchnorm=machine.processes > 1 and kind == "cuda",
        max_epochs=recipe.epochs,
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=recipe.clip,
        callbacks=callbacks,
        plugins=[Atomic(), environment()],
        default_root_dir=folder.path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        benchmark=kind == "cuda",
    )


def _fit(trainer: Trainer, *args: Any, **kwargs: Any) -> None:
    """Trains; where that ends early, the processes that Lightning started end too, instead of waiting for this one."""
    try:
        trainer.fit(*args, **kwargs)
    except BaseException as error:
        if isinstance(trainer.strategy.launcher, Launcher):
            for process in trainer.strategy.launcher.procs:
                process.kill()
        if isinstance(error, SystemExit):  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise


def _averaging(recipe: Recipe) -> list[Any]:
    if recipe.ema is None:
        return []
    average: Any = get_ema_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]

    def averaged(old: Tensor, new: Tensor, count: Tensor) -> Tensor:
        kept: Tensor = average(old, new, count) if old.is_floating_point() else new  # whole ones are tables and counts
        return kept

    return [WeightAveraging(avg_fn=averaged)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advice: it tells what it was told, and asks for what a run here has in another form."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
