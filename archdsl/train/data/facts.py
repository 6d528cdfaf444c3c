"""What is known of a data set before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archdsl.failure import WrongUsage
from archdsl.suggest import did_you_mean
from archdsl.train.data import embedded, folder, known
from archdsl.train.data.names import KNOWN

DIGITS = "digits"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a data set is, and how it is had.

    channels: 1 (grey) or 3. size: height and width, None where images differ. classes: their number. present: it is
    there, or comes with a package. download: bytes to download, 0 where it can't be. how: how it is had, for people.
    """

    name: str
    channels: int
    size: tuple[int, int] | None
    classes: int
    present: bool
    download: int
    how: str


def facts(name: str, root: str | Path) -> Facts:
    """What is known of a data set by its name or folder, without loading it.

    root: the folder that data sets lie in. Raises WrongUsage for a name that nobody knows, or a folder without classes.
    """
    if name == DIGITS:
        return Facts(name, 1, (8, 8), 10, True, 0, "comes with scikit-learn")
    if embedded.is_fake(name):
        channels, size, count = embedded.fake_facts(name)
        return Facts(name, channels, size, count, True, 0, "is noise, made when it is needed")
    if name in KNOWN:
        row, absent = KNOWN[name], known.missing(name, Path(root))
        how = known.way_out(name, Path(root)) if absent else f"is in `{root}`"
        return Facts(name, row.channels, row.size, row.classes, not absent, row.bytes, how)
    where = folder_of(name, Path(root))
    first = folder.halves(where).train
    classes = folder.classes_of(first)
    seen = folder.glance(folder.first_images(first, classes))
    return Facts(name, seen.channels, seen.size, len(classes), True, 0, f"is the folder `{where}`")


def lasting(name: str, root: Path) -> str:
    """A data set's name; for a folder its whole path, which means the same wherever a command is typed."""
    known = name == DIGITS or embedded.is_fake(name) or name in KNOWN
    return name if known else str(folder_of(name, root).resolve())


def folder_of(name: str, root: Path) -> Path:
    """The folder that a name means: a path, or one in the root. Raises WrongUsage."""
    for path in (Path(name), root / name):
        if path.is_dir():
            return path
    beside = _near(Path(name)) or _near(root / name)
    if Path(name).name != name:
        help = f"did you mean `{beside}`?" if beside else "`--data` takes a folder of images or a data set's name"
        raise WrongUsage(f"there is no folder `{name}`", help=help)
    names = (DIGITS, "fake", *KNOWN)
    near = did_you_mean(name, names) or beside
    help = f"did you mean `{near}`?" if near else f"there are {', '.join(names)}, and any folder of images"
    raise WrongUsage(f"`{name}` names no data set, and no folder", help=help)


def _near(path: Path) -> str | None:
    """The folder that a path may have meant: of nearly its name, where it would be."""
    try:
        beside = sorted(one.name for one in path.parent.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError:
        return None
    near = did_you_mean(path.name, beside)
    return None if near is None else str(path.with_name(near))
