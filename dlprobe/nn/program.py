"""The layer program: the two integer tables that tell the training loop what a layer does and where
its numbers stand.

One row of `layers` per layer; what the layer does, in order, are rows of `operations`: dropout of
its input, the product with W, normalization, activation, the sum with the layer's input, … A new
kind of step is a new row, not a branch in the loop. All offsets count elements of the flat buffers;
−1 stands for "none". A layer without a matrix (a normalization of the input) has a product row all
the same, whose result is its input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn.kernels import KernelOperation

# columns of `layers`
# FAN_IN, FAN_OUT: widths of what W gets and gives; MATRIX_ROWS × FAN_OUT: the shape of W, with as
#     many rows as FAN_IN but in a fleet (see `fleet`).
# SOURCE, INPUT, Z, OUTPUT: blocks of what comes from the previous layer, what meets W, z and a.
# START … END: all parameters of the layer, W first.
# TRANSFORM: the operation that W goes through before the product, EFFECTIVE the block of its
#     result. COUPLED: samples have no gradient of their own here.
# SKIPPED: an operation adds the layer's source to its output.
(
    FAN_IN,
    FAN_OUT,
    UNITS,
    SOURCE,
    INPUT,
    Z,
    OUTPUT,
    START,
    WEIGHT,
    BIAS,
    END,
    FIRST_OPERATION,
    END_OPERATION,
    TRANSFORM,
    EFFECTIVE,
    COUPLED,
    SKIPPED,
) = range(17)
MATRIX_ROWS, LAYER_COLUMNS = 17, 18
# columns of `operations`
(
    KERNEL,
    ROLE,
    X,
    Y,
    WIDTH_IN,
    WIDTH_OUT,
    LEARNED,
    LEARNED_END,
    STATE,
    STATE_END,
    CONSTANT,
    CONSTANT_END,
    OPERATION_COLUMNS,
) = range(13)
# roles: only those that the loop or the engine's bookkeeping tells apart
PRODUCT, ACTIVATION, NORMALIZATION, RESIDUAL, PERTURBATION, ACTIVITY, TRANSFORMATION = range(7)

LINE = 16  # buffers start on multiples of this many elements, i.e. on cache lines


@dataclass(frozen=True)
class OperationPlan:
    """One operation of a layer: its kernels, its role, the initial values of its learned
    numbers and of its state, and whether it couples samples.
    """

    operation: KernelOperation
    width_out: int
    role: int
    learned: tuple[float, ...] = ()
    state: tuple[float, ...] = ()
    coupled: bool = False


@dataclass(frozen=True)
class LayerPlan:
    """One layer: what happens to its input, matrix (fan_in/lanes, fan_out) with bias or not,
    what happens to z; `transform` is what W goes through first.
    """

    fan_in: int
    fan_out: int
    bias: bool
    operations: tuple[OperationPlan, ...]
    before: tuple[OperationPlan, ...] = ()
    transform: OperationPlan | None = None
    matrix: bool = True
    lanes: int = 1

    @property
    def steps(self) -> int:
        """Rows of the operation table, the product's among them."""
        return len(self.before) + 1 + len(self.operations) + (self.transform is not None)


@dataclass
class Program:
    """The two tables, the distinct kernels they point to, the first values of learned numbers
    and state, and the sizes of the buffers.
    """

    layers: npt.NDArray[np.int64]
    operations: npt.NDArray[np.int64]
    kernels: list[KernelOperation] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    initial_learned: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    initial_state: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    parameters: int = 0
    state: int = 0
    block: int = 0

    def operations_of(self, index: int, role: int) -> npt.NDArray[np.int64]:
        """The rows (n, OPERATION_COLUMNS) of one layer's operations that have a role."""
        row = self.layers[index]
        operations = self.operations[row[FIRST_OPERATION] : row[END_OPERATION]]
        chosen: npt.NDArray[np.int64] = operations[operations[:, ROLE] == role]
        return chosen

    @property
    def norm_offsets(self) -> list[tuple[int, int]]:
        """Per layer the offsets of norm scale and shift among the parameters, −1 where there is
        none.
        """
        offsets = []
        for index in range(len(self.layers)):
            rows = self.operations_of(index, NORMALIZATION)
            offsets.append((-1, -1) if not len(rows) else _scale_and_shift(rows[0]))
        return offsets

    @property
    def activation_offsets(self) -> list[int]:
        """Per layer the offset of the activation's learned numbers among the parameters, −1
        where there are none.
        """
        rows = [self.operations_of(index, ACTIVATION) for index in range(len(self.layers))]
        return [
            next((int(row[LEARNED]) for row in found if row[LEARNED_END] > row[LEARNED]), -1)
            for found in rows
        ]


