from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain, sweep, write_atomically, writing


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "model.py"
    write_atomically(target, "größe = 1\n")
    write_atomically(target, b"x = 2\n")
    assert target.read_bytes() == b"x = 2\n"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "model.py", tmp_path / "link.py"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_what_stood_there_survives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model.py"
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure, match="the disk is full") as caught:
        write_atomically(target, "new")
    assert caught.value.exit_code == 3
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_device_is_written_to_and_not_replaced() -> None:
    with pytest.raises(Failure, match="the disk is full") as caught:
        write_atomically("/dev/full", "text")
    assert caught.value.exit_code == 3
    assert not Path("/dev/full").is_file()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere/model.py", "the folder `.*nowhere` doesn't exist"),
        ("file/model.py", "a part of the path is a file"),
        (".", "that is a folder"),
        ("n" * 300, "the name is too long"),
    ],
)
def test_a_wrong_path_is_wrong_usage(tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongUsage, match=told) as caught:
        write_atomically(tmp_path / path, "text")
    assert caught.value.exit_code == 2


def test_other_troubles_are_told_in_the_system_s_words() -> None:
    assert "permission denied" in str(explain(PermissionError(errno.EACCES, "x"), "a"))
    assert str(explain(OSError(errno.EIO, "Input/output error"), "a")) == "can't use `a`: Input/output error"


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    target, others = tmp_path / "[model].py", tmp_path / ".other.py.01234567"
    left = tmp_path / ".[model].py.89abcdef"
    left.write_text("hal")
    others.touch()
    with writing(target) as file:
        assert not left.exists()
        assert others.exists()
        file.write(b"new")
        with writing(target) as second:  # another writer leaves the first one's file alone
            second.write(b"newer")
        assert target.read_bytes() == b"newer"
    assert target.read_bytes() == b"new"
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [target]


def test_a_long_name_has_room(tmp_path: Path) -> None:
    target = tmp_path / ("大" * 80 + ".arch")  # 245 bytes
    write_atomically(target, "text")
    assert list(tmp_path.iterdir()) == [target]
