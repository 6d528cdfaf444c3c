"""The house stays in order: imports go one way, torch is in one corner, ops are named in one folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import archdsl
from archdsl.ops import OPS
from archdsl.syntax.words import CONSTRUCTS

PACKAGE = Path(archdsl.__file__).parent
# A part (a module or a sub-package) imports from itself and from rows above its own.
ROWS = (
    ("source", "trace", "dims", "failure", "suggest", "undisturbed", "version"),
    ("diagnostics", "shape", "files"),
    ("ops", "render", "console", "library", "schema"),
    ("syntax", "ir"),
    ("expand", "taps", "analysis", "optimize"),
    ("emit", "recipe"),
    ("runtime",),
    ("compiler",),
    ("train",),
    ("archdsl",),  # the package's own __init__
    ("listing", "explain", "solve", "docs"),
    ("cli",),
    ("__main__",),
)
ROW = {part: number for number, row in enumerate(ROWS) for part in row}
TORCH = ("torch", "torchvision", "lightning", "onnx", "onnxruntime", "onnxscript", "safetensors")
WITH_TORCH = ("runtime", "train")
# What ops may know; their own helpers stand in ops/ too.
FOR_OPS = ("ops", "dims", "shape", "trace")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def part_of(path: Path) -> str:
    """The module or sub-package of a file: `ops` for ops/conv.py, `archdsl` for the package's own __init__."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "archdsl" if first == "__init__" else first


def running(node: ast.AST) -> Iterator[ast.AST]:
    """A tree's nodes, without what only type checkers see."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from running(child)


def imported(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a module imports, wherever the import stands."""
    for node in running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where things come from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(tree: ast.Module) -> set[str]:
    """The parts of our own package that a module imports."""
    names = (name.split(".") for name in imported(tree))
    ours = (name[1] if len(name) > 1 else "archdsl" for name in names if name[0] == "archdsl")
    return {part if part in ROW else "archdsl" for part in ours}


def named_ops(tree: ast.Module, ops: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Line and name wherever an op's name is compared with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides: list[ast.AST] = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        else:
            continue
        for side in sides:
            items = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
            for item in items:
                if isinstance(item, ast.Constant) and item.value in ops:
                    yield item.lineno, item.value


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in ROW, f"give `{part}` its place in ROWS"
    wrong = [other for other in parts_imported(tree(path)) if other != part and ROW[other] >= ROW[part]]
    assert not wrong, f"{name_of(path)} imports {wrong}, which come after it"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_torch_stays_in_its_corner(path: Path) -> None:
    heavy = {name for name in imported(tree(path)) if name.split(".")[0] in TORCH}
    assert not heavy or part_of(path) in WITH_TORCH


@pytest.mark.parametrize("path", sorted((PACKAGE / "ops").glob("*.py")), ids=name_of)
def test_ops_know_shapes_and_settings_only(path: Path) -> None:
    assert parts_imported(tree(path)) <= set(FOR_OPS)
    if path.stem in ("base", "settings"):
        assert not [name for name in imported(tree(path)) if name.startswith("archdsl.ops.") and "settings" not in name]


# The words of constructs are the language's own, even where an op shares one.
NAMES = frozenset(op.name for op in OPS) - CONSTRUCTS


@pytest.mark.parametrize("path", [path for path in modules() if part_of(path) != "ops"], ids=name_of)
def test_nobody_else_names_an_op(path: Path) -> None:
    assert not list(named_ops(tree(path), NAMES))


def test_these_tests_see_what_they_look_for() -> None:
    """A test of the tests: each finds a planted offence."""
    planted = ast.parse(
        "from archdsl.cli import main\n"
        "if TYPE_CHECKING:\n"
        "    import onnx\n"
        "def f(op):\n"
        "    import torch.nn\n"
        "    match op:\n"
        "        case 'linear': pass\n"
        "    return op == 'conv' or op in ('relu', 'x')\n"
    )
    assert parts_imported(planted) == {"cli"}
    assert list(imported(planted)) == ["archdsl.cli.main", "torch.nn"]
    assert sorted(named_ops(planted, frozenset({"conv", "relu", "linear"}))) == [
        (7, "linear"),
        (8, "conv"),
        (8, "relu"),
    ]
    assert {"conv", "relu", "linear"} <= NAMES


def loaded(code: str, *, path: Path | None = None) -> set[str]:
    """The top-level modules that a fresh process has after running some code."""
    report = "import sys; print('\\n'.join({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", f"import atexit\natexit.register(lambda: exec({report!r}))\n{code}"],
        cwd=path,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stderr.splitlines())


LIGHT = {
    "import": "import archdsl",
    "command line": "import archdsl.cli",
    "summary": "from archdsl.cli import run; assert not run(['build', 'googlenet', '--summary'])",
    "check": "from archdsl.cli import run; assert not run(['check', 'googlenet'])",
    "fmt": "from archdsl.cli import run; assert not run(['fmt', '--check', 'googlenet'])",
}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_torch_isn_t_loaded_where_nothing_runs(code: str) -> None:
    assert not loaded(code) & {"torch", "numpy", "rich", "lightning"}


def test_the_fresh_process_would_show_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").touch()
    assert "torch" in loaded("import torch", path=tmp_path)
