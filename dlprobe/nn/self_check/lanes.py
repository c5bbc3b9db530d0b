"""The forms of whole rows that fleets use, one net per lane, beside the record run net by net."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.nn import fleet, kernels, lanes
from dlprobe.nn.self_check.checks import Array, ComparedArrays, KernelCheck, block, rounded, wide
from dlprobe.nn.self_check.outputs import sample_losses, targets_of
from dlprobe.nn.self_check.parts import ROWS, UNITS, run, spec_of, whole_rows_backward
from dlprobe.nn.tiles import AVAILABLE
from dlprobe.parts.activations import RowActivation
from dlprobe.parts.losses import RowLoss
from dlprobe.registry import Spec


def checks(dtype: str) -> Iterator[KernelCheck]:
    """One of every row-wise activation and loss, joined and not; none where the processor has
    no fleets.
    """
    for name, record in registry.records("activation").items() if AVAILABLE else ():
        if isinstance(record, RowActivation):
            for joined in (False, True):
                label = f"{name} of a fleet{', joined' if joined else ''}"
                of, pairs = (
                    partial(lanes.row_operation, record, joined, dtype),
                    partial(_activation, spec_of("activation", name), joined, dtype),
                )
                yield KernelCheck("activation", label, dtype, of, pairs)
    for name, record in registry.records("loss").items() if AVAILABLE else ():
        for joined in ([False] if isinstance(record, RowLoss) else []) + (
            [True] if record.fused_row else []
        ):
            label = f"{name} of a fleet{', joined' if joined else ''}"
            kernel = partial(_loss_kernel, name, joined, dtype)
            pairs = partial(_loss, spec_of("loss", name), joined, dtype)
            yield KernelCheck("loss", label, dtype, kernel, pairs)


def _loss_kernel(name: str, joined: bool, dtype: str) -> tuple[Any]:
    spec = spec_of("loss", name)
    return (lanes.loss(spec.record, joined, len(kernels.loss_constants(spec, UNITS)) - 1, dtype),)


def _side_by_side(nets: list[Array]) -> Array:
    """Blocks (rows, units) of all nets as a fleet keeps them: (rows, units·lanes)."""
    return np.ascontiguousarray(np.stack(nets, axis=2).reshape(len(nets[0]), -1))


def _blocks(dtype: str, phase: float) -> list[Array]:
    return [block(ROWS, UNITS, dtype, phase + lane) for lane in range(fleet.lanes_of(dtype))]


def _activation(spec: Spec, joined: bool, dtype: str) -> Iterator[ComparedArrays]:
    record, parameters, none = (
        spec.record,
        rounded(spec.parameters.values(), dtype),
        np.zeros(0, dtype),
    )
    nets, deltas = _blocks(dtype, 0.0), _blocks(dtype, 0.5)
    x, dy = _side_by_side(nets), _side_by_side(deltas)
    pair, constants = lanes.row_operation(record, joined, dtype), (*parameters, len(nets))
    y, dx, *_ = run(pair, x, np.zeros_like(x), dy, constants, True, none, none)
    values = [
        wide([record.evaluate(row, *parameters) for row in wide(net).tolist()]) for net in nets
    ]
    yield ComparedArrays("value", y, _side_by_side(values))
    if not joined:
        own = [y[:, lane :: len(nets)] for lane in range(len(nets))]
        slopes = [
            whole_rows_backward(record, *each, parameters)
            for each in zip(nets, own, deltas, strict=True)
        ]
        yield ComparedArrays("slope", dx, _side_by_side(slopes))


def _loss(spec: Spec, joined: bool, dtype: str) -> Iterator[ComparedArrays]:
    record, nets = spec.record, _blocks(dtype, 0.0)
    output = spec_of("activation", record.fused if joined else record.output_activation)
    values = [
        wide(
            [output.record.evaluate(row, *output.parameters.values()) for row in wide(net).tolist()]
        ).astype(dtype)
        for net in nets
    ]
    targets, constants, (scale,) = (
        targets_of(record, dtype),
        kernels.loss_constants(spec, UNITS),
        rounded((0.2,), dtype),
    )
    z, a, wanted = _side_by_side(nets), _side_by_side(values), _side_by_side([targets] * len(nets))
    d, each = np.zeros_like(z), np.ones(ROWS, dtype)
    kernel = lanes.loss(record, joined, len(constants) - 1, dtype)
    total = kernel(
        z, a, wanted, d, np.dtype(dtype).type(scale), each, np.array((*constants, len(nets)), dtype)
    )
    *numbers, mean = rounded(constants, dtype)
    plain = [
        sample_losses(record, joined, *net, targets, tuple(numbers))
        for net in zip(nets, values, strict=True)
    ]
    yield ComparedArrays("value", wide(total), sum(np.sum(losses) for losses, _ in plain) * mean)
    yield ComparedArrays("slope", d, _side_by_side([slopes * scale * mean for _, slopes in plain]))
