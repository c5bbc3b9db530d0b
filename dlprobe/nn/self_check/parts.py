"""Records beside their kernels: activations, normalizations, weight transforms, perturbations,
residual sums, losses and optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.nn import kernels, perturbation, residual
from dlprobe.nn.positions import (
    MOST_COEFFICIENTS,
    SLOPE_SUMS,
    SUM_CHANGE_SQUARED,
    SUM_G_SQUARED,
    SUM_W_SQUARED,
    UPDATE_SUMS,
)
from dlprobe.nn.random import NOISE, SLOPES, counter_of, operation_key, share
from dlprobe.nn.self_check.checks import Array, ComparedArrays, KernelCheck, block, rounded, wide
from dlprobe.parts import penalties
from dlprobe.parts.activations import (
    Activation,
    GatedActivation,
    LearnedActivation,
    RandomActivation,
)
from dlprobe.parts.losses import ElementwiseLoss, RowLoss
from dlprobe.registry import Spec

ROWS, UNITS, STEP, RATE = 5, 6, 3, 0.1
SEED, LAYER, AT = 3, 2, 5  # what random numbers are drawn from


def checks(dtype: str) -> Iterator[KernelCheck]:
    """One of every record that is compiled, and of the two operations that serve several."""
    for name in registry.records("activation"):
        chosen = spec_of("activation", name)
        yield KernelCheck(
            "activation",
            name,
            dtype,
            partial(_operation, kernels.activation, chosen, dtype),
            partial(_activation, chosen, dtype),
        )
    for kind in ("normalization", "weight_transform"):
        for name in registry.records(kind):
            chosen = spec_of(kind, name)
            yield KernelCheck(
                kind,
                name,
                dtype,
                partial(_operation, kernels.normalization, chosen, dtype),
                partial(_normalization, chosen, dtype),
            )
    for name in registry.records("perturbation"):
        chosen = spec_of("perturbation", name)
        of = partial(
            _operation,
            lambda given, kind: perturbation.perturbation(given, NOISE, kind),
            chosen,
            dtype,
        )
        yield KernelCheck("perturbation", name, dtype, of, partial(_perturbation, chosen, dtype))
    yield KernelCheck(
        "residual",
        "sum",
        dtype,
        partial(residual.residual_operation, dtype),
        partial(_residual, dtype),
    )
    yield KernelCheck(
        "penalty",
        "activity",
        dtype,
        partial(residual.activity_operation, dtype),
        partial(_activity, dtype),
    )
    for name, record in registry.records("loss").items():
        for fused in (False, True) if record.fused_row else (False,):
            label = f"{name} with {record.fused}" if fused else name
            yield KernelCheck(
                "loss",
                label,
                dtype,
                partial(_loss_kernel, name, fused, dtype),
                partial(_loss, spec_of("loss", name), fused, dtype),
            )
    for name in registry.records("optimizer"):
        yield KernelCheck(
            "optimizer",
            name,
            dtype,
            partial(kernels.optimizer, name, dtype),
            partial(_optimizer, spec_of("optimizer", name), dtype),
        )


def spec_of(kind: str, name: str) -> Spec:
    """A record with its defaults; two groups where it has groups, so that they fit."""
    return Spec(
        kind,
        name,
        {
            parameter.name: 2 if parameter.name == "groups" else parameter.default
            for parameter in registry.get(kind, name).parameters
        },
    )


def _operation(
    compile_it: Callable[..., kernels.KernelOperation], spec: Spec, dtype: str
) -> tuple[Any, Any]:
    operation = compile_it(spec, dtype)
    return operation.forward, operation.backward


def _loss_kernel(name: str, fused: bool, dtype: str) -> tuple[Any]:
    return (kernels.loss(name, fused, dtype),)


def counter(training: bool) -> Array:
    return counter_of(SEED, LAYER, AT, training)


def run(
    pair: Any,
    x: Array,
    width: int,
    dy: Array,
    constants: Sequence[float],
    training: bool,
    learned: Array,
    state: Array,
) -> tuple[Array, ...]:
    """(y, dx, gradient of what is learned, state) of a compiled forward and backward kernel."""
    y, dx, gradient = np.zeros((len(x), width), x.dtype), np.zeros_like(x), np.zeros_like(learned)
    numbers, of = np.array(constants, x.dtype), counter(training)
    forward, backward = pair
    forward(x, y, learned, state, numbers, of, training)
    backward(
        x,
        y,
        dy,
        dx,
        learned,
        gradient,
        state,
        numbers,
        of,
        np.zeros(width, x.dtype),
        np.zeros(SLOPE_SUMS),
    )
    return y, dx, gradient, state


# --- activations
# --------------------------------------------------------------------------------------------------


def _activation(spec: Spec, dtype: str) -> Iterator[ComparedArrays]:
    record, parameters = spec.record, rounded(spec.parameters.values(), dtype)
    columns = UNITS * record.inputs_per_unit
    x, dy = block(ROWS, columns, dtype), block(ROWS, UNITS, dtype, phase=1.0)
    operation = kernels.activation(spec, dtype)
    learned = np.array(record.learned(UNITS, *spec.parameters.values()), dtype)
    learned += np.linspace(0, 0.4, len(learned), dtype=dtype)
    for training in (False, True) if isinstance(record, RandomActivation) else (True,):
        state = np.zeros(2 * UNITS, dtype)
        y, dx, gradient, _ = run(
            (operation.forward, operation.backward),
            x,
            UNITS,
            dy,
            operation.constants,
            training,
            learned,
            state,
        )
        if not isinstance(record, Activation):
            yield ComparedArrays(
                "value", y, wide([record.evaluate(row, *parameters) for row in wide(x).tolist()])
            )
            yield ComparedArrays("slope", dx, whole_rows_backward(record, x, y, dy, parameters))
            continue
        numbers = _numbers_of_elements(record, parameters, learned, training)
        yield ComparedArrays("value", y, _each(record.value, x, *numbers))
        yield ComparedArrays("slope", dx, wide(dy) * _each(record.slope, x, y, *numbers))
        if isinstance(record, LearnedActivation):
            every = wide(dy) * _each(record.learned_slope, x, *numbers)
            yield ComparedArrays(
                "learned slope", gradient, every.sum(axis=0) if len(learned) > 1 else every.sum()
            )


def _numbers_of_elements(
    record: Activation, parameters: tuple[float, ...], learned: Array, training: bool
) -> list[Array]:
    """What value and slope take besides their argument, (rows, units) each."""
    shape = (ROWS, UNITS)
    if isinstance(record, LearnedActivation):
        return [np.broadcast_to(wide(learned), shape)]
    if isinstance(record, RandomActivation) and training:
        lower, upper = parameters
        return [lower + (upper - lower) * draws(share, SLOPES, shape)]
    return [np.full(shape, number) for number in record.numbers(*parameters)]


def draws(draw: Callable[..., Any], purpose: int, shape: tuple[int, int]) -> Array:
    """The numbers that a training step draws for the elements of a layer, float64 `shape`, in
    row-major order.

    draw: called as `draw(float64(0), key, position)` for each element. purpose: which of the random
        streams of `nn.random` gives the key.
    """
    with np.errstate(over="ignore"):
        key = operation_key(counter(True), np.uint64(purpose))
        return wide(
            [draw(np.float64(0), key, position) for position in range(shape[0] * shape[1])]
        ).reshape(shape)


def whole_rows_backward(
    record: Any, x: Array, y: Array, dy: Array, parameters: tuple[float, ...]
) -> Array:
    """dL/dx of an activation that takes whole rows, or pairs of numbers."""
    rows = []
    for row, value, d in zip(wide(x).tolist(), wide(y).tolist(), wide(dy).tolist(), strict=True):
        out = [0.0] * len(row)
        if isinstance(record, GatedActivation):
            slopes = [
                record.slopes(u, v, *parameters)
                for u, v in zip(row[: len(d)], row[len(d) :], strict=True)
            ]
            out = [dj * slope[side] for side in (0, 1) for dj, slope in zip(d, slopes, strict=True)]
        else:
            record.row_backward(value, d, out, *parameters)
        rows.append(out)
    return wide(rows)


def _each(function: Callable[..., float], *arrays: Array) -> Array:
    """`function` of every element as plain Python floats."""
    flat = zip(*(wide(array).ravel().tolist() for array in arrays), strict=True)
    return wide([function(*numbers) for numbers in flat]).reshape(arrays[0].shape)


# --- other operations
# --------------------------------------------------------------------------------------------------


def _normalization(spec: Spec, dtype: str) -> Iterator[ComparedArrays]:
    """The record's functions are plain loops: they run as they stand."""
    record, operation = spec.record, kernels.normalization(spec, dtype)
    x, dy = block(ROWS, UNITS, dtype), block(ROWS, UNITS, dtype, phase=1.0)
    transform = spec.kind == "weight_transform"
    learned = (
        np.zeros(0, dtype)
        if transform
        else np.array(record.learned(UNITS), dtype)
        + np.linspace(0, 1, len(record.learned(UNITS)), dtype=dtype)
    )
    size = record.scratch(UNITS) + (0 if transform else record.persistent(UNITS))
    y, dx, gradient, state = run(
        (operation.forward, operation.backward),
        x,
        UNITS,
        dy,
        operation.constants,
        True,
        learned,
        np.zeros(size, dtype),
    )
    plain = [np.zeros(x.shape), np.zeros(x.shape), np.zeros(len(learned)), np.zeros(size)]
    constants = wide(rounded(operation.constants, dtype))
    record.forward(wide(x), plain[0], wide(learned), plain[3], constants, counter(True), True)
    record.backward(
        wide(x),
        plain[0],
        wide(dy),
        plain[1],
        wide(learned),
        plain[2],
        plain[3],
        constants,
        counter(True),
        np.zeros(UNITS),
        np.zeros(SLOPE_SUMS),
    )
    yield from map(
        ComparedArrays,
        ("value", "slope", "gradient of scale and shift"),
        (y, dx, gradient),
        plain[:3],
    )
    kept = 0 if transform else record.persistent(UNITS)
    yield ComparedArrays("running statistics", state[:kept], plain[3][:kept])


