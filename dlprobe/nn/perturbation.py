"""Random operations: perturbations of a layer's input, or of its weights, as kernels. The
backward pass draws the same numbers again from the same counters.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.calling import kernel
from dlprobe.nn.kernels import PRECISIONS, KernelOperation, constants_of
from dlprobe.nn.positions import TRAINING
from dlprobe.nn.random import mix, operation_key, share
from dlprobe.nn.shapes import Counters, Flag, Floats, Index, Key, Matrix, Value, Vector
from dlprobe.parts.perturbations import Perturbation
from dlprobe.registry import Spec


@inlined(EXACT)
def normal(like: Value, key: Key, position: Index) -> Value:
    """A standard normal number (Box & Muller 1958) from two uniform ones with 32 and 31 bits."""
    bits = mix(key + np.uint64(position))
    first = (np.float64(np.int64(bits >> np.uint64(32))) + 1.0) * 2.0**-32  # in (0, 1]
    second = np.float64(np.int64(bits & np.uint64(0x7FFFFFFF))) * 2.0**-31
    return type(like)(math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second))


DRAWS = {"uniform": share, "normal": normal}  # draw(number of the wanted precision, key, position)


def perturbation(spec: Spec, purpose: int, dtype: str) -> KernelOperation:
    """Compile a perturbation; `purpose` (of dlprobe.nn.random) keeps its stream apart from
    others in the same layer.
    """
    forward, backward = perturbation_operation(spec.record, dtype)
    return KernelOperation(forward, backward, constants_of(spec.parameters, float(purpose)))


@cache
def perturbation_operation(record: Perturbation, dtype: str) -> tuple[Any, Any]:
    value, slope, draw, count = (
        inlined(EXACT)(record.value),
        inlined(EXACT)(record.slope),
        DRAWS[record.draws],
        len(record.parameters),
    )

    def forward(
        x: Matrix,
        y: Matrix,
        learned: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        training: Flag,
    ) -> None:
        p = to_fixed_tuple(constants, count)
        key, units = operation_key(counter, np.uint64(constants[count])), x.shape[1]
        for i in range(x.shape[0]):
            row, out = x[i], y[i]
            for j in range(units):
                out[j] = value(row[j], draw(row[j], key, i * units + j), *p) if training else row[j]

    def backward(
        x: Matrix,
        y: Matrix,
        dy: Matrix,
        dx: Matrix,
        learned: Vector,
        gradient: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        peak: Vector,
        slopes: Floats,
    ) -> None:
        p = to_fixed_tuple(constants, count)
        key, units, training = (
            operation_key(counter, np.uint64(constants[count])),
            x.shape[1],
            counter[TRAINING] != 0,
        )
        for i in range(x.shape[0]):
            d, out = dy[i], dx[i]
            for j in range(units):
                out[j] = d[j] * slope(draw(d[j], key, i * units + j), *p) if training else d[j]

    precision, of = PRECISIONS[dtype], f"perturbation_{record.name}"
    return kernel(precision.forward, EXACT, of)(forward), kernel(precision.backward, EXACT, of)(
        backward
    )
