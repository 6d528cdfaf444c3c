"""The data sets that are known by name: what they are, where their files lie, how many bytes a download is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal["idx", "cifar", "svhn", "stl10", "folder", "torchvision"]
Arguments = Mapping[str, Any]


class Known(NamedTuple):
    """A data set of torchvision's, in torchvision's own files, so that what is there is found.

    kind: how it is read. class_: torchvision's, which downloads it; none where nobody may do that for you. channels,
    size, classes: as in Facts. bytes: of the download, about. files: what must be there, below the root; the first of a
    `folder` has the training images, the second the test's. train, test: what torchvision calls the halves; several
    are put together. first: the number that its files have for the first class.
    """

    kind: Kind
    class_: str
    channels: int
    size: tuple[int, int] | None
    classes: int
    bytes: int
    files: tuple[str, ...]
    train: tuple[Arguments, ...] = ({"train": True},)
    test: tuple[Arguments, ...] = ({"train": False},)
    first: int = 0


def _idx(class_: str, classes: int, size: int, *, split: str = "", second: str = "t10k", first: int = 0) -> Known:
    raw = f"{class_}/raw/{f'emnist-{split}-' if split else ''}"
    halves = [f"{raw}{half}-{what}-ubyte" for half in ("train", second) for what in ("images-idx3", "labels-idx1")]
    more = {"split": split} if split else {}
    train, test = ({**more, "train": True},), ({**more, "train": False},)
    return Known("idx", class_, 1, (28, 28), classes, size, tuple(halves), train, test, first)


def _cifar(class_: str, classes: int, size: int, folder: str, *files: str) -> Known:
    return Known("cifar", class_, 3, (32, 32), classes, size, tuple(f"{folder}/{file}" for file in files))


def _split(*names: str) -> tuple[Arguments, ...]:
    return tuple({"split": name} for name in names)


_EMNIST = 561_753_746

KNOWN: Mapping[str, Known] = {
    "mnist": _idx("MNIST", 10, 11_594_722),
    "fashion_mnist": _idx("FashionMNIST", 10, 30_878_645),
    "kmnist": _idx("KMNIST", 10, 21_240_888),
    "emnist": _idx("EMNIST", 47, _EMNIST, split="balanced", second="test"),
    "emnist_letters": _idx("EMNIST", 26, _EMNIST, split="letters", second="test", first=1),
    "emnist_digits": _idx("EMNIST", 10, _EMNIST, split="digits", second="test"),
    "cifar10": _cifar(
        "CIFAR10",
        10,
        170_498_071,
        "cifar-10-batches-py",
        *(f"data_batch_{number}" for number in range(1, 6)),
        "test_batch",
        "batches.meta",
    ),
    "cifar100": _cifar("CIFAR100", 100, 169_001_437, "cifar-100-python", "train", "test", "meta"),
    "svhn": Known(
        "svhn",
        "SVHN",
        3,
        (32, 32),
        10,
        246_316_178,
        ("train_32x32.mat", "test_32x32.mat"),
        _split("train"),
        _split("test"),
    ),
    "stl10": Known(
        "stl10",
        "STL10",
        3,
        (96, 96),
        10,
        2_640_397_119,
        tuple(f"stl10_binary/{file}" for file in ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")),
        _split("train"),
        _split("test"),
        first=1,
    ),
    "imagenet": Known("folder", "", 3, None, 1000, 0, ("imagenet/train", "imagenet/val")),
    "imagenette": Known(
        "folder",
        "Imagenette",
        3,
        None,
        10,
        99_003_388,
        ("imagenette2-160/train", "imagenette2-160/val"),
        ({"split": "train", "size": "160px"},),
        ({"split": "val", "size": "160px"},),
    ),
    "country211": Known(
        "folder",
        "Country211",
        3,
        None,
        211,
        11_300_000_000,
        ("country211/train", "country211/test"),
        _split("train"),
        _split("test"),
    ),
    "eurosat": Known("folder", "EuroSAT", 3, (64, 64), 10, 94_700_000, ("eurosat/2750",), ({},), ()),
    "flowers102": Known(
        "torchvision",
        "Flowers102",
        3,
        None,
        102,
        344_878_000,
        ("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat"),
        _split("train", "val"),
        _split("test"),
    ),
    "oxford_iiit_pet": Known(
        "torchvision",
        "OxfordIIITPet",
        3,
        None,
        37,
        811_092_049,
        ("oxford-iiit-pet/images", "oxford-iiit-pet/annotations"),
        _split("trainval"),
        _split("test"),
    ),
    "food101": Known(
        "torchvision",
        "Food101",
        3,
        None,
        101,
        4_996_278_331,
        ("food-101/images", "food-101/meta"),
        _split("train"),
        _split("test"),
    ),
    "gtsrb": Known(
        "torchvision",
        "GTSRB",
        3,
        None,
        43,
        276_568_468,
        ("gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test/Images", "gtsrb/GT-final_test.csv"),
        _split("train"),
        _split("test"),
    ),
    "dtd": Known(
        "torchvision",
        "DTD",
        3,
        None,
        47,
        625_239_812,
        ("dtd/dtd/images", "dtd/dtd/labels"),
        _split("train", "val"),
        _split("test"),
    ),
    "fgvc_aircraft": Known(
        "torchvision",
        "FGVCAircraft",
        3,
        None,
        100,
        2_753_340_328,
        ("fgvc-aircraft-2013b/data",),
        _split("trainval"),
        _split("test"),
    ),
}

# Where the files don't name the classes: by their numbers.
CLASS_NAMES: Mapping[str, tuple[str, ...]] = {
    "fashion_mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    "kmnist": tuple("o ki su tsu na ha ma ya re wo".split()),
    "emnist": tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    "emnist_letters": tuple("abcdefghijklmnopqrstuvwxyz"),
    "stl10": tuple("airplane bird car cat deer dog horse monkey ship truck".split()),
}
