"""The training loop: one compiled function runs a block of whole training steps and fills their statistics.

A number's way: `gather` a batch → per layer `forward_layer` (product, bias, operations) → loss → per layer from the output back `backward_layer`
(operations, error signal, product with Wᵀ, product with the inputs, update). Python is entered once per block.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.nn import observe
from dlprobe.nn import program as p
from dlprobe.nn.cache import EXACT, SUMS, giving_views, inlined
from dlprobe.nn.calling import invoke, invoke_for_number
from dlprobe.nn.model import Kernels, Net, Work
from dlprobe.nn.positions import COUNTERS, DEFINED, DELTA, LAYER, MOST_COEFFICIENTS, PLACES, SEED, SLOPE_SUMS, STEP, SUM_G_SQUARED, TRAINING, UPDATE_SUMS
from dlprobe.nn.random import shuffle
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import Counters, Cube, Flag, Floats, FloatTable, Index, Integers, Matrix, Number, Value, Vector
from dlprobe.nn.subnormals import flush_subnormals, restore
from dlprobe.nn.views import part, window
from dlprobe.nn.views import scratch as memory_for
from dlprobe.record.scalars import BATCH_LOSS, CLIP_SCALE, CLIPPED_GRADIENT_NORM, GRADIENT_NORM, LEARNING_RATE, MOMENTUM, PENALTY

counters, slope_sums, places = memory_for(COUNTERS), memory_for(SLOPE_SUMS), memory_for(PLACES)
coefficients_of, update_sums = memory_for(MOST_COEFFICIENTS), memory_for(UPDATE_SUMS)


@giving_views
def block_of(net: Net, offset: Index, rows: Index, width: Index) -> Matrix:
    """The (rows, width) block at `offset` of the batch memory."""
    return window(net.blocks, offset, rows, width)


@giving_views
def delta_of(net: Net, which: Index, rows: Index, width: Index) -> Matrix:
    """The (rows, width) block in one of the three delta buffers."""
    return window(net.deltas, which * net.deltas.shape[1], rows, width)


def gather(net: Net, work: Work, start: Index, rows: Index, counter: Counters) -> None:
    """Copy the batch work.order[start : start + rows] row by row next to each other, and note each row's Σ x² and weight in the loss."""
    order = part(work.order, start, start + rows)
    features, outputs = work.inputs.shape[1], work.targets.shape[1]
    x = block_of(net, net.layers[0, p.SOURCE], rows, features)
    target = window(net.targets, 0, rows, outputs)
    for i in range(rows):
        source, row = work.inputs[order[i]], x[i]
        square = 0.0
        for j in range(features):
            row[j] = source[j]
            square += np.float64(source[j]) * np.float64(source[j])
        net.input_square[i] = square
        net.row_weight[i] = work.weights[order[i]] if len(work.weights) > 0 else net.row_weight.dtype.type(1)
        label, wanted = work.targets[order[i]], target[i]
        for j in range(outputs):
            wanted[j] = label[j]


@giving_views
def source_of(net: Net, index: Index, rows: Index) -> Matrix:
    """The block (rows, fan_in) that a layer gets from the previous one."""
    return block_of(net, net.layers[index, p.SOURCE], rows, net.layers[index, p.FAN_IN])


@giving_views
def input_squares(net: Net, index: Index, rows: Index) -> Floats:
    """Where each sample's Σ x² of a layer's input stands, (rows,)."""
    width = len(net.input_square) // (len(net.layers) + 1)
    return part(net.input_square, index * width, index * width + rows)


@giving_views
def weights_of(net: Net, index: Index) -> Matrix:
    """The weight matrix of a layer."""
    layer = net.layers[index]
    return window(net.parameters, layer[p.WEIGHT], layer[p.MATRIX_ROWS], layer[p.FAN_OUT])


@giving_views
def multiplied_weights(net: Net, index: Index) -> Matrix:
    """What the layer's input is multiplied with: W, or what W's transform has made of it."""
    layer = net.layers[index]
    return weights_of(net, index) if layer[p.TRANSFORM] < 0 else block_of(net, layer[p.EFFECTIVE], layer[p.MATRIX_ROWS], layer[p.FAN_OUT])


@inlined(SUMS)
def apply(net: Net, kernels: Kernels, op: Integers, x: Matrix, y: Matrix, counter: Counters) -> None:
    """An operation's forward kernel, from x to y."""
    learned, state, constants = (
        part(net.parameters, op[p.LEARNED], op[p.LEARNED_END]),
        part(net.state, op[p.STATE], op[p.STATE_END]),
        part(net.constants, op[p.CONSTANT], op[p.CONSTANT_END]),
    )
    invoke(kernels.forward[op[p.KERNEL]], (x, y, learned, state, constants, counter, counter[TRAINING] != 0))