def _scale_and_shift(row: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Scale first, then shift where there is one; each as wide as the operation."""
    start, learned, width = (
        int(row[LEARNED]),
        int(row[LEARNED_END] - row[LEARNED]),
        int(row[WIDTH_OUT]),
    )
    return start if learned else -1, start + width if learned > width else -1


def assemble(plans: Sequence[LayerPlan], rows: int) -> Program:
    """Lay out parameters, state and the buffers of one batch of `rows` samples, and write the
    tables.
    """
    program = Program(
        np.full((len(plans), LAYER_COLUMNS), -1, np.int64),
        np.full((sum(plan.steps for plan in plans), OPERATION_COLUMNS), -1, np.int64),
    )
    x = _place(program, rows * plans[0].fan_in)
    done = 0
    for index, plan in enumerate(plans):
        done = _write_layer(program, program.layers[index], plan, x, done, rows)
        x = int(program.layers[index, OUTPUT])
    _mark_coupled(program, plans)
    return program


def _write_layer(
    program: Program, row: npt.NDArray[np.int64], plan: LayerPlan, x: int, done: int, rows: int
) -> int:
    """Fill a layer's row and its operations' rows from number `done` on, its source at block
    `x`; returns the number after the last.
    """
    row[FAN_IN], row[FAN_OUT], row[SOURCE], row[FIRST_OPERATION] = (
        plan.fan_in,
        plan.fan_out,
        x,
        done,
    )
    row[START], row[MATRIX_ROWS] = program.parameters, plan.fan_in // plan.lanes
    row[SKIPPED] = int(any(step.role == RESIDUAL for step in plan.operations))
    if plan.matrix:
        row[WEIGHT] = program.parameters
        program.parameters += int(row[MATRIX_ROWS]) * plan.fan_out
    if plan.bias:
        row[BIAS] = program.parameters
        program.parameters += plan.fan_out
    for step in plan.before:
        x = _write_operation(program, program.operations[done], step, x, plan.fan_in, rows)
        done += 1
    row[INPUT] = x
    x = row[Z] = _place(program, rows * plan.fan_out) if plan.matrix else x
    program.operations[done, [ROLE, X, Y, WIDTH_IN, WIDTH_OUT]] = (
        PRODUCT,
        row[INPUT],
        x,
        plan.fan_in,
        plan.fan_out,
    )
    done += 1
    width = plan.fan_out
    for step in plan.operations:
        x = _write_operation(program, program.operations[done], step, x, width, rows)
        width = step.width_out
        done += 1
    row[END_OPERATION], row[OUTPUT], row[UNITS], row[END] = done, x, width, program.parameters
    if plan.transform is not None:
        row[TRANSFORM] = done
        row[EFFECTIVE] = _write_operation(
            program, program.operations[done], plan.transform, -1, plan.fan_out, plan.fan_in
        )
        done += 1
    return done


def _write_operation(
    program: Program, row: npt.NDArray[np.int64], step: OperationPlan, x: int, width: int, rows: int
) -> int:
    row[KERNEL], row[ROLE] = _kernel_index(program, step.operation), step.role
    row[X], row[Y], row[WIDTH_IN], row[WIDTH_OUT] = (
        x,
        _place(program, rows * step.width_out),
        width,
        step.width_out,
    )
    row[LEARNED], row[LEARNED_END] = program.parameters, program.parameters + len(step.learned)
    row[STATE], row[STATE_END] = program.state, program.state + len(step.state)
    row[CONSTANT], row[CONSTANT_END] = (
        len(program.constants),
        len(program.constants) + len(step.operation.constants),
    )
    program.initial_learned.append((program.parameters, step.learned))
    program.initial_state.append((program.state, step.state))
    program.parameters += len(step.learned)
    program.state += len(step.state)
    program.constants.extend(step.operation.constants)
    return int(row[Y])


def _kernel_index(program: Program, operation: KernelOperation) -> int:
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
    """A sample has no gradient of its own in a layer if this or a later operation mixes the
    samples of a batch, or without W's own gradient.
    """
    coupled = 0
    for index in range(len(plans) - 1, -1, -1):
        plan = plans[index]
        coupled = max(coupled, int(any(step.coupled for step in plan.operations)))
        program.layers[index, COUPLED] = max(
            coupled, int(plan.transform is not None or not plan.matrix)
        )
        coupled = max(coupled, int(any(step.coupled for step in plan.before)))


def aligned(size: int, dtype: Any) -> npt.NDArray[Any]:
    """Zeros, 1-D, starting on a 64-byte boundary."""
    raw = np.zeros(size * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * np.dtype(dtype).itemsize].view(dtype)
