"""Reading HDF5 files that nobody vouches for: CI artifacts, downloads, attachments.

Only names that the caller knows, one path component at a time, hard links only, never a walk. Of a
data set its type, layout, filters, chunk and size are looked at before a byte of it is read, and it
is read slab by slab. Everything that is refused is a RunFileError of one line.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.hdf5 import chunks
from dlprobe.hdf5.files import MAX_TEXT, open_regular, printable, reopened
from dlprobe.hdf5.library import h5a, h5d, h5f, h5g, h5i, h5l, h5o, h5p, h5s, h5t
from dlprobe.hdf5.preflight import ANY_SUPERBLOCK, CHECKSUMMED_SUPERBLOCKS, examine

__all__ = ["ANY_SUPERBLOCK", "CHECKSUMMED_SUPERBLOCKS", "GuardedFile", "Stored"]

BUDGET = 8 * 2**30  # declared bytes of all data sets that are read from one file
ALLOWED: ContextVar[int] = ContextVar("allowed", default=BUDGET)  # what the user allows instead
MAX_ATTRIBUTE = 2**20
MAX_RANK = 8
# HDF5's own MiB for each data set that is open would be most of a command's memory
CHUNK_CACHE, _SLOTS = 2**18, 521
REMEMBERED = 4096  # checked data sets, and groups on the way to them, that stay open
# what h5py raises of damaged files
_DAMAGES = (OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError, OverflowError)


@dataclass(frozen=True)
class Stored:
    """What a data set declares: NumPy dtype and shape; and the bytes that it takes in the file
    (of an attribute 0).
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    packed: int = 0

    @property
    def size(self) -> int:
        """Declared bytes."""
        return self.dtype.itemsize * math.prod(self.shape)


