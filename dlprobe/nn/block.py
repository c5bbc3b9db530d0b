"""The training loop: one compiled function runs a block of whole training steps and fills their statistics.

A number's way: `gather` a batch → per layer `forward_layer` (product, bias, operations) → loss → per layer from the output back `backward_layer`
(operations, error signal, product with Wᵀ, product with the inputs, update). Python is entered once per block.
"""

from __future__ import annotations

import math
from collections import namedtuple
from functools import cache
from typing import Any

import numpy as np
from numba import types

from dlprobe.nn import observe
from dlprobe.nn import program as p
from dlprobe.nn.cache import SUMS, compiled, inlined
from dlprobe.nn.kernels import MAX_OPERATIONS, PRECISIONS, UPDATE_SUMS, Types
from dlprobe.nn.matmul import product, product_with_transposed, transposed_product
from dlprobe.nn.random import shuffle

FINISHED, DIVERGED = 0, 1
BATCH_LOSS, PENALTY, LEARNING_RATE, GRADIENT_NORM, CLIP_SCALE, SCALARS = range(6)
SCALAR_NAMES = ("batch_loss", "penalty", "learning_rate", "gradient_norm", "clip_scale")

# All memory of one model. `blocks` holds one batch of every layer's inputs and outputs; `deltas` three blocks that dL/da and dL/dz pass through in turn.
Net = namedtuple(
    "Net",
    "layers operations constants parameters gradients moments state blocks deltas targets no_bias peak input_square error_square unit_sums unit_squares",
)
# First-class functions: the two tuples are padded to MAX_OPERATIONS, so that the loop is compiled once whatever the net is made of.
Kernels = namedtuple("Kernels", "forward backward loss update prepare")
# What a block works through: prepared data (samples, features) and (samples, outputs), the visiting order, and where in the run it stands.
Work = namedtuple("Work", "inputs targets order batch seed first_step rates optimizer_parameters fused keep_gradients")

NET_TYPES = ("int64_2d", "int64_2d", *("vector",) * 6, "matrix", "vector", "vector", "vector", *("float64_1d",) * 4)


def net_type(precision: Types) -> Any:
    known = {
        "int64_2d": types.Array(types.int64, 2, "C", aligned=True),
        "float64_1d": types.Array(types.float64, 1, "C", aligned=True),
        "vector": precision.vector,
        "matrix": precision.matrix,
    }
    return types.NamedTuple([known[name] for name in NET_TYPES], Net)


def kernels_type(precision: Types) -> Any:
    function = types.FunctionType
    return types.NamedTuple(
        [
            types.UniTuple(function(precision.forward), MAX_OPERATIONS),
            types.UniTuple(function(precision.backward), MAX_OPERATIONS),
            function(precision.loss),
            function(precision.update),
            function(precision.prepare),
        ],
        Kernels,
    )


def work_type(precision: Types) -> Any:
    integers = types.Array(types.int64, 1, "C", aligned=True)
    floats = types.Array(types.float64, 1, "C", aligned=True)
    return types.NamedTuple(
        [precision.matrix, precision.matrix, integers, types.int64, types.uint64, types.int64, floats, floats, types.boolean, types.boolean], Work
    )


def block_of(net: Any, offset: Any, rows: Any, width: Any) -> Any:
    """The (rows, width) block at `offset` of the batch memory."""
    return net.blocks[offset : offset + rows * width].reshape(rows, width)


def delta_of(net: Any, which: Any, rows: Any, width: Any) -> Any:
    """The (rows, width) block in one of the three delta buffers."""
    return net.deltas[which][: rows * width].reshape(rows, width)


def gather(net: Any, work: Any, order: Any) -> None:
    """Copy the batch's rows next to each other, and note each row's Σ x²."""
    rows, features, outputs = len(order), work.inputs.shape[1], work.targets.shape[1]
    x = block_of(net, net.layers[0, p.INPUT], rows, features)
    target = net.targets[: rows * outputs].reshape(rows, outputs)
    for i in range(rows):
        source, row = work.inputs[order[i]], x[i]
        square = 0.0
        for j in range(features):
            row[j] = source[j]
            square += np.float64(source[j]) * np.float64(source[j])
        net.input_square[i] = square
        label, wanted = work.targets[order[i]], target[i]
        for j in range(outputs):
            wanted[j] = label[j]


