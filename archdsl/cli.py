"""The command line: options in, one call, output out.

Exit codes: 0 good, 1 the spec is wrong, 2 wrong usage, 3 the run failed, 130 Ctrl-C, 70 our bug.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from archdsl import console
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.failure import Failure, WrongUsage
from archdsl.files import explain as explain_error
from archdsl.files import write_atomically
from archdsl.version import VERSION

if TYPE_CHECKING:
    from archdsl.syntax.spec import Spec as Tree

SPEC_WRONG, USAGE_WRONG, BUG, INTERRUPTED = 1, 2, 70, 130

app = typer.Typer(
    rich_markup_mode=None,  # importing rich would take longer than compiling the network
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Spec = Annotated[str, typer.Argument(metavar="SPEC", help="A file, or the name of a shipped network.")]
Specs = Annotated[list[str], typer.Argument(metavar="SPEC...", help="Files, or names of shipped networks.")]
Input = Annotated[str | None, typer.Option(metavar="CxHxW", help="Another input size, such as 3x96x96.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter's value; repeatable.")]
Depth = Annotated[int | None, typer.Option(min=0, metavar="N", help="How many levels of names to show.")]


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Compiles network architectures written as in the paper: shapes, counts, diagrams, PyTorch."""
    if version:
        console.out(f"archdsl {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.err(context.get_help())
        raise typer.Exit(USAGE_WRONG)


@app.command()
def build(
    spec: Spec,
    *,
    summary: Annotated[bool, typer.Option("--summary", help="Print the layers (the default without -o).")] = False,
    depth: Depth = None,
    full: Annotated[bool, typer.Option("--full", help="Unfold repeated layers.")] = False,
    input: Input = None,
    set: Set = None,
    macs: Annotated[Literal["exact", "torchinfo"], typer.Option(help="How to count multiply-accumulates.")] = "exact",
    format: Annotated[Literal["table", "json", "csv"], typer.Option(help="How to print the layers.")] = "table",
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write .py, .pt2, .onnx or .safetensors; repeatable."),
    ] = None,
) -> None:
    """Compiles a network: prints its summary, writes PyTorch source, weights or a program."""
    import archdsl

    if output:
        from archdsl.runtime import export

        for path in output:  # before the work
            export.check(path)
    network = archdsl.load(spec, input=input, **_settings(set or ()))
    if output:
        export.write(network, *output)
    if summary or not output:
        width = console.width(sys.stdout)
        console.out(network.summary(depth=depth, full=full, macs=macs, format=format, width=width))


@app.command()
def check(
    specs: Specs,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    format: Annotated[
        Literal["full", "concise", "json", "github"], typer.Option(help="How to print; json goes to standard output.")
    ] = "full",
) -> None:
    """Tells every error and warning of all files in one run."""
    from archdsl import library
    from archdsl.render import in_order, render, unsilenced

    for spec in specs:
        library.find(spec)
    # A file that several of them extend or use tells its mistakes once.
    found = in_order(unsilenced(dict.fromkeys(one for spec in specs for one in diagnostics_of(spec))))
    text = render(found, format, width=console.width(sys.stderr), colour=console.colour())
    if format == "json":
        console.out(text)
    elif found:
        console.err(text)
    errors = sum(one.severity == "error" for one in found)
    if format == "full":
        counts = (_count(errors, "error"), _count(len(found) - errors, "warning"))
        console.err(f"{_count(len(specs), 'file')} checked: {', '.join(counts)}")
    if errors or (strict and found):
        raise typer.Exit(SPEC_WRONG)


@app.command()
def diagram(
    spec: Spec,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .svg, .png, .dot, ...")],
    depth: Depth = None,
    block: Annotated[str | None, typer.Option(metavar="NAME", help="Draw this block only.")] = None,
    input: Input = None,
    set: Set = None,
) -> None:
    """Draws a network."""
    import archdsl

    network = archdsl.load(spec, input=input, **_settings(set or ()))
    write_atomically(output, network.diagram(depth=depth, block=block).render(output.suffix.removeprefix(".")))


@app.command()
def fmt(
    specs: Specs,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if something would change.")] = False,
) -> None:
    """Lays files out in the one canonical way; comments stay."""
    from archdsl import library
    from archdsl.syntax.read import read_file

    changed = False
    wrong: list[Diagnostic] = []
    for path in [library.find(spec) for spec in specs]:
        try:
            after = _printed(read_file(path), path.suffix)
        except SpecError as error:  # the other files are laid out all the same
            wrong += error.diagnostics
            continue
        if path.read_bytes() == after.encode():
            continue
        changed = True
        if check:
            console.err(f"{path}: would be laid out anew")
        else:
            write_atomically(path, after)
    if wrong:
        raise SpecError(*wrong)
    if check and changed:
        raise typer.Exit(SPEC_WRONG)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A file, or the name of a shipped network.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A .yaml or .arch file.")],
) -> None:
    """Rewrites a spec in the other spelling, YAML or text."""
    from archdsl import library
    from archdsl.syntax.read import read_file

    if target.suffix not in library.SUFFIXES:
        raise WrongUsage(f"can't tell the spelling of `{target}`", help="the name must end in .yaml or .arch")
    write_atomically(target, _printed(read_file(library.find(source)), target.suffix))


