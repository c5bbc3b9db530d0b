"""The journal's frames: header, payload, and the scan that reads up to the first frame that does
not check.

    header   magic (4 bytes), type u4, length u8 of the payload, first_step i8, crc32 u4 of header
             and payload; 28 bytes, little-endian
    payload  length u4 of the JSON text, link u4, JSON {"meta": {…}, "arrays": [[name, dtype,
             shape], …]}, then each array at a multiple of 8

The link is the crc32 of the frame before, so a frame that is lost, repeated, moved or taken from
another journal breaks the chain. The first frame has none before it: its link is a random number,
which makes even journals of one configuration differ. Frames of format 1.0 have link 0, and no
chain is asked of them; readers of 1.0 pass the link over.

Frames are only ever appended, so a killed writer leaves whole frames and at most one torn frame at
the end. Everything else that does not check is damage, and is reported: what follows it is not read
and not passed over in silence.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.runs.sources import Source, Window

Piece: TypeAlias = bytes | memoryview
MAGIC = b"\x89DLP"
_HEAD = struct.Struct("<4sIQq")
_CHECK = struct.Struct("<I")
_PREFIX = struct.Struct("<II")
HEADER_SIZE = _HEAD.size + _CHECK.size
MAX_PAYLOAD = 2**31  # bytes; larger parameters do not fit a journal
_MAX_JSON = 2**24
_MAX_ARRAYS = 4096
_SLAB = 2**20
_FEW = 2**12  # bytes
FAR = 8  # rows between two that are read one by one
_DTYPE = re.compile(r"<[fi][48]|<u[48]|\|u1|\|S[1-9][0-9]{0,6}")


class FrameType(IntEnum):
    """The frame table. A reader ignores whole frames of a type that it does not know."""

    CONFIG = 1  # configuration, layers, data, initial parameters: always the first frame
    ROWS = 2  # a block of recorded steps: step, all statistics, all scalars
    EVALUATION = 3  # losses and errors on whole parts at one step; written up to format 1.2
    # what instruments measured at one step: histograms, single numbers, tracked units
    HISTOGRAM = 4
    CHECKPOINT = 5  # all parameters at one step, and what a resume needs
    # all that was written before it of its step and later is void, but for a state; of a study: its
    # description from here on, no end yet
    RESUME = 6
    END = 7  # status, final results, predictions; of a study: its table
    RUN = 8  # study only: the whole journal of one run
    STATE = 9  # what a resume needs, parameters included
    EVALUATIONS = 10  # a block of evaluations: evaluations/step, and all else along that axis


DESCRIPTIONS = (FrameType.CONFIG, FrameType.RESUME)
RUN_FRAMES = frozenset(FrameType) - {FrameType.RUN}
STUDY_FRAMES = frozenset({FrameType.CONFIG, FrameType.RUN, FrameType.RESUME, FrameType.END})


@dataclass(frozen=True)
class Frame:
    """One good frame; `offset` and `length` are those of its payload. `link`: the checksum of
    the frame before it, as it says itself.
    """

    type: int
    first_step: int
    offset: int
    length: int
    checksum: int = 0
    link: int = 0

    @property
    def end(self) -> int:
        """Offset of the first byte behind the payload, `offset` + `length`."""
        return self.offset + self.length


@dataclass(frozen=True)
class Record:
    """What goes into one frame."""

    type: FrameType
    first_step: int
    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Tail:
    """Where the next frame goes: the offset behind the last whole one, and the link that the
    next one carries.
    """

    offset: int
    link: int
    recorded: bool
    """Whether any frame but descriptions (CONFIG, RESUME) stands before it."""

    @classmethod
    def of_nothing(cls) -> Tail:
        """The tail of a journal that is still empty."""
        return cls(0, 1 + secrets.randbelow(2**32 - 1), False)

    def behind(self, frame: Sequence[Piece]) -> Tail:
        """The tail once this frame, given in pieces, is written."""
        _, type, length, _ = _HEAD.unpack_from(frame[0])
        (checksum,) = _CHECK.unpack_from(frame[0], _HEAD.size)
        end = self.offset + HEADER_SIZE + length
        return Tail(end, checksum, self.recorded or type not in DESCRIPTIONS)


@dataclass(frozen=True)
class Scan:
    """What a journal holds: its good frames, the offset after the last, and what was found
    behind it.
    """

    frames: tuple[Frame, ...]
    end: int
    torn: int = 0
    damage: str | None = None

    @property
    def tail(self) -> Tail:
        """Where a writer goes on."""
        recorded = any(frame.type not in DESCRIPTIONS for frame in self.frames)
        return (
            Tail(self.end, self.frames[-1].checksum, recorded) if self.frames else Tail.of_nothing()
        )


class ArrayPlace(NamedTuple):
    """Where one array of a payload lies behind the first one's first byte. size: its bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    size: int


