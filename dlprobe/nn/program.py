"""The layer program: the two integer tables that tell the training loop what a layer does and where its numbers stand.

One row of `layers` per weight matrix; its normalization, activation (and later dropout, residual sum, …) are rows of `operations`, run in order.
A new kind of step is a new row, not a branch in the loop. All offsets count elements of the flat buffers; −1 stands for "none".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn.kernels import Operation

# columns of `layers`
FAN_IN, FAN_OUT, UNITS, INPUT, Z, OUTPUT, WEIGHT, BIAS, END, FIRST_OPERATION, END_OPERATION, COUPLED, LAYER_COLUMNS = range(13)
# columns of `operations`
KERNEL, X, Y, WIDTH_IN, WIDTH_OUT, LEARNED, LEARNED_END, STATE, STATE_END, CONSTANT, CONSTANT_END, OPERATION_COLUMNS = range(12)

LINE = 16  # buffers start on multiples of this many elements, i.e. on cache lines


@dataclass(frozen=True)
class OperationPlan:
    """One operation of a layer: its kernels, learned numbers (norm scale and shift), state, and whether it couples samples."""

    operation: Operation
    width_out: int
    learned: int = 0
    state: int = 0
    coupled: bool = False


@dataclass(frozen=True)
class LayerPlan:
    """One layer: matrix (fan_in, fan_out), bias or not, and the operations after it."""

    fan_in: int
    fan_out: int
    bias: bool
    operations: tuple[OperationPlan, ...]


@dataclass
class Program:
    """The two tables, the distinct kernels they point to, and the sizes of the buffers."""

    layers: npt.NDArray[np.int64]
    operations: npt.NDArray[np.int64]
    kernels: list[Operation] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    parameters: int = 0
    state: int = 0
    block: int = 0

    @property
    def norm_offsets(self) -> list[tuple[int, int]]:
        """Per layer the offsets of norm scale and shift among the parameters, (−1, −1) where there are none."""
        found = []
        for row in self.layers:
            learned = [op for op in self.operations[row[FIRST_OPERATION] : row[END_OPERATION]] if op[LEARNED_END] > op[LEARNED]]
            found.append((int(learned[0][LEARNED]), int(learned[0][LEARNED] + learned[0][WIDTH_OUT])) if learned else (-1, -1))
        return found


def assemble(plans: Sequence[LayerPlan], rows: int) -> Program:
    """Lay out parameters, state and the buffers of one batch of `rows` samples, and write the tables."""
    program = Program(np.full((len(plans), LAYER_COLUMNS), -1, np.int64), np.full((sum(len(p.operations) for p in plans), OPERATION_COLUMNS), -1, np.int64))
    x = _place(program, rows * plans[0].fan_in)
    done = 0
    for index, plan in enumerate(plans):
        row = program.layers[index]
        row[FAN_IN], row[FAN_OUT], row[INPUT] = plan.fan_in, plan.fan_out, x
        row[WEIGHT] = program.parameters
        program.parameters += plan.fan_in * plan.fan_out
        if plan.bias:
            row[BIAS] = program.parameters
            program.parameters += plan.fan_out
        x = row[Z] = _place(program, rows * plan.fan_out)
        row[FIRST_OPERATION] = done
        width = plan.fan_out
        for step in plan.operations:
            x = _write_operation(program, program.operations[done], step, x, width, rows)
            width = step.width_out
            done += 1
        row[END_OPERATION], row[OUTPUT], row[UNITS], row[END] = done, x, width, program.parameters
    _mark_coupled(program, plans)
    return program


def _write_operation(program: Program, row: npt.NDArray[np.int64], step: OperationPlan, x: int, width: int, rows: int) -> int:
    row[KERNEL] = _kernel_index(program, step.operation)
    row[X], row[Y], row[WIDTH_IN], row[WIDTH_OUT] = x, _place(program, rows * step.width_out), width, step.width_out
    row[LEARNED], row[LEARNED_END] = program.parameters, program.parameters + step.learned
    row[STATE], row[STATE_END] = program.state, program.state + step.state
    row[CONSTANT], row[CONSTANT_END] = len(program.constants), len(program.constants) + len(step.operation.constants)
    program.parameters += step.learned
    program.state += step.state
    program.constants.extend(step.operation.constants)
    return int(row[Y])


def _kernel_index(program: Program, operation: Operation) -> int:
    for index, known in enumerate(program.kernels):
        if known.forward is operation.forward:
            return index
    program.kernels.append(operation)
    return len(program.kernels) - 1


def _place(program: Program, size: int) -> int:
    offset = program.block
    program.block += -(-size // LINE) * LINE
    return offset


def _mark_coupled(program: Program, plans: Sequence[LayerPlan]) -> None:
    """A sample has no gradient of its own in a layer if this or a later operation mixes the samples of a batch."""
    coupled = 0
    for index in range(len(plans) - 1, -1, -1):
        coupled = max(coupled, int(any(step.coupled for step in plans[index].operations)))
        program.layers[index, COUPLED] = coupled


def aligned(size: int, dtype: Any) -> npt.NDArray[Any]:
    """Zeros, 1-D, starting on a 64-byte boundary."""
    raw = np.zeros(size * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * np.dtype(dtype).itemsize].view(dtype)
