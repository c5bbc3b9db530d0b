"""Losses and optimizers beside their kernels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.nn import kernels
from dlprobe.nn.positions import (
    MOST_COEFFICIENTS,
    SUM_CHANGE_SQUARED,
    SUM_G_SQUARED,
    SUM_W_SQUARED,
    UPDATE_SUMS,
)
from dlprobe.nn.self_check.checks import Array, ComparedArrays, KernelCheck, block, rounded, wide
from dlprobe.nn.self_check.parts import ROWS, UNITS, each_of, spec_of
from dlprobe.parts.losses import ElementwiseLoss, RowLoss
from dlprobe.registry import Spec

STEP, RATE = 3, 0.1


def checks(dtype: str) -> Iterator[KernelCheck]:
    """One of every loss, alone and joined with its output activation, and of every optimizer."""
    for name, record in registry.records("loss").items():
        for fused in (False, True) if record.fused_row else (False,):
            label = f"{name} with {record.fused}" if fused else name
            of = partial(_loss_kernel, name, fused, dtype)
            pairs = partial(_loss, spec_of("loss", name), fused, dtype)
            yield KernelCheck("loss", label, dtype, of, pairs)
    for name in registry.records("optimizer"):
        of, pairs = (
            partial(kernels.optimizer, name, dtype),
            partial(_optimizer, spec_of("optimizer", name), dtype),
        )
        yield KernelCheck("optimizer", name, dtype, of, pairs)


def _loss_kernel(name: str, fused: bool, dtype: str) -> tuple[Any, ...]:
    return (kernels.loss(name, fused, dtype),)


def targets_of(record: Any, dtype: str) -> Array:
    """Targets (ROWS, UNITS) that the loss takes: numbers for a regression; else 0 and 1, one-hot
    unless outputs are independent, or −1 and +1 for a signed loss.
    """
    if "regression" in record.tasks:
        return block(ROWS, UNITS, dtype, phase=2.0)
    hits = (
        np.arange(ROWS * UNITS).reshape(ROWS, UNITS) % 2
        if record.independent
        else np.eye(UNITS)[np.arange(ROWS) % UNITS]
    )
    return np.ascontiguousarray(2 * hits - 1 if record.signed else hits, dtype)


def sample_losses(
    record: Any, fused: bool, z: Array, a: Array, targets: Array, numbers: tuple[float, ...]
) -> tuple[Array, Array]:
    """Each sample's loss (rows,) and its derivative by a, or by z where fused, without the
    record's `share`.
    """
    if isinstance(record, ElementwiseLoss) and not fused:
        return each_of(lambda p, y: record.value(p, y, *numbers), a, targets).sum(axis=1), each_of(
            lambda p, y: record.slope(p, y, *numbers), a, targets
        )
    values, derivatives = [], []
    for row_z, row_a, target in zip(
        *(wide(array).tolist() for array in (z, a, targets)), strict=True
    ):
        derivatives.append([0.0] * len(row_a))
        if fused:
            values.append(record.fused_row(row_z, row_a, target, derivatives[-1], *numbers))
        else:
            assert isinstance(record, RowLoss)
            values.append(record.row(row_a, target, derivatives[-1], *numbers))
    return wide(values), wide(derivatives)


def _loss(spec: Spec, fused: bool, dtype: str) -> Iterator[ComparedArrays]:
    record, z = spec.record, block(ROWS, UNITS, dtype)
    output = spec_of("activation", record.fused if fused else record.output_activation)
    a = wide(
        [output.record.evaluate(row, *output.parameters.values()) for row in wide(z).tolist()]
    ).astype(dtype)
    targets, weights, d, (scale,) = (
        targets_of(record, dtype),
        np.linspace(0.5, 2, ROWS, dtype=dtype),
        np.zeros_like(z),
        rounded((0.2,), dtype),
    )
    constants = kernels.loss_constants(spec, UNITS)
    total = kernels.loss(spec.name, fused, dtype)(
        z, a, targets, d, np.dtype(dtype).type(scale), weights, np.array(constants, dtype)
    )
    *numbers, mean = rounded(constants, dtype)
    values, slopes = sample_losses(record, fused, z, a, targets, tuple(numbers))
    yield ComparedArrays("value", wide(total), np.sum(values * wide(weights) * mean))
    yield ComparedArrays("slope", d, slopes * scale * mean * wide(weights)[:, None])


def _optimizer(spec: Spec, dtype: str) -> Iterator[ComparedArrays]:
    record, size = spec.record, 7
    update, prepare = kernels.optimizer(spec.name, dtype)
    count = record.update.__code__.co_argcount - 2 - record.states
    parameters = [*map(float, spec.parameters.values()), *record.running]
    values, numbers, sums = (
        wide(parameters),
        np.zeros(MOST_COEFFICIENTS, dtype),
        np.zeros(UPDATE_SUMS),
    )
    prepare(float(STEP), RATE, values, numbers)
    expected = record.coefficients(float(STEP), RATE, *parameters)
    yield ComparedArrays("coefficients", numbers[:count], wide(expected[:count]))
    yield ComparedArrays("running numbers", values[len(spec.parameters) :], wide(expected[count:]))
    (w,), (g,) = block(1, size, dtype), block(1, size, dtype, phase=1.0)
    state = np.abs(block(record.states, size, dtype, phase=2.0))
    arguments = zip(wide(w), wide(g), *wide(state), strict=True)
    plain = wide(
        [record.update(*map(float, row), *numbers[:count].tolist()) for row in arguments]
    ).reshape(size, -1)
    after, flat = w.copy(), state.ravel().copy()
    update(after, g, flat, 0, size, numbers, sums)
    yield ComparedArrays("weights", after, plain[:, 0])
    yield ComparedArrays("state", flat, plain[:, 1:].T)
    moved = wide(after) - wide(w)
    yield ComparedArrays(
        "squares of gradient, weight and update",
        sums[[SUM_G_SQUARED, SUM_W_SQUARED, SUM_CHANGE_SQUARED]],
        wide([np.sum(wide(g) ** 2), np.sum(wide(w) ** 2), np.sum(moved**2)]),
    )
