"""Names of steps that would hide what every module has."""

from __future__ import annotations

import pytest
from torch import nn

import archdsl
from archdsl.ir import MODULE_ATTRIBUTES, leaves


def test_the_attributes_are_those_of_torch() -> None:
    own = {name for name in dir(nn.Module()) if not name.startswith("_")}
    # Another version of torch may have one more or less; nn.Module has had these for years.
    assert own - MODULE_ATTRIBUTES == set()


@pytest.mark.parametrize("label", ["forward", "type", "training", "lambda"])
def test_a_taken_name_is_refused_where_it_stands(label: str) -> None:
    with pytest.raises(archdsl.SpecError) as caught:
        archdsl.loads(f"net n\n  input 3x8x8\n  {label}: conv 3x3, 4\n", name="n.arch")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.span.line, diagnostic.span.column) == ("invalid-name", 3, 3)


def test_other_names_are_free() -> None:
    network = archdsl.loads("net n\n  input 3x8x8\n  forward2: conv 3x3, 4\n  types: relu\n", name="n.arch")
    assert [leaf.path for leaf in leaves(network.net.scope)] == ["forward2", "types"]
