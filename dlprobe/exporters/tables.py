"""Parts as one table: a column `run` where there are several, one for each axis, one for each
array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.exporters.parts import Part

if TYPE_CHECKING:
    import polars


def frames(parts: Sequence[Part]) -> Iterator[polars.DataFrame]:
    """The table piece by piece, the first one empty; what a run did not record is null."""
    import polars

    kinds = columns_of(parts)
    schema = {name: _polars_type(dtype) for name, dtype in kinds.items()}
    yield polars.DataFrame(schema=schema)
    for part in parts:
        for piece in part.tables():
            rows = len(piece[part.dims[0]])
            told = (
                {"run": np.full(rows, part.id), **piece}
                if "run" in kinds and "run" not in piece
                else piece
            )
            frame = polars.DataFrame(told)
            lacking = [polars.lit(None).alias(name) for name in schema if name not in told]
            yield frame.with_columns(lacking).select(
                [polars.col(name).cast(type) for name, type in schema.items()]
            )


def columns_of(parts: Sequence[Part]) -> dict[str, np.dtype[np.generic]]:
    """Names and dtypes of the columns, texts as `U`."""
    columns: dict[str, np.dtype[np.generic]] = (
        {"run": np.dtype("U1")} if any(part.id for part in parts) else {}
    )
    for part in parts:
        for name, dtype in [
            *((dim, part.labels[dim].dtype) for dim in part.dims),
            *part.dtypes.items(),
        ]:
            known = columns.get(name, dtype)
            columns[name] = dtype if known == dtype else np.promote_types(known, dtype)
    return columns


def _polars_type(dtype: np.dtype[np.generic]) -> polars.DataType:
    import polars

    kinds = {"i8": polars.Int64, "f4": polars.Float32, "f8": polars.Float64}
    return polars.String() if dtype.kind in "US" else kinds[dtype.str[1:]]()