def forward_layer(net: Any, kernels: Any, index: Any, rows: Any, training: Any, counter: Any, statistics: Any) -> None:
    """z = x W + b, then the layer's operations, and the statistics of z and a."""
    layer = net.layers[index]
    fan_in, fan_out, units = layer[p.FAN_IN], layer[p.FAN_OUT], layer[p.UNITS]
    x = block_of(net, layer[p.INPUT], rows, fan_in)
    z = block_of(net, layer[p.Z], rows, fan_out)
    product(x, net.parameters[layer[p.WEIGHT] : layer[p.WEIGHT] + fan_in * fan_out].reshape(fan_in, fan_out), z)
    bias = net.parameters[layer[p.BIAS] : layer[p.BIAS] + fan_out] if layer[p.BIAS] >= 0 else net.no_bias[:fan_out]
    observe.add_bias(z, bias, statistics)
    counter[1] = index
    for k in range(layer[p.FIRST_OPERATION], layer[p.END_OPERATION]):
        op = net.operations[k]
        kernels.forward[op[p.KERNEL]](
            block_of(net, op[p.X], rows, op[p.WIDTH_IN]),
            block_of(net, op[p.Y], rows, op[p.WIDTH_OUT]),
            net.parameters[op[p.LEARNED] : op[p.LEARNED_END]],
            net.state[op[p.STATE] : op[p.STATE_END]],
            net.constants[op[p.CONSTANT] : op[p.CONSTANT_END]],
            counter,
            training,
        )
    a = block_of(net, layer[p.OUTPUT], rows, units)
    following = index + 1
    width = len(net.input_square) // (len(net.layers) + 1)
    observe.observe_activation(a, net.input_square[following * width : following * width + rows], net.unit_sums, net.unit_squares, statistics)


def backward_operations(net: Any, kernels: Any, index: Any, rows: Any, current: Any, skip_last: Any, counter: Any, slopes: Any, base: Any, statistics: Any) -> Any:
    """Pass dL/da back through the layer's operations, last first; returns which delta buffer then holds dL/dz.

    `skip_last`: the loss was joined with the last operation and gave dL/dz already; that operation's backward pass still runs for its slope statistics.
    """
    layer = net.layers[index]
    slopes[2] = 0.0
    counter[1] = index
    for k in range(layer[p.END_OPERATION] - 1, layer[p.FIRST_OPERATION] - 1, -1):
        op = net.operations[k]
        other = (current + 1) % 3
        kernels.backward[op[p.KERNEL]](
            block_of(net, op[p.X], rows, op[p.WIDTH_IN]),
            block_of(net, op[p.Y], rows, op[p.WIDTH_OUT]),
            delta_of(net, current, rows, op[p.WIDTH_OUT]),
            delta_of(net, other, rows, op[p.WIDTH_IN]),
            net.parameters[op[p.LEARNED] : op[p.LEARNED_END]],
            net.gradients[base + op[p.LEARNED] : base + op[p.LEARNED_END]],
            net.state[op[p.STATE] : op[p.STATE_END]],
            net.constants[op[p.CONSTANT] : op[p.CONSTANT_END]],
            counter,
            net.peak[: op[p.WIDTH_OUT]],
            slopes,
        )
        if not (skip_last and k == layer[p.END_OPERATION] - 1):
            current = other
    observe.observe_slopes(slopes, net.peak[: layer[p.UNITS]], rows, statistics)
    return current


def update_layer(net: Any, kernels: Any, index: Any, base: Any, coefficients: Any, sums: Any, statistics: Any) -> Any:
    """Step the layer's weights, then its other parameters; returns the Σ g² of all of them, and records gradient, weight and update statistics."""
    layer = net.layers[index]
    start, size, end = layer[p.WEIGHT], layer[p.FAN_IN] * layer[p.FAN_OUT], layer[p.END]
    stride = len(net.parameters)
    gradient = net.gradients[base + start : base + start + size]
    kernels.update(net.parameters[start : start + size], gradient, net.moments, start, stride, coefficients, sums)
    observe.observe_update(sums, size, statistics)
    square = sums[2]
    if not math.isfinite(square):
        statistics[observe.NONFINITE_BACKWARD] += observe.count_nonfinite(gradient.reshape(layer[p.FAN_IN], layer[p.FAN_OUT]))
    bias = net.parameters[layer[p.BIAS] : layer[p.BIAS] + layer[p.FAN_OUT]] if layer[p.BIAS] >= 0 else net.parameters[:0]
    statistics[observe.BIAS_RMS] = observe.root_mean_square(bias)
    rest = start + size
    if end > rest:
        kernels.update(net.parameters[rest:end], net.gradients[base + rest : base + end], net.moments, rest, stride, coefficients, sums)
        square += sums[2]
    return square


