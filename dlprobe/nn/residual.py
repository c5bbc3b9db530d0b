"""Residual sums and activity penalties as kernels: operations that stand behind a layer's
activation.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dlprobe.nn.cache import SUMS, inlined
from dlprobe.nn.calling import kernel
from dlprobe.nn.kernels import PRECISIONS, KernelOperation
from dlprobe.nn.shapes import Counters, Flag, Floats, Matrix, Vector
from dlprobe.parts.penalties import l1_slope, l1_value, l2_slope, l2_value
from dlprobe.registry import Spec

SCALE = 0  # the factor α, alone among the constants, or among the learned numbers where it is one
ACTIVITY_L1, ACTIVITY_L2 = range(2)  # constants of the activity penalty
MEAN_PENALTY = 0  # what it leaves in its state: its mean over the batch

for _function in (l1_slope, l1_value, l2_slope, l2_value):
    inlined(SUMS)(_function)


def residual(spec: Spec, depth: int, dtype: str) -> tuple[KernelOperation, tuple[float, ...]]:
    """Compile the residual sum; returns it and the first values of its learned numbers.
    `depth`: how many layers of the net have one.
    """
    scale = spec.record.scale(depth, *spec.parameters.values())
    forward, backward = residual_operation(dtype)
    return KernelOperation(forward, backward, (scale,)), (scale,) if spec.record.learned else ()


@cache
def residual_operation(dtype: str) -> tuple[Any, Any]:
    def forward(
        x: Matrix,
        y: Matrix,
        learned: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        training: Flag,
    ) -> None:
        """y, which holds the layer's source, += α x."""
        scale = learned[SCALE] if len(learned) > 0 else constants[SCALE]
        for i in range(x.shape[0]):
            row, out = x[i], y[i]
            for j in range(len(row)):
                out[j] += scale * row[j]

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
        """The share of the sum that goes through the layer; the loop takes care of the one that
        goes around.
        """
        scale = learned[SCALE] if len(learned) > 0 else constants[SCALE]
        total = 0.0
        for i in range(x.shape[0]):
            row, d, out = x[i], dy[i], dx[i]
            of_row = scale * 0
            for j in range(len(row)):
                out[j] = scale * d[j]
                of_row += row[j] * d[j]
            total += of_row
        if len(gradient) > 0:
            gradient[SCALE] = total

    precision = PRECISIONS[dtype]
    return kernel(precision.forward)(forward), kernel(precision.backward)(backward)


def activity_penalty(l1: float, l2: float, dtype: str) -> KernelOperation:
    """Compile the penalty on activations; its mean over the batch is left in the operation's
    state, one number.
    """
    forward, backward = activity_operation(dtype)
    return KernelOperation(forward, backward, (l1, l2))


@cache
def activity_operation(dtype: str) -> tuple[Any, Any]:
    def forward(
        x: Matrix,
        y: Matrix,
        learned: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        training: Flag,
    ) -> None:
        l1, l2 = constants[ACTIVITY_L1], constants[ACTIVITY_L2]
        total = 0.0
        for i in range(x.shape[0]):
            row, out = x[i], y[i]
            of_row = l1 * 0
            for j in range(len(row)):
                out[j] = row[j]
                of_row += l1_value(row[j], l1) + l2_value(row[j], l2)
            total += of_row
        state[MEAN_PENALTY] = total / x.shape[0]

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
        share = 1 / state.dtype.type(x.shape[0])
        l1, l2 = constants[ACTIVITY_L1] * share, constants[ACTIVITY_L2] * share
        for i in range(x.shape[0]):
            row, d, out = x[i], dy[i], dx[i]
            for j in range(len(row)):
                out[j] = d[j] + l1_slope(row[j], l1) + l2_slope(row[j], l2)

    precision = PRECISIONS[dtype]
    return kernel(precision.forward)(forward), kernel(precision.backward)(backward)
