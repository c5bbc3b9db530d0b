"""Writing a new HDF5 file that every HDF5 from 1.10 on reads and that shows every flipped bit.

Small arrays lie in their object header (compact, checksummed), larger ones in chunks with
fletcher32; texts have fixed length; no times are stored.
A full disk is an OSError, never a crash: see `file_objects`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.hdf5 import group_layout
from dlprobe.hdf5.file_objects import WriteFile
from dlprobe.hdf5.files import MAX_TEXT, read_at
from dlprobe.hdf5.group_layout import GroupCopy, encoded_text, file_type
from dlprobe.hdf5.library import h5a, h5d, h5ds, h5f, h5fd, h5g, h5o, h5p, h5s, h5t

_CHUNK = 128 * 1024  # bytes: one statistic of a thousand steps, read at once
_SLOTS = 7  # of a chunk cache; rows are appended, so that it holds the last chunk
_DEFLATE_LEVEL = 1  # with shuffle; higher levels cost time and save little on float noise
_TOGETHER = 2**23  # bytes of copied groups that get their checksums together


class PackedWriter:
    """One new file at `path`, which must not exist. Raises OSError where the system refuses
    bytes; then `abandon` it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = WriteFile(path)
        self._groups: dict[str, Any] = {}
        self._sets: dict[str, Any] = {}
        self._written: dict[str, int] = {}
        self._copies: list[tuple[Any, GroupCopy]] = []
        self._new_headers: list[tuple[int, slice]] = []
        self._id = self._create()
        self._access = h5p.create(h5p.DATASET_ACCESS)
        # HDF5's own 8 MiB for each of a hundred data sets are most of a packing's memory
        self._access.set_chunk_cache(_SLOTS, 2 * _CHUNK, 1.0)

    def group(self, path: str) -> None:
        """Make a group and the groups above it; making one twice does no harm."""
        self._group(path)

    def data_set(
        self,
        path: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        attributes: Mapping[str, str] | None = None,
        *,
        noise: bool = False,
    ) -> None:
        """Declare a data set; `append` fills it. dtype is numeric or `S`. noise: whether
        compressing it is in vain.
        """
        group, _, name = path.strip("/").rpartition("/")
        type, settings = file_type(dtype), _settings(dtype, shape, noise)
        space = h5s.create_simple(shape) if shape else _single()
        self._sets[path] = h5d.create(
            self._group(group), name.encode(), type, space, settings, dapl=self._access
        )
        self._written[path] = 0
        for key, text in (attributes or {}).items():
            _text_attribute(self._sets[path], key, text)

    def append(self, path: str, array: NDArray[Any]) -> None:
        """Write the next rows of a data set (all of it where it has no axis); of a table also the
        next numbers of a row, (1, n). Raises OSError where the disk is full.
        """
        handle, written = self._sets[path], self._written[path]
        space = memory = h5s.ALL
        self._written[path] += array.size
        if array.ndim and (written or array.shape != handle.shape):
            space, memory = handle.get_space(), h5s.create_simple(array.shape)
            row, column = divmod(written, math.prod(handle.shape[1:]) or 1)
            start = (row, column, *(0,) * array.ndim)[: array.ndim]
            space.select_hyperslab(start, array.shape)
        if array.size:
            handle.write(
                memory,
                space,
                np.ascontiguousarray(array).reshape(array.shape),
                mtype=file_type(array.dtype),
            )
        self.check()

    def text(self, path: str, name: str, value: str) -> None:
        """A text attribute of a group or data set; `/` is the root."""
        _text_attribute(self._sets[path] if path in self._sets else self._group(path), name, value)

    def numbers(self, path: str, name: str, values: tuple[int, ...]) -> None:
        """An attribute of whole numbers of a group; `/` is the root."""
        array = np.array(values, "<i8")
        h5a.create(
            self._group(path), name.encode(), h5t.STD_I64LE, h5s.create_simple(array.shape)
        ).write(array)

    def scale(self, path: str, name: str) -> None:
        """Make a data set a dimension scale, so that xarray and netCDF name the axis."""
        h5ds.set_scale(self._sets[path], name.encode())

    def dimension(self, path: str, length: int) -> None:
        """A scale that names an axis and has no values: what netCDF calls a dimension without a
        variable. Nothing is stored for its entries.
        """
        group, _, name = path.strip("/").rpartition("/")
        handle = h5d.create(
            self._group(group),
            name.encode(),
            h5t.IEEE_F32BE,
            h5s.create_simple((length,)),
            _without_data(),
        )
        h5ds.set_scale(handle, group_layout.without_values(length))
        self._sets[path], self._written[path] = handle, length

    def attach(self, path: str, axis: int, scale: str) -> None:
        """Say that `axis` of a data set is counted by the data set `scale`."""
        h5ds.attach_scale(self._sets[path], self._sets[scale], axis)

    def add_copy(self, path: str, group_copy: GroupCopy) -> None:
        """Make a group of a copied layout that holds all its values and texts.

        The bytes lie in a data set of its name, whose object header becomes that of the group once
        HDF5 has closed the file: nothing else gives out space in it.
        """
        group_copy.finish()
        group, _, name = path.strip("/").rpartition("/")
        size = len(group_copy.bytes)
        handle = h5d.create(
            self._group(group), name.encode(), h5t.STD_U8LE, h5s.create_simple((size,)), _raw()
        )
        address, going_on = handle.get_offset(), group_copy.continuation
        group_copy.fill_addresses(address)
        self._copies.append((handle, group_copy))
        self._new_headers.append(
            (h5o.get_info(handle).addr, slice(address + going_on.start, address + going_on.stop))
        )
        if sum(len(waiting.bytes) for _, waiting in self._copies) >= _TOGETHER:
            self._write_copies()

    def check(self) -> None:
        """Raise the OSError of the first write that failed."""
        if self._file.failure is not None:
            raise self._file.failure

    def finish(self) -> None:
        """Close the file and hand it to the disk. Raises OSError, ValueError where a data set
        was left incomplete.
        """
        short = [
            path
            for path, handle in self._sets.items()
            if handle.shape and math.prod(handle.shape) != self._written[path]
        ]
        if short:
            raise ValueError(f"data sets left incomplete: {short}")
        self._write_copies()
        self._close()
        self.check()
        self._replace_headers()
        self._file.sync()
        self._file.close()

    def abandon(self) -> None:
        """Close and delete the unfinished file."""
        self._close()
        self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def release(self, prefix: str) -> None:
        """Forget the handles below a group that is complete, to bound memory in files of many
        runs.
        """
        for path in [path for path in self._sets if path.startswith(prefix)]:
            del self._sets[path], self._written[path]
        for path in [path for path in self._groups if path.startswith(prefix)]:
            del self._groups[path]

    def _create(self) -> Any:
        access = h5p.create(h5p.FILE_ACCESS)
        access.set_fileobj_driver(h5fd.fileobj_driver, self._file)
        access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
        access.set_fclose_degree(h5f.CLOSE_STRONG)
        settings = h5p.create(h5p.FILE_CREATE)
        settings.set_obj_track_times(False)
        return h5f.create(b"dlprobe", h5f.ACC_TRUNC, fcpl=settings, fapl=access)

    def _write_copies(self) -> None:
        """Write the copied groups that wait, with their checksums."""
        if self._copies:
            handles, copies = zip(*self._copies, strict=True)
            for handle, data in zip(handles, group_layout.with_checksums(copies), strict=True):
                handle.write(h5s.ALL, h5s.ALL, data, mtype=h5t.STD_U8LE)
                self.check()
            self._copies.clear()

    def _replace_headers(self) -> None:
        """Those of the data sets whose bytes are copied groups, in a file that HDF5 has closed."""
        if not self._new_headers:
            return
        old = []
        for address, _ in self._new_headers:
            start = read_at(self._file.descriptor, address, group_layout.HEADER_START)
            old.append(read_at(self._file.descriptor, address, group_layout.header_size(start)))
        new = group_layout.group_headers(old, [place for _, place in self._new_headers])
        for (address, _), header in zip(self._new_headers, new, strict=True):
            self._file.seek(address)
            self._file.write(memoryview(header))
        self.check()

    def _close(self) -> None:
        self._copies.clear()
        self._sets.clear()
        self._groups.clear()
        if self._id is not None:
            self._id.close()
            self._id = None

    def _group(self, path: str) -> Any:
        path = path.strip("/")
        if path not in self._groups:
            above, _, name = path.rpartition("/")
            settings = h5p.create(h5p.GROUP_CREATE)
            settings.set_obj_track_times(False)
            self._groups[path] = (
                h5g.create(self._group(above), name.encode(), gcpl=settings)
                if path
                else h5g.open(self._id, b"/")
            )
        return self._groups[path]


