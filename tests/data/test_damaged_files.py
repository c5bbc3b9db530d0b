"""A good file of each format with a few bytes changed: a DataError of one line, or data. Never
anything else.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import load
from dlprobe.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3)).astype(np.float32)
Y = np.arange(30) % 2
MUTATIONS = 100


def csv() -> bytes:
    rows = [
        f"{a:.3f},{b:.3f},{'red' if a > 0 else 'blue'},{y}"
        for (a, b, _), y in zip(X, Y, strict=True)
    ]
    return "\n".join(["a,b,colour,y", *rows]).encode()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.column_stack([X, Y]))
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, X=X, y=Y)
    return stream.getvalue()


def parquet() -> bytes:
    stream = io.BytesIO()
    polars.DataFrame({"a": X[:, 0], "colour": ["red", "blue", "red"] * 10, "y": Y}).write_parquet(
        stream
    )
    return stream.getvalue()


def hdf5() -> bytes:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["X"], file["y"] = X, Y
    return stream.getvalue()


def idx() -> bytes:
    return struct.pack(">HBBII", 0, 0x0D, 2, 30, 3) + X.astype(">f4").tobytes()


FORMATS: dict[str, Callable[[], bytes]] = {
    "a.csv": csv,
    "a.tsv": lambda: csv().replace(b",", b"\t"),
    "a.npy": npy,
    "a.npz": npz,
    "a.parquet": parquet,
    "a.h5": hdf5,
    "a-images-idx3-ubyte": idx,
    "a-images-idx3-ubyte.gz": lambda: gzip.compress(idx(), mtime=0),
}


def mutated(good: bytes, rng: np.random.Generator) -> bytes:
    """Up to three bytes changed, and every fifth time the end cut off."""
    changed = bytearray(good)
    for _ in range(rng.integers(1, 4)):
        changed[rng.integers(len(changed))] = rng.integers(256)
    return bytes(changed[: rng.integers(len(changed))] if rng.integers(5) == 0 else changed)


def refusal(config: DataConfig) -> str | None:
    """The message with which a file is refused; None where it is read, which must give finite
    numbers.
    """
    try:
        inputs = load(config, 0).inputs
    except DataError as error:
        return str(error)
    assert np.isfinite(inputs).all()
    return None


@pytest.mark.parametrize("name", FORMATS)
def test_changed_bytes_are_refused_in_one_line_or_read(tmp_path: Path, name: str) -> None:
    good, rng = FORMATS[name](), np.random.default_rng(1)
    path, labels = tmp_path / name, tmp_path / "a-labels-idx1-ubyte"
    labels.write_bytes(struct.pack(">HBBI", 0, 0x08, 1, 30) + bytes(Y.tolist()))
    path.write_bytes(good)
    config = DataConfig(data=str(path))
    assert len(load(config, 0).inputs) == 30
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(good, rng))
        message = refusal(config)
        assert message is None or (message.isprintable() and name in message)


def test_a_process_that_read_damaged_hdf5_ends_normally(tmp_path: Path) -> None:
    """HDF5 keeps parts of damaged files until the process ends; that must not need an
    interpreter that is gone by then.
    """
    good, rng = hdf5(), np.random.default_rng(1)
    for number in range(MUTATIONS):
        (tmp_path / f"{number}.h5").write_bytes(mutated(good, rng))
    script = (
        "import sys, pathlib\n"
        "from dlprobe.errors import RunFileError\n"
        "from dlprobe.hdf5 import read_arrays\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.h5')):\n"
        "    try: read_arrays(path, ['X', 'y'])\n"
        "    except RunFileError: pass\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert (
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], env=environment, check=False
        ).returncode
        == 0
    )
