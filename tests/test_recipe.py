"""Recipes: what a spec's `train` section may say, where mistakes are told, and what the docs say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl import library
from archdsl.diagnostics import SpecError
from archdsl.recipe import Augment, Recipe

DOCS = Path(__file__).parent.parent / "docs" / "train.md"
NET = "network: n\ninput: 1x8x8\nlayers: [flatten, fc: linear 10]\ntrain: {train}\n"


def recipe(train: str, **settings: Any) -> Recipe:
    return archdsl.loads(NET.replace("{train}", train), name="n.yaml").recipe(**settings)


def shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{list(value)}`" if isinstance(value, tuple) and value else f"`{value}`" if value not in ((), {}) else ""


def rows() -> list[str]:
    found = []
    for prefix, model in (("", Recipe), ("augment.", Augment)):
        for name, field in model.model_fields.items():
            default = "" if name == "augment" else shown(field.default)
            found.append(f"| `{prefix}{name}` | {default} | {field.description} |")
    return found


def test_the_docs_have_every_setting_as_it_is() -> None:
    told = DOCS.read_text().splitlines()
    table = [line for line in told if line.startswith("| `")]
    assert [line for line in table if line in rows()] == rows()


@pytest.mark.parametrize(
    ("train", "place", "code", "text"),
    [
        ("{epoch: 10}", (4, 9), "unknown-setting", "did you mean `epochs`?"),
        ("{lr: yes}", (4, 13), "bad-value", "a number"),
        ("{lr: -1}", (4, 13), "bad-value", "greater than 0"),
        ("{batch: 2.5}", (4, 16), "bad-value", "a whole number"),
        ("{optimizer: sdg}", (4, 20), "bad-value", "did you mean `sgd`?"),
        ("{augment: {flipp: yes}}", (4, 19), "unknown-setting", "did you mean `flip`?"),
        ("{augment: {flip: 3}}", (4, 25), "bad-value", "yes or no"),
        ("{augment: 3}", (4, 18), "bad-value", "settings of its own"),
        ("{loss: {aux: x}}", (4, 21), "bad-value", "a number"),
        ("{size: [3, x]}", (4, 15), "bad-value", "a whole number"),
        ("{schedule: step}", (4, 9), "bad-value", "`step` has milestones"),
    ],
)
def test_mistakes_are_told_where_they_stand(train: str, place: tuple[int, int], code: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        recipe(train)
    (told,) = caught.value.diagnostics
    assert ((told.span.line, told.span.column), told.code) == (place, code)
    assert text in f"{told.text(told.expected)} {told.text(told.help)}"


def test_a_mistake_in_an_option_is_told_there() -> None:
    with pytest.raises(SpecError) as caught:
        recipe("{lr: 0.1}", augment={"flip": "7"})
    (told,) = caught.value.diagnostics
    assert (told.span.source.name, told.span.source.text) == ("--recipe", "augment.flip=7")


def test_options_override_the_spec() -> None:
    found = recipe("{lr: 0.1, augment: {flip: yes, crop: 4}}", lr=0.2, augment={"crop": "2"}, optimizer="sgd")
    assert (found.lr, found.augment, found.optimizer) == (0.2, Augment(flip=True, crop=2), "sgd")


def test_digits_have_a_recipe_of_their_own_except_for_a_spec_that_is_for_them() -> None:
    found = recipe("{data: cifar10, lr: 0.1, size: 16, loss: {aux: 0.5}}")
    digits = archdsl.loads(
        NET.replace("{train}", "{data: cifar10, lr: 0.1, size: 16, loss: {aux: 0.5}}"), name="n.yaml"
    )
    assert digits.recipe(digits=True).lr != found.lr == 0.1
    assert (digits.recipe(digits=True).size, digits.recipe(digits=True).loss) == (16, {"aux": 0.5})
    assert recipe("{data: digits, lr: 0.1}", digits=True).lr == 0.1


@pytest.mark.parametrize("name", library.names())
def test_the_shipped_recipes_are_whole(name: str) -> None:
    network = archdsl.load(name)
    found = network.recipe()
    if network.net.train:
        assert found.data != "digits"
    assert set(found.loss) <= {output.name for output in network.net.outputs}
