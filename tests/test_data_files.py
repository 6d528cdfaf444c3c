"""Published data sets: small ones, written in the published formats, and what happens where they aren't there."""

from __future__ import annotations

import gzip
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy
import pytest
import torch
from PIL import Image
from whole import whole_torchvision

from archdsl.failure import Failure, WrongUsage
from archdsl.train.data import Data, Pipeline, Pixels, batches, cifar, facts, known, open_data
from archdsl.train.data.names import CLASS_NAMES, KNOWN

Pair = tuple[numpy.ndarray[Any, Any], list[int]]


def drawn(count: int, *shape: int, classes: int = 10, seed: int = 0) -> Pair:
    rng = numpy.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape), dtype=numpy.uint8), rng.integers(0, classes, count).tolist()


def idx(path: Path, values: numpy.ndarray[Any, Any], *, packed: bool = True) -> None:
    """MNIST's format, as Yann LeCun describes it."""
    content = bytes([0, 0, 8, values.ndim]) + numpy.array(values.shape, ">i4").tobytes() + values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.with_name(path.name + ".gz") if packed else path).write_bytes(gzip.compress(content) if packed else content)


def write_idx(root: Path, name: str, *, first: int = 0, packed: bool = True, mirrored: bool = False) -> list[Pair]:
    row = KNOWN[name]
    halves = [drawn(count, 28, 28, classes=row.classes, seed=count) for count in (30, 11)]
    for half, (pixels, labels) in enumerate(halves):
        images, numbers = (root / file for file in row.files[2 * half : 2 * half + 2])
        idx(images, pixels.transpose(0, 2, 1) if mirrored else pixels, packed=packed)
        idx(numbers, numpy.array(labels, numpy.uint8) + numpy.uint8(first), packed=packed)
    return halves


def assert_is(data: Data, halves: list[Pair], *, layout: str = "nhw") -> None:
    for half, (pixels, labels) in zip((data.train, data.test), halves, strict=True):
        assert isinstance(half, Pixels)
        ours = half.pixels.numpy()
        expected = pixels[:, None] if layout == "nhw" else pixels
        assert numpy.array_equal(ours, expected)
        assert half.labels.tolist() == labels


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_mnist_s_files(name: str, packed: bool, tmp_path: Path) -> None:
    assert not facts(name, tmp_path).present
    halves = write_idx(tmp_path, name, packed=packed)
    told = facts(name, tmp_path)
    assert (told.present, told.channels, told.size, told.classes) == (True, 1, (28, 28), 10)
    data = open_data(name, tmp_path)
    assert_is(data, halves)
    assert len(data.classes) == 10


@pytest.mark.parametrize(("name", "first"), [("emnist", 0), ("emnist_letters", 1), ("emnist_digits", 0)])
def test_emnist_s_files_have_rows_for_columns(name: str, first: int, tmp_path: Path) -> None:
    halves = write_idx(tmp_path, name, first=first, mirrored=True)
    assert_is(open_data(name, tmp_path), halves)


def test_idx_files_are_those_that_torchvision_reads(tmp_path: Path) -> None:
    write_idx(tmp_path, "mnist", packed=False)
    with whole_torchvision():
        from torchvision.datasets import MNIST

        theirs = MNIST(str(tmp_path), train=True)
    ours = open_data("mnist", tmp_path).train
    assert isinstance(ours, Pixels)
    assert ours.pixels[:, 0].equal(theirs.data)
    assert ours.labels.equal(theirs.targets)


