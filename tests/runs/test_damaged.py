"""Damaged, cut, foreign and newer files: one clear line, or numbers that are right; never a
wrong number, a crash or a wait.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import mutated_journals
import mutated_runs
import numpy as np
import pytest
import synthetic_runs
from command_line import environment

import dlprobe
from dlprobe.errors import DlprobeWarning, RunFileError
from dlprobe.record import layout
from dlprobe.runs import RunWriter, StudyWriter, frames, open_single, pack_journal
from dlprobe.runs.frames import FrameType
from dlprobe.runs.journal import journal_path
from dlprobe.runs.sources import MemorySource

MUTATIONS = 300


def _message(path: Path) -> str:
    with pytest.raises(RunFileError) as error:
        dlprobe.open_run(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_runs.write(tmp_path_factory.mktemp("damaged") / "run.h5", 400).pack()


@pytest.fixture
def copy(packed: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.h5"
    path.write_bytes(packed.read_bytes())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"step,loss\n0,1\n", "is not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n", "is cut after 8 bytes"),
        (b"\x89HDF\r\n\x1a\n" + bytes([9]) + bytes(100), "superblock of version 9"),
        (b"\x89HDF\r\n\x1a\n" + bytes([3, 8, 8, 1]) + bytes(100), "was not closed by its writer"),
        (b"\x89HDF\r\n\x1a\n" + bytes([3, 7, 8, 0]) + bytes(100), "damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes([3, 8, 8, 0]) + bytes(100), "damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes([3, 8, 8, 0]) + b"\xff" * 100, "is cut or damaged"),
        (b"\x89DLP", "holds no whole first frame"),
        (b"\x89DLP" + b"\xff" * 100, "holds no whole first frame"),
        (frames.encode(FrameType.ROWS, 0, {}, {}), "holds no whole first frame"),
        (frames.encode(FrameType.CONFIG, 0, {"schema": "other"}, {}), "is not a run file"),
    ],
)
def test_a_file_that_is_no_run_is_one_clear_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "run.h5").write_bytes(content)
    assert message in _message(tmp_path / "run.h5")


def test_missing_files_and_empty_journals_are_one_clear_line(tmp_path: Path) -> None:
    assert "does not exist" in _message(tmp_path / "run.h5")
    assert "does not exist" in _message(tmp_path / "nowhere" / "run.h5")
    assert "cannot be opened" in _message(tmp_path / "a\0b")
    assert "\\n" in _message(tmp_path / "a\nb.h5")
    journal_path(tmp_path / "run.h5").write_bytes(b"")
    assert "is empty: the run was stopped before it began" in _message(tmp_path / "run.h5")


def test_a_file_cut_anywhere_is_one_clear_line(packed: Path, tmp_path: Path) -> None:
    content, path = packed.read_bytes(), tmp_path / "cut.h5"
    for size in (*range(0, 100, 7), *range(100, len(content), len(content) // 20)):
        path.write_bytes(content[:size])
        assert any(word in _message(path) for word in ("cut", "empty", "not an HDF5 file"))


def test_hdf5_that_is_no_run_is_one_clear_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "new.h5", "w", libver=("v110", "v110")) as file:
        file["X"] = np.arange(3)
    assert "is an HDF5 file but no run file" in _message(tmp_path / "new.h5")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["X"] = np.arange(3)
    assert "superblock of version 0, dlprobe reads 2, 3" in _message(tmp_path / "old.h5")


def test_a_newer_format_asks_for_an_upgrade(copy: Path, tmp_path: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file.attrs["schema_version"] = np.array([layout.SCHEMA_VERSION[0] + 1, 0])
    newer, mine = layout.SCHEMA_VERSION[0] + 1, layout.SCHEMA_VERSION[0]
    assert (
        f"was written by format {newer}, this dlprobe reads up to {mine}: upgrade dlprobe"
        in _message(copy)
    )
    meta = {"schema": layout.SCHEMA, "schema_version": [newer, 3], "statistics": [], "scalars": []}
    (tmp_path / "j.h5.journal").write_bytes(frames.encode(FrameType.CONFIG, 0, meta, {}))
    assert (
        f"was written by format {newer}, this dlprobe reads up to {mine}: upgrade dlprobe"
        in _message(tmp_path / "j.h5")
    )


def test_a_newer_minor_format_with_unknown_groups_is_read(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file.attrs["schema_version"] = np.array(
            [layout.SCHEMA_VERSION[0], layout.SCHEMA_VERSION[1] + 1]
        )
        file["stats/of_tomorrow"] = np.zeros((400, 3))
        file["tomorrow/value"] = 1
    run = dlprobe.open_run(copy)
    assert "of_tomorrow" not in run.statistics
    assert run.content_sha256 == run.computed_content_sha256()


def _cut_statistic(file: h5py.File) -> None:
    del file["stats/gradient_rms"]
    file["stats/gradient_rms"] = np.zeros((399, 3), "f4")


def _wrong_kind(file: h5py.File) -> None:
    del file["stats/gradient_rms"]
    file["stats/gradient_rms"] = np.full((400, 3), b"no")


def _linked_elsewhere(file: h5py.File) -> None:
    del file["stats/gradient_rms"]
    file["stats/gradient_rms"] = h5py.ExternalLink(file.filename, "/stats/weight_rms")


def _set(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_cut_statistic, "has 399 entries along step, expected 400"),
        (_linked_elsewhere, "stats/gradient_rms is a soft or external link"),
        (_wrong_kind, "stats/gradient_rms is |S2"),
        (lambda file: file.__delitem__("layers/name"), "it has no layers/name"),
        (lambda file: file.__delitem__("stats/step"), "it has no stats/step"),
        (lambda file: file.__delitem__("environment"), "it has no json"),
        (_set("config", np.bytes_(b"[" * 5000)), "a JSON text in it cannot be read"),
        (_set("config", np.bytes_(b"[]")), "is not an object"),
        (
            _set("config", np.bytes_(b'{"data": {}, "training": null}')),
            "training of its configuration is no table",
        ),
        (
            _set("config", np.bytes_(rb'{"data": {"data": "\ud800"}}')),
            "a JSON text in it cannot be read",
        ),
        (_set("config", 5), "attribute config is not a text"),
        (_set("config", "variable length"), "neither integer, float nor fixed-length text"),
        (_set("status", np.bytes_(b"great")), "its status is 'great'"),
        (_set("schema", np.bytes_(b"other")), "its schema is 'other'"),
        (_set("schema_version", np.array([1])), "its format version cannot be read"),
        (_set("schema_version", np.array([1.0, 0.0])), "its format version cannot be read"),
    ],
)
def test_contents_that_do_not_fit_the_table_are_one_clear_line(
    copy: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(copy, "r+") as file:
        change(file)
    with pytest.raises(RunFileError) as error:
        dlprobe.open_run(copy).statistic("gradient_rms")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("layers/units", 0, "layers/units holds 0, expected 1 or more"),
        ("layers/fan_in", -3, "layers/fan_in holds -3, expected 1 or more"),
        ("stats/step", 7, "its steps do not rise from 0 on"),
        ("stats/step", np.arange(-5, 395), "its steps do not rise from 0 on"),
    ],
)
def test_sizes_and_steps_that_no_run_has_are_one_clear_line(
    copy: Path, path: str, value: object, message: str
) -> None:
    with h5py.File(copy, "r+") as file:
        file[path][:] = value
    run = dlprobe.open_run(copy)
    with pytest.raises(RunFileError, match=message):
        getattr(run, "layers" if path.startswith("layers") else "steps")


def test_damage_in_the_middle_of_a_journal_is_reported_and_never_packed(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    writer = synthetic_runs.write(path, 700)
    writer.close()
    content = bytearray(journal_path(path).read_bytes())
    content[len(content) // 2] ^= 1
    journal_path(path).write_bytes(content)
    with pytest.warns(
        DlprobeWarning, match=r"is damaged at byte \d+ of \d+: what follows is not read"
    ):
        run = dlprobe.open_run(path)
    assert run.status == "interrupted"
    assert 0 < len(run.steps) < 700
    np.testing.assert_array_equal(
        run.statistic("gradient_rms"),
        synthetic_runs.rows_of(run.steps)[0][:, :, run.statistics.index("gradient_rms")],
    )
    with pytest.raises(RunFileError, match="is not packed, so that nothing is lost"):
        pack_journal(path)
    assert journal_path(path).read_bytes() == content


TWO_ROWS = {
    "step": np.arange(2),
    "statistics": np.zeros((2, 3, synthetic_runs.STATISTICS), "f4"),
    "scalars": np.zeros((2, synthetic_runs.SCALARS)),
    "timing/step": np.arange(1),
    "timing/step_seconds": np.zeros(1),
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"statistics": None}, "has no array 'statistics'"),
        ({"statistics": np.zeros((2, 9, 25), "f4")}, "wrong shape"),
        ({"statistics": TWO_ROWS["statistics"].astype("f8")}, "wrong shape"),
        ({"step": np.array([5, 5])}, "do not rise"),
        ({"step": np.array(5)}, "wrong shape"),
        ({"timing/step_seconds": np.array(0.1)}, "wrong shape"),
        ({"timing/step": np.zeros((1, 1), "i8")}, "wrong shape"),
    ],
)
def test_whole_frames_with_wrong_rows_are_one_clear_line(
    tmp_path: Path, wrong: dict[str, np.ndarray | None], message: str
) -> None:
    path = tmp_path / "run.h5"
    RunWriter.create(path, synthetic_runs.description()).close()
    journal = journal_path(path).read_bytes()
    arrays = {name: array for name, array in (TWO_ROWS | wrong).items() if array is not None}
    link = frames.scan(MemorySource(journal)).tail.link
    journal_path(path).write_bytes(journal + frames.encode(FrameType.ROWS, 0, {}, arrays, link))
    assert message in _message(path)


def test_a_study_is_refused_where_one_run_is_needed(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path / "s.h5", {}) as writer:
        writer.run("a", synthetic_runs.write(None, 10).bytes())
    with pytest.raises(RunFileError, match="is a study of 1 run, one run is needed"):
        open_single(tmp_path / "s.h5")


@pytest.mark.parametrize("kind", ["run", "study"])
def test_mutated_journals_are_refused_damaged_or_exact(kind: str, tmp_path: Path) -> None:
    answers = mutated_journals.read_mutations(kind, tmp_path, 120, seed=3)
    assert answers["bytes: damaged"] + answers["moved: damaged"] > 20
    assert answers["repaired: refused"] + answers["forged: refused"] > 20


def test_mutated_files_give_no_signal_no_wait_and_no_wrong_number(
    packed: Path, tmp_path: Path
) -> None:
    """How many are refused is chance: a change may fall where nothing is stored, and the file
    is then read as it was written.
    """
    command = mutated_runs.command(packed, tmp_path, MUTATIONS, seed=7)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    counts = mutated_runs.Counts.from_text(done.stdout)
    assert (counts.right + counts.refused, counts.wrong) == (MUTATIONS, 0)


def test_a_flipped_bit_in_any_stored_number_is_refused(packed: Path, tmp_path: Path) -> None:
    """One bit of each piece on disk of every data set that is stored in pieces: every
    statistic. Smaller ones lie in checksummed headers.
    """
    content, chance = packed.read_bytes(), random.Random(11)
    original = mutated_runs.everything(packed)
    silent, pieces = [], stored_pieces(packed)
    for number, (name, start, size) in enumerate(pieces):
        changed = bytearray(content)
        changed[start + chance.randrange(size)] ^= 1 << chance.randrange(8)
        if mutated_runs.read(bytes(changed), tmp_path / f"{number}.h5", original).refused == 0:
            silent.append(name)
    with dlprobe.open_run(packed) as run:
        assert {name for name, _, _ in pieces} >= {f"stats/{name}" for name in run.statistics}
    assert silent == []


def stored_pieces(path: Path) -> list[tuple[str, int, int]]:
    """(data set, first byte, bytes) of every piece of every data set that holds numbers on disk."""
    pieces: list[tuple[str, int, int]] = []

    def add(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or not item.size:
            return
        if item.chunks:
            chunks = [item.id.get_chunk_info(index) for index in range(item.id.get_num_chunks())]
            pieces.extend((name, chunk.byte_offset, chunk.size) for chunk in chunks)
        elif item.id.get_offset() is not None:
            pieces.append((name, item.id.get_offset(), item.id.get_storage_size()))

    with h5py.File(path) as file:
        file.visititems(add)
    return pieces