def _perturbation(spec: Spec, dtype: str) -> Iterator[ComparedArrays]:
    record, parameters = spec.record, rounded(spec.parameters.values(), dtype)
    operation = perturbation.perturbation(spec, NOISE, dtype)
    x, dy, none = (
        block(ROWS, UNITS, dtype),
        block(ROWS, UNITS, dtype, phase=1.0),
        np.zeros(0, dtype),
    )
    drawn = draws(perturbation.DRAWS[record.draws], NOISE, x.shape)
    for training in (True, False):
        y, dx, *_ = run(
            (operation.forward, operation.backward),
            x,
            UNITS,
            dy,
            operation.constants,
            training,
            none,
            none,
        )
        yield ComparedArrays(
            "value",
            y,
            _each(lambda a, draw: record.value(a, draw, *parameters), x, drawn) if training else x,
        )
        yield ComparedArrays(
            "slope",
            dx,
            wide(dy) * _each(lambda draw: record.slope(draw, *parameters), drawn)
            if training
            else dy,
        )


def _residual(dtype: str) -> Iterator[ComparedArrays]:
    """y += α x, with α a constant and as a learned number."""
    pair, (scale,) = residual.residual_operation(dtype), rounded((0.3,), dtype)
    x, before, dy = (block(ROWS, UNITS, dtype, phase) for phase in (0.0, 0.5, 1.0))
    for learned in (np.zeros(0, dtype), np.array([scale], dtype)):
        y, dx, gradient, constants = (
            before.copy(),
            np.zeros_like(x),
            np.zeros_like(learned),
            np.array([scale], dtype),
        )
        pair[0](x, y, learned, learned, constants, counter(True), True)
        pair[1](
            x,
            y,
            dy,
            dx,
            learned,
            gradient,
            learned,
            constants,
            counter(True),
            np.zeros(UNITS, dtype),
            np.zeros(SLOPE_SUMS),
        )
        yield ComparedArrays("value", y, wide(before) + scale * wide(x))
        yield ComparedArrays("slope", dx, scale * wide(dy))
        yield ComparedArrays(
            "gradient of the factor", gradient, wide([np.sum(wide(x) * wide(dy))] * len(learned))
        )


def _activity(dtype: str) -> Iterator[ComparedArrays]:
    x, dy, none = (
        block(ROWS, UNITS, dtype),
        block(ROWS, UNITS, dtype, phase=1.0),
        np.zeros(0, dtype),
    )
    l1, l2 = rounded((0.2, 0.1), dtype)
    y, dx, _, state = run(
        residual.activity_operation(dtype), x, UNITS, dy, (l1, l2), True, none, np.zeros(1, dtype)
    )
    yield ComparedArrays("value", y, x)
    yield ComparedArrays(
        "penalty",
        state,
        _each(lambda a: penalties.l1_value(a, l1) + penalties.l2_value(a, l2), x).sum() / ROWS,
    )
    yield ComparedArrays(
        "slope",
        dx,
        wide(dy) + _each(lambda a: penalties.l1_slope(a, l1) + penalties.l2_slope(a, l2), x) / ROWS,
    )


# --- losses and optimizers
# --------------------------------------------------------------------------------------------------


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
        return _each(lambda p, y: record.value(p, y, *numbers), a, targets).sum(axis=1), _each(
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
