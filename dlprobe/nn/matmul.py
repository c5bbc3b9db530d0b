"""Matrix products, in the three forms that a dense layer needs. All arrays are 2-D, row-major, of
one precision; the result is written into `out`.

Two ways stand behind them: the tiles of `dlprobe.nn.tiles`, and BLAS, which takes transposed views
as they are. The shapes and the processor's vector registers alone decide between the two, so the
same product gives the same bits every time. `python tests/benchmarks/matmul.py` measures both.
float32 GFLOP/s of one core with AVX-512, m×k×n for x (m, k), w (k, n):

                    x @ w            d @ wᵀ           xᵀ @ d
                 BLAS   tiles      BLAS   tiles      BLAS   tiles
    32×100×100    142    143         79    119        150    129
    32×784×300     79    155         93    123        108    142
    128×784×300   122    146        131    146        135    146
    128×512×512   126    146        133    148        138    147
    128×2048²      88    108        126    110        131    108

BLAS is held to one thread for the whole process: with two, OpenBLAS gives other bits in a quarter
of all products, and two training threads that each call a two-thread BLAS take 25 times as long.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.linalg import call_xxgemm
from threadpoolctl import threadpool_limits

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.shapes import Matrix
from dlprobe.nn.tiles import AVAILABLE, ROWS, multiply
from dlprobe.nn.vectors import VECTOR_BYTES

BLAS = "scipy.linalg.cython_blas"  # under this name numba asks for the BLAS that scipy brings


def load_blas() -> None:
    """Load `BLAS` alone: the package around it takes 0.2 s, as often as a process starts.

    Raises ImportError where scipy has none.
    """
    package = find_spec(BLAS.rpartition(".")[0])
    spec = PathFinder.find_spec(BLAS, package.submodule_search_locations if package else None)
    if spec is None or spec.loader is None:
        raise ImportError(f"{BLAS} is not there: install scipy 1.13 or newer")
    sys.modules[BLAS] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[BLAS])


if BLAS not in sys.modules:
    load_blas()
_one_thread = threadpool_limits(limits=1, user_api="blas")

# Up to k·m·n = 10⁶ OpenBLAS has AVX-512 kernels of their own for small products, without copies:
# they are up to 15 % ahead of tiles, with w as it is where there are not too few numbers.
SMALL = 10**6 if VECTOR_BYTES == 64 else 0
TINY_PRODUCT = 2**15


@intrinsic
def blas_product(typing: Any, a: Any, b: Any, out: Any) -> Any:
    """out = a @ b by BLAS, a and b each row-major or a transposed view of that: np.dot less its
    checks of shapes and its return value.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, values, strict=True)
        ]
        operands = [
            (kind, cgutils.unpack_tuple(builder, array.shape), array.data)
            for kind, array in zip(signature.args, arrays, strict=True)
        ]
        call_xxgemm(context, builder, *operands[0], *operands[1], *operands[2])
        return context.get_dummy_value()

    return types.void(a, b, out), code


@inlined(EXACT)
def product(x: Matrix, w: Matrix, out: Matrix) -> None:
    """out (m, n) = x (m, k) @ w (k, n)."""
    small = TINY_PRODUCT < len(x) * w.size <= SMALL
    if AVAILABLE and len(x) >= ROWS and not small:
        multiply(x, False, w, False, out)
    else:
        blas_product(x, w, out)


@inlined(EXACT)
def product_with_transposed(d: Matrix, w: Matrix, out: Matrix) -> None:
    """out (m, k) = d (m, n) @ w (k, n)ᵀ."""
    if AVAILABLE and len(d) >= ROWS:
        multiply(d, False, w, True, out)
    else:
        blas_product(d, w.T, out)


@inlined(EXACT)
def transposed_product(x: Matrix, d: Matrix, out: Matrix) -> None:
    """out (k, n) = x (m, k)ᵀ @ d (m, n)."""
    if AVAILABLE and len(out) >= ROWS and len(x) * out.size > SMALL:
        multiply(x, True, d, False, out)
    else:
        blas_product(x.T, d, out)
