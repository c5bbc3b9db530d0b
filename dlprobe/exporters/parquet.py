"""Parquet: the table of CSV with its types, compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.exporters import kinds
from dlprobe.exporters.formats import register
from dlprobe.exporters.parts import Part
from dlprobe.exporters.tables import frames

if TYPE_CHECKING:
    import polars


def write(path: Path, parts: Sequence[Part]) -> None:
    """Write the table. Raises RunFileError where a run is damaged, OSError where the disk is
    full.
    """
    import polars
    from polars.io.plugins import register_io_source

    failed: list[Exception] = []

    def pieces(columns: list[str] | None, *_: object) -> Iterator[polars.DataFrame]:
        try:
            yield from (
                frame if columns is None else frame.select(columns) for frame in frames(parts)
            )
        except Exception as error:  # polars would tell of it in words of its own
            failed.append(error)
            raise

    try:
        register_io_source(pieces, schema=next(frames(parts)).schema).sink_parquet(path)
    except polars.exceptions.PolarsError:
        raise failed[0] if failed else OSError("Parquet could not be written") from None


def columns(path: Path) -> list[str]:
    """Names of the columns of a file; none where it cannot be read."""
    import polars

    try:
        return list(polars.read_parquet_schema(path))
    except (polars.exceptions.PolarsError, OSError):
        return []


register("parquet", "a table with its types, compressed", ".parquet", kinds.PARQUET, write)
