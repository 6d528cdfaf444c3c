"""Folders of real image files, and a user's own data sets."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from whole import whole_torchvision

from archdsl.failure import Failure, WrongUsage
from archdsl.runtime.images import glance
from archdsl.train.data import Data, Files, Pipeline, batches, facts, open_data

WANTED = Pipeline(channels=3, size=(16, 16), batch=4)


def picture(number: int, mode: str = "RGB", size: tuple[int, int] = (20, 18)) -> Image.Image:
    rng = numpy.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=numpy.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC).convert(mode)


def filled(folder: Path, *, classes: str = "cat dog owl", each: int = 5, suffix: str = "png") -> Path:
    for label, name in enumerate(classes.split()):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            picture(100 * label + number).save(folder / name / f"{number}.{suffix}")
    return folder


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    filled(tmp_path / "photos/train")
    filled(tmp_path / "photos/val", each=2)
    return tmp_path / "photos"


def test_a_folder_is_torchvision_s_image_folder(halves: Path) -> None:
    (halves / "train/cat/deeper").mkdir()
    picture(7).save(halves / "train/cat/deeper/more.JPG")
    (halves / "train/cat/notes.txt").write_text("no image")
    data = open_data(str(halves), "nowhere")
    with whole_torchvision():
        from torchvision.datasets import ImageFolder

        for name, ours in (("train", data.train), ("val", data.test)):
            theirs = ImageFolder(str(halves / name))
            assert isinstance(ours, Files)
            assert sorted(zip(ours.paths, ours.labels, strict=True)) == sorted(theirs.samples)
            assert list(data.classes) == theirs.classes
            for index in range(len(ours)):
                mine, label = ours.read(index, 3)
                expected, target = theirs[theirs.samples.index((ours.paths[index], ours.labels[index]))]
                assert mine.tobytes() == expected.tobytes()
                assert label == target
    assert (data.channels, data.size) == (3, (18, 20))


def test_facts_of_a_folder(halves: Path) -> None:
    told = facts(str(halves), "nowhere")
    assert (told.classes, told.channels, told.size, told.present) == (3, 3, (18, 20), True)
    assert facts("photos", halves.parent) == replace(told, name="photos")
    picture(5, size=(30, 18)).save(halves / "train/dog/0.png")
    assert facts(str(halves), "nowhere").size is None
    for path in halves.rglob("*.png"):
        picture(1, "L").save(path)
    assert facts(str(halves), "nowhere").channels == 1


def test_batches_are_what_pillow_gives(halves: Path) -> None:
    data = open_data(str(halves), "nowhere")
    assert isinstance(data.test, Files)
    got = list(batches(data.test, WANTED, train=False))
    assert [len(labels) for _, labels in got] == [4, 2]
    images = torch.cat([images for images, _ in got])
    assert torch.cat([labels for _, labels in got]).tolist() == [0, 0, 1, 1, 2, 2]
    for ours, path in zip(images, data.test.paths, strict=True):
        with Image.open(path) as opened:
            expected = opened.resize((17, 16), Image.Resampling.BILINEAR).crop((0, 0, 16, 16))
        assert numpy.array_equal((ours.permute(1, 2, 0) * 255).round().numpy(), numpy.asarray(expected))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("grey.png", lambda: picture(1, "L")),
        ("grey.jpg", lambda: picture(1, "L")),
        ("palette.gif", lambda: picture(1, "P")),
        ("see_through.png", lambda: picture(1, "RGBA")),
        ("grey_see_through.png", lambda: picture(1, "LA")),
        ("print.jpg", lambda: picture(1, "CMYK")),
        ("bits.png", lambda: picture(1, "1")),
        ("deep.png", lambda: Image.fromarray(numpy.asarray(picture(1, "L")).astype(numpy.uint16) * 257)),
        ("photo.webp", lambda: picture(1)),
        ("photo.tif", lambda: picture(1)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_image_is_read(channels: int, name: str, made: Callable[[], Image.Image], halves: Path) -> None:
    made().save(halves / "val/cat" / name)
    data = open_data(str(halves), "nowhere")
    images, _ = next(iter(batches(data.test, replace(WANTED, channels=channels, batch=8), train=False)))
    assert images.shape == (7, channels, 16, 16)
    assert isinstance(data.test, Files)
    at = [Path(path).name for path in data.test.paths].index(name)
    with Image.open(data.test.paths[at]) as opened:
        eight = opened.convert("I").point(lambda value: value / 257).convert("L") if "deep" in name else opened
        plain = eight.convert("RGB" if channels == 3 else "L")
    fitted = plain.resize((17, 16), Image.Resampling.BILINEAR).crop((0, 0, 16, 16))
    expected = torch.from_numpy(numpy.array(fitted)).view(16, 16, channels).permute(2, 0, 1)
    assert (images[at] * 255).round().equal(expected.float())


def test_photos_are_turned_upright(halves: Path) -> None:
    path = halves / "val/cat/turned.jpg"
    upright = picture(3, size=(40, 24))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to see it
    upright.rotate(90, expand=True).save(path, exif=exif, quality=95)
    assert glance(path) == ((24, 40), 3)
    data = open_data(str(halves), "nowhere")
    assert isinstance(data.test, Files)
    at = data.test.paths.index(str(path))
    read, _ = data.test.read(at, 3)
    assert read.size == (40, 24)
    apart = numpy.asarray(read).astype(float) - numpy.asarray(upright)
    assert numpy.abs(apart).mean() < 8


def broken(folder: Path) -> list[Path]:
    """Files that aren't what their names say, each in another way."""
    paths = [folder / name for name in ("empty.jpg", "text.png", "cut.jpg", "cut.png")]
    paths[0].touch()
    paths[1].write_text("no image")
    for path in paths[2:]:
        picture(1, size=(90, 90)).save(path)
        path.write_bytes(path.read_bytes()[:-400])
    return paths


