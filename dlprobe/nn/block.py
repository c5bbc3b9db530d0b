"""The training loop: one compiled function runs a block of whole training steps and fills their
statistics.

A number's way: `gather` a batch → per layer `forward_layer` → loss → per layer from the output back
`backward_layer`, both of `layer_passes`. Python is entered once per block.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.nn import observe
from dlprobe.nn import program as p
from dlprobe.nn.cache import EXACT, SUMS, inlined
from dlprobe.nn.calling import invoke, invoke_for_number
from dlprobe.nn.layer_passes import apply_back
from dlprobe.nn.memory import block_of, delta_of
from dlprobe.nn.model import Kernels, Net, Work
from dlprobe.nn.positions import (
    COUNTERS,
    DEFINED,
    DELTA,
    LAYER,
    MOST_COEFFICIENTS,
    PLACES,
    SEED,
    SLOPE_SUMS,
    STEP,
    TRAINING,
    UPDATE_SUMS,
)
from dlprobe.nn.random import shuffle
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import (
    Counters,
    Cube,
    Flag,
    Floats,
    FloatTable,
    Index,
    Integers,
    Matrix,
    Number,
    Value,
    Vector,
)
from dlprobe.nn.subnormals import flush_subnormals, restore
from dlprobe.nn.teams import change_block
from dlprobe.nn.views import part, window
from dlprobe.nn.views import scratch as memory_for
from dlprobe.record.scalars import (
    BATCH_LOSS,
    CLIP_SCALE,
    CLIPPED_GRADIENT_NORM,
    GRADIENT_NORM,
    LEARNING_RATE,
    MOMENTUM,
    PENALTY,
)

counters, slope_sums, places = memory_for(COUNTERS), memory_for(SLOPE_SUMS), memory_for(PLACES)
coefficients_of, update_sums = memory_for(MOST_COEFFICIENTS), memory_for(UPDATE_SUMS)


def gather(net: Net, work: Work, start: Index, rows: Index, counter: Counters) -> None:
    """Copy the batch work.order[start : start + rows] row by row next to each other, and note
    each row's Σ x² and weight in the loss.
    """
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
        net.row_weight[i] = (
            work.weights[order[i]] if len(work.weights) > 0 else net.row_weight.dtype.type(1)
        )
        label, wanted = work.targets[order[i]], target[i]
        for j in range(outputs):
            wanted[j] = label[j]


@inlined(SUMS)
def batch_loss(net: Net, kernels: Kernels, rows: Index, fused: Flag, scale: Value) -> Number:
    """The loss kernel on the batch in memory; leaves its derivative in delta buffer 0. Returns
    the weighted sum of the samples' losses.
    """
    layer = net.layers[-1]
    units = layer[p.UNITS]
    last = net.operations[layer[p.END_OPERATION] - 1]
    z = block_of(net, last[p.X], rows, last[p.WIDTH_IN])
    target = window(net.targets, 0, rows, units)
    a, d = block_of(net, layer[p.OUTPUT], rows, units), delta_of(net, 0, rows, units)
    return invoke_for_number(
        kernels.loss, (z, a, target, d, scale, net.row_weight, net.loss_constants)
    )


@inlined(SUMS)
def forward_pass(
    net: Net,
    kernels: Kernels,
    work: Work,
    start: Index,
    rows: Index,
    training: Flag,
    scale: Value,
    counter: Counters,
    statistics: Matrix,
) -> Number:
    """Gather a batch, all layers forward, the loss; returns the sum of the samples' losses.

    Leaves scale · dL/da of the last layer (dL/dz where the loss is joined with its activation) in
    delta buffer 0.
    """
    counter[TRAINING] = 1 if training else 0
    invoke(kernels.gather, (net, work, start, rows, counter))
    for index in range(len(net.layers)):
        invoke(kernels.forward_layer, (net, kernels, index, rows, counter, statistics[index]))
    return batch_loss(net, kernels, rows, work.fused, scale)


@inlined(SUMS)
def count_lost(statistics: Matrix, side: Index) -> Number:
    """Non-finite elements of all layers in one direction, `side` the column of their count."""
    lost = 0.0
    for index in range(statistics.shape[0]):
        lost += statistics[index, side]
    return lost


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
    """All layers backward from the loss's derivative in delta buffer 0, each stepped as soon as its
    gradient is known, or all at the end where gradients are changed first. Fills the scalars of the
    gradient's norm, of penalty and clipping.
    """
    coefficients, sums, slopes, place = scratch
    invoke(kernels.prepare, (np.float64(step + 1), rate, work.optimizer_parameters, coefficients))
    place[DELTA] = 0
    square = 0.0
    for index in range(len(net.layers) - 1, -1, -1):
        arguments = (
            net,
            kernels,
            work,
            index,
            rows,
            place,
            counter,
            slopes,
            coefficients,
            sums,
            statistics,
        )
        square += invoke_for_number(kernels.backward_layer, arguments)
    scalar[GRADIENT_NORM] = scalar[CLIPPED_GRADIENT_NORM] = math.sqrt(square)
    if work.deferred:
        scalar[PENALTY] = invoke_for_number(
            kernels.finish,
            (net, kernels, work.regulation, rate, coefficients, sums, statistics, scalar),
        )


@inlined(SUMS)
def note_alive(
    net: Net,
    kernels: Kernels,
    index: Index,
    rows: Index,
    counter: Counters,
    slopes: Floats,
    alive: Floats,
) -> None:
    """Raise alive (units,) to a number for each unit on the batch in memory, 0 only where all
    its slopes were 0; NaN where slopes are undefined.
    """
    layer = net.layers[index]
    defined = False
    for k in range(layer[p.FIRST_OPERATION], layer[p.END_OPERATION]):
        op = net.operations[k]
        if op[p.ROLE] != p.ACTIVATION:
            continue
        slopes[DEFINED] = 0.0
        x, y = (
            block_of(net, op[p.X], rows, op[p.WIDTH_IN]),
            block_of(net, op[p.Y], rows, op[p.WIDTH_OUT]),
        )
        apply_back(
            net,
            kernels,
            op,
            x,
            y,
            delta_of(net, 1, rows, op[p.WIDTH_OUT]),
            delta_of(net, 2, rows, op[p.WIDTH_IN]),
            -op[p.LEARNED],
            counter,
            slopes,
        )
        if slopes[DEFINED] > 0.0:
            defined = True
            for j in range(op[p.WIDTH_OUT]):
                alive[j] = max(alive[j], np.float64(net.peak[j]))
    for j in range(0 if defined else len(alive)):
        alive[j] = np.nan


@inlined(EXACT)
def set_momentum(work: Work, done: Index) -> Number:
    """The optimizer's momentum in this step of the block, set first where it is cycled; NaN
    where the optimizer has none.
    """
    if work.momentum < 0:
        return np.nan
    if len(work.momenta) > 0:
        work.optimizer_parameters[work.momentum] = work.momenta[done]
    return work.optimizer_parameters[work.momentum]


def run(
    net: Net,
    kernels: Kernels,
    work: Work,
    begin: Index,
    end: Index,
    statistics: Cube,
    scalars: FloatTable,
) -> Index:
    """The steps `begin` … `end` − 1 of a block: returns how many of the block are done, negative if
    the last of them met non-finite numbers.

    statistics: (steps, layer, STATISTICS) of T; scalars: (steps, scalar) float64, see
        `record.scalars`; both of the whole block. `work.order` keeps the order of an epoch for the
        blocks that follow, and in its last element which epoch that is.
    """
    before = flush_subnormals()
    change_block(net.team)
    samples = len(work.inputs)
    per_epoch = (samples + work.batch - 1) // work.batch
    one = net.parameters.dtype.type(1)
    counter = counters(work.seeds)
    counter[SEED], counter[LAYER] = work.seeds[0], 0
    scratch = (
        coefficients_of(net.parameters),
        update_sums(scalars),
        slope_sums(scalars),
        places(work.order),
    )
    held, result = len(work.order) - 1, end
    for done in range(begin, end):
        step = work.first_step + done
        epoch = step // per_epoch
        if epoch != work.order[held]:
            for net_number in range(len(work.seeds)):
                shuffle(
                    work.order[net_number * samples : (net_number + 1) * samples],
                    work.seeds[net_number],
                    epoch,
                )
            work.order[held] = epoch
        start = (step - epoch * per_epoch) * work.batch
        rows = min(work.batch, samples - start)
        of_step, scalar = statistics[done], scalars[done]
        observe.clear(of_step)
        counter[STEP] = np.uint64(step)
        scale = one / net.parameters.dtype.type(rows)
        scalar[BATCH_LOSS] = (
            forward_pass(net, kernels, work, start, rows, True, scale, counter, of_step) / rows
        )
        scalar[PENALTY], scalar[LEARNING_RATE], scalar[MOMENTUM] = (
            0.0,
            work.rates[done],
            set_momentum(work, done),
        )
        scalar[GRADIENT_NORM], scalar[CLIP_SCALE], scalar[CLIPPED_GRADIENT_NORM] = (
            np.nan,
            1.0,
            np.nan,
        )
        if count_lost(of_step, observe.NONFINITE_FORWARD) > 0 or not is_finite(scalar[BATCH_LOSS]):
            result = -(done + 1)  # before any parameter is stepped
            break
        backward_pass(
            net, kernels, work, rows, work.rates[done], step, counter, scratch, of_step, scalar
        )
        if count_lost(of_step, observe.NONFINITE_BACKWARD) > 0:
            result = -(done + 1)
            break
    change_block(net.team)
    restore(before)
    return result


@inlined(EXACT)
def is_settled(alive: Floats, units: Index) -> Flag:
    """Whether no further sample changes what is known of a layer: slopes are undefined, or every
    unit has had one.
    """
    settled = True
    for j in range(units):
        settled = settled and alive[j] > 0.0
    return settled or alive[0] != alive[0]


@inlined(EXACT)
def unit_of_largest(row: Vector) -> Index:
    """The place of the largest number, as `numpy.argmax` finds it: NaN counts as the largest."""
    at, best = 0, row[0]
    for j in range(1, len(row)):
        if row[j] > best or (row[j] != row[j] and best == best):
            at, best = j, row[j]
    return at


def evaluate(
    net: Net,
    kernels: Kernels,
    work: Work,
    outputs: Matrix,
    largest: Integers,
    alive: FloatTable,
    statistics: Matrix,
) -> Number:
    """Sum of the losses of all samples in evaluation mode.

    Fills outputs (samples, units) of T; where `largest` (samples,) has elements, the unit of each
    sample's largest output, of equal ones the first, of NaN the first; and where `alive` (layer,
    widest) has columns, a number for each unit, 0 only where all its slopes over all samples were 0
    and NaN where undefined. `statistics` (layer, STATISTICS) of T is scratch.
    """
    before = flush_subnormals()
    change_block(net.team)
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
        for i in range(rows if len(largest) > 0 else 0):
            largest[start + i] = unit_of_largest(a[i])
        for index in range(layers if alive.shape[1] > 0 else 0):
            if not is_settled(alive[index], net.layers[index, p.UNITS]):
                note_alive(net, kernels, index, rows, counter, slopes, alive[index])
    change_block(net.team)
    restore(before)
    return total
