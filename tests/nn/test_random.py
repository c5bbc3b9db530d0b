"""Counter-based random numbers: published numbers, the slow twin, and that orders are fair and
streams apart.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import slow_twins
from hypothesis import given
from hypothesis import strategies as st
from numba import types

from dlprobe.nn import random
from dlprobe.nn.cache import compiled

WORDS = st.integers(0, 2**64 - 1)


@cache
def compiled_mix() -> Any:
    return compiled((types.uint64,))(random.mix)


@cache
def compiled_shuffle() -> Any:
    return compiled((types.int64[::1], types.uint64, types.int64))(random.shuffle)


def test_mix_gives_the_published_numbers_of_splitmix64() -> None:
    """The first three outputs for seed 0 (Vigna's splitmix64.c): the state moves by the golden
    ratio each time.
    """
    gamma = 0x9E3779B97F4A7C15
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(compiled_mix()(np.uint64(k * gamma % 2**64))) for k in range(3)] == expected
    assert [slow_twins.mix(k * gamma % 2**64) for k in range(3)] == expected


@given(x=WORDS)
def test_mix_is_its_twin(x: int) -> None:
    assert int(compiled_mix()(np.uint64(x))) == slow_twins.mix(x)


@given(samples=st.integers(0, 200), seed=WORDS, epoch=st.integers(0, 2**40))
def test_orders_are_the_same_compiled_plain_and_by_the_twin(
    samples: int, seed: int, epoch: int
) -> None:
    order = np.full(samples, -1)
    compiled_shuffle()(order, np.uint64(seed), epoch)
    assert (
        order.tolist()
        == random.epoch_order(seed, epoch, samples).tolist()
        == slow_twins.shuffled(samples, seed, epoch)
    )
    assert sorted(order.tolist()) == list(range(samples))


def test_every_order_of_three_is_as_likely() -> None:
    """6,000 epochs, six orders: 1,000 of each within four standard deviations, √(6000 · 1/6 ·
    5/6) = 29.
    """
    counts = Counter(tuple(random.epoch_order(1, epoch, 3).tolist()) for epoch in range(6000))
    assert len(counts) == 6
    assert all(abs(count - 1000) < 4 * 29 for count in counts.values())


def test_orders_differ_between_epochs_and_seeds() -> None:
    orders = {
        tuple(random.epoch_order(seed, epoch, 30).tolist())
        for seed in range(20)
        for epoch in range(20)
    }
    assert len(orders) == 400


def test_streams_of_purposes_layers_and_seeds_are_apart() -> None:
    draws = {
        float(random.generator(seed, purpose, position).random())
        for seed in (0, 1, 2**63 - 1)
        for purpose in (random.SHUFFLE, random.WEIGHTS, random.BIASES)
        for position in range(50)
    }
    assert len(draws) == 450
