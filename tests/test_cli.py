"""The command line: options, exit codes, and which stream what goes to."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

import archdsl
from archdsl import console
from archdsl.cli import run

GOOD = """\
net tiny (classes = 10)
  input 3x32x32
  conv1: conv 3x3, 8
  relu
  avgpool to 1x1
  flatten
  fc: linear classes
"""
BAD = GOOD.replace("conv 3x3", "cnv 3x3")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command line in a folder with a good and a bad spec."""
    (tmp_path / "good.arch").write_text(GOOD)
    (tmp_path / "bad.arch").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def ran(*args: str) -> Ran:
        code = run(args)
        return Ran(code, *capsys.readouterr())

    return ran


def process(*args: str, code: str = "", shell: str = "", cwd: Path | None = None) -> Ran:
    """A whole process, as a person starts it; `code` runs before."""
    start = f"{code}\nfrom archdsl.__main__ import main\nmain()"
    command = [sys.executable, "-c", start, *args]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=os.environ | {"PYTHONHASHSEED": "0"})
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_a_summary_goes_to_standard_output(cli: Cli) -> None:
    ran = cli("build", "good.arch", "--summary")
    assert ran.code == 0
    assert "conv1" in ran.out
    assert ran.err == ""


def test_the_summary_as_json_is_one_object(cli: Cli) -> None:
    ran = cli("build", "good.arch", "--summary", "--format", "json", "--set", "classes=7", "--input", "3x40x40")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told["name"] == "tiny"
    assert list(told["inputs"].values()) == [[3, 40, 40]]
    assert told["state_dict"]["fc.weight"] == [7, 8]
    assert told["params"] == 8 * 3 * 9 + 8 + 7 * 8 + 7


def test_source_is_written_to_a_file(cli: Cli) -> None:
    ran = cli("build", "good.arch", "-o", "tiny.py")
    assert ran == Ran(0, "", "")
    assert Path("tiny.py").read_text() == archdsl.load("good.arch").source


def test_a_diagram_is_written_to_a_file(cli: Cli) -> None:
    ran = cli("diagram", "good.arch", "-o", "tiny.svg")
    assert ran == Ran(0, "", "")
    assert "<svg" in Path("tiny.svg").read_text()


def test_a_wrong_spec_is_told_on_standard_error(cli: Cli) -> None:
    ran = cli("build", "bad.arch", "--summary")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("bad.arch:3:10: error[unknown-op]: ")
    assert "did you mean `conv`" in ran.err


def test_check_tells_of_all_files(cli: Cli) -> None:
    assert cli("check", "good.arch").code == 0
    ran = cli("check", "bad.arch", "good.arch", "--format", "concise")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("bad.arch:3:10: error[unknown-op]: ")
    assert "2 files checked: 1 error, 0 warnings" in cli("check", "bad.arch", "good.arch").err


def test_the_layers_as_csv(cli: Cli) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("build", "good.arch", "--format", "csv").out)))
    assert next(row for row in rows if row["path"] == "conv1")["output"] == "8x30x30"
    assert sum(int(row["params"]) for row in rows) == 8 * 3 * 9 + 8 + 10 * 8 + 10


def test_a_file_that_can_t_be_read_is_wrong_usage(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", "good.arch")

    monkeypatch.setattr(archdsl, "load", refuse)  # the tests may run as root, whom no file refuses
    assert cli("build", "good.arch") == Ran(2, "", "error: can't use `good.arch`: permission denied\n")


def test_check_as_json_goes_to_standard_output(cli: Cli) -> None:
    ran = cli("check", "bad.arch", "--format", "json")
    assert ran.code == 1
    assert ran.err == ""
    assert [one["code"] for one in json.loads(ran.out)] == ["unknown-op"]
    assert json.loads(cli("check", "good.arch", "--format", "json").out) == []


def test_fmt_leaves_a_wrong_file_alone_and_goes_on(cli: Cli) -> None:
    wrong = GOOD.replace("  relu", "    relu")
    Path("wrong.arch").write_text(wrong)
    Path("wide.arch").write_text(GOOD.replace("conv 3x3", "conv   3x3"))
    ran = cli("fmt", "wrong.arch", "wide.arch")
    assert ran.code == 1
    assert "wrong.arch:4:5: error[body-under-call]" in ran.err
    assert Path("wrong.arch").read_text() == wrong
    assert "conv 3x3, 8\n" in Path("wide.arch").read_text()


def test_fmt_lays_out_and_check_only_tells(cli: Cli) -> None:
    messy = GOOD.replace("conv1: conv 3x3, 8", "conv1:    conv 3x3,8")
    Path("messy.arch").write_text(messy)
    assert cli("fmt", "messy.arch", "--check").code == 1
    assert Path("messy.arch").read_text() == messy
    assert cli("fmt", "messy.arch").code == 0
    laid_out = Path("messy.arch").read_text()
    assert laid_out != messy
    assert cli("fmt", "messy.arch", "--check") == Ran(0, "", "")
    assert Path("messy.arch").read_text() == laid_out


def test_convert_there_and_back(cli: Cli) -> None:
    assert cli("fmt", "good.arch").code == 0
    assert cli("convert", "good.arch", "good2.yaml").code == 0
    assert cli("convert", "good2.yaml", "back.arch").code == 0
    assert Path("back.arch").read_text() == Path("good.arch").read_text()
    assert "network: tiny" in Path("good2.yaml").read_text()


def test_shipped_networks_are_listed_with_the_numbers_that_torchvision_publishes(cli: Cli) -> None:
    ran = cli("list")
    assert ran.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in ran.out.splitlines()}
    assert rows["resnet18"] == ["3x224x224", "11,689,512", "1,814,073,344"]


