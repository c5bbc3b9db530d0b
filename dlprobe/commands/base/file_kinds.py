"""What an existing file is, by its content: a file is replaced only by one of its own kind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dlprobe.config.toml_text import loads
from dlprobe.errors import RunFileError
from dlprobe.exporters import kinds

RUN = "a run file"
CONFIGURATION = "a configuration"
BASELINE = "a findings baseline"
PROOF = "a proof"
RESULT = "a result as JSON"
LINES = "findings as JSON lines"
SARIF = "a SARIF log"
JUNIT = "a JUnit report"
TEXT = "a text"
# by what their names end in
PICTURES = {
    "svg": "an SVG picture",
    "png": "a PNG picture",
    "pdf": "a PDF",
    "json": "a Vega-Lite picture",
}
REPORT = "a report of dlprobe"
# every other format prints text
OF_FORMAT = {
    "html": REPORT,
    "json": RESULT,
    "json-lines": LINES,
    "json_lines": LINES,
    "sarif": SARIF,
    "junit": JUNIT,
}
TABLES = {"data", "model", "training", "recording"}
UNREADABLE = {
    ".toml": CONFIGURATION,
    ".json": RESULT,
    ".jsonl": LINES,
    ".sarif": SARIF,
    ".xml": JUNIT,
    ".csv": "a table of data",
    ".tsv": "a table of data",
}
LARGEST = 64_000_000  # bytes of a text; dlprobe writes none like it


def kind_of(path: Path) -> str | None:
    """What a regular file is, in words with their article; None for an empty one, which nobody
    misses. Raises OSError.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if not content:
        return None
    if content.startswith(b"\x89DLP"):
        return RUN
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return _kind_of_hdf5(path)
    if content.startswith(b"PAR1"):
        from dlprobe.exporters.parquet import columns

        return kinds.PARQUET if _is_exported(columns(path)) else "a Parquet table"
    if content.startswith(b"PK\x03\x04"):
        if _end_of(path, len(kinds.ARCHIVE_COMMENT)) == kinds.ARCHIVE_COMMENT:
            return kinds.NPZ
        return "a NumPy archive"
    if b"brain.Event:" in content[:64]:
        return kinds.EVENTS
    if content.startswith((b"\x89PNG\r\n\x1a\n", b"%PDF-")):
        return PICTURES["pdf" if content.startswith(b"%") else "png"]
    if _is_exported(content.partition(b"\n")[0].decode("ascii", "replace").strip().split(",")):
        return kinds.CSV
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(content) > LARGEST:
        return "a file that dlprobe does not write"
    return (
        _kind_of_json(text)
        or _kind_of_xml(text)
        or _kind_of_toml(text)
        or UNREADABLE.get(path.suffix.lower(), TEXT)
    )


def _kind_of_hdf5(path: Path) -> str:
    """A run or study; damaged ones are refused too, since nobody can say what they are."""
    from dlprobe.hdf5.guard import GuardedFile
    from dlprobe.record.layout import SCHEMA, STUDY_SCHEMA

    try:
        file = GuardedFile(path)
    except RunFileError:
        return "an HDF5 file that cannot be read as a run"
    try:
        schema = file.text("/", "schema")
        if schema in (SCHEMA, STUDY_SCHEMA):
            return RUN
        if schema == kinds.SCHEMA:
            return kinds.NETCDF
        return "an HDF5 file but no run"
    except RunFileError:
        return "an HDF5 file but no run"
    finally:
        file.close()


def _kind_of_json(text: str) -> str | None:
    first = _json(text.partition("\n")[0])
    if isinstance(first, dict) and "path" in first:
        return LINES
    content = _json(text)
    if content is None:
        return None
    if not isinstance(content, dict):
        return "a JSON file"
    schema = str(content.get("schema", ""))
    for kind, name in ((BASELINE, "baseline"), (PROOF, "proof"), (RESULT, "")):
        if schema.startswith(f"dlprobe-{name}{'/' * bool(name)}"):
            return kind
    names = {"sarif": SARIF, "vega-lite": PICTURES["json"]}
    return next(
        (kind for word, kind in names.items() if word in str(content.get("$schema", ""))),
        "a JSON file",
    )


def _end_of(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(-size, os.SEEK_END)
        return file.read()


def _is_exported(columns: list[str]) -> bool:
    """Whether columns are those of `dlprobe export`: axes, then names of its own; or the
    results of a study's runs.
    """
    from dlprobe.record import layout

    axes = [name for name in columns if name in ("run", "step", "layer")]
    names = {path.rpartition("/")[2] for path in layout.data_sets()}
    return columns[:2] == ["run", "status"] or (
        columns[: len(axes)] == axes != []
        and set(columns) <= names | set(axes)
        and len(columns) > len(axes)
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _kind_of_xml(text: str) -> str | None:
    if not text.lstrip().startswith("<"):
        return None
    if text.startswith("<svg"):
        return PICTURES["svg"]
    from dlprobe.render.html.page import GENERATOR

    if GENERATOR in text[:2000]:
        return REPORT
    return JUNIT if "<testsuites" in text[:1000] else "an XML or HTML file"


def _kind_of_toml(text: str) -> str | None:
    try:
        tables = loads(text)
    except (ValueError, RecursionError):
        return None
    if not tables:
        return None  # nothing but comments
    return CONFIGURATION if tables.keys() <= TABLES else "a TOML file but no configuration"


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, hard and symbolic links followed; for files that do
    not exist, whether the resolved paths are equal.
    """
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)
