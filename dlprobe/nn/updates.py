"""The optimizers' loop: steps every weight and adds up the statistics of weights, gradients and
updates on the way.
"""

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
from dlprobe.nn.positions import (
    MAX_ABS_W,
    SUM_ABS_G,
    SUM_CHANGE_SQUARED,
    SUM_G,
    SUM_G_SQUARED,
    SUM_W_SQUARED,
    UPDATE_SUMS,
    ZERO_WEIGHTS,
)
from dlprobe.nn.scalar import from_bits, size_bits
from dlprobe.nn.shapes import Floats, Index, Value, Vector
from dlprobe.nn.views import part, scratch

# parameters whose sums run in T; their gradients and weights stay in the first-level cache
CHUNK = 2048
weights_before = scratch(CHUNK)
TOTALS = {"reassoc", "contract", "nsz"}


def update_loop(step: Callable[..., Any], count: int, states: int) -> Any:
    """The loop around an optimizer's `step` with `count` coefficients and `states` numbers per
    parameter.

    `before` keeps a chunk's weights as they were, for the case that sums must be taken again.
    """
    which = tuple(range(states))

    def update(
        w: Vector,
        g: Vector,
        state: Vector,
        offset: Index,
        stride: Index,
        coefficients: Vector,
        sums: Floats,
    ) -> None:
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
                stepped = step(
                    chunk[i], gradient[i], *(recall(which, state, offset + start, stride, i) + c)
                )
                running = observe_weight(chunk[i], gradient[i], stepped[0], running)
                before[i] = chunk[i]
                chunk[i] = stepped[0]
                remember(which, state, offset + start, stride, i, stepped)
            settle(running, before, gradient, chunk, sums)

    return update


# The numbers an optimizer keeps lie one array after the other. Addressing them by intrinsics lets
# one loop serve any number of them, and be vectorised as if each had been written out; indexing a
# two-dimensional array would prevent that, and tuples of slices take 0.3 s to compile.


def _elements(context: Any, builder: Any, signature: Any, values: Any) -> list[Any]:
    """Pointers to element i of each of the `which` arrays in `state`, the first of which begins
    at `start`, each next one `stride` further on.
    """
    data = context.make_array(signature.args[1])(context, builder, values[1]).data
    start, stride, i = values[2:5]
    firsts = [
        builder.add(start, builder.mul(stride, stride.type(k)))
        for k in range(len(signature.args[0]))
    ]
    return [builder.gep(builder.gep(data, [first]), [i]) for first in firsts]


@intrinsic
def recall(typing: Any, which: Any, state: Any, start: Any, stride: Any, i: Any) -> Any:
    """A tuple of what is remembered of parameter i, one number for each of `which`."""
    result = types.UniTuple(state.dtype, len(which))

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_tuple(
            builder,
            result,
            [builder.load(pointer) for pointer in _elements(context, builder, signature, values)],
        )

    return result(which, state, start, stride, i), codegen


@intrinsic
def remember(
    typing: Any, which: Any, state: Any, start: Any, stride: Any, i: Any, stepped: Any
) -> Any:
    """Keep for parameter i what stands behind its new value in `stepped`."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        for k, pointer in enumerate(_elements(context, builder, signature, values)):
            builder.store(builder.extract_value(values[5], k + 1), pointer)
        return context.get_dummy_value()

    return types.void(which, state, start, stride, i, stepped), codegen


@inlined(TOTALS)
def observe_weight(w: Value, g: Value, after: Value, running: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add one weight, its gradient and its update to the running sums, all in T; largest and
    smallest |w| by their bits, which order as sizes do.
    """
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


@inlined(EXACT)
def moved(after: Value, before: Value) -> Value:
    """after − before, exactly as rounded: reordering would give the step that was meant, not
    the one that was made.
    """
    return after - before


@inlined(TOTALS)
def settle(
    running: tuple[Any, ...], before: Vector, g: Vector, after: Vector, sums: Floats
) -> None:
    """Add a chunk's running sums to `sums`; where its squares came near under- or overflow of T
    they are taken again, widened first.
    """
    total, absolute, square, weight_square, largest, smallest, moved_square = running
    sums[MAX_ABS_W] = max(sums[MAX_ABS_W], np.float64(from_bits(largest)))
    if smallest == 0:  # hardly ever: counting on the way costs every weight two operations more
        sums[ZERO_WEIGHTS] += count_zeros(before, len(g))
    # a dead layer's gradients are 0, not small
    if sums_hold(weight_square) and (
        absolute == 0 or (sums_hold(square) and sums_hold(moved_square))
    ):
        sums[SUM_G] += total
        sums[SUM_ABS_G] += absolute
        sums[SUM_G_SQUARED] += square
        sums[SUM_W_SQUARED] += weight_square
        sums[SUM_CHANGE_SQUARED] += moved_square
    else:
        add_widened(before, g, after, sums)


@inlined(TOTALS)
def count_zeros(values: Vector, length: Index) -> Index:
    """How many of the first `length` values are 0."""
    found = 0
    for i in range(length):
        found += 1 if values[i] == 0 else 0
    return found


@inlined(TOTALS)
def add_widened(before: Vector, g: Vector, after: Vector, sums: Floats) -> None:
    """A chunk's sums of gradients, weights and updates, every number widened to float64 first."""
    for i in range(len(g)):
        wide_g, wide_w, change = (
            np.float64(g[i]),
            np.float64(before[i]),
            np.float64(after[i]) - np.float64(before[i]),
        )
        sums[SUM_G] += wide_g
        sums[SUM_ABS_G] += abs(wide_g)
        sums[SUM_G_SQUARED] += wide_g * wide_g
        sums[SUM_W_SQUARED] += wide_w * wide_w
        sums[SUM_CHANGE_SQUARED] += change * change