def test_ops_are_listed_and_told(cli: Cli) -> None:
    listed = cli("ops")
    assert listed.code == 0
    assert any(line.split()[:3] == ["conv", "kernel,", "out"] for line in listed.out.splitlines())
    told = cli("ops", "conv").out
    assert told.startswith("conv kernel, out\n")
    assert "a whole number of at least 1" in told
    wrong = cli("ops", "cnv")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean `conv`?" in wrong.err


def test_codes_are_explained(cli: Cli) -> None:
    ran = cli("explain", "unknown-op")
    assert ran.code == 0
    assert ran.out.startswith("error[unknown-op]\n\n")
    assert cli("explain", "unknown-opp").code == 2


def test_the_schema_is_json(cli: Cli) -> None:
    assert json.loads(cli("schema").out)["title"] == "archdsl network"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["build", "good.arch", "--sumary"], "--summary"),
        (["biuld", "good.arch"], "build"),
        (["build"], "`archdsl build --help`"),
        (["build", "good.arch", "--depth", "x"], "--depth"),
        (["build", "good.arch", "--format", "xml"], "table"),
        (["build", "good.arch", "--set", "classes"], "NAME=VALUE"),
        (["build", "good.arch", "--set", "classes=1.5"], "--set:1:9: error[wrong-type]"),
        (["build", "good.arch", "--set", "class=1"], "did you mean `classes`?"),
        (["build", "good.arch", "--input", "abc"], "--input:1:1: error[input-expected]: `abc` is no input"),
        (["build", "good.arch", "--input", ""], "`(nothing)` is no input"),
        (["build", "good.arch", "--input", "3x9999999999x3"], "at most nine digits"),
        (["build", "good.arch", "-o", "tiny.exe"], ".py"),
        (["build", "good.arch", "-o", "nowhere/tiny.py"], "the folder `nowhere` doesn't exist"),
        (["build", "godo.arch"], "did you mean `good.arch`?"),
        (["check", "bad.arch", "missing.arch"], "there is no file `missing.arch`"),
        (["convert", "good.arch", "good.toml"], ".yaml or .arch"),
        ([], "Usage: archdsl"),
    ],
)
def test_wrong_usage_is_two_and_tells_the_way_out(cli: Cli, args: list[str], told: str) -> None:
    ran = cli(*args)
    assert ran.code == 2
    assert ran.out == ""
    assert told in ran.err


@pytest.mark.parametrize("args", [["--help"], ["build", "--help"], ["-h"], ["--version"]])
def test_what_was_asked_for_is_a_result(cli: Cli, args: list[str]) -> None:
    ran = cli(*args)
    assert ran.code == 0
    assert "archdsl" in ran.out
    assert ran.err == ""


def test_explain_takes_a_code_as_it_is_told(cli: Cli) -> None:
    assert cli("explain", "error[shape-mismatch]") == cli("explain", "shape-mismatch")


def test_our_bug_is_seventy_and_says_what_to_report() -> None:
    planted = "import archdsl\ndef load(*args, **settings): return 1 // 0\narchdsl.load = load"
    ran = process("build", "x", code=planted)
    assert ran.code == 70
    assert "ZeroDivisionError" in ran.err
    assert "bug in archdsl" in ran.err
    assert "Traceback" not in ran.err
    ran = process("build", "x", code=f"import os\nos.environ['ARCHDSL_TRACEBACK'] = '1'\n{planted}")
    assert ran.code == 70
    assert "Traceback" in ran.err


def test_ctrl_c_is_130_and_silent() -> None:
    planted = "import archdsl\ndef load(*args, **settings): raise KeyboardInterrupt\narchdsl.load = load"
    assert process("build", "x", code=planted) == Ran(130, "", "")


def test_a_reader_that_goes_away_is_no_trouble() -> None:
    ran = process("schema", shell="| true; echo ${PIPESTATUS[0]}")
    assert ran == Ran(0, "0\n", "")


@pytest.mark.parametrize("nowhere", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_can_read_are_still_told_by_the_code(tmp_path: Path, nowhere: str) -> None:
    (tmp_path / "bad.arch").write_text(BAD)
    ran = process("check", "bad.arch", shell=f"{nowhere}; echo $?", cwd=tmp_path)
    assert ran.out == "1\n"


def test_an_interrupt_that_a_library_turns_into_its_own_error_is_still_130() -> None:
    planted = (
        "import archdsl, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "def load(*args, **settings):\n"
        "    try: os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt: raise AttributeError('half imported')\n"
        "archdsl.load = load"
    )
    assert process("build", "x", code=planted) == Ran(130, "", "")


def test_a_full_disk_behind_the_output_is_three() -> None:
    ran = process("schema", shell="> /dev/full")
    assert ran.code == 3
    assert ran.err == "error: can't use `standard output`: the disk is full\n"


def test_a_terminal_without_the_letters_gets_them_escaped(tmp_path: Path) -> None:
    (tmp_path / "grün.arch").write_text(BAD)
    ran = process("check", "grün.arch", code="import sys\nsys.stderr.reconfigure(encoding='ascii')", cwd=tmp_path)
    assert ran.code == 1
    assert ran.err.startswith("gr\\xfcn.arch:3:10: error[unknown-op]")


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not console.colour()
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert not console.colour()


def test_the_width_is_the_terminal_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert console.width(sys.stderr) == 72
    monkeypatch.delenv("COLUMNS")
    assert console.width(sys.stderr) == 100
