"""What a packed run is made of: its contents go into an open HDF5 file piece by piece, with
their levels and their hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.hdf5.group_layout import LARGEST_TEXT, GroupCopy, GroupLayout, SmallSet
from dlprobe.hdf5.writer import Below, PackedWriter
from dlprobe.record import layout
from dlprobe.runs.content import ContentDigest, ParametersDigest
from dlprobe.runs.contents import Contents, Facts, Shape, Shapes
from dlprobe.runs.gathered import LARGEST_ARRAY
from dlprobe.runs.labels import Labels, labels
from dlprobe.runs.levels import Reducer, min_max_mean, stored_factors
from dlprobe.version import version

Check = Callable[[], None]
Group: TypeAlias = GroupCopy | Below
PARAMETERS = "checkpoints/parameters"


def write_run(
    writer: PackedWriter,
    contents: Contents,
    prefix: str,
    check: Check,
    texts: Mapping[str, str] | None = None,
) -> tuple[Facts, Shapes, dict[str, NDArray[Any]]]:
    """One run below `prefix` (empty, or `runs/<id>`) of a file that is being written; its facts,
    hashes included, every data set that it now has, and small ones as they were read. texts:
    attributes that it also gets.

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
    plan = _planned(tuple(declared.items()))
    known = contents.facts
    attributes = dict(texts or {}) | {"config": json.dumps(known.config)}
    environment = json.dumps(known.environment)
    group = _group(writer, prefix, plan, [*attributes.values(), environment])
    digest, levels = ContentDigest(), _LevelWriter(group.append, factors, plan.copies)
    parameters = _parameters_digest(shapes)
    whole = dict[str, NDArray[Any]]()
    for path, piece in contents.slabs():
        check()
        if piece.nbytes <= LARGEST_ARRAY and piece.shape == shapes[path][1]:
            whole[path] = piece
        for place in (path, *plan.copies.get(path, ())):
            group.append(place, piece)
        digest.update(path, piece)
        if path == PARAMETERS and parameters is not None:
            parameters.update(piece)
        levels.take(path, piece)
    levels.finish()
    status = "interrupted" if known.status == "running" else known.status
    hashes: dict[str, Any] = {
        "content_sha256": digest.hexdigest(shapes, known.config),
        "parameters_sha256": "" if parameters is None else parameters.hexdigest,
    }
    write_head(group, layout.SCHEMA, status)
    for name, text in {**hashes, "origin": known.origin, **attributes}.items():
        group.text("", name, text)
    group.text("environment", "json", environment)
    if isinstance(group, GroupCopy):
        writer.add_copy(prefix, group)
    facts = replace(known, status=status, schema_version=layout.SCHEMA_VERSION, writer={}, **hashes)
    return facts, declared, whole


def write_head(group: Group, schema: str, status: str) -> None:
    """The attributes that every run and study has."""
    group.text("", "schema", schema)
    group.numbers("", "schema_version", layout.SCHEMA_VERSION)
    group.text("", "producer", f"dlprobe {version() or '(not installed)'}")
    group.text("", "status", status)


@dataclass(frozen=True)
class _Plan:
    """How data sets of certain shapes are written. copies: by path where its values also go.
    group_layout: None where they are not all small.
    """

    sets: Mapping[str, SmallSet]
    named: Labels
    copies: Mapping[str, list[str]]
    group_layout: GroupLayout | None


@lru_cache(8)  # a layout may take megabytes
def _planned(declared: tuple[tuple[str, tuple[np.dtype[Any], Shape]], ...]) -> _Plan:
    shapes = dict(declared)
    named, known = labels(shapes), layout.data_sets()
    sources = {path: path for path in known if path in shapes} | {**named.copies}
    sets = {
        path: SmallSet(
            *shapes[source],
            {"units": line.units, "long_name": line.meaning},
            noise=line.dims[-1:] == ("parameter",),
        )
        for path, source in sources.items()
        for line in [known[source]]
    }
    copies = {
        source: [path for path, copied in named.copies.items() if copied == source]
        for source in named.copies.values()
    }
    small = all(one.fits for one in sets.values())
    group_layout = (
        GroupLayout(
            sets, named.dimensions, [*named.own, *named.copies], named.attached, ["environment"]
        )
        if small
        else None
    )
    return _Plan(sets, named, copies, group_layout)


def _group(writer: PackedWriter, prefix: str, plan: _Plan, texts: Sequence[str]) -> Group:
    """Where a run goes. What is small and below a study is laid out here, all else by HDF5."""
    if prefix and plan.group_layout and all(len(text) < LARGEST_TEXT // 4 for text in texts):
        return GroupCopy(plan.group_layout)
    group = Below(writer, prefix)
    for path, one in plan.sets.items():
        writer.data_set(group.at(path), one.dtype, one.shape, one.texts, noise=one.noise)
    for path, length in plan.named.dimensions.items():
        writer.dimension(group.at(path), length)
    for path in (*plan.named.own, *plan.named.copies):
        writer.scale(group.at(path), path.rpartition("/")[2])
    for path, axis, scale in plan.named.attached:
        writer.attach(group.at(path), axis, group.at(scale))
    writer.group(group.at("environment"))
    return group


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
        append: Callable[[str, NDArray[Any]], None],
        factors: tuple[int, ...],
        copies: Mapping[str, list[str]],
    ) -> None:
        self._append_to, self._factors, self._copies = append, factors, copies
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
                    self._append_to(place, piece[-self._rows % factor :: factor])
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
                where = f"levels/x{factor}"
                self._append_to(f"{where}/{name}", min_max_mean(bins).astype(dtype))
                self._append_to(f"{where}/nan_count/{name}", bins[:, 4].astype("<u4"))


def _parameters_digest(shapes: Shapes) -> ParametersDigest | None:
    if PARAMETERS not in shapes:
        return None
    dtype, (_, *shape) = shapes[PARAMETERS]
    return ParametersDigest(dtype, tuple(shape))
