"""Large files, read in tiles: the same numbers to the last bit as where they are held whole, in hardly more memory than training holds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars
import pytest

from dlprobe import registry
from dlprobe.config.records import DataConfig
from dlprobe.data import PreparedData, load, prepare, tiles
from dlprobe.errors import DataError

ROWS, FEATURES = 3_001, 7


def numbers(rows: int = ROWS, features: int = FEATURES, seed: int = 0) -> Any:
    """Columns of very different sizes, so that the order of additions shows in the last bits; two classes behind them."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, features)) * rng.lognormal(0, 4, features) + rng.standard_normal(features)
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
        file.create_dataset("X", data=matrix.reshape(len(matrix), 1, -1), chunks=(100, 1, matrix.shape[1]), compression="gzip")
        file["y"] = labels
    return path / "a.h5"


def frame(matrix: Any, labels: Any) -> polars.DataFrame:
    columns = {f"c{k}": matrix[:, k] for k in range(matrix.shape[1])}
    columns["c1"] = columns["c1"].astype(np.float32)
    return polars.DataFrame({"id": np.arange(len(matrix)), **columns, "flag": matrix[:, 0] > 0, "target": labels})


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
}


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets from how many numbers on a file is large, and makes tiles small: a hundred rows, or two columns."""
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


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("form", WRITERS)
def test_a_file_in_tiles_gives_the_same_numbers_to_the_last_bit(form: str, options: str, tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    write, usual = WRITERS[form]
    path = write(tmp_path, *numbers())
    chosen = {**usual, **OPTIONS[options]}
    small_tiles(2**40)
    whole = prepared(path, **chosen)
    small_tiles(1)
    assert load(DataConfig(data=str(path), **chosen), 3).tiles is not None
    in_tiles = prepared(path, **chosen)
    for each in fields(PreparedData):
        assert_same(getattr(whole, each.name), getattr(in_tiles, each.name), each.name)


@pytest.mark.parametrize("form", WRITERS)
def test_rows_that_repeat_by_nature_say_the_same_in_tiles(form: str, tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    """Few possible rows are counted, and what equal rows with different targets leave to everybody."""
    rng = np.random.default_rng(2)
    path = WRITERS[form][0](tmp_path, rng.integers(0, 2, (ROWS, 4)).astype(float), rng.integers(0, 2, ROWS))
    options = {**WRITERS[form][1], "drop": "flag"} if form in ("parquet", "feather") else WRITERS[form][1]
    small_tiles(2**40)
    whole = prepared(path, **options).repeats
    small_tiles(1)
    assert_same(whole, prepared(path, **options).repeats, "repeats")
    assert (whole.distinct, whole.possible, sorted(whole.floors)) == (16, pytest.approx(16), ["train", "val"])


def test_a_duplicate_is_counted_and_minus_zero_is_zero() -> None:
    matrix = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    digests = tiles.row_digests(matrix)
    assert (digests[0] == digests[1], len(set(digests.tolist()))) == (True, 3)


def test_digests_tell_rows_apart_as_sets_of_rows_do() -> None:
    """Rows of few values, so that many are equal: as many digests as distinct rows, equal where rows are."""
    matrix = np.random.default_rng(1).integers(0, 3, (20_000, 8)).astype(np.float64)
    _, groups = np.unique(matrix, axis=0, return_inverse=True)
    _, of_digests = np.unique(tiles.row_digests(matrix), return_inverse=True)
    assert len(set(zip(groups.ravel().tolist(), of_digests.tolist(), strict=True))) == groups.max() + 1 == of_digests.max() + 1


@pytest.mark.parametrize("form", ["npy", "hdf5"])
def test_memory_grows_hardly_more_than_what_training_holds(form: str, tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    """From 20,000 rows of 100 features to 60,000, so that what is read at a time cancels out: inputs of all parts and targets. What NumPy takes is traced."""
    small_tiles(1)
    peaks, held = [], []
    for rows in (100, 20_000, 60_000):
        path = WRITERS[form][0](tmp_path, *numbers(rows, 100))
        tracemalloc.start()
        try:
            data = prepared(path)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        held.append(sum(data.inputs[part].nbytes + data.targets[part].nbytes for part in data.inputs))
    assert peaks[2] - peaks[1] <= 1.2 * (held[2] - held[1])


def test_what_looks_at_whole_columns_reads_them_whole(tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    path = write_npy(tmp_path, *numbers())
    small_tiles(1)
    assert load(DataConfig(data=str(path), scaling="robust"), 3).tiles is None
    assert load(DataConfig(data=str(path), outliers="0.1"), 3).tiles is None


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(("value", "message"), [(np.nan, "dropped 1 of"), (np.inf, "expected a finite number")])
def test_gaps_and_infinities_are_told_as_of_small_files(form: str, value: float, message: str, tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    matrix, labels = numbers()
    matrix[1234, 3] = value
    path = WRITERS[form][0](tmp_path, matrix, labels)
    small_tiles(1)
    if np.isnan(value):
        assert any(message in note for note in load(DataConfig(data=str(path), **WRITERS[form][1]), 3).notes)
    else:
        with pytest.raises(DataError, match=message):
            load(DataConfig(data=str(path), **WRITERS[form][1]), 3)


def test_a_number_that_does_not_fit_is_named_with_its_row(tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    matrix, labels = numbers()
    matrix[1234, 3] = 1e300
    path = write_npy(tmp_path, matrix, labels)
    small_tiles(1)
    with pytest.raises(DataError, match=r"sample 1235, feature 'x4': 1e\+300 does not fit float32"):
        prepared(path, scaling="none")


def test_a_file_that_is_cut_between_two_passes_is_one_line(tmp_path: Path, small_tiles: Callable[[int], None]) -> None:
    path = write_npy(tmp_path, *numbers())
    small_tiles(1)
    config = DataConfig(data=str(path))
    dataset = load(config, 3)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="became shorter while it was read"):
        prepare(dataset, config, 3, "float32")
