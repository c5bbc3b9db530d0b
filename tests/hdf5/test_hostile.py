"""Hostile HDF5 files: each is refused in one line, soon, in little memory, and no other file is
opened.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

import dlprobe
from dlprobe.errors import RunFileError
from dlprobe.hdf5 import chunks, read_arrays
from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

Build = Callable[[Path, Path], None]
SECRET = np.arange(1000.0)
needs_unix = pytest.mark.skipif(
    sys.platform == "win32", reason="no pipes, devices and symbolic links"
)


def _secret(folder: Path) -> Path:
    path = folder / "secret.h5"
    with h5py.File(path, "w") as file:
        file["X"] = SECRET
    (folder / "secret.bin").write_bytes(SECRET.tobytes())
    return path


def _external_link(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = h5py.ExternalLink(str(secret), "/X")


def _external_link_on_the_way(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["group"] = h5py.ExternalLink(str(secret), "/")


def _soft_link(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["Y"] = SECRET
        file["X"] = h5py.SoftLink("/Y")


def _soft_link_in_a_circle(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = h5py.SoftLink("/X")


def _external_storage(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "X", (1000,), "f8", external=[(str(secret.with_suffix(".bin")), 0, 8000)]
        )


def _virtual(path: Path, secret: Path) -> None:
    layout = h5py.VirtualLayout((1000,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "X", shape=(1000,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("X", layout)


def _variable_length_text(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = ["a", "bc"]


def _variable_length_array(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (2,), h5py.vlen_dtype(np.int64))


def _reference(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (2,), h5py.ref_dtype)


def _compound(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = np.zeros(3, [("a", "f8"), ("b", "i4")])


def _enumeration(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = np.array([True, False])


def _opaque(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = np.zeros(3, "V7")


def _array_type(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (3,), np.dtype(("f8", (100,))))


def _long_text(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (1,), f"S{2**21}")


def _huge_chunk(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        data_set = file.create_dataset("X", (2**31,), "u1", chunks=(2**31,), compression="gzip")
        data_set.id.write_direct_chunk((0,), zlib.compress(b"\0"))


def _huge_size(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (2**40,), "f8", chunks=(1000,))


def _huge_contiguous(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (2**36,), "f8")


def _many_chunks(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (2**23,), "u1", chunks=(1,))


def _stream_bomb(path: Path, secret: Path) -> None:
    """A chunk of 8 MiB whose stream of 0.5 MB unpacks to 512 MiB."""
    packer = zlib.compressobj(9)
    stream = b"".join(packer.compress(bytes(2**24)) for _ in range(32)) + packer.flush()
    with h5py.File(path, "w") as file:
        data_set = file.create_dataset("X", (2**23,), "u1", chunks=(2**23,), compression="gzip")
        data_set.id.write_direct_chunk((0,), stream)


def _other_filter(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (1000,), "f8", compression="lzf", chunks=(100,))


def _unknown_filter(path: Path, secret: Path) -> None:
    settings = h5p.create(h5p.DATASET_CREATE)
    settings.set_chunk((100,))
    settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    with h5py.File(path, "w") as file:
        h5d.create(file.id, b"X", h5t.IEEE_F64LE, h5s.create_simple((1000,)), settings)


def _a_group(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("X")


def _a_named_type(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = np.dtype("f8")


def _no_data_space(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = h5py.Empty("f8")


def _many_dimensions(path: Path, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = np.zeros((1,) * 20)


def _left_open(path: Path, secret: Path) -> None:
    file = h5py.File(path, "w", libver="latest")
    file["X"] = SECRET
    file.swmr_mode = True
    file.flush()
    shutil.copy(path, path.with_suffix(".copy"))
    file.close()
    os.replace(path.with_suffix(".copy"), path)


HOSTILE: dict[str, tuple[Build, str]] = {
    build.__name__.lstrip("_"): (build, message)
    for build, message in [
        (_external_link, "soft or external link"),
        (_external_link_on_the_way, "soft or external link"),
        (_soft_link, "soft or external link"),
        (_soft_link_in_a_circle, "soft or external link"),
        (_external_storage, "virtual or externally stored"),
        (_virtual, "virtual or externally stored"),
        (_variable_length_text, "neither integer, float nor fixed-length text"),
        (_variable_length_array, "neither integer, float nor fixed-length text"),
        (_reference, "neither integer, float nor fixed-length text"),
        (_compound, "neither integer, float nor fixed-length text"),
        (_enumeration, "neither integer, float nor fixed-length text"),
        (_opaque, "neither integer, float nor fixed-length text"),
        (_array_type, "neither integer, float nor fixed-length text"),
        (_long_text, "neither integer, float nor fixed-length text"),
        (_huge_chunk, "declares 2147483648 bytes and stores"),
        (_huge_size, "declares 8796093022208 bytes and stores"),
        (_huge_contiguous, "declares 549755813888 bytes and stores"),
        (_many_chunks, "declares 8388608 bytes and stores"),
        (_stream_bomb, "has a chunk that unpacks to more than its 8388608 bytes"),
        (_other_filter, "uses filters [32000]"),
        (_unknown_filter, "uses filters [32015]"),
        (_a_group, "is not a data set"),
        (_a_named_type, "is not a data set"),
        (_no_data_space, "holds no data"),
        (_many_dimensions, "declares an impossible shape"),
        (_left_open, "was not closed by its writer"),
    ]
}


def _name(kind: str) -> str:
    return "group/X" if kind.endswith("on_the_way") else "X"


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_and_at_once(tmp_path: Path, kind: str) -> None:
    build, message = HOSTILE[kind]
    build(tmp_path / "hostile.h5", _secret(tmp_path))
    before = time.monotonic()
    with pytest.raises(RunFileError) as error:
        read_arrays(tmp_path / "hostile.h5", [_name(kind)])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - before < 2


def test_a_chunk_is_refused_by_its_size_where_enough_bytes_are_stored(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(
            "X",
            (2**25,),
            "u1",
            chunks=(2**25,),
            data=np.random.default_rng(0).integers(0, 255, 2**25, "u1"),
        )
    with pytest.raises(RunFileError, match="has chunks of 33554432 bytes, more than 16777216"):
        read_arrays(tmp_path / "a.h5", ["X"])


def test_a_data_set_in_a_million_pieces_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_PIECES", 999)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", data=np.arange(1000, dtype="u1"), chunks=(1,))
    with pytest.raises(RunFileError, match="is split into 1000 chunks"):
        read_arrays(tmp_path / "a.h5", ["X"])


def test_the_budget_of_a_file_is_counted_once_per_data_set(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["Y"] = np.zeros(100), np.zeros(100)
    with GuardedFile(tmp_path / "a.h5", ANY_SUPERBLOCK, budget=1500) as guarded:
        for _ in range(3):
            guarded.read("X")
        with pytest.raises(RunFileError, match="more than is left of the limit"):
            guarded.read("Y")


def test_ordinary_files_of_users_are_read(tmp_path: Path) -> None:
    expected = {
        "X": np.random.default_rng(0).normal(size=(500, 8)),
        "group/y": np.arange(500),
        "names": np.array([b"a", b"bc"]),
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(
            "X", data=expected["X"], compression="gzip", shuffle=True, fletcher32=True, chunks=True
        )
        file["group/y"] = expected["group/y"]
        file["names"] = expected["names"]
        file["linked"] = file["X"]  # a hard link is the data set itself
    found = read_arrays(tmp_path / "a.h5", [*expected, "linked"])
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    np.testing.assert_array_equal(found["linked"], expected["X"])


@pytest.mark.parametrize("name", ["Z", "", "X/Y", "../X", "./X", "X\n", "é"])
def test_a_name_that_is_not_there_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = SECRET
    with pytest.raises(RunFileError) as error:
        read_arrays(tmp_path / "a.h5", [name])
    assert re.search("has no data set|is not a data set", str(error.value))
    assert "\n" not in str(error.value)


def test_twenty_thousand_nested_groups_are_never_walked(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "deep.h5", "w", libver=("v110", "v110")) as file:
        group = file
        for _ in range(20_000):
            group = group.create_group("g")
        file["X"] = SECRET
    before = time.monotonic()
    np.testing.assert_array_equal(read_arrays(tmp_path / "deep.h5", ["X"])["X"], SECRET)
    with pytest.raises(RunFileError, match="no run file"):
        dlprobe.open_run(tmp_path / "deep.h5")
    assert time.monotonic() - before < 2


@needs_unix
def test_pipes_devices_folders_and_circles_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    os.symlink("loop.h5", tmp_path / "loop.h5")
    os.symlink(tmp_path / "pipe.h5", tmp_path / "to_pipe.h5")
    for path in (
        tmp_path / "pipe.h5",
        tmp_path / "to_pipe.h5",
        tmp_path,
        Path("/dev/zero"),
        tmp_path / "loop.h5",
    ):
        for reading in (dlprobe.open_run, lambda path: read_arrays(path, ["X"])):
            with pytest.raises(
                RunFileError, match=r"is not a regular file|cannot be opened"
            ) as error:
                reading(path)
            assert "\n" not in str(error.value)


@needs_unix
def test_an_external_link_to_a_pipe_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    _external_link(tmp_path / "a.h5", tmp_path / "pipe.h5")
    with pytest.raises(RunFileError, match="soft or external link"):
        read_arrays(tmp_path / "a.h5", ["X"])


def _refuse_all(folder: Path) -> float:
    """Refuse every hostile file of a folder; the growth of peak memory in MB. Runs in a process
    of its own.
    """
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in sorted(folder.glob("*.h5")):
        for attempt in (
            lambda path=path: read_arrays(path, [_name(path.stem)]),
            lambda path=path: dlprobe.open_run(path),
        ):
            try:
                attempt()
            except RunFileError:
                continue
            raise AssertionError(f"{path} was read")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@needs_unix
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_other_file_is_opened_seen_by_the_kernel(tmp_path: Path) -> None:
    hostile, elsewhere, log = tmp_path / "hostile", tmp_path / "elsewhere", tmp_path / "log"
    hostile.mkdir()
    elsewhere.mkdir()
    secret = _secret(elsewhere)
    for kind, (build, _) in HOSTILE.items():
        build(hostile / f"{kind}.h5", secret)
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]; import pathlib, test_hostile as t; "
        "print(t._refuse_all(pathlib.Path(sys.argv[1])))"
    )
    folders = [str(Path(__file__).parent), str(Path(dlprobe.__file__).parent.parent)]
    command = [
        "strace",
        "-f",
        "-e",
        "trace=open,openat,openat2,creat",
        "-o",
        str(log),
        sys.executable,
        "-c",
        program,
        str(hostile),
        *folders,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "ptrace" in done.stderr:
        pytest.skip("this system does not allow tracing")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300
    opened = log.read_text(encoding="utf-8", errors="replace")
    assert str(hostile) in opened
    assert str(elsewhere) not in opened


@needs_unix
def test_refusing_everything_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "hostile").mkdir()
    for kind, (build, _) in HOSTILE.items():
        build(tmp_path / "hostile" / f"{kind}.h5", _secret(tmp_path))
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]; import pathlib, test_hostile as t; "
        "print(t._refuse_all(pathlib.Path(sys.argv[1])))"
    )
    command = [
        sys.executable,
        "-c",
        program,
        str(tmp_path / "hostile"),
        str(Path(__file__).parent),
        str(Path(dlprobe.__file__).parent.parent),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300


def test_plugins_are_off_before_h5py_is_loaded() -> None:
    program = (
        "import sys, os, dlprobe.runs, dlprobe.hdf5; print('h5py' in sys.modules); import "
        "dlprobe.hdf5.guard; print(os.environ['HDF5_PLUGIN_PRELOAD'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(dlprobe.__file__).parent.parent,
        check=True,
    )
    assert done.stdout.split() == ["False", "::"]
