"""The chain of a journal's frames: what is lost, repeated, moved or taken from elsewhere is
damage, and journals without a chain are read as ever.
"""

from __future__ import annotations

import struct
import zlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.errors import DlprobeWarning, RunFileError
from dlprobe.runs import RunWriter, StudyWriter, frames, pack_journal
from dlprobe.runs.frames import RUN_FRAMES, STUDY_FRAMES, FrameType
from dlprobe.runs.journal import journal_path
from dlprobe.runs.journal_contents import first_payload
from dlprobe.runs.sources import MemorySource

HEADER = struct.Struct(
    "<4sIQqI"
)  # magic, type, length of the payload, first step, crc32 of header and payload


def run_journal() -> bytes:
    writer = RunWriter.create(None, synthetic_runs.description())
    for start in (0, 10, 20):
        synthetic_runs.evaluate(writer, start)
        synthetic_runs.write_rows(writer, start, start + 10, 10)
        writer.flush()
    synthetic_runs.finish(writer, 30)
    return writer.bytes()


def study_journal(folder: Path) -> bytes:
    path = folder / "study.h5"
    with StudyWriter.create(path, {"experiment": "letters"}) as writer:
        for id in "abcd":
            writer.run(id, synthetic_runs.write(None, 5, seed=1).bytes())
        writer.end({"n": [4]})
    content = journal_path(path).read_bytes()
    journal_path(path).unlink()
    return content


def split(journal: bytes) -> list[bytes]:
    """The frames, told apart by their lengths alone."""
    found, at = [], 0
    while at < len(journal):
        length = HEADER.size + HEADER.unpack_from(journal, at)[2]
        found.append(journal[at : at + length])
        at += length
    return found


def changes(own: list[bytes], other: list[bytes]) -> list[list[bytes]]:
    """Every journal that one mishap makes: a frame dropped, two swapped, one repeated anywhere,
    one of another journal put in or in another's place.
    """
    count = len(own)
    dropped = [own[:i] + own[i + 1 :] for i in range(count)]
    swapped = [
        [own[{i: j, j: i}.get(k, k)] for k in range(count)]
        for i, j in combinations(range(count), 2)
    ]
    repeated = [[*own[:at], frame, *own[at:]] for frame in own for at in range(count + 1)]
    put_in = [[*own[:at], frame, *own[at:]] for frame in other for at in range(count + 1)]
    replaced = [[*own[:at], frame, *own[at + 1 :]] for frame in other for at in range(count)]
    return [each for each in (*dropped, *swapped, *repeated, *put_in, *replaced) if each != own]


@pytest.mark.parametrize("kind", ["run", "study"])
def test_no_frame_is_lost_moved_repeated_or_taken_from_another_journal_unseen(
    kind: str, tmp_path: Path
) -> None:
    make = run_journal if kind == "run" else lambda: study_journal(tmp_path)
    own, other = split(make()), split(make())
    assert len(own) > 5
    for changed in changes(own, other):
        if changed[0] not in (
            own[0],
            other[0],
        ):  # nothing is read without the description that comes first
            with pytest.raises(RunFileError, match="holds no whole first frame"):
                first_payload(MemorySource(b"".join(changed)))
            continue
        found = frames.scan(
            MemorySource(b"".join(changed)), RUN_FRAMES if kind == "run" else STUDY_FRAMES
        )
        kept = changed[: len(found.frames)]
        assert kept in (own[: len(kept)], other[: len(kept)]), (
            "frames were read that no writer wrote one after the other"
        )
        if found.damage is None:
            assert (
                changed == own[: len(changed)]
            )  # as if the writer had been killed before its last frame
        else:
            assert (
                f"is damaged at byte {sum(map(len, kept))} of {sum(map(len, changed))}: "
                in found.damage
            )


def test_a_lost_frame_is_told_with_its_place_and_nothing_behind_it_is_read(tmp_path: Path) -> None:
    path, own = tmp_path / "run.h5", split(run_journal())
    lost = 3  # config, evaluation, rows, evaluation …
    journal_path(path).write_bytes(b"".join(own[:lost] + own[lost + 1 :]))
    with pytest.warns(
        DlprobeWarning,
        match=rf"damaged at byte {sum(map(len, own[:lost]))} of \d+: a frame is missing",
    ):
        run = dlprobe.open_run(path)
    assert (len(run.steps), run.status, run.evaluations["step"].tolist()) == (
        10,
        "interrupted",
        [0],
    )
    with pytest.raises(
        RunFileError,
        match=(
            "a frame is missing or out of its place there; what follows is not read; it is "
            "not packed"
        ),
    ):
        pack_journal(path)


