"""What a check of a kernel is, how it is made, and the numbers that all of them take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.errors import DlprobeError
from dlprobe.nn.cache import NotCached, from_cache_only

Array = npt.NDArray[Any]
# of the largest number that is expected; 12 were the most that was measured, and another kernel is
# off by far more
ROUNDINGS = 128


class ComparedArrays(NamedTuple):
    """A quantity as a kernel gives it and as the plain form does; of one shape."""

    quantity: str
    measured: Any
    expected: Any


@dataclass(frozen=True)
class KernelCheck:
    """One record in one precision: how to get its kernels (compiled, or read from the cache),
    and what they and the plain form make of fixed numbers.
    """

    kind: str
    name: str
    dtype: str
    kernels: Callable[[], tuple[Any, ...]]
    pairs: Callable[[], Iterator[ComparedArrays]]


@dataclass(frozen=True)
class CheckOutcome:
    """The result of a check. state: agrees, differs, not cached, or cannot run (`reason` says why).

    `measured` and `expected` are the pair that lies furthest apart, of `quantity`; `deviation` is
    their distance over the largest number expected, `allowed` its bound. `compiled` names the
    functions that were compared.
    """

    kind: str
    name: str
    dtype: str
    state: str
    quantity: str = ""
    measured: float = np.nan
    expected: float = np.nan
    deviation: float = np.nan
    allowed: float = np.nan
    reason: str = ""
    compiled: tuple[str, ...] = ()


def outcome_of(check: KernelCheck, *, cached_only: bool) -> CheckOutcome:
    """Run a check; with `cached_only` nothing is done where its kernels are not in the cache."""
    about = (check.kind, check.name, check.dtype)
    try:
        with from_cache_only(cached_only):
            kernels = check.kernels()
        compiled = tuple(kernel.name for kernel in kernels)
        with np.errstate(all="ignore"):
            worst = max(
                (_compared(pair, check.dtype) for pair in check.pairs() if np.size(pair.expected)),
                key=lambda found: found[0],
            )
    except NotCached:
        return CheckOutcome(*about, "not cached")
    except Exception as error:  # a damaged file of the cache raises what its reader happens to meet
        return CheckOutcome(
            *about,
            "cannot run",
            reason=str(error)
            if isinstance(error, DlprobeError)
            else f"{type(error).__name__}: {error}",
        )
    share, quantity, measured, expected, deviation, allowed = worst
    return CheckOutcome(
        *about,
        "agrees" if share <= 1 else "differs",
        quantity,
        measured,
        expected,
        deviation,
        allowed,
        compiled=compiled,
    )


def _compared(pair: ComparedArrays, dtype: str) -> tuple[float, str, float, float, float, float]:
    """(deviation over what is allowed, quantity, measured, expected, deviation, allowed) where
    the two lie furthest apart; NaN is infinitely far off.
    """
    measured, expected = (np.asarray(values, np.float64).ravel() for values in pair[1:])
    largest = max(float(np.max(np.abs(expected), initial=0.0)), 1e-30)
    distance = np.where(
        np.isfinite(measured) & np.isfinite(expected), np.abs(measured - expected), np.inf
    )
    at, allowed = int(np.argmax(distance)), ROUNDINGS * float(np.finfo(dtype).eps)
    deviation = float(distance[at]) / largest
    return (
        deviation / allowed,
        pair.quantity,
        float(measured[at]),
        float(expected[at]),
        deviation,
        allowed,
    )


def block(rows: int, columns: int, dtype: str, phase: float = 0.0) -> Array:
    """Irregular numbers within ±2.9, `dtype` (rows, columns), none of them at the kink of a
    function: 2.9 sin(1.7 k + 0.31 + phase) for k = 1, 2, … in row-major order.
    """
    numbers: Array = 2.9 * np.sin(1.7 * np.arange(1, rows * columns + 1) + 0.31 + phase)
    return numbers.reshape(rows, columns).astype(dtype)


def wide(values: Any) -> npt.NDArray[np.float64]:
    return np.array(values, np.float64)


def rounded(numbers: Any, dtype: str) -> tuple[float, ...]:
    """The numbers rounded to `dtype`, as Python floats."""
    return tuple(np.array(tuple(map(float, numbers)), dtype).tolist())
