"""The report of a run: its pictures show the numbers, its page has everything in it."""

from __future__ import annotations

import csv
import html
import io
import re
from base64 import b64decode
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
from after_training import scores_of, trained_in
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import confusion_matrix

from archdsl.cli import run as archdsl_
from archdsl.failure import WrongUsage
from archdsl.train import maps, plots
from archdsl.train.board import BOARD, Board
from archdsl.train.data import Getting
from archdsl.train.evaluate import Outcome
from archdsl.train.features import Layer, Seen
from archdsl.train.folder import RunFolder
from archdsl.train.history import history, titles
from archdsl.train.report import report

HISTORY = [
    {"epoch": 1.0, "train_loss": 2.0, "train_accuracy": 0.2, "test_loss": 1.5, "test_accuracy": 0.4},
    {"epoch": 2.0, "train_loss": 1.0, "train_accuracy": 0.6, "test_loss": 1.2, "test_accuracy": 0.5},
]


class Reported:
    """A run and what `report` returned."""

    def __init__(self, folder: RunFolder, outcome: Outcome) -> None:
        self.folder = folder
        self.outcome = outcome


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = trained_in(tmp_path_factory.mktemp("trained"), "a & b")
    return Reported(folder, report(folder, Getting(folder.path)))


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        picture.load()
        return picture.size


def lines(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {str(line.get_label()): (values(line.get_xdata()), values(line.get_ydata())) for line in axes.get_lines()}


def values(numbers: Any) -> list[float]:
    return [float(number) for number in numbers]


def pixels(axes: Axes) -> Any:
    return numpy.asarray(axes.get_images()[0].get_array())


# The folder


def test_the_folder_has_pictures_and_a_page(reported: Reported) -> None:
    for name in ("curves.png", "confusion.png", "mistakes.png"):
        width, height = size_of((reported.folder / name).read_bytes())
        assert width >= 1000
        assert height >= 400
    assert (reported.folder / "report.html").stat().st_size > 20_000
    assert not [path for path in reported.folder.path.iterdir() if path.name.startswith(".") and path.name != ".lock"]


def test_the_page_has_the_pictures_in_it(reported: Reported) -> None:
    page = (reported.folder / "report.html").read_text()
    inside = [b64decode(code) for code in re.findall(r"src='data:image/png;base64,([^']*)'", page)]
    assert inside == [(reported.folder / f"{name}.png").read_bytes() for name in ("curves", "confusion", "mistakes")]
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", page)


def test_the_page_tells_what_the_run_was(reported: Reported) -> None:
    page = (reported.folder / "report.html").read_text()
    scores, labels = scores_of(reported.folder)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    assert "a & b: small on digits" in text
    assert "a &amp; b" in page
    assert f"{float((scores.argmax(1) == labels).double().mean()):.2%}" in text
    for part in ("adamw", "0.003", "1,438", "359", torch.__version__, "seed", "layer1", "mean, std 0.3; 0.35"):
        assert part in re.sub(r"\s+", " ", text), part


def test_the_report_s_scores_are_those_of_the_module(reported: Reported) -> None:
    scores, labels = scores_of(reported.folder)
    expected = confusion_matrix(labels, scores.argmax(1))
    assert reported.outcome.confusion(10).tolist() == expected.tolist()


def test_names_of_classes_and_folders_are_text(tmp_path: Path) -> None:
    for half, count in (("train", 4), ("val", 2)):
        for name in ("<b>$x$</b>", "a_{1}"):
            folder = tmp_path / "odd" / half / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("L", (8, 8), number * 9).save(folder / f"{number}.png")
    odd = trained_in(tmp_path, data=str(tmp_path / "odd"), epochs=1, batch=4)
    report(odd, Getting(tmp_path))
    page = (odd / "report.html").read_text()
    assert "<b>$x$" not in page
    assert "among the first five" not in page  # of ten outputs, two of which mean something


# The pictures


def test_curves_are_the_history() -> None:
    left, right = plots.curves(HISTORY).axes
    assert lines(left) == {"training": ([1, 2], [2.0, 1.0]), "test": ([1, 2], [1.5, 1.2])}
    assert lines(right) == {"training": ([1, 2], [0.2, 0.6]), "test": ([1, 2], [0.4, 0.5])}


def test_one_epoch_is_a_point() -> None:
    left, _ = plots.curves(HISTORY[:1]).axes
    assert {line.get_marker() for line in left.get_lines()} == {"o"}


def test_several_runs_have_a_colour_each_and_their_names_below() -> None:
    runs = {f"run_$number${number}": HISTORY for number in range(9)}
    figure = plots.comparison(runs)
    left, right = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [rf"run_\$number\${k}" for k in range(9)]
    looks = {(line.get_color(), line.get_marker()) for line in right.get_lines()}
    assert len(looks) == 9
    assert [values(line.get_ydata()) for line in right.get_lines()] == [[0.4, 0.5]] * 9
    assert [values(line.get_ydata()) for line in left.get_lines()] == [[2.0, 1.0], [1.5, 1.2]] * 9
    assert size_of(plots.picture(figure))[0] == 1280


def test_a_confusion_matrix_shows_shares_and_counts() -> None:
    counts = torch.tensor([[3, 1, 0], [0, 0, 0], [2, 0, 2]])
    figure = plots.confusion(counts, ["a", "b", "c"])
    axes = figure.axes[0]
    assert pixels(axes).tolist() == [[0.75, 0.25, 0], [0, 0, 0], [0.5, 0, 0.5]]
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "3"),
        ((1, 0), "1"),
        ((0, 2), "2"),
        ((2, 2), "2"),
    }
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b", "c"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("is", "taken for")


