"""The types that an op's settings have, each with a converter from the language's values.

The language's values are int, float, bool, None, `Sides` (`3x3`), str (a word or a text) and tuples (lists) of these.
A converter returns the very number that it was given, so that traced numbers stay traced.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from archdsl.dims import Dim
from archdsl.shape import Shape
from archdsl.trace import Sides, integral

Converter = Callable[[Any, str], Any]


class SettingError(Exception):
    """A value doesn't fit its setting: what was expected, and the value as the language shows it."""

    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(f"expected {expected}, got {show(value)}")
        self.expected = expected
        self.got = show(value)


def show(value: Any) -> str:
    """A value as the language spells it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sides):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    return str(value)


def _integer(value: Any, expected: str) -> int:
    if isinstance(value, float) and value.is_integer():
        return integral(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingError(expected, value)
    return value


def _whole(minimum: int | None, expected: str) -> Converter:
    def convert(value: Any, _: str) -> int:
        number = _integer(value, expected)
        if minimum is not None and number < minimum:
            raise SettingError(expected, value)
        return number

    return convert


def _sides(minimum: int, expected: str) -> Converter:
    one = _whole(minimum, expected)

    def convert(value: Any, key: str) -> Any:
        if isinstance(value, Sides):
            for side in value:
                one(side, key)
            return value
        if isinstance(value, tuple) and value:
            return Sides(one(side, key) for side in value)
        return one(value, key)

    return convert


def _pad(value: Any, key: str) -> Any:
    return value if value == "same" else _sides(0, "a size such as 1 or 1x3, or `same`")(value, key)


def _pair(minimum: int, expected: str) -> Converter:
    convert_sides = _sides(minimum, expected)

    def convert(value: Any, key: str) -> Any:
        sides = convert_sides(value, key)
        if not isinstance(sides, tuple):
            return Sides((sides, sides))
        if len(sides) != 2:
            raise SettingError(expected, value)
        return sides

    return convert


def _shape(value: Any, _: str) -> Any:
    if not isinstance(value, Shape):
        raise SettingError("a shape such as `input` or `@path`", value)
    return value


def _size_or_shape(value: Any, key: str) -> Any:
    if isinstance(value, Shape):
        return value
    return _sides(1, "a size such as 14x14, or a shape such as `input`")(value, key)


def _dimension(value: Any, key: str) -> Any:
    if value is None or isinstance(value, (int, float, str, tuple)):
        return _whole(1, "a whole number of at least 1")(value, key)
    return value  # a symbolic size, as in `parameter [1, here.tokens, 768]`


def _number(minimum: float | None, maximum: float | None, expected: str) -> Converter:
    def convert(value: Any, _: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SettingError(expected, value)
        if not (minimum is None or value >= minimum) or not (maximum is None or value <= maximum):
            raise SettingError(expected, value)
        return value

    return convert


def _flag(value: Any, _: str) -> bool:
    if not isinstance(value, bool):
        raise SettingError("yes or no", value)
    return value


def _text(value: Any, _: str) -> str:
    if not isinstance(value, str):
        raise SettingError("a word", value)
    return value


def _list_of(convert_item: Converter) -> Converter:
    def convert(value: Any, key: str) -> tuple[Any, ...]:
        if not isinstance(value, tuple):
            raise SettingError("a list", value)
        return tuple(convert_item(item, key) for item in value)

    return convert


# The types to annotate settings with.
Size = Annotated[int | tuple[int, ...], _sides(1, "a size of at least 1, such as 3 or 3x3")]
Offset = Annotated[int | tuple[int, ...], _sides(0, "a size such as 0 or 1x0")]
Pair = Annotated[tuple[int, ...], _pair(1, "one number of at least 1, or height and width such as 7x7")]
OffsetPair = Annotated[tuple[int, ...], _pair(0, "one number, or height and width such as 3x3")]
Pad = Annotated[int | tuple[int, ...] | str, _pad]
ShapeOf = Annotated[Shape, _shape]
SizeOrShape = Annotated[int | tuple[int, ...] | Shape, _size_or_shape]
Dimension = Annotated[Dim, _dimension]
Scheme = Annotated[Any, lambda value, key: value]  # how weights are drawn: read and checked by the expansion
Int = Annotated[int, _whole(None, "a whole number")]
PositiveInt = Annotated[int, _whole(1, "a whole number of at least 1")]
NonNegativeInt = Annotated[int, _whole(0, "a whole number of at least 0")]
Number = Annotated[float, _number(None, None, "a number")]
NonNegative = Annotated[float, _number(0, None, "a number of at least 0")]
Probability = Annotated[float, _number(0, 1, "a number between 0 and 1")]


def converter_for(hint: Any) -> Converter:
    """The converter of an annotation: one of the types above, bool, str, Literal, `| None`, tuple[X, ...]."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return args[1]  # type: ignore[no-any-return]
    if origin in (types.UnionType, Union) and type(None) in args:
        (hint,) = (arg for arg in args if arg is not type(None))
        inner = converter_for(hint)
        return lambda value, key: None if value is None else inner(value, key)
    if origin is Literal:
        return _one_of(args)
    if origin is tuple:
        return _list_of(converter_for(args[0]))
    simple: dict[Any, Converter] = {bool: _flag, str: _text}
    return simple[hint]


def _one_of(choices: tuple[str, ...]) -> Converter:
    def convert(value: Any, _: str) -> Any:
        if value not in choices:
            raise SettingError(f"one of {', '.join(choices)}", value)
        return value

    return convert
