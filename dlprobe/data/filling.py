"""Prepared inputs straight from tiles: fitted in two passes over the training rows, scaled in a
third into the arrays that training holds.

The numbers are those of the whole matrix, to the last bit; what is held beside the result is a tile
and a few numbers per row.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dlprobe.data.dataset import PARTS, Array, Dataset, Floats, Indices, Scaler, Tiles
from dlprobe.data.gaps import refuse_empty
from dlprobe.data.places import quoted
from dlprobe.data.scaling import ColumnMoments
from dlprobe.data.tile_quantiles import median_in_tiles
from dlprobe.data.tiles import Told, added, followed, rows_within
from dlprobe.errors import DataError


def totals_in_tiles(
    tiles: Tiles, rows: Indices, told: Told | None = None
) -> tuple[Floats, Floats, Floats, Indices]:
    """Smallest and largest number, and the sum, of each column over some rows, ascending, NaN
    left out, float64; and how many numbers that are, int64.
    """
    columns = tiles.shape[1]
    low, high, total = np.full(columns, np.inf), np.full(columns, -np.inf), np.zeros(columns)
    known = np.full(columns, len(rows))
    with np.errstate(all="ignore"):
        for tile in followed(tiles, told, 1, 4):
            _, chosen = rows_within(rows, tile)
            if len(chosen):
                values, at = tile.values[chosen], tile.columns
                gaps = np.isnan(values)
                least, most = (
                    (np.fmin, np.fmax) if (holed := gaps.any()) else (np.minimum, np.maximum)
                )
                low[at], high[at] = (
                    least(low[at], least.reduce(values)),
                    most(high[at], most.reduce(values)),
                )
                if holed:
                    known[at] -= gaps.sum(axis=0)
                    values[gaps] = 0.0
                total[at] = added(total[at], values)
    return low, high, total, known


def moments_in_tiles(tiles: Tiles, rows: Indices, told: Told | None = None) -> ColumnMoments:
    """The moments of some rows without NaN, ascending, as `scaling.moments_of` has them."""
    low, high, total, _ = totals_in_tiles(tiles, rows, told)
    with np.errstate(all="ignore"):
        mean, squares = total / len(rows), np.zeros(tiles.shape[1])
        for tile in followed(tiles, told, 2, 4):
            _, chosen = rows_within(rows, tile)
            if len(chosen):
                values = tile.values[chosen] - mean[tile.columns]
                squares[tile.columns] = added(
                    squares[tile.columns], np.multiply(values, values, out=values)
                )
        return ColumnMoments(low, high, mean, np.sqrt(squares / len(rows)))


def fit_fill_in_tiles(dataset: Dataset, tiles: Tiles, rows: Indices, missing: str) -> Floats:
    """The fill values that `gaps.fit_fill` takes from the training rows, read in tiles. Raises
    DataError where a feature has no value there.
    """
    _, _, total, known = totals_in_tiles(tiles, rows)
    refuse_empty(known == 0, dataset.feature_names, dataset.name)
    with np.errstate(all="ignore"):
        return median_in_tiles(tiles, rows, known) if missing == "median" else total / known


def filled_from_tiles(
    dataset: Dataset,
    tiles: Tiles,
    rows: Mapping[str, Indices],
    scaler: Scaler,
    dtype: npt.DTypeLike,
    told: Told | None = None,
) -> dict[str, Array]:
    """The scaled inputs of every part, C-contiguous, of that dtype. Raises DataError as
    `preparation.cast` does.
    """
    filled = {part: np.empty((len(rows[part]), tiles.shape[1]), dtype) for part in PARTS}
    for tile in followed(tiles, told, 3, 4):
        shift, scale = scaler.shift[tile.columns], scaler.scale[tile.columns]
        for part in PARTS:
            kept, chosen = rows_within(rows[part], tile)
            if not len(chosen):
                continue
            raw = tile.values[chosen]
            with np.errstate(all="ignore"):
                target = filled[part][kept, tile.columns]
                target[:] = scaled(raw, shift, scale)
            if not np.isfinite(target).all():
                i, j = divmod(int(np.argmin(np.isfinite(target))), target.shape[1])
                raise misfit(
                    dataset,
                    rows[part][kept.start + i],
                    tile.columns.start + j,
                    tile.values[chosen[i], j],
                    dtype,
                )
    return filled


def scaled(raw: Floats, shift: Floats, scale: Floats) -> Floats:
    """(raw − shift) · scale; overwrites and returns `raw` (samples, features)."""
    raw -= shift
    raw *= scale
    return raw


def misfit(dataset: Dataset, row: int, feature: int, raw: float, dtype: npt.DTypeLike) -> DataError:
    """Says where a scaled number leaves the engine's dtype."""
    return DataError(
        f"{dataset.name}: sample {row + 1}, feature {quoted(dataset.feature_names[feature])}: "
        f"{raw:g} does not fit {np.dtype(dtype)} "
        "after scaling: use scaling = standardize, dtype = float64, or rescale the column"
    )