@pytest.mark.parametrize("workers", [0, 2])
def test_corrupt_images_are_named_and_counted(halves: Path, workers: int) -> None:
    paths = broken(halves / "train/dog")
    data = open_data(str(halves), "nowhere")
    pipeline = replace(WANTED, workers=workers)
    with pytest.raises(Failure) as told:
        batches(data.train, pipeline, train=True)
    assert "4 of 19 images can't be read" in told.value.message
    assert all(str(path) in told.value.message for path in paths)
    assert "--skip-corrupt" in told.value.help
    made = batches(data.train, pipeline, train=True, skip_corrupt=True)
    assert len(made.skipped) == 4
    assert all(str(path) in line for path, line in zip(sorted(paths), sorted(made.skipped), strict=True))
    assert sorted(label for _, labels in made for label in labels.tolist()) == [0] * 5 + [1] * 5 + [2] * 5


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set is small enough to lie in memory."""
    monkeypatch.setattr("archdsl.train.data.resident.LIMIT", 0)


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("workers", [0, 2])
def test_corrupt_images_of_a_stream_are_named(halves: Path, workers: int) -> None:
    broken(halves / "train/dog")
    data = open_data(str(halves), "nowhere")
    with pytest.raises(Failure, match="train/dog") as told:
        list(batches(data.train, replace(WANTED, workers=workers), train=True))
    assert "Traceback" not in told.value.message
    assert "--skip-corrupt" in told.value.help
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("workers", [0, 2])
def test_corrupt_images_of_a_stream_are_left_out(halves: Path, workers: int) -> None:
    """Without the broken ones it is the same data set, in the same order."""
    pipeline = replace(WANTED, workers=workers)
    whole = [labels.tolist() for _, labels in batches(open_data(str(halves), ".").train, pipeline, train=True)]
    broken(halves / "train/dog")
    made = batches(open_data(str(halves), ".").train, pipeline, train=True, skip_corrupt=True)
    assert len(made.skipped) == 4
    assert [labels.tolist() for _, labels in made] == whole


def test_a_folder_of_nothing_but_broken_images(tmp_path: Path) -> None:
    for half in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / half / name).mkdir(parents=True)
            (tmp_path / half / name / "x.jpg").write_text("no image")
    data = open_data(str(tmp_path), "nowhere")
    assert data.size is None
    with pytest.raises(Failure, match="none of 2 images can be read"):
        batches(data.train, WANTED, train=True, skip_corrupt=True)


def test_a_folder_of_one_piece_is_parted_by_class(tmp_path: Path) -> None:
    filled(tmp_path / "photos", each=10)
    with pytest.raises(WrongUsage, match="one set of images") as told:
        open_data("photos", tmp_path)
    assert "--test-share 0.2" in told.value.help
    data = open_data("photos", tmp_path, test_share=0.2)
    assert isinstance(data.train, Files)
    assert isinstance(data.test, Files)
    assert [data.train.labels.count(label) for label in range(3)] == [8, 8, 8]
    assert [data.test.labels.count(label) for label in range(3)] == [2, 2, 2]
    assert not set(data.train.paths) & set(data.test.paths)
    again = open_data("photos", tmp_path, test_share=0.2)
    assert isinstance(again.test, Files)
    assert again.test.paths == data.test.paths


def test_train_without_a_test_is_parted_too(tmp_path: Path) -> None:
    filled(tmp_path / "photos/train", each=4)
    assert len(open_data("photos", tmp_path, test_share=0.25).test) == 3
    with pytest.raises(WrongUsage, match="one set of images"):
        open_data("photos", tmp_path)
    for share in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(WrongUsage, match="can't be for the test"):
            open_data("photos", tmp_path, test_share=share)
    with pytest.raises(WrongUsage, match="leaves no image"):
        open_data("photos", tmp_path, test_share=0.01)


def test_val_comes_before_test(halves: Path) -> None:
    (halves / "test").mkdir()
    data = open_data(str(halves), "nowhere")
    assert len(data.test) == 6


def test_layouts_that_aren_t_one(halves: Path, tmp_path: Path) -> None:
    cases: dict[str, Callable[[], Path]] = {
        "one class only": lambda: filled(tmp_path / "a", classes="cat"),
        "no folders for the classes": lambda: empty(tmp_path / "b"),
        "has no images": lambda: without_images(tmp_path / "c"),
        "a class `bee` that training doesn't see": lambda: with_more(halves),
    }
    for message, make in cases.items():
        with pytest.raises(WrongUsage, match=message) as told:
            open_data(str(make()), "nowhere", test_share=None if message.startswith("a class") else 0.5)
        assert told.value.help


def empty(folder: Path) -> Path:
    folder.mkdir()
    picture(1).save(folder / "loose.png")
    return folder


def without_images(folder: Path) -> Path:
    filled(folder)
    (folder / "zebra").mkdir()
    return folder


def with_more(folder: Path) -> Path:
    (folder / "val/bee").mkdir()
    picture(1).save(folder / "val/bee/1.png")
    return folder


def test_a_share_for_a_folder_that_has_a_test_is_told(halves: Path) -> None:
    with pytest.raises(WrongUsage, match="images for the test already"):
        open_data(str(halves), "nowhere", test_share=0.2)


def test_a_class_may_be_missing_from_the_test(halves: Path) -> None:
    for path in (halves / "val/cat").iterdir():
        path.unlink()
    (halves / "val/cat").rmdir()
    data = open_data(str(halves), "nowhere")
    assert isinstance(data.test, Files)
    assert data.test.labels == (1, 1, 2, 2)
    assert data.classes == ("cat", "dog", "owl")


def test_hidden_folders_are_no_classes(halves: Path) -> None:
    (halves / "train/.ipynb_checkpoints").mkdir()
    (halves / "train/cat/.thumb.png").write_text("no image")
    data = open_data(str(halves), "nowhere")
    assert data.classes == ("cat", "dog", "owl")
    assert len(data.train) == 15


def test_a_known_name_is_not_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert open_data("digits", tmp_path).size == (8, 8)
    assert open_data("./digits", tmp_path, test_share=0.2).classes == ("cat", "dog", "owl")


PLUGIN = """
import numpy
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset


