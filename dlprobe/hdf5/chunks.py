"""Chunks of a data set that nobody vouches for: how many, how large, what they unpack to."""

from __future__ import annotations

import math
import zlib
from typing import Any

from dlprobe.hdf5.library import h5d, h5z

MAX_CHUNK = 16 * 2**20
MAX_PIECES = 2**22
SLAB = 4 * 2**20
RATIO = 1100  # deflate reaches 1032
# what one chunk may become in memory before its stream is measured first
_SAFE_INFLATED = 64 * 2**20
_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}


class UnfitChunksError(Exception):
    """What is wrong with chunks, to be said behind the name of their data set."""


def large_streams(
    handle: Any, settings: Any, shape: tuple[int, ...], item: int
) -> list[tuple[int, ...]]:
    """Where the compressed chunks stand that could unpack to a lot, of a data set of this shape
    with numbers of `item` bytes. Raises UnfitChunksError.
    """
    chunk = math.prod(settings.get_chunk()) * item
    if chunk > MAX_CHUNK:
        raise UnfitChunksError(f"has chunks of {chunk} bytes, more than {MAX_CHUNK}")
    pieces = math.prod(-(-n // c) for n, c in zip(shape, settings.get_chunk(), strict=True))
    if pieces > MAX_PIECES:
        raise UnfitChunksError(f"is split into {pieces} chunks, more than {MAX_PIECES}")
    filters = [settings.get_filter(n)[0] for n in range(settings.get_nfilters())]
    if len(set(filters)) != len(filters) or not set(filters) <= _FILTERS:
        raise UnfitChunksError(
            f"uses filters {filters}; only deflate, shuffle and fletcher32, each once, are read"
        )
    if h5z.FILTER_DEFLATE not in filters or not item * math.prod(shape):
        return []
    places: list[tuple[tuple[int, ...], int]] = []
    handle.chunk_iter(lambda info: places.append((info.chunk_offset, info.size)))
    for _, size in places:
        if size > chunk + chunk // 100 + 4096:
            raise UnfitChunksError(f"has a chunk that stores {size} bytes for {chunk}")
    return [offset for offset, size in places if size * RATIO > _SAFE_INFLATED]


def left_to_measure(
    handle: Any,
    waiting: list[tuple[int, ...]],
    item: int,
    start: tuple[int, ...],
    count: tuple[int, ...],
) -> list[tuple[int, ...]]:
    """Those of `waiting` that a slab does not meet; the others are measured. Raises
    UnfitChunksError.
    """
    sides = handle.get_create_plist().get_chunk()
    size, remaining = math.prod(sides) * item, []
    for offset in waiting:
        if not all(
            at < first + length and first < at + side
            for at, side, first, length in zip(offset, sides, start, count, strict=True)
        ):
            remaining.append(offset)
        elif not _unpacks_within(handle.read_direct_chunk(offset), size + 4):
            raise UnfitChunksError(f"has a chunk that unpacks to more than its {size} bytes")
    return remaining


def slab_rows(handle: Any, row: int) -> int:
    """Rows of a slab: about 4 MiB, whole chunks where there are chunks, so that no chunk is
    unpacked twice.
    """
    rows = max(SLAB // max(row, 1), 1)
    settings = handle.get_create_plist()
    if settings.get_layout() != h5d.CHUNKED:
        return rows
    height = int(settings.get_chunk()[0])
    return max(rows // height, 1) * height if height * row <= 16 * SLAB else rows


def _unpacks_within(chunk: tuple[int, bytes], limit: int) -> bool:
    stream, total, data = zlib.decompressobj(), 0, chunk[1]
    try:
        while data and not stream.eof and total <= limit:
            total += len(stream.decompress(data, 2**20))
            data = stream.unconsumed_tail
    except zlib.error:
        return True  # HDF5 will report it
    return total <= limit
