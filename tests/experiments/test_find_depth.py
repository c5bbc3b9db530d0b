"""The depth at which a gradient breaks: the search, theory's depth worked by hand, and both
beside each other.
"""

from __future__ import annotations

import math

import pytest

from dlprobe.analysis.profiles.depth_limits import breaking_depth, trainable_depth
from dlprobe.analysis.theory.initial_net import InitialNet, describe
from dlprobe.config import from_options, parse_spec
from dlprobe.data import load, prepare
from dlprobe.experiments import find_depth, grid_cells
from dlprobe.experiments.grid_cells import Axes
from dlprobe.training.stopping import Stop


@pytest.mark.parametrize("limit", [2, 3, 7, 64, 65, 100, 1000])
def test_search_finds_every_depth_with_few_looks(limit: int) -> None:
    asked: dict[int, bool] = {}

    def breaks(depth: int) -> bool:
        assert depth not in asked
        asked[depth] = depth >= limit
        return asked[depth]

    find_depth.search(breaks, 1024, Stop())
    assert min(depth for depth, broken in asked.items() if broken) == limit
    assert limit - 1 in asked or limit == 2
    assert len(asked) <= 2 * math.log2(1024)


def test_search_ends_at_the_deepest() -> None:
    asked: list[int] = []
    find_depth.search(lambda depth: bool(asked.append(depth)), 100, Stop())
    assert asked == [2, 4, 8, 16, 32, 64, 100]


def net(init: str, depth: int = 200, width: int = 10_000, activation: str = "relu") -> InitialNet:
    return describe(
        64, [width] * depth, parse_spec("activation", activation), parse_spec("initializer", init)
    )


def test_theory_breaks_where_halving_squares_leave_one_decade() -> None:
    # ReLU with N(0, 1/fan_in): the mean square halves per layer, so r = -(n - 1) log10(2)/2 passes
    # -1 at n - 1 = 7. The width leaves chance no room
    assert breaking_depth(net("mean_field(sigma_w=1, sigma_b=0)")) == 8
    assert breaking_depth(net("he_normal")) is None
    assert breaking_depth(net("mean_field(sigma_w=1, sigma_b=0)", depth=5)) is None


def test_theory_of_a_net_that_overflows_far_up() -> None:
    # N(0, 1) weights of 100 units: the mean square grows by 50 per layer, so r passes 1 at n - 1 =
    # 2; after some 118 layers q leaves float64's squares
    assert breaking_depth(net("normal(std=1)", depth=256, width=100)) == 3


def test_signal_that_underflows_in_a_very_deep_net_is_no_error() -> None:
    # after 1000 halvings the mean square is 1e-301, and its square no number at all
    assert breaking_depth(net("mean_field(sigma_w=1, sigma_b=0)", depth=1024)) == 8


def test_critical_net_has_no_depth_limit() -> None:
    assert (
        trainable_depth(net("mean_field(sigma_w=1, sigma_b=0)", activation="tanh"), {5: 0.9}).theory
        == math.inf
    )


def test_trainable_depth_is_six_correlation_depths() -> None:
    # ReLU below the critical variance: correlations near 1 with slope chi = 1/2, so xi_c = 1/ln 2
    found = trainable_depth(
        net("mean_field(sigma_w=1, sigma_b=0.1)"), {5: 0.9, 10: 0.8, 20: 0.1, 40: 0.7}
    )
    assert found.xi_c == pytest.approx(1 / math.log(2), rel=1e-3)
    assert found.theory == pytest.approx(6 / math.log(2), rel=1e-3)
    assert (found.measured, found.fails_at) == (10, 20)


def test_nothing_trained_and_everything_trained() -> None:
    assert trainable_depth(net("he_normal"), {5: math.nan, 10: 0.9}).measured == 0
    assert trainable_depth(net("he_normal"), {5: 0.9, 10: 0.9}).fails_at is None


def test_measured_depth_is_near_theorys() -> None:
    base = from_options(None, {"evaluate_every": "never", "data_seed": "0", "dtype": "float64"})
    data = prepare(load(base.data, 0), base.data, 0, "float64")
    (row,) = grid_cells.rows(base, Axes(None, [100], ["relu"], ["glorot_normal"], ["none"]))
    found = find_depth.find(row, range(3), data, threads=1, stop=Stop(), deepest=64)
    assert found.verdict == "vanishing"
    assert found.breaks_at is not None
    assert found.theory is not None
    assert found.healthy_at == found.breaks_at - 1
    assert abs(found.breaks_at - found.theory) <= 3