class Mine(Dataset):
    classes = ["left", "right"]

    def __init__(self, count, kind="picture"):
        self.count = count
        self.kind = kind

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        values = numpy.full((10, 12, 3), index, numpy.uint8)
        if self.kind == "picture":
            return Image.fromarray(values), index % 2
        if self.kind == "bytes":
            return torch.from_numpy(values).permute(2, 0, 1), torch.tensor(index % 2)
        if self.kind == "fractions":
            return torch.from_numpy(values[:, :, 0]) / 255, numpy.int64(index % 2)
        if self.kind == "normalised":
            return torch.randn(3, 10, 12), 0
        if self.kind == "label":
            return Image.fromarray(values), 2
        if self.kind == "raises" and index == 3:
            raise RuntimeError("my mistake")
        return Image.fromarray(values), 0


def picture(root):
    assert root.name == "data"
    return Mine(9), Mine(4)


def kind(name):
    return lambda root: (Mine(9, name), Mine(4, name))


tensor = kind("bytes")
fractions = kind("fractions")
normalised = kind("normalised")
label = kind("label")
raises = kind("raises")


def part(root):
    return Subset(Mine(20), [5, 6, 7]), Subset(Mine(20), [1])


def fails(root):
    return root.nothing


def nameless(root):
    made = TensorDataset(torch.zeros(3, 1, 8, 8), torch.zeros(3))
    return made, made


