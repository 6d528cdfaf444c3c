"""A spec reads files of its own folder and shipped specs, whatever it names; nothing else is opened or started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from network_facts import weights

import archdsl
from archdsl.diagnostics import SpecError
from archdsl.syntax.limits import FILES

WATCHED = Path(__file__).parent / "watched.py"
CANARY = "canary_7f3a"
LIBRARY = "block cell\n  conv 3x3, 4\n"
BASE = f"{LIBRARY}net base (classes = 10)\n  input 3x32x32\n  a: cell\n"
SECRET = f"block {CANARY}\n  conv 3x3, 4\nnet {CANARY}\n  input 3x32x32\n  {CANARY}\n"

# How a file may be asked for that isn't there for the asking.
NAMES = (
    *("../secret", "..", ".", "../secret.arch", "inner/hidden", "./base", "base.arch", "base.yaml", "/etc/passwd"),
    *(
        "../../../../../../etc/passwd",
        "~/secret",
        "~root",
        "$HOME/secret",
        "${IFS}secret",
        "`id`",
        "$(id)",
        "%2e%2e/secret",
    ),
    *("..%2fsecret", "..\\secret", "C:\\secret", "\\\\server\\share", "file:///etc/passwd", "http://localhost/secret"),
    *(
        "\u2025/secret",
        "secret\u2024arch",
        "con",
        "nul",
        "*",
        "?",
        "[s]ecret",
        "base\x00",
        "base ../secret",
        "-",
        "- secret",
    ),
    *("/dev/stdin", "/dev/zero", "/proc/self/environ", '"../secret"', "'../secret'", "|id", "!!python/name:os.system"),
)
# Links and other things in the folder, each by the name that it can be asked for.
LINKS = {
    "linked": "../secret.arch",
    "absolute": "{outside}/secret.arch",
    "passwd": "/etc/passwd",
    "zero": "/dev/zero",
    "environ": "/proc/self/environ",
    "second": "linked.arch",
    "around": "loop",
    "loop": "around.arch",
    "gone": "nowhere.arch",
    "up": "..",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of specs with secrets around it, and with links to them in it."""
    inside = tmp_path / "specs"
    (inside / "inner").mkdir(parents=True)
    for path in (tmp_path / "secret.arch", inside / "inner" / "hidden.arch"):
        path.write_text(SECRET)
    (inside / "base.arch").write_text(BASE)
    for name, target in LINKS.items():
        (inside / f"{name}.arch").symlink_to(target.format(outside=tmp_path))
    (inside / "folder.arch").mkdir()
    os.mkfifo(inside / "pipe.arch")
    return inside


def watched(folder: Path, *planted: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(WATCHED), str(folder), *planted]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_no_name_leads_out_of_the_folder(folder: Path) -> None:
    asked = (*NAMES, *LINKS, "folder", "pipe")
    for number, name in enumerate(asked):
        forms = {
            "use.arch": f"use {name}\nnet q\n  input 3x8x8\n  {CANARY}\n",
            "use.yaml": f"use: [{name}]\nnetwork: q\ninput: 3x8x8\nlayers: [{CANARY}]\n",
            "quoted.yaml": f"use: {json.dumps(name)}\nnetwork: q\ninput: 3x8x8\nlayers: [{CANARY}]\n",
            "net.arch": f"net q = {name}\n",
            "net.yaml": f"network: q\nextends: {name}\n",
            "name.yaml": f"network: q\nextends: {json.dumps(name)}\n",
        }
        for form, text in forms.items():
            (folder / f"asks{number:02}_{form}").write_text(text)
    (folder / "asks_for_base.arch").write_text("net q = base\n")
    (folder / "asks_for_shipped.yaml").write_text("network: q\nextends: resnet20\n")
    done = watched(folder)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert len(told) == 6 * len(asked) + 2
    for name, text in told.items():
        shown = text.replace(f"  {CANARY}", "").replace(f"[{CANARY}]", "")
        assert ("error[" in text) == (not name.startswith("asks_for")), (name, text)
        assert "root:" not in text, name
        assert CANARY not in shown or "there is no operation, block or macro" in text, (name, text)


def test_the_watch_sees_what_it_looks_for(folder: Path) -> None:
    """A test of the test."""
    for planted in (folder.parent / "secret.arch", folder / "linked.arch", Path("/etc/hostname")):
        done = watched(folder, str(planted))
        assert done.returncode == 1
        assert "Touched: open" in done.stderr


def test_a_link_within_the_folder_is_a_file_of_it(folder: Path) -> None:
    (folder / "again.arch").symlink_to("base.arch")
    (folder / "deep.arch").symlink_to("inner/hidden.arch")
    for name in ("again", "deep"):
        (folder / "q.arch").write_text(f"net q = {name}\n")
        assert archdsl.load(folder / "q.arch").name == "q"


def test_where_all_files_are_links_to_one_place_they_are_found(tmp_path: Path) -> None:
    """So some build tools lay out their inputs."""
    store, view = tmp_path / "store", tmp_path / "view"
    store.mkdir()
    view.mkdir()
    for name, text in (("base.arch", BASE), ("q.arch", "net q = base\n")):
        (store / name).write_text(text)
        (view / name).symlink_to(store / name)
    assert list(weights(archdsl.load(view / "q.arch").net)) == ["a.0.weight", "a.0.bias"]


@pytest.mark.parametrize("name", ["linked", "absolute", "passwd", "second"])
def test_a_link_out_of_the_folder_is_told(folder: Path, name: str) -> None:
    (folder / "q.arch").write_text(f"# about\nuse {name}\nnet q\n  input 3x8x8\n  relu\n")
    with pytest.raises(SpecError) as refused:
        archdsl.load(folder / "q.arch")
    (told,) = refused.value.diagnostics
    assert told.text(told.message) == f"`{name}` is a link to a file outside of the folder, `{name}.arch`"
    assert (told.span.line, told.span.column) == (2, 5)


def _chain(folder: Path, count: int, width: int) -> Path:
    """Files of which each uses all `width` of the next row: width ** count ways lead from the first to the last."""
    for row in range(count):
        for place in range(width):
            uses = "".join(f"use f{row + 1}_{other}\n" for other in range(width)) if row + 1 < count else ""
            (folder / f"f{row}_{place}.arch").write_text(f"{uses}block b{row}_{place}\n  conv 3x3, 4\n")
    (folder / "q.arch").write_text(f"use f0_0\nnet q\n  input 3x32x32\n  b{count - 1}_0\n")
    return folder / "q.arch"


def test_a_file_that_many_use_is_read_once(tmp_path: Path) -> None:
    network = archdsl.load(_chain(tmp_path, 30, 2))
    assert len(network.files) == 1 + 1 + 2 * 29


def test_a_network_of_too_many_files_is_refused(tmp_path: Path) -> None:
    assert len(archdsl.load(_chain(tmp_path, FILES, 1)).files) == FILES + 1
    with pytest.raises(SpecError, match="too-long"):
        archdsl.load(_chain(tmp_path, FILES + 1, 1))
