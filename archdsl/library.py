"""The shipped networks, found by name: in `specs/` of a checkout, in the package of an installed wheel.

The folder `blocks` in it has the libraries that several of them use.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archdsl.failure import WrongUsage
from archdsl.suggest import did_you_mean

SUFFIXES = (".yaml", ".yml", ".arch")
LIBRARIES = "blocks"


class UnknownSpec(WrongUsage):
    """Neither a file nor a shipped network has this name."""


@cache
def folder() -> Path:
    """Where the shipped specs are."""
    package = Path(__file__).parent
    packaged = package / "specs"
    return packaged if packaged.is_dir() else package.parent / "specs"


@cache
def shipped() -> dict[str, Path]:
    """Name -> path of every shipped network, sub-folders included, by name."""
    found = (path for path in folder().rglob("*") if path.suffix in SUFFIXES and path.parent.name != LIBRARIES)
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def with_libraries() -> dict[str, Path]:
    """Name -> path of all that a spec can extend or use."""
    return shipped() | {path.stem: path for path in (folder() / LIBRARIES).glob("*") if path.suffix in SUFFIXES}


def names() -> tuple[str, ...]:
    """The names of the shipped specs, sorted."""
    return tuple(shipped())


def find(name_or_path: str | Path) -> Path:
    """The file of a spec: a path, or the name of a shipped one; raises UnknownSpec.

    What has a folder or the suffix of a spec in it is a path, everything else a name.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, Path) or path.suffix in SUFFIXES or path.name != str(name_or_path):
        return _existing(path)
    # The usual place first: a look through all the folders costs some milliseconds.
    for suffix in SUFFIXES:
        if (direct := folder() / f"{path}{suffix}").is_file():
            return direct
    if str(path) in shipped():
        return shipped()[str(path)]
    raise UnknownSpec(f"no network is called `{name_or_path}`", help=_way_out(str(path)))


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    if path.is_dir():
        raise UnknownSpec(f"`{path}` is a folder, not a spec")
    if path.exists():
        return path
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = did_you_mean(path.name, [name for name in beside if Path(name).suffix in SUFFIXES])
    if near:
        raise UnknownSpec(f"there is no file `{path}`", help=f"did you mean `{path.with_name(near)}`?")
    shipped_too = f"`{path.stem}` is a shipped network: give its name alone" if path.stem in shipped() else ""
    raise UnknownSpec(f"there is no file `{path}`", help=shipped_too)


def _way_out(name: str) -> str:
    for suffix in SUFFIXES:
        if Path(f"{name}{suffix}").is_file():
            return f"did you mean the file `{name}{suffix}`?"
    near = did_you_mean(name, names())
    return f"did you mean `{near}`?" if near else "`archdsl list` shows the shipped networks"
