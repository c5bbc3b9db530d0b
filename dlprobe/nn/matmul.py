"""Matrix products, in the three forms that a dense layer needs. All arrays are 2-D, row-major, of one precision; the result is written into `out`.

BLAS takes transposed views as they are, without a copy. It is held to one thread for the whole process: with two, OpenBLAS gives other bits in a quarter of all
products, and two training threads that each call a two-thread BLAS take 25 times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (numba's np.dot calls the BLAS that scipy brings)
from threadpoolctl import threadpool_limits

from dlprobe.nn.cache import inlined

_one_thread = threadpool_limits(limits=1, user_api="blas")


def product(x: Any, w: Any, out: Any) -> None:
    """out (m, n) = x (m, k) @ w (k, n)."""
    np.dot(x, w, out)


def product_with_transposed(d: Any, w: Any, out: Any) -> None:
    """out (m, k) = d (m, n) @ w (k, n)ᵀ."""
    np.dot(d, w.T, out)


def transposed_product(x: Any, d: Any, out: Any) -> None:
    """out (k, n) = x (m, k)ᵀ @ d (m, n)."""
    np.dot(x.T, d, out)


for _function in (product, product_with_transposed, transposed_product):
    inlined(_function)