def test_a_study_whose_journal_lost_a_run_is_not_gone_on_with(tmp_path: Path) -> None:
    own = split(study_journal(tmp_path))
    journal_path(tmp_path / "study.h5").write_bytes(b"".join(own[:2] + own[3:]))
    before = journal_path(tmp_path / "study.h5").read_bytes()
    with pytest.raises(RunFileError, match="a frame is missing"):
        StudyWriter.resume(tmp_path / "study.h5", {})
    assert journal_path(tmp_path / "study.h5").read_bytes() == before


def test_a_study_is_not_packed_where_a_run_in_it_is_damaged(tmp_path: Path) -> None:
    inner = split(run_journal())
    with StudyWriter.create(tmp_path / "study.h5", {"experiment": "letters"}) as writer:
        writer.run("a", b"".join(inner[:2] + inner[3:]))
        writer.end()
        with pytest.raises(RunFileError, match=r"runs/a is damaged at byte .* a frame is missing"):
            writer.pack()


def as_format_1_0(journal: bytes) -> bytes:
    """The journal as the first format has it: four zero bytes in place of the link, and its own
    version.
    """
    old = []
    for frame in split(journal):
        magic, type, length, first_step, _ = HEADER.unpack_from(frame)
        payload = (
            frame[HEADER.size : HEADER.size + 4]
            + bytes(4)
            + frame[HEADER.size + 8 :].replace(b'"schema_version":[1,1]', b'"schema_version":[1,0]')
        )
        head = struct.pack("<4sIQq", magic, type, length, first_step)
        old.append(head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))) + payload)
    return b"".join(old)


def test_a_journal_of_format_1_0_is_read_and_packed(tmp_path: Path) -> None:
    new, old = tmp_path / "new.h5", tmp_path / "old.h5"
    content = run_journal()
    journal_path(new).write_bytes(content)
    journal_path(old).write_bytes(as_format_1_0(content))
    run = dlprobe.open_run(old)
    assert (run.status, run.damage, len(run.steps)) == ("finished", None, 30)
    assert (
        dlprobe.open_run(pack_journal(old)).content_sha256
        == dlprobe.open_run(pack_journal(new)).content_sha256
    )


def test_a_study_of_format_1_0_goes_on_and_its_new_frames_are_chained(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    journal_path(path).write_bytes(as_format_1_0(study_journal(tmp_path)))
    with StudyWriter.resume(path, {"experiment": "letters"}) as writer:
        writer.run("e", synthetic_runs.write(None, 5).bytes())
        writer.run("f", synthetic_runs.write(None, 5).bytes())
    own = split(journal_path(path).read_bytes())
    assert frames.scan(MemorySource(b"".join(own)), STUDY_FRAMES).damage is None
    assert "a frame is missing" in str(
        frames.scan(MemorySource(b"".join(own[:-2] + own[-1:])), STUDY_FRAMES).damage
    )
    study = dlprobe.open_run(path)
    assert list(study.runs) == list("abcdef")


def test_the_link_lies_where_readers_of_format_1_0_pass_it_over() -> None:
    """Their payload begins with the length of the JSON text and four bytes that they do not
    look at.
    """
    first, second = split(run_journal())[:2]
    (text_length,) = struct.unpack_from("<I", first, HEADER.size)
    assert first[HEADER.size + 8 : HEADER.size + 8 + text_length].startswith(b'{"meta":')
    assert struct.unpack_from("<I", second, HEADER.size + 4)[0] == HEADER.unpack_from(first)[4]


def test_journals_of_one_configuration_made_in_the_same_second_have_different_chains() -> None:
    records = [
        frames.Record(FrameType.CONFIG, 0, {}, {}),
        frames.Record(FrameType.ROWS, 0, {}, {"step": np.arange(3)}),
    ]
    assert len({frames.journal_of(records) for _ in range(20)}) == 20