def backward_layer(
    net: Any, kernels: Any, work: Any, index: Any, rows: Any, current: Any, counter: Any, slopes: Any, coefficients: Any, sums: Any, smallest: Any, statistics: Any
) -> Any:
    """One layer of the backward pass, from dL/da in buffer `current`; returns (the buffer of the previous layer's dL/da, Σ g² of the layer)."""
    layer = net.layers[index]
    fan_in, fan_out, last = layer[p.FAN_IN], layer[p.FAN_OUT], len(net.layers) - 1
    base = 0 if work.keep_gradients else -layer[p.WEIGHT]
    width = len(net.input_square) // (len(net.layers) + 1)
    if index < last:
        statistics[observe.UNDERFLOW_COUNT] = observe.count_underflow(delta_of(net, current, rows, layer[p.UNITS]), net.error_square, smallest)
    current = backward_operations(net, kernels, index, rows, current, index == last and work.fused, counter, slopes, base, statistics)
    d = delta_of(net, current, rows, fan_out)
    bias_gradient = net.gradients[base + layer[p.BIAS] : base + layer[p.BIAS] + fan_out] if layer[p.BIAS] >= 0 else net.peak[:fan_out]
    observe.observe_error(d, bias_gradient, net.error_square, statistics)
    x = block_of(net, layer[p.INPUT], rows, fan_in)
    if layer[p.COUPLED] == 0:
        input_square = net.input_square[index * width : index * width + rows]
        statistics[observe.GRADIENT_SAMPLE_RMS] = observe.sample_gradient_rms(input_square, net.error_square, rows, fan_in * fan_out)
    other = (current + 1) % 3
    weights = slice(layer[p.WEIGHT], layer[p.WEIGHT] + fan_in * fan_out)
    if index > 0:  # before W is stepped
        product_with_transposed(d, net.parameters[weights].reshape(fan_in, fan_out), delta_of(net, other, rows, fan_in))
    transposed_product(x, d, net.gradients[base + weights.start : base + weights.stop].reshape(fan_in, fan_out))
    return other, update_layer(net, kernels, index, base, coefficients, sums, statistics)


def forward_pass(net: Any, kernels: Any, rows: Any, training: Any, counter: Any, statistics: Any) -> Any:
    """All layers forward; returns the number of non-finite elements met."""
    found = 0.0
    for index in range(len(net.layers)):
        forward_layer(net, kernels, index, rows, training, counter, statistics[index])
        found += statistics[index, observe.NONFINITE_FORWARD]
    return found


def batch_loss(net: Any, kernels: Any, rows: Any, fused: Any, scale: Any) -> Any:
    """The loss kernel on the batch in memory; leaves its derivative in delta buffer 0. Returns the sum of the samples' losses."""
    layer = net.layers[-1]
    units = layer[p.UNITS]
    last = net.operations[layer[p.END_OPERATION] - 1]
    z = block_of(net, last[p.X], rows, last[p.WIDTH_IN])
    target = net.targets[: rows * units].reshape(rows, units)
    return kernels.loss(z, block_of(net, layer[p.OUTPUT], rows, units), target, delta_of(net, 0, rows, units), scale)


def training_step(net: Any, kernels: Any, work: Any, step: Any, rows: Any, scratch: Any, smallest: Any, statistics: Any, scalars: Any) -> Any:
    """One whole step on the batch in memory; fills its statistics (layer, STATISTICS) and scalars. Returns FINISHED or DIVERGED."""
    coefficients, sums, slopes, counter = scratch
    one = net.parameters.dtype.type(1)
    statistics[:] = np.nan
    statistics[:, observe.NONFINITE_BACKWARD] = 0
    counter[2] = np.uint64(step)
    rate = work.rates[step - work.first_step]
    lost = forward_pass(net, kernels, rows, True, counter, statistics)
    scalars[BATCH_LOSS] = batch_loss(net, kernels, rows, work.fused, one / net.parameters.dtype.type(rows)) / rows
    scalars[PENALTY], scalars[LEARNING_RATE], scalars[GRADIENT_NORM], scalars[CLIP_SCALE] = 0.0, rate, np.nan, 1.0
    if lost > 0 or not math.isfinite(scalars[BATCH_LOSS]):
        return DIVERGED
    kernels.prepare(np.float64(step + 1), rate, work.optimizer_parameters, coefficients)
    current = 0
    square = 0.0
    lost = 0.0
    for index in range(len(net.layers) - 1, -1, -1):
        current, of_layer = backward_layer(net, kernels, work, index, rows, current, counter, slopes, coefficients, sums, smallest, statistics[index])
        square += of_layer
        lost += statistics[index, observe.NONFINITE_BACKWARD]
    scalars[GRADIENT_NORM] = math.sqrt(square)
    return DIVERGED if lost > 0 else FINISHED


for _function in (
    block_of,
    delta_of,
    gather,
    forward_layer,
    backward_operations,
    update_layer,
    backward_layer,
    forward_pass,
    batch_loss,
    training_step,
):
    inlined(_function, SUMS)


