"""Subnormal numbers are 0 while a net trains, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import types
from small_nets import DTYPES, network

from dlprobe.nn.cache import compiled
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.subnormals import SET_HERE, flush_subnormals, restore

pytestmark = pytest.mark.skipif(not SET_HERE, reason="the setting is one of x86 processors")


def halves(x: Any, out: Any) -> None:
    """x0·x1 within the setting and after it."""
    before = flush_subnormals()
    out[0] = x[0] * x[1]
    restore(before)
    out[1] = x[0] * x[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_the_smallest_normal_number_is_0_until_the_setting_is_restored(dtype: str) -> None:
    vector = PRECISIONS[dtype].vector
    x, out = np.array([np.finfo(dtype).tiny, 0.5], dtype), np.ones(2, dtype)
    compiled(types.void(vector, vector))(halves)(x, out)
    assert out.tolist() == [0, x[0] * x[1]]
    assert out[1] > 0


def test_the_running_means_of_a_dead_unit_fade_to_0_and_numpy_keeps_its_subnormals() -> None:
    """.9 to the 1,500th is 1e-69: after so many steps without gradient Adam's first mean would
    stay at the smallest subnormal number of float32, 1.4e-45.
    """
    net = network((3, 4, 2), activation="relu", optimizer="adam", dtype="float32", batch=8)
    rng = np.random.default_rng(0)
    x, y, rates = (
        rng.standard_normal((8, 3)).astype(np.float32),
        rng.standard_normal((8, 2)).astype(np.float32),
        np.full(1500, 1e-3),
    )
    net.train(x, y, 0, rates[:1])
    assert net.optimizer_state(0)[0].any()
    net.parameters[12:16] = -1000  # the biases of the hidden units: none is active any more
    net.train(x, y, 1, rates)
    assert not net.optimizer_state(0)[0].any()
    tiny = np.array([np.finfo(np.float32).tiny], np.float32)
    assert (tiny / 2)[0] > 0
