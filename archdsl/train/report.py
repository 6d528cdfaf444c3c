"""What a run came to: pictures and a page in its folder."""

from __future__ import annotations

import torch

from archdsl.files import write_atomically
from archdsl.train import page, plots
from archdsl.train.data import Batches, Getting, batches
from archdsl.train.evaluate import Outcome, judge, pipeline_of, scores
from archdsl.train.folder import RunFolder
from archdsl.train.history import history
from archdsl.train.trained import Trained, trained

CURVES, CONFUSION, MISTAKES, REPORT = "curves.png", "confusion.png", "mistakes.png", "report.html"
_MISTAKES = 20  # in the picture


def report(folder: RunFolder, getting: Getting, *, device: str = "cpu", workers: int = 0) -> Outcome:
    """Writes curves.png, confusion.png, mistakes.png and report.html into the folder of a run that is over.

    The test images are gone through once more, with the weights as they lie in the folder. Raises WrongUsage, Failure.
    """
    found = trained(folder)
    data = getting.open(found.about.data)
    pipeline = pipeline_of(
        found.images, batch=found.about.told_recipe().batch, device=torch.device(device), workers=workers
    )
    tests = batches(data.test, pipeline, train=False, skip_corrupt=getting.skip_corrupt)
    outcome = judge(found.network.build(weights=found.weights, device=device), tests, main=found.about.main)
    rows = history(folder)
    counts = outcome.confusion(len(found.classes))
    pictures = {
        CURVES: plots.picture(plots.curves(rows)),
        CONFUSION: plots.picture(plots.confusion(counts, found.classes)),
        MISTAKES: plots.picture(plots.mistakes(_mistakes(found, tests, outcome))),
    }
    for name, picture in pictures.items():
        write_atomically(folder / name, picture)
    write_atomically(folder / REPORT, page.written(found, data, scores(outcome, found.classes), counts, pictures, rows))
    return outcome


def _mistakes(found: Trained, tests: Batches, outcome: Outcome) -> list[plots.Mistake]:
    worst = outcome.worst(_MISTAKES)
    return [
        plots.Mistake(
            image,
            found.classes[int(outcome.labels[index])],
            found.classes[int(outcome.guesses[index])],
            float(outcome.sureness[index]),
        )
        for index, image in zip(worst, tests.pictures(worst), strict=True)
    ]
