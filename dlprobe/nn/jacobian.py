"""The Jacobian of the net's last preactivation in its inputs, sample by sample, in evaluation mode:
the engine's own backward kernels, called one by one.

Every row of the layer program is passed through backwards, so whatever a layer does is in it:
normalizations, gates, residual sums.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn import program as p
from dlprobe.nn.network import Network
from dlprobe.nn.positions import SLOPE_SUMS
from dlprobe.nn.random import counter_of

Array = npt.NDArray[Any]
# elements of all samples' derivatives in one layer, which bounds the samples worked through at once
LARGEST = 2**22
PROBE = 2.0**20  # far above any mean of a batch


def log_singular_values(network: Network, inputs: Array, targets: Array) -> npt.NDArray[np.float64]:
    """ln σ of each sample's Jacobian dz_L/dx (outputs, features): (samples, min(outputs,
    features)), largest first, −inf where σ is 0 to rounding.

    inputs (samples, features) and targets (samples, outputs) of the net's dtype; the targets do not
    matter. Leaves parameters and state as they are.
    """
    outputs, features = network.layers[-1].fan_out, network.layers[0].fan_in
    widest = max(max(layer.fan_in, layer.fan_out) for layer in network.layers)
    at_once = max(1, min(network.rows, LARGEST // (outputs * widest)))
    blocks = [
        _of_block(network, inputs[start : start + at_once], targets[start : start + at_once])
        for start in range(0, len(inputs), at_once)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, min(outputs, features)))


def _of_block(network: Network, inputs: Array, targets: Array) -> npt.NDArray[np.float64]:
    network.evaluate(inputs, targets)
    jacobians, log_scale = jacobian(network, len(inputs))
    if not np.isfinite(jacobians).all():
        return np.full((len(inputs), min(jacobians.shape[1:])), np.nan)
    values = np.linalg.svd(jacobians.astype(np.float64), compute_uv=False)
    rounding = float(np.finfo(network.dtype).eps) * max(jacobians.shape[1:]) * values[:, :1]
    with np.errstate(divide="ignore"):
        logs: npt.NDArray[np.float64] = np.log(np.where(values > rounding, values, 0.0)) + log_scale
    return logs


def jacobian(network: Network, rows: int) -> tuple[Array, float]:
    """dz_L/dx (rows, outputs, features) of the block of `rows` samples that was last evaluated,
    times e to the second number, which keeps it in range.
    """
    outputs = network.layers[-1].fan_out
    d = np.zeros((outputs, rows, outputs), network.dtype)
    for k in range(outputs):
        d[k, :, k] = 1
    log_scale = 0.0
    with np.errstate(all="ignore"):
        for index in range(len(network.layers) - 1, -1, -1):
            d = _through_layer(network, index, rows, d)
            largest = float(np.abs(d).max())
            if 0 < largest < math.inf:
                d /= d.dtype.type(largest)
                log_scale += math.log(largest)
    return d.transpose(1, 0, 2), log_scale


def _through_layer(network: Network, index: int, rows: int, d: Array) -> Array:
    """From the derivatives in a layer's output (in z for the last layer) to those in what it
    gets from the previous one; all (outputs, rows, units).
    """
    layer, table = network.program.layers[index], network.program.operations
    around: Array | None = None
    counts = index < len(network.layers) - 1  # what follows the last layer's product does not
    for k in range(int(layer[p.END_OPERATION]) - 1, int(layer[p.FIRST_OPERATION]) - 1, -1):
        role = int(table[k, p.ROLE])
        if role == p.PRODUCT:
            d, counts = _through_product(network, index, d), True
        elif counts and role != p.PERTURBATION:  # which evaluation leaves out
            around = d if role == p.RESIDUAL else around
            d = _through_operation(network, index, table[k], rows, d)
    return d if around is None else d + around


def _through_product(network: Network, index: int, d: Array) -> Array:
    layer = network.program.layers[index]
    if layer[p.WEIGHT] < 0:
        return d
    start, shape = int(layer[p.EFFECTIVE]), (int(layer[p.FAN_IN]), int(layer[p.FAN_OUT]))
    multiplied = (
        network.weights(index)
        if layer[p.TRANSFORM] < 0
        else network.memory.blocks[start : start + shape[0] * shape[1]].reshape(shape)
    )
    through: Array = d @ multiplied.T
    return through


def _through_operation(
    network: Network, index: int, op: npt.NDArray[np.int64], rows: int, d: Array
) -> Array:
    """An operation's backward kernel for each output's derivatives."""
    net, kernel = network.memory, network.program.kernels[op[p.KERNEL]]
    learned = net.parameters[op[p.LEARNED] : op[p.LEARNED_END]]
    state, constants = (
        net.state[op[p.STATE] : op[p.STATE_END]].copy(),
        net.constants[op[p.CONSTANT] : op[p.CONSTANT_END]],
    )
    counter, peak, slopes = (
        counter_of(network.seed, index),
        np.zeros(int(op[p.WIDTH_OUT]), d.dtype),
        np.zeros(SLOPE_SUMS),
    )
    norm = network.layers[index].norm
    if op[p.ROLE] == p.NORMALIZATION and norm is not None and norm.record.couples_samples:
        return d * _straight_slope(
            kernel.forward, d.shape[2], (learned, state, constants, counter, False), d.dtype
        )
    x = net.blocks[op[p.X] : op[p.X] + rows * op[p.WIDTH_IN]].reshape(rows, op[p.WIDTH_IN])
    y = net.blocks[op[p.Y] : op[p.Y] + rows * op[p.WIDTH_OUT]].reshape(rows, op[p.WIDTH_OUT])
    passed = np.empty((len(d), rows, int(op[p.WIDTH_IN])), d.dtype)
    for dy, dx in zip(np.ascontiguousarray(d), passed, strict=True):
        kernel.backward(
            x, y, dy, dx, learned, np.zeros_like(learned), state, constants, counter, peak, slopes
        )
    return passed


def _straight_slope(forward: Any, units: int, arguments: tuple[Any, ...], dtype: Any) -> Array:
    """The slope per unit of a normalization that takes mean and variance over the batch: in
    evaluation mode it is a straight line.
    """
    ends = np.repeat(np.array([[PROBE], [-PROBE]], dtype), units, axis=1)
    line = np.empty_like(ends)
    forward(ends, line, *arguments)
    slope: Array = (line[0] - line[1]) / line.dtype.type(2 * PROBE)
    return slope
