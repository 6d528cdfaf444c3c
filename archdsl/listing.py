"""What there is: the shipped networks, and the ops told from their own classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

import archdsl
from archdsl import library
from archdsl.failure import WrongUsage
from archdsl.ops import OPS
from archdsl.ops.base import REQUIRED, Field, Op
from archdsl.ops.settings import SettingError, show
from archdsl.suggest import did_you_mean
from archdsl.syntax.read import read_file


def networks() -> Iterator[str]:
    """A line for each shipped network, told as soon as it is known: name, input, parameters, MACs."""
    width = max(map(len, library.names()), default=0)
    yield f"{'name':{width}}  {'input':>13}  {'params':>13}  {'MACs':>15}"
    for name, path in library.shipped().items():
        if read_file(path).network is not None:
            facts = archdsl.load(name).to_json()
            size = ", ".join("x".join(map(str, shape)) for shape in facts["inputs"].values())
            yield f"{name:{width}}  {size:>13}  {facts['params']:>13,}  {facts['macs']:>15,}"


def ops() -> str:
    """All ops: the name, the values in order, the settings with their defaults."""
    rows = [(kind.name, ", ".join(_values(kind)), ", ".join(_settings(kind))) for kind in OPS]
    return _table(("op", "values", "settings"), sorted(rows))


def op(name: str) -> str:
    """All about an op; raises WrongUsage for an unknown name."""
    known = {kind.name: kind for kind in OPS}
    if name not in known:
        near = did_you_mean(name, known)
        raise WrongUsage(f"no op is called `{name}`", help=f"did you mean `{near}`?" if near else "see `archdsl ops`")
    kind = known[name]
    fields = kind.settings().values()
    rows = [(field.name, "" if field.default is REQUIRED else show(field.default), _accepts(field)) for field in fields]
    table = _table(("setting", "default", "is"), rows) if fields else ""
    heading = f"{name} {', '.join(_values(kind))}".rstrip()
    return f"{heading}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n\n{table}".rstrip()


def _values(kind: type[Op]) -> Iterator[str]:
    """What calls give in order; in brackets, with its default, what they may leave out."""
    for name in kind.values():
        default = kind.settings()[name].default
        yield name if default is REQUIRED else f"[{name}]" if default is None else f"[{name} {show(default)}]"


def _settings(kind: type[Op]) -> Iterator[str]:
    """What calls give by name, with its default."""
    for field in kind.settings().values():
        if field.name not in kind.values():
            yield f"{field.name} {show(field.default)}"


def _accepts(field: Field) -> str:
    """What a setting can be, in the words that its converter refuses other things with."""
    try:
        field.convert(object(), field.name)
    except SettingError as refused:
        return refused.expected
    return "anything"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest entry, two blanks apart."""
    lines = [heading, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)
