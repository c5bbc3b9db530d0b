"""The two passes of one layer, each compiled on its own and called by address.

`forward_layer` goes through the layer's operations in their order, the product among them;
`backward_layer` goes back: operations, error signal, product with Wᵀ, product with the inputs,
update.
"""

from __future__ import annotations

from dlprobe.nn import observe
from dlprobe.nn import program as p
from dlprobe.nn.cache import SUMS, inlined
from dlprobe.nn.calling import invoke
from dlprobe.nn.memory import (
    block_of,
    copy,
    delta_of,
    input_squares,
    multiplied_weights,
    source_of,
    weights_of,
)
from dlprobe.nn.model import Kernels, Net, Work
from dlprobe.nn.positions import DEFINED, DELTA, LAYER, SUM_G_SQUARED, TRAINING
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import Counters, Floats, Index, Integers, Matrix, Number, Vector
from dlprobe.nn.sharing import multiplied, step_weights
from dlprobe.nn.teams import PRODUCT, PRODUCT_WITH_TRANSPOSED, TRANSPOSED_PRODUCT
from dlprobe.nn.views import part, window


@inlined(SUMS)
def apply(
    net: Net, kernels: Kernels, op: Integers, x: Matrix, y: Matrix, counter: Counters
) -> None:
    """An operation's forward kernel, from x to y."""
    learned, state, constants = (
        part(net.parameters, op[p.LEARNED], op[p.LEARNED_END]),
        part(net.state, op[p.STATE], op[p.STATE_END]),
        part(net.constants, op[p.CONSTANT], op[p.CONSTANT_END]),
    )
    invoke(
        kernels.forward[op[p.KERNEL]],
        (x, y, learned, state, constants, counter, counter[TRAINING] != 0),
    )


@inlined(SUMS)
def multiply(
    net: Net, kernels: Kernels, index: Index, rows: Index, counter: Counters, statistics: Vector
) -> None:
    """z = x W + b, and the preactivation statistics."""
    layer = net.layers[index]
    fan_in, fan_out = layer[p.FAN_IN], layer[p.FAN_OUT]
    x = block_of(net, layer[p.INPUT], rows, fan_in)
    z = block_of(net, layer[p.Z], rows, fan_out)
    if layer[p.INPUT] != layer[p.SOURCE]:
        observe.square_rows(x, input_squares(net, index, rows))
    if layer[p.TRANSFORM] >= 0:
        apply(
            net,
            kernels,
            net.operations[layer[p.TRANSFORM]],
            weights_of(net, index),
            multiplied_weights(net, index),
            counter,
        )
    if layer[p.WEIGHT] >= 0:
        multiplied(net, PRODUCT, kernels.product, x, multiplied_weights(net, index), z, fan_in)
    bias = (
        part(net.parameters, layer[p.BIAS], layer[p.BIAS] + fan_out)
        if layer[p.BIAS] >= 0
        else part(net.no_bias, 0, fan_out)
    )
    invoke(kernels.add_bias, (z, bias, statistics))


def forward_layer(
    net: Net, kernels: Kernels, index: Index, rows: Index, counter: Counters, statistics: Vector
) -> None:
    """The layer's operations in their order, the product among them, and the statistics of z
    and a.
    """
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
    invoke(
        kernels.observe_activation,
        (a, input_squares(net, index + 1, rows), net.narrow, net.wide, statistics),
    )


@inlined(SUMS)
def apply_back(
    net: Net,
    kernels: Kernels,
    op: Integers,
    x: Matrix,
    y: Matrix,
    dy: Matrix,
    dx: Matrix,
    base: Index,
    counter: Counters,
    slopes: Floats,
) -> None:
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
    net: Net,
    kernels: Kernels,
    index: Index,
    rows: Index,
    current: Index,
    base: Index,
    counter: Counters,
    slopes: Floats,
    statistics: Matrix,
) -> Index:
    """From dL/dz to dL/dW, dL/db and, in the next delta buffer, dL/dx; records slopes and error
    signal. Returns the delta buffer of dL/dx.
    """
    layer, of_layer = net.layers[index], statistics[index]
    fan_in, fan_out, height = layer[p.FAN_IN], layer[p.FAN_OUT], layer[p.MATRIX_ROWS]
    observe.observe_slopes(slopes, part(net.peak, 0, layer[p.UNITS]), rows, of_layer)
    d = delta_of(net, current, rows, fan_out)
    bias_at = base + layer[p.BIAS]
    bias_gradient = (
        part(net.gradients, bias_at, bias_at + fan_out)
        if layer[p.BIAS] >= 0
        else part(net.peak, 0, fan_out)
    )
    invoke(kernels.observe_error, (d, bias_gradient, net.error_square, of_layer))
    if layer[p.COUPLED] == 0:
        of_layer[observe.GRADIENT_SAMPLE_RMS] = observe.sample_gradient_rms(
            input_squares(net, index, rows), net.error_square, rows, height * fan_out
        )
    if layer[p.WEIGHT] < 0:
        return current
    other = (current + 1) % 3
    if index > 0:  # before W is stepped
        w, dx = multiplied_weights(net, index), delta_of(net, other, rows, fan_in)
        whole = kernels.product_with_transposed
        multiplied(net, PRODUCT_WITH_TRANSPOSED, whole, d, w, dx, fan_out)
    start, x = base + layer[p.WEIGHT], block_of(net, layer[p.INPUT], rows, fan_in)
    gradient = window(net.gradients, start, height, fan_out)
    if layer[p.TRANSFORM] < 0:
        multiplied(net, TRANSPOSED_PRODUCT, kernels.transposed_product, x, d, gradient, rows)
        return other
    of_product = window(net.weight_delta, 0, height, fan_out)
    multiplied(net, TRANSPOSED_PRODUCT, kernels.transposed_product, x, d, of_product, rows)
    weights, effective = weights_of(net, index), multiplied_weights(net, index)
    apply_back(
        net,
        kernels,
        net.operations[layer[p.TRANSFORM]],
        weights,
        effective,
        of_product,
        gradient,
        base,
        counter,
        slopes,
    )
    return other


