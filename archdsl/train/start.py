"""What `archdsl train` does: a new run, or one that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from archdsl import console
from archdsl.compiler import load
from archdsl.failure import WrongUsage
from archdsl.train import ranks
from archdsl.train.data import Getting, lasting
from archdsl.train.folder import RunFolder, Tuning, latest, new_folder
from archdsl.train.machine import Machine
from archdsl.train.plan import FRESH, Plan, plan
from archdsl.train.report import REPORT, report
from archdsl.train.run import Result, train
from archdsl.train.saving import Interrupted
from archdsl.train.trained import digest, getting_of

__all__ = ["Getting", "Machine", "Tuning", "start"]

RUNS = Path("runs")


def start(
    spec: str,
    *,
    getting: Getting,
    settings: Mapping[str, Any],
    params: Mapping[str, str],
    input: str | None,
    run: Path | None,
    resume: bool,
    machine: Machine,
    tuning: Tuning = FRESH,
) -> Result:
    """Trains, and tells what comes of it. Raises SpecError, WrongUsage, Failure, KeyboardInterrupt."""
    machine.check()  # before anything else
    asked = _Asked(spec, settings, params, input, getting.lasting(), tuning.lasting())
    with ranks.alone():
        old = _resumed(spec, run) if resume else None
        if old is not None and old.begun:
            return _going_on(asked, old, machine)
        planned = _planned(asked)
        return _trained(planned, old or _new(planned, run), machine, asked.getting)


class _Asked(NamedTuple):
    """What is said of a run where it is asked for; paths are whole ones."""

    spec: str
    settings: Mapping[str, Any]
    params: Mapping[str, str]
    input: str | None
    getting: Getting
    tuning: Tuning


def _planned(asked: _Asked) -> Plan:
    """The plan, with the whole path of a folder of images, under which the run finds it again."""
    getting = asked.getting
    planned = plan(
        asked.spec,
        getting.root,
        input=asked.input,
        params=asked.params,
        settings=asked.settings,
        download=getting.download,
        plugin=getting.plugin,
        tuning=asked.tuning,
    )
    if getting.plugin is not None:
        return planned
    name = lasting(planned.facts.name, getting.root)
    recipe = planned.recipe.model_copy(update={"data": name})
    return planned._replace(recipe=recipe, facts=replace(planned.facts, name=name))


def _going_on(asked: _Asked, folder: RunFolder, machine: Machine) -> Result:
    told = folder.about()
    asked = asked._replace(
        settings={**told.recipe, **asked.settings},
        params={**told.params, **asked.params},
        input=asked.input or told.input,
        getting=getting_of(told, asked.getting),
    )
    planned = _planned(asked)
    _check_same(planned, folder)
    torch.set_num_threads(told.threads)  # another number would sum in another order
    planned = planned._replace(tuning=_as_begun(planned.tuning, folder), notes=())
    return _trained(planned, folder, machine, asked.getting)


def _trained(planned: Plan, folder: RunFolder, machine: Machine, getting: Getting) -> Result:
    if not ranks.rank():
        _tell(planned, folder)
    try:
        result = train(planned, folder, machine, getting)
    except Interrupted:
        if not ranks.rank():
            console.err(f"interrupted; to go on: archdsl train {planned.spec} --folder {folder.path} --resume")
        raise KeyboardInterrupt from None
    if not ranks.rank():
        report(folder, getting, device=machine.kind, workers=machine.workers)
        console.err(f"report: {folder / REPORT}")
    return result


def _new(planned: Plan, run: Path | None) -> RunFolder:
    """The folder of a run that begins. Raises WrongUsage where it has one in it already."""
    if run is None:
        data = Path(planned.facts.name).name.replace(":", "-")  # no name of a file may have colons on Windows
        path = ranks.shared_folder(lambda: new_folder(RUNS, f"{planned.network.name}-{data}"))
        return RunFolder(path, new=True)
    folder = RunFolder(run, new=True)
    folder.check()
    return folder


def _resumed(spec: str, run: Path | None) -> RunFolder:
    """The folder of the run to go on with; with `--folder` one that may not have begun."""
    if run is not None:
        return RunFolder(run)
    name = load(spec).name
    found = latest(RUNS, name)
    if found is None:
        raise WrongUsage(f"no run of `{name}` in `{RUNS}`", help="leave `--resume` out, or name it: `--folder DIR`")
    return RunFolder(found)


def _check_same(planned: Plan, folder: RunFolder) -> None:
    """Raises WrongUsage where a run was begun with another network or recipe than is asked for now."""
    told = folder.about()
    if told.source != digest(planned.network):
        message = f"`{folder.path}` is a run of another network than `{planned.spec}` is now"
        raise WrongUsage(message, help="leave `--resume` out to begin a new run")
    before, now = told.told_recipe().model_dump(), planned.recipe.model_dump()
    changed = [name for name in now if before[name] != now[name]]
    if changed:
        name = changed[0]
        message = f"`{folder.path}` was begun with another `{name}`: {before[name]}, not {now[name]}"
        raise WrongUsage(message, help="a run goes on as it was begun; leave `--resume` out to begin a new one")


def _as_begun(asked: Tuning, folder: RunFolder) -> Tuning:
    """What a run was begun with. Raises WrongUsage where something else is asked for now."""
    told = folder.about().told_tuning()
    for name, wanted, had in zip(Tuning._fields, asked, told, strict=True):
        if wanted not in (had, FRESH._asdict()[name]):
            message = f"`{folder.path}` was begun with another `--{name}`: {_spelled(had)}, not {_spelled(wanted)}"
            raise WrongUsage(message, help="a run goes on as it was begun; leave `--resume` out to begin a new one")
    return told


def _spelled(value: str | tuple[str, ...] | None) -> str:
    return " ".join(value) or "none" if isinstance(value, tuple) else value or "none"


def _tell(planned: Plan, folder: RunFolder) -> None:
    for note in planned.notes:
        console.err(f"note: {note}")
    console.err(f"run: {folder.path}")
