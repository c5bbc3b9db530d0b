"""The arrays that every kernel meets in its test, and what "close" means in each precision."""

from __future__ import annotations

import numpy as np
from small_nets import Array

HUGE = {"float32": 1e15, "float64": 1e140}  # their squares are still finite
KINDS = ("ordinary", "constant", "huge", "nan_laden", "small", "one_element")


def block(kind: str, dtype: str, rows: int = 11, units: int = 6, seed: int = 0) -> Array:
    """A (rows, units) array of one kind; `one_element` is (1, 1)."""
    rng = np.random.default_rng((seed, rows, units))
    values = rng.standard_normal((rows, units))
    if kind == "constant":
        values[:] = 0.75
    if kind == "huge":
        values *= HUGE[dtype]
    if kind == "small":
        values *= 1e-30
    if kind == "nan_laden":
        values.ravel()[rng.permutation(values.size)[:6]] = [np.nan, np.inf, -np.inf] * 2
    if kind == "one_element":
        values = values[:1, :1]
    return np.ascontiguousarray(values, dtype)


def assert_close(
    found: Array, expected: Array, dtype: str, roundings: float = 32, size: float = 0.0
) -> None:
    """Equal up to that many rounding errors of the largest finite number expected, or of
    `size`; NaN and infinities in the same places.
    """
    expected = np.asarray(expected, np.float64)
    finite = np.abs(expected[np.isfinite(expected)])
    largest = max([size, *finite.tolist()])
    with np.errstate(over="ignore"):
        expected = expected.astype(dtype)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=roundings * np.finfo(dtype).eps * largest, equal_nan=True
    )
