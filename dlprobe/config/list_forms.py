"""Forms of lists: numbers, columns, layers, units, percents."""

from __future__ import annotations

import re
from typing import Any

from dlprobe.config.forms import Form, is_text
from dlprobe.config.scalars import read_number, read_whole
from dlprobe.registry import tidied

WIDEST_LAYER = 65_536
DEEPEST_NET = 10_000


def _items(value: object) -> list[Any]:
    items = value.split(",") if isinstance(value, str) else value
    return list(items) if isinstance(items, list | tuple) else []


def _numbers(value: object) -> tuple[float, ...]:
    """The numbers of a list, −1 for what is none."""
    numbers = [read_number(item) for item in _items(value)]
    return tuple(-1.0 if number is None else number for number in numbers)


class ClassWeights(Form):
    """A list of numbers that say how much things count."""

    type_name = "numbers"

    @property
    def described(self) -> str:
        return "finite numbers >= 0, one of them > 0, separated by commas"

    def parse(self, value: object) -> tuple[float, ...]:
        numbers = _numbers(value)
        if not numbers or min(numbers) < 0 or max(numbers) == 0:
            raise ValueError
        return numbers


class Columns(Form):
    """Columns of a file by name, pattern or number."""

    type_name = "columns"

    @property
    def described(self) -> str:
        return (
            "names, patterns or numbers of columns, separated by commas; a name with a comma in "
            "it by its number"
        )

    def parse(self, value: object) -> tuple[str, ...]:
        items: list[Any] = _items(value) if isinstance(value, str | list | tuple) else [value]
        texts = [str(item) if type(item) is int else item for item in items]
        if not texts or not all(map(is_text, texts)):
            raise ValueError
        return tuple(dict.fromkeys(text.strip() for text in texts))


class LayerSizes(Form):
    """Units of the hidden layers, input side first."""

    type_name = "layers"

    @property
    def described(self) -> str:
        return (
            f"units of each hidden layer, 1 to {WIDEST_LAYER}, e.g. 300,100 or 100x20 (twenty "
            'layers of 100), "" for none'
        )

    def parse(self, value: object) -> tuple[int, ...]:
        if isinstance(value, str) and value.strip().lower() in ("", "none"):
            return ()
        items = _items(value) if isinstance(value, str | list | tuple) else [value]
        blocks = [_block(item) for item in items]
        if sum(count for _, count in blocks) > DEEPEST_NET:
            raise ValueError(f"expected at most {DEEPEST_NET} hidden layers")
        return tuple(units for units, count in blocks for _ in range(count))


def _block(item: object) -> tuple[int, int]:
    """(units, how many such layers) of one item, `100` or `100x20`. Raises ValueError outside
    the range.
    """
    units_text, times, count_text = (
        item.lower().partition("x") if isinstance(item, str) else (item, "", "")
    )
    units, count = read_whole(units_text), read_whole(count_text) if times else 1
    if units is None or count is None or not 1 <= units <= WIDEST_LAYER or count < 1:
        raise ValueError
    return units, count


class Units(Form):
    """Single units, each LAYER:UNIT."""

    type_name = "units"

    @property
    def described(self) -> str:
        return "LAYER:UNIT, one or several, e.g. hidden_1:0,output:3; units count from 0"

    def parse(self, value: object) -> tuple[str, ...]:
        units = tuple(dict.fromkeys(map(_unit, _items(value))))
        if not units:
            raise ValueError
        return units


def _unit(item: object) -> str:
    """`hidden_1:3` in its own spelling. Raises ValueError for anything else."""
    layer, colon, unit = (tidied(item) if isinstance(item, str) else "").partition(":")
    whole = read_whole(unit)
    if (
        not colon
        or not re.fullmatch(r"hidden_[1-9][0-9]*|output", layer)
        or whole is None
        or whole < 0
    ):
        raise ValueError
    return f"{layer}:{whole}"


class Split(Form):
    """Percent of the samples for training, validation and test."""

    type_name = "three percents"

    @property
    def described(self) -> str:
        return "three percents that sum to 100 with the first > 0, e.g. 60,20,20"

    def parse(self, value: object) -> tuple[float, float, float]:
        percents = _numbers(value)
        if (
            len(percents) != 3
            or percents[0] <= 0
            or min(percents) < 0
            or abs(sum(percents) - 100) > 1e-9
        ):
            raise ValueError
        return percents[0], percents[1], percents[2]

    def plain_value(self, value: tuple[float, float, float]) -> list[float]:
        return [int(percent) if percent.is_integer() else percent for percent in value]
