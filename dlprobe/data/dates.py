"""Columns of dates: left out, or days since 1970-01-01 as numbers. Recognised by their texts,
all of them in one of the usual forms.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from dlprobe.data.columns import DataColumn, DataTable
from dlprobe.data.places import problem, quoted

CLOCK = (
    r"(?:[ "
    r"T](?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d(?:\.\d+)?))?\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})(?P<sign>[-/.])(?P<month>\d{{1,2}})(?P=sign)(?P<day>\d{{1,2}}){CLOCK}"
)
DAY_FIRST = re.compile(
    rf"(?P<day>\d{{1,2}})(?P<sign>[-/.])(?P<month>\d{{1,2}})(?P=sign)(?P<year>\d{{4}}){CLOCK}"
)
MONTH_FIRST = re.compile(
    rf"(?P<month>\d{{1,2}})(?P<sign>[-/])(?P<day>\d{{1,2}})(?P=sign)(?P<year>\d{{4}}){CLOCK}"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAMED = re.compile(
    rf"(?P<day>\d{{1,2}})(?P<sign>[-/. "
    rf"])(?P<month>[A-Za-z]{{3}})[a-z]*(?P=sign)(?P<year>\d{{4}}){CLOCK}"
)
EPOCH = datetime(1970, 1, 1)


def with_dates(
    table: DataTable, dates: str, kept: Collection[int]
) -> tuple[DataTable, tuple[str, ...]]:
    """The table with its columns of dates left out (`drop`) or as numbers (`ordinal`), as they are
    with `refuse`; and a note on each.

    kept: numbers of the columns that stay as they are. Raises DataError where day and month cannot
        be told apart.
    """
    if dates == "refuse":
        return table, ()
    columns: list[DataColumn] = []
    notes: list[str] = []
    for column in table.columns:
        if column.number in kept or not (forms := date_forms(column)):
            columns.append(column)
            continue
        called = f"column {column.number} {quoted(column.name)}"
        if dates == "drop":
            notes.append(f"{called} holds dates: left out")
            continue
        values = [
            np.array([days_of(text, form) for text in column.texts], dtype=np.float64)
            for form in forms
        ]
        if len(forms) > 1 and not np.array_equal(values[0], values[1]):
            what = (
                f"holds dates as {quoted(column.texts[0])}, day first or month first, expected "
                "one of them for certain: write 2024-05-31, or --dates drop"
            )
            raise problem(table.path, what, None, column.number, column.name)
        assert column.codes is not None
        columns.append(
            replace(
                column, numbers=np.append(values[0], np.nan)[column.codes], codes=None, texts=()
            )
        )
        notes.append(f"{called}: dates are days since 1970-01-01")
    return table.of(columns), tuple(notes)


def date_forms(column: DataColumn) -> list[re.Pattern[str]]:
    """The forms in which every text of a column is a date; none where some is not."""
    if column.codes is None or not column.texts:
        return []
    return [
        form
        for form in (YEAR_FIRST, DAY_FIRST, MONTH_FIRST, MONTH_NAMED)
        if all(days_of(text, form) is not None for text in column.texts)
    ]


def days_of(text: str, form: re.Pattern[str]) -> float | None:
    """Days since 1970-01-01 00:00 of a date, 2.5 for "1970-01-03 12:00"; None where the text is no
    date of this form.

    form: YEAR_FIRST, DAY_FIRST, MONTH_FIRST or MONTH_NAMED, whose named groups are read; a form
        that the reader makes up has to have all of them. A time with a zone is converted to UTC.
    """
    match = form.fullmatch(text.strip())
    if match is None:
        return None
    second = float(match["second"] or 0)
    try:
        month = (
            int(match["month"])
            if match["month"].isdigit()
            else 1 + MONTHS.index(match["month"].lower())
        )
        day = datetime(
            int(match["year"]),
            month,
            int(match["day"]),
            hour_of(match["hour"], match["half"]),
            int(match["minute"] or 0),
        )
    except ValueError:
        return None
    since = day - EPOCH + timedelta(seconds=second) - zone(match["zone"])
    return since / timedelta(days=1) if second < 60 else None


def hour_of(text: str | None, half: str | None) -> int:
    """0 … 23 of an hour, that of the half of the day (am, pm) if there is one. Raises
    ValueError for 13 pm.
    """
    hour = int(text or 0)
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + 12 * (half.lower() == "pm")


def zone(text: str | None) -> timedelta:
    """How far a zone such as +02:00 is ahead of UTC."""
    if text in (None, "Z"):
        return timedelta()
    digits = str(text).replace(":", "")
    ahead = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
    return -ahead if digits[0] == "-" else ahead