class Below:
    """What is written below one group of a file, by paths that begin there; the group itself is
    the empty path.
    """

    def __init__(self, writer: PackedWriter, prefix: str) -> None:
        self.writer, self._prefix = writer, prefix

    def at(self, path: str) -> str:
        """A path below the group, as the file has it."""
        return f"{self._prefix}/{path}".strip("/")

    def append(self, path: str, array: NDArray[Any]) -> None:
        """As the writer's."""
        self.writer.append(self.at(path), array)

    def text(self, path: str, name: str, value: str) -> None:
        """As the writer's."""
        self.writer.text(self.at(path), name, value)

    def numbers(self, path: str, name: str, values: tuple[int, ...]) -> None:
        """As the writer's."""
        self.writer.numbers(self.at(path), name, values)


@lru_cache(1024)
def _settings(dtype: np.dtype[Any], shape: tuple[int, ...], noise: bool) -> Any:
    settings = h5p.create(h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    settings.set_fill_time(h5d.FILL_TIME_NEVER)
    size = dtype.itemsize * math.prod(shape)
    if 0 < size <= group_layout.COMPACT:
        settings.set_layout(h5d.COMPACT)
    elif size:
        settings.set_chunk(chunk_shape(dtype.itemsize, shape))
        if not noise:
            settings.set_shuffle()
            settings.set_deflate(_DEFLATE_LEVEL)
        settings.set_fletcher32()
    return settings


@cache
def _raw() -> Any:
    settings = _without_data().copy()
    settings.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    return settings


@cache
def _without_data() -> Any:
    settings = h5p.create(h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    settings.set_fill_time(h5d.FILL_TIME_NEVER)
    return settings


def chunk_shape(itemsize: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """About 128 KiB of whole rows; of a row that is longer, a piece.

    >>> chunk_shape(4, (100_000, 20))
    (1638, 20)
    >>> chunk_shape(4, (3, 1_000_000))
    (1, 32768)
    """
    room, chunk = _CHUNK // itemsize, []
    for length in reversed(shape):
        chunk.append(min(length, max(room, 1)))
        room //= chunk[-1]
    return tuple(reversed(chunk))


def _text_attribute(where: Any, name: str, value: str) -> None:
    data = np.array(encoded_text(value))
    if data.nbytes > MAX_TEXT:
        raise ValueError(
            f"text {name} has {data.nbytes} bytes, more than the {MAX_TEXT} that are read back"
        )
    type = file_type(data.dtype)
    h5a.create(where, name.encode(), type, _single()).write(data, mtype=type)


@cache
def _single() -> Any:
    return h5s.create(h5s.SCALAR)
