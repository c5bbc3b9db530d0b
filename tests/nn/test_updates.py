"""The one loop of all optimizers serves any number of remembered numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlprobe.nn import positions, updates
from dlprobe.nn.cache import EXACT, compiled, inlined
from dlprobe.nn.kernels import PRECISIONS


def none(w: float, g: float, rate: float) -> tuple[float]:
    return (w - rate * g,)


def four(
    w: float, g: float, a: float, b: float, c: float, d: float, rate: float
) -> tuple[float, float, float, float, float]:
    return (w - rate * d, a + g, b + a, c + b, d + c)


@pytest.mark.parametrize(("step", "states"), [(none, 0), (four, 4)])
def test_any_number_of_states_is_kept(step: Callable[..., tuple[float, ...]], states: int) -> None:
    """Five parameters from offset 2 of 8; whole numbers, so that sums are exact."""
    update = compiled(PRECISIONS["float32"].update)(
        updates.update_loop(inlined(EXACT)(step), 1, states)
    )
    w, g = np.arange(1, 6, dtype=np.float32), np.arange(2, 7, dtype=np.float32)
    state = np.arange(8 * states, dtype=np.float32)
    kept = state.reshape(states, 8).copy()
    update(w, g, state, 2, 8, np.full(1, 2, np.float32), np.zeros(positions.UPDATE_SUMS))
    now = np.array(
        [
            step(*numbers, np.float32(2))
            for numbers in zip(np.arange(1, 6), g, *kept[:, 2:7], strict=True)
        ]
    ).T
    kept[:, 2:7] = now[1:]
    np.testing.assert_array_equal(w, now[0])
    np.testing.assert_array_equal(state.reshape(states, 8), kept)


def test_updates_too_small_to_be_squared_in_float32_are_measured() -> None:
    """A weight of 1 that does not move beside three zeros that move by 1e-20 each: gradients
    and weights are of ordinary size, (1e-20)² is not.
    """
    update = compiled(PRECISIONS["float32"].update)(updates.update_loop(inlined(EXACT)(none), 1, 0))
    w, sums = np.array([1, 0, 0, 0], np.float32), np.zeros(positions.UPDATE_SUMS)
    update(
        w,
        np.ones(4, np.float32),
        np.zeros(0, np.float32),
        0,
        4,
        np.full(1, 1e-20, np.float32),
        sums,
    )
    assert w[0] == 1
    assert sums[positions.SUM_CHANGE_SQUARED] == pytest.approx(3e-40, rel=1e-6)
    assert sums[positions.ZERO_WEIGHTS] == 3
