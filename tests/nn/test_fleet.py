"""Fleets: every net in one comes to what its own run gives, whoever is beside it; and only nets
that can train in one do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_nets import DTYPES, Array, layers, spec, targets_for

from dlprobe import registry
from dlprobe.nn import lanes
from dlprobe.nn.cache import compiled
from dlprobe.nn.fleet import LARGEST, Fleet, lanes_of, suits
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.nn.random import DROPOUT
from dlprobe.nn.regulation import NOTHING, Regulation
from dlprobe.nn.tiles import AVAILABLE
from dlprobe.parts.activations import LearnedActivation, RandomActivation

pytestmark = pytest.mark.skipif(
    not AVAILABLE, reason="this processor has no vector registers that fleets are for"
)

TOGETHER = {
    name: record
    for name, record in registry.records("activation").items()
    if not isinstance(record, LearnedActivation | RandomActivation)
}


def fleet_and_nets(
    specs: list[LayerSpec],
    loss: str = "mse",
    optimizer: str = "momentum",
    dtype: str = "float64",
    regulation: Regulation = NOTHING,
) -> tuple[Fleet, list[Network]]:
    """A fleet, and its nets one by one: seeds 5, 6, …, batches of 8."""
    seeds = range(5, 5 + lanes_of(dtype))
    how = {"batch": 8, "dtype": dtype, "regulation": regulation}
    nets = [
        Network(specs, spec("loss", loss), spec("optimizer", optimizer), seed=seed, **how)
        for seed in seeds
    ]  # type: ignore[arg-type]
    fleet = Fleet(specs, spec("loss", loss), spec("optimizer", optimizer), seeds=list(seeds), **how)  # type: ignore[arg-type]
    fleet.load([net.parameters for net in nets])
    return fleet, nets


def data_for(
    specs: list[LayerSpec], loss: str, count: int, dtype: str = "float64"
) -> tuple[Array, Array]:
    """21 samples of each net: two whole batches and a short one; (samples, features, nets) and
    (samples, outputs, nets).
    """
    inputs = np.random.default_rng(3).standard_normal((21, specs[0].fan_in, count)).astype(dtype)
    return inputs, np.stack(
        [targets_for(loss, 21, specs[-1].units, seed, dtype) for seed in range(count)], axis=2
    )


def furthest_apart(
    specs: list[LayerSpec],
    loss: str = "mse",
    optimizer: str = "momentum",
    dtype: str = "float64",
    regulation: Regulation = NOTHING,
) -> float:
    """Largest difference, over parameters, running statistics and the optimizer's memory, after 12
    steps of a fleet and of its nets on their own.

    In units of the largest number where that is above 1: one net of `exponential` explodes to 1e20,
    whose rounding alone is 1e4.
    """
    fleet, nets = fleet_and_nets(specs, loss, optimizer, dtype, regulation)
    inputs, targets = data_for(specs, loss, len(nets), dtype)
    rates = np.full(6, 0.002)
    assert fleet.advance(inputs, targets, 0, rates)
    assert fleet.advance(inputs, targets, 6, rates)
    differences = []
    for lane, net in enumerate(nets):
        before = net.parameters.copy()
        net.train(
            np.ascontiguousarray(inputs[:, :, lane]),
            np.ascontiguousarray(targets[:, :, lane]),
            0,
            np.full(12, 0.002),
        )
        assert np.abs(net.parameters - before).max() > 1e-5  # they did move
        found = fleet.trained_in(lane)
        pairs = (
            (found.parameters, net.parameters),
            (found.state, net.memory.state),
            (found.moments, net.memory.moments),
        )
        differences += [
            np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max())
            for ours, theirs in pairs
            if len(ours)
        ]
    return float(max(differences))


@pytest.mark.parametrize("activation", sorted(TOGETHER))
def test_every_activation_trains_in_a_fleet_as_on_its_own(activation: str) -> None:
    specs = layers([3, 6, 2], activation)
    assert suits(specs)
    assert furthest_apart(specs) < 1e-9


@pytest.mark.parametrize("loss", sorted(registry.records("loss")))
@pytest.mark.parametrize("joined", [True, False])
def test_every_loss_trains_in_a_fleet_as_on_its_own(loss: str, joined: bool) -> None:
    record = registry.get("loss", loss)
    output = record.fused if joined and record.fused else record.output_activation
    assert furthest_apart(layers([3, 5, 3], output=output), loss) < 1e-9


@pytest.mark.parametrize("optimizer", sorted(registry.records("optimizer")))
def test_every_optimizer_trains_a_fleet_as_one_net(optimizer: str) -> None:
    assert furthest_apart(layers([3, 5, 2]), optimizer=optimizer) < 1e-9


@pytest.mark.parametrize("after", [False, True])
def test_batch_norm_keeps_each_nets_own_statistics(after: bool) -> None:
    assert furthest_apart(layers([3, 5, 4, 2], norm=("batch", after), bias=False)) < 1e-9


@pytest.mark.parametrize(
    "changed",
    [
        {"l1": 0.1, "l2": 0.1, "bias_l2": 0.1},
        {"l1": 0.1, "proximal": True},
        {"max_norm": 0.4},
        {"clip_value": 0.01},
    ],
)
def test_penalties_and_bounds_of_single_numbers_or_units(changed: dict[str, float]) -> None:
    regulation = Regulation(**changed)  # type: ignore[arg-type]
    assert suits(layers([3, 5, 2]), regulation)
    assert furthest_apart(layers([3, 5, 2]), regulation=regulation) < 1e-9


def test_single_precision_differs_by_rounding_only() -> None:
    assert (
        furthest_apart(layers([3, 17, 20, 3], output="softmax"), "cross_entropy", "sgd", "float32")
        < 1e-6
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_net_does_not_feel_its_neighbours(dtype: str) -> None:
    """The same net in another lane among other nets: the same bits."""
    specs = layers([3, 6, 3], "relu", "softmax")
    fleet, nets = fleet_and_nets(specs, "cross_entropy", "adam", dtype)
    inputs, targets = data_for(specs, "cross_entropy", len(nets), dtype)
    fleet.advance(inputs, targets, 0, np.full(9, 0.1))
    turned = Fleet(
        specs,
        spec("loss", "cross_entropy"),
        spec("optimizer", "adam"),
        batch=8,
        seeds=[5] * len(nets),
        dtype=dtype,
    )
    turned.load([nets[0].parameters] * len(nets))
    other_inputs, other_targets = (
        np.repeat(data[:, :, :1], len(nets), axis=2) for data in (inputs, targets)
    )
    turned.advance(other_inputs, other_targets, 0, np.full(9, 0.1))
    for lane in range(len(nets)):
        assert (
            turned.trained_in(lane).parameters.tobytes() == fleet.trained_in(0).parameters.tobytes()
        )


def test_a_lost_net_is_named_and_ends_the_block() -> None:
    specs = layers([3, 5, 2], "relu")
    fleet, nets = fleet_and_nets(specs, dtype="float32")
    inputs, targets = data_for(specs, "mse", len(nets), "float32")
    inputs[:, :, 2] *= 1e25
    assert not fleet.advance(inputs, targets, 0, np.full(50, 0.1))
    assert fleet.lost() == [2]


def test_what_joins_units_or_draws_at_random_does_not_train_in_a_fleet() -> None:
    plain = layers([3, 6, 2])
    assert suits(plain)
    dropped = (spec("perturbation", "dropout"), DROPOUT)
    for changed in (
        {"norm": spec("normalization", "layer")}, {"before": (dropped,)}, {"transform": dropped}, {"residual": spec("residual", "identity")},  # noqa: E501
        {"initializer": spec("initializer", "lsuv")}, {"activation": spec("activation", "prelu")}, {"activation": spec("activation", "rrelu")},  # noqa: E501
    ):  # fmt: skip
        assert not suits([replace(plain[0], **changed), plain[1]]), changed  # type: ignore[arg-type]
    for name in ("orthogonal", "clip_layer_norm", "clip_global_norm", "activity_l1", "activity_l2"):
        assert not suits(plain, replace(NOTHING, **{name: 0.5}))
    assert not suits(layers([LARGEST, 1, 1]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "fan_in", "fan_out"),
    [(1, 1, 1), (3, 2, 5), (8, 16, 16), (9, 5, 4), (33, 3, 7), (300, 2, 3), (4, 130, 2)],
)
def test_lane_products_are_those_of_each_net(
    rows: int, fan_in: int, fan_out: int, dtype: str
) -> None:
    """In whole numbers, where every order of summation gives the same."""
    count = lanes_of(dtype)
    rng = np.random.default_rng(0)
    x, w, d = (
        rng.integers(-8, 9, (m, n, count)).astype(dtype)
        for m, n in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out))
    )
    for product, left, right, formula in (
        (lanes.product, x, w, "ikl,kjl->ijl"), (lanes.product_with_transposed, d, w, "ijl,kjl->ikl"), (lanes.transposed_product, x, d, "ikl,ijl->kjl"),  # noqa: E501
    ):  # fmt: skip
        wanted = np.einsum(formula, left, right)
        out = np.full((wanted.shape[0], wanted.shape[1] * count), np.nan, dtype)
        compiled((PRECISIONS[dtype].matrix,) * 3)(product)(
            left.reshape(len(left), -1), right.reshape(len(right), -1), out
        )
        assert (out.reshape(wanted.shape) == wanted).all()


@pytest.mark.parametrize(
    "name",
    sorted(name for name, record in TOGETHER.items() if getattr(record, "columns_value", None)),
)
def test_an_activation_of_many_rows_at_once_is_that_of_each(name: str) -> None:
    record = registry.get("activation", name)
    z = 5 * np.random.default_rng(0).standard_normal((4, 7))
    found, wanted = np.zeros((4, 7)), np.zeros((4, 7))
    record.columns_value(z, found, np.zeros((2, 7)), *(each.default for each in record.parameters))
    for n in range(7):
        record.row_value(z[:, n], wanted[:, n], *(each.default for each in record.parameters))
    assert found == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    "name",
    sorted(name for name, record in registry.records("loss").items() if record.fused_columns),
)
def test_a_loss_of_many_samples_at_once_is_that_of_each(name: str) -> None:
    record = registry.get("loss", name)
    z = 5 * np.random.default_rng(0).standard_normal((4, 7))
    a = np.exp(z) / np.exp(z).sum(axis=0)
    y = targets_for(name, 7, 4).T.copy()
    found, wanted = np.zeros((4, 7)), np.zeros((4, 7))
    total = record.fused_columns(z, a, y, found, np.zeros((4, 7)))
    assert total == pytest.approx(
        sum(record.fused_row(z[:, n], a[:, n], y[:, n], wanted[:, n]) for n in range(7)), rel=1e-13
    )
    assert found == pytest.approx(wanted, rel=1e-13)
