"""The commands that write files, as scenarios for `faults`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from faults import Scenario, cli, contents, ran, tried

TINY = b"""\
net tiny (classes = 10)
  input 1x8x8
  conv: conv 3x3, 4
  bn: batchnorm
  relu
  flatten
  dropout 0.2
  fc: linear classes
  train
    data digits
    batch 720
    epochs 2
    augment
      shift 1
"""
UNTIDY = b"net   tiny\n  input 1x8x8\n  conv: conv   3x3,4\n"
OLD = b"what stood there before\n"
TRAIN = Scenario(
    "train",
    {"tiny.arch": TINY},
    cli("train", "tiny.arch", "--folder", "run", "--resume", "--device", "cpu"),
    ("run/weights.safetensors", "run/spec/tiny.arch", "run/run.json"),
    growing=("run/metrics.csv",),
    others=r"run/tensorboard/events\.out\..*",
)


def _fence() -> int:
    from archdsl.docs.fence import Fence, WrongFence, drawn

    try:
        page = drawn(Fence(Path("page.md"), 1, "lenet"), Path("cache"))
    except WrongFence as wrong:
        print(f"error: {wrong}")
        return wrong.exit_code
    assert "</svg>" in page.html
    return 0


def _picture(suffix: str) -> Scenario:
    name = f"net.{suffix}"
    return Scenario(f"diagram .{suffix}", {name: OLD}, cli("diagram", "lenet", "-o", name), (name,))


QUICK = (
    Scenario("build .py", {"tiny.arch": TINY, "net.py": OLD}, cli("build", "tiny.arch", "-o", "net.py"), ("net.py",)),
    Scenario("build .py, new", {"tiny.arch": TINY}, cli("build", "tiny.arch", "-o", "net.py"), ("net.py",)),
    Scenario("fmt", {"net.arch": UNTIDY}, cli("fmt", "net.arch"), ("net.arch",)),
    Scenario(
        "convert", {"tiny.arch": TINY, "tiny.yaml": OLD}, cli("convert", "tiny.arch", "tiny.yaml"), ("tiny.yaml",)
    ),
    _picture("svg"),
    _picture("html"),
    Scenario("fence", {}, _fence, ()),
)


def _careless() -> int:
    """A command that does all of it wrong."""
    beside = Path(".net.py.01234567")
    try:
        with Path("net.py").open("w") as file:
            file.write("x = 1\n" * 5000)
        beside.write_text("half of it")
        beside.unlink()
    except OSError as error:
        print(f"Traceback: {error}")
        return 0
    return 0


CARELESS = Scenario("careless", {"net.py": OLD}, _careless, ("net.py",))


def slow() -> Iterator[Scenario]:
    """Training, and what needs a run or torch."""
    yield TRAIN
    yield from map(_picture, ("pdf", "png", "dot", "mmd"))
    with TemporaryDirectory() as base:
        folder = Path(base) / "work"
        folder.mkdir()
        (folder / "tiny.arch").write_bytes(TINY)
        assert ran(TRAIN, folder, None).code == 0
        run = {name: content for name, content in contents(folder).items() if "tensorboard" not in name}
    yield Scenario("curves", {**run, "two.png": OLD}, cli("curves", "run", "-o", "two.png"), ("two.png",))
    image = {**run, "three.png": _digit(), "maps.png": OLD}
    yield Scenario("features", image, cli("features", "run", "three.png", "-o", "maps.png"), ("maps.png",))
    for suffix in ("safetensors", "pt2", "onnx"):
        told = ("build", "tiny.arch", "--weights", "run/weights.safetensors", "-o", f"net.{suffix}")
        yield Scenario(f"build .{suffix}", {**run, f"net.{suffix}": OLD}, cli(*told), (f"net.{suffix}",))


def _digit() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (8, 8), 90).save(file, "png")
    return file.getvalue()


def main(most: int | None, names: Sequence[str]) -> int:
    """Tries faults in scenarios, those of the names or all; prints a line for each, and what did not hold."""
    wrong: list[str] = []
    for scenario in _chosen(names):
        with TemporaryDirectory() as base:
            report = tried(scenario, Path(base), most)
        print(f"{scenario.name}: {report.operations} operations, {report.faults} faults, {len(report.wrong)} wrong")
        print(*report.wrong, sep="\n", end="\n" if report.wrong else "", flush=True)
        wrong += report.wrong
    return bool(wrong)


def _chosen(names: Sequence[str]) -> Iterator[Scenario]:
    quick = {one.name: one for one in (*QUICK, TRAIN, CARELESS)}
    if names and quick.keys() >= set(names):
        yield from (quick[name] for name in names)
        return
    yield from (one for one in (*QUICK, *slow()) if not names or one.name in names)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) or None, sys.argv[2:]))
