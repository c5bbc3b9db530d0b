"""What is wrong with a text table, and where: the slow look at its lines that only a suspicious
file gets.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress

from dlprobe.data.places import in_one_line, problem, quoted
from dlprobe.data.text_file import BYTE_ORDER_MARK, TextFile
from dlprobe.errors import DataError

TO_UTF_8 = "save the file as UTF-8 (what Windows wrote: iconv -f CP1252 -t UTF-8 OLD > NEW)"


def first_line(file: TextFile) -> str:
    """The first line that is not blank."""
    with file.open() as stream:
        for line in stream:
            text = line.removeprefix(BYTE_ORDER_MARK).strip(b"\r\n")
            if text.strip():
                return text.decode("utf-8", "replace")
    return ""


def blank_lines_before(file: TextFile) -> int:
    """How many lines without anything come before the first filled one."""
    with file.open() as stream:
        for number, line in enumerate(stream):
            if line.removeprefix(BYTE_ORDER_MARK).strip():
                return number
    return 0


def first_fault(file: TextFile, spare: int = 0, short: int = 0) -> DataError | None:
    """The first line that is not UTF-8, has bad quotes, or another number of fields than row 1;
    None where there is none.

    `spare` fields at the end may be missing: a separator at the end of the header alone makes a
    column that no other line has. `short`: row 1 is a header that lacks so many names.
    """
    fault = first_undecodable(file)
    if fault is not None:
        return fault
    width, quotes = 0, None
    try:
        for line, record in records(file):
            if not width and record:
                width = len(record) + short
            elif record and not width - spare <= len(record) <= width:
                return problem(
                    file.path, f"has {len(record)} fields, expected {width} as in row 1", line
                )
            if quotes is None and any('"' in cell for cell in record):
                quotes = line
    except BadQuotes as error:
        return problem(
            file.path,
            f"cannot be split into fields ({in_one_line(error)}): check its quotes",
            error.line,
        )
    if quotes is None:
        return None
    return problem(
        file.path, "has quotes inside a field: double them, and quote the whole field", quotes
    )


def first_undecodable(file: TextFile) -> DataError | None:
    with file.open() as stream:
        for line, content in enumerate(stream, start=1):
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                bad = content[error.start : error.start + 1]
                return problem(
                    file.path,
                    f"holds the byte {quoted(bad.hex())}, which is not UTF-8 text: {TO_UTF_8}",
                    line,
                )
    return None


class BadQuotes(Exception):
    """The record that starts on `line` cannot be split."""

    def __init__(self, error: csv.Error, line: int) -> None:
        super().__init__(str(error))
        self.line = line


def records(file: TextFile) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, fields) of each record; a blank line is a record without
    fields. Raises BadQuotes.
    """
    with io.TextIOWrapper(file.open(), encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=file.separator, strict=True)
        start = 1
        try:
            for record in reader:
                yield start, record
                start = reader.line_num + 1
        except csv.Error as error:
            raise BadQuotes(error, start) from None


def line_numbers(file: TextFile) -> list[int]:
    """The line on which each record starts."""
    starts: list[int] = []
    with suppress(BadQuotes):
        starts.extend(line for line, _ in records(file))
    return starts
