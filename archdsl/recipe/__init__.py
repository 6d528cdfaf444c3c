"""A spec's `train` section: what it may say, read without torch."""

from archdsl.recipe.model import DIGITS, Augment, Recipe
from archdsl.recipe.reading import recipe_of

__all__ = ["DIGITS", "Augment", "Recipe", "recipe_of"]
