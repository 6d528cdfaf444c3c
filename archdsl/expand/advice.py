"""Ways out of what beginners write: PyTorch's and Keras' names, orders and settings, and names of steps as calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from archdsl.ops import BY_NAME
from archdsl.ops.settings import SettingError
from archdsl.source import Span
from archdsl.suggest import did_you_mean
from archdsl.syntax.expression import Expression, Literal

if TYPE_CHECKING:
    from archdsl.expand.arguments import Paired, Signature

_KNOWN = "what enters a step is known and never written"
_INPUTS = frozenset("in in_channels in_features in_planes input_channels input_dim num_features num_channels".split())
_OUTPUTS = frozenset("filters units features channels out_planes output_channels num_outputs width".split())
_ACTIVATIONS = frozenset("activation act nonlinearity norm bn".split())
_SPELLED = (
    "a spelled-out call starts with its operation: `conv1: {conv: [3x3, 64], stride: 2}`; on one line it is"
    " `conv1: conv 3x3, 64, stride 2`"
)
_SPELLED_OUT = frozenset("type op kind layer name class_name kernel kernel_size out filters units module".split())


def for_surplus(value: str, expression: Expression, signature: Signature, given: Mapping[str, Paired]) -> str:
    """For a value that a call has no use for."""
    if value in BY_NAME:
        return f"`{value}` is a step of its own: join it to this one with `-> {value}`, or put it on the next line"
    op = BY_NAME.get(signature.callee)
    if op is None and not signature.values and not signature.settings:
        return f"it has no parameters: give it one where it is defined, `{signature.callee} (width)`"
    if not isinstance(expression, Literal) or isinstance(expression.value, (str, bool)) or expression.value is None:
        return ""
    last = list(given.values())[-1] if given else None
    named = last is not None and not last.flag and last.name not in (*signature.values, *signature.in_order)
    if last is not None and named and isinstance(last.expression, Literal):
        return f"sizes are joined by x: `{last.name} {last.expression.value}x{value}`"
    if op is not None and signature.values == ("kernel", "out") and _is_side(given["kernel"]) and _is_side(expression):
        out = given["out"].expression
        told = out.value if isinstance(out, Literal) else "out"
        return f"{_KNOWN}, so the kernel comes first, then the output channels: `{op.name} {value}, {told}`"
    if op is not None and signature.values == ("out",):
        return f"{_KNOWN}: `{op.name} {value}`"
    if op is not None and op.kind == "norm" and not signature.values:
        return f"{_KNOWN}: `{op.name}`"
    fitting = [name for name in signature.settings if name not in given and _fits(signature.callee, name, expression)]
    return f"name the setting, such as {' or '.join(f'`{name} {value}`' for name in fitting[:2])}" if fitting else ""


def _is_side(found: Paired | Literal) -> bool:
    """A whole number as in `Conv2d(3, 64, 3)`; a 2 is more likely a stride."""
    value = found if isinstance(found, Literal) else found.expression
    return isinstance(value, Literal) and isinstance(value.value, int) and value.value % 2 == 1 and value.value > 1


def _fits(callee: str, name: str, literal: Literal) -> bool:
    """Whether a setting can have a value: anything fits the parameter of a block."""
    field = BY_NAME[callee].settings().get(name) if callee in BY_NAME else None
    if field is None:
        return True
    try:
        field.convert(literal.value, name)
    except SettingError:
        return False
    return True


def for_setting(name: str, signature: Signature) -> str:
    """For a setting that the callee doesn't have."""
    known = (*signature.values, *signature.settings)
    if near := did_you_mean(name, known):
        return f"did you mean `{near}`?"
    if name in _INPUTS:
        return _KNOWN
    if name in _ACTIVATIONS and signature.callee in BY_NAME:
        return "an activation or a norm is a step of its own: `conv 3x3, 64 -> relu`, or the next line"
    # `padding` and `out_channels` are what torch calls `pad` and `out`.
    near = next((one for one in known if len(one) > 2 and name.startswith(one)), None)
    if near is None and name in _OUTPUTS and "out" in known:
        near = "out"
    return f"did you mean `{near}`?" if near else ""


def for_callee(name: str, span: Span, known: Iterable[str], labels: Iterable[str]) -> str:
    """For a call of what is no operation, block or macro; `labels`: the names of the spec's steps."""
    known = tuple(known)
    line = span.source.line(span.line)
    before, behind = line[: span.column - 1], line[span.end_column - 1 :]
    if before.rstrip(" -:").endswith(",") and not name.isidentifier():
        return "in brackets a comma separates items: put quotes around a step that holds one"
    if name in labels:
        return f"`{name}` is the name of a step: a branch goes on from it with `from: {name}`, in text `from {name}`"
    following = re.match(r" ([A-Za-z_]\w*)", behind)
    if following and following[1] in known:
        return f"a label ends in a colon: `{name}: {behind.strip()}`"
    # A structured call stands where its mapping does: at the brace, or at its first key.
    spelled_out = line[span.column - 1 : span.column] == "{" or ":" in line[span.column - 1 :]
    if spelled_out and name in _SPELLED_OUT:
        return _SPELLED
    if spelling := aliases().get(name.lower()):
        return f"here it is called `{spelling}`"
    if near := did_you_mean(name, known):
        return f"did you mean `{near}`?"
    label = before.rstrip(" -:").split()[-1:]
    if label and label[0] in known:
        return f"`{label[0]}:` is a label; did you mean `{label[0]} {name}`, without the colon?"
    if before.rstrip(" -:").endswith(","):
        return "in brackets a comma separates items: put quotes around a step that holds one"
    return "`archdsl ops` lists the operations; blocks are defined in the file"


def aliases() -> dict[str, str]:
    """What others call an operation, in small letters -> how it is written here."""
    return {alias: spelling for op in BY_NAME.values() for spelling, called in op.aliases for alias in called.split()}


def for_name(name: str, span: Span, known: Iterable[str]) -> str:
    """For a name that no variable has."""
    if span.source.line(span.line)[: span.column - 1].rstrip().endswith("//"):
        return "a comment starts with `#`; `//` divides"
    if name in ("here", "input"):
        return f"`{name}` is known among the steps only"
    if near := did_you_mean(name, known):
        return f"did you mean `{near}`?"
    return f"write a number, or define it: a parameter `{name}` of the block or network, or `let {name} = ...`"
