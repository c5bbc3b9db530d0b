"""One recorded quantity as CSV: a row for each step, a column for each layer; of a study a row
for each group, layer and step.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any, TextIO

from dlprobe.errors import ConfigError
from dlprobe.render import document as doc
from dlprobe.render import formats
from dlprobe.render.safe_text import visible

FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the beginning of one


def render(
    document: doc.Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the quantity; `width` and `color` are there because every format has them. Raises
    ConfigError for a document without one.
    """
    data = document.data
    if "groups" in data:
        return _groups(data, stream)
    if not {"statistic", "steps", "values"} <= data.keys():
        raise ConfigError(
            "--format csv prints one recorded quantity: give --statistic NAME; dlprobe export "
            "writes more of them"
        )
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["step", *map(cell, data["layers"] or [data["statistic"]])])
    for step, values in zip(data["steps"], data["values"], strict=True):
        rows.writerow(
            [step, *(_number(value) for value in (values if data["layers"] else [values]))]
        )
    return None


def _groups(data: Mapping[str, Any], stream: TextIO) -> None:
    """Medians and ranges over runs. A step is empty where the runs' steps differ, a layer where
    there is none.
    """
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow([*map(cell, data["by"]), "layer", "step", "median", "low", "high", "runs"])
    for group in data["groups"]:
        place = [cell(group["coordinates"][axis]) for axis in data["by"]]
        for layer in group["layers"]:
            columns = zip(
                *(layer[name] for name in ("steps", "median", "low", "high", "runs")), strict=True
            )
            for step, median, low, high, runs in columns:
                rows.writerow(
                    [
                        *place,
                        cell(layer["layer"] or ""),
                        step,
                        *map(_number, (median, low, high)),
                        runs,
                    ]
                )


def _number(value: float) -> str:
    return "NaN" if value != value else str(value)


def cell(text: object) -> str:
    """A text that no spreadsheet takes for a formula, and in which nothing acts on a terminal.

    >>> cell("=1+1"), cell("hidden_1")
    ("'=1+1", 'hidden_1')
    """
    plain = visible(str(text))
    return f"'{plain}" if plain.startswith(FORMULA) else plain


formats.register(
    "csv", "a recorded quantity as comma-separated values", render, ("dlprobe-inspect/1",)
)
