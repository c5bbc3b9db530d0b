"""The journal's frames: what is written reads back, and nothing damaged is ever taken for good."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest

from dlprobe.errors import RunFileError
from dlprobe.runs import frames
from dlprobe.runs.frames import FrameType, Record
from dlprobe.runs.sources import MemorySource

each_format = pytest.mark.parametrize("is_chain", [False, True])


def _small_journal(is_chain: bool = False) -> tuple[bytes, list[int]]:
    """Four frames, as a chain or as format 1.0 has them, and the offset after each."""
    records = [
        Record(
            FrameType.CONFIG, 0, {"config": {"seed": 3}}, {"layers/name": np.array([b"output"])}
        ),
        Record(
            FrameType.ROWS, 0, {}, {"step": np.arange(2), "statistics": np.ones((2, 1, 2), "f4")}
        ),
        Record(
            FrameType.ROWS, 2, {}, {"step": np.arange(2, 4), "statistics": np.ones((2, 1, 2), "f4")}
        ),
        Record(FrameType.END, 4, {"status": "finished"}, {}),
    ]
    written = [
        frames.encode(each.type, each.first_step, each.meta, each.arrays) for each in records
    ]
    return frames.journal_of(records) if is_chain else b"".join(written), [
        sum(map(len, written[: n + 1])) for n in range(len(written))
    ]


def _forged(text: bytes, tail: bytes = b"") -> MemorySource:
    """One frame with a right checksum around a payload made by hand."""
    payload = struct.pack("<II", len(text), 0) + text + tail
    head = struct.pack("<4sIQq", frames.MAGIC, FrameType.ROWS, len(payload), 0)
    return MemorySource(head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))) + payload)


def test_a_payload_reads_back_with_its_dtypes_and_shapes() -> None:
    arrays = {
        "a": np.arange(6, dtype=">f8").reshape(2, 3),
        "b": np.array(7, "u4"),
        "c": np.empty((0, 5), "f4"),
        "d": np.array([b"hidden_1", b""]),
        "e": np.arange(3, dtype="u1"),
        "f": np.arange(8, dtype="i4")[::2],
        "g": np.array(b""),
    }
    source = MemorySource(frames.encode(FrameType.ROWS, 5, {"seconds": float("inf")}, arrays))
    (frame,) = frames.scan(source).frames
    payload = frames.Payload(source, frame)
    assert (frame.type, frame.first_step, payload.meta) == (
        FrameType.ROWS,
        5,
        {"seconds": float("inf")},
    )
    for name, array in arrays.items():
        assert payload.array(name).shape == array.shape
        assert payload.array(name).dtype.newbyteorder("=") == (
            array.dtype.newbyteorder("=") if name != "g" else np.dtype("S1")
        )
        np.testing.assert_array_equal(payload.array(name), array)


@each_format
def test_a_journal_cut_at_any_byte_keeps_every_whole_frame_and_reports_no_damage(
    is_chain: bool,
) -> None:
    journal, ends = _small_journal(is_chain)
    for size in range(len(journal) + 1):
        found = frames.scan(MemorySource(journal[:size]))
        whole = [end for end in ends if end <= size]
        assert (len(found.frames), found.end, found.torn) == (
            len(whole),
            whole[-1] if whole else 0,
            size - (whole[-1] if whole else 0),
        )
        assert found.damage is None


@each_format
def test_a_flip_of_any_bit_keeps_the_frames_before_it_and_is_reported(is_chain: bool) -> None:
    journal, ends = _small_journal(is_chain)
    for at in range(len(journal)):
        for bit in range(8):
            broken = bytearray(journal)
            broken[at] ^= 1 << bit
            found = frames.scan(MemorySource(bytes(broken)))
            assert len(found.frames) == sum(end <= at for end in ends)
            in_last = at >= ends[-2]
            # a longer length in the last frame is what a torn frame looks like, and loses nothing
            # that was whole
            torn_lookalike = in_last and 8 <= at - ends[-2] < 16
            assert found.damage is not None or torn_lookalike, (at, bit)


@each_format
def test_zeros_left_by_a_power_cut_are_not_called_damage(is_chain: bool) -> None:
    journal, _ = _small_journal(is_chain)
    found = frames.scan(MemorySource(journal + bytes(4096)))
    assert (len(found.frames), found.torn, found.damage) == (4, 4096, None)


def test_a_torn_run_of_a_study_is_not_mistaken_for_damage() -> None:
    inner, _ = _small_journal()
    config = frames.encode(FrameType.CONFIG, 0, {}, {})
    whole = frames.encode(FrameType.RUN, 0, {"id": "a"}, {"journal": np.frombuffer(inner, "u1")})
    for lost in (1, 50, len(inner)):
        assert frames.scan(MemorySource(config + whole[:-lost]), frames.STUDY_FRAMES).damage is None
    cut_out = config + whole[:-60] + whole
    assert "damaged at byte" in str(frames.scan(MemorySource(cut_out), frames.STUDY_FRAMES).damage)


def test_frames_of_an_unknown_type_are_whole_frames() -> None:
    journal, ends = _small_journal()
    head = struct.pack("<4sIQq", frames.MAGIC, 99, 0, 0)
    unknown = head + struct.pack("<I", zlib.crc32(head))
    found = frames.scan(MemorySource(journal[: ends[0]] + unknown + journal[ends[0] :]))
    assert [frame.type for frame in found.frames] == [1, 99, 2, 2, 7]


def test_a_file_full_of_headers_does_not_hang() -> None:
    head = struct.pack("<4sIQqI", frames.MAGIC, FrameType.ROWS, 2**20, 0, 1)
    assert frames.scan(MemorySource(b"x" + head * 100_000 + bytes(2**20))).damage is not None


@pytest.mark.parametrize(
    "listing",
    [
        [["a", "<f8", [2**60]]],
        [["a", "<f8", [0, 2**39, 2**39]]],
        [["a", "<f8", [-1]]],
        [["a", "<f8", [True]]],
        [["a", "<f8", 2]],
        [["a", "|O", [2]]],
        [["a", "<f8,<f8", [1]]],
        [["a", "|V16", [1]]],
        [["a", "|S99999999", [1]]],
        [["a", "<f8", [2]], ["a", "<f8", [0]]],
        [["a", "<f8", [1]]],
        [["a"]],
        [7],
        {"a": 1},
        None,
        [[f"a{n}", "<f8", [0]] for n in range(5000)],
    ],
)
def test_arrays_that_do_not_fit_their_frame_are_refused_before_memory_is_taken(
    listing: object,
) -> None:
    text = json.dumps({"meta": {}, "arrays": listing}).encode()
    source = _forged(text, bytes(-(8 + len(text)) % 8 + 16))
    with pytest.raises(RunFileError, match="do not fit the frame"):
        frames.Payload(source, frames.scan(source).frames[0])


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"{", b"[]", b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}", b""]
)
def test_a_json_text_that_is_none_is_one_clear_line(text: bytes) -> None:
    source = _forged(text)
    with pytest.raises(RunFileError, match="JSON text") as caught:
        frames.Payload(source, frames.scan(source).frames[0])
    assert "\n" not in str(caught.value)


def test_a_description_longer_than_its_frame_is_refused() -> None:
    good = bytearray(_forged(b"{}").read(0, 1000))
    good[frames.HEADER_SIZE : frames.HEADER_SIZE + 4] = struct.pack("<I", 2**23)
    with pytest.raises(RunFileError, match="does not fit the frame"):
        frames.Payload(MemorySource(bytes(good)), frames.Frame(2, 0, frames.HEADER_SIZE, 10))


def test_objects_and_records_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="no place in a journal"):
        frames.encode(FrameType.ROWS, 0, {}, {"a": np.array([None])})
