"""A group of small data sets in HDF5's own bytes: laid out once, filled for every run like it.

A run of a study has some 180 data sets with 500 attributes. HDF5 takes 37 ms to write them, nearly
all of it for what is the same in every run; here values, texts and addresses are put into a copy of
the layout, and the checksums of many runs are computed side by side.

Source: The HDF Group, HDF5 File Format Specification Version 3.0: III.E (global heap), IV.A.1.b
(object headers of version 2), IV.A.2 (messages).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.hdf5.checksum import checksums, fletcher32
from dlprobe.hdf5.library import h5t

Bytes: TypeAlias = NDArray[np.uint8]
CHECKSUM = 4
LARGEST_TEXT = 60_000  # bytes of an attribute: a message takes 65,535
COMPACT = 4096  # bytes of a data set that lies in its object header
LARGEST_PLAIN, LARGEST_NOISE = 2**16, 2**22  # bytes of a chunk that is not compressed
_SPACE, _LINK_INFO, _TYPE, _FILL, _LINK, _LAYOUT = 0x1, 0x2, 0x3, 0x5, 0x6, 0x8
_GROUP_INFO, _FILTERS, _ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0xA, 0xB, 0xC, 0x10, 0x15
_FLETCHER32 = struct.pack("<BBHHH", 2, 1, 3, 0, 0)  # one filter, which is mandatory
_CONSTANT, _UNSHARED = 1, 4  # flags of messages, as the library sets them
_MESSAGE = struct.Struct("<BHB")  # type, size, flags
HEADER_START = 16  # bytes that say how long a header is
_HEADER, _CHUNK = 10, 4  # bytes before the messages of a header, and of its continuation
_NOWHERE = b"\xff" * 8  # the undefined address
_LINKS = b"\0\0" + 2 * _NOWHERE  # no order of creation, none of them in a heap
_HEAP_START, _HEAP_OBJECT, _LEAST_HEAP = 16, 24, 4096
_HEAP = "/heap"  # no path of an object begins with a slash
_EARLY, _LATE, _PIECEWISE, _NO_FILL = 1, 2, 3, 4  # when space is allotted; that nothing fills it


@dataclass(frozen=True)
class SmallSet:
    """A data set that lies in its object header, or as one chunk if it does not fit there. texts:
    its attributes. noise: whether compressing it is in vain.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    texts: Mapping[str, str]
    noise: bool = False

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return self.dtype.itemsize * math.prod(self.shape)

    @property
    def is_chunk(self) -> bool:
        """Whether it is a chunk outside its object header."""
        return self.size > COMPACT

    @property
    def fits(self) -> bool:
        """Whether a group layout may hold it."""
        return self.size <= (LARGEST_NOISE if self.noise else LARGEST_PLAIN)


class _Header:
    """The messages of an object, and where in them addresses of others stand."""

    def __init__(self) -> None:
        self.messages = bytearray()
        self.addresses: list[tuple[int, str]] = []
        self.values = 0  # where the values of a data set stand

    def add(self, type: int, body: bytes, flags: int = 0) -> None:
        self.messages += _MESSAGE.pack(type, len(body), flags) + body

    def link(self, name: str, target: str) -> None:
        """A hard link to another object."""
        self.add(_LINK, bytes((1, 0, len(name))) + name.encode() + bytes(8))
        self.addresses.append((len(self.messages) - 8, target))

    def attribute(self, name: str, type: bytes, shape: tuple[int, ...], data: bytes) -> int:
        """An attribute of an encoded type; where its data stand."""
        space = _space(shape)
        sizes = struct.pack("<BBHHHB", 3, 0, len(name) + 1, len(type), len(space), 0)
        self.add(_ATTRIBUTE, sizes + name.encode() + b"\0" + type + space + data)
        return len(self.messages) - len(data)

    def text(self, name: str, value: bytes) -> None:
        """An attribute of fixed length."""
        self.attribute(name, _encoded(np.dtype(f"S{len(value)}")), (), value)

    def scale(self, name: bytes) -> None:
        """The attributes of a dimension scale."""
        for key, value in (("CLASS", b"DIMENSION_SCALE\0"), ("NAME", name + b"\0")):
            type = b"\x13\0\0\0" + struct.pack("<I", len(value))  # a text that ends in a zero
            self.attribute(key, type, (), value)

    def whole(self) -> bytes:
        """The header, its checksum 0; a multiple of 4 bytes."""
        padded = self.messages + bytes(-(_HEADER + len(self.messages)) % 4)
        return b"OHDR\2\2" + struct.pack("<I", len(padded)) + padded + bytes(CHECKSUM)

    def continued(self) -> bytes:
        """The messages as the continuation of a header, its checksum 0; a multiple of 4 bytes."""
        return b"OCHK" + self.messages + bytes(-len(self.messages) % 4 + CHECKSUM)