@cache
def run_block(dtype: str) -> Any:
    """Compile the loop for one precision: (net, kernels, work, steps, statistics, scalars) -> steps done, negative if the last of them met non-finite numbers.

    statistics: (steps, layer, STATISTICS) of T; scalars: (steps, SCALARS) float64. `work.order` holds the order of the epoch of the step before the block.
    """
    precision = PRECISIONS[dtype]
    smallest = observe.SMALLEST_NORMAL_BITS[np.dtype(dtype)]

    def run(net: Any, kernels: Any, work: Any, steps: Any, statistics: Any, scalars: Any) -> Any:
        samples = len(work.inputs)
        per_epoch = (samples + work.batch - 1) // work.batch
        scratch = (np.zeros(16, net.parameters.dtype), np.zeros(UPDATE_SUMS), np.zeros(3), np.zeros(3, np.uint64))
        scratch[3][0] = work.seed
        shuffled = -1
        for done in range(steps):
            step = work.first_step + done
            epoch = step // per_epoch
            if epoch != shuffled:
                shuffle(work.order, work.seed, epoch)
                shuffled = epoch
            start = (step - epoch * per_epoch) * work.batch
            rows = min(work.batch, samples - start)
            gather(net, work, work.order[start : start + rows])
            if training_step(net, kernels, work, step, rows, scratch, smallest, statistics[done], scalars[done]) == DIVERGED:
                return -(done + 1)
        return steps

    signature = types.int64(
        net_type(precision),
        kernels_type(precision),
        work_type(precision),
        types.int64,
        types.Array(precision.scalar, 3, "C", aligned=True),
        types.Array(types.float64, 2, "C", aligned=True),
    )
    return compiled(signature)(run)


@cache
def evaluate_rows(dtype: str) -> Any:
    """Compile evaluation: (net, kernels, work, outputs, dead) -> sum of losses over all samples, in evaluation mode.

    Fills outputs (samples, units) of T, and sets dead (layer, widest) float64 to 0 where a unit had a nonzero slope on some sample (start it with ones).
    """
    precision = PRECISIONS[dtype]

    def evaluate(net: Any, kernels: Any, work: Any, outputs: Any, alive: Any) -> Any:
        samples, layers, units = len(work.inputs), len(net.layers), outputs.shape[1]
        counter = np.zeros(3, np.uint64)
        counter[0] = work.seed
        slopes = np.zeros(3)
        statistics = np.zeros((layers, len(observe.STATISTICS)), net.parameters.dtype)
        total = 0.0
        for start in range(0, samples, work.batch):
            rows = min(work.batch, samples - start)
            gather(net, work, work.order[start : start + rows])
            forward_pass(net, kernels, rows, False, counter, statistics)
            total += batch_loss(net, kernels, rows, work.fused, net.parameters.dtype.type(1))
            outputs[start : start + rows] = block_of(net, net.layers[-1, p.OUTPUT], rows, units)
            for index in range(layers if alive.shape[1] > 0 else 0):
                note_alive(net, kernels, index, rows, counter, slopes, alive[index])
        return total

    signature = types.float64(
        net_type(precision), kernels_type(precision), work_type(precision), precision.matrix, types.Array(types.float64, 2, "C", aligned=True)
    )
    return compiled(signature)(evaluate)


def note_alive(net: Any, kernels: Any, index: Any, rows: Any, counter: Any, slopes: Any, alive: Any) -> None:
    """Raise alive (units,) to each unit's largest |slope| on the batch; NaN where slopes are undefined."""
    layer = net.layers[index]
    defined = False
    for k in range(layer[p.FIRST_OPERATION], layer[p.END_OPERATION]):
        op = net.operations[k]
        if op[p.LEARNED_END] > op[p.LEARNED]:
            continue
        slopes[2] = 0.0
        d = delta_of(net, 1, rows, op[p.WIDTH_OUT])
        d[:] = 0
        kernels.backward[op[p.KERNEL]](
            block_of(net, op[p.X], rows, op[p.WIDTH_IN]),
            block_of(net, op[p.Y], rows, op[p.WIDTH_OUT]),
            d,
            delta_of(net, 2, rows, op[p.WIDTH_IN]),
            net.parameters[op[p.LEARNED] : op[p.LEARNED_END]],
            net.gradients[:0],
            net.state[op[p.STATE] : op[p.STATE_END]],
            net.constants[op[p.CONSTANT] : op[p.CONSTANT_END]],
            counter,
            net.peak[: op[p.WIDTH_OUT]],
            slopes,
        )
        defined = defined or slopes[2] > 0.0
        if slopes[2] > 0.0:
            for j in range(op[p.WIDTH_OUT]):
                alive[j] = max(alive[j], np.float64(net.peak[j]))
    if not defined:
        alive[:] = np.nan


inlined(note_alive, SUMS)
