"""The nesting of a spec in YAML as a JSON schema, for editors; what stands on a line is for `archdsl check`."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
_NAME: Json = {"type": "string", "pattern": r"^[A-Za-z_]\w*$"}
_WHEN = "( when .+)?$"


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _list_of(items: Json, description: str = "") -> Json:
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def _mapping(values: Json, description: str) -> Json:
    return {"type": "object", "additionalProperties": values, "description": description}


def _step() -> Json:
    """A step that isn't a line: one construct, or a label with what it names."""
    called = {"description": "A call, its values and settings given one by one", "type": "object", "minProperties": 1}
    values = {"anyOf": [_SCALAR, _list_of({"anyOf": [_SCALAR, _list_of(_SCALAR)]})]}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "for": {"type": "string", "description": "`t c n s` over the table in `in`, or `s in 0..3`"},
            "in": _list_of(_list_of(_SCALAR), "The rows of a table"),
            "do": _ref("body") | {"description": "What is repeated"},
            "from": _SCALAR | {"description": "Continue from an earlier named step"},
            "let": _mapping({"anyOf": [_SCALAR, _list_of(_SCALAR)]}, "Names for values"),
        },
        "patternProperties": {
            f"^(repeat|dense){_WHEN}": _SCALAR | {"description": "How often; what is repeated stands under `do`"},
            f"^(residual|group){_WHEN}": _ref("body"),
            f"^(add|multiply|concat)( along \\w+)?{_WHEN}": _ref("branches"),
            "^shortcut( .+)?$": {"anyOf": [_ref("body"), {"type": ["string", "null"]}]},
            "^output .+$": {"anyOf": [_ref("body"), {"type": ["string", "null"]}], "description": "A side head"},
        },
        "additionalProperties": {
            "anyOf": [{"type": "string"}, _ref("body"), called | {"additionalProperties": values}]
        },
    }


def schema() -> Json:
    """The schema, with the descriptions that an editor shows."""
    line = {"type": "string", "description": "`operation values, settings`, several joined with `->`"}
    settings = _mapping(_SCALAR, "Op -> the settings that its calls leave out")
    schemes = _mapping(_SCALAR, "Op -> how its weights are drawn: `weight kaiming_normal(fan_out), bias 0`")
    blocks = {"type": "object", "additionalProperties": _ref("block_body")}
    section = _mapping({"anyOf": [_SCALAR, _list_of(_SCALAR), {"type": "object"}]}, "Settings")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archdsl network",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "format": {"type": ["integer", "string"], "description": "The version of the language"},
            "network": _NAME | {"description": "The network's name; without one the file is a library of blocks"},
            "about": {"type": "string", "description": "What it is, and where it is published"},
            "extends": {"type": "string", "description": "Another spec, with other values for its parameters"},
            "use": _list_of({"type": "string"}, "Libraries whose blocks this file calls"),
            "params": {"type": "object", "description": "The network's parameters with their values"},
            "input": {"type": ["string", "integer"], "description": "The input without the batch: 3x224x224"},
            "let": _mapping({"anyOf": [_SCALAR, _list_of(_SCALAR)]}, "Names for values, seen in the whole file"),
            "defaults": settings,
            "init": schemes,
            "macros": blocks | {"description": "Pieces whose steps join the caller"},
            "blocks": blocks
            | {"description": "Pieces that are a level of the module tree: `name (values, setting = 1)`"},
            "layers": _ref("body") | {"description": "The network, from its input to its output"},
            "returns": _list_of({"type": "string"}, "The outputs in another order"),
            "preprocess": section | {"description": "How images become inputs"},
            "train": section | {"description": "The recipe of a training run"},
        },
        "$defs": {
            "line": line,
            "step": {"anyOf": [_ref("line"), _step()]},
            "body": {"type": "array", "items": _ref("step")},
            "block_body": {"type": "array", "items": _ref("step")},
            "branches": _list_of({"anyOf": [_ref("step"), _ref("body")]}, "All of them read the same tensor"),
        },
    }