@inlined(SUMS)
def multiply(net: Net, kernels: Kernels, index: Index, rows: Index, counter: Counters, statistics: Vector) -> None:
    """z = x W + b, and the preactivation statistics."""
    layer = net.layers[index]
    fan_in, fan_out = layer[p.FAN_IN], layer[p.FAN_OUT]
    x = block_of(net, layer[p.INPUT], rows, fan_in)
    z = block_of(net, layer[p.Z], rows, fan_out)
    if layer[p.INPUT] != layer[p.SOURCE]:
        observe.square_rows(x, input_squares(net, index, rows))
    if layer[p.TRANSFORM] >= 0:
        apply(net, kernels, net.operations[layer[p.TRANSFORM]], weights_of(net, index), multiplied_weights(net, index), counter)
    if layer[p.WEIGHT] >= 0:
        invoke(kernels.product, (x, multiplied_weights(net, index), z))
    bias = part(net.parameters, layer[p.BIAS], layer[p.BIAS] + fan_out) if layer[p.BIAS] >= 0 else part(net.no_bias, 0, fan_out)
    invoke(kernels.add_bias, (z, bias, statistics))


def forward_layer(net: Net, kernels: Kernels, index: Index, rows: Index, counter: Counters, statistics: Vector) -> None:
    """The layer's operations in their order, the product among them, and the statistics of z and a."""
    layer = net.layers[index]
    counter[LAYER] = index
    for k in range(layer[p.FIRST_OPERATION], layer[p.END_OPERATION]):
        op = net.operations[k]
        if op[p.ROLE] == p.PRODUCT:
            multiply(net, kernels, index, rows, counter, statistics)
            continue
        y = block_of(net, op[p.Y], rows, op[p.WIDTH_OUT])
        if op[p.ROLE] == p.RESIDUAL:  # its kernel adds to what stands in y
            copy(source_of(net, index, rows), y)
        apply(net, kernels, op, block_of(net, op[p.X], rows, op[p.WIDTH_IN]), y, counter)
    a = block_of(net, layer[p.OUTPUT], rows, layer[p.UNITS])
    invoke(kernels.observe_activation, (a, input_squares(net, index + 1, rows), net.narrow, net.wide, statistics))


@inlined(SUMS)
def copy(block: Matrix, out: Matrix) -> None:
    """out ← block, 2-D."""
    for i in range(block.shape[0]):
        row, to = block[i], out[i]
        for j in range(len(row)):
            to[j] = row[j]


@inlined(SUMS)
def apply_back(net: Net, kernels: Kernels, op: Integers, x: Matrix, y: Matrix, dy: Matrix, dx: Matrix, base: Index, counter: Counters, slopes: Floats) -> None:
    """An operation's backward kernel, from dy to dx; fills the gradient of its learned numbers."""
    arguments = (
        x,
        y,
        dy,
        dx,
        part(net.parameters, op[p.LEARNED], op[p.LEARNED_END]),
        part(net.gradients, base + op[p.LEARNED], base + op[p.LEARNED_END]),
        part(net.state, op[p.STATE], op[p.STATE_END]),
        part(net.constants, op[p.CONSTANT], op[p.CONSTANT_END]),
        counter,
        part(net.peak, 0, op[p.WIDTH_OUT]),
        slopes,
    )
    invoke(kernels.backward[op[p.KERNEL]], arguments)


@inlined(SUMS)
def multiply_back(
    net: Net, kernels: Kernels, index: Index, rows: Index, current: Index, base: Index, counter: Counters, slopes: Floats, statistics: Matrix
) -> Index:
    """From dL/dz to dL/dW, dL/db and, in the next delta buffer, dL/dx; records slopes and error signal. Returns the delta buffer of dL/dx."""
    layer, of_layer = net.layers[index], statistics[index]
    fan_in, fan_out, height = layer[p.FAN_IN], layer[p.FAN_OUT], layer[p.MATRIX_ROWS]
    observe.observe_slopes(slopes, part(net.peak, 0, layer[p.UNITS]), rows, of_layer)
    d = delta_of(net, current, rows, fan_out)
    bias_at = base + layer[p.BIAS]
    bias_gradient = part(net.gradients, bias_at, bias_at + fan_out) if layer[p.BIAS] >= 0 else part(net.peak, 0, fan_out)
    invoke(kernels.observe_error, (d, bias_gradient, net.error_square, of_layer))
    if layer[p.COUPLED] == 0:
        of_layer[observe.GRADIENT_SAMPLE_RMS] = observe.sample_gradient_rms(input_squares(net, index, rows), net.error_square, rows, height * fan_out)
    if layer[p.WEIGHT] < 0:
        return current
    other = (current + 1) % 3
    if index > 0:  # before W is stepped
        invoke(kernels.product_with_transposed, (d, multiplied_weights(net, index), delta_of(net, other, rows, fan_in)))
    start, x = base + layer[p.WEIGHT], block_of(net, layer[p.INPUT], rows, fan_in)
    gradient = window(net.gradients, start, height, fan_out)
    if layer[p.TRANSFORM] < 0:
        invoke(kernels.transposed_product, (x, d, gradient))
        return other
    of_product = window(net.weight_delta, 0, height, fan_out)
    invoke(kernels.transposed_product, (x, d, of_product))
    weights, effective = weights_of(net, index), multiplied_weights(net, index)
    apply_back(net, kernels, net.operations[layer[p.TRANSFORM]], weights, effective, of_product, gradient, base, counter, slopes)
    return other


