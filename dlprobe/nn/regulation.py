"""The end of a step in which gradients are changed before they are used: penalties, clipping,
constraints.

Such a step keeps all gradients first, since clipping by the global norm needs them, and then walks
the layers: statistics of the data gradient, penalties, clipping by value, by the layer's norm, by
the global norm, update, constraints. Compiled only for nets that ask for it; the others update each
layer as soon as its gradient is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import observe
from dlprobe.nn import program as p
from dlprobe.nn.cache import SUMS, inlined
from dlprobe.nn.calling import invoke
from dlprobe.nn.matmul import blas_product, product, transposed_product
from dlprobe.nn.model import Kernels, Net
from dlprobe.nn.positions import SUM_CHANGE_SQUARED, SUM_G_SQUARED
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import Flag, Floats, Index, Matrix, Number, Value, Vector
from dlprobe.nn.sharing import step_weights
from dlprobe.nn.views import window
from dlprobe.parts.penalties import l1_slope, l1_value, l2_slope, l2_value
from dlprobe.record.scalars import CLIP_SCALE, CLIPPED_GRADIENT_NORM, GRADIENT_NORM

(
    L1,
    L2,
    BIAS_L1,
    BIAS_L2,
    ORTHOGONAL,
    CLIP_VALUE,
    CLIP_LAYER,
    CLIP_GLOBAL,
    MAX_NORM,
    PROXIMAL,
    ACTIVITY_L1,
    ACTIVITY_L2,
) = range(12)


@dataclass(frozen=True)
class Regulation:
    """What changes gradients and weights besides the optimizer; 0 (infinity for the bounds) where
    nothing does.

    l1, l2 on weights, bias_* on bias parameters, activity_* on the hidden layers' activations;
    `clip_*` bounds of an element, of the norm of one layer's gradient (all its parameters together)
    and of the whole; `max_norm` of each unit's incoming weights; `proximal`: l1 as a soft threshold
    after the update.
    """

    l1: float = 0.0
    l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0
    orthogonal: float = 0.0
    clip_value: float = math.inf
    clip_layer_norm: float = math.inf
    clip_global_norm: float = math.inf
    max_norm: float = math.inf
    proximal: bool = False
    activity_l1: float = 0.0
    activity_l2: float = 0.0

    @property
    def active(self) -> bool:
        """Whether anything is asked for."""
        return self != Regulation(proximal=self.proximal)

    def values(self) -> npt.NDArray[np.float64]:
        """The fields as float64 (12,), in their order: that of the indices in this module."""
        return np.array([float(number) for number in vars(self).values()])


NOTHING = Regulation()

for _function in (l1_slope, l1_value, l2_slope, l2_value):
    inlined(SUMS)(_function)


def penalty(regulation: Regulation, weights: Sequence[Any], biases: Sequence[Any]) -> float:
    """The penalty terms of parameters alone (activities not included), in float64."""
    total = 0.0
    for w in (np.asarray(matrix, np.float64) for matrix in weights):
        total += regulation.l1 * float(np.abs(w).sum()) + regulation.l2 * float(np.square(w).sum())
        if regulation.orthogonal > 0:
            gram = w.T @ w if w.shape[1] <= w.shape[0] else w @ w.T
            total += regulation.orthogonal * float(np.square(gram - np.eye(len(gram))).sum())
    for b in (np.asarray(vector, np.float64) for vector in biases):
        total += regulation.bias_l1 * float(np.abs(b).sum()) + regulation.bias_l2 * float(
            np.square(b).sum()
        )
    return total


@inlined(SUMS)
def add_penalty(w: Vector, g: Vector, l1: Value, l2: Value, proximal: Flag) -> Number:
    """g += the derivative of l1 Σ|w| + l2 Σ w²; returns its value. Where l1 is proximal, its
    share moves nothing here.
    """
    value = 0.0
    for i in range(len(w)):
        value += np.float64(l1_value(w[i], l1) + l2_value(w[i], l2))
        g[i] += l2_slope(w[i], l2) + (l1 * 0 if proximal else l1_slope(w[i], l1))
    return value


@inlined(SUMS)
def add_orthogonal_penalty(
    w: Matrix, gradient: Matrix, strength: Value, gram: Vector, along: Vector
) -> Number:
    """gradient += 4λ W(WᵀW − I), or its mirror where W (fan_in, fan_out) is wider than tall;
    returns λ‖WᵀW − I‖². `gram`, `along`: scratch.
    """
    tall = w.shape[1] <= w.shape[0]
    size = min(w.shape[0], w.shape[1])
    square = window(gram, 0, size, size)
    if tall:
        transposed_product(w, w, square)
    else:
        blas_product(w, w.T, square)
    value = 0.0
    for i in range(size):
        square[i, i] -= 1
        for j in range(size):
            value += np.float64(square[i, j]) * np.float64(square[i, j])
    out = window(along, 0, w.shape[0], w.shape[1])
    if tall:
        product(w, square, out)
    else:
        product(square, w, out)
    for i in range(w.shape[0]):
        row, step = gradient[i], out[i]
        for j in range(w.shape[1]):
            row[j] += 4 * strength * step[j]
    return np.float64(strength) * value


@inlined(SUMS)
def observe_gradient(g: Vector, statistics: Vector) -> None:
    """Records the statistics of dL/dW, a vector."""
    total = absolute = square = 0.0
    for i in range(len(g)):
        wide = np.float64(g[i])
        total += wide
        absolute += abs(wide)
        square += wide * wide
    observe.finish_gradient(g, total, absolute, square, statistics)
    if not is_finite(square):
        statistics[observe.NONFINITE_BACKWARD] += observe.count_nonfinite(window(g, 0, 1, len(g)))


@inlined(SUMS)
def sum_of_squares(values: Vector) -> Number:
    """Σ x² in float64."""
    total = 0.0
    for i in range(len(values)):
        total += np.float64(values[i]) * np.float64(values[i])
    return total


@inlined(SUMS)
def clip_values(g: Vector, bound: Value) -> None:
    """Each element into [−bound, bound]."""
    for i in range(len(g)):
        g[i] = min(max(g[i], -bound), bound)


@inlined(SUMS)
def clip_norm(g: Vector, norm: Number, bound: Number) -> Number:
    """g · min(1, bound/norm); returns the factor (Pascanu, Mikolov & Bengio 2013)."""
    if not norm > bound:
        return 1.0
    factor = bound / norm
    for i in range(len(g)):
        g[i] *= g.dtype.type(factor)
    return factor


@inlined(SUMS)
def limit_columns(w: Matrix, bound: Number, norms: Floats) -> None:
    """Scale each unit's incoming weights, a column of w (fan_in, fan_out), to a norm of at most
    `bound` (Srebro & Shraibman 2005).
    """
    for j in range(w.shape[1]):
        norms[j] = 0.0
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            norms[j] += np.float64(w[i, j]) * np.float64(w[i, j])
    for j in range(w.shape[1]):
        norm = math.sqrt(norms[j])
        norms[j] = bound / norm if norm > bound else 1.0
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            w[i, j] *= w.dtype.type(norms[j])


@inlined(SUMS)
def shrink(w: Vector, threshold: Value) -> None:
    """The proximal step of l1: every weight moves to zero by `threshold` and stops there
    (Parikh & Boyd 2014, §6.5.2).
    """
    for i in range(len(w)):
        size = max(abs(w[i]) - threshold, threshold * 0)
        w[i] = size if w[i] > 0 else -size


@inlined(SUMS)
def regulate_gradients(net: Net, values: Floats, statistics: Matrix) -> Number:
    """Statistics of the data gradient, penalties, clipping by value; returns the penalty."""
    of = net.parameters.dtype.type
    penalty = 0.0
    for index in range(len(net.layers)):
        layer = net.layers[index]
        fan_in, fan_out, start = layer[p.MATRIX_ROWS], layer[p.FAN_OUT], layer[p.START]
        for k in range(layer[p.FIRST_OPERATION], layer[p.END_OPERATION]):
            if net.operations[k, p.ROLE] == p.ACTIVITY:
                penalty += net.state[net.operations[k, p.STATE]]
        if layer[p.WEIGHT] >= 0:
            w, g = (
                net.parameters[start : start + fan_in * fan_out],
                net.gradients[start : start + fan_in * fan_out],
            )
            observe_gradient(g, statistics[index])
            if values[L1] > 0 or values[L2] > 0:
                penalty += add_penalty(w, g, of(values[L1]), of(values[L2]), values[PROXIMAL] > 0)
            if values[ORTHOGONAL] > 0:
                matrix, gradient = window(w, 0, fan_in, fan_out), window(g, 0, fan_in, fan_out)
                penalty += add_orthogonal_penalty(
                    matrix, gradient, of(values[ORTHOGONAL]), net.gram, net.weight_delta
                )
        if layer[p.BIAS] >= 0 and (values[BIAS_L1] > 0 or values[BIAS_L2] > 0):
            b, d = (
                net.parameters[layer[p.BIAS] : layer[p.BIAS] + fan_out],
                net.gradients[layer[p.BIAS] : layer[p.BIAS] + fan_out],
            )
            penalty += add_penalty(b, d, of(values[BIAS_L1]), of(values[BIAS_L2]), False)
    return penalty


@inlined(SUMS)
def clip_gradients(net: Net, values: Floats, scalars: Floats) -> None:
    """Clip by value, by the norm of each layer and by the norm of all; scalars ← norm before,
    factor of the global norm, norm after.
    """
    scalars[GRADIENT_NORM] = math.sqrt(sum_of_squares(net.gradients))
    if values[CLIP_VALUE] < np.inf:
        clip_values(net.gradients, net.gradients.dtype.type(values[CLIP_VALUE]))
    if values[CLIP_LAYER] < np.inf:
        for index in range(len(net.layers)):
            g = net.gradients[net.layers[index, p.START] : net.layers[index, p.END]]
            clip_norm(g, math.sqrt(sum_of_squares(g)), values[CLIP_LAYER])
    norm = math.sqrt(sum_of_squares(net.gradients))
    scalars[CLIP_SCALE] = clip_norm(net.gradients, norm, values[CLIP_GLOBAL])
    scalars[CLIPPED_GRADIENT_NORM] = norm * scalars[CLIP_SCALE]


@inlined(SUMS)
def constrain(net: Net, index: Index, values: Floats, rate: Number, sums: Floats) -> None:
    """What happens to a layer's weights after the update; the update's size is measured anew
    from the weights kept in `weight_delta`.
    """
    layer = net.layers[index]
    start, size = layer[p.START], layer[p.MATRIX_ROWS] * layer[p.FAN_OUT]
    w = net.parameters[start : start + size]
    if values[PROXIMAL] > 0:
        shrink(w, w.dtype.type(rate * values[L1]))
    if values[MAX_NORM] < np.inf:
        limit_columns(
            window(w, 0, layer[p.MATRIX_ROWS], layer[p.FAN_OUT]), values[MAX_NORM], net.wide
        )
    moved = 0.0
    for i in range(size):
        change = np.float64(w[i]) - np.float64(net.weight_delta[i])
        moved += change * change
    sums[SUM_CHANGE_SQUARED] = moved


def finish(
    net: Net,
    kernels: Kernels,
    values: Floats,
    rate: Number,
    coefficients: Vector,
    sums: Floats,
    statistics: Matrix,
    scalars: Floats,
) -> Number:
    """The second half of such a step, from whole gradients to stepped parameters; returns the
    penalty.

    values (12,): numbers of a Regulation; scalars (scalar,) ← gradient norm before clipping, factor
    of the global norm, norm after.
    """
    constrains = values[MAX_NORM] < np.inf or (values[PROXIMAL] > 0 and values[L1] > 0)
    for i in range(len(net.data_gradients)):
        net.data_gradients[i] = net.gradients[i]
    penalty = regulate_gradients(net, values, statistics)
    clip_gradients(net, values, scalars)
    if not is_finite(scalars[GRADIENT_NORM]):
        return penalty
    stride = len(net.parameters)
    for index in range(len(net.layers)):
        layer = net.layers[index]
        start, end = layer[p.START], layer[p.END]
        rest = start
        if layer[p.WEIGHT] >= 0:
            rest = start + layer[p.MATRIX_ROWS] * layer[p.FAN_OUT]
            w = net.parameters[start:rest]
            for i in range(len(w) if constrains else 0):
                net.weight_delta[i] = w[i]
            step_weights(net, kernels, w, net.gradients[start:rest], start, coefficients, sums)
            statistics[index, observe.CLIPPED_GRADIENT_L2] = math.sqrt(sums[SUM_G_SQUARED])
            if constrains:
                constrain(net, index, values, rate, sums)
            observe.finish_weights(sums, rest - start, statistics[index])
        bias = (
            net.parameters[layer[p.BIAS] : layer[p.BIAS] + layer[p.FAN_OUT]]
            if layer[p.BIAS] >= 0
            else net.parameters[:0]
        )
        statistics[index, observe.BIAS_RMS] = observe.root_mean_square(bias)
        if end > rest:
            invoke(
                kernels.update,
                (
                    net.parameters[rest:end],
                    net.gradients[rest:end],
                    net.moments,
                    rest,
                    stride,
                    coefficients,
                    sums,
                ),
            )
    return penalty
