"""From polars series to the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlprobe.data.tables import Column

if TYPE_CHECKING:
    import polars


def number_column(series: polars.Series, name: str, number: int) -> Column:
    """A column of numbers; null becomes NaN, which is missing."""
    import polars

    return Column(name, number, numbers=np.array(series.cast(polars.Float64).to_numpy(), dtype=np.float64))


def text_column(series: polars.Series, name: str, number: int) -> Column:
    """A column of texts as codes into its sorted distinct texts; null becomes −1, which is missing."""
    import polars

    texts = series.cast(polars.String)
    distinct = texts.drop_nulls().unique().sort()
    codes = texts.cast(polars.Enum(distinct)).to_physical().cast(polars.Int64).fill_null(-1)
    return Column(name, number, codes=np.array(codes.to_numpy(), dtype=np.int64), texts=tuple(distinct.to_list()))