@app.command()
def solve(
    spec: Spec,
    *,
    param: Annotated[str, typer.Option(metavar="NAME", help="The parameter to vary, a number.")],
    match: Annotated[
        str,
        typer.Option(metavar="BUDGET", help="weights=36.7M, or params, macs, memory; or another network's name."),
    ],
    input: Input = None,
    set: Set = None,
) -> None:
    """Finds the value of a parameter that comes nearest to a budget."""
    from archdsl import solve as solver

    found = solver.solve(spec, param, match, input=input, params=_settings(set or ()))
    console.out(solver.report(found))


@app.command()
def schema() -> None:
    """Prints a JSON schema of the YAML spelling, for editors."""
    from archdsl.schema import schema as made

    console.out(json.dumps(made(), indent=2))


@app.command("list")
def list_networks() -> None:
    """Lists the shipped networks with input, parameters and MACs."""
    from archdsl import listing

    for line in listing.networks():
        console.out(line)


@app.command()
def ops(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="All about this one.")] = None) -> None:
    """Lists the operations with their values and settings."""
    from archdsl import listing

    console.out(listing.op(name) if name else listing.ops())


@app.command()
def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="As in error[shape-mismatch].")]) -> None:
    """Tells what an error or warning means, with an example and the fix."""
    from archdsl.explain import page

    console.out(page(code))


def diagnostics_of(spec: str) -> tuple[Diagnostic, ...]:
    """All errors and warnings of one spec."""
    import archdsl

    try:
        return archdsl.load(spec).check()
    except SpecError as wrong:
        return wrong.diagnostics


def _printed(spec: Tree, suffix: str) -> str:
    """A spec in the spelling of a file's suffix."""
    from archdsl.syntax.printer import print_text, print_yaml

    return print_text(spec) if suffix == ".arch" else print_yaml(spec)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _settings(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` options as parameters; the values are expressions of the language."""
    settings = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not (equals and name.strip().isidentifier() and value.strip()):
            raise WrongUsage(f"`--set {setting}` isn't NAME=VALUE", help="such as `--set classes=10`")
        settings[name.strip()] = value.strip()
    return settings


def main() -> NoReturn:
    """Runs the command line and exits with its code."""
    _start_quickly()
    console.prepare()
    sys.excepthook = _bug
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # elsewhere somebody wants it ignored
        signal.signal(signal.SIGINT, _interrupted)
    try:
        sys.exit(run(sys.argv[1:]))
    except console.Closed:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _start_quickly() -> None:
    """A command lives for a fifth of a second, a quarter of which these two would take."""
    gc.set_threshold(100_000)
    # Looking for plugins, pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def run(args: Sequence[str]) -> int:
    """The exit code of a command line; mistakes in specs and in usage are told on standard error."""
    try:
        code = typer.main.get_command(app)(list(args), prog_name="archdsl", standalone_mode=False)
    except SpecError as error:
        from archdsl.render import in_order, render, unsilenced

        found = in_order(unsilenced(error.diagnostics))
        console.err(render(found, width=console.width(sys.stderr), colour=console.colour()))
        asked = all(one.span.source.name.startswith("--") for one in found)  # it stands in an option, not in a spec
        return USAGE_WRONG if asked else SPEC_WRONG
    except Failure as failure:
        console.err(f"error: {failure}")
        return failure.exit_code
    except typer.TyperException as wrong:
        told = wrong.format_message().replace("Value error, ", "")  # pydantic's way to put it
        console.err(f"error: {told}\n  help: `archdsl {_command(args)}--help`")
        return USAGE_WRONG
    except OSError as error:
        if error.filename is None:
            raise
        trouble = explain_error(error, error.filename)
        console.err(f"error: {trouble}")
        return trouble.exit_code
    return code or 0


def _command(args: Sequence[str]) -> str:
    known = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    return f"{args[0]} " if args and args[0] in known else ""


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C, once more an exception; whatever torch makes of it on its way up is then not told as a bug."""
    sys.excepthook = lambda kind, error, trace: sys.exit(INTERRUPTED)
    raise KeyboardInterrupt


def _bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python calls for an exception that nobody caught: here always a bug of ours."""
    if os.environ.get("ARCHDSL_TRACEBACK"):
        sys.__excepthook__(kind, error, trace)
    else:
        console.err(
            f"archdsl: internal error: {kind.__name__}: {error}\n"
            "This is a bug in archdsl, not in your spec. Please report it with the spec, the command line and what\n"
            "the same command prints with ARCHDSL_TRACEBACK=1 set."
        )
    sys.exit(BUG)
