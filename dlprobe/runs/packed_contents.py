"""A run read from a packed HDF5 file, or from `/runs/<id>` of a packed study, with every guard
of `hdf5` on.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.record.description import OWN
from dlprobe.runs.contents import SIZES, Facts, Shapes, check, check_version, checked_origin
from dlprobe.runs.frames import parse_json
from dlprobe.runs.gathered import Gathered

if TYPE_CHECKING:
    from dlprobe.hdf5.guard import GuardedFile


class PackedContents:
    """A packed run below `prefix` (empty, or `runs/<id>`). Raises RunFileError on opening and
    reading; see `Contents`.

    gathered: what its study gathered of it, which is then read in place of the data sets; their
        content hash is still taken from them.
    """

    def __init__(
        self, file: GuardedFile, prefix: str = "", gathered: Gathered | None = None
    ) -> None:
        self._file, self._prefix, self._owner, self._gathered = file, prefix, not prefix, gathered
        self.name = f"{file.name}:{prefix}" if prefix else file.name
        if gathered is None:
            self._version = schema_version(file, self._prefix, layout.SCHEMA)
        origin = (
            gathered.facts.origin
            if gathered
            else checked_origin(file.text(self._at(""), "origin"), self.name)
        )
        for path in (
            "layers/name",
            "stats/step",
            *(("initial/parameters",) if origin == OWN else ()),
        ):
            if not self.has(path):
                raise RunFileError(
                    f"{self.name} is damaged or was not written by dlprobe: it has no {path}"
                )

    @cached_property
    def facts(self) -> Facts:
        if self._gathered is not None:
            return self._gathered.facts
        status = self._text("", "status")
        if status not in layout.STATUSES:
            raise RunFileError(
                f"{self.name} is damaged or was not written by dlprobe: its status is "
                f"{status[:40]!r}"
            )
        config, environment = (
            parse_json(text, self.name)
            for text in (self._text("", "config"), self._text("environment", "json"))
        )
        origin = checked_origin(self._file.text(self._at(""), "origin"), self.name)
        return Facts(
            status,
            config,
            environment,
            self._version,
            self._text("", "content_sha256"),
            self._text("", "parameters_sha256"),
            origin,
        )

    def has(self, path: str) -> bool:
        if self._gathered is not None:
            return path in self._gathered.shapes
        return path in layout.data_sets() and self._file.has(self._at(path))

    def read(self, path: str) -> NDArray[Any]:
        if self._gathered is not None and self._gathered.holds(path):
            return self._gathered.array(path)
        self._check(path)
        return self._file.read(self._at(path))

    def read_rows(self, path: str, start: int, stop: int) -> NDArray[Any]:
        if self._gathered is not None and self._gathered.holds(path):
            return self._gathered.array(path)[start:stop]
        self._check(path)
        return self._file.read_rows(self._at(path), start, stop)

    def shapes(self) -> Shapes:
        shapes_of: Shapes = {}
        for path, line in layout.data_sets().items():
            if not line.group.startswith("levels/") and self.has(path):
                self._check(path)
                shapes_of[path] = self._stored(path)
        return shapes_of

    def slabs(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for path in self.shapes():
            for piece in self._file.slabs(self._at(path)):
                yield path, piece

    def itself(self) -> PackedContents:
        """The run, read from its data sets alone."""
        return PackedContents(self._file, self._prefix)

    def close(self) -> None:
        if self._owner:
            self._file.close()

    def _at(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    def _text(self, group: str, name: str) -> str:
        text = self._file.text(self._at(group), name)
        if text is None:
            raise RunFileError(
                f"{self.name} is damaged or was not written by dlprobe: it has no {name}"
            )
        return text

    def _stored(self, path: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
        if self._gathered is not None:
            return self._gathered.shapes[path]
        stored = self._file.stored(self._at(path))
        return stored.dtype, stored.shape

    def _check(self, path: str) -> None:
        check(layout.data_sets()[path], *self._stored(path), self._size_of, self.name)

    def _size_of(self, dim: str) -> int | None:
        reference = SIZES.get(dim)
        if reference is None or not self.has(reference):
            return None
        _, shape = self._stored(reference)
        return shape[0] if len(shape) == 1 else None


def schema_version(file: GuardedFile, prefix: str, schema: str) -> tuple[int, int]:
    """The format version of a run or study. Raises RunFileError where the file is neither, or
    is newer than this dlprobe.
    """
    found = file.text(prefix or "/", "schema")
    version = file.attribute(prefix or "/", "schema_version")
    if found is None or version is None:
        raise RunFileError(
            f"{file.name} is an HDF5 file but no run file: give a file that `dlprobe train` "
            "or a study wrote"
        )
    checked = check_version(version.tolist(), file.name)
    if found != schema:
        raise RunFileError(
            f"{file.name} is not a run file: its schema is {found[:40]!r}, expected {schema!r}"
        )
    return checked
