"""What travels between the steps: the data as loaded, and the data as the engine eats them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass

if TYPE_CHECKING:
    from dlprobe.config.records import DataConfig

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Array: TypeAlias = npt.NDArray[Any]
Options: TypeAlias = "DataConfig"  # the `[data]` table of a configuration

PARTS = ("train", "val", "test")

# 4 GiB as float64: more is refused before any memory is taken, whatever a file's header or an
# option asks for
LARGEST_ELEMENTS = 2**29

SPREAD_ROWS = 400  # tell a quartile to a tenth, in milliseconds


def numbered(name: str, count: int) -> tuple[str, ...]:
    """`y` for one column, `y1`, `y2`, … for several."""
    return (name,) if count == 1 else tuple(f"{name}{k}" for k in range(1, count + 1))


def no_rows() -> Indices:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Tile:
    """A piece of a matrix: which rows and columns, and its values, float64 (rows, columns),
    which may be overwritten.
    """

    rows: slice
    columns: slice
    values: Floats


class Tiles(Protocol):
    """A matrix of `shape` (rows, columns) in a file."""

    @property
    def shape(self) -> tuple[int, int]: ...
    def __iter__(self) -> Iterator[Tile]:
        """The tiles once more. Of each column the rows ascend, of each row the columns. Raises
        DataError where the file has changed.
        """
        ...


@dataclass(frozen=True)
class ScannedTiles:
    """Tiles of numbers, finite but for NaN where a value is missing and to be filled (`gaps`: some
    is).

    digests: of each row, uint64 (rows,), where there are no gaps. missing: rows without a value,
        int64 (features,), among the `rows` of the file, some of which may have been dropped.
    """

    tiles: Tiles
    digests: Indices
    gaps: bool
    missing: Indices
    rows: int


@dataclass(frozen=True)
class Dataset:
    """Data as loaded, before splitting and scaling.

    inputs: float64 (samples, features), C-contiguous, finite but for NaN where a value is missing
        and to be filled; without a row where `tiles` has them.
    targets: class indices int64 (samples,), or float64 (samples, outputs) for regression.
    target_names: of a regression, what each target column is called.
    notes: what was inferred or dropped, one sentence each.
    noise_variance: variance of the noise in each regression target, where it is known.
    clean_targets: float64 (samples, outputs), the targets without their noise, where they are
        known.
    parts: int64 (samples,), the part a row is given to: 1 val, 2 test, 0 for training or not given;
        None where nothing is given.
    groups: int64 (samples,), rows of equal number stay in one part; None where rows are on their
        own.
    sample_shape: of each sample in the file's array, before it was flattened; () where there is no
        array, or some of its features were left out.
    tiles: the inputs of a large file, which are read piece by piece; None where `inputs` holds
        them.
    """

    name: str
    inputs: Floats
    targets: Array
    task: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    noise_variance: float | None = None
    clean_targets: Floats | None = None
    target_names: tuple[str, ...] = ()
    parts: Indices | None = None
    groups: Indices | None = None
    sample_shape: tuple[int, ...] = ()
    tiles: ScannedTiles | None = None

    def __post_init__(self) -> None:
        if self.task == "regression" and not self.target_names:
            object.__setattr__(self, "target_names", numbered("y", self.outputs))

    @property
    def samples(self) -> int:
        """Rows."""
        return len(self.targets)

    @property
    def outputs(self) -> int:
        """Outputs that a network for this data needs: classes, or target columns."""
        return (
            len(self.class_names) if self.task == "classification" else int(self.targets.shape[1])
        )


@dataclass(frozen=True)
class Scaler:
    """scaled = (raw − shift) · scale, both float64 (features,). A column that is constant in
    the training part has scale 0: it is 0 in every part.
    """

    kind: str
    shift: Floats
    scale: Floats

    def apply(self, inputs: Floats) -> Floats:
        """Scaled copy of `inputs` (samples, features), float64; what leaves float64 becomes
        infinite, silently.
        """
        with np.errstate(all="ignore"):
            return (inputs - self.shift) * self.scale

    def undo(self, scaled: Array) -> Floats:
        """What `apply` made of `scaled`, float64; of a scaler without constant columns, as
        those of targets are.
        """
        with np.errstate(all="ignore"):
            return np.asarray(scaled / self.scale + self.shift, np.float64)


@dataclass(frozen=True)
class Repeats:
    """Rows that repeat, to the last digit of their raw inputs.

    duplicates: rows of the second part that are also in the first, keyed `train_val`,
    `train_test`, `val_test`. distinct: different rows of all parts together; possible: rows that
    the different values of each feature could make, infinite where no row repeats. floors: by part,
    the error (share of wrong classes, or root mean square) that no function of the inputs can go
    below, because equal rows have different targets; only of parts whose rows repeat so often that
    this says something.
    """

    duplicates: Mapping[str, int]
    distinct: int = 0
    possible: float = math.inf
    floors: Mapping[str, float] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """What a run file says of them, by the names that the layout table has in `data`."""
        rows: dict[str, Any] = {"distinct_rows": self.distinct} if self.distinct else {}
        rows |= {"possible_rows": self.possible} if math.isfinite(self.possible) else {}
        counts = {f"duplicates_{pair}": count for pair, count in self.duplicates.items()}
        return {**counts, **rows, **{f"{part}_floor": error for part, error in self.floors.items()}}


def spreads(inputs: Floats) -> Floats:
    """Interquartile range of each column of inputs (samples, columns) as the net gets them, of at
    most SPREAD_ROWS evenly spaced rows, float64 (columns,).
    """
    rows = inputs[:: -(-len(inputs) // SPREAD_ROWS)]
    with np.errstate(all="ignore"):
        low, high = np.percentile(rows.astype(np.float64), (25, 75), axis=0)
    return np.asarray(high - low)


@dataclass(frozen=True)
class PreparedData:
    """Split and scaled data. Every mapping `dict[part, …]` has the keys train, val and test; a part
    may be empty, the training part never.

    inputs: (samples, features) of the asked dtype, C-contiguous, scaled. targets, target_names: as
        in Dataset; what scales targets depends on loss and output, which training knows.
    indices: int64 rows of the Dataset in each part, ascending.
    fingerprint: sha256 hex of the prepared arrays.
    feature_min, feature_max, feature_mean, feature_std: float64 (features,), of the raw training
    part (population std).
    class_counts: int64 (classes,) per part; empty for regression.
    repeats: which rows repeat.
    input_mean, input_mean_square: over all elements of the prepared training inputs.
    noisy_labels: rows of the Dataset in the training part whose class was replaced; outlier_rows:
        whose inputs were. int64, ascending.
    label_noise_std: float64 (outputs,), deviation of the noise added to regression targets of the
        training part; empty where there is none.
    feature_fill: float64 (features,), what missing values were filled by, of the raw training part;
        empty where none was missing.
    """

    name: str
    task: str
    outputs: int
    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    indices: Mapping[str, Indices]
    scaler: Scaler
    fingerprint: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    feature_min: Floats
    feature_max: Floats
    feature_mean: Floats
    feature_std: Floats
    class_counts: Mapping[str, Indices]
    repeats: Repeats
    input_mean: float
    input_mean_square: float
    notes: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    noise_variance: float | None = None
    clean_targets: Mapping[str, Floats] | None = None
    noisy_labels: Indices = field(default_factory=no_rows)
    outlier_rows: Indices = field(default_factory=no_rows)
    label_noise_std: Floats = field(default_factory=lambda: np.zeros(0))
    target_names: tuple[str, ...] = ()
    feature_fill: Floats = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def feature_spread(self) -> Floats:
        """`spreads` of the training inputs: every run of a study says it."""
        return spreads(self.inputs["train"])
