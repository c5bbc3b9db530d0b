"""NPZ, NPY, HDF5 and IDX: arrays as they are."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlprobe.data import Dataset

Read = Callable[..., Dataset]

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])


def idx(array: np.ndarray, code: int) -> bytes:
    """The IDX format as LeCun's page defines it."""
    return (
        struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def test_npz_holds_x_and_y(read: Read, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", X=X, y=Y)
    data = read("a.npz")
    np.testing.assert_array_equal(data.inputs, X)
    np.testing.assert_array_equal(data.targets, Y)
    assert data.task == "classification"


def test_npz_target_names_another_array(read: Read, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", measurements=X, labels=np.array(["u", "v", "u", "v", "u", "v"]))
    data = read("a.npz", target="labels")
    np.testing.assert_array_equal(data.inputs, X)
    assert data.class_names == ("u", "v")


def test_images_are_flattened_with_a_note(read: Read, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.arange(24).reshape(6, 2, 2), y=Y)
    data = read("a.npz")
    np.testing.assert_array_equal(data.inputs, np.arange(24).reshape(6, 4))
    assert "X: each sample of shape (2, 2) was flattened" in data.notes


def test_several_float_columns_are_several_outputs(read: Read, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=np.linspace(0, 1, 18).reshape(6, 3))
    data = read("a.npz")
    assert (data.task, data.outputs, data.targets.shape) == ("regression", 3, (6, 3))


def test_one_hot_targets_become_classes(read: Read, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=np.eye(2)[Y])
    data = read("a.npz")
    np.testing.assert_array_equal(data.targets, Y)
    assert any("one-hot columns" in note for note in data.notes)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", ">i4", "float16", ">f8", "longdouble"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_every_real_type_and_order_is_read(
    read: Read, tmp_path: Path, dtype: str, order: str
) -> None:
    array = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]], dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    data = read("a.npy")
    np.testing.assert_array_equal(data.inputs, [[1, 0], [0, 1], [1, 1], [0, 0]])
    np.testing.assert_array_equal(data.targets, [1, 0, 1, 0])
    assert data.inputs.flags.c_contiguous


def test_npy_target_is_a_column_number(read: Read, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0.5, 1, 2], [1.5, 3, 4]]))
    data = read("a.npy", target="1")
    np.testing.assert_array_equal(data.inputs, [[1, 2], [3, 4]])
    assert data.feature_names == ("x2", "x3")


@pytest.mark.parametrize("labels", [Y, np.array([b"u", b"v"] * 3)])
def test_hdf5_holds_x_and_y(read: Read, tmp_path: Path, labels: np.ndarray) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["y"] = X, labels
    data = read("a.h5")
    np.testing.assert_array_equal(data.inputs, X)
    np.testing.assert_array_equal(data.targets, Y)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
    ],
)
@pytest.mark.parametrize("packed", [(False, False), (True, True), (True, False), (False, True)])
def test_idx_images_find_their_labels_plain_or_packed(
    read: Read, tmp_path: Path, name: str, labels: str, packed: tuple[bool, bool]
) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    for file, array, pack in ((name, pixels, packed[0]), (labels, Y.astype(np.uint8), packed[1])):
        content = idx(array, 0x08)
        (tmp_path / (f"{file}.gz" if pack else file)).write_bytes(
            gzip.compress(content) if pack else content
        )
    data = read(f"{name}.gz" if packed[0] else name)
    np.testing.assert_array_equal(data.inputs, pixels.reshape(6, 4))
    np.testing.assert_array_equal(data.targets, Y)


@pytest.mark.parametrize(
    ("dtype", "code"),
    [("u1", 0x08), ("i1", 0x09), ("i2", 0x0B), ("i4", 0x0C), ("f4", 0x0D), ("f8", 0x0E)],
)
def test_idx_of_every_type_is_read(read: Read, tmp_path: Path, dtype: str, code: int) -> None:
    values = np.array([[1, 100], [3, 4], [5, 6], [7, 8]], dtype=dtype)
    (tmp_path / "labels.idx").write_bytes(idx(np.array([1, 0, 1, 0], dtype=np.uint8), 0x08))
    data = read("images.idx", idx(values, code), target="labels.idx")
    np.testing.assert_array_equal(data.inputs, values)
