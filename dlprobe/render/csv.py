"""One recorded quantity as CSV: a row for each step, a column for each layer."""

from __future__ import annotations

import csv
from typing import TextIO

from dlprobe.errors import ConfigError
from dlprobe.render import document as doc
from dlprobe.render import formats
from dlprobe.render.safe_text import visible

FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the beginning of one


def render(document: doc.Document, stream: TextIO, *, width: int | None = None, color: bool | None = None) -> None:
    """Write the quantity; `width` and `color` are there because every format has them. Raises ConfigError for a document without one."""
    data = document.data
    if not {"statistic", "steps", "values"} <= data.keys():
        raise ConfigError("--format csv prints one recorded quantity: give --statistic NAME; dlprobe export writes more of them")
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["step", *map(cell, data["layers"] or [data["statistic"]])])
    for step, values in zip(data["steps"], data["values"], strict=True):
        rows.writerow([step, *(_number(value) for value in (values if data["layers"] else [values]))])


def _number(value: float) -> str:
    """As `export` writes it."""
    return "NaN" if value != value else str(value)


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, and in which nothing acts on a terminal.

    >>> cell("=1+1"), cell("hidden_1")
    ("'=1+1", 'hidden_1')
    """
    plain = visible(str(text))
    return f"'{plain}" if plain.startswith(FORMULA) else plain


formats.register("csv", "a recorded quantity as comma-separated values", render, ("dlprobe-inspect/1",))