class Payload:
    """A decoded payload: `meta` at once, each array when it is asked for. Raises RunFileError
    where the payload is malformed.
    """

    def __init__(self, source: Source, frame: Frame) -> None:
        self._source = source
        text, start = _json_text(source, frame)
        head, self.listing = _halves(text, source.name)
        self.meta: dict[str, Any] = head["meta"] if isinstance(head.get("meta"), dict) else {}
        arranged = _arranged(self.listing)
        if arranged is None:
            raise _unfit(source.name)
        self.places, size = arranged
        self._start = start + (-(start - frame.offset) % 8 if self.places else 0)
        if self._start + size != frame.end:
            raise _unfit(source.name)

    def array(self, name: str) -> NDArray[Any]:
        """One array (read-only). Raises RunFileError where the payload has none of this name."""
        place = self.place(name)
        data = self._source.read(self._start + place.offset, place.size)
        if len(data) != place.size:
            raise self._cut()
        return np.frombuffer(data, place.dtype).reshape(place.shape)

    def rows(self, name: str, first: int, stride: int) -> NDArray[Any]:
        """Every `stride`-th row of an array from `first` on; far apart, the others are not read."""
        place = self.place(name)
        if stride < FAR:
            return self.array(name)[first::stride]
        size = place.size // max(place.shape[0], 1)
        starts = range(place.offset + first * size, place.offset + place.size, stride * size or 1)
        data = b"".join(self._source.read(self._start + start, size) for start in starts)
        return np.frombuffer(data, place.dtype).reshape(-1, *place.shape[1:])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name."""
        return {name: self.array(name) for name in self.places}

    def pieces(self, name: str) -> Iterator[NDArray[Any]]:
        """One array in pieces of about a MiB, where it is a vector; else whole."""
        place = self.place(name)
        if len(place.shape) != 1 or place.size <= _SLAB:
            yield self.array(name)
            return
        size = _SLAB // place.dtype.itemsize * place.dtype.itemsize
        for offset in range(0, place.size, size or place.size):
            some = min(size, place.size - offset)
            data = self._source.read(self._start + place.offset + offset, some)
            if len(data) != some:
                raise self._cut()
            yield np.frombuffer(data, place.dtype)

    def window(self, name: str, title: str) -> Window:
        """The bytes of one array as a source of their own."""
        place = self.place(name)
        return Window(self._source, self._start + place.offset, place.size, title)

    def _cut(self) -> RunFileError:
        return RunFileError(f"{self._source.name} was cut while it was read: open it again")

    def place(self, name: str) -> ArrayPlace:
        """Where one array lies. Raises RunFileError where there is none of this name."""
        if name not in self.places:
            raise RunFileError(
                f"{self._source.name} is damaged or was not written by dlprobe: a frame has "
                f"no array {name[:80]!r}"
            )
        return self.places[name]


def encode(
    type: FrameType,
    first_step: int,
    meta: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    link: int = 0,
) -> bytes:
    """One whole frame; link 0 is that of format 1.0. Raises as `pieces`."""
    return b"".join(pieces(Record(type, first_step, meta, arrays), link))


def pieces(record: Record, link: int) -> list[Piece]:
    """One whole frame, in the pieces that come one after the other: its arrays are not copied, but
    to become little-endian and contiguous.

    Raises RunFileError above 2 GiB, ValueError for a dtype that has no place here.
    """
    type, first_step, meta, arrays = record.type, record.first_step, record.meta, record.arrays
    stored = {name: _little_endian(array) for name, array in arrays.items()}
    listing = [[name, array.dtype.str, list(array.shape)] for name, array in stored.items()]
    text = json.dumps({"meta": dict(meta), "arrays": listing}, separators=(",", ":")).encode(
        "ascii"
    )
    parts: list[Piece] = [_PREFIX.pack(len(text), link), text]
    length = _PREFIX.size + len(text)
    for array in stored.values():
        gap = -length % 8
        # a view of a few numbers takes ten times as long as a copy
        small = array.nbytes <= _FEW
        parts += [b"\0" * gap, array.tobytes() if small else array.reshape(-1).view("u1").data]
        length += gap + array.nbytes
    if length > MAX_PAYLOAD:
        raise RunFileError(
            f"a record of {length} bytes does not fit a run file, which takes {MAX_PAYLOAD} "
            "at most: use a smaller network"
        )
    return [_header(type, first_step, parts, length), *parts]


def journal_of(records: Iterable[Record]) -> bytes:
    """A whole journal at once."""
    tail, parts = Tail.of_nothing(), list[Piece]()
    for record in records:
        frame = pieces(record, tail.link)
        parts += frame
        tail = tail.behind(frame)
    return b"".join(parts)


def scan(
    source: Source, types: frozenset[FrameType] = RUN_FRAMES, before: Frame | None = None
) -> Scan:
    """All good frames from the start, or those behind the good frame `before`, and what is wrong
    behind them.

    types: those that this kind of journal holds, to tell a torn frame from damage in the middle.
    """
    frames = tuple(walk(source, before))
    last = frames[-1] if frames else before
    end = last.end if last else 0
    torn = source.size - end
    if torn and _frame_at(source, end) is not None:
        gap = (
            f"{source.name} is damaged at byte {end} of {source.size}: a frame is missing or out "
            "of its place there; what follows is not read"
        )
        return Scan(frames, end, torn, gap)
    return Scan(frames, end, torn, _damage(source, end, types) if torn else None)


def walk(
    source: Source, before: Frame | None = None, unread: Callable[[int], bool] = lambda type: False
) -> Iterator[Frame]:
    """The good frames one after the other, up to the first that does not check or does not
    follow the one before it.

    unread: of which types only the header and the link are read, not the checksum of the rest;
    asked before each frame.
    """
    last, end = before, before.end if before else 0
    while (frame := _frame_at(source, end, unread)) is not None:
        if last is not None and (frame.link or last.link) and frame.link != last.checksum:
            return
        yield frame
        last, end = frame, frame.end


def first_frame(source: Source) -> Frame | None:
    """The first frame, or None where it does not check."""
    return _frame_at(source, 0)


def parse_json(text: bytes | str, name: str) -> dict[str, Any]:
    """A JSON object. Raises RunFileError where the text is none, is nested without end, or
    holds endless numbers or half characters.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a character is written nowhere
    except (ValueError, RecursionError) as error:
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: a JSON text in it cannot be read"
        ) from error
    if not isinstance(value, dict):
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: a JSON text in it is not an object"
        )
    return value