class GroupLayout:
    """The layout of a group and all below it."""

    def __init__(
        self,
        sets: Mapping[str, SmallSet],
        lengths: Mapping[str, int],
        scales: Sequence[str],
        attached: Sequence[tuple[str, int, str]],
        described: Sequence[str] = (),
    ) -> None:
        """sets: by path below the group. lengths: by path, of scales without values. scales:
        sets that are some. attached: (data set, axis, scale). described: empty groups directly
        below, which have texts in every run.
        """
        headers = {path: _data_set(path, one) for path, one in sets.items()}
        headers |= {path: _dimension(length) for path, length in lengths.items()}
        for path in scales:
            headers[path].scale(path.rpartition("/")[2].encode())
        heap = _attach(headers, {path: len(one.shape) for path, one in sets.items()}, attached)
        headers |= _groups([*headers])
        self.described = tuple(described)
        self.top = [path for path in headers if "/" not in path]
        self.at: dict[str, int] = {}
        parts, size, addresses = list[bytes](), 0, list[tuple[int, str]]()
        for path, header in headers.items():
            parts.append(header.whole())
            self.at[path] = size
            addresses += [(size + _HEADER + at, target) for at, target in header.addresses]
            size += len(parts[-1])
        self.starts = np.array([*self.at.values()])
        self.lengths = np.array([len(part) - CHECKSUM for part in parts])
        self.chunks = [path for path, one in sets.items() if one.is_chunk]
        for path, one in sets.items():
            if one.is_chunk:
                self.at[_chunk(path)] = size
                parts.append(bytes(one.size + CHECKSUM))
                size += one.size + CHECKSUM
        size += -size % 8
        addresses += [(size + at, target) for at, target in heap.addresses]
        self.at[_HEAP] = size
        self.addresses = np.array([at for at, _ in addresses])
        self.targets = np.array([self.at[target] for _, target in addresses], "<u8")
        self.places = {
            path: slice(start, start + one.size)
            for path, one in sets.items()
            for start in [
                self.at[_chunk(path)]
                if one.is_chunk
                else self.at[path] + _HEADER + headers[path].values
            ]
        }
        laid_out = b"".join(parts).ljust(size, b"\0") + heap.messages
        self.bytes: Bytes = np.frombuffer(laid_out, np.uint8)


class GroupCopy:
    """A copy of a layout with the values of one group, for one place in one file."""

    def __init__(self, layout: GroupLayout) -> None:
        self.layout, self._bytes = layout, layout.bytes.copy()
        self._done = dict.fromkeys(layout.places, 0)
        self._headers = {path: _group() for path in ("", *layout.described)}

    def append(self, path: str, array: NDArray[Any]) -> None:
        """The next values of a data set."""
        place, done = self.layout.places[path], self._done[path]
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        self._done[path] = done + len(data)
        self._bytes[place][done : done + len(data)] = np.frombuffer(data, np.uint8)

    def text(self, path: str, name: str, value: str) -> None:
        """A text attribute of the group itself (path empty) or of one that is `described`."""
        self._headers[path].text(name, encoded_text(value))

    def numbers(self, path: str, name: str, values: tuple[int, ...]) -> None:
        """An attribute of whole numbers, as `text`."""
        data = np.array(values, "<i8")
        self._headers[path].attribute(name, _encoded(data.dtype), data.shape, data.tobytes())

    def finish(self) -> None:
        """Lay out what is known now; only addresses and checksums are missing. Raises
        ValueError where a data set was left incomplete.
        """
        layout = self.layout
        short = [path for path, place in layout.places.items() if self._done[path] != _size(place)]
        if short:
            raise ValueError(f"data sets left incomplete: {short}")
        for place in (layout.places[path] for path in layout.chunks):
            self._bytes[place.stop : place.stop + CHECKSUM].view("<u4")[0] = fletcher32(
                self._bytes[place]
            )
        parts, at, size = [self._bytes.tobytes()], dict(layout.at), len(self._bytes)
        top, starts, lengths = self._headers[""], [*layout.starts], [*layout.lengths]
        for path in layout.described:
            parts.append(self._headers[path].whole())
            at[path] = size
            starts.append(size)
            lengths.append(len(parts[-1]) - CHECKSUM)
            size += len(parts[-1])
        for path in (*layout.top, *layout.described):
            top.link(path, path)
        parts.append(top.continued())
        starts.append(size)
        lengths.append(len(parts[-1]) - CHECKSUM)
        self.continuation = slice(size, size + len(parts[-1]))
        self.starts, self.lengths = np.array(starts), np.array(lengths)
        places = [size + _CHUNK + at for at, _ in top.addresses]
        targets = [at[target] for _, target in top.addresses]
        self._addresses = np.append(layout.addresses, places)
        self._targets = np.append(layout.targets, np.array(targets, "<u8"))
        self.bytes: Bytes = np.frombuffer(b"".join(parts), np.uint8).copy()

    def fill_addresses(self, address: int) -> None:
        """Fill the addresses in, for the first byte at `address` of the file."""
        moved = self._targets + np.uint64(address)
        self.bytes[self._addresses[:, None] + np.arange(8)] = moved.view(np.uint8).reshape(-1, 8)


