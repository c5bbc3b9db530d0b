"""Rates of the three matrix products on one core: BLAS (np.dot in compiled code), our own tiles,
and what the engine takes.

Sizes are m×k×n for x (m, k), w (k, n), d (m, n); each cell is GFLOP/s of BLAS / tiles / the engine,
at the fastest of several turns.
Give float64 as the argument for double precision. OPENBLAS_CORETYPE=Haswell
NUMBA_CPU_FEATURES=+avx,+avx2,+fma shows a processor without AVX-512.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from measuring import by_turns, print_table, steps_for

from dlprobe.nn import matmul, tiles

SHAPES = [
    *(
        (32, 2, 16),
        (32, 16, 16),
        (1, 100, 100),
        (8, 100, 100),
        (32, 100, 10),
        (32, 64, 64),
        (32, 100, 100),
        (64, 100, 100),
        (32, 784, 300),
    ),
    *(
        (128, 784, 300),
        (128, 300, 100),
        (128, 256, 256),
        (128, 512, 512),
        (128, 1024, 1024),
        (128, 2048, 2048),
    ),
]
FORMS = ("x @ w", "d @ w.T", "x.T @ d")
ROUNDS, ROUND_SECONDS = 9, 4e-3
multiply = tiles.multiply


def repeated(function: Callable[[Any, Any, Any], None]) -> Any:
    """The compiled loop that calls `function(a, b, out)` so many times."""
    inner = numba.njit(error_model="numpy")(function)

    def loop(a: Any, b: Any, out: Any, times: int) -> None:
        for _ in range(times):
            inner(a, b, out)

    return numba.njit(error_model="numpy")(loop)


# by form: BLAS, tiles, the engine's choice
SIDES = {
    "x @ w": (
        lambda a, b, out: np.dot(a, b, out),
        lambda a, b, out: multiply(a, False, b, False, out),
        matmul.product,
    ),
    "d @ w.T": (
        lambda a, b, out: np.dot(a, b.T, out),
        lambda a, b, out: multiply(a, False, b, True, out),
        matmul.product_with_transposed,
    ),
    "x.T @ d": (
        lambda a, b, out: np.dot(a.T, b, out),
        lambda a, b, out: multiply(a, True, b, False, out),
        matmul.transposed_product,
    ),
}
COMPILED = {form: [repeated(side) for side in sides] for form, sides in SIDES.items()}


def rates(form: str, operands: tuple[Any, Any, Any], operations: float) -> str:
    """GFLOP/s of each side of one form."""
    loops = COMPILED[form] if tiles.AVAILABLE else COMPILED[form][::2]
    times = min(
        steps_for(ROUND_SECONDS, lambda count, loop=loop: loop(*operands, count)) for loop in loops
    )  # type: ignore[misc]
    seconds = by_turns(
        {str(k): lambda loop=loop: loop(*operands, times) for k, loop in enumerate(loops)},
        ROUNDS,
        time.thread_time,
    )  # type: ignore[misc]
    return " / ".join(
        f"{operations * times / min(of_side) / 1e9:.0f}" for of_side in seconds.values()
    )


def row(m: int, k: int, n: int, dtype: str) -> list[str]:
    rng = np.random.default_rng(0)
    x, w, d = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    operands = {"x @ w": (x, w, d.copy()), "d @ w.T": (d, w, x.copy()), "x.T @ d": (x, d, w.copy())}
    return [f"{m}×{k}×{n}", *(rates(form, operands[form], 2.0 * m * k * n) for form in FORMS)]


if __name__ == "__main__":
    precision = sys.argv[1] if len(sys.argv) > 1 else "float32"
    title = (
        f"{precision}, GFLOP/s: BLAS / tiles of {tiles.ROWS} × {tiles.VECTORS} vectors of "
        f"{tiles.VECTOR_BYTES} bytes / the engine's choice"
    )
    print_table(title, ["m×k×n", *FORMS], [row(*shape, precision) for shape in SHAPES])
