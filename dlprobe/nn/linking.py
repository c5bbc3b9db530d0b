"""How the loops and passes of `block` are compiled: their types, and the addresses by which they call each other.

Compiled into both loops, and into each other, the passes would cost twice the time on a cold cache; so each is compiled once and called by address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from numba import types

from dlprobe.nn import observe, observe_forward
from dlprobe.nn.augmentation import compiled_gather_mixed
from dlprobe.nn.block import Kernels, Net, Work, backward_layer, evaluate, forward_layer, gather, run
from dlprobe.nn.cache import compiled
from dlprobe.nn.calling import Kernel, address, kernel
from dlprobe.nn.kernels import PRECISIONS, Types
from dlprobe.nn.matmul import product, product_with_transposed, transposed_product
from dlprobe.nn.records import record_type, taking_records
from dlprobe.nn.regulation import compiled_finish

NET_TYPES = (
    *("int64_2d",) * 2, *("vector",) * 10, "matrix", *("vector",) * 3, "float64_1d", "float64_1d", "vector", "float64_1d", *("vector",) * 2,
)  # fmt: skip


ADDRESSES = types.Array(types.int64, 1, "C", aligned=True)
KERNELS_TYPE = record_type(Kernels, [ADDRESSES, ADDRESSES, *(types.int64,) * (len(Kernels._fields) - 2)])


@cache
def net_type(precision: Types) -> Any:
    known = {
        "int64_2d": types.Array(types.int64, 2, "C", aligned=True),
        "float64_1d": types.Array(types.float64, 1, "C", aligned=True),
        "vector": precision.vector,
        "matrix": precision.matrix,
    }
    return record_type(Net, [known[name] for name in NET_TYPES])


@cache
def work_type(precision: Types) -> Any:
    integers = types.Array(types.int64, 1, "C", aligned=True)
    floats = types.Array(types.float64, 1, "C", aligned=True)
    data = [precision.matrix, precision.matrix, precision.vector, integers]
    place = [types.int64, types.Array(types.uint64, 1, "C", aligned=True), types.int64]
    return record_type(Work, [*data, *place, floats, floats, types.int64, floats, floats, floats, *(types.boolean,) * 3])


@dataclass(frozen=True)
class Signatures:
    """The types of the compiled passes of one precision."""

    precision: Types

    @property
    def model(self) -> tuple[Any, Any]:
        return net_type(self.precision), KERNELS_TYPE

    @property
    def gather(self) -> Any:
        return types.void(self.model[0], work_type(self.precision), types.int64, types.int64, types.uint64[::1])

    @property
    def forward_layer(self) -> Any:
        return types.void(*self.model, types.int64, types.int64, types.uint64[::1], self.precision.vector)

    @property
    def backward_layer(self) -> Any:
        integers, floats = types.int64[::1], types.float64[::1]
        arrays = (integers, types.uint64[::1], floats, self.precision.vector, floats, self.precision.matrix)
        return types.float64(*self.model, work_type(self.precision), types.int64, types.int64, *arrays)

    @property
    def finish(self) -> Any:
        floats = types.float64[::1]
        return types.float64(*self.model, floats, types.float64, self.precision.vector, floats, self.precision.matrix, floats)

    @property
    def product(self) -> Any:
        return types.void(*(self.precision.matrix,) * 3)

    product_with_transposed = transposed_product = product

    @property
    def add_bias(self) -> Any:
        return types.void(self.precision.matrix, self.precision.vector, self.precision.vector)

    @property
    def observe_activation(self) -> Any:
        return types.void(self.precision.matrix, types.float64[::1], self.precision.vector, types.float64[::1], self.precision.vector)

    @property
    def observe_error(self) -> Any:
        return types.void(self.precision.matrix, self.precision.vector, types.float64[::1], self.precision.vector)

    @property
    def run(self) -> Any:
        blocks = (types.Array(self.precision.scalar, 3, "C", aligned=True), types.Array(types.float64, 2, "C", aligned=True))
        return types.int64(*self.model, work_type(self.precision), types.int64, *blocks)

    @property
    def evaluate(self) -> Any:
        outputs = (self.precision.matrix, types.Array(types.float64, 2, "C", aligned=True), self.precision.matrix)
        return types.float64(*self.model, work_type(self.precision), *outputs)


@cache
def compiled_passes(dtype: str) -> tuple[Kernel, ...]:
    """The compiled passes of one precision, called from compiled code only."""
    signatures = Signatures(PRECISIONS[dtype])
    products = (product, product_with_transposed, transposed_product)
    functions = (gather, forward_layer, backward_layer, *products, observe_forward.add_bias, observe_forward.observe_activation, observe.observe_error)
    return tuple(kernel(getattr(signatures, function.__name__))(function) for function in functions)


def passes(dtype: str, *, regulated: bool, mixed: bool) -> dict[str, int]:
    """The addresses of the passes under the names of their fields in Kernels; 0 for `finish` where no step has one."""
    chosen = {function.role: function for function in compiled_passes(dtype)}
    if mixed:
        chosen["gather"] = gather_mixed(dtype)
    if regulated:
        chosen["finish"] = finish(dtype)
    return {"finish": 0} | {name: address(function) for name, function in chosen.items()}


def gather_mixed(dtype: str) -> Kernel:
    """The pass in the place of `gather` where samples are mixed."""
    return compiled_gather_mixed(Signatures(PRECISIONS[dtype]).gather)


def finish(dtype: str) -> Kernel:
    """The pass that ends a step in which gradients are changed before they are used."""
    return compiled_finish(Signatures(PRECISIONS[dtype]).finish)


@cache
def compiled_run(dtype: str) -> Any:
    """`run` compiled for one precision."""
    return taking_records(compiled(Signatures(PRECISIONS[dtype]).run, no_cfunc_wrapper=True)(run))


@cache
def compiled_evaluate(dtype: str) -> Any:
    """`evaluate` compiled for one precision."""
    return taking_records(compiled(Signatures(PRECISIONS[dtype]).evaluate, no_cfunc_wrapper=True)(evaluate))