def single(root):
    return Mine(3)


number = 5
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str], Data]:
    (tmp_path / "mine.py").write_text(PLUGIN)
    return lambda name: open_data("mine", tmp_path / "data", plugin=f"{tmp_path / 'mine.py'}:{name}")


@pytest.mark.parametrize("name", ["picture", "tensor", "fractions"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_plugin_s_data(
    name: str, workers: int, plugin: Callable[[str], Data], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = plugin(name)
    assert (data.name, data.classes, data.size) == ("mine", ("left", "right"), (10, 12))
    assert data.channels == (1 if name == "fractions" else 3)
    pipeline = replace(WANTED, size=(10, 12), workers=workers)
    for limit in (1_000_000, 0):
        monkeypatch.setattr("archdsl.train.data.resident.LIMIT", limit)
        got = list(batches(data.train, pipeline, train=False))
        images = torch.cat([images for images, _ in got])
        assert torch.cat([labels for _, labels in got]).tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
        expected = torch.arange(9).float().view(9, 1, 1, 1).expand(9, 3, 10, 12) / 255
        assert images.equal(expected)


def test_a_plugin_s_data_can_be_sent_to_a_process_that_is_new(plugin: Callable[[str], Data], tmp_path: Path) -> None:
    """As macOS and Windows start those that read images."""
    (tmp_path / "sent").write_bytes(pickle.dumps(plugin("picture").train))
    read = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).read(1, 3)[1])"
    told = subprocess.run(
        [sys.executable, "-c", read, tmp_path / "sent"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert told.stdout == "1\n", told.stderr


def test_a_plugin_s_subset_has_the_classes_of_the_whole(plugin: Callable[[str], Data]) -> None:
    data = plugin("part")
    assert data.classes == ("left", "right")
    assert (len(data.train), len(data.test)) == (3, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails", "stopped: AttributeError: .*mine.py:"),
        ("nameless", "don't name their classes"),
        ("single", "gives Mine"),
        ("number", "has no function `number`"),
        ("missing", "has no function `missing`"),
        ("normalised", "image 0 of .* has values outside of 0 to 1"),
        ("label", "has the class 2, and there are 2"),
        ("raises", "image 3 of the plugin's training images can't be read: RuntimeError: my mistake in .*mine.py:"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_told(name: str, message: str, plugin: Callable[[str], Data]) -> None:
    with pytest.raises(Failure, match=message):
        batches(plugin(name).train, WANTED, train=True)


@pytest.mark.parametrize("spelled", ["", "mine", "mine.py", "mine.py:", ":f", "mine.py:1", "none.py:f", "no_module:f"])
def test_a_plugin_that_isn_t_there_is_told(spelled: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage) as told:
        open_data("mine", tmp_path, plugin=spelled)
    assert "--plugin file.py:function" in told.value.help
