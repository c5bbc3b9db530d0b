"""Counting into bins, for arrays that are too large to be sorted at every measurement.

Beside the bins of a histogram, whose edges decide, there are fine ones, of which only the order
matters: a number of a lower one is no larger. So the values of a few fine bins are enough to find a
percentile.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import from_dtype

from dlprobe.nn.cache import EXACT, compiled, inlined
from dlprobe.nn.records import taking_records
from dlprobe.nn.shapes import Index, Integers, Number, Value, Vector, signature_of


@inlined(EXACT)
def fine_bin(value: Value, low: Number, scale: Number, bins: Index) -> Index:
    return min(max(int((np.float64(value) - low) * scale), 0), bins - 1)


def count(
    values: Vector, edges: Vector, scale: Number, counts: Integers, fine_counts: Integers
) -> None:
    """Add to counts (bin,) how many of the finite values lie between their edges, the right edge of
    the last bin included, and to fine_counts (fine bin,); scale: fine bins per unit.
    """
    low = np.float64(edges[0])
    last, share = len(counts) - 1, len(fine_counts) // len(counts)
    for i in range(len(values)):
        value = values[i]
        fine = fine_bin(value, low, scale, len(fine_counts))
        k = fine // share
        while k < last and value >= edges[k + 1]:  # rounding put it beside its bin
            k += 1
        while k > 0 and value < edges[k]:
            k -= 1
        counts[k] += 1
        fine_counts[fine] += 1


def gather(values: Vector, edges: Vector, scale: Number, wanted: Integers, into: Vector) -> Index:
    """Copy the values of the fine bins that are wanted (1, else 0), in their order; how many."""
    low = np.float64(edges[0])
    copied = 0
    for i in range(len(values)):
        if wanted[fine_bin(values[i], low, scale, len(wanted))] > 0:
            into[copied] = values[i]
            copied += 1
    return copied


@cache
def compiled_kernels(dtype: Any) -> tuple[Any, Any]:
    """`count` and `gather` for values of this dtype."""
    scalar = from_dtype(np.dtype(dtype))
    counting, gathering = (
        compiled(signature_of(function, scalar), EXACT, no_cfunc_wrapper=True)(function)
        for function in (count, gather)
    )
    return taking_records(counting), taking_records(gathering)
