"""IDX, MNIST's own format, plain or gzip: an images file, with its labels file beside it."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import Protocol

import numpy as np

from dlprobe.data.arrays import Arrays
from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import LARGEST_ELEMENTS, Array, Options
from dlprobe.data.file_format import add_format
from dlprobe.data.packing import refuse_bomb
from dlprobe.data.places import problem, quoted_list, visible

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
# deflate packs 1,032 bytes into one at most: more is a lie
LARGEST_RATIO = 1100


class Readable(Protocol):
    """A plain or an unpacking stream."""

    def read(self, size: int, /) -> bytes: ...


def read_idx(path: Path, options: Options, like: DataTable | None = None) -> Arrays:
    images = read_array(path)
    if images.ndim < 2:
        raise problem(
            path,
            f"holds an array of shape {images.shape}, expected (samples, …): give the images "
            "file, its labels file is found beside it",
        )
    labels_path = find_labels(path, options.target)
    return Arrays(path, images, read_array(labels_path), ("images", "labels"))


def read_array(path: Path) -> Array:
    """The array of an IDX file, in the file's own type; compressed or not."""
    with path.open("rb") as plain:
        packed = plain.read(2) == GZIP
    size = path.stat().st_size
    if not size:
        raise problem(path, "is empty, expected data")
    try:
        if not packed:
            with path.open("rb") as stream:
                return read_stream(path, stream, size, packed)
        with gzip.open(path, "rb") as unpacked:
            return read_stream(path, unpacked, size, packed)
    except EOFError:
        raise problem(path, "its compressed data ends too early: the file was cut") from None


def read_stream(path: Path, stream: Readable, size: int, packed: bool) -> Array:
    """Reads header and data; `size` is the file's size, `packed` whether gzip stands between."""
    shape, dtype = read_header(path, stream)
    declared = math.prod(shape) * dtype.itemsize
    if math.prod(shape) > LARGEST_ELEMENTS:
        raise problem(
            path,
            f"declares an array of shape {shape}, dlprobe takes up to {LARGEST_ELEMENTS} numbers",
        )
    if declared > (size * LARGEST_RATIO + 2**20 if packed else size):
        raise problem(
            path, f"declares {declared} bytes of data in a file of {size}: it was cut or damaged"
        )
    if packed:
        refuse_bomb(path, declared, size)
    data = stream.read(declared + 1)
    if len(data) != declared:
        count = "more" if len(data) > declared else str(len(data))
        raise problem(
            path, f"declares {declared} bytes of data and holds {count}: it was cut or damaged"
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def read_header(path: Path, stream: Readable) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type: two zero bytes, a type code, the number of dimensions, then each length
    as a big-endian 32-bit number.
    """
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not head[3]:
        codes = ", ".join(f"{code:02x}" for code in TYPES)
        raise problem(
            path,
            f"starts with {head.hex(' ')}, expected an IDX header: 00 00, a type code "
            f"({codes}), the number of dimensions",
        )
    lengths = stream.read(4 * head[3])
    if len(lengths) < 4 * head[3]:
        raise problem(path, f"ends within its header of {head[3]} dimensions: it was cut")
    return struct.unpack(f">{head[3]}I", lengths), np.dtype(TYPES[head[2]])


def find_labels(path: Path, target: str | None) -> Path:
    """The labels file: `target` if given (a name beside the images), else the images' name with
    `images` → `labels`, `idx3` → `idx1`, packed or not.
    """
    if target is not None:
        candidates = [path.parent / target]
    elif "images" not in path.name:
        candidates = []
    else:
        name = path.name.replace("images", "labels").replace("idx3", "idx1")
        bare = name.removesuffix(".gz")
        candidates = [
            path.parent / other
            for other in dict.fromkeys((name, bare, f"{bare}.gz"))
            if other != path.name
        ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    tried = (
        quoted_list([visible(candidate.name) for candidate in candidates])
        or "no other name (images files are called …images-idx3-ubyte)"
    )
    raise problem(
        path, f"no labels file found beside it, tried {tried}: put it there, or name it with target"
    )


add_format(
    name="IDX",
    summary="MNIST's images file, plain or gzip; the labels file is found beside it, or named by "
    "--target",
    suffixes=("-ubyte", "-ubyte.gz", ".idx3-ubyte", ".idx3-ubyte.gz", ".idx", ".idx.gz"),
    read=read_idx,
    signatures=(b"\0\0", GZIP),
)
