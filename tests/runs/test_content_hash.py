"""The content hash: the same for the same recorded numbers, however they were written; another
for any other number.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.record import layout
from dlprobe.runs import Run, RunWriter
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource


def _in_memory(writer: RunWriter) -> Run:
    return Run(JournalContents(MemorySource(writer.bytes())))


def test_the_hash_does_not_depend_on_blocks_journal_or_packing(tmp_path: Path) -> None:
    hashes = set()
    for number, block in enumerate((1, 7, 64, 700)):
        run = dlprobe.open_run(synthetic_runs.write(tmp_path / f"{number}.h5", block=block).pack())
        hashes |= {
            run.content_sha256,
            run.computed_content_sha256(),
            _in_memory(synthetic_runs.write(None, block=block)).content_sha256,
        }
    assert len(hashes) == 1


@pytest.mark.parametrize("other", [{"threads": 2}, {"output": "/home/a/b.h5"}])
def test_thread_count_and_paths_are_no_content(other: dict[str, object]) -> None:
    assert (
        _in_memory(synthetic_runs.write(None, **other)).content_sha256
        == _in_memory(synthetic_runs.write(None)).content_sha256
    )


def test_a_data_file_counts_by_its_contents_not_its_path() -> None:
    hashes = set()
    for path in ("/home/a/table.csv", "b/table.csv", "table.csv"):
        description = synthetic_runs.description()
        description.config["data"]["data"] = path
        description = replace(
            description, data={**description.data, "source": path, "notes": [f"read from {path}"]}
        )
        hashes.add(_in_memory(RunWriter.create(None, description)).content_sha256)
    assert len(hashes) == 1
    description.config["data"]["data"] = "gaussian(samples=9)"
    assert _in_memory(RunWriter.create(None, description)).content_sha256 not in hashes


@pytest.mark.parametrize("change", [{"steps": 699}, {"dtype": "float64"}, {"seed": 2}])
def test_another_run_has_another_hash(change: dict[str, object]) -> None:
    assert (
        _in_memory(synthetic_runs.write(None, **change)).content_sha256
        != _in_memory(synthetic_runs.write(None)).content_sha256
    )  # type: ignore[arg-type]


def test_environment_and_timing_are_no_content() -> None:
    hashes = set()
    for python, seconds in (("3.11", 0.1), ("4.0", 9.0)):
        writer = RunWriter.create(
            None, replace(synthetic_runs.description(), environment={"python": python})
        )
        writer.rows(0, np.arange(3), *synthetic_runs.rows_of(np.arange(3)), seconds)
        hashes.add(_in_memory(writer).content_sha256)
    assert len(hashes) == 1


def test_parameters_have_a_hash_that_recording_does_not_change() -> None:
    every, seldom = (
        RunWriter.create(None, synthetic_runs.description()),
        RunWriter.create(None, synthetic_runs.description()),
    )
    synthetic_runs.write_rows(every, 0, 50, 10)
    for writer in (every, seldom):
        synthetic_runs.finish(writer, 50)
    runs = _in_memory(every), _in_memory(seldom)
    assert runs[0].content_sha256 != runs[1].content_sha256
    assert runs[0].parameters_sha256 == runs[1].parameters_sha256 != ""


def test_the_hash_can_be_computed_with_h5py_alone(tmp_path: Path) -> None:
    """What the manual's page run-file says, done by hand; the thread count does not count."""
    path = synthetic_runs.write(tmp_path / "a.h5", threads=2).pack()
    whole = hashlib.sha256(b'{"data":{"data":"digits"},"training":{"seed":1}}')
    with h5py.File(path) as file:
        for name, line in layout.data_sets().items():
            if line.hashed and name in file:
                stored = file[name]
                digest = hashlib.sha256(stored[()].tobytes()).hexdigest()
                whole.update(f"\n{name} {stored.dtype.str} {list(stored.shape)} {digest}".encode())
        assert file.attrs["content_sha256"].decode() == whole.hexdigest()


def test_a_changed_number_no_longer_fits_the_stated_hash(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "a.h5").pack()
    with h5py.File(path, "r+") as file:
        file["stats/gradient_rms"][3, 1] += 1
    run = dlprobe.open_run(path)
    assert run.content_sha256 != run.computed_content_sha256()
