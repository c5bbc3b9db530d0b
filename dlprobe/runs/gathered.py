"""What a packed study holds a second time: of each run all that is small, in one piece.

A run of a study has more than a hundred data sets, and HDF5 takes a fifth of a millisecond to open
one: a study of hundreds of runs would take most of a minute to pass over. The pieces are journal
frames, each with its checksum. The content hash is never taken from them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.runs import frames
from dlprobe.runs.contents import (
    Contents,
    Facts,
    Shapes,
    check_all,
    check_version,
    checked_origin,
)
from dlprobe.runs.frames import FrameType, Payload
from dlprobe.runs.sources import MemorySource

PIECES, ENDS = "study/gathered", "study/gathered_end"
COORDINATES = "study/coordinates"
LARGEST_ARRAY, LARGEST_RUN = 2**15, 2**18  # bytes that are held twice
_RARELY_READ = "predictions/"
KEPT_SHAPES = 64
_DTYPE = re.compile(r"<[fiu][1248]|\|[iu]1|\|S[1-9][0-9]{0,6}")
_checked: dict[tuple[bytes, str], Shapes] = {}


@dataclass(frozen=True)
class Gathered:
    """One run's piece: its facts, dtype and shape of each of its data sets, and the arrays of
    those that are small.
    """

    facts: Facts
    shapes: Shapes
    _payload: Payload

    def holds(self, path: str) -> bool:
        """Whether an array is here."""
        return path in self._payload.places

    def array(self, path: str) -> NDArray[Any]:
        """One of the arrays, read-only."""
        return self._payload.array(path)


def gather(
    contents: Contents, facts: Facts, declared: Shapes, known: Mapping[str, NDArray[Any]]
) -> bytes:
    """The piece of a run that has been packed. facts: as they were written; declared: dtype and
    shape of every data set that was; known: whole ones that were read for it.
    """
    arrays, size = {}, 0
    for path in contents.shapes():
        dtype, shape = declared[path]
        bytes_ = dtype.itemsize * math.prod(shape)
        if (
            bytes_ <= LARGEST_ARRAY
            and size + bytes_ <= LARGEST_RUN
            and not path.startswith(_RARELY_READ)
        ):
            arrays[path] = known[path] if path in known else contents.read(path)
            size += bytes_
    meta = {
        "status": facts.status,
        "origin": facts.origin,
        "schema_version": list(facts.schema_version),
        "content_sha256": facts.content_sha256,
        "parameters_sha256": facts.parameters_sha256,
        "config": facts.config,
        "environment": facts.environment,
        "elsewhere": [
            [path, dtype.str, list(shape)]
            for path, (dtype, shape) in declared.items()
            if path not in arrays
        ],
    }
    return frames.encode(FrameType.RUN, 0, meta, arrays)


def gathered(piece: bytes, name: str) -> Gathered:
    """Read a piece. Raises RunFileError where it is damaged."""
    source = MemorySource(piece, name)
    frame = frames.first_frame(source)
    if frame is None:
        raise RunFileError(
            f"{name} is damaged: what the study gathered of it does not check; fetch or make "
            "it again"
        )
    payload = Payload(source, frame)
    meta = payload.meta
    texts = [meta.get(key) for key in ("status", "content_sha256", "parameters_sha256")]
    tables = [meta.get(key) for key in ("config", "environment")]
    if (
        meta.get("status") not in layout.STATUSES
        or not all(isinstance(text, str) for text in texts)
        or not all(isinstance(table, dict) for table in tables)
    ):
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: what the study gathered of it "
            "cannot be read"
        )
    version, origin = (
        check_version(meta.get("schema_version"), name),
        checked_origin(meta.get("origin"), name),
    )
    facts = Facts(
        str(texts[0]),
        dict(tables[0] or {}),
        dict(tables[1] or {}),
        version,
        str(texts[1]),
        str(texts[2]),
        origin,
    )
    return Gathered(facts, _shapes(payload, name), payload)


def _shapes(payload: Payload, name: str) -> Shapes:
    """Dtype and shape of each data set of a run, as the layout table has them: the runs of a study
    mostly have the same ones. Raises RunFileError where they are not.
    """
    listing = payload.meta.get("elsewhere")
    key = payload.listing, json.dumps(listing)
    if key not in _checked:
        if len(_checked) >= KEPT_SHAPES:
            _checked.clear()
        found = {
            path: (place.dtype, place.shape) for path, place in payload.places.items()
        } | _elsewhere(listing, name)
        shapes = {path: found[path] for path in layout.data_sets() if path in found}
        check_all(shapes, name)
        _checked[key] = shapes
    return _checked[key]


def _elsewhere(listing: Any, name: str) -> Shapes:
    """The data sets that are only where they belong. Raises RunFileError where the list of them
    cannot be read.
    """
    shapes: Shapes = {}
    damaged = RunFileError(
        f"{name} is damaged or was not written by dlprobe: what the study gathered of it "
        "cannot be read"
    )
    if not isinstance(listing, list):
        raise damaged
    for entry in listing:
        if not isinstance(entry, list) or len(entry) != 3:
            raise damaged
        path, dtype, shape = entry
        if (
            not isinstance(path, str)
            or not _DTYPE.fullmatch(str(dtype))
            or not isinstance(shape, list)
        ):
            raise damaged
        if not all(type(n) is int and 0 <= n < 2**40 for n in shape):
            raise damaged
        shapes[path] = (np.dtype(str(dtype)), tuple(shape))
    return shapes