@inlined(SUMS)
def update_layer(
    net: Net,
    kernels: Kernels,
    index: Index,
    base: Index,
    coefficients: Vector,
    sums: Floats,
    statistics: Vector,
) -> Number:
    """Step the layer's weights, then its other parameters; returns the Σ g² of all of them, and
    records gradient, weight and update statistics.
    """
    layer = net.layers[index]
    start, end, stride = layer[p.START], layer[p.END], len(net.parameters)
    square = 0.0
    rest = start
    if layer[p.WEIGHT] >= 0:
        size = layer[p.MATRIX_ROWS] * layer[p.FAN_OUT]
        gradient = part(net.gradients, base + start, base + start + size)
        w = part(net.parameters, start, start + size)
        step_weights(net, kernels, w, gradient, start, coefficients, sums)
        observe.observe_update(gradient, sums, statistics)
        square = sums[SUM_G_SQUARED]
        if not is_finite(square):
            statistics[observe.NONFINITE_BACKWARD] += observe.count_nonfinite(
                window(gradient, 0, layer[p.MATRIX_ROWS], layer[p.FAN_OUT])
            )
        rest = start + size
    bias = part(
        net.parameters,
        layer[p.BIAS],
        layer[p.BIAS] + (layer[p.FAN_OUT] if layer[p.BIAS] >= 0 else 0),
    )
    statistics[observe.BIAS_RMS] = observe.root_mean_square(bias)
    if end > rest:
        invoke(
            kernels.update,
            (
                part(net.parameters, rest, end),
                part(net.gradients, base + rest, base + end),
                net.moments,
                rest,
                stride,
                coefficients,
                sums,
            ),
        )
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
    """One layer of the backward pass, from dL/da in delta buffer place[DELTA]; leaves the previous
    layer's dL/da and notes where. Returns Σ g² of the layer.

    Where the loss was joined with the last operation, dL/dz is given already; that operation's
    backward pass still runs for its slope statistics.
    """
    layer = net.layers[index]
    current, joined = place[DELTA], work.fused and index == len(net.layers) - 1
    base = 0 if work.keep_gradients else -layer[p.START]
    slopes[DEFINED] = 0.0
    counter[LAYER] = index
    for k in range(layer[p.END_OPERATION] - 1, layer[p.FIRST_OPERATION] - 1, -1):
        op = net.operations[k]
        if op[p.ROLE] == p.PRODUCT:
            current = multiply_back(
                net, kernels, index, rows, current, base, counter, slopes, statistics
            )
            if index == 0:
                break
            if layer[p.SKIPPED] == 0:  # before dropout sets elements to zero on purpose
                note_underflow(net, index, rows, current, statistics)
            continue
        dy, other = delta_of(net, current, rows, op[p.WIDTH_OUT]), (current + 1) % 3
        if op[p.ROLE] == p.RESIDUAL:
            copy(dy, window(net.carry, 0, rows, op[p.WIDTH_OUT]))
        x, y, dx = (
            block_of(net, op[p.X], rows, op[p.WIDTH_IN]),
            block_of(net, op[p.Y], rows, op[p.WIDTH_OUT]),
            delta_of(net, other, rows, op[p.WIDTH_IN]),
        )
        apply_back(net, kernels, op, x, y, dy, dx, base, counter, slopes)
        if not (joined and k == layer[p.END_OPERATION] - 1):
            current = other
    if layer[p.SKIPPED] > 0 and index > 0:
        add_carry(delta_of(net, current, rows, layer[p.FAN_IN]), net.carry)
        note_underflow(net, index, rows, current, statistics)
    place[DELTA] = current
    return (
        0.0
        if work.deferred
        else update_layer(net, kernels, index, base, coefficients, sums, statistics[index])
    )


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
