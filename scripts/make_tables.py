"""Write archdsl/syntax/tables.py, the LALR tables of archdsl/syntax/grammar.lark.

Importing lark and building the parser takes longer than the whole analysis of a network, so the tables are made here
and a test holds them to the grammar.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lark import Lark
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

SYNTAX = Path(__file__).parent.parent / "archdsl" / "syntax"
STARTS = "chain expression guard counted looped params let row callee args label path".split()
HEAD = '''"""The LALR tables of grammar.lark, written by scripts/make_tables.py; not to be edited.

RULES: the origin, the length and the action of each rule (an empty action hands the one symbol on).
SHIFTS: for each state, the terminals or origins it may meet -> the next state, or ~rule to reduce.
STARTS: for each start symbol its first state and the state in which it is complete.
"""

# fmt: off
# ruff: noqa: E501
'''


def tables() -> str:
    """The module's text for the grammar as it stands."""
    grammar = (SYNTAX / "grammar.lark").read_text(encoding="utf-8")
    lark = Lark(grammar, parser="lalr", start=STARTS, lexer=_NoLexer)
    table: Any = lark.parser.parser._parse_table
    rules = list(lark.rules)
    numbers = {rule: number for number, rule in enumerate(rules)}
    named = [(str(rule.origin.name), len(rule.expansion), str(rule.alias or "")) for rule in rules]
    for origin, length, action in named:
        assert action or length == 1, f"a rule of {origin} has {length} symbols and no action"
    order = _in_order(table)
    place = {state: number for number, state in enumerate(order)}
    states = [
        {
            str(symbol): place[target] if action is Shift else ~numbers[target]
            for symbol, (action, target) in sorted(table.states[state].items())
        }
        for state in order
    ]
    starts = {name: (place[table.start_states[name]], place[table.end_states[name]]) for name in STARTS}
    lines = [HEAD, "RULES: tuple[tuple[str, int, str], ...] = (", *(f"    {rule!r}," for rule in named), ")"]
    lines += ["STARTS: dict[str, tuple[int, int]] = {", *(f"    {k!r}: {v!r}," for k, v in starts.items()), "}"]
    lines += ["SHIFTS: tuple[dict[str, int], ...] = (", *(f"    {state!r}," for state in states), ")"]
    return "\n".join(lines).replace("'", '"') + "\n"


def _in_order(table: Any) -> list[int]:
    """The states as they are reached from the start symbols: lark's own numbers differ from run to run."""
    order = [table.start_states[name] for name in STARTS]
    for state in order:
        targets = [target for _, (action, target) in sorted(table.states[state].items()) if action is Shift]
        order += dict.fromkeys(target for target in targets if target not in order)
    return order


class _NoLexer(Lexer):
    """Lark wants a lexer; the tables need none."""

    __future_interface__ = 1

    def __init__(self, conf: Any) -> None:
        pass

    def lex(self, state: Any, parser_state: Any) -> Any:
        raise NotImplementedError


if __name__ == "__main__":
    (SYNTAX / "tables.py").write_text(tables(), encoding="utf-8")