@inlined(SUMS)
def update_layer(net: Net, kernels: Kernels, index: Index, base: Index, coefficients: Vector, sums: Floats, statistics: Vector) -> Number:
    """Step the layer's weights, then its other parameters; returns the Σ g² of all of them, and records gradient, weight and update statistics."""
    layer = net.layers[index]
    start, end, stride = layer[p.START], layer[p.END], len(net.parameters)
    square = 0.0
    rest = start
    if layer[p.WEIGHT] >= 0:
        size = layer[p.MATRIX_ROWS] * layer[p.FAN_OUT]
        gradient = part(net.gradients, base + start, base + start + size)
        invoke(kernels.update, (part(net.parameters, start, start + size), gradient, net.moments, start, stride, coefficients, sums))
        observe.observe_update(gradient, sums, statistics)
        square = sums[SUM_G_SQUARED]
        if not is_finite(square):
            statistics[observe.NONFINITE_BACKWARD] += observe.count_nonfinite(window(gradient, 0, layer[p.MATRIX_ROWS], layer[p.FAN_OUT]))
        rest = start + size
    bias = part(net.parameters, layer[p.BIAS], layer[p.BIAS] + (layer[p.FAN_OUT] if layer[p.BIAS] >= 0 else 0))
    statistics[observe.BIAS_RMS] = observe.root_mean_square(bias)
    if end > rest:
        invoke(kernels.update, (part(net.parameters, rest, end), part(net.gradients, base + rest, base + end), net.moments, rest, stride, coefficients, sums))
        square += sums[SUM_G_SQUARED]
    return square


def backward_layer(
    net: Net,
    kernels: Kernels,
    work: Work,
    index: Index,
    rows: Index,
    place: Integers,
    counter: Counters,
    slopes: Floats,
    coefficients: Vector,
    sums: Floats,
    statistics: Matrix,
) -> Number:
    """One layer of the backward pass, from dL/da in delta buffer place[DELTA]; leaves the previous layer's dL/da and notes where. Returns Σ g² of the layer.

    Where the loss was joined with the last operation, dL/dz is given already; that operation's backward pass still runs for its slope statistics.
    """
    layer = net.layers[index]
    current, joined = place[DELTA], work.fused and index == len(net.layers) - 1
    base = 0 if work.keep_gradients else -layer[p.START]
    slopes[DEFINED] = 0.0
    counter[LAYER] = index
    for k in range(layer[p.END_OPERATION] - 1, layer[p.FIRST_OPERATION] - 1, -1):
        op = net.operations[k]
        if op[p.ROLE] == p.PRODUCT:
            current = multiply_back(net, kernels, index, rows, current, base, counter, slopes, statistics)
            if index == 0:
                break
            if layer[p.SKIPPED] == 0:  # before dropout sets elements to zero on purpose
                note_underflow(net, index, rows, current, statistics)
            continue
        dy, other = delta_of(net, current, rows, op[p.WIDTH_OUT]), (current + 1) % 3
        if op[p.ROLE] == p.RESIDUAL:
            copy(dy, window(net.carry, 0, rows, op[p.WIDTH_OUT]))
        x, y, dx = block_of(net, op[p.X], rows, op[p.WIDTH_IN]), block_of(net, op[p.Y], rows, op[p.WIDTH_OUT]), delta_of(net, other, rows, op[p.WIDTH_IN])
        apply_back(net, kernels, op, x, y, dy, dx, base, counter, slopes)
        if not (joined and k == layer[p.END_OPERATION] - 1):
            current = other
    if layer[p.SKIPPED] > 0 and index > 0:
        add_carry(delta_of(net, current, rows, layer[p.FAN_IN]), net.carry)
        note_underflow(net, index, rows, current, statistics)
    place[DELTA] = current
    return 0.0 if work.deferred else update_layer(net, kernels, index, base, coefficients, sums, statistics[index])


