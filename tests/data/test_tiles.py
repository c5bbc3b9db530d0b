"""Large files, read in tiles: the same numbers to the last bit as where they are held whole, in
hardly more memory than training holds.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars
import pytest

from dlprobe import registry
from dlprobe.config.records import DataConfig
from dlprobe.data import PreparedData, load, prepare, tile_quantiles, tile_views, tiles
from dlprobe.data.dataset import Tile
from dlprobe.errors import DataError

ROWS, FEATURES = 3_001, 7


def numbers(rows: int = ROWS, features: int = FEATURES, seed: int = 0) -> Any:
    """Columns of very different sizes, so that the order of additions shows in the last bits;
    two classes behind them.
    """
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, features)) * rng.lognormal(
        0, 4, features
    ) + rng.standard_normal(features)
    matrix[5] = matrix[4]
    matrix[7, :2] = 0.0, -0.0
    return matrix, rng.integers(0, 2, rows)


def write_npy(path: Path, matrix: Any, labels: Any) -> Path:
    np.save(path / "a.npy", np.column_stack([matrix, labels]))
    return path / "a.npy"


def write_float32(path: Path, matrix: Any, labels: Any) -> Path:
    np.save(path / "b.npy", np.column_stack([labels, matrix]).astype(np.float32))
    return path / "b.npy"


def write_hdf5(path: Path, matrix: Any, labels: Any) -> Path:
    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset(
            "X",
            data=matrix.reshape(len(matrix), 1, -1),
            chunks=(100, 1, matrix.shape[1]),
            compression="gzip",
        )
        file["y"] = labels
    return path / "a.h5"


def frame(matrix: Any, labels: Any) -> polars.DataFrame:
    columns = {f"c{k}": matrix[:, k] for k in range(matrix.shape[1])}
    columns["c1"] = columns["c1"].astype(np.float32)
    return polars.DataFrame(
        {"id": np.arange(len(matrix)), **columns, "flag": matrix[:, 0] > 0, "target": labels}
    )


def write_parquet(path: Path, matrix: Any, labels: Any) -> Path:
    frame(matrix, labels).write_parquet(path / "a.parquet", row_group_size=500)
    return path / "a.parquet"


def write_feather(path: Path, matrix: Any, labels: Any) -> Path:
    frame(matrix, labels).write_ipc(path / "a.feather")
    return path / "a.feather"


Write = Callable[[Path, Any, Any], Path]
WRITERS: dict[str, tuple[Write, dict[str, Any]]] = {
    "npy": (write_npy, {}),
    "npy of float32, labels first": (write_float32, {"target": "1"}),
    "hdf5": (write_hdf5, {}),
    "parquet": (write_parquet, {}),
    "feather": (write_feather, {}),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "minmax": {"scaling": "minmax", "split": "100,0,0"},
    "few rows of a noisy set": {"train_size": "40", "label_noise": "0.2", "split": "30,60,10"},
    "one target of a regression": {"task": "regression"},
    "robust": {"scaling": "robust"},
}
# of files with gaps in features
GAPS: dict[str, dict[str, Any]] = {
    "rows dropped": {},
    "mean": {"missing": "mean"},
    "median, minmax": {"missing": "median", "scaling": "minmax"},
    "indicators, robust": {"missing": "indicator", "scaling": "robust"},
}


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets from how many numbers on a file is large, and makes tiles small: a hundred rows, or
    two columns.
    """
    registry.records("file_format")  # all of them, in their order
    monkeypatch.setattr("dlprobe.data.files.npy.TILE", 100 * FEATURES)
    monkeypatch.setattr("dlprobe.data.frame_tiles.TILE", ROWS // 2)
    return lambda large: monkeypatch.setattr("dlprobe.data.large_files.LARGE", large)


def prepared(path: Path, dtype: str = "float32", **options: Any) -> PreparedData:
    config = DataConfig(data=str(path), **options)
    return prepare(load(config, 3), config, 3, dtype)


def assert_same(one: Any, other: Any, name: str) -> None:
    """Equal to the last bit, in dtype and shape too."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_same(one[key], other[key], f"{name} {key}")
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), name
        assert one.tobytes() == other.tobytes(), name
    elif hasattr(one, "shift") or hasattr(one, "duplicates"):
        assert_same(vars(one), vars(other), name)
    else:
        assert one == other, name


def assert_same_in_tiles(
    path: Path, small_tiles: Callable[[int], None], **options: Any
) -> PreparedData:
    small_tiles(2**40)
    whole = prepared(path, **options)
    small_tiles(1)
    assert load(DataConfig(data=str(path), **options), 3).tiles is not None
    in_tiles = prepared(path, **options)
    for each in fields(PreparedData):
        assert_same(getattr(whole, each.name), getattr(in_tiles, each.name), each.name)
    return whole


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("form", WRITERS)
def test_a_file_in_tiles_gives_the_same_numbers_to_the_last_bit(
    form: str, options: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    write, usual = WRITERS[form]
    assert_same_in_tiles(write(tmp_path, *numbers()), small_tiles, **usual, **OPTIONS[options])


def with_gaps(rows: int, seed: int = 0) -> Any:
    """One row in seven has a gap; the fifth feature has none, and equal rows have equal ones."""
    matrix, labels = numbers(rows, seed=seed)
    matrix[4:6, 2] = np.nan
    matrix[np.arange(3, rows, 7), np.arange(len(range(3, rows, 7))) % 4] = np.nan
    return matrix, labels


@pytest.mark.parametrize("options", GAPS)
@pytest.mark.parametrize("form", WRITERS)
def test_gaps_are_dropped_and_filled_in_tiles_to_the_last_bit(
    form: str, options: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    write, usual = WRITERS[form]
    data = assert_same_in_tiles(
        write(tmp_path, *with_gaps(ROWS)), small_tiles, **usual, **GAPS[options]
    )
    assert any("missing values" in note for note in data.notes)


@pytest.mark.parametrize("options", GAPS)
@pytest.mark.parametrize("form", WRITERS)
def test_given_files_are_read_in_tiles_to_the_last_bit(
    form: str, options: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    write, usual = WRITERS[form]
    other = tmp_path / "other"
    other.mkdir()
    val_data = str(write(other, *with_gaps(211, seed=1)))
    data = assert_same_in_tiles(
        write(tmp_path, *with_gaps(ROWS)),
        small_tiles,
        **usual,
        **GAPS[options],
        val_data=val_data,
        split="80,0,20",
    )
    assert any("the val part is given: 211 rows" in note for note in data.notes)


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_texts_are_dropped_and_are_labels_in_tiles(
    form: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    """Columns of texts in another order in the validation file, whose numbers are whole ones of
    another type.
    """
    matrix, labels = with_gaps(ROWS)
    paths = []
    for name, rows in (("t", slice(0, 2800)), ("v", slice(2800, ROWS))):
        columns = {f"c{k}": matrix[rows, k] for k in range(FEATURES)} | {
            "name": [f"row {i}" for i in range(rows.stop - rows.start)]
        }
        columns |= {
            "kind": np.array(["no", "yes"])[labels[rows]],
            "patient": [f"p{i % 40}" for i in range(rows.stop - rows.start)],
        }
        table = polars.DataFrame(columns).select(sorted(columns, reverse=name == "v"))
        paths.append(tmp_path / f"{name}.{form}")
        table.write_parquet(paths[-1]) if form == "parquet" else table.write_ipc(paths[-1])
    options = {
        "drop": "name",
        "target": "kind",
        "group_column": "patient",
        "val_data": str(paths[1]),
        "missing": "mean",
    }
    data = assert_same_in_tiles(paths[0], small_tiles, **options)
    assert data.class_names == ("no", "yes")


@pytest.mark.parametrize("name", ["X", "y"])
def test_a_given_array_of_another_form_is_one_line(
    name: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    arrays = {"X": np.zeros((50, 3, 2)), "y": np.arange(50) % 2}
    for path in (tmp_path / "t.h5", tmp_path / "v.h5"):
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file[key] = array
        arrays[name] = arrays[name][:, None][:, :, :1] if name == "X" else arrays[name].astype("S1")
    small_tiles(1)
    with pytest.raises(
        DataError,
        match=f"v.h5: array '{name}' has shape .*, expected samples as in '{name}' of t.h5",
    ):
        load(DataConfig(data=str(tmp_path / "t.h5"), val_data=str(tmp_path / "v.h5")), 0)


def test_medians_and_quartiles_of_any_numbers_are_those_of_numpy() -> None:
    """Ties, both zeros, infinities, tiny and huge ones, columns with different numbers of gaps;
    several tiles.
    """
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            rng.standard_normal(501),
            rng.standard_cauchy(501) * 1e300,
            rng.integers(-2, 3, 501).astype(float),
            rng.standard_normal(501) * 5e-324,
            rng.lognormal(0, 200, 501),
            np.full(501, -7.5),
            1e9 + rng.random(501),
        ],
        axis=1,
    )
    rows = np.flatnonzero(rng.random(501) < 0.7)
    table = tile_views.Stacked(SmallTiles(values[:100]), SmallTiles(values[100:]))
    np.testing.assert_array_equal(
        tile_quantiles.robust_in_tiles(table, rows),
        np.percentile(values[rows], (25, 50, 75), axis=0),
    )
    values[rng.random(values.shape) < 0.3] = np.nan
    known = (~np.isnan(values[rows])).sum(axis=0)
    assert {0, 1} <= set((known % 2).tolist())
    np.testing.assert_array_equal(
        tile_quantiles.median_in_tiles(table, rows, known), np.nanmedian(values[rows], axis=0)
    )


@dataclass(frozen=True)
class SmallTiles:
    """A matrix as tiles of 30 rows and 3 columns."""

    matrix: Any

    @property
    def shape(self) -> Any:
        return self.matrix.shape

    def __iter__(self) -> Iterator[Tile]:
        for column in range(0, self.matrix.shape[1], 3):
            for row in range(0, len(self.matrix), 30):
                piece = np.array(self.matrix[row : row + 30, column : column + 3], order="C")
                yield Tile(
                    slice(row, row + len(piece)), slice(column, column + piece.shape[1]), piece
                )


@pytest.mark.parametrize("form", WRITERS)
def test_rows_that_repeat_by_nature_say_the_same_in_tiles(
    form: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    """Few possible rows are counted, and what equal rows with different targets leave to
    everybody.
    """
    rng = np.random.default_rng(2)
    path = WRITERS[form][0](
        tmp_path, rng.integers(0, 2, (ROWS, 4)).astype(float), rng.integers(0, 2, ROWS)
    )
    options = (
        {**WRITERS[form][1], "drop": "flag"} if form in ("parquet", "feather") else WRITERS[form][1]
    )
    small_tiles(2**40)
    whole = prepared(path, **options).repeats
    small_tiles(1)
    assert_same(whole, prepared(path, **options).repeats, "repeats")
    assert (whole.distinct, whole.possible, sorted(whole.floors)) == (
        16,
        pytest.approx(16),
        ["train", "val"],
    )


def test_a_duplicate_is_counted_and_minus_zero_is_zero() -> None:
    matrix = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    digests = tiles.row_digests(matrix)
    assert (digests[0] == digests[1], len(set(digests.tolist()))) == (True, 3)


def test_digests_tell_rows_apart_as_sets_of_rows_do() -> None:
    """Rows of few values, so that many are equal: as many digests as distinct rows, equal where
    rows are.
    """
    matrix = np.random.default_rng(1).integers(0, 3, (20_000, 8)).astype(np.float64)
    _, groups = np.unique(matrix, axis=0, return_inverse=True)
    _, of_digests = np.unique(tiles.row_digests(matrix), return_inverse=True)
    assert (
        len(set(zip(groups.ravel().tolist(), of_digests.tolist(), strict=True)))
        == groups.max() + 1
        == of_digests.max() + 1
    )


@pytest.mark.parametrize(
    "options", [{}, {"missing": "mean", "val_data": "beside"}], ids=["alone", "gaps, two files"]
)
@pytest.mark.parametrize("form", ["npy", "hdf5"])
def test_memory_grows_hardly_more_than_what_training_holds(
    form: str,
    options: dict[str, str],
    tmp_path: Path,
    small_tiles: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From 10,000 rows of 100 features to 30,000, so that what is read at a time cancels out:
    inputs of all parts and targets. What NumPy takes is traced.
    """
    small_tiles(1)
    monkeypatch.setattr("dlprobe.data.files.npy.TILE", 2**16)
    peaks, held = [], []
    for rows in (100, 10_000, 30_000):
        matrix, labels = numbers(rows, 100)
        if options:
            matrix[::7, 3] = np.nan
        path = WRITERS[form][0](tmp_path, matrix, labels)
        if "val_data" in options:
            (tmp_path / "beside").mkdir(exist_ok=True)
            options = {
                **options,
                "val_data": str(
                    WRITERS[form][0](tmp_path / "beside", matrix[:6000], labels[:6000])
                ),
            }
        tracemalloc.start()
        try:
            data = prepared(path, **options)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        held.append(
            sum(data.inputs[part].nbytes + data.targets[part].nbytes for part in data.inputs)
        )
    assert peaks[2] - peaks[1] <= 1.2 * (held[2] - held[1])


def test_what_looks_at_whole_columns_reads_them_whole(
    tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    path = write_npy(tmp_path, *numbers())
    small_tiles(1)
    assert load(DataConfig(data=str(path), outliers="0.1"), 3).tiles is None


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "dropped 1 of"), (np.inf, "expected a finite number")]
)
def test_gaps_and_infinities_are_told_as_of_small_files(
    form: str, value: float, message: str, tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    matrix, labels = numbers()
    matrix[1234, 3] = value
    path = WRITERS[form][0](tmp_path, matrix, labels)
    small_tiles(1)
    if np.isnan(value):
        assert any(
            message in note
            for note in load(DataConfig(data=str(path), **WRITERS[form][1]), 3).notes
        )
    else:
        with pytest.raises(DataError, match=message):
            load(DataConfig(data=str(path), **WRITERS[form][1]), 3)


def test_a_number_that_does_not_fit_is_named_with_its_row(
    tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    matrix, labels = numbers()
    matrix[1234, 3] = 1e300
    path = write_npy(tmp_path, matrix, labels)
    small_tiles(1)
    with pytest.raises(DataError, match=r"sample 1235, feature 'x4': 1e\+300 does not fit float32"):
        prepared(path, scaling="none")


def test_a_file_that_is_cut_between_two_passes_is_one_line(
    tmp_path: Path, small_tiles: Callable[[int], None]
) -> None:
    path = write_npy(tmp_path, *numbers())
    small_tiles(1)
    config = DataConfig(data=str(path))
    dataset = load(config, 3)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="became shorter while it was read"):
        prepare(dataset, config, 3, "float32")
