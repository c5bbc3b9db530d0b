"""New HDF5 files: readable by plain h5py, no times, no variable-length texts, and a full disk
is an ordinary error.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from dlprobe.hdf5 import file_objects, read_arrays
from dlprobe.hdf5.guard import GuardedFile
from dlprobe.hdf5.writer import PackedWriter


def _write(path: Path, rows: int = 3000) -> dict[str, np.ndarray]:
    arrays = {
        "stats/step": np.arange(rows, dtype="i8"),
        "stats/layer": np.arange(5, dtype="i4"),
        "stats/a": np.random.default_rng(1).normal(size=(rows, 5)).astype("f4"),
        "one/value": np.array(2.5),
        "one/text": np.array("Überraschung".encode()),
        "one/texts": np.array([b"a", b"bc"] * 2000),
        "one/none": np.empty((0, 7), "f4"),
    }
    writer = PackedWriter(path)
    writer.text("/", "schema", "test")
    writer.numbers("/", "schema_version", (1, 0))
    for name, array in arrays.items():
        writer.data_set(name, array.dtype, array.shape, {"units": "1", "long_name": "é"})
        writer.append(name, array[: rows // 3] if array.ndim else array)
        if array.ndim:
            writer.append(name, array[rows // 3 :])
    for axis, scale in enumerate(("stats/step", "stats/layer")):
        writer.scale(scale, scale.rpartition("/")[2])
        writer.attach("stats/a", axis, scale)
    writer.finish()
    return arrays


def test_what_is_written_reads_back_by_h5py_and_by_the_guard(tmp_path: Path) -> None:
    arrays = _write(tmp_path / "a.h5")
    guarded = read_arrays(tmp_path / "a.h5", arrays)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["schema"] == b"test"
        assert file["one/text"].asstr()[()] == "Überraschung"
        for name, array in arrays.items():
            np.testing.assert_array_equal(file[name][()], array)
            np.testing.assert_array_equal(guarded[name], array)
            assert guarded[name].dtype == array.dtype


def test_axes_are_named_by_dimension_scales(tmp_path: Path) -> None:
    _write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert [[scale.name for scale in dim.values()] for dim in file["stats/a"].dims] == [
            ["/stats/step"],
            ["/stats/layer"],
        ]
        assert file["stats/step"].is_scale


def test_every_chunk_is_checksummed_and_no_times_are_stored(tmp_path: Path) -> None:
    _write(tmp_path / "a.h5")
    _write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.id.get_create_plist().get_version()[0] == 3  # superblock of HDF5 1.10
        for name in ("stats/a", "stats/step", "one/texts"):
            assert file[name].fletcher32
            assert file[name].chunks is not None


def _fill(writer: PackedWriter) -> None:
    for n in range(50):
        writer.data_set(f"g/{n}", np.dtype("f4"), (5000, 5))
        writer.append(f"g/{n}", np.random.default_rng(n).normal(size=(5000, 5)).astype("f4"))
    writer.finish()


@pytest.mark.parametrize("room", [0, 1000, 20_000, 60_000])
def test_a_full_disk_is_an_ordinary_error_and_the_interpreter_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if os.lseek(descriptor, 0, os.SEEK_CUR) + len(data) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    monkeypatch.setattr(file_objects.os, "write", full)
    writer = PackedWriter(tmp_path / "full.h5")
    with pytest.raises(OSError, match="No space left"):
        _fill(writer)
    writer.abandon()
    assert not (tmp_path / "full.h5").exists()


def test_an_existing_file_is_never_opened_for_writing(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        PackedWriter(tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == b"precious"


def test_a_data_set_left_incomplete_is_an_error(tmp_path: Path) -> None:
    writer = PackedWriter(tmp_path / "a.h5")
    writer.data_set("a", np.dtype("f4"), (10,))
    writer.append("a", np.zeros(9, "f4"))
    with pytest.raises(ValueError, match="incomplete"):
        writer.finish()
    writer.abandon()


def test_values_of_other_byte_orders_arrive_in_this_machines_order(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "big.h5", "w") as file:
        file["x"] = np.arange(4, dtype=">f8")
    (found,) = read_arrays(tmp_path / "big.h5", ["x"]).values()
    assert found.dtype == np.dtype("=f8")
    np.testing.assert_array_equal(found, np.arange(4.0))


def test_slabs_together_are_the_whole(tmp_path: Path) -> None:
    array = np.arange(3_000_000, dtype="f8").reshape(-1, 3)
    writer = PackedWriter(tmp_path / "a.h5")
    writer.data_set("a", array.dtype, array.shape)
    writer.append("a", array)
    writer.finish()
    with GuardedFile(tmp_path / "a.h5") as file:
        slabs = list(file.slabs("a"))
    assert len(slabs) > 4
    np.testing.assert_array_equal(np.concatenate(slabs), array)