@inlined(SUMS)
def note_underflow(net: Net, index: Index, rows: Index, current: Index, statistics: Matrix) -> None:
    """Count the zeros and subnormals that the layer before `index` gets as dL/da."""
    da = delta_of(net, current, rows, net.layers[index, p.FAN_IN])
    statistics[index - 1, observe.UNDERFLOW_COUNT] = observe.count_underflow(da, net.error_square)


@inlined(SUMS)
def add_carry(d: Matrix, carry: Vector) -> None:
    """d (rows, width) += what went around the layer."""
    around = window(carry, 0, d.shape[0], d.shape[1])
    for i in range(d.shape[0]):
        row, more = d[i], around[i]
        for j in range(len(row)):
            row[j] += more[j]


@inlined(SUMS)
def batch_loss(net: Net, kernels: Kernels, rows: Index, fused: Flag, scale: Value) -> Number:
    """The loss kernel on the batch in memory; leaves its derivative in delta buffer 0. Returns the weighted sum of the samples' losses."""
    layer = net.layers[-1]
    units = layer[p.UNITS]
    last = net.operations[layer[p.END_OPERATION] - 1]
    z = block_of(net, last[p.X], rows, last[p.WIDTH_IN])
    target = window(net.targets, 0, rows, units)
    a, d = block_of(net, layer[p.OUTPUT], rows, units), delta_of(net, 0, rows, units)
    return invoke_for_number(kernels.loss, (z, a, target, d, scale, net.row_weight, net.loss_constants))


@inlined(SUMS)
def forward_pass(
    net: Net, kernels: Kernels, work: Work, start: Index, rows: Index, training: Flag, scale: Value, counter: Counters, statistics: Matrix
) -> Number:
    """Gather a batch, all layers forward, the loss; returns the sum of the samples' losses.

    Leaves scale · dL/da of the last layer (dL/dz where the loss is joined with its activation) in delta buffer 0.
    """
    counter[TRAINING] = 1 if training else 0
    invoke(kernels.gather, (net, work, start, rows, counter))
    for index in range(len(net.layers)):
        invoke(kernels.forward_layer, (net, kernels, index, rows, counter, statistics[index]))
    return batch_loss(net, kernels, rows, work.fused, scale)


@inlined(SUMS)
def count_lost(statistics: Matrix, side: Index) -> Number:
    """Non-finite elements of all layers in one direction, `side` the column of their count."""
    found = 0.0
    for index in range(statistics.shape[0]):
        found += statistics[index, side]
    return found


@inlined(SUMS)
def backward_pass(
    net: Net,
    kernels: Kernels,
    work: Work,
    rows: Index,
    rate: Number,
    step: Index,
    counter: Counters,
    scratch: tuple[Vector, Floats, Floats, Integers],
    statistics: Matrix,
    scalar: Floats,
) -> None:
    """All layers backward from the loss's derivative in delta buffer 0, each stepped as soon as its gradient is known, or all at the end where gradients
    are changed first. Fills the scalars of the gradient's norm, of penalty and clipping."""
    coefficients, sums, slopes, place = scratch
    invoke(kernels.prepare, (np.float64(step + 1), rate, work.optimizer_parameters, coefficients))
    place[DELTA] = 0
    square = 0.0
    for index in range(len(net.layers) - 1, -1, -1):
        arguments = (net, kernels, work, index, rows, place, counter, slopes, coefficients, sums, statistics)
        square += invoke_for_number(kernels.backward_layer, arguments)
    scalar[GRADIENT_NORM] = scalar[CLIPPED_GRADIENT_NORM] = math.sqrt(square)
    if work.deferred:
        scalar[PENALTY] = invoke_for_number(kernels.finish, (net, kernels, work.regulation, rate, coefficients, sums, statistics, scalar))


