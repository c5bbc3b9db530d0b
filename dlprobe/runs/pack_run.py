"""What a packed run is made of: its contents go into an open HDF5 file piece by piece, with
their levels and their hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.runs.content import ContentDigest, ParametersDigest
from dlprobe.runs.contents import Contents, Facts, Shapes
from dlprobe.runs.labels import Labels, labels
from dlprobe.runs.levels import Reducer, min_max_mean, stored_factors
from dlprobe.version import version

if TYPE_CHECKING:
    from dlprobe.hdf5.writer import PackedWriter

Check = Callable[[], None]
PARAMETERS = "checkpoints/parameters"


def write_run(
    writer: PackedWriter, contents: Contents, prefix: str, check: Check
) -> tuple[Facts, Shapes]:
    """One run below `prefix` (empty, or `runs/<id>`) of a file that is being written; its facts,
    hashes included, and every data set that it now has.

    Raises RunFileError for a damaged journal.
    """
    if damage := contents.facts.damage:
        raise RunFileError(
            f"{damage}; it is not packed, so that nothing is lost: read what is left with "
            "`dlprobe inspect`"
        )
    shapes = contents.shapes()
    factors = stored_factors(shapes["stats/step"][1][0])
    declared = {**shapes, **_level_shapes(shapes, factors)}
    named = labels(declared)
    _declare(writer, declared, named, prefix)
    copies = {
        source: [path for path, copied in named.copies.items() if copied == source]
        for source in named.copies.values()
    }
    digest, levels = ContentDigest(), _LevelWriter(writer, factors, prefix, copies)
    parameters = _parameters_digest(shapes)
    for path, piece in contents.slabs():
        check()
        for place in (path, *copies.get(path, ())):
            writer.append(f"{prefix}/{place}", piece)
        digest.update(path, piece)
        if path == PARAMETERS and parameters is not None:
            parameters.update(piece)
        levels.take(path, piece)
    levels.finish()
    facts = replace(
        contents.facts,
        content_sha256=digest.hexdigest(shapes, contents.facts.config),
        parameters_sha256="" if parameters is None else parameters.hexdigest,
    )
    return _write_facts(writer, facts, prefix), declared


def write_head(writer: PackedWriter, prefix: str, schema: str, status: str) -> None:
    """The attributes that every run and study has."""
    writer.text(prefix or "/", "schema", schema)
    writer.numbers(prefix or "/", "schema_version", layout.SCHEMA_VERSION)
    writer.text(prefix or "/", "producer", f"dlprobe {version() or '(not installed)'}")
    writer.text(prefix or "/", "status", status)


def _declare(writer: PackedWriter, shapes: Shapes, named: Labels, prefix: str) -> None:
    known = layout.data_sets()
    for path, line in known.items():
        if path in shapes:
            dtype, shape = shapes[path]
            writer.data_set(
                f"{prefix}/{path}", dtype, shape, {"units": line.units, "long_name": line.meaning}
            )
    for path, source in named.copies.items():
        writer.data_set(
            f"{prefix}/{path}",
            *shapes[source],
            {"units": known[source].units, "long_name": known[source].meaning},
        )
    for path, length in named.dimensions.items():
        writer.dimension(f"{prefix}/{path}", length)
    for path in (*named.own, *named.copies):
        writer.scale(f"{prefix}/{path}", path.rpartition("/")[2])
    for path, axis, scale in named.attached:
        writer.attach(f"{prefix}/{path}", axis, f"{prefix}/{scale}")


def _level_shapes(shapes: Shapes, factors: tuple[int, ...]) -> Shapes:
    rows = shapes["stats/step"][1][0]
    found: Shapes = {}
    for factor in factors:
        bins, where = -(-rows // factor), f"levels/x{factor}"
        found[f"{where}/bin_start"] = (np.dtype("<i8"), (bins,))
        for path, (dtype, shape) in _statistics(shapes).items():
            found[f"{where}/{path.rpartition('/')[2]}"] = (dtype, (bins, shape[1], 3))
            found[f"{where}/nan_count/{path.rpartition('/')[2]}"] = (
                np.dtype("<u4"),
                (bins, shape[1]),
            )
    return found


def _statistics(shapes: Shapes) -> Shapes:
    return {
        path: shape
        for path, shape in shapes.items()
        if layout.data_sets()[path].dims == ("step", "layer")
    }


class _LevelWriter:
    """Makes the levels while the statistics pass by."""

    def __init__(
        self,
        writer: PackedWriter,
        factors: tuple[int, ...],
        prefix: str,
        copies: Mapping[str, list[str]],
    ) -> None:
        self._writer, self._factors, self._prefix, self._copies = writer, factors, prefix, copies
        self._reducers: dict[str, tuple[Reducer, np.dtype[Any]]] = {}
        self._rows = 0

    def take(self, path: str, piece: NDArray[Any]) -> None:
        """The next piece of any data set; what is no statistic is passed over."""
        if not self._factors:
            return
        if path == "stats/step":
            for factor in self._factors:
                start = f"levels/x{factor}/bin_start"
                for place in (start, *self._copies.get(start, ())):
                    self._writer.append(
                        f"{self._prefix}/{place}", piece[-self._rows % factor :: factor]
                    )
            self._rows += len(piece)
        elif layout.data_sets()[path].dims == ("step", "layer"):
            reducer, _ = self._reducers.setdefault(path, (Reducer(len(self._factors)), piece.dtype))
            self._append(path, reducer.add(piece), piece.dtype)

    def finish(self) -> None:
        """The last bins."""
        for path, (reducer, dtype) in self._reducers.items():
            self._append(path, reducer.finish(), dtype)

    def _append(self, path: str, levels: list[NDArray[Any]], dtype: np.dtype[Any]) -> None:
        name = path.rpartition("/")[2]
        for factor, bins in zip(self._factors, levels, strict=True):
            if len(bins):
                where = f"{self._prefix}/levels/x{factor}"
                self._writer.append(f"{where}/{name}", min_max_mean(bins).astype(dtype))
                self._writer.append(f"{where}/nan_count/{name}", bins[:, 4].astype("<u4"))


def _parameters_digest(shapes: Shapes) -> ParametersDigest | None:
    if PARAMETERS not in shapes:
        return None
    dtype, (_, *shape) = shapes[PARAMETERS]
    return ParametersDigest(dtype, tuple(shape))


def _write_facts(writer: PackedWriter, known: Facts, prefix: str) -> Facts:
    """Write what is known of a run, hashes included, and say it as the file does."""
    status = "interrupted" if known.status == "running" else known.status
    facts = replace(known, status=status, schema_version=layout.SCHEMA_VERSION, writer={})
    write_head(writer, prefix, layout.SCHEMA, status)
    writer.text(prefix or "/", "content_sha256", str(facts.content_sha256))
    writer.text(prefix or "/", "parameters_sha256", str(facts.parameters_sha256))
    writer.text(prefix or "/", "origin", facts.origin)
    writer.text(prefix or "/", "config", json.dumps(facts.config))
    writer.group(f"{prefix}/environment")
    writer.text(f"{prefix}/environment", "json", json.dumps(facts.environment))
    return facts
