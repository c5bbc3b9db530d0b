"""Groups that this package lays out itself are what HDF5 would have written, to every reader of
HDF5, and show every damaged byte as its own do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dlprobe.hdf5.checksum import checksums, fletcher32
from dlprobe.hdf5.group_layout import GroupCopy, GroupLayout, SmallSet
from dlprobe.hdf5.writer import Below, PackedWriter

RANDOM = np.random.default_rng(5)
VALUES = {
    "stats/step": np.arange(4, dtype="i8"),
    "stats/layer": np.arange(3, dtype="i4"),
    "stats/a": RANDOM.normal(size=(4, 3)).astype("f4"),
    "stats/deep/b": RANDOM.normal(size=(4, 3)),
    "one/text": np.array("Überraschung".encode()),
    "one/texts": np.array([b"a", b"bcd"]),
    "one/flags": np.array([1, 0, 1], "u1"),
    "one/none": np.empty((0, 7), "f4"),
    "large": RANDOM.normal(size=7400),
    "single": np.array(2.5),
    "noise/flat": RANDOM.normal(size=20_000).astype("f4"),
    "noise/rows": RANDOM.normal(size=(2, 4000)),
}
LENGTHS = {"stats/deep/rows": 4, "stats/deep/layers": 3}
SCALES = ["stats/step", "stats/layer"]
ATTACHED = [
    ("stats/a", 0, "stats/step"),
    ("stats/a", 1, "stats/layer"),
    ("stats/deep/b", 0, "stats/deep/rows"),
    ("stats/deep/b", 1, "stats/deep/layers"),
]
TEXTS = {"units": "1", "long_name": "é, and longer"}
RUNS = 12  # more than a group keeps in its own header


def _filled(group: GroupCopy | Below, run: int) -> None:
    for path, array in VALUES.items():
        values = array if array.dtype.kind == "S" else (array + run).astype(array.dtype)
        group.append(path, values[:1] if array.ndim else values)
        if array.ndim:
            group.append(path, values[1:])
    group.text("", "status", f"run {run}")
    group.text("", "empty", "")
    group.numbers("", "version", (1, run))
    group.text("described", "json", "{}" * run)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same groups, laid out here and by HDF5."""
    folder = tmp_path_factory.mktemp("layouts")
    sets = {
        path: SmallSet(array.dtype, array.shape, TEXTS, path.startswith("noise"))
        for path, array in VALUES.items()
    }
    layout = GroupLayout(sets, LENGTHS, SCALES, ATTACHED, ["described"])
    own = PackedWriter(folder / "own.h5")
    theirs = PackedWriter(folder / "theirs.h5")
    for writer in (own, theirs):
        writer.text("/", "schema", "test")
    for run in range(RUNS):
        group_copy, below = GroupCopy(layout), Below(theirs, f"runs/{run}")
        for path, one in sets.items():
            theirs.data_set(below.at(path), one.dtype, one.shape, one.texts, noise=one.noise)
        for path, length in LENGTHS.items():
            theirs.dimension(below.at(path), length)
        for path in SCALES:
            theirs.scale(below.at(path), path.rpartition("/")[2])
        for path, axis, scale in ATTACHED:
            theirs.attach(below.at(path), axis, below.at(scale))
        for group in (group_copy, below):
            _filled(group, run)
        own.add_copy(f"runs/{run}", group_copy)
    own.finish()
    theirs.finish()
    return folder / "own.h5", folder / "theirs.h5"


def _told(file: h5py.File) -> dict[str, Any]:
    """All that a file holds: of every object type, attributes, values and axes."""

    def plain(value: Any) -> Any:
        if isinstance(value, h5py.Reference):
            return file[value].name
        if isinstance(value, np.void):
            return [plain(part) for part in value]
        if isinstance(value, np.ndarray) and value.dtype.kind in "OV":
            return sorted(map(plain, value), key=str) if value.dtype.names else [*map(plain, value)]
        return np.asarray(value).tolist(), np.asarray(value).dtype.str

    told: dict[str, Any] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        told[name] = {key: plain(value) for key, value in item.attrs.items()}
        if isinstance(item, h5py.Dataset):
            axes = [[scale.name for scale in dim.values()] for dim in item.dims]
            told[name] |= {"": (item.dtype, item.shape, item[()].tobytes(), axes)}

    file.visititems(take)
    return told


def test_groups_laid_out_here_are_those_that_hdf5_writes(both: tuple[Path, Path]) -> None:
    with h5py.File(both[0]) as own, h5py.File(both[1]) as theirs:
        told = _told(own)
        assert told == _told(theirs)
        assert len(told) == 1 + RUNS * (1 + 5 + len(VALUES) + len(LENGTHS))
        assert own.id.get_filesize() == both[0].stat().st_size


def test_such_a_file_takes_more_groups_and_loses_old_ones(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "own.h5"
    path.write_bytes(both[0].read_bytes())
    with h5py.File(path, "a") as file:
        del file["runs/0"]
        file["runs/1/one"].create_dataset("more", data=np.arange(5))
        file["runs/1"].attrs["status"] = "changed"
    with h5py.File(path) as file:
        assert file["runs/1/one/more"][()].tolist() == [*range(5)]
        assert file["runs/1/single"][()] == 3.5
        assert len(file["runs"]) == RUNS - 1


@pytest.mark.parametrize(
    ("name", "error"), [("runs/7/stats/a", KeyError), ("runs/9/large", OSError)]
)
def test_a_damaged_byte_of_values_is_noticed(
    name: str, error: type[Exception], both: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = bytearray(both[0].read_bytes())
    with h5py.File(both[0]) as file:
        values = file[name][()].tobytes()
    start = whole.index(values)
    for byte in range(start, start + len(values), len(values) // 9):
        whole[byte] ^= 1 << byte % 8
        (tmp_path / "damaged.h5").write_bytes(whole)
        with (
            h5py.File(tmp_path / "damaged.h5") as file,
            pytest.raises(error, match=r"checksum|filter"),
        ):
            file[name][()]
        whole[byte] ^= 1 << byte % 8


def test_chunks_have_the_checksum_of_the_filter() -> None:
    """Compared with the sum as it is defined, over every word by itself."""
    for size, fill in ((2, 0), (6, 255), (90_000, None)):
        data = RANDOM.integers(0, 256, size, np.uint8) if fill is None else [fill] * size
        data = np.asarray(data, np.uint8)
        first = second = 0
        for high, low in data.reshape(-1, 2).tolist():
            for word in (high << 8 | low,):
                first = first + word if first + word <= 0xFFFF else first + word - 0xFFFF
                second = second + first if second + first <= 0xFFFF else second + first - 0xFFFF
        assert fletcher32(data) == second << 16 | first


def test_checksums_are_those_of_lookup3() -> None:
    """The values that Jenkins's own program prints (`driver5` of lookup3.c); blocks beside each
    other do not matter to one another.
    """
    text = b"Four score and seven years ago"
    data = np.frombuffer(text.ljust(32, b"!") + text, np.uint8)
    sums = checksums(data, np.array([0, 32]), np.array([len(text), len(text)]))
    assert [hex(one) for one in sums] == ["0x17770551", "0x17770551"]