@inlined(SUMS)
def note_alive(net: Net, kernels: Kernels, index: Index, rows: Index, counter: Counters, slopes: Floats, alive: Floats) -> None:
    """Raise alive (units,) to a number for each unit on the batch in memory, 0 only where all its slopes were 0; NaN where slopes are undefined."""
    layer = net.layers[index]
    defined = False
    for k in range(layer[p.FIRST_OPERATION], layer[p.END_OPERATION]):
        op = net.operations[k]
        if op[p.ROLE] != p.ACTIVATION:
            continue
        slopes[DEFINED] = 0.0
        x, y = block_of(net, op[p.X], rows, op[p.WIDTH_IN]), block_of(net, op[p.Y], rows, op[p.WIDTH_OUT])
        apply_back(net, kernels, op, x, y, delta_of(net, 1, rows, op[p.WIDTH_OUT]), delta_of(net, 2, rows, op[p.WIDTH_IN]), -op[p.LEARNED], counter, slopes)
        if slopes[DEFINED] > 0.0:
            defined = True
            for j in range(op[p.WIDTH_OUT]):
                alive[j] = max(alive[j], np.float64(net.peak[j]))
    for j in range(0 if defined else len(alive)):
        alive[j] = np.nan


@inlined(EXACT)
def set_momentum(work: Work, done: Index) -> Number:
    """The optimizer's momentum in this step of the block, set first where it is cycled; NaN where the optimizer has none."""
    if work.momentum < 0:
        return np.nan
    if len(work.momenta) > 0:
        work.optimizer_parameters[work.momentum] = work.momenta[done]
    return work.optimizer_parameters[work.momentum]


def run(net: Net, kernels: Kernels, work: Work, steps: Index, statistics: Cube, scalars: FloatTable) -> Index:
    """A block of whole steps: returns the steps done, negative if the last of them met non-finite numbers.

    statistics: (steps, layer, STATISTICS) of T; scalars: (steps, scalar) float64, see `record.scalars`. `work.order` is scratch for the order of an epoch.
    """
    before = flush_subnormals()
    samples = len(work.inputs)
    per_epoch = (samples + work.batch - 1) // work.batch
    one = net.parameters.dtype.type(1)
    counter = counters(work.seeds)
    counter[SEED], counter[LAYER] = work.seeds[0], 0
    scratch = (coefficients_of(net.parameters), update_sums(scalars), slope_sums(scalars), places(work.order))
    shuffled, result = -1, steps
    for done in range(steps):
        step = work.first_step + done
        epoch = step // per_epoch
        if epoch != shuffled:
            for net_number in range(len(work.seeds)):
                shuffle(work.order[net_number * samples : (net_number + 1) * samples], work.seeds[net_number], epoch)
            shuffled = epoch
        start = (step - epoch * per_epoch) * work.batch
        rows = min(work.batch, samples - start)
        of_step, scalar = statistics[done], scalars[done]
        observe.clear(of_step)
        counter[STEP] = np.uint64(step)
        scale = one / net.parameters.dtype.type(rows)
        scalar[BATCH_LOSS] = forward_pass(net, kernels, work, start, rows, True, scale, counter, of_step) / rows
        scalar[PENALTY], scalar[LEARNING_RATE], scalar[MOMENTUM] = 0.0, work.rates[done], set_momentum(work, done)
        scalar[GRADIENT_NORM], scalar[CLIP_SCALE], scalar[CLIPPED_GRADIENT_NORM] = np.nan, 1.0, np.nan
        if count_lost(of_step, observe.NONFINITE_FORWARD) > 0 or not is_finite(scalar[BATCH_LOSS]):
            result = -(done + 1)  # before any parameter is stepped
            break
        backward_pass(net, kernels, work, rows, work.rates[done], step, counter, scratch, of_step, scalar)
        if count_lost(of_step, observe.NONFINITE_BACKWARD) > 0:
            result = -(done + 1)
            break
    restore(before)
    return result


def evaluate(net: Net, kernels: Kernels, work: Work, outputs: Matrix, alive: FloatTable, statistics: Matrix) -> Number:
    """Sum of the losses of all samples in evaluation mode.

    Fills outputs (samples, units) of T and, where `alive` (layer, widest) has columns, a number for each unit, 0 only where all its
    slopes over all samples were 0 and NaN where undefined. `statistics` (layer, STATISTICS) of T is scratch.
    """
    before = flush_subnormals()
    samples, layers, units = len(work.inputs), len(net.layers), outputs.shape[1]
    counter, slopes = counters(work.seeds), slope_sums(alive)
    counter[SEED], counter[LAYER], counter[STEP] = work.seeds[0], 0, 0
    one = net.parameters.dtype.type(1)
    total = 0.0
    for start in range(0, samples, work.batch):
        rows = min(work.batch, samples - start)
        total += forward_pass(net, kernels, work, start, rows, False, one, counter, statistics)
        a = block_of(net, net.layers[-1, p.OUTPUT], rows, units)
        for i in range(rows):
            for j in range(units):
                outputs[start + i, j] = a[i, j]
        for index in range(layers if alive.shape[1] > 0 else 0):
            note_alive(net, kernels, index, rows, counter, slopes, alive[index])
    restore(before)
    return total
