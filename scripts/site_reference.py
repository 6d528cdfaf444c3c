"""The reference: operations, the language's words, commands and the Python API, from the code itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import typer

import archdsl
from archdsl import listing
from archdsl.cli import app
from archdsl.compiler import Network
from archdsl.diagnostics import Diagnostic
from archdsl.expand.functions import FUNCTIONS
from archdsl.ops import OPS
from archdsl.syntax import spec, words

FAMILIES = {
    "conv": "Convolutions",
    "linear": "Linear layers",
    "pool": "Pools",
    "norm": "Norms",
    "activation": "Activations",
    "dropout": "Dropout",
    "attention": "Attention",
    "windows": "Attention in windows",
}
CONSTRUCTS = (
    *(spec.Step, spec.Call, spec.Group, spec.Repeat, spec.For, spec.Merge, spec.Residual, spec.Shortcut, spec.Dense),
    *(spec.Output, spec.From, spec.Let, spec.Unused, spec.BlockDef, spec.Param, spec.Settings, spec.Section),
)
WIDE = 76  # letters that a page shows without a bar to scroll
# A call of each function; the values are computed.
CALLS = (
    *(
        "min(3, 5)",
        "max([3, 5])",
        "sum([1, 2, 3])",
        "len([4, 5, 6])",
        "int(2.9)",
        "round(2.6)",
        "ceil(2.1)",
        "floor(2.9)",
    ),
    *("sqrt(16)", "abs(-3)", "divisible(30, 8)", "divisible(9, 8)"),
)


def files() -> dict[str, str | bytes]:
    """File name -> content."""
    return {"ops.md": ops(), "words.md": language_words(), "commands.md": commands(), "python.md": python()}


def ops() -> str:
    """All operations by family, each as `archdsl ops NAME` tells it."""
    lines = [
        "# Operations",
        "",
        "What `archdsl ops` and `archdsl ops NAME` tell. In brackets stand values that a call may leave out, with",
        "their defaults; settings are given by name.",
        "",
        *_code("text", listing.ops()),
    ]
    families: dict[str, list[str]] = {}
    for kind in OPS:
        families.setdefault(kind.__module__.rpartition(".")[2], []).append(kind.name)
    for family, names in families.items():
        lines += [f"## {FAMILIES.get(family, family.capitalize())}", ""]
        for name in names:
            heading, _, rest = listing.op(name).partition("\n\n")
            about, _, table = rest.partition("\n\nsetting ")
            lines += [f"### `{name}`", "", f"`{heading}`", "", about, ""]
            lines += _code("text", f"setting {table}") if table else []
    return "\n".join(lines)


def language_words() -> str:
    """Constructs, functions and kept words."""
    lines = [
        "# Words and functions",
        "",
        "[The language](../language.md) explains them; this list is made from the code.",
        "",
        "## Constructs",
        "",
    ]
    for kind in CONSTRUCTS:
        lines += [f"- **{kind.__name__}**: {escaped(' '.join(inspect.cleandoc(kind.__doc__ or '').split()))}"]
    lines += ["", "## Functions", "", "| call | value |", "|---|---:|"]
    assert {call.partition("(")[0] for call in CALLS} == set(FUNCTIONS), "a call of each function"
    lines += [f"| `{call}` | {_value(call)} |" for call in CALLS]
    for title, kept in (
        ("First words of constructs", words.CONSTRUCTS),
        ("First words of a file's lines", words.FILE_WORDS),
        ("Words of expressions", words.EXPRESSION_WORDS),
        ("Names that are given", words.GIVEN),
        ("Types of parameters", words.TYPES),
        ("Axes", words.AXES),
    ):
        lines += ["", f"## {title}", "", ", ".join(f"`{word}`" for word in sorted(kept))]
    return "\n".join((*lines, ""))


def _value(call: str) -> int:
    """What the compiler makes of a call, as a number of channels."""
    (output,) = archdsl.loads(f"net n\n  input 1x1x1\n  conv 1x1, {call}\n").outputs
    return output.channels


def commands() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    lines = [
        "# Commands",
        "",
        "`archdsl COMMAND --help` shows the same. Exit codes: 0 good, 1 the spec is wrong, 2 wrong usage, 3 the run",
        "failed, 130 Ctrl-C, 70 a bug in archdsl.",
        "",
    ]
    group = typer.main.get_command(app())
    context = typer.Context(group, info_name="archdsl")
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        inner = typer.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(inner))
        lines += [
            f"## `archdsl {name}`",
            "",
            (command.help or "").strip(),
            "",
            *_code("text", f"archdsl {name} {usage}"),
        ]
        rows = [record for one in command.get_params(inner) if (record := one.get_help_record(inner))]
        if rows:
            lines += [
                "| | |",
                "|---|---|",
                *(f"| `{_cell(names)}` | {_cell(escaped(about))} |" for names, about in rows),
            ]
            lines += [""]
    return "\n".join(lines)


def python() -> str:
    """The public names of the package, from their docstrings."""
    lines = ["# The Python interface", "", inspect.cleandoc(archdsl.__doc__ or ""), ""]
    functions = [archdsl.load, archdsl.loads]
    for function in functions:
        lines += _told(f"archdsl.{function.__name__}", function, 2)
    for kind in (Network, archdsl.SpecError, Diagnostic, archdsl.Failure, archdsl.WrongUsage):
        lines += [f"## `archdsl.{kind.__name__}`", "", _prose(kind.__doc__), ""]
        for name, member in vars(kind).items():
            if not name.startswith("_") and (inspect.isfunction(member) or _function_of(member)):
                lines += _told(name, member, 3)
    lines += ["## What methods give", ""]
    for kind in _results():
        fields = ", ".join(f"`{name}`" for name in kind._fields)
        lines += [f"### `{kind.__name__}`", "", _prose(kind.__doc__), "", f"Fields: {fields}.", ""]
        for name, member in vars(kind).items():
            if not name.startswith("_") and inspect.isfunction(member):
                lines += _told(name, member, 4)
    return "\n".join(lines)


def _results() -> tuple[type, ...]:
    from archdsl.analysis.cost import Cost
    from archdsl.analysis.memory import Memory
    from archdsl.analysis.outputs import OutputFacts
    from archdsl.analysis.requirements import Requirements
    from archdsl.emit.graph import Diagram
    from archdsl.emit.page import Page

    return Cost, Memory, OutputFacts, Requirements, Diagram, Page


def _told(name: str, member: object, level: int) -> list[str]:
    """A function or property with its signature and docstring."""
    function = _function_of(member)
    if function is None:
        signature = f"{name}{inspect.signature(member)}"  # type: ignore[arg-type]
        text = inspect.getdoc(member)
    else:
        given = inspect.signature(function).return_annotation
        signature, text = f"{name}: '{given}'", inspect.getdoc(function)
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature).replace("(self, ", "(").replace("(self)", "()")
    return [f"{'#' * level} `{name}`", "", *_code("python", _in_lines(signature)), _prose(text), ""]


def _in_lines(signature: str) -> str:
    """A long signature with a parameter a line."""
    if len(signature) <= WIDE:
        return signature
    name, _, rest = signature.partition("(")
    given, _, result = rest.rpartition(")")
    parameters = re.split(r", (?![^\[]*\])", given)
    return "\n".join((f"{name}(", *(f"    {parameter}," for parameter in parameters), f"){result}"))


def _function_of(member: object) -> object:
    """The function behind a property."""
    if isinstance(member, property):
        return member.fget
    return getattr(member, "func", None)


def _prose(text: str | None) -> str:
    return escaped(inspect.cleandoc(text or ""))


def escaped(text: str) -> str:
    """Outside of code, signs that Markdown would take for its own."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", text.rstrip(), "```", "")
