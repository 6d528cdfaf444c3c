from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archdsl import library
from archdsl.library import UnknownSpec, find


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A library of three networks, and an empty folder to work in."""
    for name in ("resnet18.yaml", "resnet50.arch", "swin/swin_t.yaml"):
        path = tmp_path / "specs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(library, "folder", lambda: tmp_path / "specs")
    library.shipped.cache_clear()
    yield tmp_path / "specs"
    library.shipped.cache_clear()


def test_names_are_those_of_all_folders(shipped: Path) -> None:
    assert library.names() == ("resnet18", "resnet50", "swin_t")
    assert find("resnet50") == shipped / "resnet50.arch"
    assert find("swin_t") == shipped / "swin" / "swin_t.yaml"


def test_a_path_is_a_file(shipped: Path) -> None:
    Path("mine.arch").touch()
    assert find("mine.arch") == Path("mine.arch")
    assert find("./mine.arch") == Path("mine.arch")
    assert find(shipped / "resnet18.yaml") == shipped / "resnet18.yaml"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet19", "did you mean `resnet18`"),
        ("mine", "did you mean the file `mine.arch`"),
        ("imne.arch", "did you mean `mine.arch`"),
        ("resnet18.yaml", "`resnet18` is a shipped network"),
        ("no/such/file.arch", "there is no file `no/such/file.arch`"),
        ("transformer", "`archdsl list` shows"),
        ("../work/", "is a folder"),
    ],
)
@pytest.mark.usefixtures("shipped")
def test_an_unknown_spec_tells_the_way_out(name: str, told: str) -> None:
    Path("mine.arch").touch()
    with pytest.raises(UnknownSpec) as caught:
        find(name)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


def test_shipped_names_are_unique_across_folders_and_spellings() -> None:
    stems = [path.stem for path in library.folder().rglob("*") if path.suffix in library.SUFFIXES]
    assert sorted(stems) == sorted(set(stems))
    assert library.folder().is_dir()
