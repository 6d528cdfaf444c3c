"""What several commands take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from archdsl.failure import WrongUsage

if TYPE_CHECKING:
    from archdsl.compiler import Network

Spec = Annotated[str, typer.Argument(metavar="SPEC", help="A file, or the name of a shipped network.")]
Trained = Annotated[
    str, typer.Argument(metavar="SPEC|RUN", help="A file, the name of a shipped network, or the folder of a run.")
]
Specs = Annotated[list[str], typer.Argument(metavar="SPEC...", help="Files, or names of shipped networks.")]
Input = Annotated[str | None, typer.Option(metavar="CxHxW", help="Another input size, such as 3x96x96.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter's value; repeatable.")]
Weights = Annotated[
    str | None, typer.Option(metavar="FILE", help="Weights to load: .pth, .pt or .safetensors, a path or a URL.")
]
Head = Annotated[
    Literal["keep", "new"], typer.Option(help="new: draw the last layers where the file has other classes.")
]
Depth = Annotated[int | None, typer.Option(min=0, metavar="N", help="How many levels of names to show.")]
Theme = Annotated[Literal["light", "dark", "print", "transparent"], typer.Option(help="print: in grey.")]
Outputs = Annotated[
    str | None, typer.Option(metavar="STEP,...", help="Steps to return, by their names: layer2,layer4.")
]


@contextmanager
def extra(command: str) -> Iterator[None]:
    """Imports of what the extra `train` brings. Raises WrongUsage for what isn't installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "archdsl":
            raise
        raise WrongUsage(f"`{command}` needs {error.name}", help="pip install 'archdsl[train]'") from error


def settings(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` options as parameters; the values are expressions of the language."""
    found = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not (equals and name.strip().isidentifier() and value.strip()):
            raise WrongUsage(f"`--set {setting}` isn't NAME=VALUE", help="such as `--set classes=10`")
        found[name.strip()] = value.strip()
    return found


def cut(network: Network, outputs: str | None) -> Network:
    """The network up to the steps of an `--outputs` option, if it was given."""
    return network if outputs is None else network.at(*(name.strip() for name in outputs.split(",")))