def with_checksums(copies: Sequence[GroupCopy]) -> list[Bytes]:
    """The bytes of copies whose addresses are filled in, with all their checksums."""
    joined = np.concatenate([group.bytes for group in copies])
    begins = np.cumsum([0, *(len(group.bytes) for group in copies)])
    pairs = list(zip(begins, copies, strict=False))
    starts = np.concatenate([begin + group.starts for begin, group in pairs])
    lengths = np.concatenate([group.lengths for group in copies])
    _put_checksums(joined, starts, lengths)
    return [joined[begin : begin + len(group.bytes)] for begin, group in pairs]


def group_headers(headers: Sequence[bytes], continuations: Sequence[slice]) -> list[bytes]:
    """Object headers of data sets as those of groups that go on at `continuations` of the file.

    Raises ValueError for a header without room for that.
    """
    made = list[bytes]()
    for header, place in zip(headers, continuations, strict=True):
        start = 6 + (1 << (header[5] & 3))
        size = int.from_bytes(header[6:start], "little")
        group = _group()
        group.add(_CONTINUATION, struct.pack("<QQ", place.start, _size(place)))
        rest = size - len(group.messages) - _MESSAGE.size
        if header[:5] != b"OHDR\2" or header[5] > 3 or rest < 0:
            raise ValueError("an object header has no room for a group")
        group.add(0, bytes(rest))
        made.append(header[:start] + group.messages + bytes(CHECKSUM))
    begins = np.cumsum([0, *(len(header) + -len(header) % 4 for header in made)])
    joined = np.frombuffer(
        b"".join(header + bytes(-len(header) % 4) for header in made), np.uint8
    ).copy()
    lengths = np.array([len(header) - CHECKSUM for header in made])
    _put_checksums(joined, begins[:-1], lengths)
    return [
        joined[begin : begin + len(header)].tobytes()
        for begin, header in zip(begins, made, strict=False)
    ]


def header_size(start: bytes) -> int:
    """Bytes of an object header of version 2 without times, from its first ones."""
    width = 1 << (start[5] & 3)
    return 6 + width + int.from_bytes(start[6 : 6 + width], "little") + CHECKSUM


@cache
def file_type(dtype: np.dtype[Any]) -> Any:
    """The type that a file has for numbers, or for texts of fixed length."""
    if dtype.kind != "S":
        return h5t.py_create(dtype.newbyteorder("<"))
    type = h5t.C_S1.copy()
    type.set_size(max(dtype.itemsize, 1))
    type.set_cset(h5t.CSET_UTF8)
    type.set_strpad(h5t.STR_NULLPAD)
    return type


@cache
def _encoded(dtype: np.dtype[Any]) -> bytes:
    """The message of a type, which HDF5 encodes behind two bytes of its own."""
    return bytes(file_type(dtype).encode())[2:]


_ADDRESS = bytes(h5t.STD_REF_OBJ.encode())[2:]
_ADDRESSES = b"\x19\0\0\0" + struct.pack("<I", 16) + _ADDRESS  # of any number, in the heap
_USE = (  # (address of a data set, axis)
    b"\x36\2\0\0" + struct.pack("<I", 16)
    + b"dataset\0\0" + _ADDRESS
    + b"dimension\0\x08" + bytes(h5t.STD_U32LE.encode())[2:]
)  # fmt: skip


def _space(shape: tuple[int, ...]) -> bytes:
    return bytes((2, len(shape), 0, 1 if shape else 0)) + struct.pack(f"<{len(shape)}Q", *shape)


def _size(place: slice) -> int:
    return int(place.stop - place.start)


def _chunk(path: str) -> str:
    return f"/{path}"


