"""Bit for bit the same: whatever the blocks, the threads, what is evaluated in between, and
where the memory happens to lie.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import DTYPES, NORMS, Array, data_for, network

from dlprobe import registry
from dlprobe.nn.network import Network

STEPS, SAMPLES, RATE = 40, 50, 0.02
PARTS: dict[str, Any] = {
    "loss": "cross_entropy",
    "output": "softmax",
    "activation": "tanh",
    "batch": 16,
}


def build(dtype: str = "float32", seed: int = 3, **parts: Any) -> Network:
    return network((7, 33, 20, 4), dtype=dtype, seed=seed, **{**PARTS, **parts})


def trained(net: Network, blocks: tuple[int, ...] = (STEPS,)) -> tuple[Array, Array, Array]:
    """(parameters, statistics, scalars) after the blocks of steps, in turn."""
    inputs, targets = data_for(net, SAMPLES)
    first, results = 0, []
    for steps in blocks:
        results.append(net.train(inputs, targets, first, np.full(steps, RATE)))
        first += steps
    return (
        net.parameters.copy(),
        np.concatenate([r.statistics for r in results]),
        np.concatenate([r.scalars for r in results]),
    )


def assert_same_bits(one: tuple[Array, ...], other: tuple[Array, ...]) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.tobytes() == b.tobytes()


# every norm with adam, and every optimizer with the norms in turn
PAIRS = [
    *(("adam", norm) for norm in NORMS),
    *((name, NORMS[k % len(NORMS)]) for k, name in enumerate(registry.records("optimizer"))),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("optimizer", "norm"), PAIRS, ids=str)
def test_blocks_of_any_length_give_the_same_bits(
    optimizer: str, norm: tuple[str, bool] | None, dtype: str
) -> None:
    """One step at a time, blocks that cut epochs in two, and all at once."""
    whole = trained(build(dtype, optimizer=optimizer, norm=norm))
    assert_same_bits(whole, trained(build(dtype, optimizer=optimizer, norm=norm), (1,) * STEPS))
    assert_same_bits(whole, trained(build(dtype, optimizer=optimizer, norm=norm), (7, 1, 22, 10)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_seed_gives_the_same_bits_twice(dtype: str) -> None:
    assert_same_bits(trained(build(dtype)), trained(build(dtype)))


def test_another_seed_gives_another_net() -> None:
    assert not np.array_equal(trained(build(seed=3))[0], trained(build(seed=4))[0])


def test_the_seed_alone_decides_the_order_of_samples() -> None:
    """Two nets with the same parameters and different seeds see the same first batch in another
    order, so their losses differ.
    """
    one, other = build(seed=3), build(seed=4)
    other.parameters[:] = one.parameters
    assert trained(one, (1,))[2][0, 0] != trained(other, (1,))[2][0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_nets_in_two_threads_train_as_one_after_another(dtype: str) -> None:
    seeds = (1, 2, 3, 4)
    alone = [trained(build(dtype, seed)) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: trained(build(dtype, seed)), seeds))
    for one, other in zip(alone, together, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_evaluation_in_between_changes_nothing(norm: tuple[str, bool] | None, dtype: str) -> None:
    disturbed, undisturbed = (
        build(dtype, optimizer="adam", norm=norm),
        build(dtype, optimizer="adam", norm=norm),
    )
    inputs, targets = data_for(disturbed, SAMPLES)
    for step in range(STEPS):
        disturbed.train(inputs, targets, step, np.full(1, RATE))
        disturbed.evaluate(inputs[: 1 + step], targets[: 1 + step], dead=step % 2 == 0)
    trained(undisturbed)
    assert disturbed.parameters.tobytes() == undisturbed.parameters.tobytes()
    assert disturbed.evaluate(inputs, targets).loss == undisturbed.evaluate(inputs, targets).loss


def test_keeping_gradients_changes_nothing() -> None:
    assert_same_bits(trained(build(keep_gradients=True)), trained(build()))


def test_initialize_starts_over() -> None:
    net = build(optimizer="adam", norm=("batch", False))
    first = trained(net)
    net.initialize()
    assert_same_bits(first, trained(net))


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    activation=st.sampled_from(list(registry.records("activation"))),
    optimizer=st.sampled_from(list(registry.records("optimizer"))),
    norm=st.sampled_from(NORMS),
    bias=st.booleans(),
    batch=st.integers(1, SAMPLES),
    seed=st.integers(0, 2**63 - 1),
    dtype=st.sampled_from(DTYPES),
    cuts=st.lists(st.integers(1, 9), max_size=3),
)
def test_any_small_net_trains_to_the_same_bits_whatever_the_blocks(
    sizes: list[int],
    activation: str,
    optimizer: str,
    norm: Any,
    bias: bool,
    batch: int,
    seed: int,
    dtype: str,
    cuts: list[int],
) -> None:
    share = registry.records("activation")[activation].inputs_per_unit
    sizes = [
        sizes[0],
        *(share * units for units in sizes[1:-1]),
        sizes[-1],
    ]  # a unit of GLU takes two columns, as configurations are held to

    def fresh() -> Network:
        return network(
            sizes,
            activation=activation,
            optimizer=optimizer,
            norm=norm,
            bias=bias,
            batch=batch,
            seed=seed,
            dtype=dtype,
        )

    blocks = (*cuts, STEPS - sum(cuts))
    with np.errstate(all="ignore"):
        whole, parts = trained(fresh()), trained(fresh(), blocks)
    if not np.isfinite(whole[2][:, 0]).all():  # a run that diverges ends in its block
        return
    assert_same_bits(whole, parts)


@settings(max_examples=25)
@given(batch=st.integers(1, 60), seed=st.integers(0, 2**63 - 1), dtype=st.sampled_from(DTYPES))
def test_every_epoch_visits_every_sample_once(batch: int, seed: int, dtype: str) -> None:
    """A linear net whose loss is Σ x of the batch: the losses of an epoch, weighted by batch
    sizes, are those of all samples.
    """
    net = network((1, 1), loss="mae", batch=min(batch, SAMPLES), seed=seed, dtype=dtype, bias=False)
    net.weights(0)[:] = 1
    inputs = np.arange(1, SAMPLES + 1, dtype=dtype).reshape(-1, 1)
    steps = -(-SAMPLES // net.batch)
    losses = net.train(inputs, np.zeros_like(inputs), 0, np.zeros(steps)).scalars[:, 0]
    sizes = [net.batch] * (steps - 1) + [SAMPLES - net.batch * (steps - 1)]
    assert np.dot(losses, sizes) == pytest.approx(SAMPLES * (SAMPLES + 1) / 2, rel=1e-6)
