"""What a run holds, whichever way it is stored: the interface that journal and packed file
share, and the checks on what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.record.description import OWN

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = dict[str, tuple[np.dtype[Any], Shape]]

CONFIG_TABLES = ("data", "model", "training", "recording")

# The data set whose length is the size of a dimension, wherever in a file the dimension occurs.
SIZES = {
    "step": "stats/step",
    "layer": "layers/name",
    "evaluation": "evaluations/step",
    "class": "data/class_names",
    "output": "data/target_names",
    "checkpoint": "checkpoints/step",
    "parameter": "initial/parameters",
    "block": "timing/step",
    "histogram": "histograms/step",
    "tracked": "tracked/step",
    "unit": "tracked/unit",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a run besides its data sets. The hashes are None where they must be
    computed.
    """

    status: str
    config: dict[str, Any]
    environment: dict[str, Any]
    schema_version: tuple[int, int]
    content_sha256: str | None = None
    parameters_sha256: str | None = None
    origin: str = OWN
    writer: dict[str, Any] = field(default_factory=dict)
    damage: str | None = None


class Contents(Protocol):
    """A stored run. All methods raise RunFileError where the file is damaged."""

    @property
    def name(self) -> str: ...
    @property
    def facts(self) -> Facts: ...
    def has(self, path: str) -> bool:
        """Whether the data set of the layout table is there."""
        ...

    def read(self, path: str) -> NDArray[Any]:
        """A whole data set."""
        ...

    def read_rows(self, path: str, start: int, stop: int) -> NDArray[Any]:
        """Rows of a data set as a slice counts them, without reading the others."""
        ...

    def shapes(self) -> Shapes:
        """Dtype and shape of every data set that is there, in the layout table's order, levels
        left out.
        """
        ...

    def slabs(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """All of these data sets in pieces of a few MiB; pieces of one data set come in order,
        of several mixed.
        """
        ...

    def close(self) -> None:
        """Give files back."""
        ...


def check(
    line: layout.DataSet,
    dtype: np.dtype[Any],
    shape: Shape,
    size_of: Callable[[str], int | None],
    name: str,
) -> None:
    """Raise RunFileError where a data set is not what the layout table says of it. `size_of`
    gives the size of a shared dimension.
    """
    if fault := _fault(line, dtype, shape, size_of):
        raise RunFileError(f"{name} is damaged or was not written by dlprobe: {fault}")


def check_all(shapes: Shapes, name: str) -> None:
    """Raise RunFileError where a data set of a run is not what the layout table says of it."""
    if fault := _first_fault(tuple(shapes.items())):
        raise RunFileError(f"{name} is damaged or was not written by dlprobe: {fault}")


@lru_cache(64)  # the runs of a study have data sets of the same shapes
def _first_fault(data_sets: tuple[tuple[str, tuple[np.dtype[Any], Shape]], ...]) -> str:
    """What is wrong with the first that is not as it should be; empty where all are."""
    shapes = dict(data_sets)

    def size_of(dim: str) -> int | None:
        reference = shapes.get(SIZES.get(dim, ""))
        return reference[1][0] if reference and len(reference[1]) == 1 else None

    faults = (_fault(layout.data_sets()[path], *shapes[path], size_of) for path in shapes)
    return next(filter(None, faults), "")


def _fault(
    line: layout.DataSet,
    dtype: np.dtype[Any],
    shape: Shape,
    size_of: Callable[[str], int | None],
) -> str:
    kind = "S" if line.dtype == "text" else "iuf"
    if dtype.kind not in kind or not line.admits_rank(len(shape)):
        return f"{line.path} is {dtype} with {len(shape)} dimensions"
    for dim, length in zip(line.dims, shape, strict=False):
        expected = size_of(dim)
        if expected is not None and expected != length:
            return f"{line.path} has {length} entries along {dim}, expected {expected}"
    return ""


def check_config(config: dict[str, Any], name: str) -> None:
    """Raise RunFileError where a table of the configuration is no table: whoever looks a key up
    relies on it.
    """
    for table in CONFIG_TABLES:
        if not isinstance(config.get(table, {}), dict):
            raise RunFileError(
                f"{name} is damaged or was not written by dlprobe: {table} of its "
                "configuration is no table"
            )


def check_layers(columns: Mapping[str, Any], name: str) -> None:
    """Raise RunFileError where a layer has no rows, columns or units."""
    for key in ("fan_in", "fan_out", "units"):
        wrong = [size for size in columns.get(key, ()) if size < 1 and size != -1]  # −1: not known
        if wrong:
            raise RunFileError(
                f"{name} is damaged or was not written by dlprobe: layers/{key} holds "
                f"{wrong[0]}, expected 1 or more"
            )


def checked_origin(origin: Any, name: str) -> str:
    """Who trained a run: dlprobe where the file does not say, as older ones. Raises
    RunFileError for what is no name.
    """
    if origin is None:
        return OWN
    if not isinstance(origin, str) or not layout.NAME.fullmatch(origin):
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: its origin cannot be read"
        )
    return origin


def check_steps(steps: NDArray[Any], name: str) -> None:
    """Raise RunFileError where recorded steps do not rise from 0 or later."""
    if len(steps) and (steps[0] < 0 or (steps[1:] <= steps[:-1]).any()):
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: its steps do not rise from 0 on"
        )


def check_version(version: Any, name: str) -> tuple[int, int]:
    """The format's (major, minor). Raises RunFileError where this dlprobe is too old, or the
    version is none.
    """
    if not (
        isinstance(version, list)
        and len(version) == 2
        and all(type(n) is int and n >= 0 for n in version)
    ):
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: its format version cannot be read"
        )
    if version[0] > layout.SCHEMA_VERSION[0]:
        raise RunFileError(
            f"{name} was written by format {version[0]}, this dlprobe reads up to "
            f"{layout.SCHEMA_VERSION[0]}: upgrade dlprobe"
        )
    return version[0], version[1]
