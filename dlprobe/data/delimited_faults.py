"""What is wrong with a text table, and where: the slow look at its lines that only a suspicious file gets."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dlprobe.data.places import in_one_line, problem, quoted
from dlprobe.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
LONGEST_FIRST_LINE = 2**20
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def find_separator(path: Path, usual: str) -> str:
    """The usual separator if the first filled line has it, else the known one that splits the line into most fields."""
    line = first_line(path)
    counts = {separator: len(next(csv.reader([line], delimiter=separator), [])) for separator in (usual, *SEPARATORS)}
    return usual if counts[usual] > 1 else max(counts, key=lambda separator: counts[separator])


def first_line(path: Path) -> str:
    """The first line with anything on it. Refuses binary files, UTF-16 and lines beyond 1 MiB."""
    with path.open("rb") as stream:
        head = stream.read(LONGEST_FIRST_LINE)
    if head.startswith(UTF_16):
        raise problem(path, "is UTF-16 text, expected UTF-8: save it as UTF-8")
    if b"\0" in head[:4096]:
        raise problem(path, "holds zero bytes, expected text: is it another format under this name?")
    if b"\r" in head and b"\n" not in head:
        raise problem(path, "ends its lines in carriage returns alone, as old Macs did: save it with line feeds")
    filled = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t")
    if not filled:
        raise problem(path, "has no rows of data")
    line = filled.split(b"\n", 1)[0]
    if len(line) >= LONGEST_FIRST_LINE - 16:
        raise problem(path, "row 1 is longer than 1 MiB, expected a table")
    return line.decode("utf-8", "replace").rstrip("\r")


def blank_lines_before(path: Path) -> int:
    """How many lines without anything come before the first filled one."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream):
            if line.removeprefix(b"\xef\xbb\xbf").strip():
                return number
    return 0


def first_fault(path: Path, separator: str, spare: int = 0, short: int = 0) -> DataError | None:
    """The first line that is not UTF-8, has bad quotes, or another number of fields than row 1; None where there is none.

    `spare` fields at the end may be missing: a separator at the end of the header alone makes a column that no other line has. `short`: row 1 is a header
    that lacks so many names.
    """
    fault = first_undecodable(path)
    if fault is not None:
        return fault
    width, quotes = 0, None
    try:
        for line, record in records(path, separator):
            if not width and record:
                width = len(record) + short
            elif record and not width - spare <= len(record) <= width:
                return problem(path, f"has {len(record)} fields, expected {width} as in row 1", line)
            if quotes is None and any('"' in cell for cell in record):
                quotes = line
    except BadQuotes as error:
        return problem(path, f"cannot be split into fields ({in_one_line(error)}): check its quotes", error.line)
    return None if quotes is None else problem(path, "has quotes inside a field: double them, and quote the whole field", quotes)


def first_undecodable(path: Path) -> DataError | None:
    with path.open("rb") as stream:
        for line, content in enumerate(stream, start=1):
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                bad = content[error.start : error.start + 1]
                return problem(path, f"holds the byte {quoted(bad.hex())}, which is not UTF-8 text: save the file as UTF-8", line)
    return None


class BadQuotes(Exception):
    """The record that starts on `line` cannot be split."""

    def __init__(self, error: csv.Error, line: int) -> None:
        super().__init__(str(error))
        self.line = line


def records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, fields) of each record; a blank line is a record without fields. Raises BadQuotes."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=separator, strict=True)
        start = 1
        try:
            for record in reader:
                yield start, record
                start = reader.line_num + 1
        except csv.Error as error:
            raise BadQuotes(error, start) from None


def line_numbers(path: Path, separator: str) -> list[int]:
    """The line on which each record starts."""
    starts: list[int] = []
    with suppress(BadQuotes):
        starts.extend(line for line, _ in records(path, separator))
    return starts
