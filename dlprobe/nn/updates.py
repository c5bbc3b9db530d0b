"""The optimizers' loop: steps every weight and adds up the statistics of weights, gradients and updates on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.unsafe.ndarray import to_fixed_tuple

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.calling import whole_registers
from dlprobe.nn.observe import sums_hold
from dlprobe.nn.scalar import from_bits, size_bits
from dlprobe.nn.views import part, scratch

Array = Any
CHUNK = 2048  # parameters whose sums run in T; their gradients and weights stay in the first-level cache
weights_before = scratch(CHUNK)
UPDATE_SUMS = 7  # Σg, Σ|g|, Σg², Σw², max|w|, zero weights, ΣΔw²


def update_loop(step: Callable[..., Any], count: int, states: int) -> Any:
    """The loop around an optimizer's `step` with `count` coefficients and `states` numbers per parameter.

    `before` keeps a chunk's weights as they were, for the case that sums must be taken again.
    """
    which = tuple(range(states))

    def update(w: Array, g: Array, state: Array, offset: int, stride: int, coefficients: Array, sums: Array) -> None:
        whole_registers()
        c = to_fixed_tuple(coefficients, count)
        zero, infinity = w.dtype.type(0), w.dtype.type(np.inf)
        before = weights_before(w)
        for k in range(UPDATE_SUMS):
            sums[k] = 0.0
        for start in range(0, len(w), CHUNK):
            end = min(start + CHUNK, len(w))
            chunk, gradient = part(w, start, end), part(g, start, end)
            running = (zero, zero, zero, zero, size_bits(zero), size_bits(infinity), zero)
            for i in range(len(chunk)):
                stepped = step(chunk[i], gradient[i], *(recall(which, state, offset + start, stride, i) + c))
                running = observe_weight(chunk[i], gradient[i], stepped[0], running)
                before[i] = chunk[i]
                chunk[i] = stepped[0]
                remember(which, state, offset + start, stride, i, stepped)
            settle(running, before, gradient, chunk, sums)

    return update


# The numbers an optimizer keeps lie one array after the other. Addressing them by intrinsics lets one loop serve any number of them, and be vectorised as if
# each had been written out; indexing a two-dimensional array would prevent that, and tuples of slices take 0.3 s to compile.


def _elements(context: Any, builder: Any, signature: Any, values: Any) -> list[Any]:
    """Pointers to element i of each of the `which` arrays in `state`, the first of which begins at `start`, each next one `stride` further on."""
    data = context.make_array(signature.args[1])(context, builder, values[1]).data
    start, stride, i = values[2:5]
    firsts = [builder.add(start, builder.mul(stride, stride.type(k))) for k in range(len(signature.args[0]))]
    return [builder.gep(builder.gep(data, [first]), [i]) for first in firsts]


@intrinsic
def recall(typing: Any, which: Any, state: Any, start: Any, stride: Any, i: Any) -> Any:
    """A tuple of what is remembered of parameter i, one number for each of `which`."""
    result = types.UniTuple(state.dtype, len(which))

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_tuple(builder, result, [builder.load(pointer) for pointer in _elements(context, builder, signature, values)])

    return result(which, state, start, stride, i), codegen


@intrinsic
def remember(typing: Any, which: Any, state: Any, start: Any, stride: Any, i: Any, stepped: Any) -> Any:
    """Keep for parameter i what stands behind its new value in `stepped`."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        for k, pointer in enumerate(_elements(context, builder, signature, values)):
            builder.store(builder.extract_value(values[5], k + 1), pointer)
        return context.get_dummy_value()

    return types.void(which, state, start, stride, i, stepped), codegen


def observe_weight(w: Any, g: Any, after: Any, running: Any) -> Any:
    """Add one weight, its gradient and its update to the running sums, all in T; largest and smallest |w| by their bits, which order as sizes do."""
    total, absolute, square, weight_square, largest, smallest, moved_square = running
    change, size = moved(after, w), size_bits(w)
    return (
        total + g,
        absolute + abs(g),
        square + g * g,
        weight_square + w * w,
        max(size, largest),
        min(size, smallest),
        moved_square + change * change,
    )


def moved(after: Any, before: Any) -> Any:
    """after − before, exactly as rounded: reordering would give the step that was meant, not the one that was made."""
    return after - before


def settle(running: Any, before: Any, g: Any, after: Any, sums: Any) -> None:
    """Add a chunk's running sums to `sums`; where its squares came near under- or overflow of T they are taken again, widened first."""
    total, absolute, square, weight_square, largest, smallest, moved_square = running
    sums[4] = max(sums[4], np.float64(from_bits(largest)))
    if smallest == 0:  # hardly ever: counting on the way costs every weight two operations more
        sums[5] += count_zeros(before, len(g))
    if sums_hold(weight_square) and (absolute == 0 or (sums_hold(square) and sums_hold(moved_square))):  # a dead layer's gradients are 0, not small
        sums[0] += total
        sums[1] += absolute
        sums[2] += square
        sums[3] += weight_square
        sums[6] += moved_square
    else:
        add_widened(before, g, after, sums)


def count_zeros(values: Any, length: Any) -> Any:
    """How many of the first `length` values are 0."""
    found = 0
    for i in range(length):
        found += 1 if values[i] == 0 else 0
    return found


def add_widened(before: Any, g: Any, after: Any, sums: Any) -> None:
    """A chunk's sums of gradients, weights and updates, every number widened to float64 first."""
    for i in range(len(g)):
        wide_g, wide_w, change = np.float64(g[i]), np.float64(before[i]), np.float64(after[i]) - np.float64(before[i])
        sums[0] += wide_g
        sums[1] += abs(wide_g)
        sums[2] += wide_g * wide_g
        sums[3] += wide_w * wide_w
        sums[6] += change * change


for _function in (observe_weight, settle, count_zeros, add_widened):
    inlined(_function, {"reassoc", "contract", "nsz"})
inlined(moved, EXACT)
