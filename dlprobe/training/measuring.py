"""What instruments compute from one array: its distribution, a matrix's spectral norm, how
alike samples have become. NumPy, no state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import binning
from dlprobe.record.instruments import BINS, PERCENTS

Array = npt.NDArray[Any]
PARTS = ("counts", "edges", "percentiles", "nonfinite")
LARGE = 2**13  # sorting fewer numbers takes no longer than counting them
FINE_BINS = 32 * BINS
WIDENED = 2**18  # numbers that are taken as float64 at a time
DENSE = 128  # the eigenvalues of a Gram matrix of this size are faster than Lanczos steps
SHARES = np.array(PERCENTS) / 100
STEPS = np.arange(BINS + 1) / BINS


@dataclass(frozen=True)
class Distribution:
    """counts (bin,), edges (bin + 1,) and percentiles (5,) of the finite values, of the values'
    dtype, NaN where there are none; nonfinite: the others.
    """

    counts: npt.NDArray[np.int64]
    edges: Array
    percentiles: Array
    nonfinite: int


def distribution(values: Array) -> Distribution:
    """Histogram and percentiles of all values. The last bin holds its right edge, as in
    numpy.histogram.
    """
    flat = np.ravel(values, order="K")
    if flat.size >= LARGE and -np.inf < (low := flat.min()) < (high := flat.max()) < np.inf:
        return _binned(flat, _edges(low, high))
    ordered = _finite_sorted(flat)
    lost = flat.size - len(ordered)
    if not len(ordered):
        nothing = np.full(BINS + 1, np.nan, values.dtype)
        return Distribution(np.zeros(BINS, np.int64), nothing, nothing[: len(SHARES)], lost)
    edges = _edges(ordered[0], ordered[-1])
    below = np.searchsorted(ordered, edges)
    below[-1] = len(ordered)
    return Distribution(np.diff(below), edges, _interpolated(ordered), lost)


def _binned(values: Array, edges: Array) -> Distribution:
    """The same of many finite values (n,) without sorting them: only those of the fine bins in
    which percentiles lie.
    """
    scale = FINE_BINS / (float(edges[-1]) - float(edges[0]))
    counts, fine = np.zeros(BINS, np.int64), np.zeros(FINE_BINS, np.int64)
    count, gather = binning.compiled_kernels(values.dtype)
    count(values, edges, scale, counts, fine)
    lower, _ = _ranks(len(values))
    ranks = np.minimum(lower + np.array([[0], [1]]), len(values) - 1)
    bins = np.searchsorted(np.cumsum(fine), ranks, side="right")
    wanted = np.zeros(FINE_BINS, np.int64)
    wanted[bins] = 1
    before = np.cumsum(fine * (1 - wanted))  # values of the other bins, up to each bin
    some = np.empty(int(fine @ wanted), values.dtype)
    gather(values, edges, scale, wanted, some)
    some.sort()
    return Distribution(counts, edges, _interpolated(some, len(values), before[bins]), 0)


def percentiles(values: Array) -> Array:
    """The 5th, 15th, 50th, 85th and 95th percentile of the finite values, (5,) of their dtype; NaN
    where there are none.
    """
    ordered = _finite_sorted(values)
    return _interpolated(ordered) if len(ordered) else np.full(len(SHARES), np.nan, values.dtype)


def _finite_sorted(values: Array) -> Array:
    ordered = np.sort(values, axis=None)  # NaN last
    if not len(ordered) or (ordered[0] > -np.inf and ordered[-1] < np.inf):
        return ordered
    return ordered[
        np.searchsorted(ordered, -np.inf, side="right") : np.searchsorted(ordered, np.inf)
    ]


def _edges(smallest: np.floating[Any], greatest: np.floating[Any]) -> Array:
    """Equal steps from the smallest to the largest value; where they are one, a half (or half
    of itself, for large values) to either side.
    """
    low, high = float(smallest), float(greatest)
    if low == high:
        room, largest = max(0.5, abs(low) / 2), float(np.finfo(smallest.dtype).max)
        low, high = max(-largest, low - room), min(largest, high + room)
    span = high - low
    steps = low + span * STEPS if span < math.inf else low * (1 - STEPS) + high * STEPS
    steps[-1] = high
    edges: Array = np.minimum(steps, high).astype(smallest.dtype)
    return edges


def _ranks(count: int) -> tuple[npt.NDArray[np.int64], Array]:
    """Where the percentiles of so many sorted values lie: the rank below, and the share of the way
    to the next one.
    """
    position = SHARES * (count - 1)
    lower = position.astype(np.int64)
    return lower, position - lower


def _interpolated(ordered: Array, count: int | None = None, before: Array | int = 0) -> Array:
    """Percentiles of sorted values, linear between neighbours (numpy's default). count, before: of
    how many values these are some, and how many of the others lie below each rank (2, percentile).
    """
    count = len(ordered) if count is None else count
    lower, share = _ranks(count)
    at = np.minimum(lower + np.array([[0], [1]]), count - 1) - before
    ends = ordered[at].astype(np.float64)
    values: Array = (ends[0] * (1 - share) + ends[1] * share).astype(ordered.dtype)
    return values


def middle_two(numbers: Array) -> Array:
    """The two middle ones of numbers (rows, n), which are one where n is odd: (rows, 2); NaN where
    one of them all is. Long rows ≥ 0 are not copied whole.
    """
    middle = np.array([(numbers.shape[1] - 1) // 2, numbers.shape[1] // 2])
    if numbers.shape[1] > WIDENED and numbers.min() >= 0:
        return np.array([_of_ranks(row, middle) for row in numbers])
    ordered = np.partition(numbers, middle, axis=1)
    found = ordered[:, middle]
    found[np.isnan(ordered[:, middle[1] :].max(axis=1))] = np.nan
    return found


def _of_ranks(values: Array, ranks: npt.NDArray[np.int64]) -> Array:
    """Those of values ≥ 0 (n,) that sorting would put at two ranks. They are in the order of their
    bits, so that only the ones whose upper 16 bits are those of the two have to be sorted.
    """
    counts = np.zeros(2**16, np.int64)
    for upper, _ in _upper_bits(values):
        counts += np.bincount(upper, minlength=len(counts))
    below = np.cumsum(counts)
    first, last = np.searchsorted(below, ranks, side="right")
    some = np.sort(
        np.concatenate(
            [piece[(upper >= first) & (upper <= last)] for upper, piece in _upper_bits(values)]
        )
    )
    two: Array = some[ranks - (below[first] - counts[first])]
    return two


def _upper_bits(values: Array) -> Iterator[tuple[npt.NDArray[np.uint16], Array]]:
    """The upper 16 bits of values ≥ 0 (n,), and the values, a piece at a time."""
    size = values.itemsize
    for first in range(0, len(values), WIDENED):
        piece = values[first : first + WIDENED] + values.dtype.type(0)  # -0 becomes 0
        yield (piece.view(f"u{size}") >> (8 * size - 16)).astype(np.uint16), piece


def spectral_norm(matrix: Array) -> float:
    """Largest singular value, to 1e-6 of itself; NaN for an empty matrix or one with non-finite
    numbers.
    """
    largest = float(max(matrix.max(), -matrix.min())) if matrix.size else math.nan
    if not math.isfinite(largest) or largest == 0:
        return largest if largest == 0 else math.nan
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if tall.shape[1] <= DENSE:
        scaled: Array = tall / matrix.dtype.type(largest)
        wide = scaled.astype(np.float64)
        square = float(np.linalg.eigvalsh(wide.T @ wide)[-1])
    else:  # without a copy of a large matrix; a root on either side, so that nothing overflows
        root = matrix.dtype.type(math.sqrt(largest))
        start = np.random.default_rng(0).standard_normal((tall.shape[1],))
        square = largest_eigenvalue(
            lambda vector: tall.T @ (tall @ (vector / root) / root / root) / root,
            start.astype(matrix.dtype),
            tolerance=1e-5,
            most=300,
        )
    return largest * math.sqrt(max(square, 0.0))


def largest_eigenvalue(
    product: Callable[[Array], Array], start: Array, *, tolerance: float, most: int
) -> float:
    """Largest eigenvalue of a symmetric matrix, given by its product with a vector: Lanczos steps
    from `start` (n,) (Lanczos 1950; Paige 1972).

    Three vectors of memory: without orthogonalizing anew, eigenvalues may come twice, which leaves
    the largest as it is. Ends when the residual is below `tolerance` of the value (whose error is
    then its square over the gap to the next), or after `most` products.
    """
    vector, previous, beta = start / np.linalg.norm(start), np.zeros_like(start), 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    value = math.nan
    for count in range(1, min(most, 2 * len(start)) + 1):
        following = product(vector) - _scaled(beta, previous)
        diagonal.append(float(following @ vector))
        following = following - _scaled(diagonal[-1], vector)
        beta = float(np.linalg.norm(following))
        if not math.isfinite(beta):
            return math.nan
        last = count == most or beta <= 1e-12 * abs(diagonal[0])
        if last or count % 4 == 0:
            values, vectors = np.linalg.eigh(
                np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
            )
            value = float(values[-1])
            if last or beta * abs(float(vectors[-1, -1])) <= tolerance * abs(value):
                break
        beside.append(beta)
        vector, previous = following / vector.dtype.type(beta), vector
    return value


def _scaled(factor: float, vector: Array) -> Array:
    """factor · vector, of the vector's dtype."""
    scaled: Array = vector * vector.dtype.type(factor)
    return scaled


def effective_rank(activations: Array) -> float:
    """Participation ratio (Σλ)²/Σλ² of the eigenvalues of the covariance of activations (rows,
    units); NaN where nothing varies or is not finite.
    """
    with np.errstate(all="ignore"):
        centred = activations - activations.mean(axis=0, dtype=np.float64)
        largest = np.maximum(centred.max(), -centred.min())
        if not 0 < largest < np.inf:
            return math.nan
        centred /= largest
        gram = centred @ centred.T if len(centred) <= centred.shape[1] else centred.T @ centred
        return float(np.trace(gram) ** 2 / np.square(gram).sum())


def mean_cosine(activations: Array) -> float:
    """Mean cosine between two different rows of activations (rows, units), rows of zeros left
    out; NaN for fewer than two or non-finite numbers.
    """
    total, count = np.zeros((1, activations.shape[1])), 0
    some = max(1, WIDENED // max(1, activations.shape[1]))
    for first in range(0, len(activations), some):
        wide = activations[first : first + some].astype(np.float64)
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(wide, axis=1)
        if not np.isfinite(lengths).all():
            return math.nan
        directions = wide[lengths > 0] / lengths[lengths > 0, None]
        count += len(directions)
        # row after row, as the sum of all of them is made
        total = np.concatenate([total, directions]).sum(axis=0, keepdims=True)
    return (
        float((np.square(total).sum() - count) / (count * (count - 1))) if count > 1 else math.nan
    )


def spread(logs: Array) -> dict[str, float]:
    """Mean and variance over the singular values σ > 0 of ln σ (samples, values), averaged over
    samples, and the share of σ = 0 (−inf). NaN where none is.
    """
    means, variances = [], []
    for sample in logs:
        positive = sample[np.isfinite(sample)]
        if len(positive):
            means.append(float(positive.mean()))
            variances.append(float(positive.var()))
    known = logs[~np.isnan(logs)]
    return {
        "log_mean": sum(means) / len(means) if means else math.nan,
        "log_variance": sum(variances) / len(variances) if variances else math.nan,
        "zero_fraction": float(np.isneginf(known).mean()) if known.size else math.nan,
    }