class GuardedFile:
    """One HDF5 file, read by known names. Raises RunFileError on opening and on every reading
    method. Close it, or use it in a `with`.
    """

    def __init__(
        self,
        path: Path,
        superblocks: tuple[int, ...] = CHECKSUMMED_SUPERBLOCKS,
        budget: int | None = None,
    ) -> None:
        """budget: bytes that may be declared; None for what the user allows."""
        self.name, self._id = printable(path), None
        self._most = self._budget = ALLOWED.get() if budget is None else budget
        self._sets: dict[str, Any] = {}
        self._unmeasured: dict[str, list[tuple[int, ...]]] = {}
        self._groups: dict[str, Any] = {}
        self._there: dict[str, bool] = {}
        self._counted: set[str] = set()
        self._descriptor = open_regular(path)
        try:
            examine(self._descriptor, self.name, superblocks)
            self._size, self._changed = self._state()
            self._id = self._open(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> GuardedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def close(self) -> None:
        """Close the file; calling it twice does no harm."""
        self._sets.clear()
        self._groups.clear()
        if self._id is not None:
            self._id.close()
            self._id = None
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def has(self, path: str) -> bool:
        """Whether a group or data set is there. Raises RunFileError where a link on the way is
        not a hard link.
        """
        if path not in self._there:
            if len(self._there) >= REMEMBERED:
                self._there.clear()
            self._there[path] = self._find(path) is not None
        return self._there[path]

    def stored(self, path: str) -> Stored:
        """Dtype and shape of a data set that passed every check."""
        return self._data_set(path)[1]

    def read(self, path: str) -> NDArray[Any]:
        """A whole data set."""
        data_set = self.stored(path)
        self._count(path, data_set)
        try:
            whole = np.empty(data_set.shape, data_set.dtype)
        except MemoryError as error:
            raise RunFileError(
                f"{self.name}: {path} with {data_set.size} bytes does not fit into memory"
            ) from error
        at = 0
        for slab in self.slabs(path):
            if not data_set.shape:
                return slab
            whole[at : at + len(slab)] = slab
            at += len(slab)
        return whole

    def read_rows(self, path: str, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` up to `stop` (as a slice counts them, negative from the end) of a data
        set, without reading the others.
        """
        handle, data_set = self._data_set(path)
        self._count(path, data_set)
        if not data_set.shape:
            raise RunFileError(
                f"{self.name}: {printable(path)} is a single value, rows were asked for"
            )
        first, behind, _ = slice(start, stop).indices(data_set.shape[0])
        rows = max(behind - first, 0)
        if 0 in (rows, *data_set.shape[1:]):
            return np.empty((rows, *data_set.shape[1:]), data_set.dtype)
        return self._read(handle, path, data_set, first, rows)

    def slabs(self, path: str) -> Iterator[NDArray[Any]]:
        """A data set in pieces along its first axis, each about 4 MiB at most; a single value
        comes as one piece.
        """
        handle, data_set = self._data_set(path)
        self._count(path, data_set)
        if not data_set.shape:
            yield self._read(handle, path, data_set)
            return
        row = data_set.dtype.itemsize * math.prod(data_set.shape[1:])
        step = chunks.slab_rows(handle, row)
        for start in range(0, data_set.shape[0] if row else 0, step):
            rows = min(step, data_set.shape[0] - start)
            yield self._read(handle, path, data_set, start, rows)

    def text(self, path: str, name: str) -> str | None:
        """A text attribute of a group or data set (`/` is the root), or None where there is
        none.
        """
        value = self.attribute(path, name)
        if value is None:
            return None
        if value.shape == () and value.dtype.kind == "S":
            return bytes(value[()]).decode("utf-8", "replace")
        raise RunFileError(
            f"{self.name} is damaged or was not written by dlprobe: attribute {name} is not a text"
        )

    def attribute(self, path: str, name: str) -> NDArray[Any] | None:
        """An attribute of the object at `path`, numbers or fixed-length text (bytes), of its own
        shape; None where object or attribute is not there.
        """
        where = self._find(path)
        with self._hdf5(f"attribute {name}"):
            if where is None or not h5a.exists(where, name.encode()):
                return None
            attribute = h5a.open(where, name.encode())
            stored = Stored(
                self._dtype(attribute.get_type(), name), self._shape(attribute.get_space(), name)
            )
            if stored.size > MAX_ATTRIBUTE:
                raise self._refuse(
                    f"attribute {name} declares {stored.size} bytes, more than {MAX_ATTRIBUTE}"
                )
            value = np.zeros(stored.shape, stored.dtype)
            attribute.read(value, mtype=attribute.get_type() if stored.dtype.kind == "S" else None)
            return value

    def _open(self, path: Path) -> Any:
        """The file behind the checked descriptor, whatever stands at its path by now.

        Not through a Python file object: HDF5 keeps a damaged file's driver until the process ends,
        and then calls an interpreter that is gone (SIGSEGV).
        """
        with self._hdf5("the file"):
            access = h5p.create(h5p.FILE_ACCESS)
            access.set_cache(0, _SLOTS, CHUNK_CACHE, 0.75)
            where = os.fsencode(reopened(self._descriptor, path))
            return h5f.open(where, h5f.ACC_RDONLY, fapl=access)

    def _find(self, path: str) -> Any:
        """The open object at `path`, or None. One component at a time, so that no link is
        followed unseen; the groups on the way are remembered.
        """
        above, _, part = path.strip("/").rpartition("/")
        with self._hdf5(path):
            return self._child(self._group(above), part, path) if part else self._group("")

    def _group(self, path: str) -> Any:
        if path not in self._groups:
            target = self._find(path) if path else h5o.open(self._id, b"/")
            if len(self._groups) >= REMEMBERED:
                self._groups.clear()
            self._groups[path] = target
        return self._groups[path]

    def _child(self, group: Any, part: str, path: str) -> Any:
        if not isinstance(group, h5g.GroupID) or part in ("", ".", ".."):
            return None
        key = part.encode()
        if not group.links.exists(key):
            return None
        if group.links.get_info(key).type != h5l.TYPE_HARD:
            raise self._refuse(
                f"{path} is a soft or external link; only data in the file itself is read"
            )
        return h5o.open(group, key)

    def _data_set(self, path: str) -> tuple[Any, Stored]:
        if path not in self._sets:
            handle = self._find(path)
            if handle is None:
                raise RunFileError(
                    f"{self.name} has no data set {printable(path)!r}: check the name, e.g. "
                    "with h5ls"
                )
            if len(self._sets) >= REMEMBERED:
                self._sets.clear()
            with self._hdf5(path):
                self._sets[path] = (handle, self._check(handle, printable(path)))
        opened: tuple[Any, Stored] = self._sets[path]
        return opened

    def _check(self, handle: Any, path: str) -> Stored:
        """Everything that must hold before a byte is read."""
        if h5i.get_type(handle) != h5i.DATASET:
            raise self._refuse(f"{path} is not a data set")
        stored = Stored(
            self._dtype(handle.get_type(), path),
            self._shape(handle.get_space(), path),
            handle.get_storage_size(),
        )
        settings = handle.get_create_plist()
        layout = settings.get_layout()
        if (
            layout not in (h5d.CHUNKED, h5d.CONTIGUOUS, h5d.COMPACT)
            or settings.get_external_count()
        ):
            raise self._refuse(
                f"{path} is a virtual or externally stored data set; only data in the file "
                "itself is read"
            )
        self._check_size(handle, path, stored)
        if layout == h5d.CHUNKED:
            with self._fit_chunks(path):
                item = stored.dtype.itemsize
                if large := chunks.large_streams(handle, settings, stored.shape, item):
                    self._unmeasured[path] = large
        return stored

    def _check_size(self, handle: Any, path: str, data_set: Stored) -> None:
        stored = min(handle.get_storage_size(), self._size)
        if data_set.size > stored * chunks.RATIO + 2**20:
            raise self._refuse(f"{path} declares {data_set.size} bytes and stores {stored}")
        self._refuse_above_budget(path, data_set.size)

    def _measure_streams(
        self, handle: Any, path: str, item: int, start: tuple[int, ...], count: tuple[int, ...]
    ) -> None:
        """Before a slab is read: no chunk of it may unpack to more than a chunk, for HDF5
        itself would unpack without end. Each is measured once.
        """
        if waiting := self._unmeasured.get(printable(path)):
            with self._fit_chunks(printable(path)):
                self._unmeasured[printable(path)] = chunks.left_to_measure(
                    handle, waiting, item, start, count
                )

    @contextlib.contextmanager
    def _fit_chunks(self, path: str) -> Iterator[None]:
        try:
            yield
        except chunks.UnfitChunksError as reason:
            raise self._refuse(f"{path} {reason}") from None

    def _dtype(self, type: Any, path: str) -> np.dtype[Any]:
        """Integer, float or fixed-length text; everything else is refused by class before NumPy
        sees it.
        """
        kind = type.get_class()
        if kind == h5t.STRING and not type.is_variable_str() and 0 < type.get_size() <= MAX_TEXT:
            return np.dtype(f"S{type.get_size()}")
        if kind in (h5t.INTEGER, h5t.FLOAT) and type.get_size() in (1, 2, 4, 8):
            dtype: np.dtype[Any] = type.dtype
            return dtype.newbyteorder("=")
        raise self._refuse(
            f"{path} is neither integer, float nor fixed-length text (of {MAX_TEXT} bytes at most)"
        )

    def _shape(self, space: Any, path: str) -> tuple[int, ...]:
        if space.get_simple_extent_type() not in (h5s.SIMPLE, h5s.SCALAR):
            raise self._refuse(f"{path} holds no data")
        shape = tuple(int(n) for n in space.get_simple_extent_dims())
        if len(shape) > MAX_RANK or math.prod(max(n, 1) for n in shape) > 2**48:
            raise self._refuse(f"{path} declares an impossible shape")
        return shape

    def _read(
        self, handle: Any, path: str, data_set: Stored, first: int = 0, rows: int = 0
    ) -> NDArray[Any]:
        """`rows` rows from the first one on; a single value as it is."""
        start, count = (first, *(0 for _ in data_set.shape[1:])), (rows, *data_set.shape[1:])
        if not data_set.shape:
            start = count = ()
        piece = np.empty(count, data_set.dtype)
        memory, space = h5s.create(h5s.SCALAR), handle.get_space()
        if count:
            memory = h5s.create_simple(count)
            space.select_hyperslab(start, count)
        with self._hdf5(path):
            self._measure_streams(handle, path, data_set.dtype.itemsize, start, count)
            text = handle.get_type() if data_set.dtype.kind == "S" else None
            handle.read(memory, space, piece, mtype=text)
        if self._state() != (self._size, self._changed):
            raise RunFileError(f"{self.name} was changed while it was read: open it again")
        return piece

    def _state(self) -> tuple[int, int]:
        """Bytes of the file and when they changed: whoever writes into it, not beside it, would
        mix two files in what is read.
        """
        now = os.fstat(self._descriptor)
        return now.st_size, now.st_mtime_ns

    def _count(self, path: str, data_set: Stored) -> None:
        if path not in self._counted:
            self._refuse_above_budget(path, data_set.size)
            self._counted.add(path)
            self._budget -= data_set.size

    def _refuse_above_budget(self, path: str, size: int) -> None:
        if size > self._budget:
            raise RunFileError(
                f"{self.name}: {printable(path)} declares {size} bytes, more than is left of the "
                f"limit of {self._most} per file: --max-declared raises it"
            )

    def _refuse(self, reason: str) -> RunFileError:
        return RunFileError(f"{self.name} is refused: {reason}")

    @contextlib.contextmanager
    def _hdf5(self, what: str) -> Iterator[None]:
        """HDF5's errors as one line."""
        try:
            yield
        except _DAMAGES as error:
            reason = re.sub(r"\s+", " ", printable(str(error)))[:200]
            raise RunFileError(
                f"{self.name} is damaged: {printable(what)} cannot be read ({reason}); fetch "
                "or make it again"
            ) from error
