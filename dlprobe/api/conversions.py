"""Columns as the tables and arrays of xarray, pandas and polars; each library is loaded when it
is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dlprobe.api.tables import TableColumns
from dlprobe.errors import DlprobeError

if TYPE_CHECKING:
    import pandas
    import polars
    import xarray


class MissingExtraError(DlprobeError, ImportError):
    """A library that is not installed is needed; the message says what to type."""


def as_xarray(columns: TableColumns, attributes: dict[str, Any]) -> xarray.Dataset:
    """A Dataset whose dimensions are the axes. Raises MissingExtraError without xarray."""
    arrays = {name: (columns.dims, array) for name, array in columns.arrays.items()}
    dataset: xarray.Dataset = _library("xarray").Dataset(arrays, dict(columns.labels), attributes)
    return dataset


def as_pandas(columns: TableColumns) -> pandas.DataFrame:
    """A DataFrame indexed by the axes. Raises MissingExtraError without pandas."""
    frame: pandas.DataFrame = (
        _library("pandas").DataFrame(columns.flat).set_index(list(columns.dims))
    )
    return frame


def as_polars(columns: TableColumns) -> polars.DataFrame:
    """A DataFrame with a column for each axis, then one for each array."""
    frame: polars.DataFrame = _library("polars").DataFrame(columns.flat)
    return frame


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is not installed, which this needs: pip install 'dlprobe[{name}]'"
        ) from error