def _data_set(path: str, one: SmallSet) -> _Header:
    header = _Header()
    header.add(_SPACE, _space(one.shape))
    header.add(_TYPE, _encoded(one.dtype), _CONSTANT)
    allotted = _PIECEWISE if one.is_chunk else _EARLY if one.size else _LATE
    header.add(_FILL, bytes((3, allotted | _NO_FILL)), _CONSTANT)
    if one.is_chunk:
        sides = (*one.shape, one.dtype.itemsize)
        width = -(-max(sides).bit_length() // 8)
        header.add(_FILTERS, _FLETCHER32)
        header.add(
            _LAYOUT,
            bytes((4, 2, 2, len(sides), width))  # version, chunks, one that is filtered
            + b"".join(side.to_bytes(width, "little") for side in sides)
            + struct.pack("<BQIQ", 1, one.size + CHECKSUM, 0, 0),
        )
        header.addresses.append((len(header.messages) - 8, _chunk(path)))
    elif one.size:
        header.add(_LAYOUT, struct.pack("<BBH", 3, 0, one.size) + bytes(one.size))
        header.values = len(header.messages) - one.size
    else:
        header.add(_LAYOUT, b"\3\1" + _NOWHERE + bytes(8))
    header.add(_ATTRIBUTE_INFO, _LINKS, _UNSHARED)
    for name, text in one.texts.items():
        header.text(name, encoded_text(text))
    return header


def _dimension(length: int) -> _Header:
    header = _Header()
    header.add(_SPACE, _space((length,)))
    header.add(_TYPE, bytes(h5t.IEEE_F32BE.encode())[2:], _CONSTANT)
    header.add(_FILL, bytes((3, _LATE | _NO_FILL)), _CONSTANT)
    header.add(_LAYOUT, b"\3\1" + _NOWHERE + struct.pack("<Q", 4 * length))
    header.add(_ATTRIBUTE_INFO, _LINKS, _UNSHARED)
    header.scale(without_values(length))
    return header


def _group() -> _Header:
    header = _Header()
    header.add(_LINK_INFO, _LINKS)
    header.add(_GROUP_INFO, b"\0\0", _CONSTANT)
    header.add(_ATTRIBUTE_INFO, _LINKS, _UNSHARED)
    return header


def _groups(paths: Sequence[str]) -> dict[str, _Header]:
    """The groups on the way to data sets, with links to what is in them."""
    groups: dict[str, _Header] = {}
    for path in paths:
        child, (group, _, name) = path, path.rpartition("/")
        while group:
            known = group in groups
            groups.setdefault(group, _group()).link(name, child)
            if known:
                break
            child, (group, _, name) = group, group.rpartition("/")
    return groups


def _attach(
    headers: Mapping[str, _Header],
    ranks: Mapping[str, int],
    attached: Sequence[tuple[str, int, str]],
) -> _Header:
    """Name axes by scales, in both directions; the heap in which the references to scales lie."""
    scales, uses = dict[str, dict[int, int]](), dict[str, list[tuple[str, int]]]()
    heap = _Header()
    for index, (path, axis, scale) in enumerate(attached, 1):
        scales.setdefault(path, {})[axis] = index
        uses.setdefault(scale, []).append((path, axis))
        heap.messages += struct.pack("<HHIQQ", index, 0, 0, 8, 0)
        heap.addresses.append((_HEAP_START + len(heap.messages) - 8, scale))
    rest = max(_HEAP_OBJECT, _LEAST_HEAP - _HEAP_START - len(heap.messages))
    heap.messages += struct.pack("<HHIQ", 0, 0, 0, rest) + bytes(rest - _HEAP_START)
    heap.messages[:0] = b"GCOL\1\0\0\0" + struct.pack("<Q", _HEAP_START + len(heap.messages))
    for path, by_axis in scales.items():
        indices = [by_axis.get(axis, 0) for axis in range(ranks[path])]
        data = b"".join(struct.pack("<IQI", index > 0, 0, index) for index in indices)
        at = headers[path].attribute("DIMENSION_LIST", _ADDRESSES, (len(indices),), data)
        headers[path].addresses += [
            (at + 16 * axis + 4, _HEAP) for axis, index in enumerate(indices) if index
        ]
    for scale, used in uses.items():
        data = b"".join(struct.pack("<QII", 0, axis, 0) for _, axis in used)
        at = headers[scale].attribute("REFERENCE_LIST", _USE, (len(used),), data)
        headers[scale].addresses += [(at + 16 * row, path) for row, (path, _) in enumerate(used)]
    return heap


def _put_checksums(data: Bytes, starts: NDArray[Any], lengths: NDArray[Any]) -> None:
    sums = checksums(data, starts, lengths)
    behind = (starts + lengths)[:, None] + np.arange(CHECKSUM)
    data[behind] = sums.view(np.uint8).reshape(-1, CHECKSUM)


def without_values(length: int) -> bytes:
    """The name of a scale that has no values: netCDF's word for a dimension without a variable."""
    return f"This is a netCDF dimension but not a netCDF variable. {length:9d}".encode()


def encoded_text(value: str) -> bytes:
    """UTF-8, of one byte at least."""
    return value.encode("utf-8", "backslashreplace") or b"\0"
