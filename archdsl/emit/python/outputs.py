"""What a network returns: a tensor where one output is live, else a named tuple."""

from __future__ import annotations

from archdsl.emit.python.classes import Class
from archdsl.emit.python.forward import CONDITIONS, Forward
from archdsl.emit.python.values import identifier
from archdsl.ir import Mode, Net, Output

MODES: tuple[Mode, ...] = ("training", "eval")


def live(net: Net, mode: Mode) -> list[Output]:
    """The outputs that exist in a mode."""
    return [output for output in net.outputs if output.mode in ("always", mode)]


def output_class(net: Net, one: Class) -> list[str]:
    """The class of a result with several outputs; nothing where no mode has several."""
    modes = [mode for mode in MODES if len(live(net, mode)) > 1]
    if not modes:
        return []
    lines = [f"class {name_of(one)}(NamedTuple):", f'    """What `{one.name}` returns{_when(modes)}."""', ""]
    always = set(live(net, modes[0])).intersection(*(live(net, mode) for mode in modes))
    for output in net.outputs:
        missing = output not in always
        lines.append(f"    {identifier(output.field)}: torch.Tensor{' | None' if missing else ''}")
    return lines


def name_of(one: Class) -> str:
    """The name of that class."""
    return f"{one.name}Output"


def _when(modes: list[Mode]) -> str:
    return "" if len(modes) == 2 else " in training mode" if modes == ["training"] else " in evaluation mode"


def returns(net: Net, one: Class, forward: Forward) -> tuple[str, list[str]]:
    """The type that forward returns, and its last statements."""
    training, evaluation = live(net, "training"), live(net, "eval")
    told = {mode: _told(net, one, forward, outputs) for mode, outputs in (("training", training), ("eval", evaluation))}
    kinds = [name_of(one) if len(outputs) > 1 else "torch.Tensor" for outputs in (evaluation, training)]
    hint = " | ".join(dict.fromkeys(kinds))
    if told["training"] == told["eval"]:
        return hint, [f"return {told['eval']}"]
    return hint, [CONDITIONS["training"], f"    return {told['training']}", f"return {told['eval']}"]


def _told(net: Net, one: Class, forward: Forward, outputs: list[Output]) -> str:
    values = {output: forward.result(one.flat.results[output.result]) for output in outputs}
    if len(outputs) == 1:
        return values[outputs[0]]
    return f"{name_of(one)}({', '.join(values.get(output, 'None') for output in net.outputs)})"