def test_of_many_classes_those_that_are_mistaken_are_shown() -> None:
    counts = torch.eye(200).long() * 5
    counts[7, 150] = counts[150, 9] = 3
    chosen = plots.most_mistaken(counts)
    assert len(chosen) == 40
    assert chosen == sorted(chosen)
    assert {7, 9, 150} <= set(chosen)
    axes = plots.confusion(counts, [f"class number {number}" for number in range(200)]).axes[0]
    assert pixels(axes)[chosen.index(7), chosen.index(150)] == pytest.approx(3 / 8)
    assert axes.get_title(loc="left") == "the 40 of 200 classes with most mistakes"


def test_mistakes_are_shown_with_what_they_are_and_were_taken_for() -> None:
    image = torch.arange(12, dtype=torch.uint8).view(3, 2, 2)
    found = [plots.Mistake(image, "a long name of a class", "dog", 0.876), plots.Mistake(image[:1], "1", "1", 0.4)]
    first, second, *others = plots.mistakes(found).axes
    assert first.get_title() == "a long n…lass\ntaken for dog\n88% sure"
    assert second.get_title() == "1\nrightly seen\n40% sure"
    assert pixels(first).tolist() == image.permute(1, 2, 0).tolist()
    assert pixels(second).tolist() == image[0].tolist()
    assert [axes.get_images() for axes in others] == [[]] * 3


def test_feature_maps_have_a_row_for_each_layer() -> None:
    values = torch.arange(36.0).view(9, 2, 2)
    filters = torch.tensor([[[[1.0, -2.0]]], [[[0.0, 1.0]]]])
    layers = (Layer("conv", "conv", (9, 2, 2), values), Layer("fc", "", (3,), torch.tensor([1.0, 2.0, 0.0])))
    figure = maps.drawn(Seen(torch.zeros(1, 2, 2, dtype=torch.uint8), ("conv.weight", filters), layers))
    image, one, two, *shown, vector = figure.axes
    assert pixels(image).tolist() == [[0, 0], [0, 0]]
    assert [pixels(one).tolist(), pixels(two).tolist()] == filters[:, 0].tolist()
    assert one.get_images()[0].get_clim() == (-2, 2)
    assert [pixels(axes).tolist() for axes in shown] == values[:8].tolist()
    assert {axes.get_images()[0].get_clim() for axes in shown} == {(0, 31)}
    assert pixels(vector).tolist() == [[1, 2, 0]]
    texts = [text.get_text() for text in figure.texts]
    assert texts == ["image\n1 x 2 x 2", "conv, filters\n2 x 1 x 1 x 2", "conv (conv)\n9 x 2 x 2", "fc\n3"]


def test_pictures_share_no_state() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.picture(plots.curves(HISTORY))
    assert dict(matplotlib.rcParams) == before
    assert not Figure().axes


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.SVG", b"<?xml")])
def test_pictures_of_other_kinds(name: str, start: bytes) -> None:
    assert plots.picture(plots.curves(HISTORY), plots.kind_of(Path(name))).startswith(start)


# `archdsl curves`


def test_curves_of_runs(reported: Reported, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "run.json").write_text((reported.folder / "run.json").read_text())
    target = tmp_path / "curves.png"
    assert archdsl_(["curves", str(reported.folder.path), str(begun), "-o", str(target)]) == 0
    assert "no epoch behind it yet" in capsys.readouterr().err
    assert size_of(target.read_bytes())[0] == 1280
    assert archdsl_(["curves", str(begun), "-o", str(target)]) == 2
    assert archdsl_(["curves", str(begun), "-o", str(tmp_path / "curves.txt")]) == 2
    assert archdsl_(["curves", str(tmp_path), "-o", str(target)]) == 2


def test_runs_are_told_apart_by_as_much_of_their_path_as_it_takes(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "b" / "other"]
    assert list(titles(folders)) == ["a/run", "b/run", "b/other"]
    assert list(titles(folders[1:])) == ["run", "other"]
    with pytest.raises(WrongUsage, match="twice"):
        titles([folders[0], folders[0]])


@pytest.mark.parametrize("text", ["epoch,loss\n1,2\n", "epoch,loss\n1,x\n", "epoch\n1,2\n", "epoch\n\x00\n"])
def test_figures_that_aren_t_of_a_run_are_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(WrongUsage, match=r"metrics\.csv"):
        history(RunFolder(tmp_path))


# TensorBoard


def scalars(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    reader = import_module("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder / BOARD))
    events.Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_has_the_figures_of_the_history(reported: Reported) -> None:
    with (reported.folder / "metrics.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    found = scalars(reported.folder)
    assert set(found) == {"loss/train", "loss/test", "accuracy/train", "accuracy/test", "lr"}
    for tag, points in found.items():
        what, _, split = tag.partition("/")
        column = f"{split}_{what}" if split else what
        assert [step for step, _ in points] == [row["step"] for row in rows]
        assert [value for _, value in points] == pytest.approx([row[column] for row in rows], rel=1e-6), tag


def test_what_stands_behind_the_checkpoint_is_told_anew(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    folder = RunFolder(tmp_path)
    with SummaryWriter(str(folder / BOARD)) as writer:
        for step in (10, 20, 30):
            writer.add_scalar("lr", step, step)
    board = Board(folder)
    trainer: Any = SimpleNamespace(is_global_zero=True, global_step=20)
    module: Any = None
    board.on_train_start(trainer, module)
    board.teardown(trainer, module, "fit")
    assert scalars(folder) == {"lr": [(10, 10.0), (20, 20.0)]}
