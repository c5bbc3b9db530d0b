"""How the axes of a packed run are named: every group has a dimension scale of its own for each
axis of its data sets, as netCDF and xarray want it.

A scale is a data set of the group where there is one (`stats/step`), else a copy of the one that
counts the axis (`scalars/step` of `stats/step`), else a dimension without values. A scale of
another group could not be read by netCDF, one at the root would have to fit all groups. Copies are
no content: they are not hashed, and this package does not read them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from dlprobe.dataclass import dataclass
from dlprobe.record import layout
from dlprobe.runs.contents import Shapes

# Axis -> the name of its scale, where that is not the axis's own name.
_NAMED = dict.fromkeys(("evaluation", "checkpoint", "histogram", "tracked", "block"), "step")
# Axis -> the data set whose values label it in groups that have none.
_COUNTED_BY = {
    "step": "stats/step",
    "layer": "stats/layer",
    "histogram": "histograms/step",
    "tracked": "tracked/step",
}


@dataclass(frozen=True)
class Labels:
    """own: data sets that are scales. copies: by path the data set that is repeated there.
    dimensions: by path the length.

    attached: (data set, axis, scale).
    """

    own: tuple[str, ...]
    copies: Mapping[str, str]
    dimensions: Mapping[str, int]
    attached: tuple[tuple[str, int, str], ...]


def labels(shapes: Shapes) -> Labels:
    """The names of all axes of these data sets."""
    copies: dict[str, str] = {}
    dimensions: dict[str, int] = {}
    own: list[str] = []
    attached: list[tuple[str, int, str]] = []
    lengths = _lengths(shapes)
    for path, (_, shape) in shapes.items():
        line = layout.data_sets()[path]
        for axis, (dim, length) in enumerate(zip(line.dims, shape, strict=False)):
            scale = f"{line.group}/{_scale_name(line, dim.rstrip('?'), lengths)}"
            if scale == path:
                own.append(path)
                continue
            source = _source(line, dim)
            if scale not in shapes and source in shapes:
                copies[scale] = source
            elif scale not in shapes:
                dimensions[scale] = length
            attached.append((path, axis, scale))
    return Labels(tuple(own), copies, dimensions, tuple(attached))


def _lengths(shapes: Shapes) -> dict[tuple[str, str], set[int]]:
    """The lengths that an axis of one name has in a group: netCDF wants one."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for path, (_, shape) in shapes.items():
        line = layout.data_sets()[path]
        for dim, length in zip(line.dims, shape, strict=False):
            found[line.group, dim.rstrip("?")].add(length)
    return found


def _scale_name(line: layout.DataSet, dim: str, lengths: Mapping[tuple[str, str], set[int]]) -> str:
    if line.group.startswith("levels/") and dim == "bin":
        return "bin_start"
    part = line.name.partition("_")[0]
    if dim == "sample" and part in layout.PARTS:
        return f"{part}_sample"
    if len(lengths[line.group, dim]) > 1:
        return f"{line.name}_{dim}"
    return _NAMED.get(dim, dim)


def _source(line: layout.DataSet, dim: str) -> str:
    if line.group.startswith("levels/") and dim == "bin":
        return f"{line.group.removesuffix('/nan_count')}/bin_start"
    return _COUNTED_BY.get(dim, "")