def python2_pickle(entries: dict[str, Any]) -> bytes:
    """As the published batches are written: protocol 2, byte strings and the old name of numpy's function.

    Written by hand, opcode by opcode, since Python 3 writes bytes in another way.
    """

    def text(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def put(value: Any) -> bytes:
        if isinstance(value, list):
            return b"](" + b"".join(put(one) for one in value) + b"e"
        if isinstance(value, int):
            return number(value)
        if isinstance(value, str):
            return text(value.encode())
        made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
        kind = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
        kind += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
        shape = number(value.shape[0]) + number(value.shape[1]) + b"\x86"
        return made + b"(" + number(1) + shape + kind + b"\x89" + text(value.tobytes()) + b"tb"

    return b"\x80\x02}(" + b"".join(put(key) + put(value) for key, value in entries.items()) + b"u."


def python3_pickle(entries: dict[str, Any]) -> bytes:
    return pickle.dumps(entries, protocol=2)


def write_cifar(root: Path, name: str, dump: Callable[[dict[str, Any]], bytes]) -> list[Pair]:
    row = KNOWN[name]
    *train, test, meta = (root / file for file in row.files)
    meta.parent.mkdir(parents=True)
    hundred = row.classes == 100
    parts = []
    for number, path in enumerate([*train, test]):
        pixels, labels = drawn(6, 3072, classes=row.classes, seed=number)
        entries = {"batch_label": "part", "fine_labels" if hundred else "labels": labels, "data": pixels}
        path.write_bytes(dump({**entries, "filenames": ["x.png"] * 6}))
        parts.append((pixels.reshape(-1, 3, 32, 32), labels))
    names = [f"class {number}" for number in range(row.classes)]
    meta.write_bytes(dump({"fine_label_names" if hundred else "label_names": names, "num_vis": 3072}))
    together = (
        numpy.concatenate([pixels for pixels, _ in parts[:-1]]),
        [label for _, labels in parts[:-1] for label in labels],
    )
    return [together, parts[-1]]


@pytest.mark.parametrize("dump", [python2_pickle, python3_pickle])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_s_batches(name: str, dump: Callable[[dict[str, Any]], bytes], tmp_path: Path) -> None:
    halves = write_cifar(tmp_path, name, dump)
    data = open_data(name, tmp_path)
    assert_is(data, halves, layout="nchw")
    assert data.classes[3] == "class 3"
    assert len(data.classes) == KNOWN[name].classes


def test_the_written_batches_are_those_that_torchvision_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The format of the tests is the published one: torchvision reads it, its check of the sums set aside."""
    write_cifar(tmp_path, "cifar10", python2_pickle)
    with whole_torchvision():
        from torchvision.datasets import CIFAR10

        monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
        theirs = CIFAR10(str(tmp_path), train=True)
        expected = torch.from_numpy(theirs.data).permute(0, 3, 1, 2)
    ours = open_data("cifar10", tmp_path).train
    assert isinstance(ours, Pixels)
    assert ours.pixels.equal(expected)
    assert ours.labels.tolist() == theirs.targets


class Malicious:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize(
    "entries",
    [
        Malicious(),
        {"data": Malicious(), "labels": [1]},
        {"data": numpy.zeros((1, 3072), numpy.uint8), "x": Malicious()},
    ],
)
def test_a_pickle_runs_nothing(entries: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path, "cifar10", python3_pickle)
    (tmp_path / KNOWN["cifar10"].files[2]).write_bytes(pickle.dumps(entries, protocol=2))
    with pytest.raises(Failure, match="data_batch_3` is broken: it asks for `"):
        open_data("cifar10", tmp_path)
    assert not Path("ran").exists()
    pickle.loads(pickle.dumps(Malicious()))  # a test of the test: elsewhere it would have
    assert Path("ran").exists()


def test_what_numpy_would_be_told_to_do_is_not_done() -> None:
    """Names that lead on to others by a dot, and the functions of numpy that run code."""
    for module, name in (("numpy", "load"), ("numpy", "ndarray.tofile"), ("builtins", "eval"), ("os", "system")):
        hostile = f"\x80\x02c{module}\n{name}\n.".encode("latin1")
        with pytest.raises(pickle.UnpicklingError, match="it asks for"):
            cifar.batch(hostile, "labels")


@pytest.mark.parametrize(
    "entries",
    [
        {"data": numpy.zeros((2, 3072), numpy.uint8), "labels": [1]},
        {"data": numpy.zeros((2, 3072), numpy.uint8), "labels": [1, 10]},
        {"data": numpy.zeros((2, 3072), numpy.uint8), "labels": [1, -1]},
        {"data": numpy.zeros((2, 3072), numpy.float32), "labels": [1, 2]},
        {"data": numpy.zeros((2, 3071), numpy.uint8), "labels": [1, 2]},
        {"data": numpy.zeros(6144, numpy.uint8), "labels": [1, 2]},
        {"data": [1, 2], "labels": [1, 2]},
        {"data": numpy.zeros((2, 3072), numpy.uint8), "labels": ["a", "b"]},
        {"data": numpy.zeros((2, 3072), numpy.uint8)},
        [1, 2],
    ],
)
def test_another_batch_is_told(entries: Any, tmp_path: Path) -> None:
    write_cifar(tmp_path, "cifar10", python3_pickle)
    (tmp_path / KNOWN["cifar10"].files[1]).write_bytes(python3_pickle(entries))
    with pytest.raises(Failure, match="data_batch_2` is broken"):
        open_data("cifar10", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn", "stl10"])
@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_file_that_is_cut_off_is_told(name: str, kept: int, tmp_path: Path) -> None:
    write: dict[str, Callable[[Path], object]] = {
        "mnist": lambda root: write_idx(root, "mnist"),
        "cifar10": lambda root: write_cifar(root, "cifar10", python2_pickle),
        "svhn": write_svhn,
        "stl10": write_stl10,
    }
    write[name](tmp_path)
    path = tmp_path / KNOWN[name].files[0]
    path = path if path.exists() else path.with_name(path.name + ".gz")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Failure, match="is broken") as told:
        open_data(name, tmp_path)
    assert path.name in told.value.message


def write_svhn(root: Path) -> list[Pair]:
    from scipy.io import savemat

    halves = [drawn(count, 32, 32, 3, seed=count) for count in (20, 9)]
    for file, (pixels, labels) in zip(KNOWN["svhn"].files, halves, strict=True):
        numbers = numpy.array([[label or 10] for label in labels], numpy.uint8)
        savemat(root / file, {"X": pixels.transpose(1, 2, 3, 0), "y": numbers}, do_compression=True)
    return [(pixels.transpose(0, 3, 1, 2), labels) for pixels, labels in halves]


def write_stl10(root: Path) -> list[Pair]:
    halves = [drawn(count, 3, 96, 96, seed=count) for count in (4, 3)]
    (root / "stl10_binary").mkdir()
    for half, (pixels, labels) in zip(("train", "test"), halves, strict=True):
        # Column by column.
        (root / f"stl10_binary/{half}_X.bin").write_bytes(pixels.transpose(0, 1, 3, 2).tobytes())
        (root / f"stl10_binary/{half}_y.bin").write_bytes(bytes(label + 1 for label in labels))
    return halves


def test_svhn_s_files(tmp_path: Path) -> None:
    assert_is(open_data_after(write_svhn, "svhn", tmp_path), write_svhn(tmp_path), layout="nchw")


def test_stl10_s_files(tmp_path: Path) -> None:
    halves = write_stl10(tmp_path)
    data = open_data("stl10", tmp_path)
    assert_is(data, halves, layout="nchw")
    assert data.classes == CLASS_NAMES["stl10"]


def open_data_after(write: Callable[[Path], object], name: str, root: Path) -> Data:
    write(root)
    return open_data(name, root)


@pytest.fixture
def torchvision() -> Iterator[Any]:
    with whole_torchvision():
        import torchvision.datasets

        yield torchvision.datasets


def test_the_table_is_torchvision_s(torchvision: Any, tmp_path: Path) -> None:
    """Each class exists, and takes these arguments: without files, they all say that nothing is there."""
    for row in KNOWN.values():
        if not row.class_:
            continue
        for half in (*row.train, *row.test):
            with pytest.raises((RuntimeError, OSError)):
                getattr(torchvision, row.class_)(str(tmp_path), **half)
    assert {len(names) for names in CLASS_NAMES.values()} == {10, 47, 26}
    for name, names in CLASS_NAMES.items():
        assert len(names) == KNOWN[name].classes
    assert torchvision.FashionMNIST.classes[9].lower() == CLASS_NAMES["fashion_mnist"][9]
    assert list(CLASS_NAMES["kmnist"]) == torchvision.KMNIST.classes
    assert sorted(torchvision.EMNIST._all_classes) == sorted({*map(str, range(10)), *map(chr, range(65, 91)), *LOWER})
    assert list(CLASS_NAMES["emnist"]) == torchvision.EMNIST.classes_split_dict["balanced"]
    assert tuple(torchvision.STL10.__dict__.get("classes", CLASS_NAMES["stl10"])) == CLASS_NAMES["stl10"]


LOWER = "abcdefghijklmnopqrstuvwxyz"


def test_oxford_pets_through_torchvision(torchvision: Any, tmp_path: Path) -> None:
    base = tmp_path / "oxford-iiit-pet"
    (base / "images").mkdir(parents=True)
    (base / "annotations").mkdir()
    for half, count in (("trainval", 6), ("test", 3)):
        lines = []
        for number in range(count):
            name = f"pet_{half}_{number}"
            Image.new("RGB", (30 + number, 20), (number * 20, 0, 9)).save(base / f"images/{name}.jpg")
            lines.append(f"{name} {number % 3 + 1} 1 1\n")
        (base / f"annotations/{half}.txt").write_text("".join(lines))
    (base / "annotations/trimaps").mkdir()
    data = open_data("oxford_iiit_pet", tmp_path)
    assert (len(data.train), len(data.test), data.channels, data.size) == (6, 3, 3, None)
    images, labels = next(iter(batches(data.test, Pipeline(channels=3, size=(8, 8)), train=False)))
    assert labels.tolist() == [0, 1, 2]
    assert images[:, 0].mean(dim=(1, 2)).mul(255).round().tolist() == pytest.approx([0, 20, 40], abs=3)


@pytest.mark.parametrize("name", [name for name in KNOWN if KNOWN[name].bytes])
def test_what_isn_t_there_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(Failure) as told:
        open_data(name, tmp_path)
    assert str(tmp_path) in told.value.message
    assert "`--download` fetches it (about " in told.value.help
    assert facts(name, tmp_path).how == told.value.help
    assert not list(tmp_path.iterdir())


def test_sizes_of_downloads_are_told_as_people_do() -> None:
    assert known.size(170_498_071) == "about 170 MB"
    assert known.size(2_640_397_119) == "about 2.6 GB"
    assert "(about 170 MB)" in facts("cifar10", "nowhere").how


def test_imagenet_is_fetched_by_hand(tmp_path: Path) -> None:
    for download in (False, True):
        with pytest.raises(Failure, match="`imagenet` isn't in") as told:
            open_data("imagenet", tmp_path, download=download)
        assert "image-net.org" in told.value.help
        assert "/imagenet/train/CLASS/*.JPEG" in told.value.help
    for half in ("train", "val"):
        for wnid in ("n01440764", "n01443537"):
            (tmp_path / "imagenet" / half / wnid).mkdir(parents=True)
            Image.new("RGB", (9, 7)).save(tmp_path / "imagenet" / half / wnid / "a.JPEG")
    assert open_data("imagenet", tmp_path).classes == ("n01440764", "n01443537")


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn", "food101"])
def test_without_a_network_nothing_is_left(
    name: str, torchvision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def offline(*_: Any, **__: Any) -> Any:
        raise URLError("no route to the host")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(Failure, match=f"can't download `{name}`: .*no route to the host") as told:
        open_data(name, tmp_path / "data", download=True)
    assert str(tmp_path / "data" / KNOWN[name].files[0]) in told.value.help
    assert not list((tmp_path / "data").iterdir())
    assert not capfd.readouterr().out


def served(torchvision: Any, monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """Downloads come from a folder."""

    def fetch(url: str, filename: str, *_: Any) -> None:
        Path(filename).write_bytes((files / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", fetch)
    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", lambda url, **_: url)


def test_a_download_is_moved_to_its_place_when_it_is_whole(
    torchvision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    halves = write_idx(tmp_path / "there", "mnist")
    raw = tmp_path / "there/MNIST/raw"
    served(torchvision, monkeypatch, raw)
    root = tmp_path / "data"
    # The published sums: what comes isn't what was published.
    with pytest.raises(Failure, match=r"can't download `mnist`: .*corrupted"):
        open_data("mnist", root, download=True)
    assert not list(root.iterdir())
    sums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(raw.iterdir())]
    monkeypatch.setattr(torchvision.MNIST, "resources", sums)
    data = open_data("mnist", root, download=True)
    assert_is(data, halves)
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert_is(open_data("mnist", root), halves)


def test_an_archive_of_cifar_is_unpacked_and_not_unpickled(
    torchvision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib
    import tarfile

    halves = write_cifar(tmp_path / "there", "cifar10", python2_pickle)
    archive = tmp_path / "there/cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "there/cifar-10-batches-py", "cifar-10-batches-py")
    served(torchvision, monkeypatch, archive.parent)
    monkeypatch.setattr(torchvision.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())

    def unpickled(*_: Any, **__: Any) -> Any:
        raise AssertionError("pickle.load runs code")

    monkeypatch.setattr("pickle.load", unpickled)
    assert_is(open_data("cifar10", tmp_path / "data", download=True), halves, layout="nchw")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-batches-py"]


def test_what_is_half_there_stays_and_is_told(
    torchvision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    write_idx(tmp_path / "there", "mnist")
    raw = tmp_path / "there/MNIST/raw"
    served(torchvision, monkeypatch, raw)
    sums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(raw.iterdir())]
    monkeypatch.setattr(torchvision.MNIST, "resources", sums)
    (tmp_path / "data/MNIST/raw").mkdir(parents=True)
    (tmp_path / "data/MNIST/raw/notes.txt").write_text("mine")
    with pytest.raises(Failure, match=r"is there, but not whole"):
        open_data("mnist", tmp_path / "data", download=True)
    assert (tmp_path / "data/MNIST/raw/notes.txt").read_text() == "mine"


def test_without_torchvision_only_what_needs_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    write_idx(tmp_path, "mnist")
    assert len(open_data("mnist", tmp_path).train) == 30
    assert len(open_data("digits", tmp_path).train) == 1438
    (tmp_path / "food-101/images").mkdir(parents=True)
    (tmp_path / "food-101/meta").mkdir()
    with pytest.raises(WrongUsage, match="`food101` needs torchvision") as told:
        open_data("food101", tmp_path)
    assert "archdsl[train]" in told.value.help


def test_the_page_has_every_data_set() -> None:
    lines = (Path(__file__).parent.parent / "docs/data.md").read_text().splitlines()
    rows = {cells[1].strip("` "): cells for line in lines if len(cells := line.split("|")) == 8}
    assert set(rows) - {"name", "---", "digits", "fake"} == {f"{name}" for name in KNOWN}
    for name, row in KNOWN.items():
        _, _, channels, size, classes, download, *_ = (cell.strip() for cell in rows[name])
        assert (channels, classes) == (str(row.channels), str(row.classes))
        assert size == ("differs" if row.size is None else "x".join(map(str, row.size)))
        assert download == (known.size(row.bytes) if row.bytes else "by hand")
