"""A spec's tree as a file, in either spelling: one canonical layout, with the comments kept."""

from archdsl.syntax.printer.text import print_text
from archdsl.syntax.printer.yaml import print_yaml
from archdsl.syntax.spec import Spec

__all__ = ["print_as", "print_text", "print_yaml"]


def print_as(spec: Spec, suffix: str) -> str:
    """The spec as YAML for `.yaml` and `.yml`, else as text."""
    return print_yaml(spec) if suffix in (".yaml", ".yml") else print_text(spec)