@lru_cache(1024)
def _is_stored(dtype: np.dtype[Any]) -> bool:
    """Whether a journal holds such numbers or texts as they are."""
    return bool(_DTYPE.fullmatch(dtype.str))


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    if _is_stored(array.dtype) and array.flags.c_contiguous:
        return array
    if array.dtype.kind == "S" and array.dtype.itemsize == 0:
        array = array.astype("S1")
    # ascontiguousarray makes 0-d arrays 1-d
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    if not _is_stored(array.dtype):
        raise ValueError(f"dtype {array.dtype} has no place in a journal")
    return array


def _header(type: FrameType, first_step: int, parts: Sequence[Piece], length: int) -> bytes:
    head = _HEAD.pack(MAGIC, type, length, first_step)
    crc = zlib.crc32(head)
    for part in parts:
        crc = zlib.crc32(part, crc)
    return head + _CHECK.pack(crc)


def _frame_at(
    source: Source, offset: int, unread: Callable[[int], bool] = lambda type: False
) -> Frame | None:
    head = source.read(offset, HEADER_SIZE)
    if len(head) < HEADER_SIZE:
        return None
    magic, type, length, first_step = _HEAD.unpack_from(head)
    if magic != MAGIC or length > min(MAX_PAYLOAD, source.size - offset - HEADER_SIZE):
        return None
    (crc,) = _CHECK.unpack_from(head, _HEAD.size)
    prefix = source.read(offset + HEADER_SIZE, min(length, _PREFIX.size))
    link = _PREFIX.unpack(prefix)[1] if len(prefix) == _PREFIX.size else 0
    frame = Frame(type, first_step, offset + HEADER_SIZE, length, crc, link)
    good = unread(type) or crc == _crc(source, head[: _HEAD.size], frame)
    return frame if good else None


def _crc(source: Source, head: bytes, frame: Frame) -> int:
    """In slabs, so that a wrong length costs time and no memory."""
    crc, end = zlib.crc32(head), frame.offset + frame.length
    for offset in range(frame.offset, end, _SLAB):
        crc = zlib.crc32(source.read(offset, min(_SLAB, end - offset)), crc)
    return crc


