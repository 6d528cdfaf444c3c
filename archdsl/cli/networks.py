"""What a network is, tells and becomes: `build`, `diagram`, `solve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from archdsl import console
from archdsl.cli.options import Depth, Head, Input, Outputs, Set, Spec, Theme, Weights, cut, settings
from archdsl.failure import WrongUsage
from archdsl.files import write_atomically


def build(
    spec: Spec,
    *,
    summary: Annotated[bool, typer.Option("--summary", help="Print the layers (the default without -o).")] = False,
    depth: Depth = None,
    full: Annotated[bool, typer.Option("--full", help="Unfold repeated layers.")] = False,
    input: Input = None,
    set: Set = None,
    outputs: Outputs = None,
    macs: Annotated[Literal["exact", "torchinfo"], typer.Option(help="How to count multiply-accumulates.")] = "exact",
    format: Annotated[Literal["table", "json", "csv"], typer.Option(help="How to print the layers.")] = "table",
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write .py, .pt2, .onnx or .safetensors; repeatable."),
    ] = None,
    weights: Weights = None,
    head: Head = "keep",
    optimize: Annotated[
        bool, typer.Option("--optimize", help="For inference: batch norms folded, convolutions joined.")
    ] = False,
) -> None:
    """Compiles a network: prints its summary, writes PyTorch source, weights or a program."""
    import archdsl

    if output:
        from archdsl.runtime import export

        for path in output:  # before the work
            export.check(path)
    if head == "new" and weights is None:
        raise WrongUsage("`--head new` is for weights", help="give them with `--weights FILE`")
    if weights and all(path.suffix == ".py" for path in output or ()):
        raise WrongUsage("`--weights` go into a file", help="such as `-o model.onnx` or `-o model.safetensors`")
    network = cut(archdsl.load(spec, input=input, **settings(set or ())), outputs)
    network = network.optimized() if optimize else network
    if output:
        export.write(network, *output, weights=weights, head=head)
    if summary or not output:
        width = console.width(sys.stdout)
        console.out(network.summary(depth=depth, full=full, macs=macs, format=format, width=width))


def diagram(
    spec: Spec,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .svg, .png, .pdf, .html, .dot, .mmd.")
    ],
    depth: Depth = None,
    block: Annotated[str | None, typer.Option(metavar="NAME", help="Draw this block only.")] = None,
    style: Annotated[
        Literal["boxes", "volumes"], typer.Option(help="volumes: feature maps in perspective, sized by their shapes.")
    ] = "boxes",
    direction: Annotated[Literal["down", "right"], typer.Option(help="Where tensors flow.")] = "down",
    fit: Annotated[
        Literal["slide", "column"], typer.Option(help="slide: as wide as a screen; column: as narrow as may be.")
    ] = "slide",
    theme: Theme = "light",
    numbers: Annotated[bool, typer.Option("--numbers", help="Tell parameters and MACs.")] = False,
    input: Input = None,
    set: Set = None,
    outputs: Outputs = None,
) -> None:
    """Draws a network."""
    import archdsl
    from archdsl.emit.graph import FORMATS, one_of

    network = cut(archdsl.load(spec, input=input, **settings(set or ())), outputs)
    if output.suffix == ".html":
        chosen = (depth, block, style, direction, fit, theme, numbers)
        if chosen != (None, None, "boxes", "down", "slide", "light", False):
            raise WrongUsage("a page is made in one way", help="blocks open and close on it, in light and in dark")
        write_atomically(output, network.page().html)
        return
    drawn, format = network.diagram(depth=depth, block=block), output.suffix.removeprefix(".")
    if style == "boxes":
        one_of("format", format, (*FORMATS, "html"))
    if style == "volumes":
        if numbers or direction != "down" or fit != "slide":
            raise WrongUsage("`--style volumes` is drawn in one way", help="leave --numbers, --direction and --fit out")
        write_atomically(output, drawn.volumes(format, theme=theme))
        return
    picture = drawn.render(format, theme=theme, direction=direction, fit=fit, numbers=numbers)
    write_atomically(output, picture)


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

    found = solver.solve(spec, param, match, input=input, params=settings(set or ()))
    console.out(solver.report(found))
