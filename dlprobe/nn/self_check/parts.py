"""Records beside their kernels: activations, normalizations, weight transforms, perturbations and
residual sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.nn import kernels, perturbation, residual
from dlprobe.nn.positions import SLOPE_SUMS
from dlprobe.nn.random import NOISE, SLOPES, counter_of, operation_key, share
from dlprobe.nn.self_check.checks import Array, ComparedArrays, KernelCheck, block, rounded, wide
from dlprobe.parts import penalties
from dlprobe.parts.activations import (
    Activation,
    GatedActivation,
    LearnedActivation,
    RandomActivation,
)
from dlprobe.registry import Spec

ROWS, UNITS = 5, 6
SEED, LAYER, AT = 3, 2, 5  # what random numbers are drawn from


def checks(dtype: str) -> Iterator[KernelCheck]:
    """One of every record that is compiled, and of the two operations that serve several."""
    ways: dict[str, tuple[Any, Any]] = {
        "activation": (kernels.activation, _activation),
        "normalization": (kernels.normalization, _normalization),
        "weight_transform": (kernels.normalization, _normalization),
        "perturbation": (
            lambda spec, dtype: perturbation.perturbation(spec, NOISE, dtype),
            _perturbation,
        ),
    }
    for kind, (compiled, compared) in ways.items():
        for name in registry.records(kind):
            chosen = spec_of(kind, name)
            pair = partial(_operation, compiled, chosen, dtype)
            yield KernelCheck(kind, name, dtype, pair, partial(compared, chosen, dtype))
    served = (
        ("residual", "sum", residual.residual_operation, _residual),
        ("penalty", "activity", residual.activity_operation, _activity),
    )
    for kind, name, compiled, compared in served:
        of, pairs = partial(compiled, dtype), partial(compared, dtype)
        yield KernelCheck(kind, name, dtype, of, pairs)


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


def counter(training: bool) -> Array:
    return counter_of(SEED, LAYER, AT, training)


def run(
    pair: Any,
    x: Array,
    y: Array,
    dy: Array,
    constants: Sequence[float],
    training: bool,
    learned: Array,
    state: Array,
) -> tuple[Array, ...]:
    """(y, dx, gradient of what is learned, state) of a forward and a backward kernel; y and state
    are written to.
    """
    dx, gradient = np.zeros_like(x), np.zeros_like(learned)
    numbers, of = np.array(constants, x.dtype), counter(training)
    forward, backward = pair
    forward(x, y, learned, state, numbers, of, training)
    sums = np.zeros(y.shape[1], x.dtype), np.zeros(SLOPE_SUMS)
    backward(x, y, dy, dx, learned, gradient, state, numbers, of, *sums)
    return y, dx, gradient, state


def _activation(spec: Spec, dtype: str) -> Iterator[ComparedArrays]:
    record, parameters = spec.record, rounded(spec.parameters.values(), dtype)
    columns = UNITS * record.inputs_per_unit
    x, dy = block(ROWS, columns, dtype), block(ROWS, UNITS, dtype, phase=1.0)
    operation = kernels.activation(spec, dtype)
    learned = np.array(record.learned(UNITS, *spec.parameters.values()), dtype)
    learned += np.linspace(0, 0.4, len(learned), dtype=dtype)
    for training in (False, True) if isinstance(record, RandomActivation) else (True,):
        state = np.zeros(2 * UNITS, dtype)
        pair, empty = (operation.forward, operation.backward), np.zeros((ROWS, UNITS), dtype)
        y, dx, gradient, _ = run(pair, x, empty, dy, operation.constants, training, learned, state)
        if not isinstance(record, Activation):
            yield ComparedArrays(
                "value", y, wide([record.evaluate(row, *parameters) for row in wide(x).tolist()])
            )
            yield ComparedArrays("slope", dx, whole_rows_backward(record, x, y, dy, parameters))
            continue
        numbers = _numbers_of_elements(record, parameters, learned, training)
        yield ComparedArrays("value", y, each_of(record.value, x, *numbers))
        yield ComparedArrays("slope", dx, wide(dy) * each_of(record.slope, x, y, *numbers))
        if isinstance(record, LearnedActivation):
            every = wide(dy) * each_of(record.learned_slope, x, *numbers)
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


def each_of(function: Callable[..., float], *arrays: Array) -> Array:
    """`function` of every element as plain Python floats."""
    flat = zip(*(wide(array).ravel().tolist() for array in arrays), strict=True)
    return wide([function(*numbers) for numbers in flat]).reshape(arrays[0].shape)


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
    constants = operation.constants
    (y, dx, gradient, state), plain = (
        run(
            pair,
            x.astype(kind),
            np.zeros(x.shape, kind),
            dy.astype(kind),
            rounded(constants, dtype),
            True,
            learned.astype(kind),
            np.zeros(size, kind),
        )
        for pair, kind in (
            ((operation.forward, operation.backward), dtype),
            ((record.forward, record.backward), "float64"),
        )
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
        pair, empty = (operation.forward, operation.backward), np.zeros_like(x)
        y, dx, *_ = run(pair, x, empty, dy, operation.constants, training, none, none)
        yield ComparedArrays(
            "value",
            y,
            each_of(lambda a, draw: record.value(a, draw, *parameters), x, drawn)
            if training
            else x,
        )
        yield ComparedArrays(
            "slope",
            dx,
            wide(dy) * each_of(lambda draw: record.slope(draw, *parameters), drawn)
            if training
            else dy,
        )


def _residual(dtype: str) -> Iterator[ComparedArrays]:
    """y += α x, with α a constant and as a learned number."""
    pair, (scale,) = residual.residual_operation(dtype), rounded((0.3,), dtype)
    x, before, dy = (block(ROWS, UNITS, dtype, phase) for phase in (0.0, 0.5, 1.0))
    for learned in (np.zeros(0, dtype), np.array([scale], dtype)):
        y, dx, gradient, _ = run(pair, x, before.copy(), dy, [scale], True, learned, learned)
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
    pair, empty = residual.activity_operation(dtype), np.zeros_like(x)
    y, dx, _, state = run(pair, x, empty, dy, (l1, l2), True, none, np.zeros(1, dtype))
    yield ComparedArrays("value", y, x)
    yield ComparedArrays(
        "penalty",
        state,
        each_of(lambda a: penalties.l1_value(a, l1) + penalties.l2_value(a, l2), x).sum() / ROWS,
    )
    yield ComparedArrays(
        "slope",
        dx,
        wide(dy)
        + each_of(lambda a: penalties.l1_slope(a, l1) + penalties.l2_slope(a, l2), x) / ROWS,
    )