def _damage(source: Source, end: int, types: frozenset[FrameType]) -> str | None:
    """What is wrong behind `end`, or None for one torn frame, which is what a killed writer
    leaves.
    """
    where = f"{source.name} is damaged at byte {end} of {source.size}: what follows is not read"
    if _good_frame_after(source, end + 1, types):
        return where
    head = source.read(end, HEADER_SIZE)
    if not any(head) and _only_zeros(source, end):
        return None  # a file system that lost power may leave zeros
    if len(head) < HEADER_SIZE:
        return None if MAGIC.startswith(head[:4]) else where
    magic, type, length, _ = _HEAD.unpack_from(head)
    torn = (
        magic == MAGIC and type in types and source.size - end - HEADER_SIZE < length <= MAX_PAYLOAD
    )
    return None if torn else where


def _only_zeros(source: Source, start: int) -> bool:
    return not any(any(source.read(offset, _SLAB)) for offset in range(start, source.size, _SLAB))


def _good_frame_after(source: Source, start: int, types: frozenset[FrameType]) -> bool:
    """Whether a frame that checks begins anywhere from `start` on. Checksums are bounded, so
    that a file full of headers does not hang the search.
    """
    budget = 4 * (source.size - start) + 2**26
    # that one is only ever first; behind the first it belongs to a run inside a torn frame
    later = types - {FrameType.CONFIG}
    for slab_start in range(start, source.size, _SLAB):
        slab = source.read(slab_start, _SLAB + HEADER_SIZE - 1)
        at = slab.find(MAGIC)
        while 0 <= at < _SLAB and at + HEADER_SIZE <= len(slab):
            _, type, length, _ = _HEAD.unpack_from(slab, at)
            fits = type in later and length <= source.size - slab_start - at - HEADER_SIZE
            budget -= length if fits else 0
            if budget < 0:
                return True  # nothing that a killed writer leaves looks like this
            if fits and _frame_at(source, slab_start + at) is not None:
                return True
            at = slab.find(MAGIC, at + 1)
    return False


def _json_text(source: Source, frame: Frame) -> tuple[bytes, int]:
    """The JSON text of a payload and the offset behind it."""
    prefix = source.read(frame.offset, _PREFIX.size)
    size = _PREFIX.unpack(prefix)[0] if len(prefix) == _PREFIX.size else _MAX_JSON + 1
    if size > min(_MAX_JSON, frame.length - _PREFIX.size):
        raise RunFileError(
            f"{source.name} is damaged or was not written by dlprobe: a frame's description "
            "does not fit the frame"
        )
    return source.read(frame.offset + _PREFIX.size, size), frame.offset + _PREFIX.size + size


def _halves(text: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    """What a payload says, without its list of arrays, and that list as JSON: the frames of a
    study have the same one again and again.
    """
    meta, mark, listing = text.rpartition(b',"arrays":')
    if mark and listing.endswith(b"}"):
        try:
            return parse_json(meta + b"}", name), listing[:-1]
        except RunFileError:
            pass  # of another hand
    head = parse_json(text, name)
    return head, json.dumps(head.get("arrays")).encode()


@lru_cache(64)
def _arranged(listing: bytes) -> tuple[Mapping[str, ArrayPlace], int] | None:
    """Where each listed array lies, and the bytes from the first to the last; None where no list
    of arrays can be read. Each array begins at a multiple of 8.
    """
    try:
        entries = json.loads(listing)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entries, list) or len(entries) > _MAX_ARRAYS:
        return None
    places: dict[str, ArrayPlace] = {}
    end = 0
    for entry in entries:
        at = end + -end % 8
        place = _place(entry, at)
        if place is None or entry[0] in places:
            return None
        places[entry[0]] = place
        end = at + place.size
    return MappingProxyType(places), end


def _unfit(name: str) -> RunFileError:
    return RunFileError(
        f"{name} is damaged or was not written by dlprobe: a frame's arrays do not fit the frame"
    )


def _place(entry: Any, at: int) -> ArrayPlace | None:
    if not (
        isinstance(entry, list)
        and len(entry) == 3
        and isinstance(entry[0], str)
        and isinstance(entry[1], str)
        and isinstance(entry[2], list)
    ):
        return None
    _, dtype, shape = entry
    if len(shape) > 8 or not all(type(n) is int for n in shape):
        return None
    kind = _kind(dtype, tuple(shape))
    return None if kind is None else ArrayPlace(kind[0], tuple(shape), at, kind[1])


@lru_cache(4096)  # the runs of a study have the same ones
def _kind(dtype: str, shape: tuple[int, ...]) -> tuple[np.dtype[Any], int] | None:
    """The dtype that a text names and the bytes of such an array; None where there is none."""
    if not _DTYPE.fullmatch(dtype) or not all(0 <= n < 2**40 for n in shape):
        return None
    if math.prod(max(n, 1) for n in shape) > 2**40:
        return None
    kind = np.dtype(dtype)
    return kind, kind.itemsize * math.prod(shape)
